"""Affine map of a batch of rows.                            paper (7) (13) (14) (31) (32) (39) (46)-(48)

    z = x w + b                                x: (n, d), a row a sample;  w: (d, m);  b: (m,)

    x_bar = z_bar w^T      w_bar = x^T z_bar      b_bar = sum over the n rows of z_bar
"""

import numpy as np

from gradproof import Equation


def forward(x, w, b):
    return x @ w + b


def weights_bar(x, z_bar):
    # One row's is the outer product, for which matmul takes twice as long as multiply.
    return np.multiply(x.T, z_bar, order="C") if len(x) == 1 else x.T @ z_bar


def parameters_bar(z_bar, x):
    """The gradients of w and b alone, where x is the data."""
    return {"w": weights_bar(x, z_bar), "b": z_bar.sum(axis=0)}


def backward(z_bar, z, x, w, b):
    return {"x": z_bar @ w.T, **parameters_bar(z_bar, x)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("7", "13", "14", "31", "32", "39", "46", "47", "48"),
    shapes="x: n d, w: d m, b: m -> z: n m",
)
