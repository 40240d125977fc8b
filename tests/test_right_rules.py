"""Right rules that round more than their arguments tell, or have no number where nothing has; and guilty siblings."""

import numpy as np

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
