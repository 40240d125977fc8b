"""Layers that centre and scale: layer, batch, rms, group and instance normalisation, standardisation of a vector."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy")
EPS = 1e-2


def rows(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), draws.signed(rng, d), draws.normal(rng, d)


HARD = (
    (np.ones((2, 3)), np.ones(3), np.zeros(3)), (np.array([[1.0, -1.0]]), np.ones(2), np.zeros(2)),
    (np.array([[2.0], [5.0]]), np.ones(1), np.ones(1)), (np.array([[30.0, -30.0, 0.0], [0.0, 1.0, 2.0]]), np.ones(3), np.ones(3)),
)  # fmt: skip


def standard(x, axis):
    centred = x - x.mean(axis, keepdims=True)
    r = np.sqrt((centred * centred).mean(axis, keepdims=True) + EPS)
    return centred / r, r


def standard_vjp(h_bar, x, axis, mean=True, variance=True):
    h, r = standard(x, axis)
    g = h_bar.copy()
    if mean:
        g = g - h_bar.mean(axis, keepdims=True)
    if variance:
        g = g - h * (h_bar * h).mean(axis, keepdims=True)
    return g / r


def make(axis, **terms):
    """The rule of gain * standard(x) + bias along `axis`; `terms` leaves parts out."""

    @keeps_half
    def rule(u, x, gain, bias):
        return standard_vjp(u * gain, x, axis, **terms), (u * standard(x, axis)[0]).sum(0), u.sum(0)

    return rule


def forward(axis):
    return keeps_half(lambda x, gain, bias: standard(x, axis)[0] * gain + bias)


def shared_faults(axis):
    right = make(axis)
    return (
        Wrong("mean held constant", make(axis, mean=False), None),
        Wrong("variance held constant", make(axis, variance=False), None),
        Wrong("both held constant", make(axis, mean=False, variance=False), None),
        Wrong("gain forgotten", lambda u, x, gain, bias: (standard_vjp(u, x, axis), *right(u, x, gain, bias)[1:]), None),
        Wrong("gain's gradient from x", lambda u, x, gain, bias: (right(u, x, gain, bias)[0], (u * x).sum(0), u.sum(0)), None),
        Wrong("gain's gradient is the bias'", lambda u, x, gain, bias: (right(u, x, gain, bias)[0], u.sum(0), u.sum(0)), None),
        Wrong("bias: mean for sum", lambda u, x, gain, bias: (*right(u, x, gain, bias)[:2], u.mean(0)), ("mean_for_sum", "factor")),
    )


layer_vjp, batch_vjp = make(1), make(0)


def unbiased_batch(u, x, gain, bias):
    n = len(x)
    centred = x - x.mean(0)
    r = np.sqrt((centred**2).sum(0) / max(n - 1, 1) + EPS)
    h, h_bar = centred / r, u * gain
    return (h_bar - h_bar.mean(0) - h * (h_bar * h).mean(0)) / r, (u * h).sum(0), u.sum(0)


def running_statistics():
    state = {}

    def rule(u, x, gain, bias):
        old = state.setdefault(x.shape, x.mean(0))
        mean = state[x.shape] = 0.9 * old + 0.1 * x.mean(0)
        r = np.sqrt(x.var(0) + EPS)
        right = batch_vjp(u, x, gain, bias)
        return right[0], (u * (x - mean) / r).sum(0), right[2]

    return rule


def torch_batch(x, gain, bias):
    r = T.sqrt(((x - x.mean(0)) ** 2).mean(0) + EPS)
    return (x - x.mean(0)) / r * gain + bias


LAYER = Operation(
    "layernorm", forward(1), {"two projections": layer_vjp, "dict": lambda u, x, gain, bias: dict(zip(("x", "gain", "bias"), layer_vjp(u, x, gain, bias), strict=True))},
    rows, hard=HARD, shapes="x: n d, gain: d, bias: d -> z: n d", torch=lambda x, gain, bias: F.layer_norm(x, (x.shape[1],), gain, bias, EPS),
    jax=lambda x, gain, bias: (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + EPS) * gain + bias,
    wrong=(
        *shared_faults(1),
        Wrong("the batch's statistics", lambda u, x, gain, bias: batch_vjp(u, x, gain, bias), None),
        Wrong("gain's sum forgotten for one row", lambda u, x, gain, bias: (layer_vjp(u, x, gain, bias)[0], (u * standard(x, 1)[0]), u.sum(0)), ("unbroadcast", "shape")),
        Wrong("sum over features when square", lambda u, x, gain, bias: (*layer_vjp(u, x, gain, bias)[:2], u.sum(1) if u.shape[0] == u.shape[1] else u.sum(0)), None),
        faults.swapped(layer_vjp, 1, 2),
        faults.through(layer_vjp),
        faults.one_entry(layer_vjp, "middle", 1),
        conditions.first_row_only(layer_vjp),
    ),
)  # fmt: skip

BATCH = Operation(
    "batchnorm", forward(0), {"two projections": batch_vjp}, rows, hard=HARD, shapes="x: n d, gain: d, bias: d -> z: n d",
    torch=torch_batch, jax=lambda x, gain, bias: (x - x.mean(0)) / jnp.sqrt(x.var(0) + EPS) * gain + bias,
    wrong=(
        *shared_faults(0),
        Wrong("unbiased variance", unbiased_batch, None),
        Wrong("moving average kept between calls", running_statistics, "second_call", factory=True),
        Wrong("n forgotten in the projections", lambda u, x, gain, bias: ((u * gain - (u * gain).sum(0) - standard(x, 0)[0] * (u * gain * standard(x, 0)[0]).sum(0)) / standard(x, 0)[1], *batch_vjp(u, x, gain, bias)[1:]), None),
        Wrong("divided by r twice", lambda u, x, gain, bias: (batch_vjp(u, x, gain, bias)[0] / standard(x, 0)[1], *batch_vjp(u, x, gain, bias)[1:]), None),
        Wrong("r recomputed without eps", lambda u, x, gain, bias: (batch_vjp(u, x, gain, bias)[0] * standard(x, 0)[1] / x.std(0), *batch_vjp(u, x, gain, bias)[1:]), None),
        faults.negated(batch_vjp, 2),
        faults.nothing(batch_vjp, 1),
        conditions.raises_when(batch_vjp, lambda x, gain, bias: len(x) == 1, "raises for one row"),
    ),
)  # fmt: skip


def rms_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), draws.signed(rng, d)


@keeps_half
def rms(x, gain):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * gain


def rms_gradients(u, x, gain, count=None, projected=True, gained=True):
    r = np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
    h, h_bar = x / r, u * gain if gained else u
    d = x.shape[-1] if count is None else count
    inner = (h_bar * h).sum(-1, keepdims=True) / d
    return (h_bar - h * inner if projected else h_bar) / r, (u * h).sum(0)


rms_vjp = keeps_half(lambda u, x, gain: rms_gradients(u, x, gain))

RMS = Operation(
    "rmsnorm", rms, {"projection": rms_vjp}, rms_draw, shapes="x: n d, gain: d -> z: n d",
    torch=lambda x, gain: x / T.sqrt((x * x).mean(-1, keepdim=True) + EPS) * gain, jax=lambda x, gain: x / jnp.sqrt((x * x).mean(-1, keepdims=True) + EPS) * gain,
    hard=((np.zeros((1, 3)), np.ones(3)), (np.array([[2.0], [-30.0]]), np.ones(1))),
    wrong=(
        Wrong("projection forgotten", lambda u, x, gain: rms_gradients(u, x, gain, None, False), None),
        Wrong("1 / d forgotten", lambda u, x, gain: rms_gradients(u, x, gain, 1), None),
        Wrong("n for d", lambda u, x, gain: rms_gradients(u, x, gain, len(x)), "at_nonsquare"),
        Wrong("gain forgotten", lambda u, x, gain: rms_gradients(u, x, gain, None, True, False), None),
        Wrong("gain: one row's", lambda u, x, gain: (rms_vjp(u, x, gain)[0], rms_vjp(u[:1], x[:1], gain)[1]), "at_batch"),
        Wrong("mean subtracted as in layernorm", lambda u, x, gain: (rms_vjp(u, x, gain)[0] - rms_vjp(u, x, gain)[0].mean(-1, keepdims=True), rms_vjp(u, x, gain)[1]), None),
        faults.scaled(rms_vjp, 1.001, 1),
        faults.in_dtype_of_its_own(rms_vjp, "float64", "float32"),
        conditions.squeezed(rms_vjp, 1),
    ),
)  # fmt: skip


def images(rng):
    n, h, w = draws.sizes(rng, 3, high=3)
    return (draws.normal(rng, n, 2, h, w) * 2,)


def instance(x):
    return standard(x, (2, 3))[0]


def instance_vjp(u, x):
    return standard_vjp(u, x, (2, 3))


INSTANCE = Operation(
    "instance_norm", keeps_half(instance), {"two projections": keeps_half(instance_vjp)}, images, shapes="x: n 2 h w -> z: n 2 h w",
    torch=lambda x: (x - x.mean((2, 3), keepdim=True)) / T.sqrt(x.var((2, 3), keepdim=True, unbiased=False) + EPS),
    jax=lambda x: (x - x.mean((2, 3), keepdims=True)) / jnp.sqrt(x.var((2, 3), keepdims=True) + EPS),
    hard=((np.ones((1, 2, 2, 2)),), (np.arange(8.0).reshape(1, 2, 2, 2),)),
    wrong=(
        Wrong("over the width only", lambda u, x: standard_vjp(u, x, (3,)), None),
        Wrong("over channels too", lambda u, x: standard_vjp(u, x, (1, 2, 3)), None),
        Wrong("mean held constant", lambda u, x: standard_vjp(u, x, (2, 3), mean=False), None),
        Wrong("variance held constant", lambda u, x: standard_vjp(u, x, (2, 3), variance=False), None),
        faults.through(instance_vjp, "float16"),
        conditions.in_memory_order(instance_vjp),
        conditions.first_row_only(instance_vjp),
        conditions.transposed_when_square(instance_vjp),
    ),
)  # fmt: skip


def vector(rng):
    return (draws.distinct(rng, *draws.sizes(rng, 1, low=2, high=7)),)


def zscore(x):
    return (x - x.mean()) / x.std()


def zscore_vjp(u, x):
    h = zscore(x)
    return (u - u.mean() - h * (u * h).mean()) / x.std()


ZSCORE = Operation(
    "zscore", zscore, {"projections": zscore_vjp}, vector, shapes="x: n -> z: n", dtypes=("float64", "float32"),
    torch=lambda x: (x - x.mean()) / x.std(unbiased=False), jax=lambda x: (x - x.mean()) / x.std(),
    hard=((np.array([1.0, 2.0, 4.0]),),),
    wrong=(
        Wrong("unbiased", lambda u, x: (u - u.mean() - (x - x.mean()) / x.std(ddof=1) * (u * (x - x.mean()) / x.std(ddof=1)).mean()) / x.std(ddof=1), None),
        Wrong("divided by the variance", lambda u, x: zscore_vjp(u, x) / x.std(), None),
        Wrong("std held constant", lambda u, x: (u - u.mean()) / x.std(), None),
        Wrong("all held constant", lambda u, x: u / x.std(), None),
        Wrong("x centred in place", lambda u, x: (lambda g: (np.subtract(x, x.mean(), out=x), g)[1])(zscore_vjp(u, x)), "argument_changed"),
        faults.one_entry(zscore_vjp, "first"),
    ),
)  # fmt: skip

OPERATIONS = (LAYER, BATCH, RMS, INSTANCE, ZSCORE)
