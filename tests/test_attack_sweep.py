"""Few entries meet few values: what the sweep beside the samples sees, and what it leaves alone."""

from functools import partial

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
ROWS = {"shapes": "x: n d -> y: n d"}


def x_tanh(x):
    return x * np.tanh(x)


def x_tanh_vjp(u, x):
    return u * (np.tanh(x) + x * (1 - np.tanh(x) ** 2))


SOME = {
    "from 3 to 4": lambda x: (x > 3) & (x < 4),
    "from -6 to -5": lambda x: (x > -6) & (x < -5),
    "below -100": lambda x: x < -100,
    "from 10 to 20": lambda x: (x > 10) & (x < 20),
    "at 1 alone": lambda x: x == 1,
    "at -2 alone": lambda x: x == -2,
    "close to zero": lambda x: np.abs(x) < 1e-3,
}


def as_sampled(point):
    return lambda rng: tuple(x * (1 + rng.random(np.shape(x))) for x in point)


@pytest.mark.parametrize("sampled", [False, True], ids=["point", "sampler"])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("place", SOME)
def test_a_few_entries_meet_every_stretch_of_the_numbers(place, size, sampled):
    def wrong(u, x):
        return x_tanh_vjp(u, x) * np.where(SOME[place](x), 1.01, 1)

    point = (np.array([-0.4, 1.3, 0.2])[:size],)
    assert gradproof.check_vjp(x_tanh, wrong, as_sampled(point) if sampled else point).refused


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_input_meets_them_alone_and_beside_the_others(size):
    def forward(x, y):
        return x * y + np.sin(x)

    def right(u, x, y):
        return u * (y + np.cos(x)), u * x

    point = (-np.linspace(0.3, 1, size), np.linspace(-0.2, 1, size))
    assert gradproof.check_vjp(forward, right, point).ok
    for place in (lambda x, y: y == 1, lambda x, y: (x < -2) & (y > 3), lambda x, y: (np.abs(x) > 5) & (y < 0.5)):

        def wrong(u, x, y, place=place):
            return right(u, x, y)[0] * np.where(place(x, y), 1.01, 1), u * x

        assert gradproof.check_vjp(forward, wrong, point).refused


@pytest.mark.parametrize("shape", [(2,), (4, 3)], ids=str)
def test_a_threshold_a_little_beside_the_kink_is_seen(shape):
    def hard_swish(x):
        return x * np.clip(x + 3, 0, 6) / 6

    def rule(u, x, low=-3.0, high=3.0):
        return u * np.where(x <= low, 0, np.where(x >= high, 1, (2 * x + 3) / 6))

    point = (np.resize(X, shape),)
    assert gradproof.check_vjp(hard_swish, rule, point).ok
    assert gradproof.check_vjp(hard_swish, lambda u, x: rule(u, x, low=-2.9), point).refused
    assert gradproof.check_vjp(hard_swish, lambda u, x: rule(u, x, high=3.1), point).refused


@pytest.mark.parametrize("axis", [0, 1])
def test_an_axis_longer_than_a_block_is_tried_where_shapes_vary(axis):
    def right(u, x):
        return x_tanh_vjp(u, x)

    def first_block_only(u, x):
        g = np.moveaxis(x_tanh_vjp(u, x), axis, 0)
        g[64:] = 0
        return np.moveaxis(g, 0, axis).copy()

    result = gradproof.check_vjp(x_tanh, first_block_only, (X,), **ROWS)
    assert result.refused
    assert result.where["x"][0][axis] >= 64
    assert gradproof.check_vjp(x_tanh, right, (X,), **ROWS).ok


def test_a_point_beside_the_samples_is_said_to_be_one():
    result = gradproof.check_vjp(x_tanh, lambda u, x: x_tanh_vjp(u, x) * (1 + (x == 3.5)), (np.array([-0.4]),))
    assert result.where["x"][0] == (0,)
    assert "refuse it, at a point beside the 20 samples" in str(result)


def test_what_is_right_between_the_samples_leaves_no_word():
    for forward, rule in ((np.floor, np.zeros_like), (np.abs, np.sign), (lambda x: np.clip(x, -3, 3), inside)):
        right = gradproof.check_vjp(forward, lambda u, x, rule=rule: u * rule(x), (np.array([-0.4, 1.3]),))
        assert right.ok, right
        assert not any("swept" in v.sample for v in right.verdicts)


def inside(x):
    return (np.abs(x) < 3).astype(float)


@pytest.mark.parametrize("size", [2, 3, 12])
def test_a_cotangent_of_ones_and_a_sparse_one_are_tried(size):
    def at_ones(u, x):
        return x_tanh_vjp(u, x) * (1 if np.ptp(u) else 1.01)

    def at_zeros(u, x):
        return x_tanh_vjp(u, x) * np.where((u == 0).any() and u.any(), 1.01, 1)

    for wrong in (at_ones, at_zeros):
        assert gradproof.check_vjp(x_tanh, wrong, (np.linspace(-1, 1.3, size),)).refused


@pytest.mark.parametrize("options", [{}, {"shapes": "x: n d -> y: n d"}, {"torch": "tanh"}], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_cotangent_of_one_entry_alone_is_tried(seed, options):
    """As where a Jacobian is asked for row by row."""
    if "torch" in options:
        options = {"torch": pytest.importorskip("torch").tanh}

    def slope(x):
        return 1 - np.tanh(x) ** 2

    def wrong(u, x):
        return u * slope(x) * (1 if np.count_nonzero(u) != 1 or u.size == 1 else 0.5)

    point = (np.random.default_rng(0).normal(size=(4, 3)),)
    assert gradproof.check_vjp(np.tanh, wrong, point, seed=seed, **options).refused
    assert gradproof.check_vjp(np.tanh, lambda u, x: u * slope(x), point, seed=seed, **options).ok


def test_a_declaration_meets_them_as_well():
    def backward(z_bar, z, x):
        return {"x": x_tanh_vjp(z_bar, x) * np.where(x == 5.5, 1 + 1e-5, 1)}

    equation = gradproof.Equation(forward=x_tanh, backward=backward, shapes="x: n -> z: n")
    assert gradproof.check(equation).refused


@pytest.mark.parametrize("seed", range(3))
def test_what_is_chosen_at_a_kink_that_no_sample_meets_is_seen(seed):
    def hard_swish(x):
        return x * np.clip(x + 3, 0, 6) / 6

    def rule(u, x, there):
        inside = np.where(x < -3, 0.0, x / 3 + 0.5)
        return u * np.where(x == 3, there, np.where(x > 3, 1.0, inside))

    for there, valid in ((1.0, True), (1.25, True), (1.5, True), (2.0, False), (0.5, False)):
        result = gradproof.check_vjp(hard_swish, partial(rule, there=there), (X,), seed=seed)
        assert result.refused is not valid, there


@pytest.mark.parametrize("seed", range(3))
def test_a_kink_beside_others_that_the_steps_cross_is_judged(seed):
    def hard_sigmoid(x):
        return np.clip(x / 6 + 0.5, 0, 1)

    def rule(u, x, there):
        return u * np.where(x == 3, there, (np.abs(x) < 3) / 6)

    point = (np.random.default_rng(5).normal(size=(4, 3)),)
    for there, valid in ((0.0, True), (0.1, True), (1.0, False), (-0.1, False)):
        result = gradproof.check_vjp(hard_sigmoid, partial(rule, there=there), point, seed=seed)
        assert result.refused is not valid, there


@pytest.mark.parametrize("seed", range(3))
def test_a_branch_that_begins_at_a_whole_number_and_is_off_by_little_is_seen(seed):
    slope = np.sqrt(2 / np.pi)

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(slope * (x + 0.044715 * x**3)))

    def right(u, x):
        t = np.tanh(slope * (x + 0.044715 * x**3))
        return u * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope * (1 + 3 * 0.044715 * x * x))

    def one_beyond_five(u, x):
        return np.where(x > 5, u, right(u, x))

    point = (np.random.default_rng(5).normal(size=(4, 3)),)
    assert gradproof.check_vjp(gelu, one_beyond_five, point, seed=seed).refused
    assert gradproof.check_vjp(gelu, right, point, seed=seed).ok
