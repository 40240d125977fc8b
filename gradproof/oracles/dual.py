"""A real number and its derivative along a line, both as proved intervals: balls with a first-order tangent.

    x(t) = x + t xdot       value  v  encloses  g(x(0))       tangent  t  encloses  d/dt g(x(t)) at t = 0

The balls are `arb` of python-flint (Johansson 2017, "Arb: efficient arbitrary-precision midpoint-radius
interval arithmetic"). A tangent of None says more than zero: the number does not move along the line at all.

A comparison is decided when the balls are disjoint, or when both are the same point. Equal points that can
move apart are a kink: it is recorded on `line`, and the comparison answers as floats do (side 0) or as it is
just beside the point, at t -> 0+ (side 1) or t -> 0- (side -1). Overlapping balls are undecided. Whatever
would lose the balls refuses.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from flint import arb

from gradproof.oracles.final_float import returned_at_once
from gradproof.oracles.line import line

Arb = Any  # arb, whose stubs are not part of a checked install


class Dual:
    """An immutable value and tangent; arithmetic with real numbers of Python and NumPy, exact points."""

    __slots__ = ("t", "v")

    def __init__(self, v: Arb, t: Arb | None = None) -> None:
        self.v = v
        self.t = t

    def __add__(self, other: Any) -> Any:
        if other.__class__ is not Dual and (other := lift(other)) is NotImplemented:
            return other
        s, o = self.t, other.t
        return Dual(self.v + other.v, o if s is None else s if o is None else s + o)

    def __sub__(self, other: Any) -> Any:
        if other.__class__ is not Dual and (other := lift(other)) is NotImplemented:
            return other
        if other is self and _finite(self):
            return ZERO
        s, o = self.t, other.t
        return Dual(self.v - other.v, s if o is None else -o if s is None else s - o)

    def __mul__(self, other: Any) -> Any:
        if other.__class__ is not Dual and (other := lift(other)) is NotImplemented:
            return other
        a, b, s, o = self.v, other.v, self.t, other.t
        if o is None:
            if s is None:
                return Dual(a * b)
            # A fixed zero times anything finite stays zero along the whole line.
            return ZERO if b.is_zero() and _finite(self) else Dual(a * b, s * b)
        if s is None:
            return ZERO if a.is_zero() and _finite(other) else Dual(a * b, a * o)
        return Dual(a * b, s * b + a * o)

    def __truediv__(self, other: Any) -> Any:
        if other.__class__ is not Dual and (other := lift(other)) is NotImplemented:
            return other
        b, s, o = other.v, self.t, other.t
        quotient = self.v / b
        if o is None:
            return Dual(quotient, None if s is None else s / b)
        if s is None:
            if self.v.is_zero() and quotient.is_finite():
                return ZERO
            return Dual(quotient, -quotient * o / b)
        return Dual(quotient, (s - quotient * o) / b)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Any:
        lifted = lift(other)
        return lifted if lifted is NotImplemented else lifted - self

    def __rtruediv__(self, other: Any) -> Any:
        lifted = lift(other)
        return lifted if lifted is NotImplemented else lifted / self

    def __neg__(self) -> Dual:
        return Dual(-self.v, None if self.t is None else -self.t)

    def __pos__(self) -> Dual:
        return self

    def __abs__(self) -> Dual:
        sign = order(self, ZERO)
        if sign:
            return self if sign > 0 else -self
        # |x(t)| has the slopes |xdot| to the right and -|xdot| to the left.
        return ZERO if self.t is None else Dual(self.v, abs(self.t) * line.side)

    def __pow__(self, other: Any, modulo: None = None) -> Any:
        lifted = lift(other)
        return lifted if lifted is NotImplemented else power(self, lifted)

    def __rpow__(self, other: Any, modulo: None = None) -> Any:
        lifted = lift(other)
        return lifted if lifted is NotImplemented else power(lifted, self)

    def __lt__(self, other: Any) -> Any:
        return NotImplemented if (o := lift(other)) is NotImplemented else compare(self, o) < 0

    def __le__(self, other: Any) -> Any:
        return NotImplemented if (o := lift(other)) is NotImplemented else compare(self, o) <= 0

    def __gt__(self, other: Any) -> Any:
        return NotImplemented if (o := lift(other)) is NotImplemented else compare(self, o) > 0

    def __ge__(self, other: Any) -> Any:
        return NotImplemented if (o := lift(other)) is NotImplemented else compare(self, o) >= 0

    def __eq__(self, other: object) -> Any:
        return NotImplemented if (o := lift(other)) is NotImplemented else compare(self, o) == 0

    def __ne__(self, other: object) -> Any:
        return NotImplemented if (o := lift(other)) is NotImplemented else compare(self, o) != 0

    __hash__ = None  # type: ignore[assignment]  # a ball is no key: equality may be undecided

    def __bool__(self) -> bool:
        return compare(self, ZERO) != 0

    def __float__(self) -> float:
        if line.final is None and line.caller is not None and returned_at_once(sys._getframe(1), line.caller):
            line.final = float(self.v.mid()), self
            return line.final[0]
        line.refuse("unsupported", "the forward converts to float, where ball and tangent would be lost")

    def __complex__(self) -> complex:
        line.refuse("unsupported", "the forward converts to complex, where ball and tangent would be lost")

    def __int__(self) -> int:
        if self.t is None and self.v.is_exact() and self.v.is_integer():
            return int(self.v.unique_fmpz())
        line.refuse("unsupported", "the forward converts to int, where ball and tangent would be lost")

    def __floordiv__(self, other: Any) -> Any:
        return np.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return np.remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return np.remainder(other, self)

    def __floor__(self) -> Any:
        return np.floor(self)

    def __ceil__(self) -> Any:
        return np.ceil(self)

    def __trunc__(self) -> Any:
        return np.trunc(self)

    def __copy__(self) -> Dual:
        return self

    def __deepcopy__(self, memo: Any) -> Dual:
        return self

    def __repr__(self) -> str:
        return f"Dual({self.v.str(20)}, {None if self.t is None else self.t.str(20)})"

    def __format__(self, spec: str) -> str:
        return repr(self)

    # The array protocol of a NumPy scalar lives with the arrays, which import this module.
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from gradproof.oracles.ball_array import apply_ufunc

        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from gradproof.oracles.ball_array import apply_function

        return apply_function(func, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        from gradproof.oracles.ball_array import scalar_attribute

        return scalar_attribute(self, name)


def lift(x: Any) -> Any:
    """The exact point of a real number; NotImplemented for anything else (arrays, complex, strings)."""
    if x.__class__ is Dual:
        return x
    if isinstance(x, float | int):
        return Dual(arb(x))
    if isinstance(x, np.longdouble):
        if not np.isfinite(x):
            return Dual(arb(float(x)))
        numerator, denominator = x.as_integer_ratio()  # the denominator is a power of two
        return Dual(arb((numerator, 1 - denominator.bit_length())))
    if isinstance(x, np.floating) or (isinstance(x, np.generic) and x.dtype.name == "bfloat16"):
        return Dual(arb(float(x)))
    if isinstance(x, np.integer | np.bool_):
        return Dual(arb(int(x)))
    return NotImplemented


def order(a: Dual, b: Dual) -> int:
    """-1, 0 or 1 by the values alone; 0 for the same point, and then a kink where either can move."""
    if a.v < b.v:
        return -1
    if a.v > b.v:
        return 1
    if a.v.is_nan() or b.v.is_nan():
        line.refuse("nonfinite", "a value that is not a number is compared")
    if a is b:
        return 0
    if not (a.v.is_exact() and b.v.is_exact()):
        line.refuse("undecided", "two values are too close to be compared at this precision")
    if a.t is not None or b.t is not None:
        line.kink = True
    return 0


def compare(a: Dual, b: Dual) -> int:
    """-1, 0 or 1 as a is less than, equal to or greater than b, on the current side of the line."""
    values = order(a, b)
    if values or line.side == 0 or a is b or (a.t is None and b.t is None):
        return values
    apart = (0 if a.t is None else a.t) - (0 if b.t is None else b.t)
    if apart > 0:
        return line.side
    if apart < 0:
        return -line.side
    line.refuse("undecided", "equal values that move together to first order are compared")


def power(a: Dual, b: Dual) -> Dual:
    """a ** b: every a for an integer b that does not move, else a > 0; a = 0 where the power there is 0."""
    base, p, s = a.v, b.v, a.t
    if b.t is not None:
        if s is None and base.is_zero() and p > 0:
            return ZERO
        value = base**p
        slope = b.t * base.log()
        return Dual(value, value * (slope if s is None else slope + p * s / base))
    if p.is_zero():
        return ONE
    if s is None:
        return Dual(base**p)
    if not (p.is_exact() and p.is_integer()) and not base > 0 and base.contains(0):
        # At the edge of the domain: x^p with p > 1 has slope 0 on the one side where it is defined.
        if compare(a, ZERO) < 0 or not p > 1:
            line.refuse("nonfinite", "a real power has no finite derivative at 0")
        return Dual(base**p, s * 0)
    return Dual(base**p, s * p * base ** (p - 1))


def _finite(x: Dual) -> bool:
    return bool(x.v.is_finite() and (x.t is None or x.t.is_finite()))


ZERO = Dual(arb(0))
ONE = Dual(arb(1))
