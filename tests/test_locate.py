"""Where: the wrong element is named, by bisection without a reference and by comparison beside one."""

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(17)
X = RNG.normal(size=(3, 4))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(u, x):
    s = softmax(x)
    return s * (u - (u * s).sum(-1, keepdims=True))


def sine_vjp(u, x):
    return u * np.cos(x)


def spoilt(rule, index, factor=1.3):
    """The rule, with one entry of its gradient off by a factor."""

    def wrong(u, *x):
        g = np.array(rule(u, *x))
        g[index] *= factor
        return g

    return wrong


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    return module


@pytest.mark.parametrize("index", list(np.ndindex(X.shape)), ids=str)
def test_every_place_of_a_small_array_is_found_without_a_reference(index):
    result = gradproof.check_vjp(softmax, spoilt(softmax_vjp, index), (X,), examples=1)
    ((name, (found, got, expected)),) = result.where.items()
    assert (name, found) == ("x", index)
    assert got == pytest.approx(1.3 * expected, rel=1e-9)


def test_every_place_is_found_beside_a_reference(torch):
    for index in np.ndindex(X.shape):
        wrong = spoilt(softmax_vjp, index, 1 + 1e-9)
        result = gradproof.check_vjp(softmax, wrong, (X,), torch=lambda x: torch.softmax(x, -1), examples=1)
        assert result.where["x"][0] == index


def test_places_among_many_are_found_by_bisection():
    x = RNG.normal(size=(60, 50))
    places = RNG.choice(x.size, 12, replace=False)
    for place in places:
        index = tuple(int(n) for n in np.unravel_index(place, x.shape))
        result = gradproof.check_vjp(np.sin, spoilt(sine_vjp, index, 1.01), (x,), examples=1)
        assert result.where["x"][0] == index


def test_bisection_costs_the_logarithm_of_the_number_of_entries():
    x = RNG.normal(size=10_000)
    right = gradproof.check_vjp(np.sin, sine_vjp, (x,), examples=1)
    assert right.ok
    result = gradproof.check_vjp(np.sin, spoilt(sine_vjp, 777, 1.01), (x,), examples=1)
    assert result.where["x"][0] == (777,)
    assert result.evaluations["forward"] - right.evaluations["forward"] < x.size / 4


def test_only_the_input_whose_gradient_is_wrong_is_named():
    def wrong(u, x, w, b):
        g = x.T @ u
        g[2, 1] += 0.1
        return u @ w.T, g, u.sum(0)

    point = (X, RNG.normal(size=(4, 2)), RNG.normal(size=2))
    result = gradproof.check_vjp(lambda x, w, b: x @ w + b, wrong, point, examples=2)
    assert set(result.where) == {"w"}
    index, got, expected = result.where["w"]
    assert index == (2, 1)
    assert got - expected == pytest.approx(0.1, rel=1e-9)


def test_of_several_wrong_entries_a_wrong_one_is_named_and_beside_a_reference_the_worst(torch):
    wrong_at = {(0, 1): 1.001, (2, 0): 2.0, (2, 3): 1.01}

    def rule(u, x):
        g = u * np.cos(x)
        for index, factor in wrong_at.items():
            g[index] *= factor
        return g

    alone = gradproof.check_vjp(np.sin, rule, (X,), examples=2)
    assert alone.where["x"][0] in wrong_at
    beside = gradproof.check_vjp(np.sin, rule, (X,), torch=torch.sin, examples=1)
    assert beside.where["x"][0] == (2, 0)


def test_one_number_is_named_by_no_index():
    result = gradproof.check_vjp(np.sin, lambda u, x: 2 * u * np.cos(x), (np.array(0.5),), examples=2)
    index, got, expected = result.where["x"] if "x" in result.where else next(iter(result.where.values()))
    assert index == ()
    assert got == pytest.approx(2 * expected)


def test_nan_is_named_with_the_finite_derivative():
    def rule(u, x):
        g = u * np.cos(x)
        g[1, 2] = np.nan
        return g

    index, got, expected = gradproof.check_vjp(np.sin, rule, (X,), examples=1).where["x"]
    assert index == (1, 2)
    assert np.isnan(got)
    assert np.isfinite(expected)


def test_a_gradient_of_another_shape_has_no_place():
    assert gradproof.check_vjp(np.sin, lambda u, x: sine_vjp(u, x)[None], (X,), examples=2).where == {}


def test_a_right_rule_has_no_place():
    assert gradproof.check_vjp(np.sin, sine_vjp, (X,), examples=2).where == {}


def test_an_entry_beside_a_kink_is_found():
    def rule(u, x):
        g = u * (x > 0)
        g[1] *= 1.5
        return g

    x = np.array([0.0, 1.5, -2.5, 0.75])
    result = gradproof.check_vjp(lambda x: np.maximum(x, 0), rule, (x,), examples=2)
    index, got, expected = result.where["x"]
    assert index == (1,)
    assert got == pytest.approx(1.5 * expected)


def test_a_tie_that_counts_twice_is_found_among_the_tied():
    def each(u, x):
        return (x == x.max()) * u

    result = gradproof.check_vjp(lambda x: x.max(), each, (np.array([1.0, 3.0, -2.0, 3.0]),), examples=1)
    index, got, expected = result.where["x"]
    assert index in {(1,), (3,)}
    assert got != expected
