"""Activations and elementwise maps with a kink: relu, leaky relu, elu, hardtanh, abs, clip, hard swish, absolute power.

At a kink every slope between the two one-sided ones is a valid choice; the right rules show several.
"""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, nn = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.nn")
SHAPES = "x: n d -> z: n d"


def matrix(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)) * 2,)


HARD = (
    (np.array([[0.0, -0.0, 2.0]]),), (np.array([[0.0, 1.0], [-1.0, 3.0], [-3.0, 0.0]]),), (np.zeros((2, 2)),), (np.zeros((0, 3)),),
    (np.array([[-1000.0, 1000.0], [40.0, -40.0]]),),
)  # fmt: skip


def relu(x):
    return np.maximum(x, 0)


def relu_vjp(u, x):
    return u * (x > 0)


RELU = Operation(
    "relu", relu, {"0 at 0": relu_vjp, "1 at 0": lambda u, x: (np.where(x >= 0, u, 0),),
                   "1/2 at 0": keeps_half(lambda u, x: u * (np.sign(x) + 1) * 0.5)},
    matrix, shapes=SHAPES, hard=HARD, smooth=False, torch=lambda x: T.relu(x), jax=lambda x: nn.relu(x),
    wrong=(
        Wrong("mask of the cotangent", lambda u, x: np.where(u > 0, u, 0), None),
        Wrong("mask inverted", lambda u, x: np.where(x < 0, u, 0), None),
        Wrong("the value", lambda u, x: u * relu(x), "value_for_derivative"),
        Wrong("the mask alone", lambda u, x: (x > 0).astype(x.dtype), "cotangent_ignored"),
        Wrong("2 at 0", lambda u, x: u * (1.0 * (x > 0) + 2 * (x == 0)), "at_zero"),
        Wrong("NaN at 0: x / |x|", lambda u, x: u * np.maximum(x / np.abs(x), 0), ("at_zero", "nonfinite")),
        Wrong("the leaky slope", lambda u, x: u * np.where(x > 0, 1, 0.01), None),
        Wrong("derivative with respect to z", lambda u, x: u.copy(), "activation_for_preactivation"),
        Wrong("in place on u", lambda u, x: np.multiply(u, x > 0, out=u), ("argument_changed", "shared")),
        Wrong("writes zeros into x", lambda u, x: u * (np.maximum(x, 0, out=x) > 0), "argument_changed"),
        Wrong("u itself where all are positive", lambda u, x: u if (x > 0).all() else u * (x > 0), "shared", strict=True),
        Wrong("mask of the last call", lambda: _remembered_mask(), "second_call", factory=True),
        conditions.first_row_only(relu_vjp),
        faults.transposed_shape(relu_vjp),
    ),
)  # fmt: skip


def _remembered_mask():
    masks = {}

    def wrong(u, x):
        return u * masks.setdefault(x.shape, x > 0)

    return wrong


@keeps_half
def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


@keeps_half
def leaky_vjp(u, x):
    return u * np.where(x > 0, 1, 0.1)


LEAKY = Operation(
    "leaky_relu", leaky, {"0.1 at 0": keeps_half(lambda u, x: np.where(x > 0, u, 0.1 * u)),
                          "1 at 0": keeps_half(lambda u, x: np.where(x >= 0, u, 0.1 * u))},
    matrix, shapes=SHAPES, hard=HARD, smooth=False, torch=lambda x: F.leaky_relu(x, 0.1), jax=lambda x: nn.leaky_relu(x, 0.1),
    wrong=(
        Wrong("the default slope 0.01", lambda u, x: np.where(x > 0, u, 0.01 * u), None),
        Wrong("no leak", lambda u, x: np.where(x > 0, u, 0), None),
        Wrong("sides exchanged", lambda u, x: np.where(x > 0, 0.1 * u, u), None),
        Wrong("-0.1 for negative x", lambda u, x: np.where(x > 0, u, -0.1 * u), None),
        Wrong("0 at 0", lambda u, x: np.where(x > 0, u, np.where(x < 0, 0.1 * u, 0)), "at_zero"),
        Wrong("1.1 at 0", lambda u, x: u * (x >= 0) + 0.1 * u * (x <= 0), "at_zero"),
        Wrong("slope by the cotangent's sign", lambda u, x: np.where(u > 0, u, 0.1 * u), None),
        faults.listed(leaky_vjp),
    ),
)  # fmt: skip


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def elu_vjp(u, x):
    return u * np.exp(np.minimum(x, 0))


ELU = Operation(
    "elu", elu, {"exp of min": elu_vjp}, matrix, shapes=SHAPES, hard=HARD, torch=lambda x: F.elu(x), jax=lambda x: nn.elu(x),
    wrong=(
        Wrong("exp on both sides", lambda u, x: u * np.exp(np.minimum(x, 700)), None),
        Wrong("z for z + 1", lambda u, x: u * np.where(x > 0, 1, elu(x)), None),
        Wrong("0 for negative x", lambda u, x: u * (x > 0), None),
        Wrong("0 at zero", lambda u, x: u * np.where(x == 0, 0, np.exp(np.minimum(x, 0))), "at_zero"),
        Wrong("NaN where exp overflows", lambda u, x: u * ((x > 0) + (x <= 0) * np.exp(x)), ("at_saturation", "nonfinite")),
        faults.negated(elu_vjp),
        faults.through(elu_vjp),
    ),
)  # fmt: skip


def hardtanh(x):
    return np.clip(x, -1, 1)


def hardtanh_vjp(u, x):
    return u * (np.abs(x) < 1)


EDGES = ((np.array([[1.0, -1.0, 0.0]]),), (np.array([[1.0], [0.5], [-40.0]]),), (np.zeros((0, 1)),), (np.array([[9.0, -9.0]]),))

HARDTANH = Operation(
    "hardtanh", lambda x: np.minimum(np.maximum(x, -1), 1),
    {"0 at the ends": hardtanh_vjp, "1 at the ends": lambda u, x: {"x": u * (np.abs(x) <= 1)}},
    matrix, shapes=SHAPES, hard=EDGES, smooth=False, torch=lambda x: F.hardtanh(x), jax=lambda x: nn.hard_tanh(x),
    wrong=(
        Wrong("straight through", lambda u, x: u.copy(), "at_saturation"),
        Wrong("upper end only", lambda u, x: u * (x < 1), None),
        Wrong("tanh's derivative", lambda u, x: u * (1 - np.tanh(x) ** 2), None),
        Wrong("u when all lie inside", lambda u, x: u if (np.abs(x) < 1).all() else u * (np.abs(x) < 1), "shared", strict=True),
        Wrong("mask outside", lambda u, x: u * (np.abs(x) > 1), None),
        Wrong("2 at the ends", lambda u, x: u * ((np.abs(x) <= 1) + 1.0 * (np.abs(x) == 1)), "at_ties"),
        Wrong("the value", lambda u, x: u * hardtanh(x), "value_for_derivative"),
        conditions.last_row_lost(hardtanh_vjp),
    ),
)  # fmt: skip


def absolute_vjp(u, x):
    return u * np.sign(x)


ABSOLUTE = Operation(
    "absolute", lambda x: np.abs(x), {"0 at 0": absolute_vjp, "1 at 0": lambda u, x: (np.where(x >= 0, u, -u),)},
    matrix, shapes=SHAPES, hard=HARD, smooth=False, torch=lambda x: T.abs(x), jax=lambda x: jnp.abs(x),
    wrong=(
        Wrong("x / |x|", lambda u, x: u * x / np.abs(x), ("at_zero", "nonfinite")),
        Wrong("x", lambda u, x: u * x, None),
        Wrong("|x|", lambda u, x: u * np.abs(x), "value_for_derivative"),
        Wrong("|u|", lambda u, x: np.abs(u) * np.sign(x), "cotangent_sign_ignored"),
        Wrong("u", lambda u, x: u.copy(), None),
        Wrong("2 at 0", lambda u, x: u * (np.sign(x) + 2 * (x == 0)), "at_zero"),
        Wrong("sign(u) sign(x)", lambda u, x: np.sign(u) * np.sign(x), None),
        conditions.raises_when(absolute_vjp, lambda x: x.size == 0, "raises for size 0"),
        faults.one_entry(absolute_vjp, "first", factor=0.0),
    ),
)  # fmt: skip


def clip_draw(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)), float(-rng.uniform(0.3, 1.0)), float(rng.uniform(0.3, 1.0)))


def clip_vjp(u, x, low, high):
    return (u * ((x > low) & (x < high)), None, None)


CLIP = Operation(
    "clip", keeps_half(lambda x, low, high: np.clip(x, low, high)),
    {"open": clip_vjp, "closed": lambda u, x, low, high: (u * ((x >= low) & (x <= high)), None, None)},
    clip_draw, smooth=False, torch=lambda x, low, high: T.clamp(x, low, high), jax=lambda x, low, high: jnp.clip(x, low, high),
    hard=((np.array([[-0.5, 0.0, 0.5, 7.0]]), -0.5, 0.5), (np.array([[3.0], [-3.0]]), -1.0, 2.0), (np.zeros((0, 2)), -1.0, 1.0)),
    wrong=(
        Wrong("low ignored", lambda u, x, low, high: (u * (x < high), None, None), None),
        Wrong("|x| < high", lambda u, x, low, high: (u * (np.abs(x) < high), None, None), None),
        Wrong("bounds of the unit interval", lambda u, x, low, high: (u * ((x > -1) & (x < 1)), None, None), None),
        Wrong("straight through", lambda u, x, low, high: (u.copy(), None, None), "at_saturation"),
        Wrong("clips the cotangent", lambda u, x, low, high: (np.clip(u, low, high) * ((x > low) & (x < high)), None, None), None),
        Wrong("the mask alone", lambda u, x, low, high: (1.0 * ((x > low) & (x < high)), None, None), "cotangent_ignored"),
        faults.one_entry(clip_vjp, "last", factor=0.0),
        conditions.squeezed(clip_vjp),
    ),
)  # fmt: skip


@keeps_half
def hardswish(x):
    return x * np.minimum(np.maximum(x + 3, 0), 6) / 6


@keeps_half
def hardswish_vjp(u, x):
    return u * np.where(x >= 3, 1, np.where(x <= -3, 0, (2 * x + 3) / 6))


def knots(rng):
    """Whole numbers in one draw of three, so that both knots are met exactly; no shape string could say so."""
    x = draws.normal(rng, *draws.sizes(rng, 2)) * 4
    return (np.round(x) if rng.random() < 0.34 else x,)


HARDSWISH = Operation(
    "hardswish", hardswish, {"x/3 + 1/2": hardswish_vjp}, knots,
    smooth=False, torch=lambda x: F.hardswish(x), jax=lambda x: nn.hard_swish(x),
    hard=((np.array([[3.0, -3.0, 0.0]]),), (np.array([[-40.0, 40.0]]),), (np.zeros((2, 0)),)),
    wrong=(
        Wrong("product rule forgotten", lambda u, x: u * np.clip(x + 3, 0, 6) / 6, None),
        Wrong("x/6 + 1/2", lambda u, x: u * np.where(x > 3, 1, np.where(x < -3, 0, x / 6 + 0.5)), None),
        Wrong("1 inside too", lambda u, x: u * (x > -3), None),
        Wrong("0 above 3", lambda u, x: u * np.where(np.abs(x) < 3, x / 3 + 0.5, 0), "at_saturation"),
        Wrong("2 at x = 3", lambda u, x: u * np.where(x == 3, 2, np.where(x > 3, 1, np.where(x < -3, 0, x / 3 + 0.5))), "at_ties"),
        faults.scaled(hardswish_vjp, 1.001),
    ),
)  # fmt: skip

OPERATIONS = (RELU, LEAKY, ELU, HARDTANH, ABSOLUTE, CLIP, HARDSWISH)
