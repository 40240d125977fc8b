"""Before a refusal by differences: down to one entry, and at that entry by its own size of step.

The error along v is the sum of the errors of its entries. Parting v in four and keeping the part with the largest error
finds the entry with about 2 log2 n further slopes, four at a time. A slope that lied, because its steps crossed an
edge, a jump or the grain of a coarser precision, does not survive at the entry it leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradproof.calling.subject import Array
from gradproof.judging.slope import SPAN, Slope, jumps, slopes
from gradproof.judging.trial import Trial
from gradproof.sampling.sample import unit

PARTS = 4
# the shortest step, in units of the others
FINE = 2.0**-8
# two long steps, one twice the other, at which a forward that is rounded inside still moves
COARSE = (2.0**-3, 2.0**-2)


@dataclass(frozen=True)
class Place:
    """One entry: what is there, what should be, and how far that is known."""

    index: tuple[int, ...]
    got: float
    expected: float
    slope: Slope
    step: float
    near_bound: float
    consistent: bool


def place(trial: Trial, i: int, got: Array, v: Array) -> Place | None:
    """The entry with the largest error along v, part by part; None where v is zero."""
    g = np.asarray(got, np.float64).reshape(-1)
    members = np.flatnonzero(v)
    if members.size == 0:
        return None

    while members.size > 1:
        parts = [part for part in np.array_split(members, PARTS) if part.size]
        members = parts[int(np.argmax(_errors(trial, i, g, v, parts)))]
    k = int(members[0])
    x = np.asarray(trial.sample.inputs[i], np.float64)
    own = abs(float(x.reshape(-1)[k])) or unit(x)
    shortest = min(unit(x), own) * FINE
    found = _entry(trial, i, v.shape, k, sorted({shortest, unit(x), own}))
    # an edge, a jump or the grain of a coarser precision inside the longer steps shows at the shortest
    near, short = found[0]
    consistent = all(
        abs(near.value / short - far.value / step) <= near.bound / short + far.bound / step for far, step in found[1:]
    )
    ray, step = min(found, key=lambda pair: pair[0].bound / pair[1])
    index = tuple(int(n) for n in np.unravel_index(k, v.shape))
    return Place(index, float(g[k]), ray.value / step, ray, step, near.bound / short, consistent)


def _errors(trial: Trial, i: int, g: Array, v: Array, parts: Sequence[Array]) -> list[float]:
    """How far <g, v> is from the slope, beyond its bound, over each part of the entries alone."""
    flat = v.reshape(-1)
    along = []
    for chosen in parts:
        only = np.zeros(flat.shape)
        only[chosen] = flat[chosen]
        along.append({i: only.reshape(v.shape)})
    mine = [float((g[chosen] * flat[chosen]).sum()) for chosen in parts]
    return [
        max(abs(m - ray.value) - ray.bound, 0.0) if np.isfinite(ray.value) else 0.0
        for m, ray in zip(mine, slopes(trial, along), strict=True)
    ]


def _entry(trial: Trial, i: int, shape: tuple[int, ...], k: int, steps: Sequence[float]) -> list[tuple[Slope, float]]:
    """The slope along entry k alone, a step each, with the steps."""
    along = []
    for step in steps:
        only = np.zeros(int(np.prod(shape)))
        only[k] = step
        along.append({i: only.reshape(shape)})
    return list(zip(slopes(trial, along), steps, strict=True))


def confirmed(trial: Trial, i: int, found: Place, room: float) -> bool:
    """Whether the entry is wrong by itself, beyond `room` (for the entry) and what its slope can tell."""
    if not np.isfinite(found.slope.bound) or found.slope.kinked or not found.consistent:
        return False
    error = abs(found.got - found.expected)
    if error <= room + found.slope.bound / found.step or found.near_bound > 0.3 * error:
        return False
    only = np.zeros(np.shape(trial.sample.inputs[i]))
    only[found.index] = found.step
    return not jumps(trial, {i: only}) and not (found.expected == 0 and _grained(trial, i, found))


def _grained(trial: Trial, i: int, found: Place) -> bool:
    """Whether the forward stands still at fine steps but moves in proportion at coarse ones: rounded, not flat."""
    for step in (unit(trial.sample.inputs[i]), 1.0):
        only = np.zeros(np.shape(trial.sample.inputs[i]))
        only[found.index] = step
        phi = trial.work.ray({i: only})
        try:
            coarse, coarser = (float(phi(SPAN * t)[0]) for t in COARSE)
        except Exception:  # outside what the forward takes
            continue
        if coarse != 0 and abs(coarser - 2 * coarse) <= 0.35 * abs(coarser):
            return True
    return False
