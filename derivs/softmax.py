"""Softmax of each row.                                                      paper (20) (23)-(28)

    a_i = e^z_i / sum_k e^z_k

    da_i/dz_j = a_i (1 - a_j) if i = j, else -a_i a_j           (28), of a row diag(a) - a a^T
    z_bar_j = a_j (a_bar_j - sum_i a_i a_bar_i)                 times a cotangent, unbuilt

The row's largest z is subtracted first: a does not change, and nothing overflows.
"""

import numpy as np

from gradproof import Equation


@np.errstate(over="ignore")  # z - max z may pass the largest float: -inf, whose exponential is the right 0
def forward(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True, initial=-np.inf))
    e /= e.sum(axis=-1, keepdims=True)
    return e


def plain(z):
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


def jacobian(z):
    """da_i/dz_j of every row, the matrix of (23) and (28): z of shape (..., c) gives (..., c, c)."""
    a = forward(z)
    return a[..., :, None] * (np.eye(z.shape[-1], dtype=a.dtype) - a[..., None, :])


def backward(a_bar, a, z):
    # A constant added to a row of a_bar changes nothing. This one makes a_bar 0 at a class above 1/2 (one
    # at most), where a_bar_j - sum_i a_i a_bar_i would cancel.
    u = a_bar - (a_bar * (a > 0.5)).sum(axis=-1, keepdims=True)
    return {"z": a * (u - (a * u).sum(axis=-1, keepdims=True))}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("20-softmax", "23", "24", "25", "26", "27", "28-cases", "28-matrix"),
    shapes="z: n c -> a: n c",
    plain=plain,
)
