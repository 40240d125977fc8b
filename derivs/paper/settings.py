"""The samples on which the equations are evaluated: one setting a map of the paper, its inputs drawn
small and of order one.

    SETTINGS["softmax"]: Z (C,), Y (C,)
        free: Y any positive row      given "rows of Y sum to one": a class or a mixture

An example is small enough to recompute by hand. Where identities are proved, the forward pass is written
out on symbols.
"""

from dataclasses import dataclass, field

import numpy as np

from derivs.paper.notation import ONE_FILTER, ROWS, WINDOWS


@dataclass(frozen=True)
class Setting:
    """inputs: name -> its shape, or a function (rng, sizes, given) -> value; sizes are named by letters,
    statics are ints.
    """

    name: str
    words: str
    inputs: dict
    shapes: tuple
    example: dict
    givens: dict = field(default_factory=dict)
    statics: tuple = ()
    symbols: tuple = ()
    stages: tuple = ()

    def draw(self, rng, sizes, given=""):
        """One point: arrays by name, static parameters as ints."""
        values = {name: sizes[name] for name in self.statics}
        for name, how in self.inputs.items():
            values[name] = (
                how(rng, sizes, given)
                if callable(how)
                else rng.normal(size=[sizes[axis] for axis in how.split()])
            )
        return values

    def unknowns(self, sizes, given=""):
        """The shapes of the inputs at these sizes."""
        drawn = self.draw(np.random.default_rng(0), sizes, given)
        return {name: value if name in self.statics else np.shape(value) for name, value in drawn.items()}

    def assume(self, values, given):
        """The last entry of Y as what is left of one, where rows of Y sum to one."""
        if given == ROWS:
            rest = values["Y"].copy()
            rest[..., -1] = 1 - rest[..., :-1].sum(axis=-1)
            return {**values, "Y": rest}
        return values


def labels(axes):
    """Y of the loss (9): zeros, ones and a few values between."""

    def draw(rng, sizes, given):
        y = rng.uniform(size=[sizes[axis] for axis in axes.split()])
        return np.where(rng.uniform(size=y.shape) < 0.4, np.round(y), y)

    return draw


def classes(axes):
    """Y of the loss (21): any positive numbers; where its rows sum to one, a class each, or a mixture."""

    def draw(rng, sizes, given):
        shape = [sizes[axis] for axis in axes.split()]
        if given != ROWS:
            return rng.uniform(0.2, 1.5, size=shape)
        one = np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
        mixture = rng.uniform(0.2, 1.5, size=shape)
        return np.where(rng.uniform() < 0.5, one, mixture / mixture.sum(-1, keepdims=True))

    return draw


def rate(rng, sizes, given):
    """A learning rate."""
    return rng.uniform(0.05, 0.9)


def with_a_zero(axes):
    """Numbers of which one is exactly zero: the kink is asked for on purpose."""

    def draw(rng, sizes, given):
        z = rng.normal(size=[sizes[axis] for axis in axes.split()])
        z.flat[0] = 0.0
        return z

    return draw


def cotangent(rng, sizes, given):
    """dJ/dY_pool: as large as the pooled map is."""
    return rng.normal(size=[(sizes[axis] - sizes["p"]) // sizes["s"] + 1 for axis in "nm"])


def _softmax(t):
    weights = t.exp(t.Z)
    return weights / weights.sum()


def _z1(t):
    rows, columns = t.X.shape[0] - t.K.shape[0] + 1, t.X.shape[1] - t.K.shape[1] + 1
    return np.array(
        [
            [
                sum(t.X[i + a, j + b] * t.K[a, b] for a, b in np.ndindex(t.K.shape)) + t.B
                for j in range(columns)
            ]
            for i in range(rows)
        ],
        dtype=object,
    )


LN2 = float(np.log(2.0))
_BCE = ("J", lambda t: -(t.Y * t.log(t.A) + (1 - t.Y) * t.log(1 - t.A)))
_POOLS = ({"n": 7, "m": 6, "p": 3, "s": 2}, {"n": 6, "m": 7, "p": 2, "s": 1})
_APART = {WINDOWS: ({"n": 7, "m": 6, "p": 2, "s": 2}, {"n": 6, "m": 9, "p": 3, "s": 3})}

LISTED = (
    Setting(
        "descent",
        "any loss, here a paraboloid",
        {"W": "d", "c": lambda rng, sizes, given: rng.uniform(0.5, 2, sizes["d"])},
        ({"d": 3},),
        {"W": [3.0, 4.0], "c": [1.0, 1.0]},
    ),
    Setting(
        "graph",
        "scalars; G = A B, W = G + C, J = q W^2 + r W",
        dict.fromkeys("ABCqr", ""),
        ({},),
        {"A": 2.0, "B": 3.0, "C": 1.0, "q": 1.0, "r": 0.0},
        symbols=({},),
        stages=(
            ("G", lambda t: t.A * t.B),
            ("W", lambda t: t.G + t.C),
            ("J", lambda t: t.q * t.W * t.W + t.r * t.W),
        ),
    ),
    Setting(
        "one sample",
        "one column X (d,1), W (d,1); Z, A, Y, b scalars",
        {
            "W": "d one",
            "X": "d one",
            "b": "",
            "Y": labels(""),
            "alpha": rate,
            "h": lambda rng, sizes, given: rng.uniform(0.1, 2.0),
        },
        ({"d": 4, "one": 1},),
        {"W": [[0.0]], "X": [[2.0]], "b": 0.0, "Y": 1.0, "alpha": 0.5, "h": 1.0},
        symbols=({"d": 2, "one": 1},),
        stages=(("Z", lambda t: (t.W * t.X).sum() + t.b), ("A", lambda t: 1 / (1 + t.exp(-t.Z))), _BCE),
    ),
    Setting(
        "columns",
        "W (d,1), X (d,n), Z (1,n)",
        {"W": "d one", "X": "d n", "b": ""},
        ({"d": 4, "n": 3, "one": 1}, {"d": 4, "n": 1, "one": 1}),
        {"W": [[2.0]], "X": [[3.0]], "b": 1.0},
        symbols=({"d": 2, "n": 2, "one": 1},),
        stages=(
            (
                "Z",
                lambda t: np.array(
                    [[sum(t.W[:, 0] * column) + t.b.item() for column in t.X.T]], dtype=object
                ),
            ),
        ),
    ),
    Setting(
        "tanh",
        "elementwise; S is the sum of A, so dS/dZ is the slope of each entry",
        {"Z": "n d"},
        ({"n": 2, "d": 3},),
        {"Z": [[LN2]]},
        symbols=({"n": 1, "d": 1},),
        stages=(("A", lambda t: t.tanh(t.Z)), ("S", lambda t: t.A.sum())),
    ),
    Setting(
        "relu",
        "elementwise, one entry exactly zero; dS/dZ is the slope of each entry",
        {"Z": with_a_zero("n d")},
        ({"n": 2, "d": 3},),
        {"Z": [[2.0]]},
    ),
    Setting(
        "softmax",
        "one sample: Z, A, Y (C,), Jacobian (C,C)",
        {"Z": "C", "Y": classes("C")},
        ({"C": 4}, {"C": 3}),
        {"Z": [0.0, LN2], "Y": [1.0, 0.0]},
        {ROWS: ({"C": 4}, {"C": 3})},
        symbols=({"C": 2}, {"C": 3}),
        stages=(("A", _softmax), ("J", lambda t: -(t.Y * t.log(t.A)).sum())),
    ),
    Setting(
        "softmax layer",
        "P = A^[L-1] (n,h), W (h,C), b (1,C), Z, A, Y (n,C)",
        {"P": "n h", "W": "h C", "b": "one C", "Y": classes("n C"), "alpha": rate},
        ({"n": 3, "h": 4, "C": 5, "one": 1}, {"n": 1, "h": 4, "C": 3, "one": 1}),
        {"P": [[2.0]], "W": [[0.0, LN2 / 2]], "b": [[0.0, 0.0]], "Y": [[1.0, 0.0]], "alpha": 0.5},
        {ROWS: ({"n": 3, "h": 4, "C": 5, "one": 1}, {"n": 1, "h": 4, "C": 3, "one": 1})},
    ),
    Setting(
        "convolution",
        "one sample, channel and filter: X (H,W), K (k,k), B scalar, Z_1 (n_H,n_W); J = sum of U Z_1",
        {
            "X": "H W",
            "K": "k k",
            "B": "",
            "U": lambda rng, sizes, given: rng.normal(
                size=[sizes["H"] - sizes["k"] + 1, sizes["W"] - sizes["k"] + 1]
            ),
        },
        ({"H": 6, "W": 7, "k": 3}, {"H": 5, "W": 4, "k": 2}),
        {
            "X": np.arange(1.0, 17.0).reshape(4, 4),
            "K": [[1.0, 2.0], [3.0, 4.0]],
            "B": 0.0,
            "U": np.ones((3, 3)),
        },
        symbols=({"H": 4, "W": 4, "k": 2}, {"H": 5, "W": 5, "k": 3}),
        stages=(("Z1", _z1), ("J", lambda t: (t.U * t.Z1).sum())),
    ),
    Setting(
        "feature map",
        "Z_1 (n_H,n_W,depth), one entry exactly zero; J = sum of U A_1",
        {"Z1": with_a_zero("n m c"), "U": "n m c"},
        ({"n": 4, "m": 3, "c": 2},),
        {"Z1": [[[2.0]]], "U": [[[3.0]]]},
    ),
    Setting(
        "pooling",
        "R = Y_relu (n_H,n_W), windows p by p, s apart; J = sum of U Y_pool",
        {"R": "n m", "U": cotangent},
        _POOLS,
        {"R": [[1.0, 4.0], [3.0, 2.0]], "U": [[5.0]], "p": 2, "s": 2},
        _APART,
        ("p", "s"),
    ),
    Setting(
        "pooling of channels",
        "R = Y_relu (n_H,n_W,depth), windows p by p, s apart",
        {"R": "n m c"},
        tuple(sizes | {"c": 2} for sizes in _POOLS[:1]),
        {"R": [[[1.0], [4.0]], [[3.0], [2.0]]], "p": 2, "s": 2},
        {WINDOWS: tuple(sizes | {"c": 2} for sizes in _APART[WINDOWS][:1])},
        ("p", "s"),
    ),
    Setting(
        "head",
        "P = Y_pool (o_H,o_W), flattened to a row, W (d,1); b_2, Z_2, A_2, Y scalars",
        {
            "P": "o q",
            "W": lambda rng, sizes, given: rng.normal(size=(sizes["o"] * sizes["q"], 1)),
            "b2": "",
            "Y": labels(""),
        },
        ({"o": 2, "q": 3},),
        {"P": [[1.0, 2.0]], "W": [[2.0], [-1.0]], "b2": 0.0, "Y": 1.0},
        symbols=({"o": 2, "q": 1},),
        stages=(
            ("Z2", lambda t: sum(t.P.flat[i] * t.W[i, 0] for i in range(t.P.size)) + t.b2),
            ("A2", lambda t: 1 / (1 + t.exp(-t.Z2))),
            ("J", lambda t: -(t.Y * t.log(t.A2) + (1 - t.Y) * t.log(1 - t.A2))),
        ),
    ),
    Setting(
        "filters",
        "a layer of F filters K (F,k,k) on one channel",
        {"K": "F k k"},
        ({"F": 3, "k": 2},),
        {"K": np.ones((2, 1, 1))},
        {ONE_FILTER: ({"F": 1, "k": 2},)},
    ),
)
SETTINGS = {setting.name: setting for setting in LISTED}
