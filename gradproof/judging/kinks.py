"""Judging at kinks and ties: is the gradient a valid choice, and whose; and is the rule right beside the kink?"""

from __future__ import annotations

import numpy as np

from gradproof.calling.subject import Array, Fault, Gradients
from gradproof.judging import around
from gradproof.judging.bench import Bench, Failure, Figures, norm, part, usable
from gradproof.judging.confirm import FINE
from gradproof.judging.inside import inside
from gradproof.judging.slope import Slope, jumps, level_directions, slope, stands
from gradproof.judging.tolerance import RESOLVED, ROUNDINGS, SCALE_ROUNDINGS, allowed, eps, name_of
from gradproof.judging.trial import Trial
from gradproof.oracles import kink

FRAMEWORKS = {"torch": "PyTorch's", "jax": "JAX's"}
COMPOSED = "choice: it follows from valid choices inside, but is no Clarke subgradient of the whole"


def equals(bench: Bench, trial: Trial, i: int, g: Array, framework: str) -> bool:
    """Whether a gradient is the framework's own at this point."""
    truth = trial.truths.get(framework)
    if truth is None:
        return False
    theirs = np.asarray(truth.answer.gradients[trial.sample.wrt.index(i)], np.float64)
    width = np.asarray(trial.sample.inputs[i]).dtype
    room = allowed(theirs, truth.movement[i], bench.scale(trial, i), width, truth.deviation[i])
    return bool((np.abs(np.asarray(g, np.float64) - theirs) <= 4 * room).all())


def choice(bench: Bench, trial: Trial, i: int, g: Array) -> str:
    """Whose choice a gradient is: PyTorch's, JAX's, or nobody's ("")."""
    return next((FRAMEWORKS[f] for f in trial.truths if equals(bench, trial, i, g, f)), "")


def composed(bench: Bench, trial: Trial, i: int) -> bool:
    """Whether a framework's gradient jumps at this very point: choices at kinks inside that cancel in the whole."""
    hull = around.hull_of(bench, trial)
    if hull is None:
        return False
    k = trial.sample.wrt.index(i)
    return any(
        hull.distance_of(t.answer.gradients[k], part(trial, i)) > kink.TOLERANCE for t in trial.truths.values()
    )


def at_kink(bench: Bench, trial: Trial, i: int, hull: kink.Hull, gradients: Gradients) -> tuple[str, str]:
    """The word for a gradient at a kink, and whose choice it is."""
    g = np.asarray(gradients[i], np.float64)
    chosen = choice(bench, trial, i, g)
    if not _valid(trial, i, hull, gradients):
        hull = around.widened(bench, trial, around.hull_of(bench, trial, thorough=True) or hull, gradients)
        if not _valid(trial, i, hull, gradients) and not around.limit(bench, trial, gradients):
            if chosen:
                return "subgradient", f"{chosen} {COMPOSED}"
            if inside(bench, trial, hull, gradients) == "equal":
                return "subgradient", f"a {COMPOSED}"
            if trial.sample.kind == "origin" and _supported(trial, i, g):
                return "undecided", "where all entries are zero a valid choice may lie beyond those that were sampled"
            return "differs", "at a kink, outside the valid subgradients"
    if not chosen and not around.mixture(bench, trial, gradients) and not around.limit(bench, trial, gradients):
        within = inside(bench, trial, hull, gradients)
        if within == "equal":
            return "subgradient", f"a {COMPOSED}"
        if within == "between":
            return "undecided", "no mixture of the gradients around a kink, but choices at kinks inside may lead to it"
        return "differs", "at a kink, outside the valid subgradients: no mixture of those around it"
    asked = bench.settings.subgradient
    if asked in FRAMEWORKS and not equals(bench, trial, i, g, asked):
        return "differs", f"a valid subgradient, but not {FRAMEWORKS[asked]} choice, which was asked for"
    if chosen:
        return "subgradient", f"a kink: {chosen} choice"
    middle = hull.middle[part(trial, i)].reshape(g.shape)
    close = np.allclose(g, middle, rtol=0, atol=_tolerance(gradients[i]) * max(hull.size, 1e-300))
    return "subgradient", f"a kink: {'the midpoint' if close else 'another'} of the valid choices"


def _supported(trial: Trial, i: int, g: Array) -> bool:
    """Whether <g, v> is no more than the slope along v = g: of 64 random unit vectors none may come near an axis.

    For a subgradient of a norm it is; ones at the origin of |x| are longer than any.
    """
    v = g / max(float(np.max(np.abs(g), initial=0.0)), 1e-300)
    ray = slope(trial, {i: v}, refine=False)
    reach = max(ray.right + ray.right_bound, ray.left + ray.left_bound)
    return bool(float((g * v).sum()) <= reach + kink.TOLERANCE * norm(g) * norm(v))


def _tolerance(g: Array | None) -> float:
    return max(kink.TOLERANCE, 16 * eps(np.asarray(g).dtype))


def _valid(trial: Trial, i: int, hull: kink.Hull, gradients: Gradients) -> bool:
    """Whether one input's gradient is a valid choice, alone and together with those of the other inputs.

    Where the joint choice is invalid and some input's is so alone, that input is to blame and not this one.
    """
    tolerance = _tolerance(gradients[i])
    alone = {
        k: usable(gradients.get(k), trial, k) and hull.distance_of(gradients[k], part(trial, k)) <= tolerance
        for k in trial.sample.wrt
    }
    if not alone[i]:
        return False
    if not all(alone.values()) or not hull.kinked[part(trial, i)].any():
        return True
    return hull.distance(around.joined(trial, gradients)) <= tolerance


def judge(bench: Bench, trial: Trial, i: int, gradients: Gradients, figures: Figures) -> bool:
    """A verdict at a kink met along a direction; True where the gradient is a valid choice."""
    hull = around.hull_of(bench, trial)
    if hull is None:
        return False
    word, note = at_kink(bench, trial, i, hull, gradients)
    bench.say(trial, i, "kink", "vjp", word, figures, note)
    if word != "differs":
        return True
    g, valid = np.asarray(gradients[i], np.float64), around.nearest(bench, trial, i, gradients)
    bench.failures.append(Failure(trial, i, "kink", "vjp", note, g, valid, error=figures.error, bound=figures.bound))
    return False


def judge_level(bench: Bench, trial: Trial, gradients: Gradients) -> None:
    """Along the direction in which ties stay ties: a choice among equal values may not count one of them twice."""
    wrt = trial.sample.wrt
    if trial.narrow and trial.work is not trial:
        # the float64 self of a narrow rule: a tie counted twice shows there without the narrow rounding
        try:
            trial, gradients = trial.work, trial.work.pull()
        except Fault:
            return
    level = level_directions(trial, trial.sample.rng(15))
    if level is None or not all(usable(gradients.get(i), trial, i) for i in wrt):
        return
    grads = {i: np.asarray(gradients[i], np.float64) for i in wrt}
    if not all(np.isfinite(g).all() for g in grads.values()) or all(
        choice(bench, trial, i, g) for i, g in grads.items()
    ):
        return
    # one input alone where one is to blame, all together where only their sum is wrong
    for question in (*({i: level[i]} for i in wrt if level[i].any()), level):
        moving = question
        found = _contradicted(bench, trial, gradients, moving)
        if found is None:
            continue
        rest = _without_still(trial, grads, moving)
        if any(not np.array_equal(rest[k], moving[k]) for k in moving):
            moving = {k: v for k, v in rest.items() if v.any()}
            found = _contradicted(bench, trial, gradients, moving) if moving else None
            if found is None:
                continue
        ray, error, room = found
        i = max(moving, key=lambda k: int(np.size(level[k]) - np.unique(level[k]).size))
        note = "where equal entries move together the slope is another: a tie is counted more than once, or not at all"
        bench.say(trial, i, "kink", "vjp", "differs", Figures(error, room), note)
        valid = around.nearest(bench, trial, i, gradients)
        bench.failures.append(Failure(trial, i, "kink", "vjp", note, grads[i], valid, moving[i], ray, error, room))
        return


def _contradicted(
    bench: Bench, trial: Trial, gradients: Gradients, moving: dict[int, Array]
) -> tuple[Slope, float, float] | None:
    """The slope along a direction, how far the gradients are off from it and what is allowed; None where it agrees."""
    ray = slope(trial, moving)
    terms = [np.asarray(gradients[i], np.float64) * v for i, v in moving.items()]
    mine = sum(float(term.sum()) for term in terms)
    dtype = max((trial.precision(gradients[i]) for i in moving), key=eps)
    spread = norm(np.concatenate([term.reshape(-1) for term in terms]))
    length = sum(bench.scale(trial, i) * norm(v) for i, v in moving.items())
    room = ray.bound + eps(dtype) * (ROUNDINGS[name_of(dtype)] * spread + SCALE_ROUNDINGS[name_of(dtype)] * length)
    error, size = abs(mine - ray.value), max(spread, length)
    if ray.kinked or not ray.bound <= RESOLVED * size or error <= max(room, kink.TOLERANCE * size):
        return None
    near = slope(trial, {i: v * FINE**2 for i, v in moving.items()})
    gap = abs(near.value / FINE**2 - ray.value)
    if ray.value == 0 or not gap <= near.bound / FINE**2 + ray.bound or near.bound / FINE**2 > 0.3 * error:
        return None  # a jump or an edge lies inside the longer steps
    if jumps(trial, moving) or (mine == 0 and stands(trial, moving, ray.value)):
        return None
    return ray, error, room


def _without_still(trial: Trial, grads: dict[int, Array], moving: dict[int, Array]) -> dict[int, Array]:
    """The direction without the equal entries at which the forward stands still, together and each by itself.

    There the rounded forward has treads, as 1 + tanh(x) at -18: no tie is to blame for another slope. Where one of
    tied values decides, it moves when all of them do, and where their difference does, when one of them does.
    """
    points = {k: np.asarray(trial.sample.inputs[k], np.float64) for k in moving}
    rest = {k: np.array(v) for k, v in moving.items()}
    for value in np.unique(np.concatenate([points[k][moving[k] != 0] for k in moving])):
        group = {k: np.where(points[k] == value, v, 0.0) for k, v in moving.items()}
        mine = {k: grads[k] * v for k, v in group.items()}
        alone = [(k, place, float(m[tuple(place)])) for k, m in mine.items() for place in np.argwhere(m)]
        if not alone or not stands(trial, group, sum(abs(m) for *_, m in alone)):
            continue
        if all(stands(trial, {k: _at(group[k], place)}, m) for k, place, m in alone):
            for k in rest:
                rest[k][points[k] == value] = 0.0
    return rest


def _at(v: Array, place: Array) -> Array:
    only = np.zeros(v.shape)
    only[tuple(place)] = v[tuple(place)]
    return only
