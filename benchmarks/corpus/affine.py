"""Products: dense layer, batched matmul, bilinear form, outer product, residual mlp, attention, low-rank update."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.normalised import softmax, softmax_vjp
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, nn = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.nn")
EINSUM = ("float64", "float32", "float16")  # np.einsum has no bfloat16


def dense_draw(rng):
    n, d, m = draws.sizes(rng, 3)
    return draws.normal(rng, n, d), draws.normal(rng, d, m), draws.normal(rng, m)


@keeps_half
def dense(x, w, b):
    return x @ w + b


@keeps_half
def dense_vjp(u, x, w, b):
    return u @ w.T, x.T @ u, u.sum(0)


def dense_fortran(u, x, w, b):
    return u @ w.T, (u.ravel(order="K").reshape(u.shape).T @ x).T.copy(), u.sum(0)


DENSE = Operation(
    "dense", dense, {"tuple": dense_vjp, "dict": lambda u, x, w, b: dict(zip("bwx", dense_vjp(u, x, w, b)[::-1], strict=True))},
    dense_draw, shapes="x: n d, w: d m, b: m -> z: n m", torch=lambda x, w, b: x @ w + b, jax=lambda x, w, b: x @ w + b,
    hard=((np.ones((2, 2)), np.eye(2), np.zeros(2)), (np.zeros((0, 3)), np.ones((3, 2)), np.ones(2)), (np.ones((3, 1)), np.ones((1, 1)), np.ones(1))),
    wrong=(
        Wrong("bias: mean for sum", lambda u, x, w, b: (u @ w.T, x.T @ u, u.mean(0)), ("mean_for_sum", "factor")),
        Wrong("bias: sum forgotten", lambda u, x, w, b: (u @ w.T, x.T @ u, u), ("unbroadcast", "shape")),
        Wrong("bias: sum kept as a row", lambda u, x, w, b: (u @ w.T, x.T @ u, u.sum(0, keepdims=True)), "shape"),
        Wrong("bias: wrong axis when square", lambda u, x, w, b: (u @ w.T, x.T @ u, u.sum(1) if u.shape[0] == u.shape[1] else u.sum(0)), None),
        Wrong("bias: first row", lambda u, x, w, b: (u @ w.T, x.T @ u, u[0].copy() if len(u) else 0 * b), "at_batch"),
        Wrong("w not transposed when square", lambda u, x, w, b: (u @ (w if w.shape[0] == w.shape[1] else w.T), x.T @ u, u.sum(0)), None),
        Wrong("weights: transposed when square", lambda u, x, w, b: (u @ w.T, (u.T @ x) if w.shape[0] == w.shape[1] else x.T @ u, u.sum(0)), "transposed"),
        Wrong("weights: reshaped transpose", lambda u, x, w, b: (u @ w.T, (u.T @ x).reshape(w.shape), u.sum(0)), None),
        Wrong("weights: divided by n", lambda u, x, w, b: (u @ w.T, x.T @ u / max(1, len(x)), u.sum(0)), "factor"),
        Wrong("weights: 0.1 % too large", lambda u, x, w, b: (u @ w.T, 1.001 * (x.T @ u), u.sum(0)), "factor"),
        Wrong("weights: with the output", lambda u, x, w, b: (u @ w.T, x.T @ (u * (x @ w + b)), u.sum(0)), None),
        Wrong("bias: u shared for one row", lambda u, x, w, b: (u @ w.T, x.T @ u, u[0] if len(u) == 1 else u.sum(0)), "shared", strict=True),
        Wrong("cotangent centred in place", lambda u, x, w, b: (u @ w.T, x.T @ u, u.sum(0) + 0 * np.multiply(u, 0.5, out=u)[:1].sum()), "argument_changed"),
        faults.one_entry(dense_vjp, "first", 1),
        faults.one_entry(dense_vjp, "last", 2, factor=0.0),
        faults.one_too_few(dense_vjp),
        faults.nothing(dense_vjp, 2),
        faults.accumulates(dense_vjp, 1),
        faults.through(dense_vjp),
        Wrong("cotangent read in memory order", dense_fortran, None),
        conditions.at_batch_one(dense_vjp, 0),
    ),
)  # fmt: skip


def matmul_draw(rng):
    k, n, d, m = draws.sizes(rng, 4, high=3)
    return draws.normal(rng, k, n, d), draws.normal(rng, k, d, m)


@keeps_half
def matmul(a, b):
    return a @ b


@keeps_half
def matmul_vjp(u, a, b):
    return u @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ u


MATMUL = Operation(
    "batched_matmul", matmul, {"swapaxes": matmul_vjp}, matmul_draw, shapes="a: k n d, b: k d m -> z: k n m",
    torch=lambda a, b: a @ b, jax=lambda a, b: a @ b,
    hard=((np.ones((2, 2, 2)), np.ones((2, 2, 2))), (np.zeros((0, 2, 3)), np.zeros((0, 3, 1))), (np.ones((2, 1, 1)), np.ones((2, 1, 2)))),
    wrong=(
        Wrong("b not transposed where it fits", lambda u, a, b: (u @ b if b.shape[1] == b.shape[2] else matmul_vjp(u, a, b)[0], matmul_vjp(u, a, b)[1]), None),
        Wrong("first factor for the whole batch", lambda u, a, b: (u @ np.swapaxes(b[:1], -1, -2), matmul_vjp(u, a, b)[1]), "at_batch"),
        Wrong("summed over the batch", lambda u, a, b: (matmul_vjp(u, a, b)[0], np.broadcast_to((np.swapaxes(a, -1, -2) @ u).sum(0), b.shape).copy()), "at_batch"),
        faults.scaled(matmul_vjp, 2.0, 1),
        faults.transposed_shape(matmul_vjp, 1),
        faults.one_entry(matmul_vjp, "middle", 0, factor=1.001),
        conditions.transposed_when_square(matmul_vjp, 1),
        faults.negated(matmul_vjp, 1),
        faults.cotangent_ignored(matmul_vjp),
    ),
)  # fmt: skip


def bilinear_draw(rng):
    n, d, k, m = draws.sizes(rng, 4, high=3)
    return draws.normal(rng, n, d), draws.normal(rng, d, k, m), draws.normal(rng, n, k)


def bilinear(x, w, y):
    return np.einsum("nd,dkm,nk->nm", x, w, y)


def bilinear_vjp(u, x, w, y):
    return np.einsum("nm,dkm,nk->nd", u, w, y), np.einsum("nm,nd,nk->dkm", u, x, y), np.einsum("nm,nd,dkm->nk", u, x, w)


BILINEAR = Operation(
    "bilinear_einsum", bilinear, {"einsum": bilinear_vjp}, bilinear_draw, shapes="x: n d, w: d k m, y: n k -> z: n m", dtypes=EINSUM,
    torch=lambda x, w, y: T.einsum("nd,dkm,nk->nm", x, w, y), jax=lambda x, w, y: jnp.einsum("nd,dkm,nk->nm", x, w, y),
    hard=((np.ones((1, 2)), np.ones((2, 2, 2)), np.ones((1, 2))), (np.zeros((0, 2)), np.ones((2, 1, 3)), np.zeros((0, 1)))),
    wrong=(
        Wrong("d and k exchanged when equal", lambda u, x, w, y: (bilinear_vjp(u, x, w, y)[0], np.einsum("nm,nd,nk->kdm", u, x, y) if x.shape[1] == y.shape[1] else bilinear_vjp(u, x, w, y)[1], bilinear_vjp(u, x, w, y)[2]), "transposed"),
        Wrong("y forgotten", lambda u, x, w, y: (np.einsum("nm,dkm->nd", u, w), *bilinear_vjp(u, x, w, y)[1:]), None),
        Wrong("first row's y for all", lambda u, x, w, y: (bilinear_vjp(u, x, w, y[:1].repeat(len(y), 0))[0], *bilinear_vjp(u, x, w, y)[1:]), "at_batch"),
        Wrong("w summed over k", lambda u, x, w, y: (*bilinear_vjp(u, x, w, y)[:2], np.einsum("nm,nd,dm->n", u, x, w.sum(1))[:, None].repeat(y.shape[1], 1)), None),
        faults.scaled(bilinear_vjp, 0.5, 2),
        faults.through(bilinear_vjp, "float16"),
        faults.zero(bilinear_vjp, 2),
        faults.in_dtype_of_its_own(bilinear_vjp, "float32"),
    ),
)  # fmt: skip


def outer_draw(rng):
    n, m = draws.sizes(rng, 2)
    return draws.normal(rng, n), draws.normal(rng, m)


@keeps_half
def outer_vjp(u, x, y):
    return u @ y, x @ u


OUTER = Operation(
    "outer", lambda x, y: x[:, None] * y, {"u y, x u": outer_vjp}, outer_draw, shapes="x: n, y: m -> z: n m",
    torch=lambda x, y: T.outer(x, y), jax=lambda x, y: jnp.outer(x, y),
    hard=((np.ones(2), np.array([1.0, -1.0])), (np.zeros(0), np.ones(2)), (np.ones(1), np.ones(3))),
    wrong=(
        Wrong("u transposed when square", lambda u, x, y: ((u.T if len(x) == len(y) else u) @ y, x @ u), None),
        Wrong("swapped when square", lambda u, x, y: (x @ u, u @ y) if len(x) == len(y) else (u @ y, x @ u), "swapped"),
        Wrong("sums without the factor", lambda u, x, y: (u.sum(1), u.sum(0)), None),
        Wrong("the mean", lambda u, x, y: ((u * y).mean(1) if len(y) else u @ y, x @ u), ("mean_for_sum", "factor")),
        Wrong("diagonal when square", lambda u, x, y: (np.diag(u) * y, x @ u) if len(x) == len(y) else (u @ y, x @ u), None),
        faults.one_entry(outer_vjp, "last", 1),
        conditions.cotangent_in_memory_order(outer_vjp),
        conditions.needs_contiguous(outer_vjp),
    ),
)  # fmt: skip


def residual_draw(rng):
    n, d, h = draws.sizes(rng, 3)
    return draws.normal(rng, n, d), draws.normal(rng, d, h), draws.normal(rng, h), draws.normal(rng, h, d)


@keeps_half
def residual(x, w1, b1, w2):
    return x + np.tanh(x @ w1 + b1) @ w2


@keeps_half
def residual_vjp(u, x, w1, b1, w2, skip=1, scale=1, activation=True):
    a = np.tanh(x @ w1 + b1)
    a_bar = u @ w2.T
    h_bar = a_bar * (1 - a * a) if activation else a_bar
    return {"x": skip * u + h_bar @ w1.T, "w1": x.T @ h_bar * scale, "b1": h_bar.sum(0), "w2": a.T @ u}


def _residual_edit(name, change):
    def wrong(u, x, w1, b1, w2):
        g = residual_vjp(u, x, w1, b1, w2)
        return {**g, name: change(g[name], u, x, w1, b1, w2)}

    return wrong


RESIDUAL = Operation(
    "residual_mlp", residual, {"by hand": lambda u, x, w1, b1, w2: residual_vjp(u, x, w1, b1, w2)}, residual_draw,
    shapes="x: n d, w1: d h, b1: h, w2: h d -> z: n d", torch=lambda x, w1, b1, w2: x + T.tanh(x @ w1 + b1) @ w2,
    jax=lambda x, w1, b1, w2: x + jnp.tanh(x @ w1 + b1) @ w2, hard=((np.zeros((1, 2)), np.ones((2, 2)), np.zeros(2), np.eye(2)),),
    wrong=(
        Wrong("skip connection forgotten", lambda u, *a: residual_vjp(u, *a, 0), None),
        Wrong("skip counted twice", lambda u, *a: residual_vjp(u, *a, 2), None),
        Wrong("activation's derivative forgotten", lambda u, *a: residual_vjp(u, *a, 1, 1, False), "activation_for_preactivation"),
        Wrong("w1 averaged over the batch", _residual_edit("w1", lambda g, u, x, *a: g / max(1, len(x))), "factor"),
        Wrong("w2 from the pre-activation", _residual_edit("w2", lambda g, u, x, w1, b1, w2: (x @ w1 + b1).T @ u), None),
        Wrong("x: skip alone", _residual_edit("x", lambda g, u, *a: u.copy()), None),
        Wrong("b1 left out", lambda u, *a: {k: g for k, g in residual_vjp(u, *a).items() if k != "b1"}, None),
        Wrong("b1 under another name", lambda u, *a: {{"b1": "bias"}.get(k, k): g for k, g in residual_vjp(u, *a).items()}, None),
        Wrong("w1 and w2 exchanged when square", lambda u, x, w1, b1, w2: (lambda g: {**g, "w1": g["w2"], "w2": g["w1"]} if w1.shape == w2.shape else g)(residual_vjp(u, x, w1, b1, w2)), "swapped"),
        Wrong("first bias entry", _residual_edit("b1", lambda g, u, *a: np.where(np.arange(g.size) == 0, 0, g)), "one_entry"),
    ),
)  # fmt: skip


def attention_draw(rng):
    n, t, d, m = draws.sizes(rng, 4)
    return draws.normal(rng, n, d), draws.normal(rng, t, d), draws.normal(rng, t, m)


@keeps_half
def attention(q, k, v):
    return softmax(q @ k.T / np.sqrt(q.shape[1]).astype(q.dtype)) @ v


def attention_gradients(u, q, k, v, scale=None, diagonal=False, values=True):
    root = np.sqrt(q.shape[1]).astype(q.dtype)
    s = q @ k.T / root
    a = softmax(s)
    a_bar = u @ v.T
    s_bar = (a_bar * a * (1 - a) if diagonal else softmax_vjp(a_bar, s)) / (root if scale is None else scale)
    return s_bar @ k, s_bar.T @ q, (a.T @ u if values else s.T @ u)


attention_vjp = keeps_half(lambda u, q, k, v: attention_gradients(u, q, k, v))

ATTENTION = Operation(
    "attention", attention, {"softmax vjp": attention_vjp}, attention_draw, shapes="q: n d, k: t d, v: t m -> z: n m",
    torch=lambda q, k, v: T.softmax(q @ k.T / q.shape[1] ** 0.5, -1) @ v, jax=lambda q, k, v: nn.softmax(q @ k.T / q.shape[1] ** 0.5, -1) @ v,
    hard=((np.zeros((2, 2)), np.zeros((2, 2)), np.ones((2, 2))), (20 * np.ones((1, 4)), np.eye(4)[:3] * 20, np.ones((3, 2)))),
    wrong=(
        Wrong("1 / sqrt d forgotten", lambda u, q, k, v: attention_gradients(u, q, k, v, 1.0), "factor"),
        Wrong("1 / d for 1 / sqrt d", lambda u, q, k, v: attention_gradients(u, q, k, v, q.shape[1]), "factor"),
        Wrong("softmax's diagonal only", lambda u, q, k, v: attention_gradients(u, q, k, v, None, True), None),
        Wrong("values from the scores", lambda u, q, k, v: attention_gradients(u, q, k, v, None, False, False), None),
        Wrong("queries and keys exchanged when square", lambda u, q, k, v: (lambda a, b, c: (b, a, c) if a.shape == b.shape else (a, b, c))(*attention_vjp(u, q, k, v)), "swapped"),
        Wrong("scores transposed when square", lambda u, q, k, v: (lambda a, b, c: (a, _score_transposed(u, q, k, v), c) if len(q) == len(k) else (a, b, c))(*attention_vjp(u, q, k, v)), None),
        faults.zero(attention_vjp, 1),
        faults.scaled(attention_vjp, 0.5, 2),
        faults.through(attention_vjp),
        faults.remembers(attention_vjp),
        conditions.last_row_lost(attention_vjp, 1),
    ),
)  # fmt: skip


def _score_transposed(u, q, k, v):
    root = np.sqrt(q.shape[1])
    return softmax_vjp(u @ v.T, q @ k.T / root) / root @ q


OPERATIONS = (DENSE, MATMUL, BILINEAR, OUTER, RESIDUAL, ATTENTION)
