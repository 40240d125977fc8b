"""Values that few entries never meet: between the samples' own, one after the other, and looked at quickly.

A hundred entries meet every stretch of the numbers in one sample; a scalar has one value at each, and a rule that is
wrong from 3 to 4, or at 1 alone, is seen there at no sample. So every input takes the values of `domain.SWEPT` in turn,
with the others and by itself, at as few points as its entries allow. Every fourth cotangent is all ones, the commonest.

A central difference at two steps is enough to pass a point over:  | <g, v> - D <u, f> |  <=  what the steps differ by.
Where shapes vary, every axis is long once and 1 once, and every two are equal once. Only what contradicts a point is
judged, as a sample is; what is then right says nothing. At a kink the points beside it are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice, zip_longest

import numpy as np

from gradproof.calling.subject import Fault
from gradproof.judging.bench import Bench, norm
from gradproof.judging.judge import examine, prepare
from gradproof.judging.slope import one_triangle, rounding
from gradproof.judging.trial import Trial, draw_cotangents, signs, try_trial
from gradproof.sampling.declared import Declared
from gradproof.sampling.domain import SWEPT
from gradproof.sampling.given import Given
from gradproof.sampling.sample import Sample

LEAST, MOST = 4, SWEPT.size  # points: of one entry each value has its own
LARGEST = 5000  # entries of a point with a long axis
SINGLE = 4  # bytes of a number in single precision
ONES = 4
# contradictions that are judged: a forward of many jumps has one at every point
JUDGED = 4
# the two steps, in units of an entry's own size; roundings of the outputs, and the share of the gradient, that are none
STEPS = (2.0**-11, 2.0**-15)
NOISE, SLACK = 64.0, 1e-9
SQUARED, LEFT = 1 / ((STEPS[0] / STEPS[1]) ** 2 - 1), 2.0**-10
APART = 2.0**-7  # how far beside a kink, in units of an entry's own size


def judge(bench: Bench, source: Declared | Given, index: int) -> None:
    """Judge the points at which a quick look contradicts the rule, up to the first that is refused."""
    first = source.swept(index, 0, None) if bench.settings.wants("differences") else None
    if first is None:
        return
    judged = 0
    points = (_at(bench, source, index + k, *one) for k, one in enumerate(islice(_plan(first), MOST)))
    for trial in chain(points, _reshaped(bench, source, index + MOST)):
        for other in () if trial is None else _wrong(bench, trial):
            # a threshold of the rule at a value of the point is a jump of it there, which passes for rounding
            if _refused(bench, other) or any(_refused(bench, near) for near in _wrong_beside(bench, other)):
                return
            judged += 1
        if judged >= JUDGED:
            return


def _wrong(bench: Bench, trial: Trial) -> list[Trial]:
    """The point where it contradicts the rule; at a kink the points beside it, where a threshold may lie instead."""
    seen = _seen(trial)
    if seen not in ("kinked", "outside"):
        return [trial] if seen == "contradicted" else []
    return [trial, *_wrong_beside(bench, trial)] if seen == "outside" else _wrong_beside(bench, trial)


def _wrong_beside(bench: Bench, trial: Trial) -> list[Trial]:
    both = (_beside(bench, trial, side) for side in (1.0, -1.0))
    return [other for other in both if other is not None and _seen(other) == "contradicted"]


def _plan(sample: Sample) -> Iterator[tuple[int, int | None]]:
    """(turn, the input that takes its values alone; None: all): first all together, then each alone by turns."""
    turns = {i: max(1, -(-SWEPT.size // max(int(np.size(sample.inputs[i])), 1))) for i in sample.wrt}
    for turn in range(max(LEAST, *turns.values())):
        yield turn, None
    alone = [[(turn, i) for turn in range(turns[i])] for i in sample.wrt if len(sample.wrt) > 1]
    for some in zip_longest(*alone):
        yield from (one for one in some if one is not None)


def _at(bench: Bench, source: Declared | Given, index: int, turn: int, alone: int | None) -> Trial | None:
    sample = source.swept(index, turn, alone)
    trial = None if sample is None else try_trial(bench.subject, sample)
    if trial is not None:
        # neither sparse nor large, as at times at the samples: an entry that meets its value once has to be seen then
        u = draw_cotangents(trial.sample.rng(1), trial.values, turn % 2)
        trial.__dict__["cotangents"] = tuple(np.ones_like(c) for c in u) if turn % ONES == 1 else u
    return trial


def _reshaped(bench: Bench, source: Declared | Given, index: int) -> Iterator[Trial | None]:
    """Points of other shapes: what is done in blocks, squeezed, or transposed where it fits is wrong there alone."""
    for turn, sample in enumerate(source.reshaped(index)):
        # in 16 bits one of a hundred differences rounds to a kink, beside which float64 is
        short = any(np.asarray(sample.inputs[i]).dtype.itemsize < SINGLE for i in sample.wrt)
        if not (short and sample.shape_kind == "long") and sum(int(np.size(x)) for x in sample.inputs) <= LARGEST:
            trial = try_trial(bench.subject, sample)
            if trial is not None:
                trial.__dict__["cotangents"] = draw_cotangents(sample.rng(1), trial.values, turn % 2)
            yield trial


def _beside(bench: Bench, trial: Trial, side: float) -> Trial | None:
    """The point with every entry moved a little, up or down at random, and on the other side the other way."""
    sample = trial.sample
    inputs, rng = list(sample.inputs), sample.rng(14)
    for i in sample.wrt:
        x = np.asarray(inputs[i])
        moved = np.asarray(x.astype(np.float64) * (1 + side * APART * signs(rng, x.shape))).astype(x.dtype)
        inputs[i] = moved if isinstance(inputs[i], np.ndarray) else moved[()]
    other = try_trial(bench.subject, replace(sample, inputs=tuple(inputs)))
    if other is not None:
        other.__dict__["cotangents"] = trial.cotangents
    return other


def _seen(trial: Trial) -> str:
    """Whether the rule is contradicted: it raises, gives what is no number, or another slope than the outputs have.

    At a kink, whether its slope lies outside those on the two sides, as that of several kinks may and be right.
    """
    work = trial.work
    try:
        gradients = work.pull()
    except Fault:
        return "contradicted"
    v, mine, size, rng = {}, 0.0, 0.0, work.sample.rng(20)
    for i in work.sample.wrt:
        g, x = gradients[i], np.asarray(work.sample.inputs[i])
        if g is None or g.shape != x.shape or x.dtype != np.float64:
            return "open"
        if not np.isfinite(g).all():
            return "contradicted"
        v[i] = _along(work, i, x, rng)
        mine, size = mine + float((g * v[i]).sum()), size + norm(g * v[i])
    try:
        right, left = _sides(work, v)
    except Exception:  # a step leaves what the forward takes
        return "open"
    both, kink = (right + left) / 2, np.abs(right - left)
    noise = NOISE * rounding(work, extended=False) / STEPS[1]
    if not np.isfinite(both).all() or kink[1] > kink[0] / 4 + noise:
        room = abs(right[0] - right[1]) + abs(left[0] - left[1]) + noise + SLACK * size
        low, high = min(right[1], left[1]) - room, max(right[1], left[1]) + room
        return "outside" if mine < low or mine > high else "kinked"
    # what is left of the steps' own error once it is taken off, which is as the square of a step
    finer = both[1] + (both[1] - both[0]) * SQUARED
    return "contradicted" if abs(mine - finer) > abs(both[0] - both[1]) * LEFT + noise + SLACK * size else "right"


def _along(work: Trial, i: int, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random signs of each entry's own size or somewhat less: what is wrong at x and at -x alike does not cancel."""
    v = np.where(x == 0, 1.0, x) * rng.uniform(0.5, 1, x.shape) * signs(rng, x.shape)
    return np.asarray((v + np.swapaxes(v, -1, -2)) / 2 if one_triangle(work, i) else v)


def _sides(work: Trial, v: dict[int, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The slopes to the right and to the left at either step."""
    phi = work.ray(v)
    return (
        np.array([float(phi(step)[0]) / step for step in STEPS]),
        np.array([float(phi(-step)[0]) / -step for step in STEPS]),
    )


def _refused(bench: Bench, trial: Trial) -> bool:
    """Judge the point as a sample; its verdicts stay only where something is wrong."""
    failures, verdicts, passed = len(bench.failures), len(bench.verdicts), len(bench.passed)
    if prepare(bench, [trial]):
        examine(bench, trial)
    if len(bench.failures) > failures:
        return True
    del bench.verdicts[verdicts:], bench.passed[passed:]
    return False
