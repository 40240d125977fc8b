"""Hyperbolic tangent.                                                              paper (17) (18)

    a = (e^z - e^-z) / (e^z + e^-z)

    z_bar = a_bar (1 - a^2)

1 - a^2 is sech(z)^2, and sech(z) = 2 e / (1 + e^2) with e = e^-|z|: neither overflow, nor the
cancellation of 1 - a^2 where a rounds to 1.
"""

import numpy as np

from gradproof import Equation


def forward(z):
    return np.tanh(z)


def backward(a_bar, a, z):
    e = np.exp(np.minimum(z, -z))
    sech = 2 * e
    e *= e
    e += 1
    sech /= e
    return {"z": a_bar * sech * sech}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("17", "18"),
    shapes="z: n m -> a: n m",
)
