"""Cross-entropy of each row.                                                       paper (21) (22)

    J = -sum_i y_i log a_i

    a_bar_i = -J_bar y_i / a_i

One J a row; reduction "sum" or "mean" is over the rows. y is the data, a constant: any distribution, not
only one-hot. A term with y_i = 0 is 0 whatever a_i is (0 log 0 = 0); where y_i > 0 and a_i = 0, J is inf
and a_bar_i is -inf, without a warning: that is the limit.
"""

import numpy as np

from derivs.reduction import reduced, share
from gradproof import Equation


@np.errstate(divide="ignore")  # log 0 = -inf is meant
def forward(a, y, *, reduction="none"):
    return reduced(-(y * np.log(np.where(y == 0, 1, a))).sum(axis=-1), reduction=reduction)


def plain(a, y, *, reduction="none"):
    return reduced(-(y * np.log(a)).sum(axis=-1), reduction=reduction)


@np.errstate(divide="ignore")  # y / 0 = inf is meant
def backward(j_bar, j, a, y, *, reduction="none"):
    l_bar = share(j_bar, len(a), reduction=reduction)
    return {"a": -(y / np.where(y == 0, 1, a)) * np.asarray(l_bar, dtype=a.dtype)[..., None]}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("21", "22"),
    shapes=(
        ("a: n c, y: n c -> j: n", {"reduction": "none"}),
        ("a: n c, y: n c -> j:", {"reduction": "sum"}),
        ("a: n c, y: n c -> j:", {"reduction": "mean"}),
    ),
    domain={"a": "simplex", "y": "probability"},
    constant=("y",),
    plain=plain,
)
