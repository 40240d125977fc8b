"""Sigmoid.                                                             paper (8) (12) (40) (43) (44)

    a = 1 / (1 + e^-z)

    z_bar = a_bar a (1 - a)

e is raised to -|z| only, so nothing overflows, and a keeps its leading digits down to the smallest float:
for z < 0 it is e^z / (1 + e^z). 1 - a(z) is a(-z), which keeps them too where a rounds to 1.
"""

import numpy as np

from gradproof import Equation


def forward(z):
    e = np.exp(np.minimum(z, -z))
    return np.where(z >= 0, 1, e) / (1 + e)


def plain(z):
    return 1 / (1 + np.exp(-z))


def backward(a_bar, a, z):
    return {"z": a_bar * a * forward(-z)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("8", "12", "40", "43", "44"),
    shapes="z: n m -> a: n m",
    plain=plain,
)
