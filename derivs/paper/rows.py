"""The rows that Tables 2 to 6 share: a dense layer's parameters, forward cell, updates and gradients.

layer("table-2", "table 2", row="layer-1", number=1, ...) gives the entries table-2/layer-1/W, .../b,
.../Z, ...
"""

import numpy as np

from derivs.paper.notation import (
    BATCH,
    COLUMNS,
    ELEMENTWISE,
    ROWS,
    TRANSPOSE,
    TRANSPOSE_ORDER,
    chain,
    dot,
    over,
    positive,
)
from gradproof import Claim


class Cells:
    """The entries of one row of a table: `setting` its samples, `number` the number of its layer."""

    def __init__(self, table, row, number, setting=None):
        self.name, self.setting, self.number = f"{table}/{row}", setting or table.replace("-", " "), number

    def cell(self, name, of, literal, **more):
        """One entry."""
        return Claim(f"{self.name}/{name}", self.setting, of, literal, **more)

    def parameters(self, source, weights="W"):
        """The bare W and b: the shapes of the row close on the layer's input, and each has the shape of
        its update.
        """
        w, b, z = f"{weights}{self.number}", f"b{self.number}", f"Z{self.number}"

        def closes(name):
            def shape(t):
                value = dot(getattr(t, source), getattr(t, w)) + getattr(t, b)
                return getattr(t, name) if value.shape == getattr(t, z).shape else np.zeros(0)

            return shape

        def stepped(name):
            return lambda t: closes(name)(t) - t.alpha * t.d("J", name)

        return (self.cell("W", f"step {w}", stepped(w)), self.cell("b", f"step {b}", stepped(b)))

    def updates(self, weights="W", kept=("W_new", "b_new"), **damaged):
        """The new parameter is the current one less alpha times its gradient; damaged: cell -> (damage,
        twin).
        """
        return tuple(
            self.update(
                name,
                (weights if name == f"{weights}_new" else "b") + str(self.number),
                *damaged.get(name, ()),
            )
            for name in kept
        )

    def update(self, name, parameter, damage="", twin=""):
        """One update."""
        return self.cell(
            name,
            f"step {parameter}",
            lambda t: getattr(t, parameter) - t.alpha * t.d("J", parameter),
            damage=damage,
            twin=twin,
        )

    def forward(self, printed, source, right="", **more):
        """Z = printed W + b; `source` is the layer's input, `right` the right form where it is another."""
        w, b, z = f"W{self.number}", f"b{self.number}", f"Z{self.number}"

        def affine(name):
            return lambda t: dot(getattr(t, name), getattr(t, w)) + getattr(t, b)

        if right:
            more |= {
                "right": right,
                "corrected": affine(source),
                "group": "layer index",
                "why": "the input of a layer is the activation of the layer before, not X",
            }
        return self.cell("Z", z, affine(printed), **more)

    def weights(self, printed, source, right="", why="", damage="", twin="", of=""):
        """dJ/dW = dJ/dZ . printed; a name that ends in T is a transpose; `of`: another denominator
        printed for Z.
        """
        w, z = f"W{self.number}", f"Z{self.number}"
        upstream = of or z
        through = chain("J", z, w)

        def literal(t):
            name = printed.removesuffix("T")
            factor = getattr(t, name)
            return dot(t.d("J", upstream), factor.T if printed.endswith("T") else factor)

        def correct(t):
            return dot(getattr(t, source).T, t.d("J", z))

        def turned(t):
            return getattr(t, printed.removesuffix("T")).T @ t.d("J", upstream)

        text = {"damage": damage, "twin": twin}
        if right:  # the convention of the other tables is tried too: it does not save the wrong layer
            return self.cell(
                "dW",
                f"dJ/d{w}",
                (through, literal),
                right=right,
                corrected=correct,
                group="layer index",
                why=why,
                under={TRANSPOSE_ORDER: (through, turned)},
                **text,
            )
        convention = "the factors in the other order" if printed.endswith("T") else TRANSPOSE_ORDER
        return self.cell("dW", f"dJ/d{w}", (through, literal), under={convention: (through, correct)}, **text)

    def bias(self, damage="", twin=""):
        """dJ/db = dJ/dZ . 1."""
        b, z = f"b{self.number}", f"Z{self.number}"
        through = chain("J", z, b)
        return self.cell(
            "db",
            f"dJ/d{b}",
            (through, lambda t: t.d("J", z) * 1),
            damage=damage,
            twin=twin,
            under={BATCH: (through, lambda t: t.d("J", z).sum(axis=0, keepdims=True))},
        )

    def activation(self, function, damage="", twin=""):
        """A = function(Z)."""
        return self.cell(
            "A",
            f"A{self.number}",
            lambda t: function(getattr(t, f"Z{self.number}")),
            damage=damage,
            twin=twin,
        )

    def softmax(self, damage="", twin=""):
        """A as a column of e^z_c / sum e^z_i, z_c the pre-activations of class c."""

        def column(t):
            powers = np.exp(getattr(t, f"Z{self.number}").T)
            return np.stack([power / sum(powers) for power in powers])

        return self.cell(
            "A", f"A{self.number}", column, under={COLUMNS: lambda t: column(t).T}, damage=damage, twin=twin
        )

    def slope(self, derivative, damage="", twin=""):
        """dJ/dZ = dJ/dA . dA/dZ, the derivative written out as a function of Z and A."""
        a, z = f"A{self.number}", f"Z{self.number}"
        through = chain("J", a, z)
        return self.cell(
            "dZ",
            f"dJ/d{z}",
            (through, lambda t: dot(t.d("J", a), derivative(getattr(t, z), getattr(t, a)))),
            under={ELEMENTWISE: (through, lambda t: t.d("J", a) * derivative(getattr(t, z), getattr(t, a)))},
            damage=damage,
            twin=twin,
        )

    def back(self, damage="", twin=""):
        """dJ/dA of a hidden layer = dJ/dZ of the next . its W."""
        a, z, w = f"A{self.number}", f"Z{self.number + 1}", f"W{self.number + 1}"
        through = chain("J", z, a)
        return self.cell(
            "dA",
            f"dJ/d{a}",
            (through, lambda t: dot(t.d("J", z), getattr(t, w))),
            under={TRANSPOSE: (through, lambda t: dot(t.d("J", z), getattr(t, w).T))},
            damage=damage,
            twin=twin,
        )

    def bce_slope(self):
        """dJ/dA of the loss (41), for every sample."""
        a = f"A{self.number}"
        return self.cell("dA", f"dJ/d{a}", lambda t: -t.Y / getattr(t, a) + (1 - t.Y) / (1 - getattr(t, a)))

    def softmax_slope(self, damage="", twin=""):
        """dJ/dZ = A - Y."""
        a, z = f"A{self.number}", f"Z{self.number}"
        return self.cell(
            "dZ",
            f"dJ/d{z}",
            (chain("J", a, z), lambda t: getattr(t, a) - t.Y),
            given=ROWS,
            example={"Y": [[1.0, 1.0]]},
            damage=damage,
            twin=twin,
        )

    def cross_entropy_slope(self):
        """dJ/dA, printed as the cross-entropy itself."""
        a = f"A{self.number}"
        return self.cell(
            "dA",
            f"dJ/d{a}",
            lambda t: -(t.Y * np.log(getattr(t, a))).sum(axis=1),
            group="loss for gradient",
            why="this is the loss again; its gradient has one entry a class",
            right=r"\frac{\partial J}{\partial a_i^L} = -\frac{y_i}{a_i^L}",
            corrected=lambda t: -t.Y / getattr(t, a),
        )


def bce_loss(table, number, superscript, damage):
    """The loss cell of Tables 2 to 4, entry by entry."""

    def printed(t):
        a = getattr(t, f"A{number}")
        return t.Y * np.log(a) + (1 - t.Y) * np.log(1 - a)

    return Claim(
        f"{table}/loss",
        table.replace("-", " "),
        "loss",
        printed,
        why="the minus sign is missing, as (41) shows",
        group="loss sign",
        right=(
            rf"J(A^{{[{superscript}]}}, Y) = -\left(Y \log(A^{{[{superscript}]}}) + (1 - Y) \log(1 - "
            rf"A^{{[{superscript}]}})\right)"
        ),
        corrected=lambda t: -printed(t),
        damage=damage,
        twin="eq-9",
    )


def sigmoid(z):
    """(8)."""
    return 1 / (1 + np.exp(-z))


def sigmoid_slope(z, a):
    """(12)."""
    return a * (1 - a)


def tanh(z):
    """(17)."""
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def tanh_slope(z, a):
    """(18)."""
    return 1 - a**2


def relu(z):
    """(19)."""
    return np.where(z > 0, z, 0.0)


def relu_from_zero(z):
    """(19) with the condition of Table 3, Z >= 0."""
    return np.where(z >= 0, z, 0.0)


def relu_slope(z, a):
    """(20)."""
    return positive(z)


def right_weights(layer, before):
    """dJ/dW in LaTeX, put right."""
    return rf"{over('J', f'W^{{[{layer}]}}')} = (A^{{[{before}]}})^T \cdot {over('J', f'Z^{{[{layer}]}}')}"
