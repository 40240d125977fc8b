"""A cause says no more than what holds: "wrong only where" is proved by undoing it, at the counterexample shown."""

import numpy as np
import pytest

import gradproof
from gradproof import CAUSES, check_grad, check_vjp

RNG = np.random.default_rng(31)
X = RNG.normal(size=(4, 3))
MATRIX = "x: n d -> y: n d"
CONDITIONS = {name for name in CAUSES if name.startswith("at_")}


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def hardtanh(x):
    return np.clip(x, -1, 1)


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(_erf)(x / np.sqrt(2)))


def _erf(x):
    from math import erf

    return erf(x)


def gelu_by_tanh(u, x):
    c = np.sqrt(2 / np.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return u * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x))


def silu(x):
    return x * sigmoid(x)


def silu_of_its_value(u, x):
    s = sigmoid(silu(x))
    return u * (s + x * s * (1 - s))


def layernorm(x, g):
    m = x - x.mean(-1, keepdims=True)
    return g * m / np.sqrt((m * m).mean(-1, keepdims=True) + 1e-5)


def layernorm_as_if_of_a_sample(u, x, g):
    m, n = x - x.mean(-1, keepdims=True), x.shape[-1]
    s = np.sqrt((m * m).sum(-1, keepdims=True) / max(n - 1, 1) + 1e-5)
    h, v = m / s, u * g
    return (v - v.mean(-1, keepdims=True) - h * (v * h).mean(-1, keepdims=True)) / s, (u * h).sum(0)


def clipped_log(u, x):
    return u / np.maximum(x, 0.1)


def penalty(x, p):
    return np.abs(x - p) + 0.01 * p * p


def penalty_forgotten(u, x, p):
    return u * np.sign(x - p), -u * np.sign(x - p)


def pools(x):
    return x.reshape(len(x) // 2, 2, -1).max(1)


def to_all_tied(u, x):
    y = np.repeat(pools(x), 2, 0)
    return np.repeat(u, 2, 0) * (x == y)


def scatter(x, index):
    y = np.zeros((6, x.shape[1]))
    np.add.at(y, index, x)
    return y


def scatter_halved(u, x, index):
    return u[index] / np.bincount(index)[index][:, None]


def distances(x, y):
    return np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))


def distances_nan(u, x, y):
    w = (u / distances(x, y))[..., None] * (x[:, None] - y[None])
    return w.sum(1), -w.sum(0)


def absolute_nan(u, x):
    return u * x / np.abs(x)


def largest_of_two(a, b):
    return np.maximum(a, b)


def to_both(u, a, b):
    return u * (a >= b), u * (b >= a)


def windows(x, width, stride):
    return np.array([x[k : k + width].sum() for k in range(0, len(x) - width + 1, stride)])


def as_if_stride_one(u, x, width, stride):
    g = np.zeros_like(x)
    for k in range(len(u)):
        g[k : k + width] += u[k]
    return g


def wrong_if_square(u, x):
    return u * np.cos(x) * (1.1 if x.shape[0] == x.shape[-1] else 1)


# what is wrong nearly everywhere, or for its values: no condition and no single entry is to blame
PLAIN = {
    "gelu by tanh": (gelu, gelu_by_tanh, (X,), MATRIX, None),
    "silu at its value": (silu, silu_of_its_value, (X,), MATRIX, None),
    "layernorm of a sample": (layernorm, layernorm_as_if_of_a_sample, (X, X[0]), "x: n d, g: d -> y: n d", None),
    "a penalty without its gradient": (penalty, penalty_forgotten, (X, X + 1), "x: n d, p: n d -> y: n d", None),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("varied", [True, False])
def test_what_is_wrong_nearly_everywhere_is_not_put_down_to_a_condition(name, varied):
    forward, rule, point, shapes, domain = PLAIN[name]
    result = check_vjp(forward, rule, point, shapes=shapes if varied else None, domain=domain)
    assert result.refused
    assert not {*CONDITIONS, "one_entry", "low_precision"} & set(result.causes[:2])


PROVED = {
    "at_small": (np.log, clipped_log, (np.abs(X) + 0.1,), MATRIX, "positive"),
    "at_negative": (hardtanh, lambda u, x: u * ((x > 0) & (x < 1)), (X,), None, None),
    "at_ties": (pools, to_all_tied, (X,), None, None),
    "at_ties of two": (largest_of_two, to_both, (X, X + 0.5), None, None),
    "at_repeated": (scatter, scatter_halved, (RNG.normal(size=(5, 2)), np.array([0, 1, 1, 3, 0])), None, None),
    "at_zero": (np.sin, lambda u, x: u * np.cos(x) * np.where(x == 0, 1.2, 1), (X,), MATRIX, None),
    "at_saturation": (sigmoid, lambda u, x: u * sigmoid(x) * sigmoid(-x) * (np.abs(x) < 9), (X,), MATRIX, None),
    "at_stride": (windows, as_if_stride_one, lambda rng: (rng.normal(size=9), 3, int(rng.integers(1, 4))), None, None),
    "at_square": (np.sin, wrong_if_square, (X[None],), "x: n d e -> y: n d e", None),
}  # fmt: skip


@pytest.mark.parametrize("name", PROVED)
def test_a_condition_without_which_the_rule_is_right_is_among_the_first_two(name):
    forward, rule, point, shapes, domain = PROVED[name]
    result = check_vjp(forward, rule, point, shapes=shapes, domain=domain)
    assert result.refused
    assert name.split()[0] in result.causes[:2]
    assert len(CONDITIONS & set(result.causes)) == 1


@pytest.mark.parametrize("shapes", [None, MATRIX])
def test_a_lone_zero_is_not_a_tie_and_nan_is_said(shapes):
    result = check_vjp(np.abs, absolute_nan, (X,), shapes=shapes)
    assert result.causes[:2] == ("at_zero", "nonfinite")


def test_nan_where_two_rows_are_equal_is_not_put_down_to_a_shape():
    result = check_vjp(distances, distances_nan, (X, X + 1), shapes="x: n d, y: m d -> z: n m")
    assert result.causes == ("at_ties", "nonfinite")


def test_a_gradient_that_is_clipped_is_not_linear():
    result = check_vjp(lambda x: np.maximum(x, 0), lambda u, x: np.clip(u * (x > 0), -5, 5), (X,), shapes=MATRIX)
    assert result.refused
    assert result.causes[0] == "nonlinear"


def one_scaled(share):
    def gradient(x):
        g = np.tanh(x) + x / np.cosh(np.clip(x, -300, 300)) ** 2
        g[len(g) // 3] *= 1 + share
        return g

    return gradient


@pytest.mark.parametrize(("count", "share"), [(100, 1e-10), (100, 1e-4), (4000, 1e-5)])
def test_one_entry_of_many_is_no_factor(count, share):
    result = check_grad(lambda x: (x * np.tanh(x)).sum(), one_scaled(share), (RNG.normal(size=count),), examples=6)
    assert result.refused
    assert result.causes[0] == "one_entry"
    assert "factor" not in result.causes
    assert result.where["x"][0] == (count // 3,)


def test_a_lower_precision_is_a_rounding_and_no_small_mistake():
    def rounded(dtype):
        return lambda u, x: (u * np.cos(x)).astype(dtype).astype(float)

    for dtype in (np.float16, np.float32):
        assert "low_precision" in check_vjp(np.sin, rounded(dtype), (X,), examples=6).causes[:2]
    inside = check_vjp(np.sin, lambda u, x: 1.7 * (u * np.cos(x).astype("f") / 1.7), (X,), examples=6)
    assert "low_precision" in inside.causes[:2]
    for share in (1e-8, 3e-4, 3e-3):
        smooth = check_vjp(np.sin, lambda u, x, share=share: u * (np.cos(x) + share * x), (X,), examples=6)
        assert smooth.refused
        assert "low_precision" not in smooth.causes


def test_a_mean_over_axes_of_the_output_is_a_mean():
    def forward(x, b):
        return x * 2 + b[:, None, None]

    def mean(u, x, b):
        return 2 * u, u.mean((1, 2))

    result = check_vjp(forward, mean, (RNG.normal(size=(3, 4, 4)), X[0]))
    assert "mean_for_sum" in result.causes[:2]


def test_rounding_straight_through_is_no_activation():
    result = check_vjp(np.round, lambda u, x: 1.0 * u, (X,))
    assert result.refused
    assert "activation_for_preactivation" not in result.causes


def test_the_logits_gradient_is_not_that_of_the_probabilities():
    a, y = np.full((3, 4), 0.25), np.eye(4)[[0, 2, 1]]
    result = check_vjp(
        lambda a, y: -(y * np.log(a)).sum(-1),
        lambda u, a, y: (u[:, None] * (a - y), None),
        (a, y),
        domain={"a": "simplex", "y": "onehot"},
        constant="y",
        examples=6,
    )
    assert result.refused
    assert "activation_for_preactivation" in result.causes[:2]


def test_one_vector_has_no_axes_to_exchange():
    result = check_vjp(np.cumsum, lambda u, x: np.cumsum(u), (RNG.normal(size=6),), examples=6)
    assert "transposed" in result.causes[:2]
    assert "J u" in CAUSES["transposed"]
    assert "at_batch" not in result.causes


def test_an_explanation_takes_less_than_a_second():
    from time import process_time

    start = process_time()
    assert gradproof.check_vjp(largest_of_two, to_both, (X, X + 0.5)).refused
    assert process_time() - start < 3
