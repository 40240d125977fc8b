"""The same point in extended precision, where a rule and its forward take it: what float64 rounds away there.

    |g64 - g80|     as far as the forward has lost as much:     |<u, f64> - <u, f80>|

Of 1 - p with a p close to 1 few digits are left, whatever the arguments do; a rule that multiplies by it has no more of
them than the forward that takes its logarithm. A rule that loses what the forward does not is not excused; of one that
does not take extended precision only the forward is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.judging.tolerance import name_of
from gradproof.judging.trial import Trial, signs
from gradproof.sampling.sample import is_float, unit, upcast

# a right value may be off by so many times what it loses, but by no more than so many times what the forward loses
LOST, DESERVED = 4.0, 16.0
BESIDE, DRAWS = 2.0**-10, 4
# a step over which a forward that stands still by rounding moves, in units of 1 or of a smaller entry
STEP = 2.0**-6


def lost(trial: Trial, i: int, got: Array, cotangents: Sequence[Array] | None = None) -> Array | float:
    """How far rounding has put each entry of a float64 gradient off; 0 where that cannot be told."""
    x = np.asarray(trial.sample.inputs[i])
    if not available() or name_of(x.dtype) != "float64":
        return 0.0
    sent = [upcast(u, np.longdouble) for u in (trial.cotangents if cotangents is None else cotangents)]
    deserved = DESERVED * _forward(trial, sent)
    # an entry that is smaller than the others moves the forward by less, and what that loses counts for more
    sizes = np.minimum(np.where(x == 0, 1.0, np.abs(x)), min(1.0, unit(x)))
    # a gradient of another shape is refused for that; which entry stands where in it is not known
    sizes = sizes if np.shape(got) == np.shape(sizes) else np.min(sizes, initial=1.0)
    return np.minimum(LOST * _apart(trial, i, got, sent), deserved / sizes) if deserved else 0.0


def _apart(trial: Trial, i: int, got: Array, sent: Sequence[Array]) -> Array:
    """How far each entry is from the rule's own in extended precision; infinite where it does not take that."""
    sample = trial.sample
    try:
        inputs = _lifted(sample.inputs)
        wide = trial.subject.pull(sent, trial.packing[1], inputs, sample.names, sample.wrt, sample.static).get(i)
    except Fault:
        wide = None
    if wide is None or wide.dtype != np.longdouble or wide.shape != got.shape or not np.isfinite(wide).all():
        return np.full(got.shape, np.inf)
    return np.asarray(np.abs(wide - got), np.float64)


def slope(trial: Trial, i: int, k: int) -> float:
    """About the slope at one entry, by a difference in extended precision; 0 where the forward has none there."""
    x = np.asarray(trial.work.sample.inputs[i])
    if not available() or name_of(x.dtype) != "float64":
        return 0.0
    v = np.zeros(x.size)
    v[k] = STEP * min(1.0, abs(float(x.reshape(-1)[k])) or 1.0)
    try:
        phi = trial.work.ray({i: v.reshape(x.shape)}, np.longdouble)
        return float(phi(np.longdouble(1))[0] - phi(np.longdouble(-1))[0]) / (2 * float(v[k]))
    except Exception:  # any exception of a stranger's forward
        return 0.0


def available() -> bool:
    """Whether this platform has a precision beyond float64."""
    return bool(np.finfo(np.longdouble).eps < 2.0**-60)


def _forward(trial: Trial, sent: Sequence[Array]) -> float:
    """What <u, f> loses to float64 at the point and beside it, at most."""
    rng, worst = trial.sample.rng(46), 0.0
    for draw in range(DRAWS):
        at = [_beside(x, rng) if draw and k in trial.sample.wrt else x for k, x in enumerate(trial.inputs())]
        try:
            plain = trial.subject.value(at, trial.sample.static)
            wide = trial.subject.value(_lifted(at), trial.sample.static)
        except Exception:  # any exception of a stranger's forward
            return 0.0
        floats = [(u, a, b) for u, a, b in zip(sent, plain, wide, strict=True) if is_float(a)]
        if any(b.dtype != np.longdouble or a.shape != b.shape for _, a, b in floats):
            return 0.0
        off = sum(float(np.abs(u * (a - b)).sum()) for u, a, b in floats)
        worst = max(worst, off) if np.isfinite(off) else worst
    return worst


def _beside(x: Any, rng: np.random.Generator) -> Any:
    moved = np.asarray(x) * (1 + BESIDE * signs(rng, np.shape(x)) * rng.uniform(0.5, 1, np.shape(x)))
    return moved if isinstance(x, np.ndarray) else moved[()]


def _lifted(inputs: Sequence[Any]) -> list[Any]:
    return [upcast(x, np.longdouble) for x in inputs]
