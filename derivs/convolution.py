"""Convolution of a batch of images with a bank of filters.                   paper (35) (52)-(62)

    z[n, f, i, j] = b[f] + sum_{c, a, d} x[n, c, s i + a, t j + d] k[f, c, a, d]

    b_bar[f]          = sum_{n, i, j} z_bar[n, f, i, j]                                              (52)
    k_bar[f, c, a, d] = sum_{n, i, j} z_bar[n, f, i, j] x[n, c, s i + a, t j + d]                    (53)-(55)
    x_bar[n, c, u, v] = sum_{f, a, d} k[f, c, a, d] z_bar[n, f, (u - a) / s, (v - d) / t]            (58)-(62)

x: (n, c, h, w), n images of c channels;  k: (f, c, p, q), f filters;  b: (f,), a bias a filter. (58)-(62)
sum where both quotients are whole and inside z. `stride` (s, t) and `pad`, rows and columns of zeros
around the image, are one number or a pair (rows, columns). A row or column of x that no step of the
stride covers gets the gradient 0.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradproof import Equation


def pair(number):
    return number if isinstance(number, tuple) else (number, number)


def padded(x, pad):
    (u, v), (n, c, h, w) = pair(pad), x.shape
    if u == v == 0:
        return x
    framed = np.zeros((n, c, h + 2 * u, w + 2 * v), dtype=x.dtype)
    framed[:, :, u : u + h, v : v + w] = x
    return framed


def patches(x, p, q, stride, pad):
    """The view X[n, c, a, d, i, j] = x[n, c, s i + a, t j + d] of the padded images."""
    x = padded(x, pad)
    (s, t), (n, c, h, w), (to_n, to_c, to_h, to_w) = pair(stride), x.shape, x.strides
    rows, columns = (h - p) // s + 1, (w - q) // t + 1
    if rows < 0 or columns < 0:
        raise ValueError(
            f"a filter of {p} x {q} does not fit an image that is {h} x {w} with its padding; "
            f"give a smaller filter or more padding"
        )
    return as_strided(
        x, (n, c, p, q, rows, columns), (to_n, to_c, to_h, to_w, s * to_h, t * to_w), writeable=False
    )


def forward(x, k, b, *, stride=1, pad=0):
    f, c, p, q = k.shape
    X = patches(x, p, q, stride, pad)
    n, (rows, columns) = len(x), X.shape[4:]
    z = k.reshape(f, c * p * q) @ X.reshape(n, c * p * q, rows * columns)  # one matrix product an image
    return (z + b[:, None]).reshape(n, f, rows, columns)


def plain(x, k, b, *, stride=1, pad=0):
    X = patches(x, *k.shape[2:], stride, pad)
    z = np.broadcast_to(b[:, None, None], (len(x), len(b), *X.shape[4:]))
    for c, a, d in np.ndindex(k.shape[1:]):
        z = z + k[:, c, a, d, None, None] * X[:, None, c, a, d]
    return z


def backward(z_bar, z, x, k, b, *, stride=1, pad=0):
    (s, t), (u, v), (f, c, p, q), (n, _, h, w) = pair(stride), pair(pad), k.shape, x.shape
    rows, columns = z_bar.shape[2:]
    Z_bar = z_bar.reshape(n, f, rows * columns)

    X = patches(x, p, q, stride, pad).reshape(n, c * p * q, rows * columns)
    k_bar = (Z_bar @ X.transpose(0, 2, 1)).sum(axis=0).reshape(k.shape)

    # (62) in two steps, down a filter's rows, then along its columns: p + q additions of arrays, not p q.
    down = np.zeros((n, c * q, h + 2 * u, columns), dtype=x.dtype)
    for a in range(p):
        step = k[:, :, a].reshape(f, c * q).T @ Z_bar
        down[:, :, a : a + s * rows : s] += step.reshape(n, c * q, rows, columns)
    down = down.reshape(n, c, q, h + 2 * u, columns)
    x_bar = np.zeros((n, c, h + 2 * u, w + 2 * v), dtype=x.dtype)
    for d in range(q):
        x_bar[:, :, :, d : d + t * columns : t] += down[:, :, d]

    x_bar = np.ascontiguousarray(x_bar[:, :, u : u + h, v : v + w])
    return {"x": x_bar, "k": k_bar, "b": z_bar.sum(axis=(0, 2, 3))}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("35", "35-duplicate", "52", "53", "54", "55", "58", "59", "60", "61", "62"),
    shapes=(
        "x: n c h w, k: f c p q, b: f -> z: n f (h-p+2*pad)//stride+1 (w-q+2*pad)//stride+1",
        ("x: n c h w, k: f c p q, b: f -> z: n f (h-p+2)//2+1 (w-q)//3+1", {"stride": (2, 3), "pad": (1, 0)}),
    ),
    static={"stride": (1, 2, 3), "pad": (0, 1, 2)},
    plain=plain,
)
