"""Convolution of a batch of images with a bank of filters.                   paper (35) (52)-(62)

    z[n, f, i, j] = b[f] + sum_{c, a, d} x[n, c, s i + a, t j + d] k[f, c, a, d]

    b_bar[f]          = sum_{n, i, j} z_bar[n, f, i, j]                                              (52)
    k_bar[f, c, a, d] = sum_{n, i, j} z_bar[n, f, i, j] x[n, c, s i + a, t j + d]                    (53)-(55)
    x_bar[n, c, u, v] = sum_{f, a, d} k[f, c, a, d] z_bar[n, f, (u - a) / s, (v - d) / t]            (58)-(62)

x: (n, c, h, w), n images of c channels;  k: (f, c, p, q), f filters;  b: (f,), a bias a filter. (58)-(62)
sum where both quotients are whole and inside z. `stride` (s, t) and `pad`, rows and columns of zeros
around the image, are one number or a pair (rows, columns). A row or column of x that no step of the
stride covers gets the gradient 0.

`plain` is the sum as it stands above. The others are matrix products of K, the filters as rows, and X, the
entries of x that each position of z meets:

    Z = K X          X[(c, a, d), (i, j)] = x[c, s i + a, t j + d], for each image

    Z_bar X_a^T and K_a^T Z_bar for each row a of the filters, the columns of Z_bar and X_a being i, n, j

The columns of x are unfolded first: U, q times x, of which X_a is a range of rows, uncopied where s = 1.
"""

import numpy as np

from gradproof import Equation

BLOCK = 4 << 20  # bytes of U at a time, in whole images: it stays in the processor's cache, and memory small


def pair(number):
    return number if isinstance(number, tuple) else (number, number)


def padded(x, pad):
    (u, v), (n, c, h, w) = pair(pad), x.shape
    if u == v == 0:
        return x
    framed = np.zeros((n, c, h + 2 * u, w + 2 * v), dtype=x.dtype)
    framed[:, :, u : u + h, v : v + w] = x
    return framed


def steps(x, k, stride, pad):
    """Rows and columns of z: the steps down and along a padded image."""
    (h, w), (p, q), (s, t), (u, v) = x.shape[2:], k.shape[2:], pair(stride), pair(pad)
    h, w = h + 2 * u, w + 2 * v
    rows, columns = (h - p) // s + 1, (w - q) // t + 1
    if rows < 0 or columns < 0:
        raise ValueError(
            f"a filter of {p} x {q} does not fit an image that is {h} x {w} with its padding; "
            f"give a smaller filter or more padding"
        )
    return rows, columns


def blocks(x, k, pad, rows, columns):
    """Slices of so many images that their U takes about BLOCK bytes."""
    (f, c, p, q), height = k.shape, x.shape[2] + 2 * pair(pad)[0]
    each = x.itemsize * columns * max(c * q * height, p * f * rows)
    some = max(1, BLOCK // max(1, each))
    return [slice(first, first + some) for first in range(0, len(x), some)]


def patches(x, k, stride, pad):
    """X of shape (n, c p q, rows columns)."""
    (s, t), (rows, columns), (_, c, p, q) = pair(stride), steps(x, k, stride, pad), k.shape
    x = padded(x, pad)
    n, _, h, _ = x.shape
    U = np.empty((n, c, q, h, columns), dtype=x.dtype)
    for d in range(q):
        U[:, :, d] = x[:, :, :, d : d + t * columns : t]
    to_n, to_c, to_q, to_h, to_j = U.strides
    X = np.ndarray((n, c, p, q, rows, columns), x.dtype, U, 0, (to_n, to_c, to_h, to_q, s * to_h, to_j))
    return X.reshape(n, c * p * q, rows * columns)


def rows_met(x, k, stride, pad):
    """X of shape (p, c q, rows n columns): X[a] is X_a."""
    (s, t), (rows, columns), (_, c, p, q) = pair(stride), steps(x, k, stride, pad), k.shape
    x = padded(x, pad)
    n, _, h, _ = x.shape
    U = np.empty((c, q, h, n, columns), dtype=x.dtype)
    for d in range(q):
        U[:, d] = x[:, :, :, d : d + t * columns : t].transpose(1, 2, 0, 3)
    to_row = n * columns * x.itemsize
    X = np.ndarray((p, c * q, rows, n * columns), x.dtype, U, 0, (to_row, h * to_row, s * to_row, x.itemsize))
    return X.reshape(p, c * q, rows * n * columns)


def folded(X_bar, x, k, stride, pad):
    """x_bar: what X_bar holds for each entry of x, summed in two steps, p + q additions of arrays, not p q."""
    (s, t), (u, v), (rows, columns) = pair(stride), pair(pad), steps(x, k, stride, pad)
    (_, c, p, q), (n, _, h, w) = k.shape, x.shape
    U_bar = np.zeros((c * q, h + 2 * u, n * columns), dtype=x.dtype)
    for a in range(p):
        U_bar[:, a : a + s * rows : s] += X_bar[a].reshape(c * q, rows, n * columns)
    U_bar = U_bar.reshape(c, q, h + 2 * u, n, columns)
    x_bar = np.zeros((c, h + 2 * u, n, w + 2 * v), dtype=x.dtype)
    for d in range(q):
        x_bar[:, :, :, d : d + t * columns : t] += U_bar[:, d]
    return x_bar[:, u : u + h, :, v : v + w].transpose(2, 0, 1, 3)


def filters(k):
    """K of shape (p, f, c q): K[a] is K_a."""
    f, c, p, q = k.shape
    return k.transpose(2, 0, 1, 3).reshape(p, f, c * q)


def maps(z):
    """Z of shape (f, rows n columns)."""
    n, f, rows, columns = z.shape
    return z.transpose(1, 2, 0, 3).reshape(f, rows * n * columns)


def forward(x, k, b, *, stride=1, pad=0):
    (rows, columns), (f, c, p, q) = steps(x, k, stride, pad), k.shape
    z = np.empty((len(x), f, rows * columns), dtype=np.result_type(x, k, b))
    for some in blocks(x, k, pad, rows, columns):
        np.matmul(k.reshape(f, c * p * q), patches(x[some], k, stride, pad), out=z[some])
        z[some] += b[:, None]
    return z.reshape(len(x), f, rows, columns)


def plain(x, k, b, *, stride=1, pad=0):
    (s, t), (rows, columns), x = pair(stride), steps(x, k, stride, pad), padded(x, pad)
    z = np.broadcast_to(b[:, None, None], (len(x), len(k), rows, columns))
    for c, a, d in np.ndindex(k.shape[1:]):
        met = x[:, None, c, a : a + s * rows : s, d : d + t * columns : t]
        z = z + k[:, c, a, d, None, None] * met
    return z


def filters_bar(z_bar, x, k, stride, pad):
    """k_bar."""
    f, c, p, q = k.shape
    K_bar = np.zeros((p, f, c * q), dtype=k.dtype)
    for some in blocks(x, k, pad, *z_bar.shape[2:]):
        K_bar += maps(z_bar[some]) @ rows_met(x[some], k, stride, pad).transpose(0, 2, 1)
    return np.ascontiguousarray(K_bar.reshape(p, f, c, q).transpose(1, 2, 0, 3))


def images_bar(z_bar, x, k, stride, pad):
    """x_bar."""
    x_bar, K_T = np.empty(x.shape, dtype=x.dtype), filters(k).transpose(0, 2, 1)
    for some in blocks(x, k, pad, *z_bar.shape[2:]):
        x_bar[some] = folded(K_T @ maps(z_bar[some]), x[some], k, stride, pad)
    return x_bar


def parameters_bar(z_bar, x, k, *, stride=1, pad=0):
    """The gradients of k and b alone, where x is the data."""
    return {"k": filters_bar(z_bar, x, k, stride, pad), "b": z_bar.sum(axis=(0, 2, 3))}


def backward(z_bar, z, x, k, b, *, stride=1, pad=0):
    x_bar = images_bar(z_bar, x, k, stride, pad)
    return {"x": x_bar, **parameters_bar(z_bar, x, k, stride=stride, pad=pad)}


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
