"""A forward that is rounded inside, to float16 or float32, stands still at fine steps: coarse ones give its slope.

    S(h) = (phi(h) - phi(-h)) / 2h        R(h) = (4 S(h/2) - S(h)) / 3        error of R about q / h + its change with h

where q is the first movement of phi, its grain. An entry at which the forward stands still has the derivative 0, or,
where the standing still is rounding, the slope that the coarse steps agree on. What is neither is wrong; a gradient
that is one of the two stays undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradproof.calling.subject import Array
from gradproof.judging.bench import REGULAR, Bench, Failure, Figures
from gradproof.judging.slope import Slope
from gradproof.judging.trial import Trial

NOTE = "the forward stands still at fine steps: it is rounded inside, and judged at the steps where it moves"
# steps of the entry's own size at which the forward has to stand still: finer than the grain of float32
STILL = (2.0**-30, 2.0**-27)
# the steps that a slope is taken from: below them any rounding is finer than float32's
COARSE = 2.0 ** -np.arange(1, 21)
# steps of 1 and less, down to where a square moves by less than float64's rounding of 1
LONG = 2.0 ** -np.arange(1, 27)
SAFETY = 4.0
# an error has to be so many times what the coarse steps leave open
CLEAR = 2.0
# a slope is seen that is known to this share of itself, or of how steep the forward is further on
SEEN, SEEN_OF_ALL = 0.5, 2.0**-30
MOST_ENTRIES, MOST_SAMPLES, MOST_LEARNT = 4, 6, 8
# a step function such as floor has few heights within the size of its argument
TREADS = 12
# treads as wide as float16's: differences at planted points are of no use
WIDE = 2.0**-14


@dataclass(frozen=True)
class Coarse:
    """The slope that coarse steps agree on, and how far it may be off."""

    value: float
    bound: float


def judge(bench: Bench, trial: Trial, i: int, got: Array) -> bool:
    """Refuses a gradient whose largest entries no reading of a rounded forward allows; True where it did.

    At regular points only: where outputs are of very different size the coarse grain of one hides the rest.
    """
    if bench.seen > MOST_SAMPLES or trial.sample.kind not in REGULAR:
        return False
    g = np.asarray(got, np.float64).reshape(-1)
    x = np.asarray(trial.work.sample.inputs[i], np.float64).reshape(-1)
    wrong: list[tuple[int, Coarse]] = []
    asked = [int(k) for k in np.argsort(-np.abs(g) * (x != 0))[:MOST_ENTRIES] if g[k] != 0 and x[k] != 0]
    for n, k in enumerate(asked):
        found = coarse(trial, i, k, abs(float(x[k])))
        if found is None:
            return False
        if min(abs(g[k] - found.value), abs(g[k])) > CLEAR * found.bound:
            wrong.append((k, found))
        elif n and not wrong:
            return False
    if len(wrong) < min(2, len(asked)) or not wrong:
        return False
    k, found = wrong[0]
    index, error = np.unravel_index(k, got.shape), abs(float(g[k]) - found.value)
    expected = np.array(got, np.float64)
    expected[index] = found.value
    v = np.zeros(got.shape)
    v[index] = 1.0
    ray = Slope(*((found.value, found.bound) * 3))
    bench.say(trial, i, "differences", "vjp", "differs", Figures(error, found.bound), NOTE)
    bench.failures.append(Failure(trial, i, "differences", "vjp", NOTE, got, expected, v, ray, error, found.bound))
    return True


def inside(bench: Bench, trial: Trial, i: int) -> float:
    """The narrowest tread that the forward stands on at regular points, as a share of an entry; 0 where it moves.

    On treads, 0 is no derivative that one could insist on. Learnt once a check, at a regular point.
    """
    name = trial.sample.names[i]
    if name not in bench.treads:
        regular = (t for t in (trial, *(t for t, _ in bench.passed)) if t.sample.kind in REGULAR)
        seen = next(regular, None)
        if seen is None:
            return 0.0
        sizes = np.abs(np.asarray(seen.work.sample.inputs[i], np.float64)).reshape(-1)
        ranks = np.linspace(0, sizes.size - 1, MOST_LEARNT).astype(int)
        chosen = dict.fromkeys(int(k) for k in np.argsort(sizes)[ranks] if sizes[k] > 0)
        bench.treads[name] = max((_tread(seen, i, k, float(sizes[k])) for k in chosen), default=0.0)
    return bench.treads[name]


def _tread(trial: Trial, i: int, k: int, size: float) -> float:
    """The shortest step that moves a forward which stands still at fine ones and takes many heights at coarse ones."""
    moved = _entry(trial, i, k, size)
    if any(moved(s * t) != 0 for t in STILL for s in (1, -1)):
        return 0.0
    moves = np.array([[moved(s * t) for t in COARSE] for s in (1, -1)])
    if not np.isfinite(moves).all() or np.unique(moves[moves != 0]).size < TREADS:
        return 0.0
    return float(COARSE[(moves != 0).any(0)].min())


def swallowed(trial: Trial, i: int, k: int, g: float) -> bool:
    """Whether a slope of g is seen at steps as long as 1, of a forward that stands still at those of the entry's size.

    At 1e-9 the moves of 1 - cos x are lost in the rounding of 1: it stands still there, and is not flat.
    """
    moved = _entry(trial, i, k, 1.0)
    found = _agreed(moved, LONG)
    if found is None:
        return False
    seen = max(SEEN * abs(g), SEEN_OF_ALL * max(abs(moved(LONG[0])), abs(moved(-LONG[0]))))
    return abs(g - found.value) <= found.bound <= seen


def coarse(trial: Trial, i: int, k: int, size: float) -> Coarse | None:
    """The slope at one entry from coarse steps; None where the forward moves at fine ones, or they do not agree."""
    moved = _entry(trial, i, k, size)
    if any(moved(s * t) != 0 for t in STILL for s in (1, -1)):
        return None
    found = _agreed(moved, COARSE)
    return None if found is None else Coarse(found.value / size, found.bound / size)


def _agreed(moved: Callable[[float], float], steps: Array) -> Coarse | None:
    """The slope that steps agree on, each half the one before; None where the forward has no value at one of them."""
    right, left = np.array([moved(t) for t in steps]), -np.array([moved(-t) for t in steps])
    moves = np.abs(np.concatenate([right, left]))
    if not np.isfinite(moves).all() or not moves.any():
        return None
    grain = float(moves[moves > 0].min())
    two_sided, gap = (right + left) / (2 * steps), (right - left) / steps
    smooth = (4 * two_sided[1:] - two_sided[:-1]) / 3
    kinked = np.abs(2 * gap[1:] - gap[:-1]) / 2
    change = np.abs(np.diff(smooth))
    # each against its neighbours on both sides: one agreement may be luck
    error = np.maximum(change[1:], change[:-1]) + kinked[1:-1] + grain / steps[2:-1]
    best, bounds = int(np.argmin(error)), SAFETY * error
    values = smooth[1:-1]
    # other steps that contradict it, and have a claim: over long steps the slope of a wave is small, and sure of it
    apart = np.abs(values - values[best])
    disputed = float(np.where(apart > bounds + bounds[best], apart + bounds, 0.0).max())
    return Coarse(float(values[best]), max(float(bounds[best]), disputed))


def _entry(trial: Trial, i: int, k: int, size: float) -> Callable[[float], float]:
    """t -> <u, f(x + t size e_k) - f(x)>; NaN outside what the forward takes."""
    v = np.zeros(np.size(trial.sample.inputs[i]))
    v[k] = size
    phi = trial.work.ray({i: v.reshape(np.shape(trial.sample.inputs[i]))})

    def moved(t: float) -> float:
        try:
            return float(phi(t)[0])
        except Exception:  # any exception of a stranger's forward
            return float("nan")

    return moved
