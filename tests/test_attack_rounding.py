"""What rounding, cancellation and conditioning explain is not refused; what is a little more is."""

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))


def test_an_entry_that_the_narrow_reference_has_no_number_for_is_left_open():
    torch = pytest.importorskip("torch")
    point = (np.abs(RNG.normal(size=(4, 3))) + 0.1).astype(np.float16)

    for seed in range(4):
        options = {"torch": torch.reciprocal, "domain": "positive", "seed": seed}
        right = gradproof.check_vjp(lambda x: 1 / x, lambda u, x: -u / x**2, (point,), **options)
        assert right.ok, right
        assert not any(np.isnan(v.bound) for v in right.verdicts)
        assert gradproof.check_vjp(lambda x: 1 / x, lambda u, x: -u / x, (point,), examples=2, **options).refused


@pytest.mark.parametrize("seed", range(3))
def test_two_terms_that_cancel_are_given_the_rounding_of_the_terms(seed):
    torch = pytest.importorskip("torch")

    def length(v):
        return np.sqrt((v * v).sum(1))

    def right(u, v, g):
        along = (u * v).sum(1)
        return (g / length(v))[:, None] * (u - v * (along / (v * v).sum(1))[:, None]), along / length(v)

    def wrong(u, v, g):
        along = (u * v).sum(1)
        return (g / length(v))[:, None] * (u - v * (along / length(v))[:, None]), along / length(v)

    def forward(v, g):
        return g[:, None] * v / length(v)[:, None]

    def framework(v, g):
        return g[:, None] * v / torch.linalg.vector_norm(v, dim=1)[:, None]

    point = (RNG.normal(size=(3, 4)) + 6, RNG.normal(size=3))
    for options in ({}, {"torch": framework}):
        options = {"shapes": "v: n d, g: n -> y: n d", "seed": seed, **options}
        assert gradproof.check_vjp(forward, right, point, **options).ok
        assert gradproof.check_vjp(forward, wrong, point, **options).refused


SQUARE = (lambda x: x**2, lambda u, x: 2 * u * x)


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-200, 1e-100, 1e100, 1e150])
def test_points_at_the_ends_of_the_range_are_judged_or_left_open(size):
    assert not gradproof.check_vjp(*SQUARE, (X * size,)).refused
    wrong = gradproof.check_vjp(SQUARE[0], lambda u, x: 2.001 * u * x, (X * size,))
    assert not wrong.ok
    assert all(np.isfinite(v.bound) for v in wrong.verdicts if v.word == "agrees")
    triple = gradproof.check_vjp(lambda x: 3 * x, lambda u, x: 3 * u, (X * size,))
    assert not triple.refused


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9, 1e30])
def test_a_scale_is_learnt_where_something_happens(size):
    right = gradproof.check_vjp(np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 2), (X * size,))
    assert right.ok, right
    assert gradproof.check_vjp(np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 3), (X * size,)).refused


def interactions(x, v):
    """Pairwise interactions of a factorization machine; with one feature there is no pair, and it is 0 throughout."""
    return 0.5 * ((x @ v) ** 2 - (x * x) @ (v * v)).sum(1)


def interactions_vjp(u, x, v):
    s, u = x @ v, u[:, None]
    return u * (s @ v.T - x * (v * v).sum(1)), (u * x).T @ s - v * (u * x * x).sum(0)[:, None]


ONE_FEATURE = (np.array([[0.7], [-1.3], [0.4]]), np.array([[0.345, -1.62, 0.8]]))


@pytest.mark.parametrize("seed", range(3))
def test_what_terms_that_cancel_leave_is_no_error(seed):
    for options in ({}, {"shapes": "x: n d, v: d k -> y: n"}):
        assert gradproof.check_vjp(interactions, interactions_vjp, ONE_FEATURE, seed=seed, **options).ok


@pytest.mark.parametrize("off", [1e-9, 1e-12])
def test_what_is_more_than_terms_that_cancel_leave_is_an_error(off):
    def rule(u, x, v):
        x_bar, v_bar = interactions_vjp(u, x, v)
        return x_bar + off * u[:, None], v_bar

    assert gradproof.check_vjp(interactions, rule, ONE_FEATURE).refused


def test_a_function_as_small_as_what_terms_leave_is_judged_all_the_same():
    point = (np.array([0.3, -1.2, 0.8]),)
    assert gradproof.check_vjp(lambda x: 1e-17 * np.sin(x), lambda u, x: 1e-17 * u * np.cos(x), point).ok
    assert gradproof.check_vjp(lambda x: 1e-17 * np.sin(x), lambda u, x: 1.01e-17 * u * np.cos(x), point).refused


SWALLOWED = {
    "1 - cos": (lambda x: 1 - np.cos(x), np.sin),
    "square root": (lambda x: np.sqrt(1 + x * x) - 1, lambda x: x / np.sqrt(1 + x * x)),
    "log cosh": (lambda x: np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2), np.tanh),
}


FLAT = {
    "square below 0": (lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * x),
    "leaky below 0": (lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1, 0.01)),
}


@pytest.mark.parametrize("size", [3e-8, 1e-9, 1e-20])
@pytest.mark.parametrize("name", SWALLOWED)
def test_moves_that_are_lost_in_the_rounding_of_one_refuse_nothing(name, size):
    forward, slope = SWALLOWED[name]
    for seed in range(2):
        point = (X[0] * size,)
        assert not gradproof.check_vjp(forward, lambda u, x: u * slope(x), point, seed=seed).refused
        for factor in (-1.0, 1.01, 0.0):  # 0 times a step of 1e-20 was a division by zero
            assert gradproof.check_vjp(forward, lambda u, x, k=factor: k * u * slope(x), point, seed=seed).refused


@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e-2])
@pytest.mark.parametrize("name", FLAT)
def test_what_is_flat_close_to_where_it_rises_is_flat_all_the_same(name, size):
    forward, slope = FLAT[name]
    assert gradproof.check_vjp(forward, lambda u, x: u * slope(x), (X[0] * size,), examples=1).refused


def solve_vjp(u, a, b, factor=1.0):
    y, g = np.linalg.solve(a, b), np.linalg.solve(a.T, u)
    return -factor * np.outer(g, y), g


@pytest.mark.parametrize("off", [1e-3, 1e-6])
def test_a_matrix_whose_entries_happen_to_move_alike_is_as_nearly_singular_as_it_was(off):
    point = (np.array([[1.0, 1.0], [1.0, 1.0 + off]]), np.array([1.0, 2.0]))
    for seed in (0, 3, 4):
        assert not gradproof.check_vjp(np.linalg.solve, solve_vjp, point, seed=seed).refused
        wrong = gradproof.check_vjp(np.linalg.solve, lambda u, a, b: solve_vjp(u, a, b, 1 + 1e-6), point, seed=seed)
        assert wrong.refused
