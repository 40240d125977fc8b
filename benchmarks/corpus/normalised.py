"""Rows made comparable: softmax, log softmax, logsumexp, softmin with a temperature, unit length, cosine similarity."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, nn = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.nn")


def rows(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)) * 2,)


HARD = (
    (np.zeros((2, 3)),), (np.array([[1000.0, 0.0, -1000.0], [-1000.0, -1000.0, -1000.0]]),), (np.array([[40.0, -40.0]]),),
    (np.array([[2.0], [3.0]]),), (np.zeros((0, 3)),),
)  # fmt: skip


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(u, x):
    s = softmax(x)
    return s * (u - (u * s).sum(-1, keepdims=True))


def softmax_by_jacobian(u, x):
    s = softmax(x)
    jacobian = s[:, :, None] * (np.eye(x.shape[1], dtype=x.dtype) - s[:, None, :])
    return ((jacobian * u[:, None, :]).sum(-1),)


def naive_softmax_vjp(u, x):
    e = np.exp(x)
    s = e / e.sum(-1, keepdims=True)
    return s * (u - (u * s).sum(-1, keepdims=True))


def softmax_wrong_axis(u, x):
    s = softmax(x)
    return s * (u - (u * s).sum(0, keepdims=True))


def softmax_in_place(u, x):
    x -= x.max(-1, keepdims=True)
    s = np.exp(x)
    s /= s.sum(-1, keepdims=True)
    return s * (u - (u * s).sum(-1, keepdims=True))


SOFTMAX = Operation(
    "softmax", softmax, {"s (u - u.s)": softmax_vjp, "by the Jacobian": softmax_by_jacobian}, rows, shapes="x: n d -> z: n d",
    hard=HARD, torch=lambda x: T.softmax(x, -1), jax=lambda x: nn.softmax(x, -1),
    wrong=(
        Wrong("diagonal only: s (1 - s) u", lambda u, x: u * softmax(x) * (1 - softmax(x)), "diagonal_only"),
        Wrong("the value", lambda u, x: u * softmax(x), "value_for_derivative"),
        Wrong("sum over the batch", softmax_wrong_axis, None),
        Wrong("mean for sum", lambda u, x: softmax(x) * (u - (u * softmax(x)).mean(-1, keepdims=True)), None),
        Wrong("s (u - u.s) with s left out of the sum", lambda u, x: softmax(x) * (u - u.sum(-1, keepdims=True)), None),
        Wrong("zeros: right for ones only", lambda u, x: np.zeros_like(x), "zero"),
        Wrong("s - u: the fusion with cross entropy", lambda u, x: softmax(x) - u, None),
        Wrong("naive exp overflows", naive_softmax_vjp, ("at_saturation", "nonfinite")),
        Wrong("subtracts the maximum in place", softmax_in_place, "argument_changed"),
        Wrong("derivative with respect to s", lambda u, x: u.copy(), "activation_for_preactivation"),
        Wrong("cotangent taken as ones", lambda u, x: softmax_vjp(np.ones_like(u), x), ("cotangent_ignored", "zero")),
        faults.through(softmax_vjp),
        conditions.first_row_only(softmax_vjp),
        conditions.cotangent_in_memory_order(softmax_vjp),
    ),
)  # fmt: skip


def log_softmax(x):
    shifted = x - x.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def log_softmax_vjp(u, x):
    return u - softmax(x) * u.sum(-1, keepdims=True)


LOG_SOFTMAX = Operation(
    "log_softmax", log_softmax, {"u - s sum u": log_softmax_vjp}, rows, shapes="x: n d -> z: n d", hard=HARD,
    torch=lambda x: T.log_softmax(x, -1), jax=lambda x: nn.log_softmax(x, -1),
    wrong=(
        Wrong("sum forgotten: u (1 - s)", lambda u, x: u * (1 - softmax(x)), "diagonal_only"),
        Wrong("sum u taken as 1", lambda u, x: u - softmax(x), None),
        Wrong("mean for sum", lambda u, x: u - softmax(x) * u.mean(-1, keepdims=True), None),
        Wrong("sum over the batch", lambda u, x: u - softmax(x) * u.sum(0, keepdims=True), None),
        Wrong("exp of the value times u", lambda u, x: u * softmax(x), None),
        Wrong("sum over everything", lambda u, x: u - softmax(x) * u.sum(), ("at_batch",)),
        faults.negated(log_softmax_vjp),
        faults.one_entry(log_softmax_vjp, "last"),
        conditions.at_batch_one(log_softmax_vjp),
        faults.in_dtype_of_its_own(log_softmax_vjp, "float32"),
    ),
)  # fmt: skip


def logsumexp(x):
    top = x.max(-1, keepdims=True)
    return np.log(np.exp(x - top).sum(-1)) + top[..., 0]


def logsumexp_vjp(u, x):
    return {"x": u[:, None] * softmax(x)}


def logsumexp_naive(u, x):
    return u[:, None] * np.exp(x) / np.exp(x).sum(-1, keepdims=True)


LOGSUMEXP = Operation(
    "logsumexp", logsumexp, {"u s": logsumexp_vjp}, rows, shapes="x: n d -> z: n", hard=HARD,
    torch=lambda x: T.logsumexp(x, -1), jax=lambda x: nn.logsumexp(x, -1),
    wrong=(
        Wrong("naive exp overflows", logsumexp_naive, ("at_saturation", "nonfinite")),
        Wrong("softmax over the batch", lambda u, x: u[:, None] * softmax(x.T).T, None),
        Wrong("softmax over everything", lambda u, x: u[:, None] * softmax(x.reshape(1, -1)).reshape(x.shape) if x.size else x.copy(), "at_batch"),
        Wrong("onehot of the maximum", lambda u, x: u[:, None] * (x == x.max(-1, keepdims=True)), None),
        Wrong("cotangent ignored", lambda u, x: softmax(x), "cotangent_ignored"),
        Wrong("cotangent broadcast along the wrong axis when square",
              lambda u, x: u * softmax(x) if x.shape[0] == x.shape[1] else u[:, None] * softmax(x), None),
        faults.sized(logsumexp_vjp, "divided by d", lambda x: 1 / max(1, x.shape[1])),
        faults.remembers(logsumexp_vjp),
        conditions.when_not_square(logsumexp_vjp),
    ),
)  # fmt: skip


def tempered_draw(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)), float(rng.uniform(0.3, 3.0)))


@keeps_half
def tempered(x, temperature):
    return softmax(x / temperature)


@keeps_half
def tempered_vjp(u, x, temperature):
    return (softmax_vjp(u, x / temperature) / temperature, None)


TEMPERED = Operation(
    "softmax_with_temperature", tempered, {"chain rule": tempered_vjp}, tempered_draw, dtypes=("float64", "float32"),
    torch=lambda x, temperature: T.softmax(x / temperature, -1), jax=lambda x, temperature: nn.softmax(x / temperature, -1),
    hard=((np.zeros((2, 3)), 0.5), (np.array([[1000.0, 0.0]]), 2.0)),
    wrong=(
        Wrong("1 / temperature forgotten", lambda u, x, t: (softmax_vjp(u, x / t), None), "factor"),
        Wrong("times the temperature", lambda u, x, t: (softmax_vjp(u, x / t) * t, None), "factor"),
        Wrong("softmax of x", lambda u, x, t: (softmax_vjp(u, x) / t, None), None),
        Wrong("diagonal only", lambda u, x, t: (u * softmax(x / t) * (1 - softmax(x / t)) / t, None), "diagonal_only"),
        faults.through(tempered_vjp, "float16"),
    ),
)  # fmt: skip


def away_from_zero(rng):
    return (draws.signed(rng, *draws.sizes(rng, 2)),)


def length(x):
    return np.sqrt((x * x).sum(-1, keepdims=True))


def unit(x):
    return x / length(x)


def unit_vjp(u, x):
    r = length(x)
    z = x / r
    return (u - z * (u * z).sum(-1, keepdims=True)) / r


UNIT = Operation(
    "l2_normalise", unit, {"projection": unit_vjp}, away_from_zero, shapes="x: n d -> z: n d",
    torch=lambda x: x / T.linalg.vector_norm(x, dim=-1, keepdim=True), jax=lambda x: x / jnp.linalg.norm(x, axis=-1, keepdims=True),
    hard=((np.array([[3.0, 4.0], [0.0, -2.0]]),), (np.array([[1e-3, 1e-3, 0.0]]),), (np.zeros((0, 2)),), (np.array([[-30.0, 40.0]]),)),
    wrong=(
        Wrong("norm held constant", lambda u, x: u / length(x), None),
        Wrong("projection without 1 / r", lambda u, x: u - unit(x) * (u * unit(x)).sum(-1, keepdims=True), None),
        Wrong("1 / r^2", lambda u, x: unit_vjp(u, x) / length(x), None),
        Wrong("plus the projection", lambda u, x: (u + unit(x) * (u * unit(x)).sum(-1, keepdims=True)) / length(x), None),
        Wrong("one projection for the batch", lambda u, x: (u - unit(x) * (u * unit(x)).sum()) / length(x), "at_batch"),
        Wrong("diagonal only", lambda u, x: u * (1 - unit(x) ** 2) / length(x), "diagonal_only"),
        Wrong("x for z in the projection", lambda u, x: (u - x * (u * x).sum(-1, keepdims=True)) / length(x), None),
        faults.scaled(unit_vjp, 1.001),
        conditions.in_memory_order(unit_vjp),
        faults.accumulates(unit_vjp),
    ),
)  # fmt: skip


def pair(rng):
    n, d = draws.sizes(rng, 2)
    return (draws.signed(rng, n, d), draws.signed(rng, n, d))


def cosine(x, y):
    return (x * y).sum(-1) / (length(x) * length(y))[:, 0]


def cosine_vjp(u, x, y):
    p, q = unit(x), unit(y)
    c = (p * q).sum(-1, keepdims=True)
    return u[:, None] * (q - c * p) / length(x), u[:, None] * (p - c * q) / length(y)


def cosine_no_projection(u, x, y):
    return u[:, None] * y / (length(x) * length(y)), u[:, None] * x / (length(x) * length(y))


def cosine_other_norm(u, x, y):
    gx, gy = cosine_vjp(u, x, y)
    return gx * length(x) / length(y), gy


COSINE = Operation(
    "cosine_similarity", cosine, {"two projections": cosine_vjp}, pair, shapes="x: n d, y: n d -> z: n",
    torch=lambda x, y: F.cosine_similarity(x, y, -1),
    jax=lambda x, y: (x * y).sum(-1) / (jnp.linalg.norm(x, axis=-1) * jnp.linalg.norm(y, axis=-1)),
    hard=((np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])), (np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]]))),
    wrong=(
        Wrong("norms held constant", cosine_no_projection, None),
        Wrong("divided by the other norm", cosine_other_norm, None),
        faults.swapped(cosine_vjp),
        faults.negated(cosine_vjp, 1),
        faults.zero(cosine_vjp, 1),
        faults.cotangent_ignored(cosine_vjp),
        faults.nothing(cosine_vjp, 1),
        faults.one_too_few(cosine_vjp),
        conditions.first_row_only(cosine_vjp, 1),
    ),
)  # fmt: skip

OPERATIONS = (SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, TEMPERED, UNIT, COSINE)
