"""Max pooling of feature maps.                                           paper (37) (38) (49) (50)

    z[n, c, i, j] = max_{a < p, d < q} x[n, c, s i + a, t j + d]

    x_bar[n, c, u, v] = sum of z_bar[n, c, i, j] over the windows (i, j) that chose x[n, c, u, v]

A window of p rows and q columns moves by `stride`, one number s = t or a pair (s, t). Where it is smaller
than the window they overlap; where it is larger, rows and columns are left out and get the gradient 0,
like the remainder at the end of the image. In a tie the first maximum in reading order is chosen: ones at
all of them in (50) would count z_bar several times. A window that holds a NaN has the value NaN, and its
last entry is chosen.
"""

from functools import reduce

import numpy as np

from gradproof import Equation

BLOCK = 1 << 20  # bytes of whole images at a time: what is done to them several times stays in the cache


def blocks(x):
    some = max(1, BLOCK // max(1, x[:1].nbytes))
    return [slice(first, first + some) for first in range(0, len(x), some)]


def steps(size, extent, stride):
    """For each entry of a window, the slice it meets while the window moves along an axis."""
    return [slice(a, a + max(extent - size + 1, 0), stride) for a in range(size)]


def windows(x, p, q, stride):
    """The slices of rows and of columns that a window's rows and columns meet."""
    s, t = stride if isinstance(stride, tuple) else (stride, stride)
    return steps(p, x.shape[2], s), steps(q, x.shape[3], t)


def highest(views, out):
    np.maximum(views[0], views[-1], out=out)
    for view in views[1:-1]:
        np.maximum(out, view, out=out)
    return out


def forward(x, *, p=2, q=2, stride=2):
    down, along = windows(x, p, q, stride)
    z = np.empty(x[:, :, down[0], along[0]].shape, dtype=x.dtype)
    for some in blocks(x):
        rows = [x[some, :, at] for at in down]  # first down the rows, then along: p + q maxima, not p q
        columns = highest(rows, np.empty_like(rows[0], order="C"))
        highest([columns[:, :, :, at] for at in along], z[some])
    return z


def plain(x, *, p=2, q=2, stride=2):
    down, along = windows(x, p, q, stride)
    views = [x[:, :, rows, columns] for rows in down for columns in along]
    return reduce(np.maximum, views[1:], views[0].copy())


def backward(z_bar, z, x, *, p=2, q=2, stride=2):
    s, t = stride if isinstance(stride, tuple) else (stride, stride)
    down, along = windows(x, p, q, stride)
    *entries, last = [(rows, at) for rows in down for at in along]  # of a window, in reading order
    x_bar = np.zeros(x.shape, dtype=x.dtype)

    def give(some, entry, chosen):
        to = x_bar[some, :, *entry]
        if s >= p and t >= q:  # no windows overlap: an entry is given to once
            np.multiply(z_bar[some], chosen, out=to)
        else:
            to += z_bar[some] * chosen

    for some in blocks(x):
        left = np.ones(z[some].shape, dtype=bool)  # the windows that have not chosen yet
        for entry in entries:
            chosen = x[some, :, *entry] == z[some]
            chosen &= left
            left ^= chosen
            give(some, entry, chosen)
        give(some, last, left)
    return {"x": x_bar}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("37", "38", "49", "50"),
    shapes=(
        "x: n c h w -> z: n c (h-p)//stride+1 (w-q)//stride+1",
        ("x: n c h w -> z: n c (h-p)//2+1 (w-q)//3+1", {"stride": (2, 3)}),
    ),
    # walked together: windows that overlap along rows, along columns, both ways and not at all
    static={"p": (3, 3, 1, 2, 1), "q": (3, 1, 2, 2), "stride": (1, 2, 2, 3)},
    kinks="ties: the first maximum in reading order takes the whole cotangent, PyTorch's choice",
    plain=plain,
)
