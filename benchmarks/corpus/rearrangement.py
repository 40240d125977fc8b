"""Entries moved, copied or dropped: pad, concatenate, stack, split, transpose, roll, triangle, tile."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong

T, F, jnp = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy")


def matrix(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)),)


def pad_draw(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)), int(rng.integers(0, 3)), int(rng.integers(0, 3)))


def pad_vjp(u, x, before, after):
    return (u[:, before : before + x.shape[1]].copy(), None, None)


PAD = Operation(
    "pad", lambda x, before, after: np.pad(x, ((0, 0), (before, after))), {"slice": pad_vjp}, pad_draw,
    torch=lambda x, before, after: F.pad(x, (before, after)), jax=lambda x, before, after: jnp.pad(x, ((0, 0), (before, after))),
    hard=((np.ones((2, 2)), 0, 1), (np.zeros((1, 1)), 2, 0), (np.zeros((0, 2)), 1, 1)),
    wrong=(
        Wrong("from the start", lambda u, x, before, after: (u[:, : x.shape[1]].copy(), None, None), None),
        Wrong("before and after exchanged", lambda u, x, before, after: (u[:, after : after + x.shape[1]].copy(), None, None), None),
        Wrong("u[before:-after]: empty without padding after", lambda u, x, before, after: (u[:, before : -after].copy(), None, None), "shape"),
        Wrong("a view", lambda u, x, before, after: (u[:, before : before + x.shape[1]], None, None), "shared", strict=True),
        Wrong("not cut", lambda u, x, before, after: (u.copy(), None, None), "shape"),
        faults.one_entry(pad_vjp, "last", factor=0.0),
        faults.scales_cotangent(pad_vjp),
    ),
)  # fmt: skip


def two_blocks(rng):
    n, d, m = draws.sizes(rng, 3)
    return draws.normal(rng, n, d), draws.normal(rng, n, m)


def concatenate_vjp(u, x, y):
    return u[:, : x.shape[1]].copy(), u[:, x.shape[1] :].copy()


CONCATENATE = Operation(
    "concatenate", lambda x, y: np.concatenate((x, y), 1), {"two slices": concatenate_vjp}, two_blocks, shapes="x: n d, y: n m -> z: n d+m",
    torch=lambda x, y: T.cat((x, y), 1), jax=lambda x, y: jnp.concatenate((x, y), 1), hard=((np.ones((1, 2)), np.zeros((1, 2))),),
    wrong=(
        Wrong("order exchanged", lambda u, x, y: (u[:, y.shape[1] :].copy(), u[:, : y.shape[1]].copy()), "swapped"),
        Wrong("first slice twice when equal", lambda u, x, y: (u[:, : x.shape[1]].copy(), u[:, : y.shape[1]].copy()) if x.shape == y.shape else concatenate_vjp(u, x, y), None),
        Wrong("views", lambda u, x, y: (u[:, : x.shape[1]], u[:, x.shape[1] :]), "shared", strict=True),
        Wrong("along the other axis when square", lambda u, x, y: tuple(np.array_split(u.reshape(-1), [x.size])[k].reshape(v.shape) for k, v in enumerate((x, y))), None),
        faults.zero(concatenate_vjp, 1),
        faults.one_too_few(concatenate_vjp),
        faults.one_entry(concatenate_vjp, "first", 1),
    ),
)  # fmt: skip


def alike(rng):
    n, d = draws.sizes(rng, 2)
    return tuple(draws.normal(rng, n, d) for _ in range(3))


def stack_vjp(u, x, y, z):
    return tuple(u[:, k].copy() for k in range(3))


STACK = Operation(
    "stack", lambda x, y, z: np.stack((x, y, z), 1), {"slices": stack_vjp}, alike, shapes="x: n d, y: n d, z: n d -> s: n 3 d",
    torch=lambda x, y, z: T.stack((x, y, z), 1), jax=lambda x, y, z: jnp.stack((x, y, z), 1), hard=((np.ones((3, 2)),) * 2 + (np.zeros((3, 2)),),),
    wrong=(
        Wrong("reversed", lambda u, x, y, z: stack_vjp(u, x, y, z)[::-1], "swapped"),
        Wrong("rotated", lambda u, x, y, z: tuple(np.roll(u, 1, 1)[:, k].copy() for k in range(3)), "swapped"),
        Wrong("along the first axis when of size 3", lambda u, x, y, z: tuple(u[k].copy() for k in range(3)) if u.shape[0] == u.shape[2] == 3 else stack_vjp(u, x, y, z), None),
        Wrong("reshaped", lambda u, x, y, z: tuple(u.reshape(3, *x.shape)), None),
        Wrong("the sum for each", lambda u, x, y, z: tuple(u.sum(1) for _ in range(3)), None),
        faults.nothing(stack_vjp, 2),
        faults.scaled(stack_vjp, 2.0, 1),
    ),
)  # fmt: skip


def split_draw(rng):
    n, d = draws.sizes(rng, 2)
    return (draws.normal(rng, n, 2 * d),)


def split(x):
    half = x.shape[1] // 2
    return x[:, :half].copy(), x[:, half:].copy()


def split_vjp(u, x):
    return (np.concatenate(u, 1),)


SPLIT = Operation(
    "split", split, {"concatenate": split_vjp}, split_draw, torch=lambda x: tuple(t.clone() for t in T.chunk(x, 2, 1)), jax=lambda x: tuple(jnp.split(x, 2, 1)),
    hard=((np.ones((1, 4)),), (np.zeros((0, 2)),)),
    wrong=(
        Wrong("halves exchanged", lambda u, x: (np.concatenate(u[::-1], 1),), None),
        Wrong("second cotangent ignored", lambda u, x: (np.concatenate((u[0], np.zeros_like(u[1])), 1),), None),
        Wrong("first half twice", lambda u, x: (np.concatenate((u[0], u[0]), 1),), None),
        Wrong("interleaved", lambda u, x: (np.stack(u, 2).reshape(x.shape),), None),
        Wrong("the sum of both, twice", lambda u, x: (np.concatenate((u[0] + u[1],) * 2, 1),), None),
        faults.cotangent_sign_ignored(split_vjp),
        faults.accumulates(split_vjp),
    ),
)  # fmt: skip


def transpose_vjp(u, x):
    return u.transpose(1, 2, 0).copy()


TRANSPOSE = Operation(
    "transpose", lambda x: x.transpose(2, 0, 1).copy(), {"inverse": transpose_vjp}, lambda rng: (draws.normal(rng, *draws.sizes(rng, 3)),),
    shapes="x: n d m -> z: m n d", torch=lambda x: x.permute(2, 0, 1).clone(), jax=lambda x: x.transpose(2, 0, 1), hard=((np.arange(8.0).reshape(2, 2, 2),),),
    wrong=(
        Wrong("the same permutation where it fits", lambda u, x: u.transpose(2, 0, 1).copy() if len(set(x.shape)) == 1 else transpose_vjp(u, x), None),
        Wrong("reshaped", lambda u, x: u.reshape(x.shape).copy(), None),
        Wrong("a view", lambda u, x: u.transpose(1, 2, 0), "shared", strict=True),
        Wrong("last two exchanged when square", lambda u, x: (lambda g: g.swapaxes(1, 2).copy() if g.shape[1] == g.shape[2] else g)(transpose_vjp(u, x)), "transposed"),
        Wrong("not transposed", lambda u, x: u.copy(), ("shape", "transposed")),
        conditions.cotangent_in_memory_order(transpose_vjp),
    ),
)  # fmt: skip


def roll_draw(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2, high=5)), int(rng.integers(-3, 4)))


def roll_vjp(u, x, k):
    return (np.roll(u, -k, 1), None)


ROLL = Operation(
    "roll", lambda x, k: np.roll(x, k, 1), {"rolled back": roll_vjp}, roll_draw, torch=lambda x, k: T.roll(x, k, 1), jax=lambda x, k: jnp.roll(x, k, 1),
    hard=((np.arange(3.0)[None], 1), (np.ones((2, 1)), 1)),
    wrong=(
        Wrong("rolled the same way", lambda u, x, k: (np.roll(u, k, 1), None), None),
        Wrong("rolled along the rows", lambda u, x, k: (np.roll(u, -k, 0), None), None),
        Wrong("shifted with zeros", lambda u, x, k: (np.roll(u, -k, 1) * (np.arange(x.shape[1]) < x.shape[1] - abs(k)), None), None),
        Wrong("rolled when flat", lambda u, x, k: (np.roll(u, -k), None), "at_batch"),
        faults.scaled(roll_vjp, -1.0),
        faults.one_entry(roll_vjp, "middle", factor=0.0),
    ),
)  # fmt: skip


def triangle_vjp(u, x):
    return {"x": np.tril(u)}


TRIANGLE = Operation(
    "tril", lambda x: np.tril(x), {"same triangle": triangle_vjp}, matrix, shapes="x: n d -> z: n d", torch=lambda x: T.tril(x), jax=lambda x: jnp.tril(x),
    hard=((np.zeros((2, 2)),), (np.ones((1, 3)),)),
    wrong=(
        Wrong("u as it is", lambda u, x: {"x": u.copy()}, None),
        Wrong("the other triangle", lambda u, x: {"x": np.triu(u)}, None),
        Wrong("diagonal left out", lambda u, x: {"x": np.tril(u, -1)}, None),
        Wrong("diagonal halved", lambda u, x: {"x": np.tril(u) - np.tril(np.triu(u)) / 2}, None),
        Wrong("mask of x", lambda u, x: {"x": u * (np.tril(x) != 0)}, "at_zero"),
        faults.transposed_shape(lambda u, x: np.tril(u)),
        Wrong("unknown key", lambda u, x: {"x": np.tril(u), "y": np.tril(u)}, None),
    ),
)  # fmt: skip


def tile_draw(rng):
    return (draws.normal(rng, *draws.sizes(rng, 1)), int(rng.integers(1, 4)))


def tile_vjp(u, x, k):
    return (u.sum(0), None)


TILE = Operation(
    "tile_rows", lambda x, k: np.tile(x, (k, 1)), {"summed": tile_vjp}, tile_draw, torch=lambda x, k: x.repeat(k, 1), jax=lambda x, k: jnp.tile(x, (k, 1)),
    hard=((np.ones(3), 3), (np.ones(1), 1)),
    wrong=(
        Wrong("first row", lambda u, x, k: (u[0].copy(), None), "unbroadcast"),
        Wrong("mean for sum", lambda u, x, k: (u.mean(0), None), ("mean_for_sum", "factor")),
        Wrong("other axis when square", lambda u, x, k: (u.sum(1) if k == len(x) else u.sum(0), None), None),
        Wrong("not summed", lambda u, x, k: (u.copy(), None), ("shape", "unbroadcast")),
        Wrong("a view where k is 1", lambda u, x, k: (u[0] if k == 1 else u.sum(0), None), "shared", strict=True),
        faults.cotangent_ignored(tile_vjp),
    ),
)  # fmt: skip

OPERATIONS = (PAD, CONCATENATE, STACK, SPLIT, TRANSPOSE, ROLL, TRIANGLE, TILE)
