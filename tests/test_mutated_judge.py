"""The judge weakened, one guard at a time: each time some guilty rule, refused otherwise, is let through.

So every guard is needed, and the rules of this file are what notices when one is gone: a figure of the table of
tolerances loosened, an oracle that always agrees or is not asked, a constant cotangent or direction, a point of the
contract, a kind of values or of shapes left out.
"""

import sys
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np
import pytest

import gradproof
from gradproof.judging import along, bench, conduct, entrywise, forwards, kinks, slope, sweep, tolerance, trial
from gradproof.oracles import contract
from gradproof.sampling import sample
from gradproof.verdict import Result

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3, 4))


@pytest.fixture(autouse=True)
def no_explanation(monkeypatch):
    """Verdicts alone: an explanation costs more than they do."""

    def conclude(at, trials, *_):
        names = tuple(dict.fromkeys(t.sample.names[i] for t in trials for i in t.sample.wrt))
        return Result(at.subject.name, tuple(at.verdicts), names, explanation="not explained here")

    monkeypatch.setattr(conduct, "conclude", conclude)


SWEEP = sweep.judge


@pytest.fixture(autouse=True)
def samples_alone(monkeypatch):
    """What the samples see; the points beside them would see it for them, or not."""
    monkeypatch.setattr(sweep, "judge", lambda *given: None)


def everywhere(monkeypatch, original, replacement):
    """Put a function or a figure in another's place, in whatever module it was imported into."""
    for name, module in list(sys.modules.items()):
        if name == "gradproof" or name.startswith("gradproof."):
            for key, value in list(vars(module).items()):
                if value is original:
                    monkeypatch.setattr(module, key, replacement)


@dataclass(frozen=True)
class Guilty:
    """A forward, a rule that is wrong in one way, and how it is checked."""

    forward: object
    rule: object
    inputs: tuple = (X,)
    options: dict = field(default_factory=dict)

    def passes(self):
        rule = self.rule() if isinstance(self.rule, type) else self.rule
        return gradproof.check_vjp(self.forward, rule, self.inputs, strict=True, **self.options).ok


def noticed(monkeypatch, guilty, weaken):
    assert not guilty.passes(), "the rule is not refused to begin with"
    weaken(monkeypatch)
    assert guilty.passes(), "the guard is not what refuses it"


# ---- the table of tolerances: each figure, a hundred times what it is ------------------------------------------------


def in_torch(x):
    return x * 1.5


DTYPES = {
    "float64": np.float64,
    "longdouble": np.longdouble,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
}


@pytest.mark.parametrize("table", ["ROUNDINGS", "SCALE_ROUNDINGS"])
@pytest.mark.parametrize("name", DTYPES)
def test_each_tolerance_is_needed(monkeypatch, table, name):
    dtype = DTYPES[name]
    figures = getattr(tolerance, table)
    wide = tolerance.ROUNDINGS[name] + tolerance.SCALE_ROUNDINGS[name]
    error = min(4 * wide * tolerance.eps(np.dtype(dtype)), 0.9)
    x = np.linspace(1, 2, 6).astype(dtype)

    def rule(u, x):
        # wrong in this dtype alone: the same rule in float64 would be judged by finer oracles
        return (u.astype(np.float64) * 1.5 * (1 + error * (x.dtype == dtype))).astype(x.dtype)

    guilty = Guilty(
        lambda x: (x * np.asarray(1.5, x.dtype)).astype(x.dtype), rule, (x,), {"torch": in_torch, "examples": 3}
    )
    noticed(monkeypatch, guilty, lambda m: m.setitem(figures, name, 100 * figures[name]))


def jumping(x):
    return np.where(x >= 1, 1.005 * x - 0.005, x)


def test_a_jump_is_no_movement(monkeypatch):
    """Within an ulp of a kink the reference moves from branch to branch: that excuses nothing at the kink itself."""
    import torch

    guilty = Guilty(
        jumping,
        lambda u, x: u * np.where(x > 1, 1.005, np.where(x == 1, 1.3, 1.0)),
        (np.array([1.0, -0.5, 2.0, 3.0]),),
        {"torch": lambda x: torch.where(x >= 1, 1.005 * x - 0.005, x), "examples": 1},
    )
    noticed(monkeypatch, guilty, lambda m: everywhere(m, tolerance.JUMP, 100 * tolerance.JUMP))


def buried(x):
    return 1e12 + np.sin(np.asarray(x, np.float64))  # in floats alone: neither balls nor complex numbers


def test_a_coarse_slope_resolves_nothing(monkeypatch):
    """Beside a constant of 1e12 a slope is known to a hundredth: that is no agreement, whatever the rule says."""
    guilty = Guilty(buried, lambda u, x: u * np.cos(x) * 1.0005, (X,), {"examples": 4})
    noticed(monkeypatch, guilty, lambda m: everywhere(m, tolerance.RESOLVED, 100 * tolerance.RESOLVED))


def test_a_faint_kink_is_a_kink(monkeypatch):
    seen = slope.Slope(1.0, 1e-9, 1 + 1e-5, 1e-9, 1 - 1e-5, 1e-9)
    assert seen.kinked
    everywhere(monkeypatch, tolerance.KINK, 100 * tolerance.KINK)
    assert not seen.kinked


# ---- oracles: dropped, or agreeing with whatever they are shown ------------------------------------------------------


def one_entry(u, x):
    g = u * np.cos(x)
    g.flat[-1] *= 1 + 1e-12
    return g


def torch_sine(x):
    return x.sin()


def zero_is_special(u, x):
    return u * np.cos(x) if u.any() else np.ones_like(x)


LARGE = np.linspace(0.2, 1.2, 400)
ORACLES = {
    "torch": ({"torch"}, Guilty(np.sin, one_entry, (LARGE,), {"torch": torch_sine, "examples": 3})),
    "ball": ({"ball"}, Guilty(np.sin, lambda u, x: u * np.cos(x) * (1 + 2e-13), (X,), {"examples": 2})),
    "contract": ({"contract"}, Guilty(np.sin, zero_is_special, (X,), {"examples": 2})),
}
TIE = Guilty(lambda x: x.max(), lambda u, x: u * (x == x.max()), (np.array([1.0, 3.0, 3.0, 2.0]),), {"examples": 1})


@pytest.mark.parametrize("name", ORACLES)
def test_each_oracle_is_needed(monkeypatch, name):
    dropped, guilty = ORACLES[name]
    noticed(monkeypatch, guilty, lambda m: m.setattr(bench.Settings, "wants", lambda self, o: o not in dropped))


def agrees(at, seen, i, *rest, **more):
    at.say(seen, i, "differences", "vjp", "agrees")
    return True


def test_a_reference_that_always_agrees_is_noticed(monkeypatch):
    guilty = Guilty(np.sin, one_entry, (LARGE,), {"torch": torch_sine, "examples": 3})
    noticed(monkeypatch, guilty, lambda m: m.setattr(entrywise, "judge", lambda *_: "agrees"))


def test_differences_that_always_agree_are_noticed(monkeypatch):
    def weaken(m):
        m.setattr(along, "judge", agrees)
        m.setattr(along, "beside", lambda *_: None)

    noticed(monkeypatch, Guilty(np.sin, lambda u, x: 2 * u * np.cos(x), (X,), {"examples": 2}), weaken)


def test_a_kink_where_every_choice_is_valid_is_noticed(monkeypatch):
    """Both of two tied maxima with the whole cotangent."""

    def weaken(m):
        m.setattr(kinks, "judge_level", lambda *_: None)
        m.setattr(kinks, "judge", lambda at, seen, i, *_: agrees(at, seen, i))

    noticed(monkeypatch, TIE, weaken)


# ---- what the rule is asked with -------------------------------------------------------------------------------------


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_cotangents_of_ones_are_noticed(monkeypatch):
    """A softmax's rows sum to 1 whatever x is: against ones its gradient is 0, and so is a backward of zeros."""
    guilty = Guilty(softmax, lambda u, x: np.where(np.ptp(u) > 0, np.zeros_like(x), 0 * x), (X,), {"examples": 2})

    def ones(rng, values, index):
        return tuple(np.ones_like(y) for y in values)

    noticed(monkeypatch, guilty, lambda m: m.setattr(trial, "draw_cotangents", ones))


def test_directions_of_ones_are_noticed(monkeypatch):
    """An error of +1 here and -1 there is nothing along a direction in which all entries move alike."""
    error = np.array([[1.0, -1.0, 0.5, -0.5]] * 3)
    guilty = Guilty(np.sin, lambda u, x: u * np.cos(x) + error * u.mean(), (X,), {"examples": 1})

    def ones(at, i, rng, count):
        return [np.ones(np.shape(at.sample.inputs[i])) for _ in range(count)]

    noticed(monkeypatch, guilty, lambda m: everywhere(m, slope.directions, ones))


# ---- points of the contract ------------------------------------------------------------------------------------------


def in_place(u, x):
    x *= 1
    x[...] = np.nextafter(x, 9)
    return u * np.cos(np.nextafter(x, -9))


class Memory:
    """The first answer for a shape, kept for whoever asks with that shape and the same first entry."""

    def __init__(self):
        self.last = None

    def __call__(self, u, x):
        turned = self.last is not None and self.last.shape == x.shape and not np.array_equal(self.last, x)
        self.last = np.array(x)
        return u * np.cos(x) * (2.0 if turned else 1.0)


def by_memory(u, x):
    flat = u.ravel(order="K") * np.cos(x).ravel(order="K") if not x.flags.c_contiguous else (u * np.cos(x)).ravel()
    return flat.reshape(x.shape)


CONTRACT = {
    "linear": Guilty(np.sin, zero_is_special, (X,), {"examples": 2}),
    "state": Guilty(np.sin, Memory, (X,), {"examples": 1}),
    "layout": Guilty(np.sin, by_memory, (X,), {"examples": 1}),
    "_mutated": Guilty(np.sin, in_place, (X,), {"examples": 1}),
    "_aliased": Guilty(lambda x: x + 1, lambda u, x: u, (X,), {"examples": 1}),
}


@pytest.mark.parametrize("point", CONTRACT)
def test_each_point_of_the_contract_is_needed(monkeypatch, point):
    def weaken(m):
        m.setattr(contract.Contract, point, lambda self, *_: iter(()))
        if point == "state":
            m.setattr(along, "beside", lambda *_: None)
        if point == "_mutated":
            m.setattr(contract.Contract, "layout", lambda self: iter(()))

    noticed(monkeypatch, CONTRACT[point], weaken)


@pytest.mark.parametrize("point", ["shape", "dtype"])
def test_shape_and_dtype_are_needed(monkeypatch, point):
    """Both are asked on the first call; without them a column passes for a row, and float64 for float32."""
    x = X.astype(np.float32)
    rule = (lambda u, x: (u * np.cos(x)).T) if point == "shape" else (lambda u, x: (u * np.cos(x)).astype(np.float64))
    guilty = Guilty(np.sin, rule, (x,), {"examples": 1})
    result = gradproof.check_vjp(guilty.forward, guilty.rule, guilty.inputs, strict=True, examples=1)
    assert {v.check for v in result.verdicts if v.word == "differs"} >= {point}
    if point == "dtype":
        first = contract.Contract.first
        noticed(
            monkeypatch,
            guilty,
            lambda m: m.setattr(
                contract.Contract, "first", lambda self: [b for b in first(self) if b.check != "dtype"]
            ),
        )


def test_a_forward_that_gives_nothing_is_noticed(monkeypatch):
    """Where exp overflows the forward is NaN and PyTorch's is not: the point may not be dropped in silence."""
    import torch

    def forward(x):
        return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)

    def backward(z_bar, z, x):
        s = softmax(x)
        return {"x": s * (z_bar - (z_bar * s).sum(-1, keepdims=True))}

    equation = gradproof.Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d")
    references = {"torch": lambda x: torch.softmax(x, -1)}
    assert not gradproof.check(equation, references=references).ok
    monkeypatch.setattr(forwards, "judge", lambda *_: None)
    assert gradproof.check(equation, references=references).ok


# ---- kinds of values and of shapes -----------------------------------------------------------------------------------


def unless(condition):
    """The gradient of sin, twice as large where the condition holds."""
    return lambda u, x: u * np.cos(x) * (2.0 if x.size and condition(x) else 1.0)


VALUES = {
    "zeros": (unless(lambda x: (x == 0).any()), {"zeros", "origin", "whole", "saturated"}),
    "ties": (unless(lambda x: x.size > 2 and len(np.unique(x)) == 1 + x.size // 2), None),
    "extreme": (unless(lambda x: np.abs(x).max() > 700), None),
    "whole": (
        unless(lambda x: x.size > 2 and np.array_equal(x, np.round(x)) and np.abs(x).max() < 10),
        {"whole", "origin"},
    ),
    "saturated": (unless(lambda x: 30 < np.abs(x).max() < 100), {"saturated", "extreme", "moderate"}),
    "negative": (unless(lambda x: x.size > 2 and x.max() < 0), None),
    "small": (unless(lambda x: x.size > 2 and np.abs(x).max() < 1e-2), {"small", "origin"}),
    "edge": (unless(lambda x: x.size > 2 and x.min() > 0), None),
    "moderate": (unless(lambda x: x.size > 2 and np.abs(x).min() > 1.9), None),
    "origin": (unless(lambda x: not x.any()), None),
    "random": (unless(lambda x: not np.array_equal(x, x.astype(np.float32))), {"random", "turned", "beside"}),
}


def values(m, dropped):
    kept = tuple("drawn" if kind in dropped else kind for kind in sample.VALUES)
    everywhere(m, sample.VALUES, kept)


@pytest.mark.parametrize("kind", VALUES)
def test_each_kind_of_values_is_needed(monkeypatch, kind):
    rule, dropped = VALUES[kind]
    point = np.arange(1, 13).reshape(3, 4) / 16 * np.where(np.arange(12).reshape(3, 4) % 2, 1, -1)
    guilty = Guilty(np.sin, rule, (point,), {"examples": 20})
    noticed(monkeypatch, guilty, lambda m: values(m, dropped or {kind}))


SHAPE_KINDS = {
    "distinct": ({"distinct", "free", "one"}, lambda x, w: x.shape[0] != x.shape[1] != w.shape[1] > 1 < x.shape[0]),
    "square": ({"square"}, lambda x, w: x.shape[0] == x.shape[1] == w.shape[1] > 1),
    "one": ({"one"}, lambda x, w: x.shape[0] == 1 < x.shape[1]),
    "ones": ({"ones"}, lambda x, w: x.size == w.size == 1),
}


@pytest.mark.parametrize("kind", SHAPE_KINDS)
def test_each_kind_of_shapes_is_needed(monkeypatch, kind):
    """A gradient that is wrong at one kind of shapes only, as one that guesses a transpose by its shape is."""
    dropped, where = SHAPE_KINDS[kind]

    def rule(u, x, w):
        return u @ w.T * (2.0 if where(x, w) else 1.0), x.T @ u

    def weaken(m):
        kept = tuple(("square" if kind == "distinct" else "distinct") if k in dropped else k for k in sample.SHAPES)
        everywhere(m, sample.SHAPES, kept)

    # the point itself has a shape that no rule here is wrong at
    point = (RNG.normal(size=(5, 2)), RNG.normal(size=(2, 1 if kind == "distinct" else 3)))
    guilty = Guilty(lambda x, w: x @ w, rule, point, {"shapes": "x: n d, w: d m -> z: n m", "examples": 20})
    noticed(monkeypatch, guilty, weaken)


# ---- the points beside the samples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "shapes"), [
    (lambda x: (x > 3) & (x < 4), None),
    (lambda x: np.arange(len(x)) > 100, "x: n -> y: n"),
])  # fmt: skip
def test_values_and_lengths_that_no_sample_has_are_needed(monkeypatch, where, shapes):
    def rule(u, x):
        return u * np.cos(x) * np.where(where(x), 2.0, 1.0)

    monkeypatch.setattr(sweep, "judge", SWEEP)
    guilty = Guilty(np.sin, rule, (np.array([-0.3]),), {} if shapes is None else {"shapes": shapes})
    noticed(monkeypatch, guilty, lambda m: m.setattr(sweep, "judge", lambda *given: None))
