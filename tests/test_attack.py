"""What an attacker found: right rules that were refused, wrong ones that passed, inputs that crashed the checker.

Each case is a rule as people write it, at the point that broke the judge once: jumps, plateaus, ties by the dozen,
one triangle of a symmetric matrix, targets whose rows sum to 1, narrow dtypes, huge and tiny arguments.
"""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

import gradproof
from gradproof import check_grad, check_jvp, check_layer, check_vjp


def normal(*shape, dtype=np.float64):
    return lambda rng: (rng.standard_normal(shape).astype(dtype),)


def point(*shape):
    return np.random.default_rng(7).standard_normal(shape)


def elementwise(derivative):
    return lambda u, x: (u * derivative(x)).astype(x.dtype)


def half_step(x):
    return np.tanh(x.astype(np.float16)).astype(x.dtype)


def half_gram(x):
    return (x.astype(np.float16) @ x.astype(np.float16).T).astype(x.dtype)


def half_gram_vjp(u, x):
    return u @ x + u.T @ x


def single_step(x):
    return (np.sin(x).astype(np.float32) + np.float32(100)).astype(np.float64) - 100


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(u, x):
    s = softmax(x)
    return s * (u - (u * s).sum(-1, keepdims=True))


def cross_entropy(x, y):
    m = x.max(-1, keepdims=True)
    return -(y * (x - m - np.log(np.exp(x - m).sum(-1, keepdims=True)))).sum() / x.shape[0]


def cross_entropy_vjp(u, x, y):
    return (u * (softmax(x) - y) / x.shape[0]).astype(x.dtype), None


def windows_max(x):
    return np.array([[x[i : i + 2, j : j + 2].max() for j in range(x.shape[1] - 1)] for i in range(x.shape[0] - 1)])


def windows_max_vjp(u, x, shares=False):
    """The first of the largest entries takes all; with `shares`, each of them takes all, which is wrong."""
    g = np.zeros_like(x)
    for i, j in itertools.product(*map(range, u.shape)):
        window = x[i : i + 2, j : j + 2]
        first = np.arange(4).reshape(2, 2) == window.argmax()
        g[i : i + 2, j : j + 2] += u[i, j] * ((window == window.max()) if shares else first)
    return g


def assigned_vjp(u, w, i):
    g = np.zeros_like(w)
    g[i] = u  # a repeated index keeps its last cotangent only
    return g, None


class Cached:
    """A vjp of exp that believes that arrays of one shape are one array."""

    def __init__(self):
        self.seen = {}

    def __call__(self, u, x):
        return u * self.seen.setdefault(x.shape, np.exp(x))


def sort_vjp(u, x):
    g = np.empty_like(x)
    g[np.argsort(x, kind="stable")] = u
    return g


def median_vjp(u, x):
    order, g, n = np.argsort(x, kind="stable"), np.zeros_like(x), x.size
    g[order[n // 2]] += u / 2
    g[order[(n - 1) // 2]] += u / 2
    return g


def deep(x, w):
    for _ in range(6):
        x = np.tanh(x @ w)
    return x


def deep_vjp(u, x, w, steps=6):
    h = [x]
    for _ in range(6):
        h.append(np.tanh(h[-1] @ w))
    gw = np.zeros_like(w)
    for t in range(6, 6 - steps, -1):
        d = u * (1 - h[t] ** 2)
        gw, u = gw + h[t - 1].T @ d, d @ w.T
    return u, gw


def definite(rng):
    a = rng.standard_normal((3, 3))
    return (a @ a.T + 0.3 * np.eye(3),)


def eigenvalues_vjp(u, a, transposed=False):
    v = np.linalg.eigh(a)[1]
    v = v.T if transposed else v
    return v @ np.diag(u) @ v.T


def cholesky_vjp(u, a):
    lower = np.linalg.cholesky(a)
    inverse, part = np.linalg.inv(lower), np.tril(lower.T @ u)
    part[np.diag_indices(len(a))] *= 0.5
    both = inverse.T @ part @ inverse
    return (both + both.T) / 2


def nuclear_vjp(u, a):
    left, _, right = np.linalg.svd(a, full_matrices=False)
    return u * left @ right


def halved(x):
    low, high = np.full_like(x, -10), np.full_like(x, 10.0)
    for _ in range(30):
        mid = (low + high) / 2
        below = mid**3 + mid < x
        low, high = np.where(below, mid, low), np.where(below, high, mid)
    return (low + high) / 2


def layer_norm(x, g, b):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * g + b


def layer_norm_vjp(u, x, g, b):
    s = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    h, d = (x - x.mean(-1, keepdims=True)) / s, u * g
    return (d - d.mean(-1, keepdims=True) - h * (d * h).mean(-1, keepdims=True)) / s, (u * h).sum(0), u.sum(0)


def softplus(x):
    return np.logaddexp(0, x)


def quadratic(x, a):
    return x @ a @ x


def relu(x):
    return np.maximum(x, 0)


def targets(dtype):
    return lambda rng: (rng.standard_normal((4, 3)).astype(dtype), rng.dirichlet(np.ones(3), 4).astype(dtype))


def layers(dtype):
    return lambda rng: (rng.standard_normal((2, 3)).astype(dtype), rng.standard_normal((3, 3)).astype(dtype))


def pair(rng):
    return rng.standard_normal(4), rng.standard_normal(4)


ONEHOT = np.eye(3)[[0, 2, 1, 1]]
SYMMETRIC = np.array([[2.0, 1, 0], [1, 3, -1], [0, -1, 1]])
LINE = np.array([0.3, -1.0, 2.2])

# name -> forward, rule, inputs, options: all right, all refused once
RIGHT = {
    "floor": (np.floor, elementwise(np.zeros_like), normal(4, 3), {}),
    "round": (np.round, elementwise(np.zeros_like), (point(4, 3),), {"shapes": "x: n d -> y: n d"}),
    "fraction": (lambda x: x - np.floor(x), elementwise(np.ones_like), normal(4, 3), {}),
    "quantised": (lambda x: np.round(x * 8) / 8, elementwise(np.zeros_like), (point(4, 3),), {}),
    "float16 step": (half_step, elementwise(lambda x: 1 - np.tanh(x) ** 2), normal(4, 3), {}),
    "float16 step, saturated": (half_step, elementwise(lambda x: 1 - np.tanh(x) ** 2), (5 * point(4, 3),), {}),
    "float16 product": (half_gram, half_gram_vjp, normal(4, 3), {}),
    "float32 step, offset": (single_step, elementwise(np.cos), normal(3), {}),
    "cancelled 1e8": (lambda x: (1e8 + np.sin(x)) - 1e8, elementwise(np.cos), normal(3), {}),
    "x log x at 1e-30": (
        lambda x: np.where(x > 0, x * np.log(np.where(x > 0, x, 1)), 0),
        elementwise(lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1)) + 1, 0)),
        (np.array([0.3, 1e-30, 2.0]),),
        {},
    ),
    "bisection": (halved, elementwise(lambda x: 1 / (3 * halved(x) ** 2 + 1)), (LINE,), {}),
    "bisection, sampled": (halved, elementwise(lambda x: 1 / (3 * halved(x) ** 2 + 1)), normal(3), {}),
    "one-hot targets": (cross_entropy, cross_entropy_vjp, (point(4, 3), ONEHOT), {"constant": "y"}),
    "one-hot domain": (
        cross_entropy,
        cross_entropy_vjp,
        (point(4, 3), ONEHOT),
        {"constant": "y", "shapes": "x: n c, y: n c -> l:", "domain": {"y": "onehot"}},
    ),
    "soft targets": (cross_entropy, cross_entropy_vjp, targets(np.float64), {"constant": "y"}),
    "soft targets, float32": (cross_entropy, cross_entropy_vjp, targets(np.float32), {"constant": "y"}),
    "soft targets, float16": (cross_entropy, cross_entropy_vjp, targets(np.float16), {"constant": "y"}),
    "symmetric constant": (quadratic, lambda u, x, a: (2 * u * a @ x, None), (LINE, SYMMETRIC), {"constant": "a"}),
    "sorted ties": (np.sort, sort_vjp, (np.array([1.0, 1, 0, 2, 2, 2]),), {}),
    "median of ties": (lambda x: np.median(x), median_vjp, (np.array([1.0, 1, 1, 0]),), {}),
    "pooled zeros": (windows_max, windows_max_vjp, (np.zeros((4, 4)),), {}),
    "relu at zeros": (relu, elementwise(lambda x: x > 0), (np.zeros((10, 10)),), {"examples": 2}),
    "relu, float32": (relu, elementwise(lambda x: x > 0), normal(40, 40, dtype=np.float32), {"examples": 17}),
    "nuclear norm": (lambda a: np.linalg.svd(a, compute_uv=False).sum(), nuclear_vjp, (np.ones((3, 3)),), {}),
    "eigenvalues": (np.linalg.eigvalsh, eigenvalues_vjp, definite, {}),
    "cholesky": (np.linalg.cholesky, cholesky_vjp, definite, {}),
    "cholesky, symmetrised": (lambda a: np.linalg.cholesky((a + a.T) / 2), cholesky_vjp, definite, {}),
    "saturated softmax": (softmax, softmax_vjp, (np.array([[1e4, 0, 0], [50, 0, -50]]),), {}),
    "softmax, bfloat16": (softmax, softmax_vjp, normal(4, 3, dtype=ml_dtypes.bfloat16), {}),
    "softmax, float16": (softmax, softmax_vjp, normal(4, 3, dtype=np.float16), {"seed": 1}),
    "six layers, float16": (deep, deep_vjp, layers(np.float16), {}),
    "power of positives": (
        lambda x, y: x**y,
        lambda u, x, y: (u * y * x ** (y - 1), u * x**y * np.log(x)),
        lambda rng: (rng.random(5) + 0.1, rng.standard_normal(5)),
        {},
    ),
    "angle at the origin": (
        lambda a, b: np.angle(a + 1j * b),
        lambda u, a, b: (-u * b / (a * a + b * b), u * a / (a * a + b * b)),
        (np.array([-1.0, -1.0, 0.0]), np.array([0.0, -0.0, 1.0])),
        {},
    ),
    "big-endian": (np.sin, elementwise(np.cos), (np.ones(3, ">f8"),), {}),
    "huge whole numbers": (lambda x: 3 * x, lambda u, x: 3 * u, (np.array([0.0, 3.0, 1e200]),), {}),
}

# name -> forward, rule, inputs: all wrong, several beside a right twin above
WRONG = {
    "straight-through": (np.round, elementwise(np.ones_like), normal(4, 3)),
    "zero for a fraction": (lambda x: x - np.floor(x), elementwise(np.zeros_like), normal(4, 3)),
    "sign at 1e8": (lambda x: (1e8 + np.sin(x)) - 1e8, elementwise(lambda x: -np.cos(x)), normal(3)),
    "half too much, float16 step": (half_step, elementwise(lambda x: 1.5 * (1 - np.tanh(x) ** 2)), normal(4, 3)),
    "sign, bisection": (halved, elementwise(lambda x: -1 / (3 * halved(x) ** 2 + 1)), normal(3)),
    "sign, float16 step": (half_step, elementwise(lambda x: np.tanh(x) ** 2 - 1), normal(4, 3)),
    "all tied maxima": (windows_max, lambda u, x: windows_max_vjp(u, x, shares=True), (np.zeros((4, 4)),)),
    "two at relu's zero": (relu, elementwise(lambda x: np.where(x == 0, 2.0, x > 0)), (np.zeros((5, 5)),)),
    "below relu's zero": (relu, elementwise(lambda x: np.where(x == 0, -0.5, x > 0)), (point(4, 3),)),
    "eigenvectors transposed": (np.linalg.eigvalsh, lambda u, a: eigenvalues_vjp(u, a, transposed=True), definite),
    "cholesky doubled": (np.linalg.cholesky, lambda u, a: 2 * cholesky_vjp(u, a), definite),
    "diagonal of softmax": (softmax, lambda u, x: u * softmax(x) * (1 - softmax(x)), normal(4, 3)),
    "mean forgotten": (cross_entropy, lambda u, x, y: (u * (softmax(x) - y), None), targets(np.float32)),
    "backpropagation cut at two steps": (deep, lambda u, x, w: deep_vjp(u, x, w, 2), layers(np.float64)),
    "repeated index": (lambda w, i: w[i], assigned_vjp, (point(5, 3), np.array([0, 1, 2, 4]))),
    "cached by shape": (np.exp, Cached(), (point(3),)),
    "sign, float32 step": (single_step, elementwise(lambda x: -np.cos(x)), normal(3)),
    "hypotenuse of zeros": (np.hypot, lambda u, a, b: (u * a / np.hypot(a, b), u * b / np.hypot(a, b)), pair),
    "overflowing softplus": (softplus, elementwise(lambda x: np.exp(x) / (1 + np.exp(x))), normal(4, 3)),
}


# what the judge still gets wrong: strict, so that mending it takes the name off this list
OPEN = {
}


def each(cases):
    return [pytest.param(n, marks=[pytest.mark.xfail(strict=True, reason=OPEN[n])] if n in OPEN else []) for n in cases]


@pytest.mark.parametrize("name", each(RIGHT))
def test_right_rules_are_not_refused(name):
    forward, rule, inputs, options = RIGHT[name]
    result = check_vjp(forward, rule, inputs, **options)
    assert not result.refused, str(result)


@pytest.mark.parametrize("name", each(WRONG))
def test_wrong_rules_are_refused(name):
    forward, rule, inputs = WRONG[name]
    options = {"constant": "y"} if "mean" in name else {}
    result = check_vjp(forward, rule, inputs, examples=6, **options)  # the fewer, the harder to see
    assert result.refused, str(result)


def test_a_single_entry_of_ten_thousand():
    x = point(100, 100)

    def rule(u, x):
        g = u * (1 - np.tanh(x) ** 2)
        g[37, 41] *= 1 + 1e-8
        return g

    result = check_vjp(np.tanh, rule, (x,), examples=2)
    assert result.refused
    assert result.where["x"][0] == (37, 41)


@pytest.mark.parametrize(("factor", "cause"), [(-1, "sign"), (3, "factor")])
def test_causes_at_ten_thousand_entries(factor, cause):
    result = check_vjp(np.sin, elementwise(lambda x: factor * np.cos(x)), (point(100, 100),), examples=2)
    assert cause in result.causes[:2]


def test_distinct_neighbours_are_no_tie():
    result = check_vjp(np.sort, sort_vjp, (point(3000),), examples=2)
    assert not result.refused, str(result)


NO_GRADIENTS = {
    "bool": np.ones((4, 3), bool),
    "integers": np.ones((4, 3), int),
    "a Python integer": 1,
    "records": np.zeros(3, [("a", float)]),
    "dates": np.zeros((4, 3), "M8[s]"),
    "text": np.array(["a"]),
    "complex": np.ones((4, 3), complex),
    "objects": np.array([None, 1]),
    "ragged": [1.0, [2.0]],
}


@pytest.mark.parametrize("kind", NO_GRADIENTS)
def test_what_is_no_gradient_is_a_verdict(kind):
    result = check_vjp(np.sin, lambda u, x: NO_GRADIENTS[kind], (point(4, 3),), examples=3)
    assert result.refused


def test_an_integer_gradient_of_a_scalar_function():
    result = check_grad(lambda x: x.sum(), lambda x: np.ones(x.shape, int), (point(4, 3),), examples=3)
    assert result.refused
    assert "dtype" in result.causes


def test_a_forward_that_draws_does_not_corrupt_memory():
    def forward(x, p):
        mask = (np.random.default_rng(1).random(x.shape) > p) / (1 - p)
        return x * mask, mask

    result = check_layer(forward, lambda d, mask: d * mask, (point(4, 3), 0.5))
    assert result.ok, str(result)


def test_forward_mode_that_forgets_an_input():
    a, b = point(4, 3), point(3, 5)
    assert check_jvp(lambda a, b: a @ b, lambda t, a, b: t[0] @ b + a @ t[1], (a, b)).ok
    assert check_jvp(lambda a, b: a @ b, lambda t, a, b: t[0] @ b, (a, b)).refused


def test_torch_with_targets_it_insists_on():
    torch = pytest.importorskip("torch")

    def loss(p, y):
        return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()

    def rule(u, p, y):
        return u * (p - y) / (p * (1 - p)) / p.size, None

    inputs = (np.array([0.2, 0.5, 0.7]), np.array([0.0, 1, 1]))
    result = check_vjp(loss, rule, inputs, constant="y", torch=torch.nn.functional.binary_cross_entropy)
    assert not result.refused, str(result)


def test_torch_rounds_where_the_gradient_is_zero():
    torch = pytest.importorskip("torch")

    def reference(x, g, b):
        return torch.nn.functional.layer_norm(x, x.shape[-1:], g, b, 1e-5)

    rng = np.random.default_rng(1)
    for seed in range(3):
        inputs = (rng.standard_normal((4, 1)), rng.standard_normal(1), rng.standard_normal(1))
        result = check_vjp(layer_norm, layer_norm_vjp, inputs, torch=reference, seed=seed)
        assert not result.refused, str(result)


def test_a_nan_where_torch_is_finite():
    torch = pytest.importorskip("torch")
    forward, rule, inputs = WRONG["overflowing softplus"]
    result = check_vjp(forward, rule, inputs, torch=lambda x: torch.nn.functional.softplus(x, threshold=1e4))
    assert result.refused
    assert "nonfinite" in result.causes


def test_a_reference_cut_off_from_its_inputs():
    torch = pytest.importorskip("torch")
    with pytest.raises(gradproof.InputError, match="torch"):
        check_vjp(np.sin, elementwise(np.cos), (np.ones(3),), torch=lambda x: torch.sin(x).detach())
