"""The judge on the right and on the guilty: its words, resolution, tolerances; and the judge itself, mutated."""

import sys
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
import torch

import gradproof
from gradproof import checking
from gradproof.judging import slope, tolerance, trial
from gradproof.verdict import REFUSED, WORDS, worst

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 4))
MATRIX = "x: n d -> z: n d"


def sine(x):
    return np.sin(x)


def sine_vjp(u, x):
    return u * np.cos(x)


def affine(x, w, b):
    return x @ w + b


def affine_vjp(u, x, w, b):
    return u @ w.T, x.T @ u, u.sum(0)


POINT = (X, RNG.normal(size=(4, 2)), RNG.normal(size=2))
AFFINE = "x: n d, w: d m, b: m -> z: n m"


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(u, x):
    s = softmax(x)
    return s * (u - (u * s).sum(-1, keepdims=True))


# ---- words --------------------------------------------------------------------------------------------------------


def relu(x):
    return np.maximum(x, 0)


WITNESS = {
    "agrees": (sine, sine_vjp, X),
    "subgradient": (relu, lambda u, x: u * (x > 0), X),
    # infinite at 0, and no oracle has a finite slope there to hold against it
    "undecided": (np.sqrt, lambda u, x: u / (2 * np.sqrt(x)), np.array([0.0, 1.0, 4.0])),
    "missing": (sine, lambda u, x: None, X),
    "differs": (sine, lambda u, x: 1.01 * u * np.cos(x), X),
    "error": (sine, lambda u, x: {}["x"], X),
}


@pytest.mark.parametrize("word", WORDS)
def test_every_word_occurs(word):
    forward, rule, x = WITNESS[word]
    result = gradproof.check_vjp(forward, rule, (x,))
    assert result.word == word
    assert word in {v.word for v in result.verdicts}
    assert result.refused == (word in REFUSED)


def test_words_are_ordered_and_nothing_checked_is_an_error():
    assert [worst([a, b]) for a, b in pairwise(WORDS)] == list(WORDS[1:])
    assert worst([]) == "error"


def test_an_agreement_says_how_finely_it_was_reached():
    result = gradproof.check_vjp(sine, sine_vjp, (X,))
    reached = [v for v in result.verdicts if v.word == "agrees" and v.oracle != "contract"]
    assert reached
    for v in reached:
        assert v.error <= v.bound
        assert 0 < v.resolution < 1e-6
        assert v.check == "vjp"
        assert v.input == "x"
    assert {v.oracle for v in reached} <= {"ball", "differences"}
    assert np.median([v.resolution for v in reached]) < 1e-11


# ---- how small an error is refused --------------------------------------------------------------------------------


def one_entry(place, error):
    def rule(u, x):
        g = u * np.cos(x)
        g.flat[place] *= 1 + error
        return g

    return rule


def typical(x, k=0):
    """An entry whose gradient is of median size."""
    size = np.abs(np.cos(x)).reshape(-1)
    return int(np.argsort(size)[size.size // 2 + k])


TEN_THOUSAND = RNG.normal(size=10_000)


@pytest.mark.parametrize("k", [0, 5, 11])
def test_one_wrong_entry_of_ten_thousand_is_refused_and_located_without_a_reference(k):
    place = typical(TEN_THOUSAND, k)
    result = gradproof.check_vjp(sine, one_entry(place, 1e-8), (TEN_THOUSAND,), examples=1)
    assert result.word == "differs"
    assert result.where["x"][0] == (place,)


@pytest.mark.parametrize("k", [0, 7])
def test_one_wrong_entry_of_ten_thousand_is_refused_and_located_beside_a_reference(k):
    torch = pytest.importorskip("torch")
    place = typical(TEN_THOUSAND, k)
    result = gradproof.check_vjp(sine, one_entry(place, 1e-10), (TEN_THOUSAND,), torch=torch.sin, examples=1)
    assert result.word == "differs"
    assert result.where["x"][0] == (place,)
    assert result.causes[0] == "one_entry"


def test_the_right_rule_of_ten_thousand_entries_passes():
    assert gradproof.check_vjp(sine, sine_vjp, (TEN_THOUSAND,), examples=3).word == "agrees"


@pytest.mark.parametrize("error", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_gradient_slightly_too_large_is_refused(error, which):
    def rule(u, x, w, b):
        g = list(affine_vjp(u, x, w, b))
        g[which] = g[which] * (1 + error)
        return tuple(g)

    result = gradproof.check_vjp(affine, rule, POINT, examples=3)
    assert {v.input for v in result.verdicts if v.word == "differs"} == {"xwb"[which]}
    assert set(result.where) == {"xwb"[which]}


# ---- right rules on hard ground -----------------------------------------------------------------------------------

HARD = {
    "1e8 + sin": (lambda x: 1e8 + np.sin(x), sine_vjp, X, {}),
    "(1e8 + sin) - 1e8": (lambda x: (1e8 + np.sin(x)) - 1e8, sine_vjp, X, {}),
    "sin 1000x": (lambda x: np.sin(1000 * x), lambda u, x: 1000 * u * np.cos(1000 * x), X, {}),
    "1e-5 sin": (lambda x: 1e-5 * np.sin(x), lambda u, x: 1e-5 * u * np.cos(x), X, {}),
    "sqrt near 0": (np.sqrt, lambda u, x: u / (2 * np.sqrt(x)), np.array([1e-12, 1e-3, 4.0]), {"domain": "positive"}),
    "log near 0": (np.log, lambda u, x: u / x, np.array([1e-12, 1e-3, 4.0]), {"domain": "positive"}),
    "|x|^1.5": (
        lambda x: np.abs(x) ** 1.5,
        lambda u, x: 1.5 * u * np.sign(x) * np.sqrt(np.abs(x)),
        np.array([1e-12, -1e-3, 4.0]),
        {},
    ),
    "softmax": (softmax, softmax_vjp, X, {"shapes": MATRIX}),
    "tanh": (np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 2), X, {"shapes": MATRIX}),
    "a staircase": (lambda x: np.floor(1e3 * x) / 1e3, lambda u, x: 0 * u, np.array([0.3, -1.7]), {}),
    "longdouble": (sine, sine_vjp, X.astype(np.longdouble), {}),
    "affine of one row, longdouble": (lambda x: x @ X.T, lambda u, x: u @ X, X[:1].astype(np.longdouble), {}),
    "a float32 step inside": (
        lambda x: np.sin(x.astype(np.float32)).astype(np.float64),
        sine_vjp,
        np.array([0.5, -1.25, 2.0]),
        {},
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_a_right_rule_on_hard_ground_is_not_refused(name):
    forward, rule, x, options = HARD[name]
    result = gradproof.check_vjp(forward, rule, (x,), **{"examples": 11, **options})
    assert not result.refused, str(result)


@pytest.mark.parametrize("name", [n for n in HARD if n not in ("a float32 step inside", "a staircase")])
def test_a_hundredth_too_much_is_refused_there_too(name):
    forward, rule, x, options = HARD[name]
    result = gradproof.check_vjp(forward, lambda u, x: 1.01 * rule(u, x), (x,), examples=4, **options)
    assert result.word == "differs"


def test_a_backward_of_zeros_is_refused_however_small_the_gradient():
    result = gradproof.check_vjp(lambda x: 1e-5 * np.sin(x), lambda u, x: 0 * x, (X,))
    assert result.word == "differs"
    assert result.causes[0] == "zero"


def test_infinity_where_the_derivative_is_infinite_is_not_blamed():
    result = gradproof.check_vjp(np.sqrt, lambda u, x: u / (2 * np.sqrt(x)), (np.array([0.0, 1.0, 4.0]),))
    assert not result.refused
    assert any("no oracle has a finite derivative there" in v.note for v in result.verdicts)


def test_saturation_is_no_excuse_for_nan():
    def sigmoid(x):
        return 0.5 * (1 + np.tanh(0.5 * x))

    def naive(u, x):
        e = np.exp(x)
        return u * e / (1 + e) / (1 + e)

    result = gradproof.check_vjp(sigmoid, naive, (X,))
    assert {v.check for v in result.verdicts if v.word == "differs"} == {"nonfinite"}
    assert result.causes[0] == "at_saturation"
    assert np.isnan(result.where["x"][1])
    assert "where the derivative is finite" in str(result)
    assert gradproof.check_vjp(sigmoid, lambda u, x: u * sigmoid(x) * (1 - sigmoid(x)), (X,)).word == "agrees"


# ---- dtypes -------------------------------------------------------------------------------------------------------

NARROW = {"float32": (np.float32, 1e-3), "float16": (np.float16, 1e-2), "bfloat16": (ml_dtypes.bfloat16, 1e-2)}
SMOOTH = {
    "sin": (sine, sine_vjp),
    "tanh": (np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 2)),
    "softmax": (softmax, softmax_vjp),
    "square": (lambda x: x * x, lambda u, x: u * (x + x)),
}


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("name", SMOOTH)
def test_a_narrow_dtype_is_judged_as_strictly_as_it_allows(dtype, name):
    forward, rule = SMOOTH[name]
    kind, error = NARROW[dtype]
    point = (X.astype(kind),)
    right = gradproof.check_vjp(forward, rule, point, examples=11)
    assert not right.refused, str(right)

    def wrong(u, x):
        return np.asarray(rule(u, x) * np.asarray(1 + error, x.dtype), x.dtype)

    assert gradproof.check_vjp(forward, wrong, point, examples=4).word == "differs"


def test_a_wrong_formula_is_no_rounding_in_float16():
    point = (X.astype(np.float16),)
    for rule in (lambda u, x: u * np.sin(x), lambda u, x: -u * np.cos(x), lambda u, x: 0 * x):
        assert gradproof.check_vjp(sine, rule, point, examples=4).word == "differs"


def test_lower_precision_inside_is_refused_and_named():
    def rule(u, x):
        return (u.astype(np.float32) * np.cos(x.astype(np.float32))).astype(np.float64)

    result = gradproof.check_vjp(sine, rule, (X,))
    assert result.word == "differs"
    assert result.causes[0] == "low_precision"


def test_the_table_of_tolerances_is_relative_and_does_not_grow_with_size():
    expected = np.array([1.0, 1e-30, 1e30])
    few = tolerance.allowed(expected, 0.0, 0.0, np.dtype(np.float64))
    many = tolerance.allowed(np.tile(expected, 1000), 0.0, 0.0, np.dtype(np.float64))
    assert (many[:3] == few).all()
    assert (few <= 300 * 2.0**-52 * expected + 1e-300).all()
    for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16):
        assert tolerance.allowed(np.ones(1), 0.0, 0.0, np.dtype(dtype)) < 0.1


# ---- the judge mutated: each of these must let some guilty rule through -------------------------------------------


BUFFER = np.empty(X.shape)
BALANCED = np.eye(*X.shape) - np.eye(*X.shape)[::-1]


def kept_sign(u, x):
    return np.abs(u) * np.cos(x)


GUILTY = {
    "one entry by 1e-9": (sine, one_entry(typical(X), 1e-9), (X,)),
    "softmax of zeros": (softmax, lambda u, x: 0 * x, (X,)),
    "softmax without its sum": (softmax, lambda u, x: softmax(x) * u, (X,)),
    "the last column": (sine, lambda u, x: u * np.cos(x) * np.where(np.arange(x.shape[-1]) == 3, 2, 1), (X,)),
    "an error that sums to 0": (sine, lambda u, x: u * np.cos(x) + u.sum() * BALANCED, (X,)),
    "in float32": (sine, lambda u, x: sine_vjp(u.astype("f"), x.astype("f")).astype(float), (X,)),
    "overwrites its input": (sine, lambda u, x: u * np.cos(x, out=x), (X,)),
    "a buffer": (sine, lambda u, x: np.multiply(u, np.cos(x), out=BUFFER), (X,)),
    "nonzero at a zero cotangent": (sine, lambda u, x: sine_vjp(u, x) + (not u.any()), (X,)),
    "the sign of the cotangent": (sine, kept_sign, (X,)),
    "nan where saturated": (np.tanh, lambda u, x: u / np.cosh(x) ** 2 * np.exp(x) / np.exp(x), (X,)),
    "relu at 0": (relu, lambda u, x: u * np.where(x == 0, 2.0, x > 0), (X,)),
}


def caught(*names, examples=5):
    """Which of the named rules are refused; all of them where none is named."""
    asked = {n: GUILTY[n] for n in names or GUILTY}
    return {n for n, (f, rule, p) in asked.items() if gradproof.check_vjp(f, rule, p, examples=examples).refused}


def test_the_judge_refuses_all_of_them():
    assert caught() == set(GUILTY)


def test_a_tolerance_a_million_times_as_wide_would_be_noticed(monkeypatch):
    for table in (tolerance.ROUNDINGS, tolerance.SCALE_ROUNDINGS):
        for dtype in table:
            monkeypatch.setitem(table, dtype, 1e6 * table[dtype])
    assert caught("one entry by 1e-9", "overwrites its input") == {"overwrites its input"}


def without(monkeypatch, *oracles):
    monkeypatch.setattr(checking.Settings, "wants", lambda self, oracle: oracle not in oracles)


def test_a_dropped_contract_would_be_noticed(monkeypatch):
    without(monkeypatch, "contract")
    assert caught("nonzero at a zero cotangent", "a buffer", "softmax of zeros") == {"softmax of zeros"}


def test_cotangents_of_ones_would_be_noticed(monkeypatch):
    everywhere(monkeypatch, trial.draw_cotangents, lambda rng, values, index: tuple(np.ones_like(y) for y in values))
    assert caught("softmax of zeros", "a buffer") == {"a buffer"}


def everywhere(monkeypatch, original, replacement):
    """Replace a function under every name that some module of the engine has for it."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "gradproof":
            for key in [k for k, v in vars(module).items() if v is original]:
                monkeypatch.setattr(module, key, replacement)


def test_directions_that_are_always_the_same_would_be_noticed(monkeypatch):
    assert caught("an error that sums to 0", examples=2)

    def ones(point, i, rng, count):
        return [np.ones(np.shape(point.sample.inputs[i]))] * count

    everywhere(monkeypatch, slope.directions, ones)
    assert caught("an error that sums to 0", "a buffer", examples=2) == {"a buffer"}


# ---- the same seed, the same verdicts -----------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [affine_vjp, lambda u, x, w, b: (u @ w.T, x.T @ u, u.sum(0) / 2)])
def test_one_seed_gives_one_list_of_verdicts(rule):
    first, second = (gradproof.check_vjp(affine, rule, POINT, shapes=AFFINE, seed=5, examples=5) for _ in range(2))
    # by their text: an error may be NaN, which equals nothing
    assert repr(first.verdicts) == repr(second.verdicts)
    assert str(first) == str(second)
    assert (first.where, first.causes, first.samples) == (second.where, second.causes, second.samples)
    assert first.evaluations == second.evaluations
    other = gradproof.check_vjp(affine, rule, POINT, shapes=AFFINE, seed=6, examples=5)
    assert other.word == first.word
    assert other.verdicts != first.verdicts


def test_the_point_in_the_caller_s_hands_and_numpy_s_state_play_no_part():
    np.random.seed(1)  # noqa: NPY002 - the global state is what must not matter
    first = gradproof.check_vjp(sine, sine_vjp, (X,), examples=4)
    np.random.seed(2)  # noqa: NPY002 - as above
    second = gradproof.check_vjp(sine, sine_vjp, (X.copy(),), examples=4)
    assert first.verdicts == second.verdicts


def test_a_mismatch_is_measured_along_itself_and_not_across():
    """A softmax's gradients sum to 0: along (1, 1) a wrong one differs by nothing from the right one."""

    def forward(z):
        return np.exp(z - z.max(-1, keepdims=True)) / np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True)

    def bent(u, z):
        a = forward(z)
        return (1 + 1e-6) * a * (u - (u * a).sum(-1, keepdims=True))

    result = gradproof.check_vjp(
        forward, bent, lambda rng: (rng.standard_normal((1, 2)),), torch=lambda z: torch.softmax(z, -1), examples=12
    )
    words = [v.word for v in result.verdicts if v.oracle == "torch" and v.check == "vjp"]
    # where the softmax saturates there is nothing to bend
    assert words.count("differs") >= 9
    assert set(words) == {"differs", "agrees"}
