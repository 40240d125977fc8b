"""Wrong at values that random points lack: beyond thresholds, at zeros, near ends; masks and symmetric matrices."""

from functools import partial

import numpy as np
import pytest

import gradproof
from gradproof.sampling.sample import VALUES
from gradproof.sampling.variation import structure, vary

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
ROWS = {"shapes": "x: n d -> y: n d"}


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def softplus(x):
    return np.logaddexp(0.0, x)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, ROWS], ids=["one point", "shapes"])
@pytest.mark.parametrize("threshold", [5, 10, 15])
def test_an_approximation_beyond_a_threshold_is_seen(threshold, options, seed):
    def wrong(u, x):
        return u * np.where(x > threshold, 1.0, sigmoid(x))

    assert gradproof.check_vjp(softplus, wrong, (X,), seed=seed, **options).refused


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, ROWS], ids=["one point", "shapes"])
def test_and_the_function_itself_is_not_refused(options, seed):
    assert gradproof.check_vjp(softplus, lambda u, x: u * sigmoid(x), (X,), seed=seed, **options).ok


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, ROWS], ids=["one point", "shapes"])
def test_an_edge_that_lies_too_low_is_seen(options, seed):
    def relu6(x):
        return np.clip(x, 0, 6)

    assert gradproof.check_vjp(relu6, lambda u, x: u * ((x > 0) & (x < 5)), (X,), seed=seed, **options).refused
    assert gradproof.check_vjp(relu6, lambda u, x: u * ((x > 0) & (x < 6)), (X,), seed=seed, **options).ok


@pytest.mark.parametrize("point", [X[0], X, np.sort(X[0])], ids=["row", "matrix", "sorted"])
def test_an_array_of_zeros_alone_is_a_sample(point):
    def length(x):
        return np.linalg.norm(x)

    assert gradproof.check_grad(length, lambda x: x / np.linalg.norm(x), (point,)).refused
    right = gradproof.check_grad(length, lambda x: x / (np.linalg.norm(x) or 1.0), (point,))
    assert right.ok, right


@pytest.mark.parametrize("zero", [0, 1])
def test_every_input_is_zero_alone_while_the_others_are_not(zero):
    def forward(x, w):
        return np.tanh(x @ w)

    def right(u, x, w):
        inner = u * (1 - np.tanh(x @ w) ** 2)
        return inner @ w.T, x.T @ inner

    def wrong(u, *point):
        return right(u, *point) if point[zero].any() else tuple(np.zeros_like(x) for x in point)

    point = (X, RNG.normal(size=(3, 2)))
    for options in ({}, {"shapes": "x: n d, w: d m -> y: n m"}):
        assert gradproof.check_vjp(forward, wrong, point, **options).refused
        assert gradproof.check_vjp(forward, right, point, **options).ok
    assert gradproof.check_vjp(forward, wrong, lambda rng: tuple(rng.normal(size=x.shape) for x in point)).refused


@pytest.mark.parametrize("ends", [(0.001, 0.999), (0.0, 1.0)])
@pytest.mark.parametrize("options", [{}, {"shapes": "p: n d, t: n d -> z: n d"}], ids=["one point", "shapes"])
def test_a_derivative_clipped_near_the_ends_of_an_interval_is_seen(options, ends):
    def loss(p, t):
        return -(t * np.log(p) + (1 - t) * np.log1p(-p))

    def right(u, p, t):
        return u * (p - t) / (p * (1 - p)), None

    def clipped(u, p, t):
        return u * (p - t) / np.maximum(p * (1 - p), 1e-2), None

    point = (RNG.uniform(0.2, 0.8, (4, 3)), RNG.uniform(0.2, 0.8, (4, 3)))
    options = {**options, "domain": {"p": ends, "t": "probability"}, "constant": "t"}
    assert gradproof.check_vjp(loss, clipped, point, **options).refused
    assert gradproof.check_vjp(loss, right, point, **options).ok


def test_a_choice_at_zeros_alone_is_not_refused():
    def nearest(a, b):
        return ((a[:, None] - b[None]) ** 2).sum(-1).min(1)

    def to_the_first(u, a, b):
        j = ((a[:, None] - b[None]) ** 2).sum(-1).argmin(1)
        step, g = 2 * u[:, None] * (a - b[j]), np.zeros_like(b)
        np.add.at(g, j, -step)
        return step, g

    def largest_singular(u, a):
        left, _, right = np.linalg.svd(a)
        return u * np.outer(left[:, 0], right[0])

    def ones_at_zero(x):
        return x / np.linalg.norm(x) if x.any() else np.ones_like(x)

    assert gradproof.check_grad(np.linalg.norm, ones_at_zero, (X,)).refused
    for seed in range(3):
        assert not gradproof.check_vjp(nearest, to_the_first, (X, X[:2] + 1), seed=seed).refused
        assert not gradproof.check_vjp(lambda a: np.linalg.norm(a, 2), largest_singular, (X,), seed=seed).refused


@pytest.mark.parametrize("seed", range(3))
def test_eigenvalues_of_a_symmetric_matrix_are_not_asked_for_where_all_are_equal(seed):
    """At zero, or at a variation that is not symmetric, the right rule is none of one triangle's."""

    def vjp(u, a):
        vectors = np.linalg.eigh(a)[1]
        return vectors @ np.diag(u) @ vectors.T

    half = np.random.default_rng(seed).normal(size=(3, 3))
    assert gradproof.check_vjp(np.linalg.eigvalsh, vjp, (half + half.T,), seed=seed).word == "agrees"
    bent = gradproof.check_vjp(np.linalg.eigvalsh, lambda u, a: 1.01 * vjp(u, a), (half + half.T,), seed=seed)
    assert bent.refused


@pytest.mark.parametrize("x", [np.eye(4), np.array([[0.0, 1], [1, 1]]), np.full((3, 3), 1 / 3), np.diag([1.0, 2, 3])])
def test_a_symmetric_point_stays_symmetric_and_keeps_what_else_it_has(x):
    keep = structure(x)
    assert "symmetric" in keep
    for kind in VALUES:
        for seed in range(5):
            fresh = vary(np.random.default_rng(seed), x, kind, keep)
            assert np.array_equal(fresh, fresh.T)
            if "rows summing to 1" in keep:
                assert np.allclose(fresh.sum(-1), 1)
            if "values 0/1" in keep:
                assert np.isin(fresh, (0, 1)).all()


def log_sum_exp(x):
    m = x.real.max(-1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(-1, keepdims=True)))[..., 0]


def exp_of_all(u, x):
    e = np.exp(x)  # overflows: the largest entry is not taken off first
    return u[..., None] * e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 2)], ids=str)
def test_an_overflow_is_met_whatever_the_seed(shape):
    for seed in range(6):
        assert gradproof.check_vjp(log_sum_exp, exp_of_all, lambda rng: (rng.normal(size=shape),), seed=seed).refused


def masked_softmax(s, mask):
    e = np.where(mask, np.exp(s - np.where(mask, s.real, -1e30).max(-1, keepdims=True)), 0)
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


@pytest.mark.parametrize("dtype", [bool, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_a_mask_leaves_nothing_of_is_tried(seed, dtype):
    def unmasked_there(u, s, mask):
        p = np.where(mask.any(-1, keepdims=True), masked_softmax(s, mask), masked_softmax(s, np.ones_like(mask)))
        return p * (u - (u * p).sum(-1, keepdims=True)), None

    def right(u, s, mask):
        p = masked_softmax(s, mask)
        return p * (u - (u * p).sum(-1, keepdims=True)), None

    point = (np.resize(X, (4, 6)) + np.arange(6), (np.arange(24).reshape(4, 6) % 5 != 0).astype(dtype))
    assert gradproof.check_vjp(masked_softmax, right, point, seed=seed, constant="mask").ok
    assert gradproof.check_vjp(masked_softmax, unmasked_there, point, seed=seed, constant="mask").refused


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sampled", [False, True], ids=["point", "sampler"])
def test_two_points_of_two_inputs_meet(sampled, seed):
    def distance(a, b):
        return np.sqrt(((a[:, None] - b) ** 2).sum(-1))

    def rule(u, a, b, nothing=1.0, lost=False):
        step, r = a[:, None] - b, distance(a, b)
        share = (u / np.where(r > 0, r, nothing))[..., None] * step
        first = np.where(lost and (r == 0).any(1, keepdims=True), 0.0, share.sum(1))
        return first, -share.sum(0)

    point = (X, np.random.default_rng(1).normal(size=(5, 3)))
    inputs = (lambda rng: tuple(rng.normal(size=x.shape) for x in point)) if sampled else point
    assert gradproof.check_vjp(distance, rule, inputs, seed=seed).ok
    assert gradproof.check_vjp(distance, partial(rule, nothing=0.0), inputs, seed=seed).refused
    assert gradproof.check_vjp(distance, partial(rule, lost=True), inputs, seed=seed).refused


def sigmoid_loss(x, t):
    """The textbook's: at -37 the sigmoid is a step of 2^-54 high, and the loss of a target of 1 stands still there."""
    p = sigmoid(x)
    return -np.log(np.where(t == 1, p, 1 - p))


def focal_loss(x, t):
    q = np.where(t == 1, sigmoid(x), 1 - sigmoid(x))
    return -((1 - q) ** 2) * np.log(q)


def focal_vjp(u, x, t):
    q = np.where(t == 1, sigmoid(x), 1 - sigmoid(x))
    return u * np.where(t == 1, 1, -1) * (1 - q) ** 2 * (2 * q * np.log(q) - (1 - q)), None


@pytest.mark.parametrize("seed", [1, 7, 8, 11])
@pytest.mark.parametrize("options", [{}, {"shapes": "x: n d, t: n d -> y: n d"}], ids=["one point", "shapes"])
def test_equal_logits_at_which_a_loss_stands_still_are_no_tie_that_is_miscounted(options, seed):
    point = (X, (np.random.default_rng(1).normal(size=(4, 3)) > 0).astype(float))

    def right(u, x, t):
        return u * (sigmoid(x) - t), None

    def beside_a_maximum(x, t):
        return sigmoid_loss(x, t) + x.max(-1, keepdims=True)

    def through_both(u, x, t, all_tied=False):
        first = np.arange(x.shape[-1]) == x.argmax(-1)[:, None]
        chosen = x == x.max(-1, keepdims=True) if all_tied else first
        return u * (sigmoid(x) - t) + u.sum(-1, keepdims=True) * chosen, None

    options = {**options, "constant": "t", "seed": seed}
    assert not gradproof.check_vjp(sigmoid_loss, right, point, **options).refused
    assert not gradproof.check_vjp(focal_loss, focal_vjp, point, **options).refused
    assert not gradproof.check_vjp(beside_a_maximum, through_both, point, **options).refused
    for wrong in (partial(through_both, all_tied=True), lambda *a: (0.999 * through_both(*a)[0], None)):
        assert gradproof.check_vjp(beside_a_maximum, wrong, point, **options).refused
