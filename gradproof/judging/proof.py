"""Balls at a sample: the slope along one direction with a proved radius, where the forward runs on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.errors import InputError
from gradproof.judging import rounded
from gradproof.judging.bench import Bench, Failure, Figures, norm, typical
from gradproof.judging.slope import Slope, directions, slope
from gradproof.judging.tolerance import eps
from gradproof.judging.trial import Trial
from gradproof.oracles import ball
from gradproof.sampling.sample import is_float

# balls cost about a microsecond an operation: they are tried on small points, within this many operations
MOST_ENTRIES = 120
BUDGET = 5e4
# refusals in a row after which the forward counts as one that does not run on balls
REFUSALS = 2


def enclosed(bench: Bench, trial: Trial, i: int, v: Array) -> ball.Enclosure | None:
    """The proved slope along v at input i; None where the point is large, or the forward does not run on balls."""
    work = trial.work
    size = sum(int(np.size(x)) for x in work.sample.inputs if is_float(x))
    if bench.refused_balls >= REFUSALS or not bench.settings.wants("ball"):
        return None
    if size > MOST_ENTRIES or not ball.availability():
        return None
    forward = partial(bench.subject.plain or bench.subject.forward, **trial.sample.static)
    tangents = [v if k == i else None for k in range(len(work.sample.inputs))]
    u = tuple(work.cotangents) if trial.packing[1] else work.cotangents[0]
    try:
        found = ball.enclose(forward, work.sample.inputs, tangents, u, budget=BUDGET)
    except InputError:
        found = None
    bench.refused_balls = bench.refused_balls + 1 if found is None else 0
    return found


def judge(
    bench: Bench,
    trial: Trial,
    i: int,
    got: Array,
    dtype: np.dtype[Any],
    movement: Array | float,
    surer: Callable[[float], Array | float],
) -> bool:
    """A gradient against the proved slope along a random direction; True where that settled it.

    surer: gives the movement over more draws, before a refusal for an error of so much an entry.
    """
    v = directions(trial, i, trial.sample.rng(16), 1)[0]
    found = enclosed(bench, trial, i, v)
    if found is None or found.kink:
        return False
    room = found.radius + bench.rounding(trial, i, got, movement, v, dtype) + 2.0**-1000
    error = abs(float((got.astype(np.float64) * v).sum()) - found.mid)
    if np.isfinite(room) and error > room:
        movement = surer(error / norm(v))
        room = found.radius + bench.rounding(trial, i, got, movement, v, dtype) + 2.0**-1000
    size = max(typical(got, bench.scale(trial, i)) * typical(v), 1e-300)
    figures = Figures(error, room, room / size, error / (eps(dtype) * max(norm((np.abs(got) + movement) * v), 1e-300)))
    right = error <= room
    if not np.isfinite(room):
        return False
    if not right:
        ray = slope(trial, {i: v})
        if abs(float((got.astype(np.float64) * v).sum()) - ray.value) <= ray.bound <= 1e-3 * error:
            # real arithmetic and floats part ways: an iteration that stops, steps that stand for a smooth function
            bench.say(trial, i, "ball", "vjp", "undecided", figures, "differences contradict the proved slope")
            return False
    if not right and abs(found.mid) <= found.radius + 2.0**-1000 and rounded.inside(bench, trial, i) > 0:
        # treads far narrower than the argument stand for a smooth function: an iteration that stops, numbers rounded
        bench.say(trial, i, "ball", "vjp", "undecided", figures, rounded.NOTE)
        return False
    bench.say(trial, i, "ball", "vjp", "agrees" if right else "differs", figures, "proved at this point")
    if not right:
        ray = Slope(found.mid, found.radius, found.mid, found.radius, found.mid, found.radius, "ball")
        bench.failures.append(Failure(trial, i, "ball", "vjp", "", got, None, v, ray, error, room))
    return right


def sides_with(bench: Bench, trial: Trial, i: int, v: Array, got: Array, expected: Array) -> bool:
    """Whether the proved slope is the rule's to rounding, and further from the framework's: frameworks cancel too."""
    found = enclosed(bench, trial, i, v)
    if found is None or found.kink:
        return False
    mine, theirs = float((got * v).sum()), float((expected * v).sum())
    room = found.radius + 64 * eps(np.asarray(trial.sample.inputs[i]).dtype) * float(np.abs(got * v).sum())
    return abs(mine - found.mid) <= room and abs(mine - found.mid) < 0.5 * abs(theirs - found.mid)
