"""Right rules that round more than their arguments tell, or have no number where nothing has; and guilty siblings."""

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))


def qr_vjp(u, a):
    q, r = np.linalg.qr(a)
    inner = r @ u[1].T - u[0].T @ q
    right = (u[0] + q @ (np.tril(inner) + np.tril(inner, -1).T)).T
    for k in range(len(r) - 1, -1, -1):
        right[k] = (right[k] - r[k, k + 1 :] @ right[k + 1 :]) / r[k, k]
    return right.T


def test_nan_is_left_open_where_slopes_grow_without_end():
    def qr(a):
        return tuple(np.linalg.qr(a))

    assert gradproof.check_vjp(qr, qr_vjp, (X,)).ok
    assert gradproof.check_vjp(qr, lambda u, a: qr_vjp(u, a) * (1 + 1e-6), (X,)).refused
    # a norm has subgradients at the origin, and arctan2 of other entries a derivative
    assert gradproof.check_grad(np.linalg.norm, lambda x: x / np.linalg.norm(x), (X,)).refused


@pytest.mark.parametrize("size", [1e6, 1e10])
def test_steps_far_narrower_than_the_argument_are_steps(size):
    torch = pytest.importorskip("torch")
    for ours, theirs in ((np.floor, torch.floor), (np.round, torch.round)):
        for options in ({}, {"torch": theirs}):
            assert gradproof.check_vjp(ours, lambda u, x: 0 * u, (X * size,), **options).ok
        assert gradproof.check_vjp(ours, lambda u, x: u, (X * size,), torch=theirs).refused
    for straight in (lambda x: 1e8 + np.sin(x), lambda x: (1e8 + np.sin(x)) - 1e8, lambda x: np.floor(x) + x):
        assert gradproof.check_vjp(straight, lambda u, x: 0 * u, (X,)).refused
    with pytest.raises(gradproof.InputError, match="cut off"):
        gradproof.check_vjp(lambda x: 3 * x, lambda u, x: 3 * u, (X * size,), torch=lambda x: 3 * x.detach())
