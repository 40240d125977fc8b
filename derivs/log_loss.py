"""Log loss (binary cross-entropy) of a probability.                         paper (9) (10) (41) (42)

    J = -y log a - (1 - y) log(1 - a)

    a_bar = J_bar ((1 - y) / (1 - a) - y / a)

(41) and (42); (9) prints (41) without its sign. y is the data, a constant, and any number in [0, 1]. A
term whose factor y or 1 - y is 0 is 0 whatever its logarithm is (0 log 0 = 0), so a = 0 and a = 1 are
exact where the label agrees. Where the label disagrees J is inf and a_bar is -inf (a = 0) or inf (a = 1),
without a warning: that is the limit.
"""

import numpy as np

from derivs.reduction import reduced, share
from gradproof import Equation


@np.errstate(divide="ignore")  # log 0 = -inf is meant
def forward(a, y, *, reduction="none"):
    log_a = np.log(np.where(y == 0, 1, a))
    log_1_a = np.log1p(-np.where(y == 1, 0, a))
    return reduced(-(y * log_a + (1 - y) * log_1_a), reduction=reduction)


def plain(a, y, *, reduction="none"):
    return reduced(-(y * np.log(a) + (1 - y) * np.log(1 - a)), reduction=reduction)


@np.errstate(divide="ignore")  # y / 0 = inf is meant
def backward(j_bar, j, a, y, *, reduction="none"):
    l_bar = share(j_bar, a.size, reduction=reduction)
    return {"a": l_bar * ((1 - y) / np.where(y == 1, 1, 1 - a) - y / np.where(y == 0, 1, a))}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("9", "10", "41", "42"),
    shapes=(
        ("a: n m, y: n m -> j: n m", {"reduction": "none"}),
        ("a: n m, y: n m -> j:", {"reduction": "sum"}),
        ("a: n m, y: n m -> j:", {"reduction": "mean"}),
    ),
    domain={"a": (0, 1), "y": "probability"},
    constant=("y",),
    plain=plain,
)
