"""Sums of a kind: sum, mean, variance, standard deviation, product, maximum, minimum, norms, moments as a tuple."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy")


def cube(rng):
    return (draws.normal(rng, *draws.sizes(rng, 3, high=3)),)


def matrix(rng):
    return (draws.distinct(rng, *draws.sizes(rng, 2)),)


CUBES = ((np.ones((2, 2, 2)),), (np.zeros((1, 1, 1)),), (np.zeros((2, 0, 3)),))
ROWS = ((np.array([[1.0, 2.0], [3.0, 5.0]]),), (np.array([[1.0]]),))


def spread(u, x, axis):
    return np.broadcast_to(np.expand_dims(u, axis), x.shape)


def total_vjp(u, x):
    return spread(u, x, 1).copy()


TOTAL = Operation(
    "sum", lambda x: x.sum(1), {"broadcast": total_vjp}, cube, shapes="x: n d m -> z: n m", hard=CUBES,
    torch=lambda x: x.sum(1), jax=lambda x: x.sum(1),
    wrong=(
        Wrong("a view of u", lambda u, x: spread(u, x, 1), "shared", strict=True),
        Wrong("divided by d", lambda u, x: spread(u, x, 1) / max(1, x.shape[1]), "factor"),
        Wrong("wrong axis when square", lambda u, x: spread(u, x, 0 if x.shape[0] == x.shape[1] else 1).copy(), None),
        Wrong("not broadcast", lambda u, x: np.expand_dims(u, 1).copy(), ("shape", "unbroadcast")),
        Wrong("tiled: rows in the wrong order", lambda u, x: np.tile(u, (x.shape[1], 1)).reshape(x.shape), None),
        Wrong("ones", lambda u, x: np.ones_like(x), "cotangent_ignored"),
        conditions.cotangent_in_memory_order(total_vjp),
        conditions.at_batch_one(total_vjp),
        conditions.raises_when(total_vjp, lambda x: x.size == 0, "raises for size 0"),
    ),
)  # fmt: skip


@keeps_half
def mean_vjp(u, x):
    return (np.broadcast_to(u / x.shape[0], x.shape).copy(),)


MEAN = Operation(
    "mean", lambda x: x.mean(0), {"u / n": mean_vjp}, lambda rng: (draws.normal(rng, *draws.sizes(rng, 2)),), shapes="x: n d -> z: d", hard=ROWS,
    torch=lambda x: x.mean(0), jax=lambda x: x.mean(0),
    wrong=(
        Wrong("n forgotten", lambda u, x: (np.broadcast_to(u, x.shape).copy(),), ("factor", "mean_for_sum")),
        Wrong("size for n", lambda u, x: (np.broadcast_to(u / x.size, x.shape).copy(),), "factor"),
        Wrong("d for n", lambda u, x: (np.broadcast_to(u / x.shape[1], x.shape).copy(),), ("at_nonsquare", "factor")),
        Wrong("n - 1", lambda u, x: (np.broadcast_to(u / max(1, len(x) - 1), x.shape).copy(),), "factor"),
        Wrong("mean of u", lambda u, x: (np.full_like(x, u.mean() / len(x)),), None),
        Wrong("a view", lambda u, x: (np.broadcast_to(u / len(x), x.shape) if len(x) > 1 else np.broadcast_to(u, x.shape),), "shared", strict=True),
        Wrong("integer division", lambda u, x: (np.broadcast_to(u // len(x), x.shape).copy(),), None),
        faults.through(mean_vjp),
        faults.remembers(mean_vjp),
    ),
)  # fmt: skip


def variance(x):
    return ((x - x.mean(1, keepdims=True)) ** 2).mean(1)


@keeps_half
def variance_vjp(u, x):
    return {"x": u[:, None] * 2 * (x - x.mean(1, keepdims=True)) / x.shape[1]}


VARIANCE = Operation(
    "var", variance, {"2 (x - mean) / d": variance_vjp}, matrix, shapes="x: n d -> z: n", hard=(*ROWS, (np.ones((2, 3)),)),
    torch=lambda x: x.var(1, unbiased=False), jax=lambda x: x.var(1),
    wrong=(
        Wrong("2 forgotten", lambda u, x: u[:, None] * (x - x.mean(1, keepdims=True)) / x.shape[1], "factor"),
        Wrong("d - 1", lambda u, x: u[:, None] * 2 * (x - x.mean(1, keepdims=True)) / max(1, x.shape[1] - 1), "factor"),
        Wrong("mean forgotten", lambda u, x: u[:, None] * 2 * x / x.shape[1], None),
        Wrong("global mean", lambda u, x: u[:, None] * 2 * (x - x.mean()) / x.shape[1], "at_batch"),
        Wrong("the squares", lambda u, x: u[:, None] * (x - x.mean(1, keepdims=True)) ** 2 / x.shape[1], None),
        Wrong("x centred in place", lambda u, x: u[:, None] * 2 * np.subtract(x, x.mean(1, keepdims=True), out=x) / x.shape[1], ("argument_changed", "shared")),
        faults.scaled(variance_vjp, 0.999),
        conditions.in_memory_order(variance_vjp),
    ),
)  # fmt: skip


def spreaded(rng):
    n, d = draws.sizes(rng, 2)
    return (draws.distinct(rng, n, d + 1),)


def deviation(x):
    return x.std(1)


def deviation_vjp(u, x):
    r = x.std(1, keepdims=True)
    return u[:, None] * (x - x.mean(1, keepdims=True)) / (np.where(r == 0, 1, r) * x.shape[1])


DEVIATION = Operation(
    "std", deviation, {"(x - mean) / (d std)": deviation_vjp}, spreaded, shapes="x: n d -> z: n", dtypes=("float64", "float32"), smooth=False,
    torch=lambda x: x.std(1, unbiased=False), jax=lambda x: x.std(1), hard=((np.array([[1.0, 2.0]]),), (np.array([[0.0, 0.0, 3.0]]),), (np.ones((2, 3)),)),
    wrong=(
        Wrong("variance's", lambda u, x: u[:, None] * 2 * (x - x.mean(1, keepdims=True)) / x.shape[1], None),
        Wrong("2 kept", lambda u, x: 2 * deviation_vjp(u, x), "factor"),
        Wrong("0 / 0 where a row is constant", lambda u, x: u[:, None] * (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) * x.shape[1]), ("at_ties", "nonfinite")),
        Wrong("divided by the variance", lambda u, x: deviation_vjp(u, x) / np.maximum(x.std(1, keepdims=True), 1e-9), None),
        Wrong("one std for the batch", lambda u, x: deviation_vjp(u, x) * x.std(1, keepdims=True) / max(x.std(), 1e-9), "at_batch"),
        faults.negated(deviation_vjp),
        faults.one_entry(deviation_vjp, "last"),
    ),
)  # fmt: skip


def product(x):
    return x.prod(1)


def product_vjp(u, x):
    """Products of all the others, from both sides: right where entries are zero."""
    ones = np.ones_like(x[:, :1])
    left = np.cumprod(np.concatenate((ones, x[:, :-1]), 1), 1)
    right = np.cumprod(np.concatenate((ones, x[:, :0:-1]), 1), 1)[:, ::-1]
    return u[:, None] * left * right


PRODUCT = Operation(
    "prod", product, {"from both sides": product_vjp}, matrix, shapes="x: n d -> z: n", torch=lambda x: x.prod(1), jax=lambda x: x.prod(1),
    hard=((np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 1.0]]),), (np.array([[2.0]]),), (np.array([[-1.0, 0.0]]),)),
    wrong=(
        Wrong("z / x: NaN at zero", lambda u, x: (u * x.prod(1))[:, None] / x, ("at_zero", "nonfinite")),
        Wrong("z / x, and zero where x is", lambda u, x: np.where(x == 0, 0, (u * x.prod(1))[:, None] / np.where(x == 0, 1, x)), "at_zero"),
        Wrong("the product itself", lambda u, x: (u * x.prod(1))[:, None] * np.ones_like(x), "value_for_derivative"),
        Wrong("product over the column", lambda u, x: u[:, None] * x.prod(0) / np.where(x == 0, 1, x), None),
        Wrong("one neighbour only", lambda u, x: u[:, None] * np.roll(x, 1, 1), None),
        faults.scaled(product_vjp, 1.001),
        faults.cotangent_sign_ignored(product_vjp),
        conditions.raises_when(product_vjp, lambda x: (x == 0).any(), "raises at zero"),
    ),
)  # fmt: skip


def maximum_vjp(u, x):
    return u[:, None] * (np.arange(x.shape[1]) == x.argmax(1)[:, None])


@keeps_half
def maximum_shared_vjp(u, x):
    ties = (x == x.max(1, keepdims=True)).astype(x.dtype)
    return u[:, None] * ties / ties.sum(1, keepdims=True)


def maximum_of_batch(u, x):
    return u[:, None] * (x == x.max(initial=-np.inf))


TIED = ((np.array([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]),), (np.zeros((2, 2)),), (np.array([[5.0], [-5.0]]),), (np.zeros((0, 2)),))

MAXIMUM = Operation(
    "max_reduce", lambda x: x.max(1), {"first of the tied": maximum_vjp, "shared by the tied": maximum_shared_vjp}, matrix,
    shapes="x: n d -> z: n", hard=TIED, smooth=False, torch=lambda x: x.amax(1), jax=lambda x: x.max(1),
    wrong=(
        Wrong("1 to each of several tied maxima", lambda u, x: u[:, None] * (x == x.max(1, keepdims=True)), "at_ties"),
        Wrong("maximum of the whole batch", maximum_of_batch, "at_batch"),
        Wrong("the minimum's", lambda u, x: u[:, None] * (np.arange(x.shape[1]) == x.argmin(1)[:, None]), None),
        Wrong("cotangent ignored", lambda u, x: 1.0 * (np.arange(x.shape[1]) == x.argmax(1)[:, None]), "cotangent_ignored"),
        Wrong("the maximum in place of 1", lambda u, x: maximum_vjp(u, x) * x, None),
        Wrong("column's maximum when square", lambda u, x: u[:, None] * (x == x.max(0)) if x.shape[0] == x.shape[1] else maximum_vjp(u, x), None),
        Wrong("0 to the tied", lambda u, x: maximum_vjp(u, x) * ((x == x.max(1, keepdims=True)).sum(1, keepdims=True) == 1), "at_ties"),
        faults.listed(maximum_vjp),
        conditions.squeezed(maximum_vjp),
    ),
)  # fmt: skip


def minimum_vjp(u, x):
    g = np.zeros_like(x)
    g[x.argmin(0), np.arange(x.shape[1])] = u
    return (g,)


MINIMUM = Operation(
    "min_reduce", lambda x: x.min(0), {"first of the tied": minimum_vjp}, matrix, shapes="x: n d -> z: d", hard=TIED[:3], smooth=False,
    torch=lambda x: x.amin(0), jax=lambda x: x.min(0),
    wrong=(
        Wrong("1 to each of the tied", lambda u, x: (u * (x == x.min(0)),), "at_ties"),
        Wrong("rows for columns when square", lambda u, x: ((u[:, None] * (x == x.min(1, keepdims=True))),) if x.shape[0] == x.shape[1] else minimum_vjp(u, x), None),
        Wrong("minus the maximum's", lambda u, x: (-u * (np.arange(len(x))[:, None] == x.argmax(0)),), None),
        faults.negated(minimum_vjp),
        faults.scaled(minimum_vjp, 2.0),
        faults.zero(minimum_vjp),
        faults.one_too_many(minimum_vjp),
    ),
)  # fmt: skip


def norm_vjp(u, x):
    r = np.sqrt((x * x).sum(1, keepdims=True))
    return u[:, None] * x / np.where(r == 0, 1, r)


NORM = Operation(
    "row_norm", lambda x: np.sqrt((x * x).sum(1)), {"x / r, 0 at 0": norm_vjp}, matrix, shapes="x: n d -> z: n", smooth=False,
    torch=lambda x: T.linalg.vector_norm(x, dim=1), jax=lambda x: jnp.linalg.norm(x, axis=1), hard=((np.array([[3.0, 4.0], [0.0, 0.0]]),), (np.array([[-2.0]]),)),
    wrong=(
        Wrong("0 / 0 at the origin", lambda u, x: u[:, None] * x / np.sqrt((x * x).sum(1, keepdims=True)), ("at_zero", "nonfinite")),
        Wrong("the square's", lambda u, x: u[:, None] * 2 * x, None),
        Wrong("1 / (2 r)", lambda u, x: norm_vjp(u, x) / 2, "factor"),
        Wrong("x r", lambda u, x: u[:, None] * x * np.sqrt((x * x).sum(1, keepdims=True)), None),
        Wrong("norm of the whole", lambda u, x: u[:, None] * x / max(np.sqrt((x * x).sum()), 1e-9), "at_batch"),
        Wrong("absolute values", lambda u, x: np.abs(norm_vjp(u, x)) * np.sign(u)[:, None], None),
    ),
)  # fmt: skip


def moments(x):
    return x.mean(0), ((x - x.mean(0)) ** 2).mean(0)


@keeps_half
def moments_vjp(u, x):
    return u[0] / len(x) + u[1] * 2 * (x - x.mean(0)) / len(x)


MOMENTS = Operation(
    "moments", moments, {"both": moments_vjp}, matrix, shapes="x: n d -> mean: d, var: d", hard=ROWS,
    torch=lambda x: (x.mean(0), x.var(0, unbiased=False)), jax=lambda x: (x.mean(0), x.var(0)),
    wrong=(
        Wrong("the mean's only", lambda u, x: np.broadcast_to(u[0] / len(x), x.shape).copy(), None),
        Wrong("the variance's only", lambda u, x: u[1] * 2 * (x - x.mean(0)) / len(x), None),
        Wrong("cotangents exchanged", lambda u, x: moments_vjp((u[1], u[0]), x), None),
        Wrong("2 forgotten", lambda u, x: u[0] / len(x) + u[1] * (x - x.mean(0)) / len(x), None),
        faults.cotangent_ignored(moments_vjp),
        faults.one_entry(moments_vjp, "first"),
        faults.scales_cotangent(moments_vjp),
    ),
)  # fmt: skip

OPERATIONS = (TOTAL, MEAN, VARIANCE, DEVIATION, PRODUCT, MAXIMUM, MINIMUM, NORM, MOMENTS)
