"""Square matrices: trace, determinant, log determinant, inverse, solve, quadratic form, Gram, Frobenius."""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

import numpy as np

from benchmarks.corpus import conditions, draws, faults
from benchmarks.corpus.record import Framework, Operation, Wrong, keeps_half

T, jnp = Framework("torch"), Framework("jax.numpy")
DOUBLE = ("float64", "float32")  # np.linalg has no half precision


def regular(rng):
    """A matrix far from singular."""
    n = int(rng.integers(1, 5))
    return (draws.normal(rng, n, n) * 0.4 + np.diag(draws.signed(rng, n) + 2.5),)


SINGULAR = (np.array([[1.0, 2.0], [2.0, 4.0]]),)
HARD = ((np.eye(3),), (np.array([[2.0]]),), (np.array([[0.0, 1.0], [2.0, 0.0]]),))


def trace_vjp(u, a):
    return u * np.eye(len(a), dtype=a.dtype)


TRACE = Operation(
    "trace", lambda a: np.trace(a), {"u I": trace_vjp}, regular, shapes="a: n n -> z:", hard=HARD, torch=lambda a: T.trace(a), jax=lambda a: jnp.trace(a),
    wrong=(
        Wrong("ones", lambda u, a: u * np.ones_like(a), None),
        Wrong("the diagonal", lambda u, a: u * np.diag(np.diag(a)), None),
        Wrong("divided by n", lambda u, a: u * np.eye(len(a)) / len(a), ("factor", "mean_for_sum")),
        Wrong("cotangent ignored", lambda u, a: np.eye(len(a)), "cotangent_ignored"),
        Wrong("antidiagonal", lambda u, a: u * np.eye(len(a))[::-1].copy(), None),
        faults.one_entry(trace_vjp, "last", factor=0.0),
    ),
)  # fmt: skip


def inverse_t(a):
    return np.linalg.inv(a).T


def determinant_vjp(u, a):
    """By cofactors: the determinant has a derivative where the matrix has no inverse."""
    g = np.empty_like(a)
    for i, j in np.ndindex(a.shape):
        minor = np.delete(np.delete(a, i, 0), j, 1)
        g[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return u * g


def determinant_by_inverse(u, a):
    return u * np.linalg.det(a) * inverse_t(a)


DETERMINANT = Operation(
    "det", lambda a: np.linalg.det(a), {"cofactors": determinant_vjp}, regular, shapes="a: n n -> z:", hard=(*HARD, SINGULAR), dtypes=DOUBLE,
    torch=lambda a: T.linalg.det(a), jax=lambda a: jnp.linalg.det(a),
    wrong=(
        Wrong("not transposed", lambda u, a: u * np.linalg.det(a) * np.linalg.inv(a), "transposed"),
        Wrong("det a^-T: raises where there is no inverse", determinant_by_inverse, None),
        Wrong("det forgotten: log det's", lambda u, a: u * inverse_t(a), None),
        Wrong("|det|", lambda u, a: u * np.abs(np.linalg.det(a)) * inverse_t(a), None),
        Wrong("the determinant", lambda u, a: u * np.linalg.det(a) * np.ones_like(a), "value_for_derivative"),
        Wrong("diagonal only", lambda u, a: np.diag(np.diag(determinant_vjp(u, a))), None),
        faults.scaled(determinant_vjp, 1.001),
        faults.through(determinant_vjp),
    ),
)  # fmt: skip


def logdet(a):
    return np.linalg.slogdet(a)[1]


LOGDET = Operation(
    "logdet", logdet, {"a^-T": lambda u, a: u * inverse_t(a)}, regular, shapes="a: n n -> z:", hard=HARD, dtypes=DOUBLE,
    torch=lambda a: T.linalg.slogdet(a)[1], jax=lambda a: jnp.linalg.slogdet(a)[1],
    wrong=(
        Wrong("not transposed", lambda u, a: u * np.linalg.inv(a), "transposed"),
        Wrong("2 a^-T - diag: the symmetric formula", lambda u, a: u * (2 * inverse_t(a) - np.diag(np.diag(inverse_t(a)))), None),
        Wrong("1 / a", lambda u, a: u / np.where(a == 0, 1, a), None),
        Wrong("det a^-T", lambda u, a: determinant_by_inverse(u, a), None),
        faults.cotangent_ignored(lambda u, a: u * inverse_t(a)),
        faults.one_entry(lambda u, a: u * inverse_t(a), "first"),
    ),
)  # fmt: skip


def inverse_vjp(u, a):
    b = inverse_t(a)
    return -b @ u @ b


INVERSE = Operation(
    "inverse", lambda a: np.linalg.inv(a), {"-a^-T u a^-T": inverse_vjp}, regular, shapes="a: n n -> z: n n", hard=HARD, dtypes=DOUBLE,
    torch=lambda a: T.linalg.inv(a), jax=lambda a: jnp.linalg.inv(a),
    wrong=(
        Wrong("sign forgotten", lambda u, a: inverse_t(a) @ u @ inverse_t(a), "sign"),
        Wrong("not transposed", lambda u, a: -np.linalg.inv(a) @ u @ np.linalg.inv(a), None),
        Wrong("-1 / a^2, elementwise", lambda u, a: -u / np.where(a == 0, 1, a) ** 2, None),
        Wrong("one factor", lambda u, a: -inverse_t(a) @ u, None),
        Wrong("u transposed", lambda u, a: -inverse_t(a) @ u.T @ inverse_t(a), None),
        faults.scaled(inverse_vjp, 2.0),
        conditions.in_memory_order(inverse_vjp),
        conditions.cotangent_in_memory_order(inverse_vjp),
    ),
)  # fmt: skip


def system(rng):
    (a,) = regular(rng)
    return a, draws.normal(rng, len(a), int(rng.integers(1, 4)))


def solve_vjp(u, a, b):
    b_bar = np.linalg.solve(a.T, u)
    return -b_bar @ np.linalg.solve(a, b).T, b_bar


def solve_fault(change):
    return lambda u, a, b: change(np.linalg.solve(a.T, u), np.linalg.solve(a, b), u, a, b)


SOLVE = Operation(
    "solve", lambda a, b: np.linalg.solve(a, b), {"adjoint solve": solve_vjp}, system, shapes="a: n n, b: n m -> x: n m", dtypes=DOUBLE,
    torch=lambda a, b: T.linalg.solve(a, b), jax=lambda a, b: jnp.linalg.solve(a, b), hard=((np.eye(2), np.ones((2, 2))),),
    wrong=(
        Wrong("sign of a's", solve_fault(lambda g, x, u, a, b: (g @ x.T, g)), "sign"),
        Wrong("a not transposed", lambda u, a, b: (lambda g: (-g @ np.linalg.solve(a, b).T, g))(np.linalg.solve(a, u)), None),
        Wrong("a's transposed", solve_fault(lambda g, x, u, a, b: (-x @ g.T, g)), "transposed"),
        Wrong("b in place of the solution", solve_fault(lambda g, x, u, a, b: (-g @ b.T, g)), None),
        Wrong("u in place of the adjoint", solve_fault(lambda g, x, u, a, b: (-u @ x.T, g)), None),
        Wrong("a taken as constant", solve_fault(lambda g, x, u, a, b: (np.zeros_like(a), g)), "zero"),
        faults.through(solve_vjp),
        faults.one_entry(solve_vjp, "middle", 1),
    ),
)  # fmt: skip


def form_draw(rng):
    (a,) = regular(rng)
    return draws.normal(rng, len(a)), a


@keeps_half
def form(x, a):
    return x @ a @ x


@keeps_half
def form_vjp(u, x, a):
    return u * (a @ x + x @ a), u * x[:, None] * x


FORM = Operation(
    "quadratic_form", form, {"(a + a^T) x": form_vjp}, form_draw, shapes="x: n, a: n n -> z:",
    torch=lambda x, a: x @ a @ x, jax=lambda x, a: x @ a @ x, hard=((np.ones(2), np.eye(2)), (np.zeros(3), np.ones((3, 3)))),
    wrong=(
        Wrong("2 a x: for symmetric a", lambda u, x, a: (2 * u * (a @ x), form_vjp(u, x, a)[1]), None),
        Wrong("a x only", lambda u, x, a: (u * (a @ x), form_vjp(u, x, a)[1]), None),
        Wrong("a's: squares on the diagonal", lambda u, x, a: (form_vjp(u, x, a)[0], u * np.diag(x * x)), None),
        Wrong("a's: symmetrised once more", lambda u, x, a: (form_vjp(u, x, a)[0], 2 * u * np.outer(x, x)), "factor"),
        faults.negated(form_vjp),
        faults.zero(form_vjp, 1),
        faults.cotangent_sign_ignored(form_vjp),
        faults.unbroadcastable(form_vjp, 1),
    ),
)  # fmt: skip


def tall(rng):
    return (draws.normal(rng, *draws.sizes(rng, 2)),)


@keeps_half
def gram_vjp(u, x):
    return x @ (u + u.T)


GRAM = Operation(
    "gram", keeps_half(lambda x: x.T @ x), {"x (u + u^T)": gram_vjp}, tall, shapes="x: n d -> z: d d", torch=lambda x: x.T @ x, jax=lambda x: x.T @ x,
    hard=((np.zeros((2, 2)),), (np.eye(2),), (np.zeros((0, 2)),)),
    wrong=(
        Wrong("2 x u: for symmetric u", lambda u, x: 2 * x @ u, None),
        Wrong("x u", lambda u, x: x @ u, None),
        Wrong("2 x", lambda u, x: 2 * x, None),
        Wrong("divided by n", lambda u, x: x @ (u + u.T) / max(1, len(x)), "factor"),
        Wrong("x transposed when square", lambda u, x: (u + u.T) @ x.T if x.shape[0] == x.shape[1] else x @ (u + u.T), "transposed"),
        Wrong("makes u symmetric in place", lambda u, x: (lambda g: (np.copyto(u, (u + u.T) / 2), g)[1])(gram_vjp(u, x)), "argument_changed"),
        faults.through(gram_vjp),
    ),
)  # fmt: skip


def frobenius(x):
    return float(np.sqrt((x * x).sum()))


def frobenius_vjp(u, x):
    r = np.sqrt((x * x).sum())
    return float(u) * x / (r if r else 1)


FROBENIUS = Operation(
    "frobenius_norm", frobenius, {"x / r": frobenius_vjp}, tall, shapes="x: n d -> z:", dtypes=DOUBLE, smooth=False,
    torch=lambda x: T.linalg.norm(x), jax=lambda x: jnp.sqrt((x * x).sum()), hard=((np.ones((2, 2)),),),
    wrong=(
        Wrong("x", lambda u, x: u * x, None),
        Wrong("2 x", lambda u, x: 2 * u * x, None),
        Wrong("row norms", lambda u, x: u * x / np.sqrt((x * x).sum(1, keepdims=True)), "at_batch"),
        Wrong("x / r^2", lambda u, x: u * x / (x * x).sum(), None),
        faults.cotangent_ignored(frobenius_vjp),
        faults.scaled(frobenius_vjp, 0.5),
        faults.one_entry(frobenius_vjp, "last"),
    ),
)  # fmt: skip

OPERATIONS = (TRACE, DETERMINANT, LOGDET, INVERSE, SOLVE, FORM, GRAM, FROBENIUS)
