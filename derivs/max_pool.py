"""Max pooling of feature maps.                                           paper (37) (38) (49) (50)

    z[n, c, i, j] = max_{a < p, d < q} x[n, c, s i + a, t j + d]

    x_bar[n, c, u, v] = sum of z_bar[n, c, i, j] over the windows (i, j) that chose x[n, c, u, v]

A window of p rows and q columns moves by `stride`, one number s = t or a pair (s, t). Where it is smaller
than the window they overlap; where it is larger, rows and columns are left out and get the gradient 0,
like the remainder at the end of the image. In a tie the first maximum in reading order is chosen: ones at
all of them in (50) would count z_bar several times. A window that holds a NaN has the value NaN, and its
last entry is chosen.
"""

import numpy as np

from gradproof import Equation


def steps(size, extent, stride):
    """For each entry of a window, the slice it meets while the window moves along an axis."""
    return [slice(a, a + max(extent - size + 1, 0), stride) for a in range(size)]


def highest(views):
    z = views[0].copy()
    for view in views[1:]:
        np.maximum(z, view, out=z)
    return z


def forward(x, *, p=2, q=2, stride=2):
    s, t = stride if isinstance(stride, tuple) else (stride, stride)
    columns = highest([x[:, :, rows] for rows in steps(p, x.shape[2], s)])  # p + q maxima, not p q
    return highest([columns[:, :, :, at] for at in steps(q, x.shape[3], t)])


def plain(x, *, p=2, q=2, stride=2):
    s, t = stride if isinstance(stride, tuple) else (stride, stride)
    return highest([x[:, :, rows, at] for rows in steps(p, x.shape[2], s) for at in steps(q, x.shape[3], t)])


def backward(z_bar, z, x, *, p=2, q=2, stride=2):
    s, t = stride if isinstance(stride, tuple) else (stride, stride)
    n, c, h, w = x.shape
    i, j = z.shape[2:]

    # The number of the chosen entry: how many come before the window's maximum in reading order.
    before = np.ones(z.shape, dtype=bool)
    chosen = np.zeros(z.shape, dtype=np.int16)
    entries = [x[:, :, rows, at] for rows in steps(p, h, s) for at in steps(q, w, t)]
    for entry in entries[:-1]:
        before &= entry != z
        chosen += before

    # Its place in x read as one line: place in the window, corner of the window, feature map.
    place = (np.arange(p)[:, None] * w + np.arange(q)).ravel()[chosen]
    place += np.arange(i)[:, None] * (s * w) + np.arange(j) * t
    place += (np.arange(n * c) * (h * w)).reshape(n, c, 1, 1)
    x_bar = np.zeros(x.size, dtype=x.dtype)
    np.add.at(x_bar, place.ravel(), z_bar.ravel())
    return {"x": x_bar.reshape(x.shape)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("37", "38", "49", "50"),
    shapes=(
        "x: n c h w -> z: n c (h-p)//stride+1 (w-q)//stride+1",
        ("x: n c h w -> z: n c (h-p)//2+1 (w-q)//3+1", {"stride": (2, 3)}),
    ),
    static={"p": (2, 1, 3), "q": (2, 3, 1), "stride": (2, 1, 3)},
    kinks="ties: the first maximum in reading order takes the whole cotangent, PyTorch's choice",
    plain=plain,
)
