"""How strict a check is: breaches of the contract, shared memory, kinks; a rule's faults are verdicts."""

import numpy as np
import pytest

import gradproof

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
W = np.array([1.25, 0.5, -2.5])


def flat(result):
    """The explanation without its line breaks."""
    return " ".join(str(result).split())


def scale(x, w):
    return x * w


def sine(x):
    return np.sin(x)


def relu(x):
    return np.maximum(x, 0)


def check(forward, vjp, inputs, **options):
    return gradproof.check_vjp(forward, vjp, inputs, **{"examples": 8, **options})


# ---- how strict ------------------------------------------------------------------------------------------------------


class Counter:
    """A rule whose answer grows with every call."""

    def __init__(self):
        self.calls = 0

    def __call__(self, u, x):
        self.calls += 1
        return u * np.cos(x) * (1 + 1e-4 * self.calls)


def mutating(u, x):
    u *= np.cos(x)
    return u.copy()


def clearing(u, x):
    g = u * np.cos(x)
    x[...] = 0
    return g


CACHE = {}


def cached(u, x):
    made = CACHE.setdefault(x.shape, np.empty(x.shape))
    np.multiply(u, np.cos(x), out=made)
    return made


def invalid(u, x):
    return np.where(np.abs(x) > 10, np.nan, u * np.cos(x))


ALWAYS_WRONG = {
    "shape": lambda u, x: (u * np.cos(x)).sum(0),
    "dtype": lambda u, x: (u * np.cos(x)).astype(np.float32),
    "mutated": mutating,
    "state": cached,
    "nondeterministic": lambda u, x: u * np.cos(x) * (1 + 1e-4 * np.random.default_rng().random()),
    "nonfinite": invalid,
    "nonlinear": lambda u, x: np.abs(u) * np.cos(x),
    "layout": lambda u, x: u * np.cos(x) if u.flags.c_contiguous else u,
}


@pytest.mark.parametrize("word", ALWAYS_WRONG)
def test_a_breach_of_the_contract_is_wrong_and_named(word):
    result = check(sine, ALWAYS_WRONG[word], (X,), examples=20)
    assert result.refused
    assert word in {v.check for v in result.verdicts if v.word in ("differs", "error")}
    assert word in flat(result) or result.causes


@pytest.mark.parametrize("rule", [clearing, Counter()])
def test_a_changed_input_and_a_counter_are_wrong(rule):
    assert check(sine, rule, (X,)).refused


def test_shared_memory_is_a_warning_and_with_strict_wrong():
    result = check(lambda x: x + 1, lambda u, x: u, (X,))
    assert result.ok
    assert any("shares memory with the cotangent" in w for w in result.warnings)
    strict = check(lambda x: x + 1, lambda u, x: u, (X,), strict=True)
    assert strict.refused
    assert "shared" in strict.causes
    both = check(lambda x, w: x + w, lambda u, x, w: (lambda g: (g, g))(u * 1), (X, X))
    assert both.ok
    assert any("shares memory with the gradient of 'x'" in w for w in both.warnings)


@pytest.mark.parametrize("choice", [0.0, 0.5, 1.0])
def test_any_subgradient_is_right_at_a_kink(choice):
    point = np.array([0.0, 0.0, -1.5, 2.0])
    result = check(relu, lambda u, x: u * np.where(x == 0, choice, x > 0), (point,))
    assert result.ok, str(result)
    assert result.word == "subgradient"
    assert "subgradient" in flat(result)


def test_a_choice_outside_the_subgradients_is_refused():
    assert check(relu, lambda u, x: u * np.where(x == 0, 2.0, x > 0), (np.array([0.0, -1.5, 2.0]),)).refused


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_frameworks_choice_may_be_asked_for(framework):
    module = pytest.importorskip(framework)
    reference = {framework: module.nn.functional.relu if framework == "torch" else module.nn.relu}
    point = (np.array([0.0, 0.0, -1.5, 2.0]),)
    theirs = check(relu, lambda u, x: u * (x > 0), point, subgradient=framework, **reference)
    assert theirs.ok, str(theirs)
    other = check(relu, lambda u, x: u * (x >= 0), point, subgradient=framework, **reference)
    assert other.refused
    assert "valid" in flat(other)
    assert "choice" in flat(other)
    assert check(relu, lambda u, x: u * (x >= 0), point, **reference).ok


# ---- the rule's faults are verdicts ----------------------------------------------------------------------------------


def raising(u, x, w):
    raise KeyError("a name that is not there")


FAULTS = {
    "raises": (raising, "the vjp raised KeyError"),
    "count": (lambda u, x, w: (u * w, (u * x).sum(0), u), "the vjp returned 3 gradients for 2 inputs (x, w)"),
    "bare": (lambda u, x, w: u * w, "a bare array for 2 differentiated inputs; expected a tuple or a dict"),
    "list": (lambda u, x, w: [u * w, (u * x).sum(0)], "the vjp returned a list; expected a tuple by position"),
    "object": (lambda u, x, w: (u * w, (u * x).sum(0).astype(object)), "the gradient of 'w' is an object array"),
    "text": (lambda u, x, w: (u * w, "none"), "the gradient of 'w' is a str; expected an array"),
    "name": (lambda u, x, w: {"x": u * w, "b": u}, "a gradient for 'b', which is no input; the inputs are x, w"),
    "nothing": (lambda u, x, w: None, "None"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_the_vjp_is_a_verdict(kind):
    rule, said = FAULTS[kind]
    result = check(scale, rule, (X, W))
    assert result.refused
    assert result.word in ("error", "missing")
    assert said in flat(result)
    assert not result.ok


def test_a_fault_at_one_kind_of_point_alone_is_a_verdict_too():
    def rule(u, x):
        if (x == 0).any():
            raise ZeroDivisionError("an entry is zero")
        return u * np.cos(x)

    result = check(sine, rule, (X,), examples=20)
    assert result.word == "error"
    assert "at_zero" in result.causes
