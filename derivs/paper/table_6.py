"""Table 6: two convolutions with ReLU and pooling, a dense ReLU layer and a softmax. The layer L is the
fourth.

The rows of the convolutions are evaluated on one image, channel and filter, those of the dense layers on
a batch.
"""

import numpy as np

from derivs.paper.notation import (
    CORRELATION,
    ELEMENTWISE,
    FULL,
    POSITIONS,
    RESHAPE,
    WINDOWS,
    chain,
    convolve,
    dot,
    mask,
    padded,
    pool,
    spread,
)
from derivs.paper.rows import Cells, relu, relu_slope, right_weights
from gradproof import Claim

TITLE = "Table 6: two convolutions, ReLU, pooling and softmax"
IMAGE = "table 6, one image"


def first(array):
    """The one image of the batch."""
    return array[0]


def as_batch(function):
    """A formula for one image, as a batch of one."""
    return lambda t: np.asarray(function(t))[None]


class Convolution(Cells):
    """The rows of a convolution and of its pooling: `source` is its input, `onward` the pooled gradient's
    printed factor.
    """

    def __init__(self, row, number, source):
        super().__init__("table-6", row, number, IMAGE)
        self.source = source

    def all(self, kernel_damage, slope_damage=("", "")):
        """The eight cells of the convolution."""
        k, b, z, a, p = (f"{letter}{self.number}" for letter in "KbZAP")

        def value(name):
            return lambda t: first(getattr(t, name))

        source = value(self.source)

        def convolved(t):
            return convolve(source(t), getattr(t, k)) + getattr(t, b)

        def closes(name):
            return lambda t: (
                getattr(t, name) - t.alpha * t.d("J", name)
                if convolved(t).shape == first(getattr(t, z)).shape
                else np.zeros(0)
            )

        def slope(t):
            return first(t.d("J", z))

        def routed(t):
            return spread(first(t.d("J", p)), first(getattr(t, a)).shape, t.p) * mask(
                first(getattr(t, a)), t.p, t.p
            )

        kernel, bias, before, pooled = chain("J", z, k), chain("J", z, b), chain("J", a, z), chain("J", p, a)
        return (
            self.cell("K", f"step {k}", closes(k)),
            self.cell("b", f"step {b}", closes(b)),
            self.cell("Z", z, as_batch(convolved)),
            self.cell("A", a, lambda t: relu(getattr(t, z))),
            self.update("K_new", k, *kernel_damage),
            self.update("b_new", b),
            self.cell(
                "dK",
                f"dJ/d{k}",
                (kernel, lambda t: dot(slope(t), source(t))),
                under={CORRELATION: (kernel, lambda t: convolve(source(t), slope(t)))},
            ),
            self.cell(
                "db",
                f"dJ/d{b}",
                (bias, lambda t: slope(t) * 1),
                under={POSITIONS: (bias, lambda t: slope(t).sum())},
            ),
            self.cell(
                "dZ",
                f"dJ/d{z}",
                (before, as_batch(lambda t: dot(first(t.d("J", a)), relu_slope(first(getattr(t, z)), None)))),
                under={ELEMENTWISE: (before, lambda t: t.d("J", a) * relu_slope(getattr(t, z), None))},
                damage=slope_damage[0],
                twin=slope_damage[1],
            ),
            self.cell(
                "dA",
                f"dJ/d{a}",
                (pooled, as_batch(lambda t: dot(first(t.d("J", p)), mask(first(getattr(t, a)), t.p, t.p)))),
                given=WINDOWS,
                under={f"{ELEMENTWISE}, dJ/dY_pool spread over its windows": (pooled, as_batch(routed))},
                note=(
                    "After ReLU a window of zeros is a tie of all its entries; dJ/dZ is zero there, so no "
                    "parameter sees it."
                ),
            ),
        )


ONE, TWO = Convolution("conv-1", 1, "X"), Convolution("conv-2", 2, "P1")
POOL_1, POOL_2 = Cells("table-6", "pool-1", 1, IMAGE), Cells("table-6", "pool-2", 2, IMAGE)
BEFORE_LAST, LAST = Cells("table-6", "layer-L-1", 3), Cells("table-6", "layer-L", 4)


def missing_map(t):
    """dJ/dZ^[L-1] . Y_pool^[L-1]."""
    return t.absent("there is no Y_pool^[L-1]: the last pooled map is Y_pool^[L-2]")


def own_jacobian(t):
    """dJ/dZ^[L-1] . dW^[L-1]/dW^[L-1], the last an identity matrix."""
    return (t.d("J", "Z3").reshape(1, -1) @ np.eye(t.W3.size)).reshape(t.W3.shape)


def loss(t):
    """(21) for the batch."""
    return -(t.Y * np.log(t.A)).sum()


CLAIMS = (
    *ONE.all(
        ("the denominator is misread", "table-6/conv-1/b_new"),
        ("dZ in a denominator and the condition are misread", "table-6/conv-2/dZ"),
    ),
    POOL_1.cell("Y_pool", "P1", as_batch(lambda t: pool(first(t.A1), t.p, t.p))),
    POOL_1.cell(
        "dY_pool",
        "dJ/dP1",
        (chain("J", "Z2", "P1"), as_batch(lambda t: dot(first(t.d("J", "Z2")), t.K2))),
        under={FULL: (chain("J", "Z2", "P1"), as_batch(lambda t: padded(first(t.d("J", "Z2")), t.K2)))},
    ),
    *TWO.all(("current, alpha and the denominator are scattered", "table-6/conv-2/b_new")),
    POOL_2.cell("Y_pool", "P2", as_batch(lambda t: pool(first(t.A2), t.p, t.p))),
    POOL_2.cell(
        "dY_pool",
        "dJ/dP2",
        (chain("J", "Z3", "P2"), lambda t: dot(t.d("J", "Z3"), t.W3)),
        under={RESHAPE: (chain("J", "Z3", "P2"), lambda t: dot(t.d("J", "Z3"), t.W3.T).reshape(t.P2.shape))},
    ),
    *BEFORE_LAST.parameters("Q"),
    BEFORE_LAST.forward("Q", "Q", note="Y_pool is flattened to rows, as the text after (37) says."),
    BEFORE_LAST.activation(
        relu, "the brace is read as an integral sign, the cases are apart", "table-6/conv-2/A"
    ),
    *BEFORE_LAST.updates(W_new=("the denominator is lost", "table-6/layer-L/W_new")),
    BEFORE_LAST.cell(
        "dW",
        "dJ/dW3",
        (own_jacobian, missing_map),
        group="layer index",
        why="it has dW/dW for dZ/dW, and Y_pool^[L-1] for the layer's input Y_pool^[L-2]",
        right=(
            r"\frac{\partial J}{\partial W^{[L-1]}} = (Y^{[L-2]}_{pool})^T \cdot \frac{\partial J}{\partial "
            r"Z^{[L-1]}}"
        ),
        corrected=(chain("J", "Z3", "W3"), lambda t: t.Q.T @ t.d("J", "Z3")),
    ),
    BEFORE_LAST.bias(),
    BEFORE_LAST.slope(relu_slope),
    BEFORE_LAST.back("numerators and denominators are torn apart", "table-4/layer-L-1/dA"),
    *LAST.parameters("A3"),
    LAST.forward("A3", "A3"),
    LAST.softmax("the last row of the column is misread", "eq-20-softmax"),
    *LAST.updates(b_new=("the denominator is misread", "table-6/layer-L-1/b_new")),
    LAST.weights(
        "A4", "A3", right_weights("L", "L-1"), "dZ/dW of layer L is its input A^[L-1], not its output A^[L]"
    ),
    LAST.bias("the numerators are on the row above", "table-6/layer-L-1/db"),
    LAST.softmax_slope(),
    LAST.cross_entropy_slope(),
    Claim(
        "table-6/loss",
        "softmax",
        "J",
        loss,
        damage="whether a minus sign is printed cannot be told",
        twin="table-5/loss",
        open={"without the minus sign, as in Tables 2 to 4": lambda t: -loss(t)},
    ),
)
