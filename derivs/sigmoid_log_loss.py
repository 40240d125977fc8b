"""Sigmoid and log loss in one.                                                paper (10)-(12) (45)

    a = 1 / (1 + e^-z),   J = -y log a - (1 - y) log(1 - a)
      = y softplus(-z) + (1 - y) softplus(z),     softplus(z) = log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)

    z_bar = J_bar (a - y)

Right for every z, also where a rounds to 0 or 1 and the product of (10) and (12) is inf * 0 = NaN. a - y
is written (1 - y) a(z) - y a(-z), which is the same and does not cancel where a rounds to y. y is the
data, a constant.
"""

import numpy as np

from derivs import sigmoid
from derivs.reduction import reduced, share
from gradproof import Equation


def forward(z, y, *, reduction="none"):
    linear = y * np.maximum(-z, 0) + (1 - y) * np.maximum(z, 0)
    return reduced(linear + np.log1p(np.exp(np.minimum(z, -z))), reduction=reduction)


def plain(z, y, *, reduction="none"):
    return reduced(y * np.log(1 + np.exp(-z)) + (1 - y) * np.log(1 + np.exp(z)), reduction=reduction)


def backward(j_bar, j, z, y, *, reduction="none"):
    l_bar = share(j_bar, z.size, reduction=reduction)
    e = sigmoid.decay(z)
    z_bar = (1 - y) * np.maximum(e, z >= 0) - y * np.maximum(e, z <= 0)
    e += 1
    z_bar /= e
    z_bar *= l_bar
    return {"z": z_bar}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("10", "11", "12", "45"),
    shapes=(
        ("z: n m, y: n m -> j: n m", {"reduction": "none"}),
        ("z: n m, y: n m -> j:", {"reduction": "sum"}),
        ("z: n m, y: n m -> j:", {"reduction": "mean"}),
    ),
    domain={"y": "probability"},
    constant=("y",),
    plain=plain,
)
