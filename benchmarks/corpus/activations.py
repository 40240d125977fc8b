"""Smooth activations: sigmoid, tanh, softplus, silu, both gelus, mish, softsign, elu with alpha = 1."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import math

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, nn = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.nn")
SHAPES = "x: n d -> z: n d"
erf = np.vectorize(math.erf, otypes=[float])


def matrix(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)) * 2,)


HARD = (
    (np.array([[0.0, -0.0, 1.0]]),), (np.array([[-1000.0, -40.0, 0.0], [1.0, 40.0, 1000.0]]),), (np.array([[5.0, 6.0], [-6.0, -9.0]]),),
    (np.array([[-750.0, 750.0]]),), (np.zeros((0, 3)),), (np.zeros((1, 1)),),
)  # fmt: skip


def logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_vjp(u, x):
    s = logistic(x)
    return u * s * (1 - s)


def sigmoid_vjp_by_exp(u, x):
    e = np.exp(-np.abs(x))
    return (u * (e / (1 + e) ** 2),)


def naive_sigmoid_vjp(u, x):
    e = np.exp(-x)
    return u * e / (1 + e) ** 2


def in_place_sigmoid_vjp(u, x):
    s = logistic(x)
    u *= s * (1 - s)
    return u


SIGMOID = Operation(
    "sigmoid", logistic, {"s (1 - s)": sigmoid_vjp, "by exp": sigmoid_vjp_by_exp}, matrix, shapes=SHAPES, hard=HARD,
    torch=lambda x: T.sigmoid(x), jax=lambda x: nn.sigmoid(x),
    wrong=(
        faults.negated(sigmoid_vjp),
        faults.cotangent_ignored(sigmoid_vjp),
        Wrong("x (1 - x): given the activation, it was passed x", lambda u, x: u * x * (1 - x), None),
        Wrong("s in place of s (1 - s)", lambda u, x: u * logistic(x), "value_for_derivative"),
        Wrong("s (1 + s)", lambda u, x: u * logistic(x) * (1 + logistic(x)), None),
        Wrong("naive exp overflows", naive_sigmoid_vjp, ("at_saturation", "nonfinite")),
        Wrong("derivative with respect to s", lambda u, x: u.copy(), "activation_for_preactivation"),
        Wrong("in place", in_place_sigmoid_vjp, ("argument_changed", "shared")),
        faults.through(sigmoid_vjp, "float32"),
        conditions.beyond(sigmoid_vjp_by_exp, 5.0, 0.0),
        faults.one_entry(sigmoid_vjp, "middle"),
        faults.remembers(sigmoid_vjp),
    ),
)  # fmt: skip


def tanh_vjp(u, x):
    return u * (1 - np.tanh(x) ** 2)


TANH = Operation(
    "tanh", np.tanh, {"1 - z^2": tanh_vjp, "dict": lambda u, x: {"x": u * (1 - np.tanh(x)) * (1 + np.tanh(x))}},
    matrix, hard=HARD, shapes="x1: n d -> z: n d", torch=lambda x: T.tanh(x), jax=lambda x: jnp.tanh(x),
    wrong=(
        Wrong("1 - x^2", lambda u, x: u * (1 - x**2), None),
        Wrong("1 - z", lambda u, x: u * (1 - np.tanh(x)), None),
        Wrong("1 + z^2", lambda u, x: u * (1 + np.tanh(x) ** 2), None),
        Wrong("z in place of its derivative", lambda u, x: u * np.tanh(x), "value_for_derivative"),
        faults.scaled(tanh_vjp, 1.001),
        faults.scaled(tanh_vjp, -1.0),
        faults.cotangent_sign_ignored(tanh_vjp),
        faults.through(tanh_vjp, "float16"),
        faults.reuses_buffer(tanh_vjp),
        conditions.in_memory_order(tanh_vjp),
        conditions.first_row_only(tanh_vjp),
        conditions.slightly_off_beyond(tanh_vjp, 2.5),
    ),
)  # fmt: skip
# The parameter is x1 to NumPy (np.tanh is a ufunc without a signature), x to everybody else.
TANH = Operation(**{**TANH.__dict__, "forward": lambda x: np.tanh(x), "shapes": SHAPES})


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_vjp(u, x):
    return u * logistic(x)


SOFTPLUS = Operation(
    "softplus", softplus, {"sigmoid": softplus_vjp, "tuple": lambda u, x: (softplus_vjp(u, x),)}, matrix,
    hard=HARD, shapes=SHAPES, torch=lambda x: T.logaddexp(x, T.zeros_like(x)), jax=lambda x: nn.softplus(x),
    wrong=(
        Wrong("naive exp / (1 + exp)", lambda u, x: u * np.exp(x) / (1 + np.exp(x)), ("at_saturation", "nonfinite")),
        Wrong("1 for x > 5", lambda u, x: u * np.where(x > 5, 1, logistic(x)), "at_saturation"),
        Wrong("sigmoid of -x", lambda u, x: u * logistic(-x), None),
        Wrong("tanh for sigmoid", lambda u, x: u * np.tanh(x), None),
        Wrong("the value", lambda u, x: u * softplus(x), "value_for_derivative"),
        faults.scaled(softplus_vjp, 0.5),
        conditions.for_negative(softplus_vjp, lambda g: 0 * g, "zero for negative inputs"),
        conditions.at_zero(softplus_vjp, 1.0),
        faults.accumulates(softplus_vjp),
        faults.flattened(softplus_vjp),
    ),
)  # fmt: skip


def silu(x):
    return x * logistic(x)


def silu_vjp(u, x):
    s = logistic(x)
    return {"x": u * s * (1 + x * (1 - s))}


SILU = Operation(
    "silu", silu, {"s (1 + x (1 - s))": silu_vjp}, matrix, hard=HARD, shapes=SHAPES,
    torch=lambda x: F.silu(x), jax=lambda x: nn.silu(x),
    wrong=(
        Wrong("product rule forgotten: s only", lambda u, x: u * logistic(x), None),
        Wrong("product rule forgotten: x s (1 - s) only", lambda u, x: u * x * logistic(x) * (1 - logistic(x)), None),
        Wrong("x (1 + s) for 1 + x (1 - s)", lambda u, x: u * logistic(x) * (1 + x * (1 + logistic(x))), None),
        Wrong("the value", lambda u, x: u * silu(x), "value_for_derivative"),
        faults.scaled(silu_vjp, 2.0),
        faults.through(silu_vjp, "float32"),
        faults.noisy(silu_vjp),
        conditions.last_row_lost(silu_vjp),
        conditions.beyond(silu_vjp, 30.0, np.nan),
        faults.scales_cotangent(silu_vjp, 2.0),
    ),
)  # fmt: skip

ROOT = math.sqrt(2 / math.pi)
CUBIC = 0.044715


@keeps_half
def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(ROOT * (x + CUBIC * x**3)))


@keeps_half
def gelu_tanh_vjp(u, x):
    t = np.tanh(ROOT * (x + CUBIC * x**3))
    slope = ROOT * (1 + 3 * CUBIC * x**2)
    return u * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * slope)


def gelu_tanh_slope_forgotten(u, x):
    t = np.tanh(ROOT * (x + CUBIC * x**3))
    return u * (0.5 * (1 + t) + 0.5 * x * (1 - t**2))


def gelu_tanh_cubic_not_tripled(u, x):
    t = np.tanh(ROOT * (x + CUBIC * x**3))
    return u * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * ROOT * (1 + CUBIC * x**2))


@keeps_half
def gelu(x):
    return 0.5 * x * (1 + erf(np.asarray(x, float) / math.sqrt(2)))


@keeps_half
def gelu_vjp(u, x):
    wide = np.asarray(x, float)
    density = np.exp(-0.5 * wide**2) / math.sqrt(2 * math.pi)
    return (u * (0.5 * (1 + erf(wide / math.sqrt(2))) + wide * density)).astype(x.dtype)


SMALL = ((np.array([[0.0, -0.0], [1.0, -1.0]]),), (np.array([[-30.0, -9.0, 9.0, 30.0]]),), (np.zeros((0, 2)),))

GELU_TANH = Operation(
    "gelu_tanh", gelu_tanh, {"product rule": gelu_tanh_vjp}, matrix, shapes=SHAPES, hard=SMALL,
    torch=lambda x: F.gelu(x, approximate="tanh"), jax=lambda x: nn.gelu(x, approximate=True),
    wrong=(
        Wrong("inner slope forgotten", gelu_tanh_slope_forgotten, None),
        Wrong("3 forgotten in the cubic term", gelu_tanh_cubic_not_tripled, None),
        Wrong("derivative of the exact gelu", lambda u, x: gelu_vjp(u, x), None),
        Wrong("sigmoid approximation", lambda u, x: u * logistic(1.702 * x) * (1 + 1.702 * x * logistic(-1.702 * x)), None),
        faults.negated(gelu_tanh_vjp),
        faults.scaled(gelu_tanh_vjp, 0.999),
        faults.in_dtype_of_its_own(gelu_tanh_vjp, "float64", "float32"),
    ),
)  # fmt: skip

GELU = Operation(
    "gelu_erf", gelu, {"cdf + x density": gelu_vjp}, matrix, shapes=SHAPES, hard=SMALL,
    dtypes=("float64",), torch=lambda x: F.gelu(x), jax=lambda x: nn.gelu(x, approximate=False),
    wrong=(
        Wrong("density forgotten", lambda u, x: u * 0.5 * (1 + erf(x / math.sqrt(2))), None),
        Wrong("density for sigma = 1 / sqrt 2", lambda u, x: u * (0.5 * (1 + erf(x / math.sqrt(2))) + x * np.exp(-(x**2)) / math.sqrt(math.pi)), None),
        Wrong("derivative of the tanh form", lambda u, x: gelu_tanh_vjp(u, x), None),
        Wrong("density without x", lambda u, x: u * (0.5 * (1 + erf(x / math.sqrt(2))) + np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)), None),
        faults.one_entry(gelu_vjp, "last"),
        faults.scaled(gelu_vjp, 1.001),
    ),
)  # fmt: skip


def softsign(x):
    return x / (1 + np.abs(x))


def softsign_vjp(u, x):
    return u / (1 + np.abs(x)) ** 2


SOFTSIGN = Operation(
    "softsign", softsign, {"1 / (1 + |x|)^2": softsign_vjp}, matrix, shapes=SHAPES, torch=lambda x: F.softsign(x),
    jax=lambda x: nn.soft_sign(x), dtypes=("float64", "float32", "bfloat16"),
    hard=((np.array([[0.0, 1.0, -1.0]]),), (np.array([[1e4, -1e4]]),), (np.zeros((3, 0)),)),
    wrong=(
        Wrong("power forgotten", lambda u, x: u / (1 + np.abs(x)), None),
        Wrong("(1 + x)^2: |.| forgotten", lambda u, x: u / (1 + x) ** 2, None),
        Wrong("zero at zero, by sign(x)", lambda u, x: u * np.sign(x) ** 2 / (1 + np.abs(x)) ** 2, "at_zero"),
        Wrong("odd: sign(x) too many", lambda u, x: u * np.sign(x) / (1 + np.abs(x)) ** 2, None),
        Wrong("the value", lambda u, x: u * softsign(x), "value_for_derivative"),
        conditions.squeezed(softsign_vjp),
    ),
)  # fmt: skip

OPERATIONS = (SIGMOID, TANH, SOFTPLUS, SILU, GELU_TANH, GELU, SOFTSIGN)
