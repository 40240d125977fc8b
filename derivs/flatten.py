"""Flattening of feature maps into rows.                                          text after (37)

    v[n, (c h + i) w + j] = x[n, c, i, j]

    x_bar[n, c, i, j] = v_bar[n, (c h + i) w + j]

The same numbers in another shape. `forward` returns a view of x where x is contiguous; a gradient is a
copy, always.
"""

from math import prod

from gradproof import Equation


def forward(x):
    return x.reshape(len(x), prod(x.shape[1:]))


def backward(v_bar, v, x):
    return {"x": v_bar.copy().reshape(x.shape)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    shapes="x: n c h w -> v: n c*h*w",
)
