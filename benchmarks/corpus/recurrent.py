"""Cells and chains: LSTM cell, GRU cell, a recurrence unrolled, a gated unit, and maps that return several arrays."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.activations import logistic
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, F, jnp, nn = Framework("torch"), Framework("torch.nn.functional"), Framework("jax.numpy"), Framework("jax.nn")


def lstm_draw(rng):
    n, d, k = draws.sizes(rng, 3, high=3)
    r = lambda *shape: draws.normal(rng, *shape)  # noqa: E731 - five draws on one line
    return r(n, d), r(n, k), r(n, k), r(d + k, 4 * k), r(4 * k)


def lstm_gates(x, h, w, b):
    a = np.concatenate((x, h), 1) @ w + b
    i, f, g, o = np.split(a, 4, 1)
    return logistic(i), logistic(f), np.tanh(g), logistic(o)


@keeps_half
def lstm(x, h, c, w, b):
    i, f, g, o = lstm_gates(x, h, w, b)
    new = f * c + i * g
    return o * np.tanh(new), new


def lstm_gradients(u, x, h, c, w, b, cell=True, saturated=True, peephole=False, forget=True):
    i, f, g, o = lstm_gates(x, h, w, b)
    t = np.tanh(f * c + i * g)
    c_bar = (u[1] if cell else 0) + u[0] * o * ((1 - t * t) if saturated else 1)
    a_bar = np.concatenate((c_bar * g * i * (1 - i), c_bar * c * f * (1 - f), c_bar * i * (1 - g * g), u[0] * t * o * (1 - o)), 1)
    xh_bar = a_bar @ w.T
    d = x.shape[1]
    return xh_bar[:, :d].copy(), xh_bar[:, d:].copy(), c_bar * (f if forget else 1), np.concatenate((x, h), 1).T @ a_bar, a_bar.sum(0)


lstm_vjp = keeps_half(lambda u, *a: lstm_gradients(u, *a))


def lstm_in(concatenate, split, sigmoid, tanh):
    def forward(x, h, c, w, b):
        i, f, g, o = split(concatenate((x, h)) @ w + b)
        new = sigmoid(f) * c + sigmoid(i) * tanh(g)
        return sigmoid(o) * tanh(new), new

    return forward


def lstm_gates_exchanged(u, x, h, c, w, b):
    g = lstm_vjp(u, x, h, c, w, b)
    k = h.shape[1]
    order = np.concatenate((np.arange(k, 2 * k), np.arange(k), np.arange(2 * k, 4 * k)))
    return (*g[:3], g[3][:, order], g[4][order])


LSTM = Operation(
    "lstm_cell", lstm, {"by hand": lstm_vjp}, lstm_draw,
    torch=lambda *a: lstm_in(lambda p: T.cat(p, 1), lambda a: T.chunk(a, 4, 1), T.sigmoid, T.tanh)(*a),
    jax=lambda *a: lstm_in(lambda p: jnp.concatenate(p, 1), lambda a: jnp.split(a, 4, 1), nn.sigmoid, jnp.tanh)(*a),
    wrong=(
        Wrong("cell's cotangent ignored", lambda u, *a: lstm_gradients(u, *a, False), None),
        Wrong("tanh's derivative forgotten", lambda u, *a: lstm_gradients(u, *a, True, False), None),
        Wrong("forget gate left out of c", lambda u, *a: lstm_gradients(u, *a, True, True, False, False), None),
        Wrong("input and forget gates exchanged", lstm_gates_exchanged, None),
        faults.swapped(lstm_vjp, 1, 2),
        faults.zero(lstm_vjp, 4),
        faults.one_entry(lstm_vjp, "last", 4),
        faults.through(lstm_vjp),
        conditions.first_row_only(lstm_vjp, 2),
        faults.remembers(lstm_vjp),
    ),
)  # fmt: skip


def gru_draw(rng):
    n, d, k = draws.sizes(rng, 3, high=3)
    return draws.normal(rng, n, d), draws.normal(rng, n, k), draws.normal(rng, d, 3 * k), draws.normal(rng, k, 3 * k)


@keeps_half
def gru(x, h, w, v):
    k = h.shape[1]
    a, s = x @ w, h @ v
    r, z = logistic(a[:, :k] + s[:, :k]), logistic(a[:, k : 2 * k] + s[:, k : 2 * k])
    c = np.tanh(a[:, 2 * k :] + r * s[:, 2 * k :])
    return (1 - z) * c + z * h


def gru_gradients(u, x, h, w, v, direct=True, reset=True, update=1):
    k = h.shape[1]
    a, s = x @ w, h @ v
    r, z = logistic(a[:, :k] + s[:, :k]), logistic(a[:, k : 2 * k] + s[:, k : 2 * k])
    c = np.tanh(a[:, 2 * k :] + r * s[:, 2 * k :])
    c_bar = u * (1 - z) * (1 - c * c)
    r_bar = c_bar * s[:, 2 * k :] * r * (1 - r)
    z_bar = update * u * (h - c) * z * (1 - z)
    a_bar = np.concatenate((r_bar, z_bar, c_bar), 1)
    s_bar = np.concatenate((r_bar, z_bar, c_bar * r if reset else c_bar), 1)
    return {"x": a_bar @ w.T, "h": s_bar @ v.T + (u * z if direct else 0), "w": x.T @ a_bar, "v": h.T @ s_bar}


gru_vjp = keeps_half(lambda u, *a: gru_gradients(u, *a))


def gru_in(sigmoid, tanh):
    def forward(x, h, w, v):
        k = h.shape[1]
        a, s = x @ w, h @ v
        r, z = sigmoid(a[:, :k] + s[:, :k]), sigmoid(a[:, k : 2 * k] + s[:, k : 2 * k])
        return (1 - z) * tanh(a[:, 2 * k :] + r * s[:, 2 * k :]) + z * h

    return forward


GRU = Operation(
    "gru_cell", gru, {"by hand": gru_vjp}, gru_draw, torch=lambda *a: gru_in(T.sigmoid, T.tanh)(*a), jax=lambda *a: gru_in(nn.sigmoid, jnp.tanh)(*a),
    wrong=(
        Wrong("direct path forgotten", lambda u, *a: gru_gradients(u, *a, False), None),
        Wrong("reset gate forgotten", lambda u, *a: gru_gradients(u, *a, True, False), None),
        Wrong("c - h for h - c", lambda u, *a: gru_gradients(u, *a, True, True, -1), None),
        Wrong("v's missing", lambda u, *a: {key: g for key, g in gru_vjp(u, *a).items() if key != "v"}, None),
        faults.scaled(gru_vjp, 1.001, 3),
        faults.negated(gru_vjp, 2),
        faults.one_entry(gru_vjp, "middle", 1),
    ),
)  # fmt: skip


def chain_draw(rng):
    n, t, k = draws.sizes(rng, 3, high=3)
    return draws.normal(rng, t, n, k), draws.normal(rng, n, k), draws.normal(rng, k, k)


@keeps_half
def chain(x, h, w):
    states = []
    for row in x:
        h = np.tanh(row + h @ w)
        states.append(h)
    return np.stack(states)


def chain_gradients(u, x, h, w, steps=None, transposed=False, own=True, averaged=False):
    states = [h, *chain(x, h, w)]
    x_bar, w_bar, carried = np.zeros_like(x), np.zeros_like(w), np.zeros_like(h)
    for k in reversed(range(len(x))):
        carried = carried + u[k]
        a_bar = carried * (1 - states[k + 1] ** 2) if own else carried
        x_bar[k] = a_bar
        w_bar += np.asarray(states[k].T @ a_bar, w.dtype)
        carried = a_bar @ (w if transposed else w.T)
        if steps is not None and len(x) - k >= steps:
            carried = carried * 0
    return x_bar, carried, (w_bar / len(x) if averaged else w_bar)


chain_vjp = keeps_half(lambda u, *a: chain_gradients(u, *a))


def chain_in(tanh, stack):
    def forward(x, h, w):
        states = []
        for k in range(x.shape[0]):
            h = tanh(x[k] + h @ w)
            states.append(h)
        return stack(states)

    return forward


CHAIN = Operation(
    "rnn_unrolled", chain, {"through time": chain_vjp}, chain_draw, shapes="x: t n k, h: n k, w: k k -> z: t n k",
    torch=lambda *a: chain_in(T.tanh, T.stack)(*a), jax=lambda *a: chain_in(jnp.tanh, jnp.stack)(*a),
    hard=((np.zeros((2, 1, 2)), np.zeros((1, 2)), np.eye(2)),),
    wrong=(
        Wrong("truncated after one step", lambda u, *a: chain_gradients(u, *a, 1), None),
        Wrong("w not transposed", lambda u, *a: chain_gradients(u, *a, None, True), None),
        Wrong("tanh's derivative forgotten", lambda u, *a: chain_gradients(u, *a, None, False, False), "activation_for_preactivation"),
        Wrong("w averaged over time", lambda u, *a: chain_gradients(u, *a, None, False, True, True), ("factor", "mean_for_sum")),
        Wrong("w transposed", lambda u, *a: (lambda g: (g[0], g[1], g[2].T.copy()))(chain_vjp(u, *a)), "transposed"),
        Wrong("only the last cotangent", lambda u, *a: chain_gradients(u * (np.arange(len(u)) == len(u) - 1)[:, None, None], *a), None),
        faults.zero(chain_vjp, 1),
        faults.accumulates(chain_vjp, 2),
        faults.through(chain_vjp, "float16"),
    ),
)  # fmt: skip


def gated_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d), draws.normal(rng, n, d)


def gated_vjp(u, x, y):
    s = logistic(y)
    return u * s, u * x * s * (1 - s)


GATED = Operation(
    "gated_linear_unit", lambda x, y: x * logistic(y), {"product rule": gated_vjp}, gated_draw, shapes="x: n d, y: n d -> z: n d",
    torch=lambda x, y: x * T.sigmoid(y), jax=lambda x, y: x * nn.sigmoid(y), hard=((np.zeros((1, 2)), np.array([[0.0, 40.0]])), (np.ones((1, 2)), np.array([[-1000.0, 1000.0]]))),
    wrong=(
        Wrong("sigmoid's derivative forgotten", lambda u, x, y: (u * logistic(y), u * x), "activation_for_preactivation"),
        Wrong("x forgotten", lambda u, x, y: (u * logistic(y), u * logistic(y) * (1 - logistic(y))), None),
        Wrong("y (1 - y)", lambda u, x, y: (u * logistic(y), u * x * y * (1 - y)), None),
        faults.swapped(gated_vjp),
        faults.scaled(gated_vjp, 0.5, 1),
        faults.in_dtype_of_its_own(gated_vjp, "float64", "float32"),
        faults.nothing(gated_vjp, 0),
    ),
)  # fmt: skip


def polar_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.positive(rng, n, d), draws.normal(rng, n, d)


def polar(r, a):
    return r * np.cos(a), r * np.sin(a)


def polar_vjp(u, r, a):
    c, s = np.cos(a), np.sin(a)
    return u[0] * c + u[1] * s, r * (u[1] * c - u[0] * s)


POLAR = Operation(
    "polar", polar, {"rotation": polar_vjp}, polar_draw, shapes="r: n d, a: n d -> x: n d, y: n d",
    torch=lambda r, a: (r * T.cos(a), r * T.sin(a)), jax=lambda r, a: (r * jnp.cos(a), r * jnp.sin(a)), hard=((np.ones((1, 2)), np.zeros((1, 2))),),
    wrong=(
        Wrong("cotangents exchanged", lambda u, r, a: polar_vjp(u[::-1], r, a), None),
        Wrong("r forgotten", lambda u, r, a: (polar_vjp(u, r, a)[0], polar_vjp(u, r, a)[1] / r), None),
        Wrong("plus for minus", lambda u, r, a: (polar_vjp(u, r, a)[0], r * (u[1] * np.cos(a) + u[0] * np.sin(a))), None),
        Wrong("second output ignored", lambda u, r, a: polar_vjp((u[0], 0 * u[1]), r, a), None),
        faults.negated(polar_vjp, 1),
        faults.swapped(polar_vjp),
        faults.one_too_few(polar_vjp),
        faults.cotangent_ignored(polar_vjp),
    ),
)  # fmt: skip

OPERATIONS = (LSTM, GRU, CHAIN, GATED, POLAR)
