"""Elementwise maps of one, two and three arrays, broadcasting among them: +, *, /, power, root, log, logaddexp, angles."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, jnp = Framework("torch"), Framework("jax.numpy")


def broadcast_draw(rng):
    n, d = draws.sizes(rng, 2)
    first = (n, d) if rng.random() < 0.7 else (1, d)
    second = [(d,), (n, 1), (1, d), (1, 1), (n, d)][int(rng.integers(5))]
    return draws.signed(rng, *first), draws.signed(rng, *second)


def unbroadcast(g, x):
    """Sum over the axes along which x was stretched."""
    while g.ndim > x.ndim:
        g = g.sum(0)
    for axis, size in enumerate(x.shape):
        if size == 1 and g.shape[axis] != 1:
            g = g.sum(axis, keepdims=True)
    return g.copy()


def leading_only(g, x):
    while g.ndim > x.ndim:
        g = g.sum(0)
    return g.copy()


def averaged(g, x):
    while g.ndim > x.ndim:
        g = g.mean(0)
    for axis, size in enumerate(x.shape):
        if size == 1:
            g = g.mean(axis, keepdims=True)
    return g.copy()


def first_taken(g, x):
    while g.ndim > x.ndim:
        g = g[0]
    for axis, size in enumerate(x.shape):
        if size == 1:
            g = np.take(g, [0], axis)
    return g.copy()


STRETCHED = (
    (np.ones((2, 3)), np.ones(3)), (np.ones((2, 2)), np.array([[2.0], [1.0]])), (np.array([[3.0, 4.0]]), np.array([[5.0]])),
    (np.ones((1, 3)), np.array([[1.0], [2.0]])), (np.zeros((0, 2)), np.ones((1, 2))),
)  # fmt: skip


def add_vjp(u, x, y):
    return unbroadcast(u, x), unbroadcast(u, y)


ADD = Operation(
    "broadcast_add", lambda x, y: x + y, {"unbroadcast": add_vjp}, broadcast_draw, torch=lambda x, y: x + y, jax=lambda x, y: x + y, hard=STRETCHED,
    wrong=(
        Wrong("not summed", lambda u, x, y: (u.copy(), u.copy()), ("unbroadcast", "shape")),
        Wrong("size-1 axes not summed", lambda u, x, y: (leading_only(u, x), leading_only(u, y)), ("unbroadcast", "shape")),
        Wrong("mean for sum", lambda u, x, y: (averaged(u, x), averaged(u, y)), "mean_for_sum"),
        Wrong("first for sum", lambda u, x, y: (first_taken(u, x), first_taken(u, y)), "unbroadcast"),
        Wrong("u to both where shapes agree", lambda u, x, y: (u, u) if x.shape == y.shape else add_vjp(u, x, y), "shared", strict=True),
        Wrong("squeezed", lambda u, x, y: (add_vjp(u, x, y)[0], np.squeeze(add_vjp(u, x, y)[1])), "shape"),
        Wrong("one array twice where shapes agree", lambda u, x, y: (lambda g: (g, g))(u.copy()) if x.shape == y.shape else add_vjp(u, x, y), "shared", strict=True),
        faults.negated(add_vjp, 1),
        faults.nothing(add_vjp, 1),
    ),
)  # fmt: skip


def multiply_vjp(u, x, y):
    return {"x": unbroadcast(u * y, x), "y": unbroadcast(u * x, y)}


MULTIPLY = Operation(
    "broadcast_multiply", lambda x, y: x * y, {"unbroadcast": multiply_vjp}, broadcast_draw, torch=lambda x, y: x * y, jax=lambda x, y: x * y, hard=STRETCHED,
    wrong=(
        Wrong("own factor kept", lambda u, x, y: {"x": unbroadcast(u * x, x), "y": unbroadcast(u * y, y)}, None),
        Wrong("swapped where shapes agree", lambda u, x, y: (lambda g: {"x": g["y"], "y": g["x"]} if x.shape == y.shape else g)(multiply_vjp(u, x, y)), "swapped"),
        Wrong("mean for sum", lambda u, x, y: {"x": averaged(u * y, x), "y": averaged(u * x, y)}, "mean_for_sum"),
        Wrong("sum taken before the product", lambda u, x, y: {"x": multiply_vjp(u, x, y)["x"], "y": unbroadcast(u, y) * unbroadcast(np.broadcast_to(x, u.shape), y)}, None),
        Wrong("y missing", lambda u, x, y: {"x": multiply_vjp(u, x, y)["x"]}, None),
        Wrong("both factors", lambda u, x, y: {"x": unbroadcast(u * x * y, x), "y": unbroadcast(u * x * y, y)}, None),
        faults.one_entry(multiply_vjp, "last", 1),
        faults.through(multiply_vjp),
    ),
)  # fmt: skip


def two(rng):
    n, d = draws.sizes(rng, 2)
    return draws.signed(rng, n, d), draws.signed(rng, n, d)


def divide_vjp(u, x, y):
    return u / y, -u * x / y**2


DIVIDE = Operation(
    "divide", lambda x, y: x / y, {"quotient rule": divide_vjp}, two, shapes="x: n d, y: n d -> z: n d", torch=lambda x, y: x / y, jax=lambda x, y: x / y,
    hard=((np.zeros((1, 2)), np.array([[1.0, -2.0]])), (np.array([[30.0]]), np.array([[0.25]]))),
    wrong=(
        Wrong("sign forgotten", lambda u, x, y: (u / y, u * x / y**2), "sign"),
        Wrong("y for y squared", lambda u, x, y: (u / y, -u * x / y), None),
        Wrong("x forgotten", lambda u, x, y: (u / y, -u / y**2), None),
        Wrong("inverse rule", lambda u, x, y: (u * y, -u * x / y**2), None),
        Wrong("|y|", lambda u, x, y: (u / np.abs(y), -u * x / y**2), None),
        faults.swapped(divide_vjp),
        faults.scaled(divide_vjp, 1.001, 1),
    ),
)  # fmt: skip


def power_draw(rng):
    n, d = draws.sizes(rng, 2)
    return draws.positive(rng, n, d), draws.normal(rng, n, d)


def power_vjp(u, x, p):
    return u * p * x ** (p - 1), u * x**p * np.log(x)


POWER = Operation(
    "power", lambda x, p: x**p, {"both": power_vjp}, power_draw, shapes="x: n d, p: n d -> z: n d", domain={"x": "positive"},
    torch=lambda x, p: x**p, jax=lambda x, p: x**p, hard=((np.ones((1, 2)), np.zeros((1, 2))), (np.array([[2.0, 0.5]]), np.array([[1.0, 2.0]]))),
    wrong=(
        Wrong("x^p for x^(p - 1)", lambda u, x, p: (u * p * x**p, power_vjp(u, x, p)[1]), None),
        Wrong("p forgotten", lambda u, x, p: (u * x ** (p - 1), power_vjp(u, x, p)[1]), None),
        Wrong("log forgotten", lambda u, x, p: (power_vjp(u, x, p)[0], u * x**p), "value_for_derivative"),
        Wrong("log of p", lambda u, x, p: (power_vjp(u, x, p)[0], u * x**p * np.log(np.abs(p))), None),
        Wrong("exponent taken as constant", lambda u, x, p: (power_vjp(u, x, p)[0], np.zeros_like(p)), "zero"),
        faults.swapped(power_vjp),
        faults.one_too_few(power_vjp),
    ),
)  # fmt: skip


def cube_vjp(u, x):
    return 3 * u * x**2


CUBE = Operation(
    "cube", lambda x: x**3, {"3 x^2": cube_vjp}, lambda rng: (draws.normal(rng, *draws.sizes(rng, 2)),), shapes="x: n d -> z: n d",
    torch=lambda x: x**3, jax=lambda x: x**3, hard=((np.array([[0.0, 1.0, -1.0]]),), (np.array([[30.0]]),), (np.zeros((0, 1)),)),
    wrong=(
        Wrong("2 x", lambda u, x: 2 * u * x, None),
        Wrong("x^2", lambda u, x: u * x**2, "factor"),
        Wrong("3 x |x|", lambda u, x: 3 * u * x * np.abs(x), None),
        Wrong("x^3", lambda u, x: u * x**3, "value_for_derivative"),
        Wrong("u^3: the map of the cotangent", lambda u, x: 3 * u**3 * x**2, None),
        Wrong("by a difference of 1e-3", lambda u, x: u * ((x + 1e-3) ** 3 - x**3) / 1e-3, None),
        conditions.beyond(cube_vjp, 2.0, 12.0),
        faults.in_dtype_of_its_own(cube_vjp, "float32"),
        faults.noisy(cube_vjp, 1e-4),
    ),
)  # fmt: skip


def positive(rng):
    return (draws.positive(rng, *draws.sizes(rng, 2)),)


def root_vjp(u, x):
    return u / (2 * np.sqrt(x))


ROOT = Operation(
    "sqrt", lambda x: np.sqrt(x), {"1 / (2 sqrt x)": root_vjp}, positive, shapes="x: n d -> z: n d", domain="positive",
    torch=lambda x: T.sqrt(x), jax=lambda x: jnp.sqrt(x), hard=((np.array([[1.0, 4.0, 1e-4]]),), (np.array([[1e4]]),), (np.ones((3, 0)),)),
    wrong=(
        Wrong("2 forgotten", lambda u, x: u / np.sqrt(x), "factor"),
        Wrong("1 / (2 x)", lambda u, x: u / (2 * x), None),
        Wrong("sqrt x / 2", lambda u, x: u * np.sqrt(x) / 2, None),
        Wrong("eps inside", lambda u, x: u / (2 * np.sqrt(x + 1e-3)), None),
        Wrong("the value", lambda u, x: u * np.sqrt(x), "value_for_derivative"),
        faults.reuses_buffer(root_vjp),
        conditions.squeezed(root_vjp),
    ),
)  # fmt: skip

LOG = Operation(
    "log", lambda x: np.log(x), {"1 / x": lambda u, x: u / x}, positive, shapes="x: n d -> z: n d", domain="positive",
    torch=lambda x: T.log(x), jax=lambda x: jnp.log(x), hard=((np.array([[1.0, 1e-3, 10.0]]),), (np.array([[1e4]]),)),
    wrong=(
        Wrong("eps in the denominator", lambda u, x: u / (x + 1e-5), None),
        Wrong("log for 1 / x", lambda u, x: u * np.log(x), "value_for_derivative"),
        Wrong("base 10", lambda u, x: u / (x * np.log(10)), "factor"),
        Wrong("clipped below 0.3", lambda u, x: u / np.maximum(x, 0.3), None),
        Wrong("x", lambda u, x: u * x, None),
        Wrong("in place on x", lambda u, x: np.divide(u, x, out=x), ("argument_changed", "shared")),
        conditions.last_row_lost(lambda u, x: u / x),
    ),
)  # fmt: skip


def wide_pair(rng):
    n, d = draws.sizes(rng, 2)
    return draws.normal(rng, n, d) * 3, draws.normal(rng, n, d) * 3


@keeps_half
def logaddexp_vjp(u, x, y):
    p = np.exp(-np.logaddexp(np.zeros_like(x), y - x))
    return u * p, u * np.exp(-np.logaddexp(np.zeros_like(x), x - y))


LOGADDEXP = Operation(
    "logaddexp", lambda x, y: np.logaddexp(x, y), {"two sigmoids": logaddexp_vjp}, wide_pair, shapes="x: n d, y: n d -> z: n d",
    torch=lambda x, y: T.logaddexp(x, y), jax=lambda x, y: jnp.logaddexp(x, y),
    hard=((np.zeros((1, 2)), np.zeros((1, 2))), (np.array([[1000.0, -1000.0]]), np.array([[0.0, 999.0]]))),
    wrong=(
        Wrong("naive exp", lambda u, x, y: (u * np.exp(x) / (np.exp(x) + np.exp(y)), u * np.exp(y) / (np.exp(x) + np.exp(y))), ("at_saturation", "nonfinite")),
        Wrong("halves", lambda u, x, y: (u / 2, u / 2), None),
        Wrong("the maximum's", lambda u, x, y: (u * (x >= y), u * (x < y)), None),
        Wrong("logs for weights", lambda u, x, y: (u * (x - np.logaddexp(x, y)), u * (y - np.logaddexp(x, y))), None),
        faults.swapped(logaddexp_vjp),
        faults.negated(logaddexp_vjp, 1),
        faults.through(logaddexp_vjp),
    ),
)  # fmt: skip


def angle_vjp(u, y, x):
    r = x * x + y * y
    return u * x / r, -u * y / r


ANGLE = Operation(
    "arctan2", lambda y, x: np.arctan2(y, x), {"rotation": angle_vjp}, two, shapes="y: n d, x: n d -> z: n d",
    torch=lambda y, x: T.atan2(y, x), jax=lambda y, x: jnp.arctan2(y, x), hard=((np.array([[0.0, 1.0]]), np.array([[2.0, 0.0]])),),
    wrong=(
        Wrong("arguments exchanged", lambda u, y, x: angle_vjp(u, x, y)[::-1], "sign"),
        Wrong("radius for its square", lambda u, y, x: tuple(g * np.sqrt(x * x + y * y) for g in angle_vjp(u, y, x)), None),
        Wrong("arctan(y / x) in one argument", lambda u, y, x: (u / (1 + y * y), angle_vjp(u, y, x)[1]), None),
        faults.negated(angle_vjp, 1),
        faults.swapped(angle_vjp),
        faults.one_entry(angle_vjp, "first", 1),
    ),
)  # fmt: skip

OPERATIONS = (ADD, MULTIPLY, DIVIDE, POWER, CUBE, ROOT, LOG, LOGADDEXP, ANGLE)
