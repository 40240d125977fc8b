"""Right rules of forwards that insist on their dtype, of saturated outputs, and beside a grid; and guilty siblings."""

from functools import partial

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(3)
X = RNG.normal(size=(3, 4))


# ---- a forward that insists on its dtype -----------------------------------------------------------------------------


def _narrow_only(x):
    if x.dtype != np.float32:
        raise TypeError("float32 only")
    return np.tanh(x)


def _narrow_only_vjp(u, x, off=0.0):
    return u * (1 - np.tanh(x) ** 2) * np.float32(1 + off)


@pytest.mark.parametrize("seed", range(3))
def test_a_forward_that_takes_float32_alone_is_judged_in_float32(seed):
    point = (X.astype("f"),)
    assert gradproof.check_vjp(_narrow_only, _narrow_only_vjp, point, seed=seed).ok
    assert gradproof.check_vjp(_narrow_only, partial(_narrow_only_vjp, off=1e-2), point, seed=seed).refused


def test_a_module_with_float32_weights_is_judged_in_float32():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.Linear(4, 2)

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return layer(x)

        @staticmethod
        def backward(ctx, g):
            return 2 * g @ layer.weight

    assert gradproof.check_torch(layer, (X.astype("f"),)).ok
    assert gradproof.check_torch(Doubled.apply, (X.astype("f"),)).refused


# ---- a jvp where an output is saturated ------------------------------------------------------------------------------


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _softmax_jvp(t, x):
    p = softmax(x)
    return p * (t - (p * t).sum(-1, keepdims=True))


@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
@pytest.mark.parametrize("seed", [0, 2, 11, 18])
def test_a_jvp_may_lose_what_a_saturated_softmax_absorbs_of_a_tangent(scale, seed):
    def bent(t, x):
        return scale * _softmax_jvp(t + 1e-9 * t * np.abs(t), x)

    options = {"seed": seed, "examples": 8}
    right = gradproof.check_jvp(lambda x: scale * softmax(x), lambda t, x: scale * _softmax_jvp(t, x), (X,), **options)
    assert right.ok, right
    assert gradproof.check_jvp(lambda x: scale * softmax(x), bent, (X,), **options).refused


# ---- a grid ----------------------------------------------------------------------------------------------------------


def _interp_vjp(u, x, grid, y, slope=1.0):
    k = np.clip(np.searchsorted(grid, x, "right") - 1, 0, len(grid) - 2)
    width = grid[k + 1] - grid[k]
    share = np.clip((x - grid[k]) / width, 0, 1)
    g = np.zeros_like(y)
    np.add.at(g, k, u * (1 - share))
    np.add.at(g, k + 1, u * share)
    inside = (x >= grid[0]) & (x < grid[-1])
    return slope * u * inside * (y[k + 1] - y[k]) / width, None, g


@pytest.mark.parametrize("grid", [np.arange(5.0), np.linspace(-1, 1, 6), np.array([1.0, 2, 4, 8])])
@pytest.mark.parametrize("seed", range(2))
def test_a_constant_grid_goes_on_rising(grid, seed):
    point = (RNG.uniform(grid[0], grid[-1], 5), grid, RNG.normal(size=grid.size))
    result = gradproof.check_vjp(np.interp, _interp_vjp, point, constant=1, seed=seed)
    assert result.ok, result
    assert any("no ties" in words for words in result.kept)
    assert gradproof.check_vjp(np.interp, partial(_interp_vjp, slope=1 + 1e-9), point, constant=1, seed=seed).refused


@pytest.mark.parametrize("seed", range(2))
def test_a_point_that_counts_upwards_is_no_grid_where_it_is_differentiated(seed):
    """Sorted alone, the maximum would be the last entry at every point."""

    def first(u, x):
        return u * (np.arange(x.size) == x.argmax())

    def last(u, x):
        return u * (np.arange(x.size) == x.size - 1)

    point = (np.arange(5.0),)
    result = gradproof.check_vjp(np.max, first, point, seed=seed)
    assert result.ok
    assert not any("sorted" in words for words in result.kept)
    assert gradproof.check_vjp(np.max, last, point, seed=seed).refused
