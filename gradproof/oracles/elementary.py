"""The elementary functions of a ball with a tangent, by the name of NumPy's or SciPy's ufunc.

    (v, t)  ->  (g(v), t g'(v))

Each derivative is written in the form that keeps relative accuracy where the function saturates. Functions
that are constant in pieces (sign, floor, …) do not move, and meet a kink at their jumps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flint import arb

from gradproof.oracles.dual import ONE, ZERO, Arb, Dual, compare, order, power
from gradproof.oracles.line import line

_HALF = arb(0.5)


def _smooth(value: Callable[[Arb], Arb], slope: Callable[[Arb, Arb], Arb]) -> Callable[[Dual], Dual]:
    """The rule of g from v -> g(v) and (v, g(v)) -> g'(v)."""

    def rule(x: Dual) -> Dual:
        v, t = x.v, x.t
        y = value(v)
        return Dual(y, None if t is None else t * slope(v, y))

    return rule


def _expit(v: Arb) -> Arb:
    return 1 / (1 + (-v).exp())


def _ndtr(v: Arb) -> Arb:
    return (-v / arb(2).sqrt()).erfc() / 2


def _density(v: Arb) -> Arb:
    return (-v * v / 2).exp() / (2 * arb.pi()).sqrt()


def _erf_slope(v: Arb) -> Arb:
    return 2 * (-v * v).exp() / arb.pi().sqrt()


def _log_gamma(v: Arb) -> Arb:
    return v.lgamma() if v > 0 else abs(v.gamma()).log()


def _cbrt(x: Dual) -> Dual:
    sign = compare(x, ZERO)
    if sign == 0:
        if x.t is None:
            return ZERO
        line.refuse("nonfinite", "a cube root has no finite derivative at 0")
    y = x.v.root(3) if sign > 0 else -((-x.v).root(3))
    return Dual(y, None if x.t is None else x.t / (3 * y * y))


def _still(v: Arb) -> Dual:
    """A piece's constant value; undecided where the ball spans a jump."""
    if v.is_exact():
        return Dual(v)
    line.refuse("undecided", "a value is too close to a jump of the function at this precision")


def maximum(a: Dual, b: Dual) -> Dual:
    """The larger; at a tie max(a', b') is the slope to the right, min(a', b') the slope to the left."""
    return _extreme(a, b, 1)


def minimum(a: Dual, b: Dual) -> Dual:
    """The smaller; at a tie min(a', b') is the slope to the right, max(a', b') the slope to the left."""
    return _extreme(a, b, -1)


def _extreme(a: Dual, b: Dual, sign: int) -> Dual:
    values = order(a, b)
    if values:
        return a if values == sign else b
    if a is b or (a.t is None and b.t is None) or line.side == 0:
        return a
    s, o = (arb(0) if x.t is None else x.t for x in (a, b))
    if s > o or s < o:  # the winner itself, so that it is known by its identity: z - max z stays 0
        return a if (s > o) == (line.side == sign) else b
    return Dual(a.v, s.union(o))


def _sign(x: Dual) -> Dual:
    return Dual(arb(compare(x, ZERO)))


def _floor(x: Dual) -> Dual:
    below = _still(x.v.floor())
    return below if compare(x, below) >= 0 else Dual(below.v - 1)


def _ceil(x: Dual) -> Dual:
    return -_floor(-x)


def _trunc(x: Dual) -> Dual:
    if abs(x.v) < 1:
        return ZERO
    return _floor(x) if x.v > 0 else _ceil(x)


def _rint(x: Dual) -> Dual:
    """The nearest integer, of two the even one."""
    above = _still((x.v + _HALF).floor())
    side = compare(x, Dual(above.v - _HALF))
    even = (above.v / 2).is_integer()
    return above if side > 0 or (side == 0 and even) else Dual(above.v - 1)


UNARY: dict[str, Callable[[Dual], Dual]] = {
    "exp": _smooth(lambda v: v.exp(), lambda v, y: y),
    "exp2": _smooth(lambda v: arb(2) ** v, lambda v, y: y * arb.const_log2()),
    "expm1": _smooth(lambda v: v.expm1(), lambda v, y: v.exp()),
    "log": _smooth(lambda v: v.log(), lambda v, y: 1 / v),
    "log2": _smooth(lambda v: v.log() / arb.const_log2(), lambda v, y: 1 / (v * arb.const_log2())),
    "log10": _smooth(lambda v: v.log() / arb.const_log10(), lambda v, y: 1 / (v * arb.const_log10())),
    "log1p": _smooth(lambda v: v.log1p(), lambda v, y: 1 / (1 + v)),
    "sqrt": _smooth(lambda v: v.sqrt(), lambda v, y: 1 / (2 * y)),
    "cbrt": _cbrt,
    "square": lambda x: x * x,
    "reciprocal": lambda x: ONE / x,
    "sin": _smooth(lambda v: v.sin(), lambda v, y: v.cos()),
    "cos": _smooth(lambda v: v.cos(), lambda v, y: -v.sin()),
    "tan": _smooth(lambda v: v.tan(), lambda v, y: 1 + y * y),
    "arcsin": _smooth(lambda v: v.asin(), lambda v, y: 1 / (1 - v * v).sqrt()),
    "arccos": _smooth(lambda v: v.acos(), lambda v, y: -1 / (1 - v * v).sqrt()),
    "arctan": _smooth(lambda v: v.atan(), lambda v, y: 1 / (1 + v * v)),
    "sinh": _smooth(lambda v: v.sinh(), lambda v, y: v.cosh()),
    "cosh": _smooth(lambda v: v.cosh(), lambda v, y: v.sinh()),
    "tanh": _smooth(lambda v: v.tanh(), lambda v, y: 1 / v.cosh() ** 2),  # 1 - y^2 cancels in saturation
    "arcsinh": _smooth(lambda v: v.asinh(), lambda v, y: 1 / (1 + v * v).sqrt()),
    "arccosh": _smooth(lambda v: v.acosh(), lambda v, y: 1 / (v * v - 1).sqrt()),
    "arctanh": _smooth(lambda v: v.atanh(), lambda v, y: 1 / (1 - v * v)),
    "deg2rad": _smooth(lambda v: v * arb.pi() / 180, lambda v, y: arb.pi() / 180),
    "rad2deg": _smooth(lambda v: v * 180 / arb.pi(), lambda v, y: 180 / arb.pi()),
    "absolute": abs,
    "fabs": abs,
    "conjugate": lambda x: x,
    "sign": _sign,
    "floor": _floor,
    "ceil": _ceil,
    "trunc": _trunc,
    "rint": _rint,
}
UNARY["radians"], UNARY["degrees"] = UNARY["deg2rad"], UNARY["rad2deg"]


def _arctan2(y: Dual, x: Dual) -> Dual:
    if not x.v > 0 and order(y, ZERO) == 0 and y.t is not None and line.side:
        line.refuse("nonfinite", "arctan2 jumps where y = 0 and x < 0")
    value = arb.atan2(y.v, x.v)
    if y.t is None and x.t is None:
        return Dual(value)
    s, o = (arb(0) if d.t is None else d.t for d in (y, x))
    return Dual(value, (x.v * s - y.v * o) / (x.v * x.v + y.v * y.v))


def _logaddexp(a: Dual, b: Dual) -> Dual:
    """log(e^a + e^b); which of the two is factored out changes no value, so midpoints may choose."""
    if float(a.v.mid()) < float(b.v.mid()):
        a, b = b, a
    ratio = UNARY["exp"](b - a)
    return a if ratio.t is None and ratio.v.is_zero() else a + UNARY["log1p"](ratio)


def _logaddexp2(a: Dual, b: Dual) -> Any:
    ln2 = Dual(arb.const_log2())
    return _logaddexp(a * ln2, b * ln2) / ln2


def _copysign(a: Dual, b: Dual) -> Dual:
    if b.v.is_zero() and b.t is None:
        line.refuse("unsupported", "copysign reads the sign of a zero, which a ball does not have")
    size = abs(a)
    return size if compare(b, ZERO) >= 0 else -size


def _heaviside(x: Dual, at_zero: Dual) -> Dual:
    sign = compare(x, ZERO)
    return at_zero if sign == 0 else ONE if sign > 0 else ZERO


def _floor_divide(a: Dual, b: Dual) -> Dual:
    return _floor(a / b)


def _xlogy(x: Dual, y: Dual) -> Dual:
    return ZERO if x.t is None and x.v.is_zero() else x * UNARY["log"](y)


BINARY: dict[str, Callable[[Dual, Dual], Dual]] = {
    "maximum": maximum,
    "minimum": minimum,
    "fmax": maximum,
    "fmin": minimum,
    "power": power,
    "float_power": power,
    "arctan2": _arctan2,
    "hypot": lambda a, b: UNARY["sqrt"](a * a + b * b),
    "logaddexp": _logaddexp,
    "logaddexp2": _logaddexp2,
    "copysign": _copysign,
    "heaviside": _heaviside,
    "floor_divide": _floor_divide,
    "remainder": lambda a, b: a - _floor_divide(a, b) * b,
    "fmod": lambda a, b: a - _trunc(a / b) * b,
}

# scipy.special's ufuncs, by name.
SPECIAL: dict[str, Callable[..., Any]] = {
    "erf": _smooth(lambda v: v.erf(), lambda v, y: _erf_slope(v)),
    "erfc": _smooth(lambda v: v.erfc(), lambda v, y: -_erf_slope(v)),
    "expit": _smooth(_expit, lambda v, y: y * _expit(-v)),
    "logit": _smooth(lambda v: (v / (1 - v)).log(), lambda v, y: 1 / (v * (1 - v))),
    "log_expit": _smooth(lambda v: -((-v).exp().log1p()), lambda v, y: _expit(-v)),
    "ndtr": _smooth(_ndtr, lambda v, y: _density(v)),
    "log_ndtr": _smooth(lambda v: _ndtr(v).log(), lambda v, y: _density(v) / _ndtr(v)),
    "gamma": _smooth(lambda v: v.gamma(), lambda v, y: y * v.digamma()),
    "gammaln": _smooth(_log_gamma, lambda v, y: v.digamma()),
    "psi": _smooth(lambda v: v.digamma(), lambda v, y: arb(2).zeta(v)),  # trigamma(v) = zeta(2, v)
    "xlogy": _xlogy,
    "xlog1py": lambda x, y: _xlogy(x, y + 1),
    "entr": lambda x: -_xlogy(x, x),
    "rel_entr": lambda x, y: _xlogy(x, x / y),
    "kl_div": lambda x, y: _xlogy(x, x / y) - x + y,
}
