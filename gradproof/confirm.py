"""Before a refusal by differences: down to one entry, and at that entry by its own size of step.

The error along v is the sum of the errors of its entries. Halving v and keeping the half with the larger error finds
the entry with about log2 n further slopes. A slope that lied, because its steps crossed an edge, a jump or the grain
of a coarser precision, does not survive at the entry it leads to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradproof.slope import SPAN, Slope, slope, unit
from gradproof.subject import Array
from gradproof.trial import Trial

# outputs that move in proportion at a coarse step, and not at all at a fine one, are rounded, not flat
FINE, COARSE = 2.0**-24, 2.0**-6


@dataclass(frozen=True)
class Place:
    """One entry: what is there, what should be, and how far that is known."""

    index: tuple[int, ...]
    got: float
    expected: float
    slope: Slope
    step: float


def place(trial: Trial, i: int, got: Array, v: Array) -> Place | None:
    """The entry with the largest error along v, by bisection; None where v is zero."""
    flat, g = v.reshape(-1), np.asarray(got, np.float64).reshape(-1)
    members = np.flatnonzero(flat)
    if members.size == 0:
        return None

    def error(chosen: Array) -> float:
        only = np.zeros(flat.shape)
        only[chosen] = flat[chosen]
        ray = slope(trial, {i: only.reshape(v.shape)})
        if not np.isfinite(ray.value):
            return 0.0
        return max(abs(float((g[chosen] * flat[chosen]).sum()) - ray.value) - ray.bound, 0.0)

    while members.size > 1:
        left, right = members[: members.size // 2], members[members.size // 2 :]
        members = left if error(left) >= error(right) else right
    k = int(members[0])
    x = np.asarray(trial.sample.inputs[i], np.float64)
    own = abs(float(x.reshape(-1)[k])) or unit(x)
    found = [_entry(trial, i, v.shape, k, step) for step in dict.fromkeys((unit(x), own))]
    ray, step = min(found, key=lambda pair: pair[0].bound / pair[1])
    index = tuple(int(n) for n in np.unravel_index(k, v.shape))
    return Place(index, float(g[k]), ray.value / step, ray, step)


def _entry(trial: Trial, i: int, shape: tuple[int, ...], k: int, step: float) -> tuple[Slope, float]:
    only = np.zeros(int(np.prod(shape)))
    only[k] = step
    return slope(trial, {i: only.reshape(shape)}), step


def confirmed(trial: Trial, i: int, found: Place, room: float) -> bool:
    """Whether the entry is wrong by itself, beyond `room` (for the entry) and what its slope can tell."""
    ray = found.slope
    if not np.isfinite(ray.bound) or ray.kinked:
        return False
    if abs(found.got - found.expected) <= room + ray.bound / found.step:
        return False
    return not (ray.value == 0 and _grained(trial, i, found))


def _grained(trial: Trial, i: int, found: Place) -> bool:
    """Whether the forward stands still at a fine step but moves in proportion at coarse ones: a coarser precision inside."""
    only = np.zeros(np.shape(trial.sample.inputs[i]))
    only[found.index] = found.step
    phi = trial.work.ray({i: only})
    fine, coarse, coarser = (float(phi(SPAN * t)[0]) for t in (FINE, COARSE, 4 * COARSE))
    return fine == 0 and coarse != 0 and abs(coarser - 4 * coarse) <= 0.3 * abs(coarser)
