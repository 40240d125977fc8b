"""Affine map of a batch of columns, as (7) writes it.                               paper (7) (13) (14)

    z = w^T x + b                              x: (d, n), a column a sample;  w: (d, m);  b: (m, 1)

    x_bar = w z_bar      w_bar = x z_bar^T      b_bar = sum over the n columns of z_bar
"""

from derivs.dense import weights_bar
from gradproof import Equation


def forward(x, w, b):
    return w.T @ x + b


def backward(z_bar, z, x, w, b):
    return {"x": w @ z_bar, "w": weights_bar(x.T, z_bar.T), "b": z_bar.sum(axis=1, keepdims=True)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("7", "13", "14"),
    shapes="x: d n, w: d m, b: m 1 -> z: m n",
)
