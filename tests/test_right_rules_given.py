"""Right rules of forwards that insist on their dtype; and guilty siblings."""

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
