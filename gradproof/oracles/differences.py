"""The derivative of phi at 0 from values of phi, with a bound that is meant to hold.

Slopes on a ladder of steps are extrapolated to step 0 over its every window (`ladder.py`). A window's error:

    safety * max(truncation, jump, noise * gain)

truncation: what the window's finest step changed (Ridders 1982). jump: what is not smooth in the even part,
so that a kink among the steps is an error and not a coincidence. noise: the scatter of phi about its own
polynomials, measured at every step (after Moré & Wild 2011), never below half an ulp of phi. The window
with the least error is believed. Eight steps settle a smooth phi. Where what is left over is not plainly
noise, or a probe a thousand times finer contradicts, the ladder goes on, down to 1e-14 of the scale. A
component that is settled keeps its answer: finer steps would fall inside the grain of a float32
intermediate, where phi is locally constant and every one of them agrees on a wrong slope.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradproof.errors import InputError
from gradproof.oracles.ladder import CHUNK, FIRST, LEVELS, PROBE, STEPS, Reading, Slopes, grain_of, read

Array = NDArray[Any]
Phi = Callable[[Any], Any]

# Half an ulp of 1, and the smallest number.
PRECISIONS = {
    "bfloat16": (2.0**-9, 2.0**-133),
    "float16": (2.0**-11, 2.0**-24),
    "float32": (2.0**-24, 2.0**-149),
    "float64": (2.0**-53, 2.0**-1074),
    "longdouble": (float(np.finfo(np.longdouble).eps) / 2, 2.0**-1074),
}


@dataclass(frozen=True)
class Estimate:
    """Derivatives of K components and how far each may be off; arrays of shape (K,).

    `value` is the two-sided derivative, `right` and `left` the slopes towards 0+ and 0-. A bound is inf where
    nothing is resolved. At a kink `bound` reaches from `value` to both slopes, and so to every subgradient.
    Where `settled` is false the ladder ended before the error was plainly noise: the bounds hold, and may
    be wide.
    """

    value: Array
    bound: Array
    right: Array
    right_bound: Array
    left: Array
    left_bound: Array
    step: Array  # the finest step of the window that was believed
    noise: Array  # of phi, as measured, in units of phi
    settled: Array  # bool
    evaluations: int

    @property
    def kink(self) -> Array:
        """Where the one-sided slopes differ by more than their bounds; bool, shape (K,)."""
        gap: Array = np.abs(self.right - self.left)
        return gap > self.right_bound + self.left_bound


def derivative(phi: Phi, scale: float, *, precision: str = "float64", side: int = 0) -> Estimate:
    """The derivative at t = 0 of `phi`: t -> array (K,).

    `scale` is the largest |t| tried. A step at which phi is NaN or infinite, or raises ArithmeticError or
    ValueError, is outside its domain and is dropped; what it raises at t = 0 is raised. `side` = 1 (-1)
    takes t >= 0 (t <= 0) only, for the end of a domain. `precision` is what phi computes in; with
    "longdouble" t is a `numpy.longdouble`. A smooth phi is called 19 times, the worst about 100 times.

    Errors: InputError for a scale, precision or side that is none.
    Source: Richardson (1911), Ridders (1982), Moré & Wild (2011) for the parts.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"scale is {scale!r}: expected a finite number above 0, the largest step to take")
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if side not in (-1, 0, 1):
        raise InputError(f"side is {side!r}: expected 1 (t >= 0 only), -1 (t <= 0 only) or 0 (both)")
    with np.errstate(all="ignore"):
        return _climb_down(_Values(phi, float(scale), side, precision))


@dataclass
class _Values:
    """phi at 0 and at plus and minus each step taken; NaN where phi has no value or is not asked."""

    phi: Phi
    scale: float
    side: int
    precision: str
    evaluations: int = 1
    plus: list[Array] = field(default_factory=list)
    minus: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dtype: type[Any] = np.longdouble if self.precision == "longdouble" else np.float64
        centre = np.asarray(self.phi(self.dtype(0)))
        if centre.ndim != 1:
            raise InputError(f"phi(0) has shape {centre.shape}: expected one axis, a component an entry")
        coarser = PRECISIONS.get(centre.dtype.name, (0.0, 0.0))  # phi may return less than was said
        self.roundoff, self.tiny = max(PRECISIONS[self.precision], coarser)
        self.centre = centre.astype(self.dtype)
        self.missing = np.full_like(self.centre, np.nan)

    def at(self, t: Any) -> Array:
        try:
            return np.asarray(self.phi(t))
        except (ArithmeticError, ValueError):
            return self.missing

    def pairs(self, steps: Sequence[Any]) -> list[tuple[Array, Array]]:
        """phi at plus and minus each step, in one evaluation where phi can."""
        plus = list(steps) if self.side >= 0 else []
        minus = [-t for t in reversed(steps)] if self.side <= 0 else []
        asked = [*plus, *minus]
        self.evaluations += len(asked)
        many = getattr(self.phi, "many", None)
        values = many(asked) if many else None
        if values is None:
            values = [self.at(t) for t in asked]
        nothing = [self.missing] * len(steps)
        ahead = list(values[: len(plus)]) or nothing
        return list(zip(ahead, list(values[len(plus) :])[::-1] or nothing, strict=True))

    def only(self, k: int) -> _Values:
        """Component k with the values that were taken already."""
        alone = _Values(self.phi.only(k), self.scale, self.side, self.precision)  # type: ignore[attr-defined]
        alone.plus, alone.minus = [y[k : k + 1] for y in self.plus], [y[k : k + 1] for y in self.minus]
        alone.evaluations += self.evaluations
        return alone

    def slopes(self, count: int) -> tuple[Slopes, Slopes, Slopes]:
        """Two-sided, right and left slopes at the first `count` steps."""
        steps = STEPS[:count].astype(self.dtype) * self.dtype(self.scale)
        small = self.dtype(PROBE * STEPS[count - 1]) * self.dtype(self.scale)
        *taken, (probe_plus, probe_minus) = self.pairs([*steps[len(self.plus) :], small])
        self.plus += [plus for plus, _ in taken]
        self.minus += [minus for _, minus in taken]
        up, down = np.array(self.plus, self.dtype), np.array(self.minus, self.dtype)
        right, left = (up - self.centre) / steps[:, None], (self.centre - down) / steps[:, None]
        probe_right, probe_left = (probe_plus - self.centre) / small, (self.centre - probe_minus) / small
        rise = np.fmax(np.abs(right), np.abs(left)) * steps[:, None]
        reached = np.array([np.fmax(np.abs(up), np.abs(down)), rise])
        reached[~np.isfinite(reached)] = 0
        size, spread = np.maximum.accumulate(reached[:, ::-1], axis=1)[:, ::-1]
        size = np.maximum(size, np.abs(self.centre))
        rest = (size, spread, self.scale, self.roundoff, self.tiny)
        odd, probe_odd = (right + left) / 2, (probe_right + probe_left) / 2
        even, probe_even = (right - left) / 2, (probe_right - probe_left) / 2
        return (
            Slopes(odd, even, probe_odd, probe_even, *rest),
            Slopes(right, None, probe_right, None, *rest),
            Slopes(left, None, probe_left, None, *rest),
        )


def derivatives(phi: Any, scale: float, *, precision: str = "float64") -> list[Estimate]:
    """`derivative` of each of the K components of phi by itself; those that the first steps settle are read together.

    `phi.only(k)` is component k alone: one that lies at a kink does not cost the others finer steps.
    """
    with np.errstate(all="ignore"):
        values = _Values(phi, float(scale), 0, precision)
        first = _one_slope(read(values.slopes(FIRST)[0]), last=False)
        settled = first.settled & np.isfinite(values.centre)
        return [
            _component(first, k, values.evaluations) if settled[k] else _climb_down(values.only(k))
            for k in range(settled.size)
        ]


def joined(found: Sequence[Estimate]) -> Estimate:
    """Estimates of one component or more each as one of them all."""
    if len(found) == 1:
        return found[0]
    names = [name for name in vars(found[0]) if name != "evaluations"]
    parts = {name: np.concatenate([getattr(one, name) for one in found]) for name in names}
    return Estimate(**parts, evaluations=max(one.evaluations for one in found))


def _component(found: Estimate, k: int, evaluations: int) -> Estimate:
    parts = {name: part[k : k + 1] for name, part in vars(found).items() if name != "evaluations"}
    return Estimate(**parts, evaluations=evaluations)


def _climb_down(values: _Values) -> Estimate:
    nowhere = np.full_like(values.centre, np.inf)
    nothing = values.missing
    found = _estimate((nothing, nowhere) * 3, nothing, nothing, np.zeros(nothing.shape, bool))
    open_ = np.isfinite(values.centre)
    count = FIRST
    while True:
        two_sided, right, left = values.slopes(count)
        last = count == LEVELS
        if values.side:
            new = _one_slope(read(right if values.side > 0 else left), last)
        else:
            new = _one_slope(read(two_sided), last)
            if (open_ & ~new.settled & (last | _splits(right, left))).any():
                new = _two_slopes(values, new, read(right), read(left), last)
        found = _where(open_, new, found)
        open_ = open_ & ~new.settled
        if last or not open_.any():
            return replace(found, evaluations=values.evaluations)
        count += CHUNK


def _splits(right: Slopes, left: Slopes) -> Array:
    """Whether the even part stays as the step shrinks, as a kink's does."""
    split: Array = np.abs(right.probe - left.probe) >= np.abs(right.slopes[-1] - left.slopes[-1]) / 2
    return split


def _estimate(slopes: tuple[Array, ...], step: Array, noise: Array, settled: Array) -> Estimate:
    value, bound, right, right_bound, left, left_bound = slopes
    return Estimate(value, bound, right, right_bound, left, left_bound, step, noise, settled, 0)


def _where(chosen: Array, new: Estimate, old: Estimate) -> Estimate:
    if chosen.all():
        return new
    names = [name for name in vars(new) if name != "evaluations"]
    return replace(old, **{name: np.where(chosen, getattr(new, name), getattr(old, name)) for name in names})


def _bound(seen: Reading, last: bool) -> Array:
    """At the end of the ladder a dispute stays open: the bound spans it. What is not sound has none."""
    bound: Array = np.where(seen.sound, np.maximum(seen.bound, seen.disputed), np.inf) if last else seen.bound
    return bound


def _one_slope(seen: Reading, last: bool) -> Estimate:
    """A derivative that is settled is the slope of either side too."""
    return _estimate((seen.value, _bound(seen, last)) * 3, seen.step, seen.noise, seen.settled)


def _two_slopes(values: _Values, both: Estimate, right: Reading, left: Reading, last: bool) -> Estimate:
    """The sides speak where the two-sided derivative is not settled; their midpoint, where it says more."""
    right_bound, left_bound = _bound(right, last), _bound(left, last)
    middle, gap = (right.value + left.value) / 2, np.abs(right.value - left.value)
    reach = gap / 2 + np.maximum(right_bound, left_bound)
    kink = right.settled & left.settled & ~both.settled & (gap > 4 * (right_bound + left_bound))
    if kink.any() and not last:
        kink &= _at_zero_itself(values, right, left, gap, kink)
    better = ~both.settled & (kink | (reach < both.bound))
    centre = np.where(better, middle, both.value), np.where(better, reach, both.bound)
    noise = np.where(kink, np.maximum(right.noise, left.noise), both.noise)
    sides = (right.value, right_bound, left.value, left_bound)
    return _where(both.settled, both, _estimate(centre + sides, both.step, noise, kink))


def _at_zero_itself(values: _Values, right: Reading, left: Reading, gap: Array, kink: Array) -> Array:
    """Whether the finest step that rounding allows still sees the kink: so it is at 0.

    From the second round on measured noise counts as rounding: a float32 inside hides any finer kink.
    """
    noise = values.roundoff * np.maximum(np.abs(values.centre), gap * STEPS[-1] * values.scale)
    seen = np.zeros(kink.shape, bool)
    for rough in (False, True)[: 1 + (len(values.plus) > FIRST)]:
        if rough:
            sides = (grain_of(np.array(side, values.dtype)) for side in (values.plus, values.minus))
            noise = np.maximum(noise, np.maximum(*sides))
        finest = max(STEPS[-1] * values.scale, 64 * np.nanmax(np.where(kink & ~seen, noise / gap, 0)))
        step = values.dtype(min(finest, PROBE * values.scale))
        ((plus, minus),) = values.pairs([step])
        off_right = np.abs((plus - values.centre) / step - right.value)
        off_left = np.abs((values.centre - minus) / step - left.value)
        seen |= np.maximum(off_right, off_left) <= gap / 8
    return seen


def extended(phi: Phi, scale: float, *, side: int = 0) -> Estimate | None:
    """`derivative` in extended precision, where phi takes a `numpy.longdouble` and computes in it; else None.

    Detected: phi must return longdouble, and its measured noise must be below half an ulp of float64: a
    forward that rounds to float64 inside gains nothing.
    """
    roundoff = PRECISIONS["float64"][0]
    if PRECISIONS["longdouble"][0] > roundoff / 64:
        return None
    try:
        at_zero = np.asarray(phi(np.longdouble(0)))
    except Exception:  # a forward that takes no longdouble may raise anything
        return None
    if at_zero.dtype != np.longdouble:
        return None
    found = derivative(phi, scale, precision="longdouble", side=side)
    fine = found.noise <= roundoff / 16 * (np.abs(at_zero) + np.abs(found.value) * scale)
    return found if bool(fine.all()) else None


_OFFSETS = np.array([-0.954, -0.683, -0.407, -0.119, 0.224, 0.492, 0.749, 0.971])
_CUBIC = np.vander(_OFFSETS, 4, increasing=True)
_FIT = np.linalg.pinv(_CUBIC)
IMAGINARY = 1e-30


def complex_step(phi: Phi, scale: float, against: Estimate) -> tuple[Array, Array] | None:
    """Im phi(i h) / h with its bound, arrays (K,); None where phi is not analytic or takes no complex t.

    There is no cancellation in it, so it is exact to rounding; the rounding is measured, as the scatter about
    a cubic of the same quotient at eight points t + i h beside 0. A forward with abs, real or conj inside
    answers wrongly in silence: `against`, the differences of the same phi on the real line, must have settled
    a component, and agree; its bound is inf elsewhere. What such a forward drops below the bound of `against` is
    not seen.

    Source: Squire & Trapp (1998).
    """
    resolved = against.settled & (against.bound <= 1e-6 * np.abs(against.value) + 1e3 * against.noise / scale)
    if not resolved.any():
        return None
    # Far above the rounding of x + t, float32's too; so small that a cubic follows the slope.
    span = min(1e-4 * scale, 1e-2 * float(against.step[resolved].min()))
    steps = [complex(offset, IMAGINARY * scale) for offset in _OFFSETS * span]
    many = getattr(phi, "many", None)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            values = many(steps) if many else None
            if values is None:
                values = _each(phi, steps)
        except Exception:  # a forward that takes no complex numbers may raise anything
            return None
    if values is None or not np.iscomplexobj(values):
        return None
    slopes = values.imag.astype(np.float64) / (IMAGINARY * scale)
    with np.errstate(all="ignore"):
        fit = _FIT @ slopes
        value, scatter = fit[0], np.abs(slopes - _CUBIC @ fit).max(axis=0)
        bound = 4 * scatter + 2.0**-51 * np.abs(value) + 2.0**-1074
        agrees = resolved & (np.abs(value - against.value) <= against.bound + bound)  # never where a NaN is
    return (value, np.where(agrees, bound, np.inf)) if agrees.any() else None


def _each(phi: Phi, steps: Sequence[complex]) -> Array | None:
    """phi at each step, (T, K); None as soon as one is real."""
    found = []
    for t in steps:
        out = np.asarray(phi(t))
        if not np.iscomplexobj(out):
            return None
        found.append(out)
    return np.array(found)
