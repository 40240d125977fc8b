"""The contract's points, each on its guilty: the breach is refused for that point alone, its right twin passes."""

import numpy as np
import pytest

import gradproof
from gradproof.oracles.contract import same
from gradproof.verdict import REFUSED

X = np.random.default_rng(3).normal(size=(3, 4))
SHAPES = "x: n d -> z: n d"


def sine(x):
    return np.sin(x)


def right(u, x):
    return u * np.cos(x)


def refused(result):
    return {v.check for v in result.verdicts if v.word in REFUSED}


def mutates_input(u, x):
    g = u * np.cos(x)
    x += 1
    return g


def mutates_cotangent(u, x):
    g = u * np.cos(x)
    u[...] = 0
    return g


def works_in_place_on_copies(u, x):
    u, x = np.array(u), np.array(x)
    np.cos(x, out=x)
    u *= x
    return u


class ReusesItsBuffer:
    """The array that the last call returned is overwritten by the next one of its shape."""

    def __init__(self):
        self.buffers = {}

    def __call__(self, u, x):
        buffer = self.buffers.setdefault(x.shape, np.empty_like(x))
        return np.multiply(u, np.cos(x), out=buffer)


class KeepsTheFirst:
    """A cache keyed by shape: right for the first point of each shape."""

    def __init__(self):
        self.kept = {}

    def __call__(self, u, x):
        return u * self.kept.setdefault(x.shape, np.cos(x))


class KeepsByValue:
    """A cache keyed by the point itself is allowed."""

    def __init__(self):
        self.kept = {}

    def __call__(self, u, x):
        return u * self.kept.setdefault(x.tobytes(), np.cos(x))


class Forgets:
    """Every second call is a tenth too large."""

    def __init__(self):
        self.calls = 0

    def __call__(self, u, x):
        self.calls += 1
        return right(u, x) * (1 if self.calls % 2 else 1.1)


def affine_at_zero(u, x):
    return right(u, x) if u.any() else right(u, x) + 1


def only_contiguous(u, x):
    return right(u, x) * (1 if x.flags.c_contiguous or x.flags.f_contiguous else 1.1)


def only_dense_cotangents(u, x):
    return right(u, x) if 0 not in u.strides or u.size < 2 else 2 * right(u, x)


def memory_order(u, x):
    # reads the flat buffer, as ravel("K") does: other numbers in Fortran order
    return (u * np.cos(x)).ravel() if x.ndim < 2 else u * np.cos(x.ravel("K").reshape(x.shape))


def writes_before_it_reads(u, x):
    np.add(x, 0.0, out=x)
    return right(u, x)


def overflows(u, x):
    return u / (1 + np.exp(-x)) * np.exp(-x) / np.exp(-x)


def softplus(x):
    return np.logaddexp(0, x)


def stable(u, x):
    return u * 0.5 * (1 + np.tanh(0.5 * x))


def drops_small(u, x):
    g = right(u, x)
    return np.where(np.abs(g) < 1e-9, 0, g)


GUILTY = {
    "shape: one axis more": ("shape", sine, lambda u, x: right(u, x)[None], {}),
    "shape: an axis of 1 lost": ("shape", sine, lambda u, x: right(u, x).squeeze(), {"shapes": SHAPES, "examples": 10}),
    "dtype: wider": ("dtype", sine, lambda u, x: right(u, x).astype(np.longdouble), {}),
    "mutated: the cotangent": ("mutated", sine, mutates_cotangent, {}),
    "mutated: the input": ("mutated", sine, mutates_input, {}),
    "mutated: written, though unchanged": ("mutated", sine, writes_before_it_reads, {}),
    "aliased: the cotangent": ("aliased", np.positive, lambda u, x: u, {"strict": True}),
    "state: a buffer": ("state", sine, ReusesItsBuffer, {}),
    "nonlinear: zero": ("nonlinear", sine, affine_at_zero, {}),
    "nonlinear: small ones dropped": ("nonlinear", sine, lambda u, x: right(u * (abs(u) > 1e-6), x), {}),
    "nonlinear: nothing where the sum is 0": ("nonlinear", sine, lambda u, x: right(u * (u.sum() != 0), x), {}),
    "nonlinear: small gradients dropped": ("nonlinear", sine, drops_small, {}),
    "layout: strided": ("layout", sine, only_contiguous, {}),
    "layout: Fortran-ordered": ("layout", sine, memory_order, {}),
    "layout: expanded cotangent": ("layout", sine, only_dense_cotangents, {}),
    "nonfinite": ("nonfinite", softplus, overflows, {}),
    "missing": ("missing", sine, lambda u, x: None, {}),
    "raises": ("raises", sine, lambda u, x: 1 / 0, {}),
    "raises: size 0": ("raises", sine, lambda u, x: right(u, x) + x.max() * 0, {"shapes": SHAPES}),
    "count": ("count", sine, lambda u, x: (right(u, x),) * 2, {}),
    "count: a stranger's name": ("count", sine, lambda u, x: {"y": right(u, x)}, {}),
    "type: a list": ("type", sine, lambda u, x: [right(u, x)], {}),
    "type: objects": ("type", sine, lambda u, x: right(u, x).astype(object), {}),
    "type: a string": ("type", sine, lambda u, x: ("gradient",), {}),
}


def rule_of(made):
    return made() if isinstance(made, type) else made


@pytest.mark.parametrize("name", GUILTY)
def test_a_breach_is_refused_for_that_point_alone(name):
    check, forward, rule, options = GUILTY[name]
    result = gradproof.check_vjp(forward, rule_of(rule), (X,), **{"examples": 6, **options})
    assert not result.ok
    assert refused(result) == {check}
    word = {"missing": "missing", "raises": "error", "count": "error", "type": "error"}.get(check, "differs")
    assert result.word == word


TWINS = {
    "plain": (sine, right, {"shapes": SHAPES, "strict": True}),
    "a tuple": (sine, lambda u, x: (right(u, x),), {}),
    "a dict": (sine, lambda u, x: {"x": right(u, x)}, {}),
    "in place on copies": (sine, works_in_place_on_copies, {"strict": True}),
    "a cache by value": (sine, KeepsByValue, {}),
    "read-only result": (sine, lambda u, x: np.broadcast_to(right(u, x), x.shape), {}),
    "Fortran-ordered result": (sine, lambda u, x: np.asfortranarray(right(u, x)), {"strict": True}),
    "stable": (softplus, stable, {}),
    "a copy": (np.positive, lambda u, x: u.copy(), {"strict": True}),
}


@pytest.mark.parametrize("name", TWINS)
def test_its_right_twin_passes(name):
    forward, rule, options = TWINS[name]
    result = gradproof.check_vjp(forward, rule_of(rule), (X,), **{"examples": 6, **options})
    assert result.word == "agrees"
    assert result.ok


@pytest.mark.parametrize("narrow", [np.float16, np.float32])
def test_a_forward_that_answers_a_narrow_input_widely_has_narrow_gradients(narrow):
    """Of a cotangent 2^-60 times as large a gradient in float16 is 0: it was held against the large one."""

    def wide(x):
        return np.sin(np.asarray(x, np.result_type(x, np.float64)))

    def rule(u, x, least=0.0):
        g = u * np.cos(np.asarray(x, np.float64))
        return np.where(np.abs(g) < least, 0, g).astype(x.dtype)

    point = (X.astype(narrow),)
    assert gradproof.check_vjp(wide, rule, point).ok
    drops = gradproof.check_vjp(wide, lambda u, x: rule(u, x, 0.01 if narrow == np.float16 else 1e-9), point)
    assert refused(drops) & {"nonlinear", "vjp"}


@pytest.mark.parametrize("rule", [KeepsTheFirst, Forgets])
def test_a_rule_that_remembers_is_refused(rule):
    assert gradproof.check_vjp(sine, rule(), (X,)).word == "differs"


def test_an_answer_that_changes_from_call_to_call_is_refused_by_the_contract():
    assert "nondeterministic" in refused(gradproof.check_vjp(sine, Forgets(), (X,)))


def test_random_numbers_in_a_rule_are_refused():
    rng = np.random.default_rng(0)
    result = gradproof.check_vjp(sine, lambda u, x: right(u, x) + 1e-3 * rng.normal(size=x.shape), (X,))
    assert "nondeterministic" in refused(result)


def test_another_dtype_is_refused_for_that_alone_where_the_values_are_right():
    def wide(u, x):
        return u.astype(np.float64) * np.cos(x.astype(np.float64))

    result = gradproof.check_vjp(sine, wide, (X.astype(np.float32),))
    assert refused(result) == {"dtype"}
    assert "the gradient has dtype float64, the input has float32" in str(result)


def test_a_cotangent_that_is_overwritten_is_refused():
    result = gradproof.check_vjp(sine, mutates_cotangent, (X,))
    assert refused(result) == {"mutated"}
    assert "the call changed its cotangent" in str(result)


class RemembersTheForward:
    """What was computed by the forward last is used in the vjp, whatever its arguments."""

    def forward(self, x):
        self.cos = np.cos(x)
        return np.sin(x)

    def vjp(self, u, x):
        return u * self.cos if self.cos.shape == x.shape else right(u, x)


def test_a_rule_that_answers_for_the_last_forward_is_refused():
    layer = RemembersTheForward()
    result = gradproof.check_vjp(layer.forward, layer.vjp, (X,))
    assert "state" in refused(result)


def test_shared_memory_is_a_warning_and_wrong_where_strict():
    def shares(u, a, b):
        return u, u

    point = (X, X + 1)
    loose = gradproof.check_vjp(np.add, shares, point)
    assert loose.ok
    assert any("shares memory with the cotangent" in w and "strict=True" in w for w in loose.warnings)
    strict = gradproof.check_vjp(np.add, shares, point, strict=True)
    assert refused(strict) == {"aliased"}
    assert strict.causes == ("shared",)


def test_two_gradients_that_share_memory_are_refused_where_strict():
    def twice(u, a, b):
        g = u.copy()
        return g, g

    result = gradproof.check_vjp(np.add, twice, (X, X + 1), strict=True)
    assert refused(result) == {"aliased"}
    assert "shares memory with the gradient of" in str(result)


def test_a_gradient_of_a_constant_is_a_warning_and_none_is_right():
    def scaled(x, k):
        return k * x

    loud = gradproof.check_vjp(scaled, lambda u, x, k: (u * k, (u * x).sum()), (X, 3.0))
    assert loud.ok
    assert loud.warnings[0] == "a gradient was returned for 'k', which is constant; None is right"
    quiet = gradproof.check_vjp(scaled, lambda u, x, k: (u * k, None), (X, 3.0))
    assert quiet.ok
    assert not any("constant" in w for w in quiet.warnings)


def test_a_missing_gradient_says_the_remedy():
    result = gradproof.check_vjp(np.multiply, lambda u, x1, x2: (u * x2, None), (X, X + 1))
    assert result.word == "missing"
    assert {v.input for v in result.verdicts if v.word == "missing"} == {"x2"}
    assert "constant='x2'" in str(result)
    named = gradproof.check_vjp(np.multiply, lambda u, x1, x2: (u * x2, None), (X, X + 1), constant="x2")
    assert named.ok


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equal_up_to_the_order_of_summation(dtype):
    a = np.ones(4, dtype)
    eps = np.finfo(dtype).eps
    assert same(a, a * (1 + 4 * eps))
    assert not same(a, a + dtype(0.25))
    assert not same(a, a[:2])
    assert not same(a, None)
    assert same(None, None)
    assert same(np.array([np.nan, 1], dtype), np.array([np.nan, 1], dtype))
    assert not same(np.array([np.nan, 1], dtype), np.array([1, 1], dtype))
    assert not same(np.array([np.inf, 1], dtype), np.array([1, 1], dtype))
