"""The samples on which the tables are evaluated: one setting a network, rows are samples, Z = XW + b as
the tables print it.

The layer L of Tables 4 and 6 is the fourth, of Table 5 the third, so that L-1 and L-2 are layers of the
table too. All sizes differ. J is the sum over the batch. The examples have one sample and one unit a
layer.
"""

import itertools
from dataclasses import replace

import numpy as np

from derivs.paper.notation import ROWS, WINDOWS
from derivs.paper.settings import LN2, Setting, classes, labels, rate

BATCH = {"n": 3, "d0": 5, "d1": 4, "d2": 2, "d3": 6, "d4": 7, "one": 1}
PIXELS = {"n": 3, "H": 12, "W": 14, "k": 3, "p": 2, "d2": 4, "d3": 6, "C": 5, "one": 1}


def layers(*widths):
    """Weights and biases of the layers whose widths these are."""
    inputs = {"X": f"n {widths[0]}", "alpha": rate}
    for number, (left, right) in enumerate(itertools.pairwise(widths), start=1):
        inputs[f"W{number}"] = weights(left, right)
        inputs[f"b{number}"] = f"one {right}"
    return inputs


def weights(left, right):
    """Weights that keep a layer of order one: where the sigmoid saturates, 1 - A is rounding, and so is what
    either framework divides by it.
    """

    def draw(rng, sizes, given):
        return rng.uniform(-1.5, 1.5, size=(sizes[left], sizes[right])) / np.sqrt(sizes[left])

    return draw


def unit(**values):
    """Weights, biases and data of one unit each: a number is a one-by-one matrix."""
    return {
        name: [[value]] if isinstance(value, float) and name != "alpha" else value
        for name, value in values.items()
    }


def kernel(size):
    """A square kernel with entries that keep the map of order one; one that averages, where the map has to stay
    above zero.
    """

    def draw(rng, sizes, given):
        drawn = rng.normal(size=(sizes[size], sizes[size]))
        return np.abs(drawn) / np.abs(drawn).sum() if given == WINDOWS else drawn / sizes[size]

    return draw


def lift(rng, sizes, given):
    """The bias of a convolution; large where no two entries of a window may be zero together, as ReLU
    makes them.
    """
    return rng.normal() + (15.0 if given == WINDOWS else 0.0)


LISTED = (
    Setting(
        "table 2",
        "X (n,d_0), tanh (n,d_1), sigmoid and Y (n,d_2)",
        layers("d0", "d1", "d2") | {"Y": labels("n d2")},
        (BATCH,),
        unit(X=1.0, W1=0.0, b1=0.0, W2=1.0, b2=0.0, Y=1.0, alpha=0.5),
    ),
    Setting(
        "table 3",
        "X (n,d_0), ReLU (n,d_1), sigmoid and Y (n,d_2)",
        layers("d0", "d1", "d2") | {"Y": labels("n d2")},
        (BATCH,),
        unit(X=2.0, W1=1.0, b1=0.0, W2=0.0, b2=0.0, Y=1.0, alpha=0.5),
    ),
    Setting(
        "table 4",
        "X (n,d_0), ReLU (n,d_1) to (n,d_3), sigmoid and Y (n,d_4); L = 4",
        layers("d0", "d1", "d2", "d3", "d4") | {"Y": labels("n d4")},
        (BATCH,),
        unit(X=2.0, W1=1.0, b1=0.0, W2=1.0, b2=-1.0, W3=1.0, b3=2.0, W4=1.0, b4=-3.0, Y=1.0, alpha=0.5),
    ),
    Setting(
        "table 5",
        "X (n,d_0), ReLU (n,d_1) and (n,d_2), softmax and Y (n,C); L = 3",
        layers("d0", "d1", "d2", "d3") | {"Y": classes("n d3")},
        (BATCH,),
        unit(X=2.0, W1=1.0, b1=0.0, W2=1.0, b2=-1.0, alpha=0.5)
        | {"W3": [[0.0, LN2]], "b3": [[0.0, 0.0]], "Y": [[1.0, 0.0]]},
        {ROWS: (BATCH,)},
    ),
)
IMAGES = Setting(
    "table 6",
    (
        "X (n,H,W), K^[1] (3,3), pooling by p = 2, K^[2] (2,2), pooling, ReLU (n,d_3), softmax and Y (n,C); "
        "L = 4"
    ),
    {
        "X": "n H W",
        "K1": kernel("k"),
        "b1": lift,
        "K2": kernel("p"),
        "b2": lift,
        "W3": weights("d2", "d3"),
        "b3": "one d3",
        "W4": weights("d3", "C"),
        "b4": "one C",
        "Y": classes("n C"),
        "alpha": rate,
    },
    (PIXELS,),
    unit(W3=1.0, b3=2.0, K1=1.0, K2=1.0, alpha=0.5)
    | {
        "X": [[[2.0]]],
        "b1": 0.0,
        "b2": -1.0,
        "p": 1,
        "W4": [[0.0, LN2 / 3]],
        "b4": [[0.0, 0.0]],
        "Y": [[1.0, 0.0]],
    },
    {ROWS: (PIXELS,), WINDOWS: (PIXELS,)},
    ("p",),
)
IMAGE = replace(
    IMAGES,
    name="table 6, one image",
    words="as Table 6, with one sample: X (1,H,W)",
    shapes=(PIXELS | {"n": 1},),
    givens={WINDOWS: (PIXELS | {"n": 1},)},
)
SETTINGS = {setting.name: setting for setting in (*LISTED, IMAGES, IMAGE)}
