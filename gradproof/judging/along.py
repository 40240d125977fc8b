"""A gradient along random directions against differences, without a reference or beside one.

    | <g, v> - D_v <u, f> |  <=  bound of the slope + rounding

Every direction has all entries at +-1 (of their size), so that one wrong entry shows in each of them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault, Gradients
from gradproof.judging import around, extended, kinks, proof, rounded
from gradproof.judging.bench import REGULAR, Bench, Failure, Figures, norm, typical
from gradproof.judging.confirm import FINE, confirmed, place
from gradproof.judging.references import alone, ask, movement, neighbour
from gradproof.judging.roughness import as_movement, roughness
from gradproof.judging.slope import directions, one_triangle, slope, slopes, smooth, stands
from gradproof.judging.tolerance import RESOLVED, allowed, eps, largest
from gradproof.judging.trial import Trial, try_trial
from gradproof.oracles.autodiff import Point
from gradproof.oracles.contract import Contract
from gradproof.sampling.sample import unit

# with a reference beside it, a coarse slope is no evidence against the rule
SHARP = 1e-6
# a narrow rule that moves by more than this share of its largest entry has jumped to another branch
GRAIN_JUMP = 0.1
# a narrow rule may be off by so many times what its forward has lost; one whose forward has jumped is not held to it
DESERVED = 4.0
FURTHER = -3  # ulps to the other side
GRAIN_DRAWS, CANCELLED_DRAWS = 4, 8
MOVES, MORE_MOVES = 2, 10
STALE = 1e-6  # of the largest entry: an answer that was kept is further off


def judge(
    bench: Bench, trial: Trial, i: int, got: Array, gradients: Gradients, count: int, quiet: bool = False
) -> bool:
    """`count` directions; True where some oracle settled the gradient. quiet: a reference has settled it already."""
    dtype = trial.precision(gradients[i])
    shadow = _shadow(bench, trial, i, got, dtype)
    if shadow is None:
        return False
    got, dtype = shadow
    moves = _movement(bench, trial, i, dtype)
    if trial.cancelled(np.asarray(gradients[i])):
        moves = np.maximum(moves, grain(trial.work if dtype == np.float64 else trial, i, got) / eps(dtype))
    surer = partial(_surer, bench, trial, i, got, dtype, moves)
    settled = bench.seen <= 2 and proof.judge(bench, trial, i, got, dtype, moves, surer)
    if bench.failed(trial, i):
        return False
    drawn = directions(trial, i, trial.sample.rng(20 + i), count)
    for v, ray in zip(drawn, slopes(trial, [{i: v} for v in drawn]), strict=True):
        mine = float((got.astype(np.float64) * v).sum())
        if np.isfinite(ray.bound) and trial.sample.kind in REGULAR:
            bench.grow(trial.sample.names[i], abs(ray.value) / max(norm(v), 1e-300))
        scale = bench.scale(trial, i)
        rounding = bench.rounding(trial, i, got, moves, v, dtype)
        room, error = ray.bound + rounding, abs(mine - ray.value)
        known = bench.stretched(trial, trial.sample.names[i], floor=False)
        size = max(norm((np.abs(got) + moves) * v), known * norm(v), abs(ray.value), 1e-300)
        share = max(typical(got, scale) * typical(v), 1e-300)
        figures = Figures(error, room, room / share, error / (eps(dtype) * size))
        if ray.kinked:
            if not bench.autodiff:
                # the gradients around the point are the rule's own: they have to be right first
                beside(bench, trial, "beside")
            settled |= kinks.judge(bench, trial, i, gradients, figures)
        elif error <= room:
            if ray.bound <= RESOLVED * size < np.inf:
                bench.say(trial, i, "differences", "vjp", "agrees", figures)
                settled = True
        elif np.isfinite(room) and not (quiet and ray.bound > SHARP * size):
            moves = surer(error / norm(v))
            word = _refuse(bench, trial, i, got, dtype, gradients, v, moves, figures)
            if word == "differs":
                bench.say(trial, i, "differences", "vjp", word, figures)
                return False
            settled |= word == "subgradient"
    if not settled and not quiet and bench.seen > 2:
        settled = proof.judge(bench, trial, i, got, dtype, moves, surer)
    if not settled and not quiet and not bench.failed(trial, i) and rounded.inside(bench, trial, i) > 0:
        rounded.judge(bench, trial, i, got)
    return settled


def _refuse(
    bench: Bench,
    trial: Trial,
    i: int,
    got: Array,
    dtype: np.dtype[Any],
    gradients: Gradients,
    v: Array,
    moves: Array | float,
    figures: Figures,
) -> str:
    """The word for a gradient that differences contradict along v: only what holds at one entry is refused."""
    chosen = kinks.choice(bench, trial, i, got)
    if chosen:
        note = f"{chosen} {kinks.COMPOSED}"
        if kinks.composed(bench, trial, i):
            bench.say(trial, i, "kink", "vjp", "subgradient", note=note)
            return "subgradient"
        note = f"differences contradict {chosen} gradient, which is also yours: neither is truth alone"
        bench.say(trial, i, "differences", "vjp", "undecided", note=note)
        return "undecided"
    if one_triangle(trial, i):
        # no entry can be moved alone: a shorter step has to say the same
        near, ray = slope(trial, {i: v * FINE}), slope(trial, {i: v})
        error = abs(float((got.astype(np.float64) * v).sum()) - near.value / FINE)
        room = near.bound / FINE + bench.rounding(trial, i, got, moves, v, dtype)
        if near.kinked or not error > room or abs(near.value / FINE - ray.value) > near.bound / FINE + ray.bound:
            return "undecided"
        bench.failures.append(Failure(trial, i, "differences", "vjp", "", got, None, None, ray, error, room))
        return "differs"
    found = place(trial, i, got, v)
    if found is None:
        return "undecided"
    if found.slope.kinked:
        # steps along v that cross other kinks hid this one
        if not bench.autodiff:
            beside(bench, trial, "beside")
        return "subgradient" if kinks.judge(bench, trial, i, gradients, figures) else "differs"
    only = np.zeros(v.shape)
    only[found.index] = 1.0
    if not confirmed(trial, i, found, bench.rounding(trial, i, got, moves, only, dtype)):
        return "undecided"
    tread = rounded.inside(bench, trial, i) if found.expected == 0 or trial.sample.kind not in REGULAR else 0.0
    if tread and (found.expected == 0 or tread >= rounded.WIDE):
        return "undecided"
    x = trial.sample.inputs[i]
    own = only * (abs(float(np.asarray(x, np.float64)[found.index])) or unit(x))
    if found.got == 0 and stands(trial, {i: own}, found.expected * float(own[found.index])):
        return "undecided"
    if found.expected == 0:
        beyond = extended.slope(trial, i, int(np.ravel_multi_index(found.index, v.shape)))
        if abs(found.got - beyond) < abs(beyond) / 2:
            return "undecided"  # it stands still by rounding, and not in extended precision
    if found.expected == 0 and rounded.swallowed(trial, i, int(np.ravel_multi_index(found.index, v.shape)), found.got):
        return "undecided"
    # gradients around the point, where one costs a push an entry, are asked for only where there may be a kink
    hull = None if bench.subject.pushes and smooth(trial) else around.hull_of(bench, trial)
    if hull is not None and hull.kinked.any():
        # of three tied values the middle one has slope 0 whichever way one moves, and still any of them may be chosen
        before = len(bench.failures)
        if not bench.autodiff:
            beside(bench, trial, "beside")
        word, note = kinks.at_kink(bench, trial, i, hull, gradients)
        if len(bench.failures) == before and word == "subgradient":
            bench.say(trial, i, "kink", "vjp", word, note=note)
            return word
    expected = np.array(got, np.float64)
    expected[found.index] = found.expected
    error, bound = abs(found.got - found.expected), found.slope.bound / found.step
    bench.failures.append(Failure(trial, i, "differences", "vjp", "", got, expected, v, found.slope, error, bound))
    return "differs"


def beside(bench: Bench, trial: Trial, kind: str) -> None:
    """The rule at another point of the same shape: close `beside` a kink, or `turned`, called after this one."""
    if trial.sample.shown or f"{kind} done" in trial.__dict__ or not bench.settings.wants("differences"):
        return  # beside a point that itself stands beside another there is nothing new
    trial.__dict__[f"{kind} done"] = True
    rng = trial.sample.rng(14)
    inputs = list(trial.work.sample.inputs)
    for k, x in enumerate(inputs):
        if kind == "turned":
            inputs[k] = Contract(trial, False, {}).other(x)
        elif k in trial.sample.wrt:
            share = rng.choice([-1.0, 1.0], np.shape(x)) * rng.uniform(0.5, 1, np.shape(x)) * 2.0**-7
            moved = np.asarray(np.asarray(x) + share * unit(x), np.asarray(x).dtype)
            inputs[k] = moved if isinstance(x, np.ndarray) else moved[()]
    other = try_trial(
        bench.subject, replace(trial.work.sample, inputs=tuple(inputs), kind=kind, shown=trial.sample.kind)
    )
    if other is None or any(a.shape != b.shape for a, b in zip(other.values, trial.values, strict=True)):
        return
    other.__dict__["cotangents"] = trial.work.cotangents
    if not ask(bench, [other]):
        return
    before = len(bench.failures)
    try:
        gradients = other.pull()
    except Fault:
        return
    for i in other.sample.wrt:
        g = gradients[i]
        if g is not None and g.shape == np.shape(inputs[i]) and g.size and np.isfinite(g).all():
            judge(bench, other, i, np.array(g), gradients, 1, quiet=True)
    if kind == "turned":
        note = "called after another point of the same shape, the rule gives a wrong gradient: it keeps state"
        # an answer that was kept is plainly another; one that is off by a hair is so whatever came before, and what
        # is beyond the choices at a kink may be so too
        bench.failures[before:] = [
            f if f.oracle == "kink" or (f.got is not None and f.error <= STALE * np.max(np.abs(f.got), initial=0.0))
            else replace(f, check="state", note=note)
            for f in bench.failures[before:]
        ]  # fmt: skip


def grain(trial: Trial, i: int, got: Array) -> Array:
    """How far a rule moves, entry by entry, when its arguments move by an ulp: its own rounding.

    Where all is what terms that cancel have left, entries move alike: of x v v - v v x one is 0 and the next 1e-17.
    """
    worst = np.zeros(got.shape)
    nothing = trial.cancelled(got)
    for k in range(CANCELLED_DRAWS if nothing else GRAIN_DRAWS):
        point = neighbour(trial, 50 + k)
        try:
            at = [_copied(x) for x in point.inputs]
            moved = trial.pull([np.array(u) for u in point.cotangents], at)[i]
        except Fault:
            break
        if moved is not None and moved.shape == got.shape:
            step = np.abs(np.asarray(moved, np.float64) - got)
            small = trial.cancelled(moved) if nothing else step <= GRAIN_JUMP * np.max(np.abs(got), initial=0.0)
            worst = np.fmax(worst, np.where(small, step, 0.0))
    return np.full(got.shape, 8 * np.max(worst, initial=0.0)) if nothing else 8 * worst


def _surer(
    bench: Bench, trial: Trial, i: int, got: Array, dtype: np.dtype[Any], moves: Array | float, off: float
) -> Array | float:
    """The movement over more draws, and the rule's own rounding, before a refusal for an error of `off` an entry."""
    moves = np.maximum(moves, _movement(bench, trial, i, dtype, MORE_MOVES))
    if dtype != np.float64:
        return moves
    return np.maximum(moves, as_movement(roughness(trial.work, i, got, off), dtype))


def _shadow(bench: Bench, trial: Trial, i: int, got: Array, dtype: np.dtype[Any]) -> tuple[Array, np.dtype[Any]] | None:
    """For a narrow rule that follows the dtype: its float64 self is held against the truth, and it against that."""
    work = trial.work
    if not trial.narrow or work is trial:
        return got, dtype
    if "shadow" not in trial.__dict__:
        try:
            trial.__dict__["shadow"] = work.pull()
        except Fault:
            trial.__dict__["shadow"] = {}
    wide = trial.__dict__["shadow"].get(i)
    if wide is None or wide.dtype != np.float64 or wide.shape != got.shape or not np.isfinite(wide).all():
        return got, dtype
    moves = _movement(bench, trial, i, np.dtype(np.float64))
    bound = allowed(wide, moves, bench.scale(trial, i), dtype, _lost(trial) * (np.abs(wide) + moves))
    error = np.abs(got - wide)
    wrong = ~(error <= bound) & (np.abs(wide) <= largest(dtype))
    if wrong.any():
        bound = bound + grain(trial, i, got)
        wrong &= ~(error <= bound)
    if wrong.any():
        bound = bound + roughness(trial, i, got, float(np.max(error[wrong])))
        wrong &= ~(error <= bound)
    if wrong.any():
        # scores that a mask of -1e9 swallows in float32 are lost to the forward, and to all entries of the gradient
        lost = _lost(trial)
        swallowed = lost > GRAIN_JUMP
        bound = bound + (np.inf if swallowed else DESERVED * lost * float(np.max(np.abs(wide))))
        wrong &= ~(error <= bound)
        if swallowed:
            bench.subject.warn(f"at sample {trial.sample.label} the forward is another in {dtype} than in float64")
    if not wrong.any():
        return wide, np.dtype(np.float64)
    hull = around.hull_of(bench, trial)
    if hull is not None and hull.kinked.any():
        return got, dtype
    worst = int(np.argmax(np.where(wrong, error / bound, -1)))
    figures = Figures(float(error.reshape(-1)[worst]), float(bound.reshape(-1)[worst]))
    note = f"in {dtype} the rule is further from its own float64 value than {dtype} explains"
    bench.say(trial, i, "differences", "vjp", "differs", figures, note)
    expected = np.where(wrong, wide, got)
    bench.failures.append(
        Failure(trial, i, "differences", "vjp", note, got, expected, error=figures.error, bound=figures.bound)
    )
    return None


def _lost(trial: Trial) -> float:
    """How far the forward itself is off in the narrow dtype, relative: a rule deserves the same."""
    worst = 0.0
    for low, high in zip(trial.values, trial.work.values, strict=True):
        if high.dtype.kind == "f" and high.size:
            size = max(float(np.max(np.abs(high))), 1e-300)
            worst = max(worst, float(np.max(np.abs(np.asarray(low, np.float64) - high))) / size)
    return worst


def _copied(x: Any) -> Any:
    return np.array(x) if isinstance(x, np.ndarray) else x


def _movement(bench: Bench, trial: Trial, i: int, dtype: np.dtype[Any], draws: int = MOVES) -> Array | float:
    """How far the rule itself moves, in units of eps, when its arguments move by a relative eps of float64.

    Before a refusal more draws are taken: of a matrix that is nearly singular all four entries may move alike in two.
    """
    work = trial.work
    if dtype != np.float64:
        return 0.0
    key = f"{draws} moves"
    if key not in work.__dict__:
        try:
            work.__dict__[key] = [work.pull(), *(_pulled(work, neighbour(work, k)) for k in range(draws))]
        except Fault:
            work.__dict__[key] = []
    found = [m.get(i) for m in work.__dict__[key]]
    if not found or any(g is None or g.shape != np.shape(trial.sample.inputs[i]) for g in found):
        return 0.0
    moves = movement(found[0], found[1:], bench.scale(trial, i), work.term_rounding)
    if (alone(found[0], found[1:]) & (moves > 0)).any():
        # what the rule gives at this very point and nowhere beside it, it was told to: that is no rounding
        try:
            further = [_pulled(work, neighbour(work, k, FURTHER))[i] for k in range(MOVES)]
        except Fault:
            return moves
        there = [g for g in further if g is not None and g.shape == np.shape(moves)]
        if len(there) == len(further):
            moves = np.where(alone(found[0], [*found[1:], *there]), 0.0, moves)
    return moves


def _pulled(trial: Trial, point: Point) -> Gradients:
    """The rule's gradients at a neighbour, which is others' too: a rule may change what it is given."""
    return trial.pull([np.array(u) for u in point.cotangents], [_copied(x) for x in point.inputs])
