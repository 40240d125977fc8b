"""Right rules of forwards that insist on their dtype and of saturated outputs; and guilty siblings."""

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
