"""Cross-correlations: one and two dimensions with a stride, depthwise, transposed and dilated.

Each gradient with respect to x places kernel-weighted cotangents where the windows lay; each one with respect to w
correlates the windows with the cotangent.
"""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong

T, F, jnp, lax = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.lax")
view = np.lib.stride_tricks.sliding_window_view


def draw1(rng):
    n, c, m, p = draws.sizes(rng, 4, high=3)
    return draws.normal(rng, n, c, p + int(rng.integers(0, 4))), draws.normal(rng, m, c, p)


def conv1(x, w):
    return np.tensordot(view(x, w.shape[2], 2), w, ((1, 3), (1, 2))).transpose(0, 2, 1)


def conv1_vjp(u, x, w):
    h = u.shape[2]
    x_bar = np.zeros_like(x)
    for a in range(w.shape[2]):
        x_bar[:, :, a : a + h] += np.tensordot(u, w[:, :, a], (1, 0)).transpose(0, 2, 1)
    return x_bar, np.tensordot(u, view(x, w.shape[2], 2), ((0, 2), (0, 2)))


def conv1_edit(x_bar=None, w_bar=None):
    def wrong(u, x, w):
        right = conv1_vjp(u, x, w)
        return (x_bar(u, x, w) if x_bar else right[0]), (w_bar(u, x, w) if w_bar else right[1])

    return wrong


def flip(w):
    return w[:, :, ::-1]


def edges_lost(u, x, w):
    g = conv1_vjp(u, x, w)[0]
    keep = (np.arange(x.shape[2]) >= w.shape[2] - 1) & (np.arange(x.shape[2]) <= x.shape[2] - w.shape[2])
    return g * keep


CONV1 = Operation(
    "conv1d", conv1, {"placed": conv1_vjp}, draw1, shapes="x: n c h, w: m c p -> z: n m h-p+1",
    torch=lambda x, w: F.conv1d(x, w), jax=lambda x, w: lax.conv(x, w, (1,), "VALID"),
    hard=((np.ones((1, 1, 3)), np.ones((1, 1, 3))), (np.zeros((2, 1, 4)), np.ones((1, 1, 2)))),
    wrong=(
        Wrong("kernel flipped in x", conv1_edit(lambda u, x, w: conv1_vjp(u, x, flip(w))[0]), "flipped"),
        Wrong("weights flipped", conv1_edit(None, lambda u, x, w: flip(conv1_vjp(u, x, w)[1]).copy()), "flipped"),
        Wrong("borders lost", conv1_edit(edges_lost), None),
        Wrong("weights: mean over the batch", conv1_edit(None, lambda u, x, w: conv1_vjp(u, x, w)[1] / len(x)), "factor"),
        Wrong("weights: mean over positions", conv1_edit(None, lambda u, x, w: conv1_vjp(u, x, w)[1] / u.shape[2]), ("factor", "mean_for_sum")),
        Wrong("weights: first example", conv1_edit(None, lambda u, x, w: conv1_vjp(u[:1], x[:1], w)[1]), "at_batch"),
        Wrong("channels transposed when equal", conv1_edit(None, lambda u, x, w: (lambda g: g.swapaxes(0, 1).copy() if g.shape[0] == g.shape[1] else g)(conv1_vjp(u, x, w)[1])), "transposed"),
        Wrong("kernel's channels transposed when equal", conv1_edit(lambda u, x, w: conv1_vjp(u, x, w.swapaxes(0, 1) if w.shape[0] == w.shape[1] else w)[0]), None),
        faults.cotangent_ignored(conv1_vjp),
        faults.one_entry(conv1_vjp, "first"),
        faults.one_entry(conv1_vjp, "last", 1),
        faults.through(conv1_vjp),
        faults.accumulates(conv1_vjp, 1),
    ),
)  # fmt: skip


def draw2(rng):
    n, c, m, p, q = draws.sizes(rng, 5, high=3)
    stride = int(rng.integers(1, 4))
    return draws.normal(rng, n, c, p + int(rng.integers(0, 4)), q + int(rng.integers(0, 4))), draws.normal(rng, m, c, p, q), stride


def windows(x, p, q, stride):
    return view(x, (p, q), (2, 3))[:, :, ::stride, ::stride]


def conv2(x, w, stride):
    return np.tensordot(windows(x, *w.shape[2:], stride), w, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)


def place2(u, x, w, stride, assign=False):
    x_bar = np.zeros_like(x)
    rows, columns = u.shape[2:]
    for a in range(w.shape[2]):
        for b in range(w.shape[3]):
            target = x_bar[:, :, a : a + stride * rows : stride, b : b + stride * columns : stride]
            part = np.tensordot(u, w[:, :, a, b], (1, 0)).transpose(0, 3, 1, 2)
            target[...] = part if assign else target + part
    return x_bar


def weights2(u, x, w, stride):
    return np.tensordot(u, windows(x, *w.shape[2:], stride), ((0, 2, 3), (0, 2, 3)))


def conv2_vjp(u, x, w, stride):
    return place2(u, x, w, stride), weights2(u, x, w, stride), None


def unstrided(u, x, w, stride):
    """Places the cotangents side by side, as for stride 1."""
    rows, columns = u.shape[2:]
    return place2(u, x[:, :, : rows + w.shape[2] - 1, : columns + w.shape[3] - 1], w, 1)


def padded_to(g, x):
    out = np.zeros_like(x)
    out[:, :, : g.shape[2], : g.shape[3]] = g[:, :, : x.shape[2], : x.shape[3]]
    return out


def jax_conv2(x, w, stride):
    return lax.conv_general_dilated(x, w, (stride, stride), "VALID")


CONV2 = Operation(
    "conv2d", conv2, {"placed": conv2_vjp, "dict": lambda u, x, w, stride: dict(zip("wx", conv2_vjp(u, x, w, stride)[1::-1], strict=True))}, draw2,
    torch=lambda x, w, stride: F.conv2d(x, w, stride=stride), jax=jax_conv2,
    hard=((np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), 1), (np.zeros((2, 1, 3, 5)), np.ones((1, 1, 3, 1)), 2)),
    wrong=(
        Wrong("stride forgotten in x", lambda u, x, w, s: (padded_to(unstrided(u, x, w, s), x), weights2(u, x, w, s), None), "at_stride"),
        Wrong("stride forgotten in the weights", lambda u, x, w, s: (place2(u, x, w, s), np.tensordot(u, view(x, w.shape[2:], (2, 3))[:, :, : u.shape[2], : u.shape[3]], ((0, 2, 3), (0, 2, 3))), None), "at_stride"),
        Wrong("overlapping windows overwrite", lambda u, x, w, s: (place2(u, x, w, s, True), weights2(u, x, w, s), None), "at_stride"),
        Wrong("kernel flipped", lambda u, x, w, s: (place2(u, x, w[:, :, ::-1, ::-1], s), weights2(u, x, w, s), None), "flipped"),
        Wrong("kernel flipped in one direction", lambda u, x, w, s: (place2(u, x, w[:, :, :, ::-1], s), weights2(u, x, w, s), None), "flipped"),
        Wrong("weights transposed when square", lambda u, x, w, s: (place2(u, x, w, s), weights2(u, x, w, s).swapaxes(2, 3).copy() if w.shape[2] == w.shape[3] else weights2(u, x, w, s), None), "transposed"),
        Wrong("divided by the stride", lambda u, x, w, s: (place2(u, x, w, s) / s, weights2(u, x, w, s), None), ("at_stride", "factor")),
        Wrong("weights from the first example", lambda u, x, w, s: (place2(u, x, w, s), weights2(u[:1], x[:1], w, s), None), "at_batch"),
        Wrong("raises where the stride leaves a rest", lambda u, x, w, s: conv2_vjp(u, x.reshape(x.shape) if (x.shape[2] - w.shape[2]) % s == 0 else x[None, None], w, s), None),
        faults.zero(conv2_vjp, 1),
        faults.through(conv2_vjp, "float16"),
        faults.remembers(conv2_vjp),
        conditions.in_memory_order(conv2_vjp),
        conditions.last_row_lost(conv2_vjp),
    ),
)  # fmt: skip


def draw_depth(rng):
    n, c, p, q = draws.sizes(rng, 4, high=3)
    return draws.normal(rng, n, c, p + int(rng.integers(0, 3)), q + int(rng.integers(0, 3))), draws.normal(rng, c, p, q)


def depthwise(x, w):
    return (view(x, w.shape[1:], (2, 3)) * w[:, None, None]).sum((4, 5))


def depthwise_vjp(u, x, w):
    x_bar = np.zeros_like(x)
    for a in range(w.shape[1]):
        for b in range(w.shape[2]):
            x_bar[:, :, a : a + u.shape[2], b : b + u.shape[3]] += u * w[:, a, b, None, None]
    return x_bar, (u[..., None, None] * view(x, w.shape[1:], (2, 3))).sum((0, 2, 3))


DEPTHWISE = Operation(
    "depthwise_conv", depthwise, {"placed": depthwise_vjp}, draw_depth, shapes="x: n c h l, w: c p q -> z: n c h-p+1 l-q+1",
    torch=lambda x, w: F.conv2d(x, w[:, None], groups=x.shape[1]),
    jax=lambda x, w: lax.conv_general_dilated(x, w[:, None], (1, 1), "VALID", feature_group_count=x.shape[1]),
    hard=((np.ones((1, 2, 2, 2)), np.ones((2, 2, 2))),),
    wrong=(
        Wrong("first channel's kernel for all", lambda u, x, w: (depthwise_vjp(u, x, np.broadcast_to(w[:1], w.shape))[0], depthwise_vjp(u, x, w)[1]), None),
        Wrong("weights summed over channels", lambda u, x, w: (depthwise_vjp(u, x, w)[0], np.broadcast_to(depthwise_vjp(u, x, w)[1].sum(0), w.shape).copy()), None),
        Wrong("flipped", lambda u, x, w: (depthwise_vjp(u, x, w[:, ::-1, ::-1])[0], depthwise_vjp(u, x, w)[1]), "flipped"),
        Wrong("flipped weights", lambda u, x, w: (depthwise_vjp(u, x, w)[0], depthwise_vjp(u, x, w)[1][:, ::-1, ::-1].copy()), "flipped"),
        Wrong("mean over the batch", lambda u, x, w: (depthwise_vjp(u, x, w)[0], depthwise_vjp(u, x, w)[1] / len(x)), "factor"),
        faults.scaled(depthwise_vjp, 1.001),
        faults.one_entry(depthwise_vjp, "middle", 1),
        faults.cotangent_sign_ignored(depthwise_vjp),
    ),
)  # fmt: skip


def draw_transposed(rng):
    n, c, m, p, h = draws.sizes(rng, 5, high=3)
    return draws.normal(rng, n, c, h), draws.normal(rng, c, m, p), int(rng.integers(1, 4))


def transposed(x, w, stride):
    n, _, h = x.shape
    z = np.zeros((n, w.shape[1], (h - 1) * stride + w.shape[2]), x.dtype)
    for a in range(w.shape[2]):
        z[:, :, a : a + (h - 1) * stride + 1 : stride] += np.tensordot(x, w[:, :, a], (1, 0)).transpose(0, 2, 1)
    return z


def transposed_vjp(u, x, w, stride):
    seen = view(u, w.shape[2], 2)[:, :, ::stride]
    return np.tensordot(seen, w, ((1, 3), (1, 2))).transpose(0, 2, 1), np.tensordot(x, seen, ((0, 2), (0, 2))), None


def transposed_unstrided(u, x, w, stride):
    seen = view(u, w.shape[2], 2)[:, :, : x.shape[2]]
    return np.tensordot(seen, w, ((1, 3), (1, 2))).transpose(0, 2, 1), transposed_vjp(u, x, w, stride)[1], None


TRANSPOSED = Operation(
    "transposed_conv", transposed, {"correlated": transposed_vjp}, draw_transposed,
    torch=lambda x, w, stride: F.conv_transpose1d(x, w, stride=stride),
    jax=lambda x, w, stride: lax.conv_general_dilated(x, w[:, :, ::-1].swapaxes(0, 1), (1,), [(w.shape[2] - 1,) * 2], lhs_dilation=(stride,)),
    hard=((np.ones((1, 1, 2)), np.ones((1, 1, 2)), 2),),
    wrong=(
        Wrong("stride forgotten", transposed_unstrided, "at_stride"),
        Wrong("kernel flipped", lambda u, x, w, s: (transposed_vjp(u, x, w[:, :, ::-1], s)[0], transposed_vjp(u, x, w, s)[1], None), "flipped"),
        Wrong("weights flipped", lambda u, x, w, s: (transposed_vjp(u, x, w, s)[0], transposed_vjp(u, x, w, s)[1][:, :, ::-1].copy(), None), "flipped"),
        Wrong("weights transposed when square", lambda u, x, w, s: (lambda a, b, c: (a, b.swapaxes(0, 1).copy() if b.shape[0] == b.shape[1] else b, c))(*transposed_vjp(u, x, w, s)), "transposed"),
        faults.negated(transposed_vjp, 1),
        faults.scaled(transposed_vjp, 0.5),
        conditions.first_row_only(transposed_vjp),
    ),
)  # fmt: skip


def draw_dilated(rng):
    p, dilation = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return draws.normal(rng, (p - 1) * dilation + int(rng.integers(1, 5))), draws.normal(rng, p), dilation


def dilated(x, w, dilation):
    span = (len(w) - 1) * dilation + 1
    return (view(x, span)[:, ::dilation] * w).sum(1)


def spread(u, x, w, dilation):
    x_bar = np.zeros_like(x)
    for a in range(len(w)):
        x_bar[a * dilation : a * dilation + len(u)] += u * w[a]
    return x_bar


def dilated_vjp(u, x, w, dilation):
    span = (len(w) - 1) * dilation + 1
    return spread(u, x, w, dilation), (u[:, None] * view(x, span)[:, ::dilation]).sum(0), None


def undilated(u, x, w, dilation):
    return spread(u, x, w, 1), dilated_vjp(u, x, w, dilation)[1], None


DILATED = Operation(
    "dilated_conv", dilated, {"placed": dilated_vjp}, draw_dilated, torch=lambda x, w, d: F.conv1d(x[None, None], w[None, None], dilation=d)[0, 0],
    jax=lambda x, w, d: lax.conv_general_dilated(x[None, None], w[None, None], (1,), "VALID", rhs_dilation=(d,))[0, 0],
    hard=((np.arange(5.0), np.ones(2), 3),),
    wrong=(
        Wrong("dilation forgotten in x", undilated, "at_stride"),
        Wrong("kernel flipped", lambda u, x, w, d: (dilated_vjp(u, x, w[::-1], d)[0], dilated_vjp(u, x, w, d)[1], None), "flipped"),
        Wrong("weights flipped", lambda u, x, w, d: (dilated_vjp(u, x, w, d)[0], dilated_vjp(u, x, w, d)[1][::-1].copy(), None), "flipped"),
        Wrong("mean over positions", lambda u, x, w, d: (dilated_vjp(u, x, w, d)[0], dilated_vjp(u, x, w, d)[1] / len(u), None), ("factor", "mean_for_sum")),
        faults.one_entry(dilated_vjp, "last", 0),
        faults.scaled(dilated_vjp, 1.001, 1),
    ),
)  # fmt: skip

OPERATIONS = (CONV1, CONV2, DEPTHWISE, TRANSPOSED, DILATED)
