"""The ball oracle: enclosures that hold the truth, kinks that are told, and no forward whose balls were lost.

Truth is a central difference of *values* at 1000 bits with a step of 2^-200: exact to about 1e-100, and it
shares no derivative rule with the oracle. The values are held against NumPy's own floats.
"""

import functools
import importlib
import importlib.util
import math
import pkgutil
import sys

import flint
import numpy as np
import pytest

import derivs
from gradproof.errors import InputError, MissingFramework
from gradproof.oracles import ball, ball_array, ball_run, elementary
from gradproof.oracles.ball import Refused, attempt, enclose, enclose_gradient, enclose_value
from gradproof.oracles.dual import Dual, lift
from gradproof.oracles.line import line
from gradproof.sampling.declared import Declared

special = pytest.importorskip("scipy.special")

POINT = np.random.default_rng(1).uniform(0.2, 0.9, size=(3, 4))
STEP = flint.arb(2) ** -200


def filled(x, create=np.zeros):
    out = getattr(np, create.__name__)(x.shape)  # looked up while the forward runs, as a module's code does
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = np.exp(x[i, j])
    return out


def padded(x):
    out = np.full((5, 5), -np.inf)
    out[1:4, 1:] = x
    return np.max(out, axis=1)[1:4]


def in_place(x):
    y = x.copy()
    y *= 2
    y += x
    y -= 1
    y /= 3
    y[y > 0.2] = 0
    return y


def scattered(x):
    out = np.zeros(3)
    np.add.at(out, [0, 1, 1, 2], x[0])
    return out


def masked_fill(x):
    out = np.zeros_like(x)
    out[1:] = x[1:] ** 2
    return out + 1


UFUNCS = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "square", "reciprocal",
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arctanh",
    "deg2rad", "rad2deg", "radians", "degrees", "abs", "fabs", "conjugate", "negative", "positive",
    "sign", "floor", "ceil", "trunc", "rint", "round",
]
REDUCTIONS = [
    "sum", "mean", "prod", "cumsum", "cumprod", "max", "min", "var", "std", "median", "ptp", "nansum",
    "nanmax", "nanmean", "sort", "diff", "ravel", "transpose", "flip", "squeeze", "real", "sinc",
    "nan_to_num", "unique", "trace", "diag", "triu", "tril", "ediff1d", "copy", "trapezoid", "average",
]
SPECIAL = [
    "erf", "erfc", "expit", "logit", "log_expit", "ndtr", "log_ndtr", "gamma", "gammaln", "psi", "entr",
    "expm1", "digamma",
]

# Ordinary NumPy that runs on balls: what is listed here is what the documentation promises.
COVERAGE = {
    **{name: getattr(np, name) for name in UFUNCS},
    **{name: getattr(np, name) for name in REDUCTIONS},
    **{f"special.{name}": getattr(special, name) for name in SPECIAL},
    "special.xlogy": lambda x: special.xlogy(x, x),
    "special.xlog1py": lambda x: special.xlog1py(x, x),
    "special.rel_entr": lambda x: special.rel_entr(x, x[::-1]),
    "special.kl_div": lambda x: special.kl_div(x, x[::-1]),
    "special.softmax": lambda x: special.softmax(x, axis=1),
    "arccosh": lambda x: np.arccosh(1 + x),
    "maximum": lambda x: np.maximum(x, 0.5),
    "minimum": lambda x: np.minimum(x, 0.5),
    "fmax": lambda x: np.fmax(x, 0.5),
    "fmin": lambda x: np.fmin(x, 0.5),
    "clip": lambda x: np.clip(x, 0.3, 0.7),
    "clip method": lambda x: x.clip(0.3, None),
    "power": lambda x: np.power(x, 3),
    "power of negative": lambda x: (x - 1) ** 3 + (x - 1) ** 2.0,
    "half power": lambda x: x**0.5 + x**1.5,
    "real power": lambda x: x**1.7,
    "negative power": lambda x: x**-2,
    "power of itself": lambda x: x**x,
    "exponential": lambda x: 2.0**x,
    "float_power": lambda x: np.float_power(x, 2.5),
    "arctan2": lambda x: np.arctan2(x, x[::-1]) + np.arctan2(x, -1.0),
    "hypot": lambda x: np.hypot(x, 1.5),
    "logaddexp": lambda x: np.logaddexp(0, x),
    "logaddexp2": lambda x: np.logaddexp2(x, 1),
    "logaddexp.reduce": lambda x: np.logaddexp.reduce(x, axis=1),
    "heaviside": lambda x: x * np.heaviside(x - 0.5, 0.5),
    "copysign": lambda x: np.copysign(x, x - 0.5),
    "mod": lambda x: np.mod(x * 10, 1.5),
    "fmod": lambda x: np.fmod(x * -10, 1.5),
    "% and //": lambda x: (x * 10) % 1.5 + x * ((x * 10) // 1.5),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "add.reduceat": lambda x: np.add.reduceat(x, [0, 2], axis=1),
    "matmul": lambda x: x @ x.T,
    "matmul vectors": lambda x: x @ x[0] + x[0] @ x[0],
    "matmul stack": lambda x: x[:, None, :] @ x[:, :, None],
    "dot": lambda x: np.dot(x, x.T),
    "dot vectors": lambda x: np.dot(x[0], x[1]),
    "dot method": lambda x: x.dot(x.T),
    "inner": lambda x: np.inner(x, x),
    "outer": lambda x: np.outer(x[0], x[1]),
    "vdot": lambda x: np.vdot(x, x),
    "tensordot": lambda x: np.tensordot(x, x, axes=([1], [1])),
    "kron": lambda x: np.kron(x, x),
    "cross": lambda x: np.cross(x[:, :3], x[:, 1:]),
    "multi_dot": lambda x: np.linalg.multi_dot([x, x.T, x]),
    "matrix_power": lambda x: np.linalg.matrix_power(x[:, :3], 3),
    "solve": lambda x: np.linalg.solve(x[:, :3], x[:, 3]),
    "solve stack": lambda x: np.linalg.solve(np.stack([x[:, :3], x[:, 1:]]), x[:, :2]),
    "inv": lambda x: np.linalg.inv(x[:, :3]),
    "det": lambda x: np.linalg.det(-x[:, :3]),
    "slogdet": lambda x: np.linalg.slogdet(x[:, :3])[1] * np.linalg.slogdet(x[:, :3]).sign,
    "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
    "einsum optimize": lambda x: np.einsum("ij,jk,kl->il", x, x.T, x, optimize=True),
    "einsum diagonal": lambda x: np.einsum("ii", x[:, :3]),
    "einsum ellipsis": lambda x: np.einsum("...j,...j->...", x, x),
    "einsum implicit": lambda x: np.einsum("ij,jk", x, x.T),
    "einsum elementwise": lambda x: np.einsum("ij,ij->ij", x, x),
    "einsum unshared": lambda x: np.einsum("ij,kl->il", x, x),
    "where": lambda x: np.where(x > 0.5, x * x, -x),
    "mask": lambda x: x * (x > 0.5).astype(float),
    "select": lambda x: np.select([x < 0.4, x < 0.7], [x, x * x], default=0),
    "piecewise": lambda x: np.piecewise(x, [x < 0.5, x >= 0.5], [lambda v: v, lambda v: v * v]),
    "choose": lambda x: np.choose(x > 0.5, [x, x * x]),
    "any": lambda x: x if np.any(x > 2) else x * x,
    "allclose": lambda x: x if np.allclose(x, 1) else x * x,
    "isnan": lambda x: np.where(np.isnan(x) | np.isinf(x) | ~np.isfinite(x), 0, x),
    "pad": lambda x: np.pad(x, 1),
    "pad edge": lambda x: np.pad(x, 1, mode="edge"),
    "pad -inf": lambda x: np.pad(x, 1, constant_values=-np.inf)[1:-1, 1:-1],
    "concatenate": lambda x: np.concatenate([x, x * x]),
    "stack": lambda x: np.stack([x, x * x]),
    "hstack": lambda x: np.hstack([x, np.ones((3, 1))]),
    "block": lambda x: np.block([[x, x], [x, x]]),
    "split": lambda x: np.split(x, 2, axis=1)[1],
    "tile, repeat, roll": lambda x: np.roll(np.repeat(np.tile(x, 2), 2, axis=1), 1, axis=0),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)),
    "axes": lambda x: np.moveaxis(np.expand_dims(x, 1), 0, 2).swapaxes(0, 1).T,
    "reshape": lambda x: x.reshape(4, 3).flatten(),
    "take": lambda x: np.take(x, [0, 2], axis=0),
    "take_along_axis": lambda x: np.take_along_axis(x, np.array([[0], [1], [2]]), axis=1),
    "index": lambda x: x[[0, 1], [2, 3]] * x[0, 0],
    "ix_": lambda x: x[np.ix_([0, 1], [1, 2])],
    "mask index": lambda x: x[x > 0.5],
    "sliding windows": lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)),
    "as_strided": lambda x: np.lib.stride_tricks.as_strided(x, (2, 3, 2, 2), x.strides * 2) * 1.0,
    "convolve": lambda x: np.convolve(x[0], x[1, :2]),
    "correlate": lambda x: np.correlate(x[0], x[1, :2], mode="valid"),
    "polyval": lambda x: np.polyval([1.0, 2.0, 3.0], x),
    "gradient": lambda x: np.gradient(x, axis=1),
    "average": lambda x: np.average(x, axis=0, weights=x[:, 0]),
    "argmax": lambda x: x[np.arange(3), np.argmax(x, axis=1)] - x[np.arange(3), x.argmin(axis=1)],
    "argsort": lambda x: np.take_along_axis(x, np.argsort(x, axis=1), 1),
    "partition": lambda x: np.partition(x, 2, axis=1)[:, 2],
    "max axes": lambda x: x.max(axis=(0, 1)) + x / x.max(axis=1, keepdims=True) + np.max(x, initial=0.5),
    "sum where": lambda x: np.sum(x, where=x > 0.5) + np.mean(x, where=x > 0.5),
    "norm": lambda x: np.linalg.norm(x) + np.linalg.norm(x, axis=1) + np.linalg.norm(x, "fro", keepdims=True),
    "norm orders": lambda x: sum(np.linalg.norm(x, p, axis=1) for p in (1, 2, 3, np.inf, -np.inf)),
    "var ddof": lambda x: np.var(x, axis=1, ddof=1, keepdims=True),
    "layer norm": lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5),
    "zeros filled": filled,
    "empty filled": lambda x: filled(x, np.empty),
    "full": padded,
    "zeros_like": masked_fill,
    "in place": in_place,
    "add.at": scattered,
    "out": lambda x: np.multiply(x, x, out=np.empty_like(x)),
    "where and out": lambda x: np.divide(x, x * x, out=np.zeros_like(x), where=x > 0.5),
    "scalars": lambda x: sum(v * v for v in x.flat) + np.float64(2) * x[0, 0],
    "numbers": lambda x: np.float32(0.5) * x + 1 - np.int64(3) / x + True * x,
    "array of a list": lambda x: np.array([np.exp(v) for v in x.ravel()]),
    "asarray": lambda x: np.asarray(x) * 2 + np.array(x),
    "vectorize": lambda x: np.vectorize(lambda v: v * v if v > 0.5 else v)(x),
    "apply_along_axis": lambda x: np.apply_along_axis(lambda row: row.sum() * row, 1, x),
    "two outputs": lambda x: (x * x, np.exp(x)),
    "float at the end": lambda x: float(np.mean(x**2)),
    "float of a helper": lambda x: total(x * x),
}

# Ordinary NumPy that does not run on balls, and says so.
REFUSED = {
    "interp": lambda x: np.interp(x, [0.0, 1.0], [0.0, 2.0]),
    "cholesky": lambda x: np.linalg.cholesky(x @ x.T),
    "fft": lambda x: np.fft.fft(x).real,
    "quantile": lambda x: np.quantile(x, 0.5),
    "ldexp": lambda x: np.ldexp(x, 2),
    "special.i0": special.i0,
    "special.logsumexp": lambda x: special.logsumexp(x, axis=1),
}


def along(forward, x, v, u, h):
    """<u, f(x + h v)> on balls, with values only."""
    point = np.empty(x.shape, dtype=object)
    pairs = zip(x.ravel().tolist(), v.ravel().tolist(), strict=True)
    point.flat = [Dual(flint.arb(a) + h * flint.arb(b)) for a, b in pairs]
    asked = ball_run.Question(forward, (), (), 1000, math.inf)
    line.start(0)
    line.caller = along.__code__
    with ball_run.ball_allocation(forward):
        result = asked.forward(point.view(ball_array.BallArray))
    total = flint.arb(0)
    result = result if line.final is None else line.final[1]
    for out, weights in zip(*(listed(y) for y in (result, u)), strict=True):
        for value, weight in zip(np.ravel(ball_array.plain(out)), np.ravel(weights), strict=True):
            total += value.v * float(weight)
    return total


def listed(x):
    return x if isinstance(x, tuple) else (x,)


def truth(forward, x, v, u):
    """The directional derivative by a central difference of values at 1000 bits."""
    with flint.ctx.workprec(1000):
        return (along(forward, x, v, u, STEP) - along(forward, x, v, u, -STEP)) / (2 * STEP)


def holds(enclosure, expected):
    """Whether the ball holds the truth, to the accuracy that the difference has itself."""
    with flint.ctx.workprec(1000):
        return abs(enclosure.ball.mid() - expected) < enclosure.ball.rad() + flint.arb(2) ** -250


def drawn(forward, x, rng):
    """A direction, and a cotangent of the output's shape."""
    outputs = forward(x.copy())
    u = tuple(rng.normal(size=np.shape(out)) for out in listed(outputs))
    return rng.normal(size=x.shape), u if isinstance(outputs, tuple) else u[0]


@pytest.mark.parametrize("name", COVERAGE)
def test_numpy_that_runs_on_balls_is_enclosed(name):
    forward = COVERAGE[name]
    v, u = drawn(forward, POINT, np.random.default_rng(2))
    found = attempt(forward, (POINT,), (v,), u)
    assert isinstance(found, ball.Enclosure), found
    assert not found.kink
    assert holds(found, truth(forward, POINT, v, u))
    assert found.radius <= 1e-15 * max(1.0, abs(found.mid))
    for (mid, radius), value in zip(enclose_value(forward, (POINT,)), listed(forward(POINT)), strict=True):
        np.testing.assert_allclose(mid, value, rtol=1e-13, atol=1e-14)
        assert np.all(radius <= 1e-15 * np.maximum(1.0, abs(mid)))


EQUATIONS = {
    module.name: importlib.import_module(module.name).EQUATION
    for module in pkgutil.walk_packages(derivs.__path__, "derivs.")
    if hasattr(importlib.import_module(module.name), "EQUATION")
}


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("index", [0, 1, 3])
def test_every_equation_of_the_paper_runs_on_balls(name, index, seed):
    equation = EQUATIONS[name]
    sample = Declared(equation, seed).draw(index)
    rng = sample.rng()
    u = rng.normal(size=np.shape(equation.forward(*sample.inputs, **sample.static)))
    gradients = equation.vjp(u, *sample.inputs, **sample.static)
    pairs = zip(sample.names, sample.inputs, strict=True)
    moved = {name: rng.normal(size=x.shape) for name, x in pairs if name in gradients}
    v = [moved.get(name) for name in sample.names]
    terms = np.concatenate([np.ravel(gradients[name] * along) for name, along in moved.items()])
    for forward in {equation.forward, equation.plain or equation.forward}:
        found = attempt(functools.partial(forward, **sample.static), sample.inputs, v, u)
        if equation.plain is not None and isinstance(found, Refused):
            # the plain form overflows where the careful one does not; a fast form works in arrays of float64
            assert found.reason == ("nonfinite" if forward is equation.plain else "unsupported")
            continue
        assert isinstance(found, ball.Enclosure), found
        if found.one_slope:
            assert found.error(terms.sum()) <= 1e-11 * np.abs(terms).sum() + 2 * found.radius


@pytest.mark.parametrize("name", REFUSED)
def test_numpy_that_does_not_run_on_balls_is_refused(name):
    v, u = drawn(REFUSED[name], POINT, np.random.default_rng(2))
    assert attempt(REFUSED[name], (POINT,), (v,), u).reason == "unsupported"
    assert enclose(REFUSED[name], (POINT,), (v,), u) is None


def test_a_wrong_slope_is_noticed_by_the_difference(monkeypatch):
    wrong = elementary._smooth(lambda v: v.tanh(), lambda v, y: 1 - y)
    v, u = drawn(np.tanh, POINT, np.random.default_rng(2))
    with monkeypatch.context() as patch:
        patch.setitem(elementary.UNARY, "tanh", wrong)
        ball_array._rule.cache_clear()
        found = enclose(np.tanh, (POINT,), (v,), u)
    ball_array._rule.cache_clear()
    assert holds(enclose(np.tanh, (POINT,), (v,), u), truth(np.tanh, POINT, v, u))
    assert not holds(found, truth(np.tanh, POINT, v, u))


@pytest.mark.parametrize("bits", [40, 80, 200])
def test_the_radius_holds_the_truth_at_every_precision(bits):
    def network(x):
        h = np.tanh(x @ x.T - 0.3)
        return np.log(np.exp(h / 0.01).sum(axis=1)) * np.sin(100 * x[:, 0]) + np.sqrt(h * h + 1e-8).mean()

    rng = np.random.default_rng(3)
    for _ in range(5):
        x = rng.normal(size=(3, 4))
        v, u = drawn(network, x, rng)
        found = enclose(network, (x,), (v,), u, bits=bits)
        assert holds(found, truth(network, x, v, u))
        assert found.radius < 1e-13 * abs(found.mid)  # precision is raised until the ball is sharp


CLOSED = {
    "exp(sin x)": (lambda x: np.exp(np.sin(x)), lambda x: x.cos() * x.sin().exp()),
    "sin(1000 x)": (lambda x: np.sin(1000 * x), lambda x: 1000 * (1000 * x).cos()),
    "1e8 + sin x": (lambda x: 1e8 + np.sin(x), lambda x: x.cos()),
    "(1e8 + sin x) - 1e8": (lambda x: (1e8 + np.sin(x)) - 1e8, lambda x: x.cos()),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (2 + x.exp() + (-x).exp())),
    "silu": (lambda x: x / (1 + np.exp(-x)), lambda x: (1 + (-x).exp() * (1 + x)) / (1 + (-x).exp()) ** 2),
    "softplus": (lambda x: np.log1p(np.exp(-abs(x))) + np.maximum(x, 0), lambda x: 1 / (1 + (-x).exp())),
    "sqrt": (lambda x: np.sqrt(abs(x)), lambda x: x.sgn() / (2 * abs(x).sqrt())),
    "|x|^1.5": (lambda x: np.abs(x) ** 1.5, lambda x: flint.arb(1.5) * x.sgn() * abs(x).sqrt()),
    "x|x|": (lambda x: x * np.abs(x), lambda x: 2 * abs(x)),
}


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("x", [1.0, -0.7, 30.0, -40.0, 1e-9, 0.1])
def test_closed_forms(name, x):
    if (name, x) == ("(1e8 + sin x) - 1e8", 1e-9):
        x = 1e-2  # 1e8 absorbs 1e-9: on floats this is another function, and refused
    forward, slope = CLOSED[name]
    found = enclose(forward, (np.array([x]),), (np.array([1.0]),), np.array([1.0]))
    with flint.ctx.workprec(600):
        assert holds(found, slope(flint.arb(x)))
    assert found.contains(found.mid) or found.radius > 0
    assert found.error(found.mid) <= found.radius
    assert 0.999 < found.error(found.mid + 1.0) < 1.001


def test_saturation_keeps_relative_accuracy():
    for forward in (np.tanh, lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (1 + np.exp(x)), special.expit):
        found = enclose(forward, (np.array(300.0),), (np.array(1.0),), 1.0)
        assert 0 < abs(found.mid) < 1e-100
        assert found.radius <= 1e-15 * abs(found.mid)


def log_softmax(x):
    s = x - x.max()
    first = (s == 0) & (np.cumsum(s == 0) == 1)
    return (s - np.log1p((np.exp(s) * ~first).sum()))[0]


# Kinks: forward, point, direction, the slopes on the left and on the right.
RELU = {
    "maximum": lambda x: np.maximum(x, 0),
    "where": lambda x: np.where(x > 0, x, 0),
    "mask": lambda x: x * (x > 0),
    "clip": lambda x: np.clip(x, 0, None),
    "abs": lambda x: (x + np.abs(x)) / 2,
    "heaviside": lambda x: x * np.heaviside(x, 0.5),
    "indexed": lambda x: x[x > 0].sum(),
}
KINKS = {
    **{f"relu by {name}": (forward, [0.0, 2.0], [1.0, 1.0], 1.0, 2.0) for name, forward in RELU.items()},
    "abs": (np.abs, [0.0], [-3.0], -3.0, 3.0),
    "leaky": (lambda x: np.where(x >= 0, x, 0.1 * x), [0.0], [1.0], 0.1, 1.0),
    "max": (lambda x: x.max(), [1.0, 1.0, 0.0], [2.0, 5.0, 0.0], 2.0, 5.0),
    "min": (lambda x: x.min(), [1.0, 1.0, 3.0], [2.0, 5.0, 0.0], 5.0, 2.0),
    "argmax": (lambda x: x[np.argmax(x)], [1.0, 1.0, 0.0], [2.0, 5.0, 0.0], 2.0, 5.0),
    "sorted": (lambda x: np.sort(x)[1], [1.0, 1.0], [2.0, 5.0], 2.0, 5.0),
    "together": (lambda x: x.max(), [1.0, 1.0], [3.0, 3.0], 3.0, 3.0),
    "sign": (lambda x: x * np.sign(x), [0.0], [1.0], -1.0, 1.0),
    "relu twice": (lambda x: np.maximum(x, 0) - np.maximum(-x, 0), [0.0], [1.0], 1.0, 1.0),
    "softmax": (lambda x: np.exp(log_softmax(x)), [0.0, 0.0], [1.0, -0.5], 0.375, 0.375),
    "log softmax": (log_softmax, [0.0, 0.0], [1.0, -0.5], 0.75, 0.75),
    "max of relu": (lambda x: np.maximum(x, 0).max(), [0.0, -1.0], [1.0, 1.0], 0.0, 1.0),
    "power at the edge": (lambda x: x**1.5, [0.0], [1.0], None, 0.0),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_told_with_both_slopes(name):
    forward, x, v, left, right = KINKS[name]
    u = np.ones(np.shape(forward(np.array(x))))
    found = attempt(forward, (np.array(x),), (np.array(v),), u)
    assert found.kink
    assert found.one_slope == (left == right)
    for side, slope in ((found.left, left), (found.right, right)):
        assert (side is None) if slope is None else side.mid == pytest.approx(slope, abs=1e-15)


JUMPS = {
    "floor": np.floor,
    "ceil": np.ceil,
    "sign": np.sign,
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "step": lambda x: np.where(x > 0, x + 1, x),
    "equality": lambda x: np.where(x == 0, 1.0, x),
    "arctan2": lambda x: np.arctan2(x, -1.0),
    "rint": lambda x: np.rint(x + 0.5),
    "mod": lambda x: np.mod(x, 1.0),
    "too small for floats": lambda x: np.where(x > 0, x + 2 + 1e-9, x + 2),
}


@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_is_a_kink_without_two_slopes(name):
    found = attempt(JUMPS[name], (np.array([0.0]),), (np.array([1.0]),), np.ones(1))
    assert found.kink
    assert not found.one_slope
    assert found.left is None or found.right is None


NO_KINK = {
    "a loser's tie": (lambda x: x.max(), [1.0, 1.0, 3.0]),
    "the maximum with itself": (lambda x: (x * (x == x.max())).sum(), [2.0, 1.0, 1.0]),
    "dead units": (lambda x: np.maximum(x, 0).max(), [-1.0, -2.0, -3.0]),
    "a mask of dead units": (lambda x: (x * (x > 0)).max(), [-1.0, -2.0, 3.0]),
    "next to the kink": (lambda x: np.abs(x), [1e-300, -1e-300, 1.0]),
    "flat part": (lambda x: np.trunc(x) + np.rint(x), [0.0, 0.2, 3.3]),
}


@pytest.mark.parametrize("name", NO_KINK)
def test_no_kink_where_nothing_can_tie(name):
    forward, x = NO_KINK[name]
    u = np.ones(np.shape(forward(np.array(x))))
    assert not attempt(forward, (np.array(x),), (np.array([1.0, -2.0, 0.5]),), u).kink


def test_a_final_float_is_known_however_often_it_ran():
    x = np.array([1.0, 2.0])
    for _ in range(40):  # CPython specialises the call after a few
        assert enclose(COVERAGE["float of a helper"], (x,), (x,), 1.0).mid == 10.0
        assert enclose(COVERAGE["float at the end"], (x,), (x,), 1.0).mid == 5.0
        assert enclose(GUILTY["float() and a maximum around a call"], (x,), (x,), 1.0) is None


def test_what_does_not_move_is_no_kink():
    x, y = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    found = enclose(lambda x, y: x * np.maximum(y, 0), (x, y), (np.ones(2), None), np.ones(2))
    assert (found.mid, found.kink) == (1.0, False)
    assert not enclose(np.maximum, (x, y), (np.array([0.0, 0.0]), None), np.ones(2)).kink


def test_what_does_not_move_through_a_product_is_no_kink():
    x, w = np.array([[3.0, 1.0], [1.0, -1.0]]), np.ones((2, 2))
    found = enclose(lambda x, w: np.maximum(x @ w, 0), (x, w), (np.array([[1.0, 1.0], [0.0, 0.0]]), None), w)
    assert (found.mid, found.kink) == (4.0, False)
    assert enclose(lambda x, w: np.maximum(x @ w, 0), (x, w), (np.ones((2, 2)), None), w).kink


def test_a_fixed_zero_does_not_hide_an_infinite_slope():
    def masked(x, mask):
        return mask * np.sqrt(x)

    zero = np.zeros(1)
    assert attempt(masked, (zero, zero), (np.ones(1), None), np.ones(1)).reason == "nonfinite"
    product = attempt(lambda x, mask: np.sqrt(x) @ mask, (zero, zero), (np.ones(1), None), 1.0)
    assert product.reason == "nonfinite"


def test_a_ball_without_bounds_is_no_value():
    assert enclose_value(lambda x: np.exp(-np.exp(np.exp(1000 * x))), (np.ones(1),)) is None


def test_the_float_radius_holds_the_whole_ball():
    for k in range(1, 300):
        exact = flint.arb(k) / 7 if k % 2 else (flint.arb(k) / 100).exp() * flint.arb(2) ** (-4 * k)
        mid, radius = ball_run.rounded(exact)
        with flint.ctx.workprec(2000):
            assert flint.arb(radius) >= abs(exact - mid).upper()
        assert radius <= 1e-15 * abs(mid) + 5e-324


def test_a_tie_that_rounding_hides_is_undecided():
    found = attempt(lambda x: np.maximum(np.tanh(x[0]), np.tanh(x[1])), (np.ones(2),), (np.ones(2),), 1.0)
    assert found.reason == "undecided"


def test_precision_is_raised_until_a_comparison_is_decided():
    x = np.array([2.0**-150])
    found = enclose(lambda x: np.maximum(np.exp(x) - 1, x), (x,), (np.ones(1),), np.ones(1))
    assert found.bits > 200
    assert found.mid == pytest.approx(1.0)


GUILTY = {
    "float()": lambda x: x * float(x[0]),
    "float() and a maximum": lambda x: max(float(x.sum()), 0.0),
    "float() and a maximum around a call": lambda x: max(total(x), 0.0),
    "float() as a key": lambda x: max(x.sum(), 0.0, key=lambda v: float(v)),
    "float() by map": lambda x: sum(map(float, x)),
    "math.fabs at the end": lambda x: math.fabs(x.sum()),
    "float() kept": lambda x: [total(x), 1.0][0],
    "two floats": lambda x: (float(x.sum()), float(x[0])),
    "float() at the end, another on the way": lambda x: float((x * float(x[0])).sum()),
    "float() and a branch": lambda x: x if float(x[0]) > 0 else -x,
    "math.exp": lambda x: np.array([math.exp(v) for v in x]),
    "astype float": lambda x: x.astype(float) * 2,
    "astype float32": lambda x: x.astype(np.float32) * x,
    "asarray float": lambda x: np.asarray(x, dtype=float) * 2,
    "array of floats": lambda x: np.array([float(v) for v in x]),
    "float32 buffer": lambda x: np.multiply(x, 2, out=np.empty(x.shape, np.float32)),
    "np.float32()": lambda x: np.float32(x[0]) * x,
    "int()": lambda x: x * int(x[0] * 10),
    "complex": lambda x: (x + 0j).real,
    "sum as float": lambda x: np.sum(x, dtype=float) * x,
    "item": lambda x: x * np.float64(x[0].item()),
    "caught": lambda x: caught(x),
    "only floats": lambda x: np.where(x > 0, 1.0, 2.0),
    "nothing": lambda x: None,
    "string": lambda x: float(f"{x[0]}") * x,
    "other dtype, other function": lambda x: np.exp(x) if x.dtype == object else np.sin(x),
    "other dtype, other shape": lambda x: x[:2] if x.dtype == object else x,
    "other bytes": lambda x: x + np.frombuffer(x.tobytes()).sum(),
    "chance": lambda x: x * np.random.default_rng().normal(),
    "nan": lambda x: np.log(np.where(x > 0, -x, x)),
    "absorbed": lambda x: (1e16 + x) - 1e16,
}


def total(x):
    return float(x.sum())


def caught(x):
    try:
        return x * float(x[0])
    except Exception:
        return x * 0.5


@pytest.mark.parametrize("name", GUILTY)
def test_a_forward_that_loses_the_balls_is_refused(name):
    x = np.array([0.5, 0.7, 0.25])
    with np.errstate(invalid="ignore"):
        outputs = GUILTY[name](x)
    u = (1.0, 1.0) if isinstance(outputs, tuple) else np.ones(np.shape(outputs))
    found = attempt(GUILTY[name], (x,), (np.ones(3),), u)
    assert isinstance(found, Refused), found
    assert found.message
    assert enclose(GUILTY[name], (x,), (np.ones(3),), u) is None
    assert enclose_gradient(GUILTY[name], (x,), 0, u) is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "bfloat16"])
def test_inputs_of_every_float_dtype_are_exact_points(dtype):
    kind = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    x = np.array([0.1, 0.3], dtype=kind)
    found = enclose(np.square, (x,), (np.array([1.0, 0.0]),), np.ones(2))
    numerator, denominator = (x[0] if dtype == "longdouble" else float(x[0])).as_integer_ratio()
    with flint.ctx.workprec(400):
        assert found.ball == flint.arb(2 * int(numerator)) / int(denominator)


def test_scalars_constants_and_what_is_no_float():
    def forward(x, y, labels, size, name):
        assert isinstance(labels, np.ndarray)
        assert labels.dtype == np.int64
        assert (size, name) == (2, "mean")
        return x * y[labels].sum() / size

    inputs = (np.float64(2.0), np.array([1.0, 3.0]), np.array([1, 1, 0]), 2, "mean")
    assert enclose(forward, inputs, (np.float64(1.0), None, None, None, None), 1.0).mid == 3.5
    assert enclose(forward, inputs, (None, np.array([1.0, 1.0]), None, None, None), 1.0).mid == 3.0


def test_fixed_labels_given_as_floats_can_index():
    def forward(x, labels):
        return x[np.arange(2), labels.astype(int)] * x[int(labels[0]), 0]

    x, labels = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 0.0])
    assert enclose(forward, (x, labels), (np.ones((2, 2)), None), np.ones(2)).mid == (2 + 3) + (3 + 3)
    assert enclose(forward, (x, labels), (np.ones((2, 2)), np.ones(2)), np.ones(2)) is None


def test_nothing_is_changed():
    x, y, v = np.array([1.0, 2.0]), np.array([1, 2]), np.ones(2)
    zeros, precision = np.zeros, flint.ctx.prec

    def forward(x, y):
        x *= 2
        y += 1
        return x * y

    assert enclose(forward, (x, y), (v, None), np.ones(2)).mid == 10.0
    with pytest.raises(ZeroDivisionError):
        forward(1 / 0, y)
    assert attempt(lambda x: 1 // 0, (x,), (v,), np.ones(2)).reason == "unsupported"
    assert (x.tolist(), y.tolist(), v.tolist()) == ([1.0, 2.0], [1, 2], [1.0, 1.0])
    assert np.zeros is zeros
    assert flint.ctx.prec == precision


def test_the_gradient_entry_by_entry():
    x, w = np.array([[1.0, -2.0, 0.5]]), np.arange(6.0).reshape(3, 2)
    u = np.array([[1.0, 3.0]])
    found = enclose_gradient(lambda x, w: x @ w, (x, w), 0, u)
    np.testing.assert_array_equal(found.mid, u @ w.T)
    assert found.mid.shape == found.radius.shape == found.kink.shape == (1, 3)
    chosen = enclose_gradient(lambda x, w: x @ w, (x, w), 1, u, elements=[5, 0])
    np.testing.assert_array_equal(chosen.mid, [0.5 * 3, 1.0])
    assert enclose_gradient(lambda x: x.sum(), (np.zeros((0, 2)),), 0, 1.0).mid.shape == (0, 2)


def test_the_gradient_at_kinks_and_where_it_is_infinite():
    relu = enclose_gradient(lambda x: np.maximum(x, 0), (np.array([-1.0, 0.0, 2.0]),), 0, np.ones(3))
    assert relu.kink.tolist() == [False, True, False]
    assert (relu.left.tolist(), relu.right.tolist()) == ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    root = enclose_gradient(np.sqrt, (np.array([0.0, 4.0]),), 0, np.ones(2))
    assert root.mid[1] == 0.25
    assert np.isnan(root.mid[0])
    assert root.radius[0] == np.inf
    assert enclose_gradient(np.sqrt, (np.zeros(2),), 0, np.ones(2)) is None
    assert attempt(np.sqrt, (np.zeros(2),), (np.ones(2),), np.ones(2)).reason == "nonfinite"


def test_tuples_of_outputs_and_values():
    x = np.array([1.0, 2.0])
    found = enclose(lambda x: (x * x, x.sum()), (x,), (np.ones(2),), (np.array([1.0, 0.0]), 10.0))
    assert found.mid == 2 + 20
    (mid, radius), (total, _) = enclose_value(lambda x: (np.exp(x), x.sum()), (x,))
    np.testing.assert_allclose(mid, np.exp(x), rtol=1e-15)
    assert np.all((radius > 0) & (radius < 1e-15))
    assert total == 3.0
    assert enclose_value(GUILTY["float()"], (x,)) is None


def test_a_budget_ends_a_run():
    x = np.ones((60, 60))
    assert attempt(lambda x: x @ x, (x,), (x,), x, budget=1e4).reason == "budget"
    assert attempt(lambda x: np.exp(x), (x,), (x,), x, budget=1e3).reason == "budget"


def test_attention_with_a_mask_of_infinities():
    def attention(q, k, value):
        scores = np.where(np.tri(3, dtype=bool), q @ k.T / np.sqrt(2), -np.inf)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return scores / scores.sum(axis=-1, keepdims=True) @ value

    rng = np.random.default_rng(5)
    inputs = [rng.normal(size=(3, 2)) for _ in range(3)]
    v = [rng.normal(size=(3, 2)) for _ in range(3)]
    u = rng.normal(size=(3, 2))
    found = enclose(attention, inputs, v, u)
    step = 1e-6
    ahead, behind = ([x + s * d for x, d in zip(inputs, v, strict=True)] for s in (step, -step))
    slope = np.sum(u * (attention(*ahead) - attention(*behind))) / (2 * step)
    assert found.mid == pytest.approx(slope, rel=1e-7)
    assert not found.kink


@pytest.mark.parametrize(
    ("inputs", "tangents", "cotangent", "message"),
    [
        ((np.ones(2),), (), np.ones(2), "0 tangents for 1 inputs"),
        ((np.ones(2),), (np.ones(3),), np.ones(2), r"tangent 0 has shape \(3,\); expected .* \(2,\)"),
        ((np.ones(2),), (np.ones(2),), np.ones(3), r"cotangent 0 has shape \(3,\); expected \(2,\)"),
        ((np.array([1]),), (np.ones(1),), np.ones(1), "tangent 0 moves an input that is no float array"),
        ((np.array([np.nan]),), (np.ones(1),), np.ones(1), "input 0 is not finite"),
    ],
)
def test_arguments_that_do_not_fit(inputs, tangents, cotangent, message):
    with pytest.raises(InputError, match=message):
        enclose(lambda x: x * 2, inputs, tangents, cotangent)


def test_without_python_flint(monkeypatch):
    assert ball.availability()
    for name in [name for name in sys.modules if name.startswith("gradproof.oracles.ball_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("gradproof.oracles.ball_run")
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingFramework, match=r"pip install 'gradproof\[ball\]'"):
        enclose(np.tanh, (np.ones(1),), (np.ones(1),), np.ones(1))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not ball.availability()


def test_lifting_is_exact_and_refuses_what_is_no_real_number():
    assert lift(0.1).v == flint.arb(0.1)
    assert lift(10**30).v == flint.arb(10**30)
    for other in (1j, "1", None, np.ones(2)):
        assert lift(other) is NotImplemented
