"""Along an axis in order: sort, cumulative sum, product and maximum, difference, top-k, exponential moving average."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, jnp, lax = Framework("torch"), Framework("jax.numpy"), Framework("jax.lax")


def matrix(rng):
    n, d = draws.sizes(rng, 2, high=5)
    return (draws.distinct(rng, n, d),)


HARD = ((np.array([[0.0, 2.0, -1.0], [3.0, 0.0, 0.0]]),), (np.array([[1.0], [2.0]]),), (np.ones((1, 3)),))


def sort_vjp(u, x):
    g = np.zeros_like(x)
    np.put_along_axis(g, np.argsort(x, 1, kind="stable"), u, 1)
    return g


def sort_by_columns(u, x):
    g = np.zeros_like(x)
    np.put_along_axis(g, np.argsort(x, 0, kind="stable"), u, 0)
    return g


SORT = Operation(
    "sort", lambda x: np.sort(x, 1), {"scatter": sort_vjp}, matrix, shapes="x: n d -> z: n d", hard=HARD, smooth=False,
    torch=lambda x: T.sort(x, stable=True, dim=1).values, jax=lambda x: jnp.sort(x, 1),
    wrong=(
        Wrong("permutation for its inverse", lambda u, x: np.take_along_axis(u, np.argsort(x, 1), 1), None),
        Wrong("u as it is", lambda u, x: u.copy(), None),
        Wrong("columns sorted", sort_by_columns, None),
        Wrong("descending", lambda u, x: sort_vjp(u[:, ::-1], x), None),
        Wrong("first row's order for all", lambda u, x: sort_vjp(u, np.broadcast_to(x[:1], x.shape).copy()), "at_batch"),
        Wrong("sorts x in place", lambda u, x: (lambda g: (x.sort(1), g)[1])(sort_vjp(u, x)), "argument_changed"),
        Wrong("sorted cotangent", lambda u, x: sort_vjp(np.sort(u, 1), x), None),
        faults.one_entry(sort_vjp, "last"),
    ),
)  # fmt: skip


def cumsum_vjp(u, x):
    return np.cumsum(u[:, ::-1], 1)[:, ::-1]


CUMSUM = Operation(
    "cumsum", lambda x: np.cumsum(x, 1), {"reverse cumsum": cumsum_vjp}, matrix, shapes="x: n d -> z: n d", hard=HARD,
    torch=lambda x: T.cumsum(x, 1), jax=lambda x: jnp.cumsum(x, 1),
    wrong=(
        Wrong("not reversed", lambda u, x: np.cumsum(u, 1), None),
        Wrong("reversed once", lambda u, x: np.cumsum(u[:, ::-1], 1), None),
        Wrong("exclusive", lambda u, x: cumsum_vjp(u, x) - u, None),
        Wrong("along the rows", lambda u, x: np.cumsum(u[::-1], 0)[::-1], None),
        Wrong("the total for all", lambda u, x: np.broadcast_to(u.sum(1, keepdims=True), x.shape).copy(), None),
        Wrong("diagonal only", lambda u, x: u.copy(), "diagonal_only"),
        Wrong("over the flattened array", lambda u, x: np.cumsum(u.ravel()[::-1])[::-1].reshape(x.shape), "at_batch"),
        faults.one_entry(cumsum_vjp, "first"),
        faults.through(cumsum_vjp),
    ),
)  # fmt: skip


def cumprod_vjp(u, x):
    """sum over k >= i of u_k times the product of x_j, j <= k, j != i: no division, so zeros are safe."""
    g = np.zeros_like(x)
    for i in range(x.shape[1]):
        others = x.copy()
        others[:, i] = 1
        g[:, i] = (u[:, i:] * np.cumprod(others, 1)[:, i:]).sum(1)
    return g


def cumprod_by_division(u, x):
    return np.cumsum((u * np.cumprod(x, 1))[:, ::-1], 1)[:, ::-1] / x


CUMPROD = Operation(
    "cumprod", lambda x: np.cumprod(x, 1), {"without division": cumprod_vjp}, matrix, shapes="x: n d -> z: n d", hard=HARD,
    torch=lambda x: T.cumprod(x, 1), jax=lambda x: jnp.cumprod(x, 1),
    wrong=(
        Wrong("by division: NaN at zero", cumprod_by_division, ("at_zero", "nonfinite")),
        Wrong("by division, zero where x is", lambda u, x: np.where(x == 0, 0, np.cumsum((u * np.cumprod(x, 1))[:, ::-1], 1)[:, ::-1] / np.where(x == 0, 1, x)), "at_zero"),
        Wrong("not summed", lambda u, x: u * np.cumprod(x, 1) / np.where(x == 0, 1, x), "diagonal_only"),
        Wrong("not divided", lambda u, x: np.cumsum((u * np.cumprod(x, 1))[:, ::-1], 1)[:, ::-1], None),
        Wrong("division in place", lambda u, x: (lambda g: (np.multiply(x, 2, out=x), g)[1])(cumprod_vjp(u, x)), "argument_changed"),
        faults.negated(cumprod_vjp),
        faults.remembers(cumprod_vjp),
        conditions.at_batch_one(cumprod_vjp, factor=2.0),
    ),
)  # fmt: skip


def cummax_positions(x):
    best = np.zeros(x.shape, int)
    for i in range(1, x.shape[1]):
        previous = best[:, i - 1]
        best[:, i] = np.where(x[:, i] > np.take_along_axis(x, previous[:, None], 1)[:, 0], i, previous)
    return best


def cummax_vjp(u, x):
    g = np.zeros_like(x)
    np.add.at(g, (np.arange(len(x))[:, None], cummax_positions(x)), u)
    return (g,)


def cummax_assigned(u, x):
    g = np.zeros_like(x)
    np.put_along_axis(g, cummax_positions(x), u, 1)
    return (g,)


CUMMAX = Operation(
    "cummax", lambda x: np.maximum.accumulate(x, 1), {"add.at": cummax_vjp}, matrix, shapes="x: n d -> z: n d", hard=HARD, smooth=False,
    torch=lambda x: T.cummax(x, 1).values, jax=lambda x: lax.cummax(x, axis=1),
    wrong=(
        Wrong("assignment keeps the last", cummax_assigned, None),
        Wrong("only where the maximum rises", lambda u, x: (u * (cummax_positions(x) == np.arange(x.shape[1])),), "diagonal_only"),
        Wrong("to the row's maximum", lambda u, x: (u.sum(1, keepdims=True) * (np.arange(x.shape[1]) == x.argmax(1)[:, None]),), None),
        Wrong("1 to each of the tied", lambda u, x: (np.stack([(u[:, i:] * (x[:, i : i + 1] == np.maximum.accumulate(x, 1)[:, i:])).sum(1) for i in range(x.shape[1])], 1),), "at_ties"),
        faults.scaled(cummax_vjp, 1.001),
        faults.zero(cummax_vjp),
    ),
)  # fmt: skip


def difference(x):
    return x[:, 1:] - x[:, :-1]


def difference_vjp(u, x):
    g = np.zeros_like(x)
    g[:, 1:] += u
    g[:, :-1] -= u
    return {"x": g}


def difference_assigned(u, x):
    g = np.zeros_like(x)
    g[:, 1:] = u
    g[:, :-1] = -u
    return {"x": g}


DIFFERENCE = Operation(
    "diff", difference, {"plus and minus": difference_vjp}, lambda rng: (draws.normal(rng, *draws.sizes(rng, 2, low=2)),), shapes="x: n d -> z: n d-1",
    torch=lambda x: T.diff(x, dim=1), jax=lambda x: jnp.diff(x, axis=1), hard=((np.array([[1.0, 1.0]]),), (np.zeros((2, 4)),)),
    wrong=(
        Wrong("assignment for +=", difference_assigned, None),
        Wrong("plus for minus", lambda u, x: {"x": np.pad(u, ((0, 0), (1, 0))) + np.pad(u, ((0, 0), (0, 1)))}, None),
        Wrong("backward difference", lambda u, x: {"x": -difference_vjp(u, x)["x"]}, "sign"),
        Wrong("last column lost", lambda u, x: {"x": difference_vjp(u, x)["x"] * (np.arange(x.shape[1]) < x.shape[1] - 1)}, None),
        Wrong("central difference", lambda u, x: {"x": difference_vjp(u, x)["x"] / 2}, "factor"),
        conditions.first_row_only(difference_vjp),
        Wrong("wrong key", lambda u, x: {"input": difference_vjp(u, x)["x"]}, None),
    ),
)  # fmt: skip


def top_draw(rng):
    n, d = draws.sizes(rng, 2, low=2, high=5)
    return draws.distinct(rng, n, d), int(rng.integers(1, d + 1))


def top(x, k):
    return -np.sort(-x, 1)[:, :k]


def top_vjp(u, x, k):
    g = np.zeros_like(x)
    np.put_along_axis(g, np.argsort(-x, 1, kind="stable")[:, :k], u, 1)
    return (g, None)


def top_ascending(u, x, k):
    g = np.zeros_like(x)
    np.put_along_axis(g, np.argsort(x, 1, kind="stable")[:, -k:], u, 1)
    return (g, None)


TOP = Operation(
    "top_k", top, {"scatter": top_vjp}, top_draw, smooth=False, torch=lambda x, k: T.topk(x, k, 1).values,
    jax=lambda x, k: -jnp.sort(-x, 1)[:, :k], hard=((np.array([[1.0, 1.0, 0.0]]), 2), (np.array([[2.0], [1.0]]), 1)),
    wrong=(
        Wrong("ascending within the top", top_ascending, None),
        Wrong("everything at or above the k-th", lambda u, x, k: (u.sum(1, keepdims=True) * (x >= top(x, k)[:, -1:]) / k, None), None),
        Wrong("first k columns", lambda u, x, k: (np.pad(u, ((0, 0), (0, x.shape[1] - k))), None), None),
        Wrong("the largest only", lambda u, x, k: top_vjp(u * (np.arange(k) == 0), x, k), None),
        Wrong("the smallest", lambda u, x, k: top_vjp(u, -x, k), None),
        faults.scaled(top_vjp, 0.5),
        conditions.last_row_lost(top_vjp),
    ),
)  # fmt: skip


def average_draw(rng):
    n, d = draws.sizes(rng, 2, high=5)
    return draws.normal(rng, n, d), float(rng.uniform(0.2, 0.8))


@keeps_half
def average(x, a):
    state, states = np.zeros_like(x[:, 0]), []
    for column in x.T:
        state = a * state + (1 - a) * column
        states.append(state)
    return np.stack(states, 1)


@keeps_half
def average_vjp(u, x, a):
    g, carried = np.zeros_like(x), np.zeros_like(x[:, 0])
    for i in reversed(range(x.shape[1])):
        carried = carried + u[:, i]
        g[:, i] = (1 - a) * carried
        carried = a * carried
    return (g, None)


def framework_average(stack):
    def forward(x, a):
        state, states = 0 * x[:, 0], []
        for i in range(x.shape[1]):
            state = a * state + (1 - a) * x[:, i]
            states.append(state)
        return stack(states)

    return forward


AVERAGE = Operation(
    "moving_average", average, {"reverse recursion": average_vjp}, average_draw, dtypes=("float64", "float32"),
    torch=framework_average(lambda s: T.stack(s, 1)), jax=framework_average(lambda s: jnp.stack(s, 1)), hard=((np.zeros((1, 3)), 0.5),),
    wrong=(
        Wrong("run forwards", lambda u, x, a: (average(u, a), None), None),
        Wrong("1 - a forgotten", lambda u, x, a: (average_vjp(u, x, a)[0] / (1 - a), None), "factor"),
        Wrong("history forgotten", lambda u, x, a: ((1 - a) * u, None), "diagonal_only"),
        Wrong("a and 1 - a exchanged", lambda u, x, a: average_vjp(u, x, 1 - a), None),
        Wrong("truncated after two steps", lambda u, x, a: ((1 - a) * (u + a * np.pad(u[:, 1:], ((0, 0), (0, 1)))), None), None),
        faults.through(average_vjp),
    ),
)  # fmt: skip

OPERATIONS = (SORT, CUMSUM, CUMPROD, CUMMAX, DIFFERENCE, TOP, AVERAGE)
