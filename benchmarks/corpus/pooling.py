"""Windows reduced to a number, and their reverse: max and mean pooling, global mean, nearest upsampling."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, lax = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.lax")
view = np.lib.stride_tricks.sliding_window_view


def draw(rng):
    n, c = draws.sizes(rng, 2, high=2)
    p, stride = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return draws.distinct(rng, n, c, p + int(rng.integers(0, 4)), p + int(rng.integers(0, 4))), p, stride


def windows(x, p, stride):
    return view(x, (p, p), (2, 3))[:, :, ::stride, ::stride]


def max_pool(x, p, stride):
    return windows(x, p, stride).max((4, 5))


def shares(x, p, stride):
    """For each window a (p, p) array with 1 at its first maximum."""
    seen = windows(x, p, stride)
    flat = seen.reshape(*seen.shape[:4], p * p)
    return (np.arange(p * p) == flat.argmax(-1)[..., None]).reshape(seen.shape)


def place(parts, x, p, stride, assign=False):
    """Add parts[n, c, i, j, a, b] at x[n, c, i stride + a, j stride + b]."""
    g = np.zeros_like(x)
    rows, columns = parts.shape[2:4]
    for a in range(p):
        for b in range(p):
            target = g[:, :, a : a + stride * rows : stride, b : b + stride * columns : stride]
            if assign:
                target[parts[..., a, b] != 0] = parts[..., a, b][parts[..., a, b] != 0]
            else:
                target += parts[..., a, b]
    return g


def max_vjp(u, x, p, stride):
    return place(u[..., None, None] * shares(x, p, stride), x, p, stride), None, None


def ties(x, p, stride):
    return windows(x, p, stride) == max_pool(x, p, stride)[..., None, None]


@keeps_half
def max_split_vjp(u, x, p, stride):
    tied = ties(x, p, stride)
    return place((u[..., None, None] * tied / tied.sum((4, 5), keepdims=True)).astype(x.dtype), x, p, stride), None, None


def max_fault(parts, **options):
    def wrong(u, x, p, stride):
        return place(parts(u[..., None, None], x, p, stride), x, p, stride, **options), None, None

    return wrong


def max_stride_is_window(u, x, p, stride):
    g = np.zeros_like(x)
    parts = u[..., None, None] * shares(x, p, stride)
    for i in range(u.shape[2]):
        for j in range(u.shape[3]):
            target = g[:, :, i * p : i * p + p, j * p : j * p + p]
            target += parts[:, :, i, j, : target.shape[2], : target.shape[3]]
    return g, None, None


def jax_pool(x, p, stride, start, combine):
    return lax.reduce_window(x, start, combine, (1, 1, p, p), (1, 1, stride, stride), "VALID")


HARD = (
    (np.ones((1, 1, 3, 3)), 2, 1), (np.zeros((2, 1, 4, 4)), 2, 2), (np.array([[[[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [2.0, 0.0, 2.0]]]]), 3, 1),
    (np.arange(9.0).reshape(1, 1, 3, 3), 1, 2),
)  # fmt: skip

MAX_POOL = Operation(
    "max_pool", max_pool, {"first maximum": max_vjp, "ties share": max_split_vjp}, draw, smooth=False, hard=HARD,
    torch=lambda x, p, stride: F.max_pool2d(x, p, stride), jax=lambda x, p, stride: jax_pool(x, p, stride, -jnp.inf, lax.max),
    wrong=(
        Wrong("overlapping windows overwrite", max_fault(lambda u, x, p, s: u * shares(x, p, s), assign=True), "at_stride"),
        Wrong("stride taken for the window", max_stride_is_window, "at_stride"),
        Wrong("1 to each of the tied", max_fault(lambda u, x, p, s: u * ties(x, p, s)), "at_ties"),
        Wrong("spread like a mean", max_fault(lambda u, x, p, s: u * np.ones((p, p)) / p**2), None),
        Wrong("minimum", max_fault(lambda u, x, p, s: u * shares(-x, p, s)), None),
        Wrong("position transposed in the window", max_fault(lambda u, x, p, s: u * shares(x, p, s).swapaxes(4, 5)), None),
        Wrong("first position always", max_fault(lambda u, x, p, s: u * (np.arange(p * p) == 0).reshape(p, p)), None),
        Wrong("the maximum itself", max_fault(lambda u, x, p, s: u * shares(x, p, s) * windows(x, p, s)), None),
        faults.cotangent_ignored(max_vjp),
        conditions.first_row_only(max_vjp),
        Wrong("mask of the last call", lambda: _remembered(), "second_call", factory=True),
    ),
)  # fmt: skip


def _remembered():
    masks = {}

    def wrong(u, x, p, stride):
        mask = masks.setdefault((x.shape, p, stride), shares(x, p, stride))
        return place(u[..., None, None] * mask, x, p, stride), None, None

    return wrong


def mean_pool(x, p, stride):
    return windows(x, p, stride).mean((4, 5))


@keeps_half
def mean_vjp(u, x, p, stride):
    part = np.broadcast_to(u[..., None, None] / (p * p), (*u.shape, p, p))
    return {"x": place(part, x, p, stride)}


MEAN_POOL = Operation(
    "avg_pool", mean_pool, {"spread": mean_vjp}, draw, hard=HARD[:2], dtypes=("float64", "float32", "float16"),
    torch=lambda x, p, stride: F.avg_pool2d(x, p, stride), jax=lambda x, p, stride: jax_pool(x, p, stride, 0.0, lax.add) / p**2,
    wrong=(
        Wrong("1 / p^2 forgotten", lambda u, x, p, s: {"x": mean_vjp(u, x, p, s)["x"] * p * p}, ("factor", "mean_for_sum")),
        Wrong("1 / p for 1 / p^2", lambda u, x, p, s: {"x": mean_vjp(u, x, p, s)["x"] * p}, "factor"),
        Wrong("1 / stride^2", lambda u, x, p, s: {"x": mean_vjp(u, x, p, s)["x"] * p * p / s**2}, ("at_stride", "factor")),
        Wrong("overlapping windows overwrite", lambda u, x, p, s: {"x": place(np.broadcast_to(u[..., None, None] / (p * p), (*u.shape, p, p)), x, p, s, True)}, "at_stride"),
        Wrong("to the first corner only", lambda u, x, p, s: {"x": place(u[..., None, None] * (np.arange(p * p) == 0).reshape(p, p), x, p, s)}, None),
        faults.one_entry(mean_vjp, "first"),
        faults.through(mean_vjp),
        faults.in_dtype_of_its_own(mean_vjp, "float64", "float32"),
    ),
)  # fmt: skip


def images(rng):
    n, c, h, w = draws.sizes(rng, 4, high=3)
    return (draws.normal(rng, n, c, h, w),)


@keeps_half
def global_vjp(u, x):
    return np.broadcast_to((u / (x.shape[2] * x.shape[3]))[:, :, None, None], x.shape).copy()


GLOBAL = Operation(
    "global_avg_pool", lambda x: x.mean((2, 3)), {"spread": global_vjp}, images, shapes="x: n c h w -> z: n c",
    torch=lambda x: x.mean((2, 3)), jax=lambda x: x.mean((2, 3)), hard=((np.ones((1, 1, 1, 1)),),),
    wrong=(
        Wrong("area forgotten", lambda u, x: np.broadcast_to(u[:, :, None, None], x.shape).copy(), ("factor", "mean_for_sum")),
        Wrong("h twice: right for squares", lambda u, x: np.broadcast_to((u / x.shape[2] ** 2)[:, :, None, None], x.shape).copy(), ("at_nonsquare", "factor")),
        Wrong("channels and batch exchanged when equal", lambda u, x: global_vjp(u.T if u.shape[0] == u.shape[1] else u, x), "transposed"),
        Wrong("a read-only view", lambda u, x: np.broadcast_to((u / (x.shape[2] * x.shape[3]))[:, :, None, None], x.shape) if x.shape[2] * x.shape[3] > 1 else u[:, :, None, None], "shared", strict=True),
        faults.cotangent_sign_ignored(global_vjp),
        conditions.squeezed(global_vjp),
        conditions.last_row_lost(global_vjp),
    ),
)  # fmt: skip


def upsample_draw(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)), int(rng.integers(1, 4)))


def upsample(x, k):
    return np.repeat(x, k, 1)


def upsample_vjp(u, x, k):
    return (u.reshape(len(x), x.shape[1], k).sum(2), None)


UPSAMPLE = Operation(
    "nearest_upsample", upsample, {"summed": upsample_vjp}, upsample_draw,
    torch=lambda x, k: x.repeat_interleave(k, 1), jax=lambda x, k: jnp.repeat(x, k, 1), hard=((np.zeros((1, 2)), 2), (np.ones((2, 1)), 1)),
    wrong=(
        Wrong("first copy only", lambda u, x, k: (u[:, ::k].copy(), None), None),
        Wrong("mean for sum", lambda u, x, k: (upsample_vjp(u, x, k)[0] / k, None), ("mean_for_sum", "factor")),
        Wrong("tile's: other order", lambda u, x, k: (u.reshape(len(x), k, x.shape[1]).sum(1), None), None),
        Wrong("u where k is 1", lambda u, x, k: (u if k == 1 else upsample_vjp(u, x, k)[0], None), "shared", strict=True),
        faults.negated(upsample_vjp),
        conditions.cotangent_in_memory_order(upsample_vjp),
        faults.listed(lambda u, x, k: upsample_vjp(u, x, k)[0]),
    ),
)  # fmt: skip

OPERATIONS = (MAX_POOL, MEAN_POOL, GLOBAL, UPSAMPLE)
