"""Right rules that round more than their arguments tell, or have no number where nothing has; and guilty siblings."""

from functools import partial

import numpy as np
import pytest
import scipy.linalg
from scipy import special

import gradproof

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))


def exponential(a):
    squarings = max(0, int(np.ceil(np.log2(np.abs(a).sum(0).max() + 1e-300))) + 3)
    small, term, total = a / 2.0**squarings, np.eye(len(a)), np.eye(len(a))
    for k in range(1, 19):
        term = term @ small / k
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def exponential_vjp(u, a):
    """The block matrix of Van Loan 1978: it is scaled by its cotangent as well, and rounds the more."""
    return exponential(np.block([[a.T, u], [np.zeros_like(a), a.T]]))[: len(a), len(a) :]


@pytest.mark.parametrize("off", [0.0, 1e-9])
def test_what_squaring_rounds_is_not_taken_for_a_rule_that_is_not_linear(off):
    def rule(u, a):
        return exponential_vjp(u, a) + off * np.sign(u) * np.abs(u) ** 1.5

    assert gradproof.check_vjp(exponential, rule, (RNG.normal(size=(3, 3)),)).refused is bool(off)


@pytest.mark.parametrize("off", [0.0, 1e-10])
def test_a_rule_may_be_off_by_as_much_as_its_forward_is_from_the_framework(off):
    torch = pytest.importorskip("torch")
    big = np.array([[5.75, 0.125, 5.125], [1.3125, 3.3125, 4.0], [2.375, 6.625, 7.875]])

    def rule(u, a):
        block = np.block([[a.T, u], [np.zeros_like(a), a.T]])
        return scipy.linalg.expm(block)[: len(a), len(a) :] * (1 + off)

    result = gradproof.check_vjp(scipy.linalg.expm, rule, (big,), torch=torch.linalg.matrix_exp, examples=1)
    assert result.refused is bool(off), result


@pytest.mark.parametrize("off", [0.0, 1e-3])
def test_in_float32_two_terms_may_cancel_that_move_alike(off):
    def rule(u, a, b):
        both = special.digamma(a + b)
        return u * (special.digamma(a) - both) * np.float32(1 + off), u * (special.digamma(b) - both)

    rng = np.random.default_rng(0)
    point = tuple((size * (1 + rng.random(40))).astype("f") for size in (2.0**-16, 2.0**-24))
    for seed in range(2):
        assert gradproof.check_vjp(special.betaln, rule, point, seed=seed, examples=6).refused is bool(off)


def test_a_jvp_of_a_saturated_softmax_is_linear_to_its_own_rounding():
    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def jvp(t, x):
        p = softmax(x)
        return p * (t - (p * t).sum(-1, keepdims=True))

    def even(t, x):
        return jvp(np.abs(t), x)

    for seed in range(3):
        assert gradproof.check_jvp(softmax, jvp, (X.astype("f"),), seed=seed).ok
        assert gradproof.check_jvp(softmax, even, (X.astype("f"),), seed=seed).refused


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


# ---- digits that the forward loses as well ---------------------------------------------------------------------------

LABELS = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])


def log_loss_of(floor):
    """The textbook's log loss of a sigmoid, its logarithms kept from 0 by a floor: of 1 - p few digits are left."""

    def forward(z, y):
        p = 1 / (1 + np.exp(-z))
        return -(y * np.log(p + floor) + (1 - y) * np.log(1 - p + floor)).mean()

    def rule(u, z, y, factor=1.0, other=floor):
        p = 1 / (1 + np.exp(-z))
        return factor * u * ((1 - y) / (1 - p + other) - y / (p + other)) * p * (1 - p) / z.size, None

    return forward, rule


@pytest.mark.parametrize("seed", [0, 1, 3])
@pytest.mark.parametrize("floor", [1e-7, 1e-8, 1e-12, 1e-15])
def test_a_floored_log_loss_is_not_held_to_digits_that_its_forward_has_not(floor, seed):
    forward, rule = log_loss_of(floor)
    point = (np.random.default_rng(0).normal(size=6), LABELS)
    assert gradproof.check_vjp(forward, rule, point, seed=seed, constant="y").ok
    for wrong in ({"factor": 1 + 1e-9}, {"other": 2 * floor}):
        assert gradproof.check_vjp(forward, partial(rule, **wrong), point, seed=seed, constant="y").refused


# ---- digits that the forward has lost, and no step shows -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_constant_matrix_loses_for_the_rule_what_it_loses_for_the_forward(seed):
    pytest.importorskip("flint")
    hilbert = scipy.linalg.hilbert(6)
    point = (np.random.default_rng(0).normal(size=6),)

    def rule(u, b, ridge=0.0):
        return np.linalg.solve(hilbert + ridge * np.eye(6), u)

    def forward(b):
        return np.linalg.solve(hilbert, b)

    assert gradproof.check_vjp(forward, rule, point, seed=seed).ok
    assert gradproof.check_vjp(forward, partial(rule, ridge=1e-12), point, seed=seed).refused


@pytest.mark.parametrize("seed", range(3))
def test_close_to_zero_a_quotient_loses_more_than_where_it_is_not(seed):
    point = (np.random.default_rng(5).normal(size=(4, 5)),)
    point[0][0, 0] = 0.0057

    def forward(x):
        return (1 - np.cos(x)) / (x * x)

    def rule(u, x, factor=1.0):
        return u * factor * (np.sin(x) - 2 * (1 - np.cos(x)) / x) / (x * x)

    assert gradproof.check_vjp(forward, rule, point, seed=seed).ok
    assert gradproof.check_vjp(forward, partial(rule, factor=1 + 1e-7), point, seed=seed).refused


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def weights(q, k, mask):
    """A mask of -1e9 swallows the scores in float32: a row that is masked throughout is uniform there."""
    return softmax(q @ k.T / q.dtype.type(q.shape[-1] ** 0.5) + np.where(mask, 0, -1e9).astype(q.dtype))


@pytest.mark.parametrize("seed", range(4))
def test_scores_that_a_mask_swallows_in_float32_are_no_error_of_the_rule(seed):
    def forward(q, k, v, mask):
        return weights(q, k, mask) @ v

    def rule(u, q, k, v, mask, scaled=True, narrow=0.0):
        p = weights(q, k, mask)
        grown = u @ v.T
        s = p * (grown - (grown * p).sum(-1, keepdims=True))
        s = s / q.dtype.type(q.shape[-1] ** 0.5) if scaled else s
        s = s * q.dtype.type(1 + narrow * (q.dtype == np.float32))
        return s @ k, s.T @ q, p.T @ u, None

    rng = np.random.default_rng(9)
    shapes = ((4, 3), (5, 3), (5, 2))
    point = (*(rng.normal(size=s).astype("f") for s in shapes), rng.random((4, 5)) > 0.3)
    assert gradproof.check_vjp(forward, rule, point, seed=seed).ok
    for wrong in ({"scaled": False}, {"narrow": 1e-3}):
        assert gradproof.check_vjp(forward, partial(rule, **wrong), point, seed=seed).refused


def _mixed(x, w):
    return np.tanh(x @ w.astype(np.float32))


def _mixed_vjp(u, x, w, off=0.0):
    y = _mixed(x, w)
    inner = u * (1 - y * y)
    return inner @ w.astype(np.float32).T, (x.T @ inner).astype(np.float64) * (1 + off)


@pytest.mark.parametrize("seed", range(3))
def test_a_float64_weight_of_a_float32_layer_has_a_gradient_of_float32(seed):
    point = (X.astype("f"), RNG.normal(size=(3, 2)))
    for off in (0.0, 1e-4):
        rule = partial(_mixed_vjp, off=off)
        result = gradproof.check_vjp(_mixed, rule, point, seed=seed, shapes="x: n d, w: d m -> y: n m")
        assert result.refused is bool(off), result


@pytest.mark.parametrize("seed", range(3))
def test_two_kinks_that_cancel_along_a_line_hide_no_choice(seed):
    """A clip at -1 and at 1, moved alike: what one end gains the other loses, and PyTorch's 0 is no truth there."""
    torch = pytest.importorskip("torch")

    def forward(x):
        return np.clip(x, -1, 1).sum()

    for at_the_ends, valid in ((1.0, True), (0.5, True), (2.0, False), (-0.5, False)):
        result = gradproof.check_vjp(
            forward,
            lambda u, x, share=at_the_ends: u * np.where(np.abs(x) == 1, share, np.abs(x) < 1),
            (np.array([-1.0, 1.0, 0.25, 3.0]),),
            torch=lambda x: torch.nn.functional.hardtanh(x).sum(),
            seed=seed,
        )
        assert result.refused is not valid, result


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_mask_of_one_true_a_row_stays_a_mask(dtype):
    torch = pytest.importorskip("torch")
    mask = np.eye(3, dtype=bool)[[0, 2, 1, 1]]

    def rule(u, mask, x, y):
        return None, np.where(mask, u, 0).astype(dtype), np.where(mask, 0, u).astype(dtype)

    point = (mask, X.astype(dtype), (X + 1).astype(dtype))
    assert gradproof.check_vjp(np.where, rule, point, torch=torch.where).ok


def test_a_gradient_of_another_shape_is_refused_and_ends_no_check():
    """Where it is not linear in the cotangent either, what rounding explains is asked for it too."""

    def rule(u, x):
        return (u.T * (1 - 1e-8 - np.tanh(x.T)) + 1e-12 * np.abs(u.T)) / (1 + 1e-8 - np.tanh(x.T))

    result = gradproof.check_vjp(lambda x: np.log(1 - np.tanh(x) + 1e-8), rule, (X,))
    assert "shape" in {v.check for v in result.verdicts if v.word == "differs"}


@pytest.mark.parametrize("seed", range(3))
def test_a_long_axis_in_half_precision_does_not_meet_a_kink_by_rounding(seed):
    """Of the margins of a row of 131 one is 0 in float16 and not in float64."""

    def margins(x):
        return np.maximum(0, x[:, 1:] - x[:, :1] + x.dtype.type(1))

    def rule(u, x, share=1.0):
        active = np.where(margins(x) > 0, u * x.dtype.type(share), x.dtype.type(0))
        return np.concatenate([-active.sum(1, keepdims=True), active], 1)[:, : x.shape[1]].astype(x.dtype)

    point = (np.random.default_rng(0).normal(size=(3, 5)).astype(np.float16),)
    options = {"shapes": "x: n c -> y: n c-1", "seed": seed, "examples": 5}
    assert not gradproof.check_vjp(margins, rule, point, **options).refused
    assert gradproof.check_vjp(margins, partial(rule, share=0.9), point, **options).refused
