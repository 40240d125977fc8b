"""Asking the frameworks: the answer at each trial, at its neighbours an ulp away, and in the rule's own dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.errors import InputError
from gradproof.judging import severed
from gradproof.judging.bench import REGULAR, Bench
from gradproof.judging.tolerance import JUMP, shifted
from gradproof.judging.trial import Trial, Truth, signs
from gradproof.oracles.autodiff import Answer, Autodiff, Point
from gradproof.sampling.sample import is_float

# a reference's value may differ from the forward's by this share of its largest entry: precision, not another function
SAME_VALUE = 1e-5
NUDGES = 2
# a number of one point: further off than this share of what stands around it, which differs by no more than that of it
OWN, ALIKE = 1e-9, 1e-3


def ask(bench: Bench, trials: Sequence[Trial]) -> list[Trial]:
    """Ask every framework about all trials at once; returns the trials that could be asked about.

    A varied point that a framework does not take is dropped; at the caller's own points that is his mistake.
    """
    kept = list(trials)
    for oracle in bench.autodiff.values():
        groups: dict[Any, list[Trial]] = {}
        for trial in kept:
            groups.setdefault((trial.sample.wrt, repr(sorted(trial.sample.static.items()))), []).append(trial)
        for group in groups.values():
            try:
                _ask(bench, oracle, group)
            except InputError:
                for trial in group:
                    try:
                        _ask(bench, oracle, [trial])
                    except InputError:
                        if trial.sample.kind in REGULAR:
                            raise
                        kept.remove(trial)
    return kept


def _ask(bench: Bench, oracle: Autodiff, group: list[Trial]) -> None:
    wrt, static = group[0].sample.wrt, group[0].sample.static
    points: list[Point] = []
    starts = []
    for trial in group:
        starts.append(len(points))
        points += [point(trial.work), *(neighbour(trial.work, k) for k in range(NUDGES))]
        if trial.narrow and trial.work is not trial:
            points.append(replace(point(trial), confirm=False))
    try:
        answers = oracle.ask(points, wrt, static)
    except InputError:
        for trial in group:
            _same_shapes(oracle, trial.work)  # the plainer reason, where it is that
        raise
    for trial, start in zip(group, starts, strict=True):
        base, moved = answers[start], answers[start + 1 : start + 1 + NUDGES]
        _fits(bench, oracle.framework, trial.work, base)
        if trial is group[0] and trial.sample.kind in REGULAR and not bench.seen:
            severed.insist(oracle, trial.work, points[start], base)
        low = answers[start + 1 + NUDGES].gradients if trial.narrow and trial.work is not trial else base.gradients
        trial.truths[oracle.framework] = Truth(
            base,
            {
                i: movement(
                    base.gradients[k], [m.gradients[k] for m in moved], bench.scale(trial, i), trial.term_rounding
                )
                for k, i in enumerate(wrt)
            },
            tuple(movement(y, [m.values[k] for m in moved]) for k, y in enumerate(base.values)),
            {i: np.abs(np.asarray(low[k], np.float64) - base.gradients[k]) for k, i in enumerate(wrt)},
            base.confirmed(points[start].tangents),
        )


def _same_shapes(oracle: Autodiff, trial: Trial) -> None:
    try:
        values = oracle.values(trial.inputs(), trial.sample.static)
    except Exception:  # it does not even run: what the caller is told already
        return
    mine, theirs = [y.shape for y in trial.values], [y.shape for y in values]
    lead = f"the {oracle.framework} forward returns"
    if len(mine) != len(theirs):
        raise InputError(f"{lead} {len(theirs)} outputs, the forward {len(mine)}; give the same forward")
    for ours, other in zip(mine, theirs, strict=True):
        if ours != other:
            raise InputError(f"{lead} shape {other}, the forward {ours}; give the same forward")


def _fits(bench: Bench, framework: str, trial: Trial, answer: Answer) -> None:
    """The reference has to be the same function; raises InputError naming the first entry where it is not."""
    for mine, theirs in zip(trial.values, answer.values, strict=True):
        if bench.settings.judge_value or not is_float(mine) or trial.sample.kind not in REGULAR:
            continue
        scale = float(np.max(np.abs(mine), initial=1e-300))
        with np.errstate(invalid="ignore"):
            off = np.abs(mine - theirs) > SAME_VALUE * np.maximum(np.abs(mine), 1e-2 * scale)
        if (off & np.isfinite(theirs)).any():
            index = tuple(int(n) for n in np.argwhere(off)[0])
            raise InputError(
                f"the {framework} forward is another function: at {list(index)} of sample {trial.sample.label} it "
                f"gives {float(theirs[index])!r}, the forward {float(mine[index])!r}; give the same forward"
            )


def point(trial: Trial) -> Point:
    """The trial's point, with a random tangent for forward mode; the frameworks copy what they are given."""
    known: Point | None = trial.__dict__.get("point")
    if known is None:
        rng = trial.sample.rng(2)
        at = [np.asarray(trial.sample.inputs[i]) for i in trial.sample.wrt]
        tangents = tuple(signs(rng, x.shape).astype(x.dtype) for x in at)
        known = trial.__dict__["point"] = Point(trial.inputs(), trial.cotangents, trial.packing[1], tangents)
    return known


def neighbour(trial: Trial, k: int, times: int = 1) -> Point:
    """The point with every differentiated entry and cotangent moved by a relative eps, up or down at random.

    Constants stay, and an entry of size 1 only shrinks: a reference may insist on probabilities. times: so many times
    as far, and to the other side where it is below 0.
    """
    known: dict[tuple[int, int], Point] = trial.__dict__.setdefault("neighbours", {})
    if (k, times) not in known:
        known[k, times] = _nudged(trial, k, times)
    return known[k, times]


def _nudged(trial: Trial, k: int, times: int) -> Point:
    rng = trial.sample.rng(40 + k)

    def nudge(x: Any) -> Any:
        if not is_float(x):
            return np.array(x) if isinstance(x, np.ndarray) else x
        up_or_down = signs(rng, np.shape(x))
        moves = times * up_or_down
        at_one = np.abs(x) == 1
        if at_one.any():  # not all alike: of ones that shrink together nothing moves
            moves = np.where(at_one, abs(times) * np.where(up_or_down > 0, -0.5, -2.0), moves)
        return shifted(x, moves)

    wrt = trial.sample.wrt
    inputs = tuple(nudge(x) if i in wrt else x for i, x in enumerate(trial.inputs()))
    cotangents, here = tuple(nudge(u) for u in trial.cotangents), point(trial)
    return Point(inputs, cotangents, here.packed, here.tangents, confirm=False)


def alone(base: Array, moved: Sequence[Array]) -> Array:
    """Where the point has a number of its own: those at several neighbours are all one, far from it.

    What the conditioning of a problem or a cancellation moves is not the same at neighbours of unlike distances.
    """
    around = np.asarray(moved, np.float64)
    with np.errstate(invalid="ignore"):
        off = np.abs(around - base).min(0)
        return np.asarray((off > OWN * np.abs(around).max(0)) & (np.ptp(around, axis=0) <= ALIKE * off))


def movement(base: Array, moved: Sequence[Array], scale: float = 0.0, rounding: float = 0.0) -> Array:
    """The largest move in units of eps; a jump from one branch to another is no movement.

    Entries below `rounding`, that of the terms which a gradient may be added from, do not jump, and move alike: of
    x v v - v v x one is 0 and the next 1e-17.
    """
    base = np.asarray(base, np.float64)
    others, size = np.asarray(moved, np.float64).reshape(len(moved), *base.shape), np.abs(base)
    with np.errstate(invalid="ignore"):
        step = np.abs(others - base)
        # an infinite step beside an infinite gradient is none: it would excuse whatever stands there
        room = np.maximum(JUMP * np.maximum(np.maximum(size, np.abs(others)), scale), rounding)
        worst = np.max(step, axis=0, where=(step <= room) & (step < np.inf), initial=0.0)
    below = size <= rounding
    worst = np.where(below, np.max(worst, where=below & (worst <= rounding), initial=0.0), worst)
    return np.asarray(worst / 2.0**-52)
