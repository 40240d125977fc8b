"""Softmax and cross-entropy in one.                                                paper (29) (30)

    a = softmax(z),   J = -sum_i y_i log a_i

    z_bar_j = J_bar (a_j sum_i y_i - y_j)           which is a - y where the row of y sums to 1

One J a row; reduction "sum" or "mean" is over the rows. y is the data, a constant, and may be any row of
numbers. Right for every z, also where some a_i round to 0 and the product of (22) and (28) is inf * 0,
which is NaN.
"""

import numpy as np

from derivs import softmax
from derivs.reduction import reduced, share
from gradproof import Equation


def log_softmax(z):
    """z_i - log sum_k e^z_k, as z_i - max z - log(m + the others): exact where the largest a rounds to 1.

    m of them are the largest; log(m + others) = log m + log(1 + others / m), where log m = 0 if m = 1.
    """
    s = z - z.max(axis=-1, keepdims=True, initial=-np.inf)
    rest = s != 0
    m = np.maximum(s.shape[-1] - rest.sum(axis=-1, keepdims=True, dtype=s.dtype), 1)
    others = (np.exp(s) * rest).sum(axis=-1, keepdims=True)
    s -= np.log(m) + np.log1p(others / m)
    return s


@np.errstate(over="ignore")  # z - max z may pass the largest float; J is then inf, or does not depend on it
def forward(z, y, *, reduction="none"):
    log_a = np.where(y == 0, 0, log_softmax(z))
    return reduced(-(y * log_a).sum(axis=-1), reduction=reduction)


def plain(z, y, *, reduction="none"):
    log_a = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return reduced(-(y * log_a).sum(axis=-1), reduction=reduction)


def backward(j_bar, j, z, y, *, reduction="none"):
    a = softmax.forward(z)
    z_bar = a * y.sum(axis=-1, keepdims=True) - y
    # A row of z_bar sums to 0. What rounding makes of that sum comes from the class above 1/2 (one at most),
    # where a - y cancels: there it is taken back.
    z_bar -= (a > 0.5) * z_bar.sum(axis=-1, keepdims=True)
    l_bar = share(j_bar, len(z), reduction=reduction)
    return {"z": z_bar * np.asarray(l_bar, dtype=z.dtype)[..., None]}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("29", "30"),
    shapes=(
        ("z: n c, y: n c -> j: n", {"reduction": "none"}),
        ("z: n c, y: n c -> j:", {"reduction": "sum"}),
        ("z: n c, y: n c -> j:", {"reduction": "mean"}),
    ),
    domain={"y": "probability"},
    constant=("y",),
    plain=plain,
)
