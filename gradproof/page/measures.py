"""The numbers behind a card's pictures, taken anew from the engine's own samples and oracles.

Along a direction v, with phi(t) = <u, f(x + t v) - f(x)> and s = <g, v> what the hand-written derivative g says:

    quotient    |(phi(h) - phi(-h)) / 2h - s|     a V: truncation falls as h^2 on its right, rounding grows as 1/h left
    zeroth      |phi(h)|                          falls as h
    first       |phi(h) - h s|                    falls as h^2 where g is right, as h where it is wrong
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault, Subject
from gradproof.equation import Equation
from gradproof.judging.bench import REGULAR
from gradproof.judging.slope import SPAN, directions
from gradproof.judging.trial import Trial, try_trial
from gradproof.oracles.differences import derivative
from gradproof.sampling.declared import Declared
from gradproof.verdict import Result

ATTEMPTS = 4  # as many as a check makes at a point
STEPS = SPAN * 2.0 ** -np.arange(0.0, 40.0)
ENTRIES = 64  # more are not differenced one by one for a heat map
DRAWN = ("random", "drawn")
EPS = 2.0**-52


@dataclass(frozen=True)
class Ladder:
    """One direction at one sample: errors at STEPS, and what our own differences say there."""

    name: str  # of the input that is moved
    label: str  # of the sample
    slope: float  # <g, v>, the hand-written one
    zeroth: Array
    first: Array
    quotient: Array
    step: float  # the finest step of the window that was believed
    bound: float
    error: float  # of our own differences from the hand-written slope

    @property
    def order(self) -> float:
        """How fast the first-order remainder falls: the median slope of its straight part; NaN where there is none."""
        return _order(self.first, self.zeroth)


@dataclass(frozen=True)
class Heat:
    """|got - expected| of one gradient at its worst sample, in ulps of the gradient's largest entry."""

    name: str
    label: str
    oracle: str
    shape: tuple[int, ...]
    error: Array  # two axes
    ulps: Array
    at: tuple[int, ...]


def subject_of(equation: Equation) -> Subject:
    """The declaration as the judge sees it."""
    return Subject(equation.name, equation.forward, equation.vjp, {}, equation.plain, equation.kinks)


def trial_at(equation: Equation, seed: int, index: int) -> Trial | None:
    """The sample of that index, as the check drew it."""
    source, subject = Declared(equation, seed), subject_of(equation)
    for attempt in range(ATTEMPTS):
        sample = source.draw(index, attempt)
        trial = None if sample is None else try_trial(subject, sample)
        if trial is not None:
            return trial
    return None


def ladder(equation: Equation, result: Result, seed: int, name: str) -> Ladder | None:
    """The errors along one direction of the input `name`, at the first regular sample that it takes part in.

    None where no regular sample has the input, or the hand-written derivative raises there.
    """
    for index in (int(label.partition(":")[0]) for label in result.samples):
        trial = trial_at(equation, seed, index)
        if trial is None or trial.sample.kind not in REGULAR or trial.sample.shape_kind not in ("distinct", "free"):
            continue
        names = [trial.sample.names[i] for i in trial.sample.wrt]
        if name not in names or not np.size(trial.sample.inputs[trial.sample.wrt[names.index(name)]]):
            continue
        return _along(trial, trial.sample.wrt[names.index(name)])
    return None


def _along(trial: Trial, i: int) -> Ladder | None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            got = trial.pull()[i]
        except Fault:
            return None
        v = directions(trial, i, trial.sample.rng(30), 1)[0]
        if got is None or got.shape != v.shape:
            return None
        slope = float((np.asarray(got, np.float64) * v).sum())
        phi = trial.ray({i: v})
        found = derivative(phi, SPAN)
        right = np.array([_value(phi, h) for h in STEPS])
        left = np.array([_value(phi, -h) for h in STEPS])
    return Ladder(
        name=trial.sample.names[i],
        label=trial.sample.label,
        slope=slope,
        zeroth=np.abs(right),
        first=np.abs(right - STEPS * slope),
        quotient=np.abs((right - left) / (2 * STEPS) - slope),
        step=float(found.step[0]),
        bound=float(found.bound[0]),
        error=abs(float(found.value[0]) - slope),
    )


def _value(phi: Callable[[Any], Array], t: float) -> float:
    try:
        return float(phi(t)[0])
    except (ArithmeticError, ValueError):  # outside the domain
        return float("nan")


def _order(remainder: Array, size: Array) -> float:
    """The median of log2 r(2h)/r(h) where r is well above rounding, of the ten finest such steps."""
    floor = 1e3 * EPS * np.nanmax(size, initial=0.0)
    usable = np.isfinite(remainder) & (remainder > floor)
    pairs = np.flatnonzero(usable[:-1] & usable[1:])[-10:]
    return float(np.median(np.log2(remainder[pairs] / remainder[pairs + 1]))) if pairs.size > 1 else float("nan")


def worst_sample(result: Result, oracle: str = "") -> tuple[str, int] | None:
    """The input and the sample's index of the largest error of a gradient, by one oracle or by all; refused first."""
    found = [
        v
        for v in result.verdicts
        if v.input in result.inputs and v.check in ("vjp", "jvp") and oracle in ("", v.oracle) and not np.isnan(v.ulps)
    ]
    if not found:
        return None
    worst = max(found, key=lambda v: (v.word == "differs", v.word == "agrees", v.ulps))
    return worst.input, int(worst.sample.partition(":")[0])


def heat(
    equation: Equation, result: Result, seed: int, references: Mapping[str, Callable[..., Any]]
) -> Heat | None:
    """Entry by entry, the hand-written gradient at its worst sample against a framework, else against differences."""
    spoke = next((name for name in ("torch", "jax") if name in references), "")
    where = worst_sample(result, spoke) or worst_sample(result)
    trial = None if where is None else trial_at(equation, seed, where[1])
    if where is None or trial is None or where[0] not in trial.sample.names:
        return None
    i = trial.sample.names.index(where[0])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            got = trial.pull()[i]
        except Fault:
            return None
        expected, oracle = _expected(trial, i, references)
    if got is None or expected is None or got.shape != expected.shape or not got.size:
        return None
    error = np.abs(np.asarray(got, np.float64) - expected)
    if not np.isfinite(error).any():
        return None
    scale = EPS * float(np.max(np.abs(expected), initial=0.0)) or EPS
    columns = error.shape[-1] if error.ndim else 1
    at = np.unravel_index(int(np.nanargmax(error)), error.shape)
    flat = error.reshape(-1, columns) if error.ndim != 1 else error[None]
    index = tuple(int(n) for n in at)
    return Heat(where[0], trial.sample.label, oracle, error.shape, flat, flat / scale, index)


def _expected(
    trial: Trial, i: int, references: Mapping[str, Callable[..., Any]]
) -> tuple[Array | None, str]:
    from gradproof.oracles import jax, torch

    sample = trial.sample
    cotangent: Any = trial.cotangents if trial.packing[1] else trial.cotangents[0]
    oracles: Sequence[tuple[str, Callable[..., Any]]] = (("torch", torch.vjp), ("jax", jax.vjp))
    for name, vjp in oracles:
        if name in references:
            found = vjp(references[name], cotangent, sample.inputs, (i,), sample.static)[1]
            return np.asarray(found[0], np.float64), name
    x = np.asarray(sample.inputs[i])
    if x.size > ENTRIES:
        return None, ""
    expected = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        v = np.zeros(x.shape)
        v[place] = max(abs(float(x[place])), 1.0)
        expected[place] = float(derivative(trial.ray({i: v}), SPAN).value[0]) / v[place]
    return expected, "differences"
