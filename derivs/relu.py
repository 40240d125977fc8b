"""Rectified linear unit.                                                 paper (19) (20) (36) (51)

    a = z where z > 0, else 0

    z_bar = a_bar where z > 0, else 0
"""

import numpy as np

from gradproof import Equation


def forward(z):
    return np.maximum(z, 0)


def backward(a_bar, a, z):
    return {"z": a_bar * (z > 0)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("19", "20-relu", "36", "51"),
    shapes="z: n m -> a: n m",
    kinks="z = 0: the gradient is 0, the left derivative (PyTorch's and the paper's choice)",
)
