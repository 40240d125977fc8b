"""Gathering, scattering and choosing: embedding, gather along an axis, scatter-add, slice, where, dropout, maxout."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy")


def table_draw(rng):
    v, d, n = draws.sizes(rng, 3, high=5)
    return draws.normal(rng, v, d), rng.integers(0, v, n)


def embedding_vjp(u, w, i):
    g = np.zeros_like(w)
    np.add.at(g, i, u)
    return (g, None)


def embedding_by_onehot(u, w, i):
    hot = (np.arange(len(w))[:, None] == i).astype(w.dtype)
    return (np.asarray(hot @ u, w.dtype), None)


def embedding_assigned(u, w, i):
    g = np.zeros_like(w)
    g[i] = u
    return (g, None)


def embedding_fancy_add(u, w, i):
    g = np.zeros_like(w)
    g[i] += u
    return (g, None)


def embedding_averaged(u, w, i):
    g = embedding_vjp(u, w, i)[0]
    return (g / np.maximum(np.bincount(i, minlength=len(w)), 1)[:, None], None)


def embedding_dense(u, w, i):
    return (np.broadcast_to(u.sum(0), w.shape).copy(), None)


EMBEDDING = Operation(
    "embedding", lambda w, i: w[i], {"add.at": embedding_vjp, "onehot": embedding_by_onehot}, table_draw,
    shapes="w: v d, i: n -> z: n d", domain={"i": "labels(v)"}, torch=lambda w, i: F.embedding(i, w), jax=lambda w, i: w[i],
    hard=((np.arange(6.0).reshape(3, 2), np.array([1, 1, 0])), (np.ones((1, 2)), np.array([0, 0])), (np.ones((2, 2)), np.zeros(0, int))),
    wrong=(
        Wrong("fancy assignment: repeated index keeps the last", embedding_assigned, ("at_ties", "at_repeated")),
        Wrong("fancy +=: repeated index counted once", embedding_fancy_add, ("at_ties", "at_repeated")),
        Wrong("mean over repeated indices", embedding_averaged, ("at_ties", "at_repeated", "mean_for_sum")),
        Wrong("every row gets the sum", embedding_dense, None),
        Wrong("index 0 is padding", lambda u, w, i: (embedding_vjp(u, w, i)[0] * (np.arange(len(w)) > 0)[:, None], None), None),
        Wrong("the last row is lost", lambda u, w, i: (embedding_vjp(u, w, i)[0] * (np.arange(len(w)) < len(w) - 1)[:, None], None), None),
        Wrong("sorted indices assumed", lambda u, w, i: embedding_vjp(u, w, np.sort(i)), None),
        Wrong("wrong shape: per index", lambda u, w, i: (u.copy(), None), "shape"),
        faults.accumulates(embedding_vjp),
        Wrong("scaled by the number of rows", lambda u, w, i: (embedding_vjp(u, w, i)[0] * len(w), None), "factor"),
    ),
)  # fmt: skip


def gather_draw(rng):
    n, d, k = draws.sizes(rng, 3)
    return draws.normal(rng, n, d), rng.integers(0, d, (n, k))


def gather_vjp(u, x, i):
    g = np.zeros_like(x)
    np.add.at(g, (np.arange(len(x))[:, None], i), u)
    return (g, None)


def gather_put(u, x, i):
    g = np.zeros_like(x)
    np.put_along_axis(g, i, u, 1)
    return (g, None)


def gather_first_row(u, x, i):
    g = np.zeros_like(x)
    np.add.at(g, (np.arange(len(x))[:, None], np.broadcast_to(i[:1], i.shape)), u)
    return (g, None)


GATHER = Operation(
    "take_along_axis", lambda x, i: np.take_along_axis(x, i, 1), {"add.at": gather_vjp}, gather_draw,
    shapes="x: n d, i: n k -> z: n k", domain={"i": "labels(d)"}, torch=lambda x, i: x.gather(1, i), jax=lambda x, i: jnp.take_along_axis(x, i, 1),
    hard=((np.ones((2, 3)), np.array([[0, 0], [2, 1]])), (np.ones((1, 1)), np.zeros((1, 3), int))),
    wrong=(
        Wrong("put: repeated index keeps the last", gather_put, ("at_ties", "at_repeated")),
        Wrong("the first row's indices", gather_first_row, "at_batch"),
        Wrong("gathers the cotangent when square", lambda u, x, i: (np.take_along_axis(u, i, 1), None) if u.shape == x.shape else gather_vjp(u, x, i), None),
        Wrong("ones where indexed", lambda u, x, i: (gather_vjp(np.ones_like(u), x, i)[0], None), "cotangent_ignored"),
        faults.negated(gather_vjp),
        faults.zero(gather_vjp),
        conditions.cotangent_in_memory_order(gather_vjp),
    ),
)  # fmt: skip


def scatter_draw(rng):
    n, d, v = draws.sizes(rng, 3)
    return draws.normal(rng, v, d), rng.integers(0, v, n), draws.normal(rng, n, d)


def scatter(x, i, y):
    z = x.copy()
    np.add.at(z, i, y)
    return z


def scatter_vjp(u, x, i, y):
    return {"x": u.copy(), "y": u[i]}


SCATTER = Operation(
    "scatter_add", scatter, {"gather": scatter_vjp}, scatter_draw, shapes="x: v d, i: n, y: n d -> z: v d", domain={"i": "labels(v)"},
    torch=lambda x, i, y: x.index_add(0, i, y), jax=lambda x, i, y: x.at[i].add(y),
    hard=((np.zeros((2, 2)), np.array([1, 1]), np.ones((2, 2))), (np.ones((2, 1)), np.zeros(0, int), np.ones((0, 1)))),
    wrong=(
        Wrong("x overwritten: zero where indexed", lambda u, x, i, y: {"x": u * (~np.isin(np.arange(len(x)), i))[:, None], "y": u[i]}, None),
        Wrong("y's first rows", lambda u, x, i, y: {"x": u.copy(), "y": np.resize(u, y.shape)}, None),
        Wrong("u itself", lambda u, x, i, y: {"x": u, "y": u[i]}, "shared", strict=True),
        Wrong("u itself, and y a view of it where it can", lambda u, x, i, y: {"x": u, "y": u[int(i[0]):][: len(i)] if len(i) == 1 else u[i]}, "shared", strict=True),
        Wrong("repeated indices share", lambda u, x, i, y: {"x": u.copy(), "y": u[i] / np.bincount(i, minlength=len(x))[i][:, None]}, ("at_ties", "at_repeated", "mean_for_sum")),
        faults.zero(scatter_vjp, 1),
        faults.scaled(scatter_vjp, 2.0, 1),
        faults.scales_cotangent(scatter_vjp, -1.0),
    ),
)  # fmt: skip


def slice_draw(rng):
    n, d = draws.sizes(rng, 2, low=2, high=5)
    return draws.normal(rng, n, d), int(rng.integers(0, d)), int(rng.integers(1, 3))


def strided_vjp(u, x, start, step):
    g = np.zeros_like(x)
    g[:, start::step] = u
    return (g, None, None)


def strided_fault(place):
    def wrong(u, x, start, step):
        g = np.zeros_like(x)
        place(g, u, start, step)
        return (g, None, None)

    return wrong


def place_contiguous(g, u, start, step):
    width = min(u.shape[1], g.shape[1] - start)
    g[:, start : start + width] = u[:, :width]


def place_from_zero(g, u, start, step):
    g[:, ::step][:, : u.shape[1]] = u


SLICE = Operation(
    "strided_slice", lambda x, start, step: x[:, start::step].copy(), {"assign": strided_vjp}, slice_draw,
    torch=lambda x, start, step: x[:, start::step].clone(), jax=lambda x, start, step: x[:, start::step],
    hard=((np.ones((1, 5)), 1, 2), (np.ones((2, 2)), 0, 1)),
    wrong=(
        Wrong("step forgotten", strided_fault(place_contiguous), "at_stride"),
        Wrong("start forgotten", strided_fault(place_from_zero), None),
        Wrong("spread over the step", lambda u, x, start, step: (strided_vjp(u, x, start, step)[0] / step, None, None), ("factor", "at_stride")),
        Wrong("1 outside", lambda u, x, start, step: (strided_vjp(u - 1, x, start, step)[0] + 1, None, None), None),
        faults.flattened(strided_vjp),
        conditions.first_row_only(strided_vjp),
    ),
)  # fmt: skip


def where_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.mask(rng, n, d), draws.normal(rng, n, d), draws.normal(rng, n, d)


def where_vjp(u, c, x, y):
    return None, np.where(c, u, 0), np.where(c, 0, u)


WHERE = Operation(
    "where", lambda c, x, y: np.where(c, x, y), {"two masks": where_vjp, "dict": lambda u, c, x, y: {"x": u * c, "y": u * ~c}}, where_draw,
    torch=lambda c, x, y: T.where(c, x, y), jax=lambda c, x, y: jnp.where(c, x, y),
    hard=((np.ones((2, 2), bool), np.zeros((2, 2)), np.ones((2, 2))), (np.zeros((1, 3), bool), np.ones((1, 3)), np.ones((1, 3)))),
    wrong=(
        Wrong("sides exchanged", lambda u, c, x, y: (None, np.where(c, 0, u), np.where(c, u, 0)), "swapped"),
        Wrong("u to both", lambda u, c, x, y: (None, u.copy(), u.copy()), None),
        Wrong("u shared where all are true", lambda u, c, x, y: (None, u if c.all() else u * c, u * ~c), "shared", strict=True),
        Wrong("one array twice", lambda u, c, x, y: (lambda g: (None, g, g))(np.where(c, u, 0)), None),
        Wrong("y forgotten", lambda u, c, x, y: (None, np.where(c, u, 0), np.zeros_like(y)), "zero"),
        Wrong("by the sign of x", lambda u, c, x, y: (None, np.where(x > 0, u, 0), np.where(x > 0, 0, u)), None),
        Wrong("times the input", lambda u, c, x, y: (None, np.where(c, u * x, 0), np.where(c, 0, u * y)), None),
    ),
)  # fmt: skip


def dropout_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), draws.mask(rng, n, d), float(rng.uniform(0.3, 0.9))


@keeps_half
def dropout_vjp(u, x, kept, p):
    return (u * kept / p, None, None)


def fresh_mask():
    rng = np.random.default_rng()
    return lambda u, x, kept, p: (u * (rng.random(x.shape) < p) / p, None, None)


DROPOUT = Operation(
    "dropout", keeps_half(lambda x, kept, p: x * kept / p), {"same mask": dropout_vjp}, dropout_draw,
    torch=lambda x, kept, p: x * kept / p, jax=lambda x, kept, p: x * kept / p, hard=((np.zeros((1, 2)), np.ones((1, 2), bool), 0.5),),
    wrong=(
        Wrong("a fresh mask", fresh_mask, None, factory=True),
        Wrong("1 / p forgotten", lambda u, x, kept, p: (u * kept, None, None), "factor"),
        Wrong("times p", lambda u, x, kept, p: (u * kept * p, None, None), "factor"),
        Wrong("1 / (1 - p)", lambda u, x, kept, p: (u * kept / (1 - p), None, None), "factor"),
        Wrong("mask forgotten", lambda u, x, kept, p: (u / p, None, None), None),
        Wrong("mask inverted", lambda u, x, kept, p: (u * ~kept / p, None, None), None),
        Wrong("mask of x != 0", lambda u, x, kept, p: (u * (x * kept != 0) / p, None, None), "at_zero"),
        faults.scales_cotangent(dropout_vjp),
    ),
)  # fmt: skip


def maxout_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), draws.normal(rng, n, d)


def maximum_vjp(u, x, y):
    return u * (x >= y), u * (x < y)


MAXIMUM = Operation(
    "maximum", lambda x, y: np.maximum(x, y),
    {"ties to x": maximum_vjp, "ties halved": lambda u, x, y: (np.where(x == y, u / 2, u * (x > y)), np.where(x == y, u / 2, u * (x < y)))},
    maxout_draw, shapes="x: n d, y: n d -> z: n d", smooth=False, torch=lambda x, y: T.maximum(x, y), jax=lambda x, y: jnp.maximum(x, y),
    hard=((np.ones((2, 2)), np.ones((2, 2))), (np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, -0.0, 2.0]])), (np.zeros((0, 1)), np.zeros((0, 1)))),
    wrong=(
        Wrong("1 to both at a tie", lambda u, x, y: (u * (x >= y), u * (y >= x)), "at_ties"),
        Wrong("0 to both at a tie", lambda u, x, y: (u * (x > y), u * (y > x)), "at_ties"),
        Wrong("the minimum's", lambda u, x, y: (u * (x < y), u * (x >= y)), "swapped"),
        Wrong("against zero", lambda u, x, y: (u * (x > 0), u * (y > 0)), None),
        Wrong("magnitudes", lambda u, x, y: (u * (np.abs(x) >= np.abs(y)), u * (np.abs(x) < np.abs(y))), None),
        faults.negated(maximum_vjp, 1),
        faults.cotangent_ignored(maximum_vjp),
        conditions.last_row_lost(maximum_vjp, 1),
    ),
)  # fmt: skip

OPERATIONS = (EMBEDDING, GATHER, SCATTER, SLICE, WHERE, DROPOUT, MAXIMUM)
