"""Sigmoid.                                                             paper (8) (12) (40) (43) (44)

    a = 1 / (1 + e^-z)

    z_bar = a_bar a (1 - a)

With e = e^-|z| nothing overflows, and both keep their leading digits down to the smallest float:

    a = max(e, z >= 0) / (1 + e)          e is at most 1, so that the maximum is 1 for z >= 0, else e
    a (1 - a) = e / (1 + e)^2             at either sign
"""

import numpy as np

from gradproof import Equation


def decay(z):
    """e^-|z|."""
    return np.exp(np.minimum(z, -z))


def forward(z):
    e = decay(z)
    a = np.maximum(e, z >= 0)
    e += 1
    a /= e
    return a


def plain(z):
    return 1 / (1 + np.exp(-z))


def backward(a_bar, a, z):
    e = decay(z)
    z_bar = a_bar * e
    e += 1
    z_bar /= np.square(e)
    return {"z": z_bar}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("8", "12", "40", "43", "44"),
    shapes="z: n m -> a: n m",
    plain=plain,
)
