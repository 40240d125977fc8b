"""Losses: cross entropy, its binary form, squares, Huber, hinge, Kullback-Leibler, Poisson; some return a Python float."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.activations import logistic, softplus
from benchmarks.corpus.normalised import log_softmax, softmax
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, nn = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.nn")


def labelled(rng):
    n, c = draws.sizes(rng, 2, high=5)
    return draws.normal(rng, n, c) * 2, rng.integers(0, c, n)


def cross_entropy(x, y):
    return -log_softmax(x)[np.arange(len(y)), y].mean()


def onehot(x, y):
    return (np.arange(x.shape[1]) == y[:, None]).astype(x.dtype)


@keeps_half
def cross_entropy_vjp(u, x, y):
    return (u * (softmax(x) - onehot(x, y)) / len(y), None)


CROSS_ENTROPY = Operation(
    "cross_entropy", cross_entropy, {"s - onehot": cross_entropy_vjp, "None left out": lambda u, x, y: {"x": cross_entropy_vjp(u, x, y)[0]}},
    labelled, shapes="x: n c, y: n -> z:", domain={"y": "labels(c)"}, torch=lambda x, y: F.cross_entropy(x, y),
    jax=lambda x, y: -jnp.take_along_axis(nn.log_softmax(x, -1), y[:, None], 1).mean(),
    hard=((np.zeros((2, 3)), np.array([0, 0])), (np.array([[1000.0, -1000.0]]), np.array([1])), (np.array([[40.0, 0.0], [0.0, 40.0]]), np.array([0, 1]))),
    wrong=(
        Wrong("sum for mean", lambda u, x, y: (u * (softmax(x) - onehot(x, y)), None), "factor"),
        Wrong("divided by the classes", lambda u, x, y: (u * (softmax(x) - onehot(x, y)) / x.shape[1], None), ("at_nonsquare", "factor")),
        Wrong("divided by the size", lambda u, x, y: (u * (softmax(x) - onehot(x, y)) / x.size, None), "factor"),
        Wrong("onehot - s", lambda u, x, y: (u * (onehot(x, y) - softmax(x)) / len(y), None), "sign"),
        Wrong("softmax forgotten", lambda u, x, y: (u * (x - onehot(x, y)) / len(y), None), None),
        Wrong("upstream gradient forgotten", lambda u, x, y: ((softmax(x) - onehot(x, y)) / len(y), None), "cotangent_ignored"),
        Wrong("true class only", lambda u, x, y: (u * (softmax(x) - 1) * onehot(x, y) / len(y), None), None),
        Wrong("the loss", lambda u, x, y: (u * np.full_like(x, cross_entropy(x, y)), None), "value_for_derivative"),
        Wrong("derivative with respect to s", lambda u, x, y: (-u * onehot(x, y) / softmax(x) / len(y), None), ("activation_for_preactivation",)),
        Wrong("label off by one", lambda u, x, y: (u * (softmax(x) - np.roll(onehot(x, y), 1, 1)) / len(y), None), None),
        Wrong("first label for all", lambda u, x, y: (u * (softmax(x) - onehot(x, y[:1].repeat(len(y)))) / len(y), None), "at_batch"),
        Wrong("s -= 1 at repeated flat labels", lambda u, x, y: _repeated(u, x, y), "at_batch"),
        faults.through(cross_entropy_vjp),
        conditions.last_row_lost(cross_entropy_vjp),
    ),
)  # fmt: skip


def _repeated(u, x, y):
    s = softmax(x)
    s[:, y] -= 1
    return (u * s / len(y), None)


def binary(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d) * 2, rng.random((n, d))


@keeps_half
def bce(x, y):
    return (softplus(x) - x * y).mean()


@keeps_half
def bce_vjp(u, x, y):
    return (u * (logistic(x) - y) / x.size, -u * x / x.size)


def unstable_bce(u, x, y):
    e = np.exp(-x)
    p = 1 / (1 + e)
    return (u * (-y / p + (1 - y) / (1 - p)) * p * (1 - p) / x.size, -u * x / x.size)


BCE = Operation(
    "bce_with_logits", bce, {"s - y": bce_vjp}, binary, shapes="x: n d, y: n d -> z:", domain={"y": "probability"},
    torch=lambda x, y: F.binary_cross_entropy_with_logits(x, y), jax=lambda x, y: (nn.softplus(x) - x * y).mean(),
    hard=((np.array([[1000.0, -1000.0, 0.0]]), np.array([[0.5, 0.5, 0.5]])), (np.array([[40.0], [-40.0]]), np.array([[0.25], [0.75]]))),
    wrong=(
        Wrong("by p: 0 / 0 at saturation", unstable_bce, ("at_saturation", "nonfinite")),
        Wrong("mean over rows only", lambda u, x, y: (u * (logistic(x) - y) / len(x), -u * x / len(x)), "factor"),
        Wrong("derivative with respect to p", lambda u, x, y: (u * (logistic(x) - y) / (logistic(x) * (1 - logistic(x))) / x.size, -u * x / x.size), "activation_for_preactivation"),
        Wrong("s - onehot of y", lambda u, x, y: (u * (logistic(x) - (y > 0.5)) / x.size, -u * x / x.size), None),
        Wrong("0 for y: taken as constant", lambda u, x, y: (bce_vjp(u, x, y)[0], np.zeros_like(y)), "zero"),
        Wrong("sign of y's gradient", lambda u, x, y: (bce_vjp(u, x, y)[0], u * x / x.size), "sign"),
        Wrong("log s in y's gradient", lambda u, x, y: (bce_vjp(u, x, y)[0], -u * softplus(x) / x.size), None),
        Wrong("(s - y) s (1 - s)", lambda u, x, y: (bce_vjp(u, x, y)[0] * logistic(x) * (1 - logistic(x)), -u * x / x.size), None),
        faults.swapped(bce_vjp),
        faults.one_too_many(bce_vjp),
    ),
)  # fmt: skip


def pair(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), draws.normal(rng, n, d)


PAIR_HARD = ((np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]])), (np.zeros((2, 2)), np.array([[3.0, -1.0], [1.0, 0.0]])), (np.ones((1, 1)), np.zeros((1, 1))))


def mse(x, y):
    return float(np.mean((x - y) ** 2))


def mse_vjp(u, x, y):
    g = 2 * float(u) * (x - y) / x.size  # float: a float64 cotangent of a Python float must not widen float32
    return g, -g


MSE = Operation(
    "mse", mse, {"2 (x - y) / n": mse_vjp}, pair, shapes="x: n d, y: n d -> z:", hard=PAIR_HARD, dtypes=("float64", "float32"),
    torch=lambda x, y: F.mse_loss(x, y), jax=lambda x, y: ((x - y) ** 2).mean(),
    wrong=(
        Wrong("2 forgotten", lambda u, x, y: (u * (x - y) / x.size, u * (y - x) / x.size), "factor"),
        Wrong("n forgotten", lambda u, x, y: (2 * u * (x - y), 2 * u * (y - x)), "factor"),
        Wrong("rows for size", lambda u, x, y: (2 * u * (x - y) / len(x), 2 * u * (y - x) / len(x)), "factor"),
        Wrong("sign of y's gradient", lambda u, x, y: (2 * u * (x - y) / x.size, 2 * u * (x - y) / x.size), "sign"),
        Wrong("one array twice", lambda u, x, y: (lambda g: (g, np.negative(g, out=g)))(2 * u * (x - y) / x.size), ("sign", "shared")),
        Wrong("upstream forgotten", lambda u, x, y: (2 * (x - y) / x.size, 2 * (y - x) / x.size), "cotangent_ignored"),
        Wrong("the squares", lambda u, x, y: (u * (x - y) ** 2, -u * (x - y) ** 2), None),
        Wrong("root of the mean", lambda u, x, y: (u * (x - y) / np.sqrt(x.size), u * (y - x) / np.sqrt(x.size)), "factor"),
        Wrong("|x - y|", lambda u, x, y: (2 * u * np.abs(x - y) / x.size, -2 * u * np.abs(x - y) / x.size), None),
        faults.scaled(mse_vjp, 1.001),
        faults.swapped(mse_vjp),
        conditions.transposed_when_square(mse_vjp),
        faults.in_dtype_of_its_own(mse_vjp, "float64", "float32"),
    ),
)  # fmt: skip


def huber_draw(rng):
    return (*(2 * value for value in pair(rng)), float(rng.uniform(0.5, 2.0)))


@keeps_half
def huber(x, y, delta):
    r = np.abs(x - y)
    q = np.minimum(r, delta)
    return (0.5 * q * q + delta * (r - q)).sum()


@keeps_half
def huber_vjp(u, x, y, delta):
    g = u * np.clip(x - y, -delta, delta)
    return g, -g, None


def huber_no_delta(u, x, y, delta):
    g = u * np.where(np.abs(x - y) <= delta, x - y, np.sign(x - y))
    return g, -g, None


def huber_no_sign(u, x, y, delta):
    g = u * np.where(np.abs(x - y) <= delta, x - y, delta)
    return g, -g, None


HUBER = Operation(
    "huber", huber, {"clip": huber_vjp}, huber_draw, torch=lambda x, y, delta: F.huber_loss(x, y, delta=delta, reduction="sum"),
    jax=lambda x, y, delta: jnp.where(jnp.abs(x - y) <= delta, 0.5 * (x - y) ** 2, delta * (jnp.abs(x - y) - 0.5 * delta)).sum(),
    hard=((np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]]), 1.0), (np.array([[500.0], [-500.0]]), np.zeros((2, 1)), 0.5)),
    wrong=(
        Wrong("delta forgotten outside", huber_no_delta, "at_saturation"),
        Wrong("sign forgotten outside", huber_no_sign, None),
        Wrong("squares everywhere", lambda u, x, y, d: (u * (x - y), u * (y - x), None), "at_saturation"),
        Wrong("delta taken as 1", lambda u, x, y, d: huber_vjp(u, x, y, 1.0), None),
        Wrong("2 inside", lambda u, x, y, d: huber_vjp(2 * u, x, y, d), "factor"),
        Wrong("mean for sum", lambda u, x, y, d: huber_vjp(u / x.size, x, y, d), ("factor", "mean_for_sum")),
        faults.negated(huber_vjp, 1),
        faults.swapped(huber_vjp),
    ),
)  # fmt: skip


@keeps_half
def hinge(x, y):
    margins = np.maximum(x - x[np.arange(len(y)), y][:, None] + 1, 0) * (1 - onehot(x, y))
    return margins.sum() / len(y)


@keeps_half
def hinge_vjp(u, x, y):
    active = (x - x[np.arange(len(y)), y][:, None] + 1 > 0) * (1 - onehot(x, y))
    return (u * (active - active.sum(1, keepdims=True) * onehot(x, y)) / len(y), None)


def hinge_minus_one(u, x, y):
    active = (x - x[np.arange(len(y)), y][:, None] + 1 > 0) * (1 - onehot(x, y))
    return (u * (active - onehot(x, y)) / len(y), None)


def hinge_true_class_forgotten(u, x, y):
    active = (x - x[np.arange(len(y)), y][:, None] + 1 > 0) * (1 - onehot(x, y))
    return (u * active / len(y), None)


def hinge_no_margin(u, x, y):
    active = (x - x[np.arange(len(y)), y][:, None] > 0) * (1 - onehot(x, y))
    return (u * (active - active.sum(1, keepdims=True) * onehot(x, y)) / len(y), None)


def jax_hinge(x, y):
    margins = jnp.maximum(x - jnp.take_along_axis(x, y[:, None], 1) + 1, 0) * (1 - nn.one_hot(y, x.shape[1], dtype=x.dtype))
    return margins.sum() / y.shape[0]


def torch_hinge(x, y):
    margins = T.clamp(x - x.gather(1, y[:, None]) + 1, min=0) * (1 - F.one_hot(y, x.shape[1]).to(x.dtype))
    return margins.sum() / y.shape[0]


HINGE = Operation(
    "hinge", hinge, {"active - count": hinge_vjp}, labelled, shapes="x: n c, y: n -> z:", domain={"y": "labels(c)"}, smooth=False,
    torch=torch_hinge, jax=jax_hinge, hard=((np.zeros((2, 3)), np.array([2, 0])), (np.array([[1.0, 2.0, 0.0]]), np.array([1])), (np.ones((3, 1)), np.zeros(3, int))),
    wrong=(
        Wrong("-1 in place of -count", hinge_minus_one, None),
        Wrong("true class forgotten", hinge_true_class_forgotten, None),
        Wrong("margin forgotten", hinge_no_margin, None),
        Wrong("sum for mean", lambda u, x, y: (hinge_vjp(u, x, y)[0] * len(y), None), "factor"),
        Wrong("scores in place of indicators", lambda u, x, y: (u * np.maximum(x - x[np.arange(len(y)), y][:, None] + 1, 0) / len(y), None), None),
        faults.negated(hinge_vjp),
        faults.one_entry(hinge_vjp, "first", factor=0.5),
        faults.cotangent_sign_ignored(hinge_vjp),
    ),
)  # fmt: skip


def two_simplices(rng):
    n, d = draws.sizes(rng, 2, high=5)
    return draws.simplex(rng, n, d), draws.simplex(rng, n, d)


def kl(p, q):
    return (p * (np.log(p) - np.log(q))).sum(-1)


def kl_vjp(u, p, q):
    return u[:, None] * (np.log(p) - np.log(q) + 1), -u[:, None] * p / q


KL = Operation(
    "kl_divergence", kl, {"log p/q + 1, -p/q": kl_vjp}, two_simplices, shapes="p: n d, q: n d -> z: n", domain="positive",
    torch=lambda p, q: (p * (p.log() - q.log())).sum(-1), jax=lambda p, q: (p * (jnp.log(p) - jnp.log(q))).sum(-1),
    hard=((np.full((2, 2), 0.5), np.full((2, 2), 0.5)), (np.ones((1, 1)), np.ones((1, 1)))),
    wrong=(
        Wrong("+ 1 forgotten", lambda u, p, q: (u[:, None] * (np.log(p) - np.log(q)), -u[:, None] * p / q), None),
        Wrong("-1 / q", lambda u, p, q: (u[:, None] * (np.log(p) - np.log(q) + 1), -u[:, None] / q), None),
        Wrong("p / q", lambda u, p, q: (u[:, None] * (np.log(p) - np.log(q) + 1), u[:, None] * p / q), "sign"),
        Wrong("q / p: the other way round", lambda u, p, q: (u[:, None] * (np.log(p) - np.log(q) + 1), -u[:, None] * q / p), None),
        Wrong("batch mean", lambda u, p, q: tuple(g / len(p) for g in kl_vjp(u, p, q)), "factor"),
        Wrong("zero for p", lambda u, p, q: (np.zeros_like(p), -u[:, None] * p / q), "zero"),
        faults.swapped(kl_vjp),
        conditions.first_row_only(kl_vjp),
    ),
)  # fmt: skip


def counts(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), rng.poisson(2.0, (n, d))


@keeps_half
def poisson(x, y):
    return (np.exp(x) - y.astype(x.dtype) * x).mean()


@keeps_half
def poisson_vjp(u, x, y):
    return (u * (np.exp(x) - y.astype(x.dtype)) / x.size, None)


POISSON = Operation(
    "poisson_nll", poisson, {"exp x - y": poisson_vjp}, counts, shapes="x: n d, y: n d -> z:", domain={"y": "labels(6)"},
    torch=lambda x, y: (x.exp() - y * x).mean(), jax=lambda x, y: (jnp.exp(x) - y * x).mean(),
    hard=((np.zeros((2, 2)), np.zeros((2, 2), int)), (np.array([[-40.0, 5.0]]), np.array([[3, 0]]))),
    wrong=(
        Wrong("x - y", lambda u, x, y: (u * (x - y) / x.size, None), None),
        Wrong("y - exp x", lambda u, x, y: (u * (y - np.exp(x)) / x.size, None), "sign"),
        Wrong("1 - y / exp x: with respect to the rate", lambda u, x, y: (u * (1 - y * np.exp(-x)) / x.size, None), "activation_for_preactivation"),
        Wrong("sum for mean", lambda u, x, y: (u * (np.exp(x) - y), None), "factor"),
        Wrong("y forgotten", lambda u, x, y: (u * np.exp(x) / x.size, None), None),
        Wrong("0 where y is 0", lambda u, x, y: (u * (np.exp(x) - y) * (y > 0) / x.size, None), None),
    ),
)  # fmt: skip

OPERATIONS = (CROSS_ENTROPY, BCE, MSE, HUBER, HINGE, KL, POISSON)
