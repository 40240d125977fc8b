"""Judging at kinks and ties: is the gradient a valid choice, and whose; and is the rule right beside the kink?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.bench import Bench, Failure, Figures, norm, part, usable
from gradproof.confirm import FINE
from gradproof.errors import InputError
from gradproof.oracles import convex, kink, nudged
from gradproof.oracles.autodiff import Point
from gradproof.references import point
from gradproof.sample import is_float, unit
from gradproof.slope import jumps, level_directions, slope, stands
from gradproof.subject import Array, Fault, Gradients
from gradproof.tolerance import RESOLVED, ROUNDINGS, SCALE_ROUNDINGS, allowed, eps, name_of
from gradproof.trial import Trial, signs, try_trial

FRAMEWORKS = {"torch": "PyTorch's", "jax": "JAX's"}
# directions in which a gradient equals that of choices inside, how closely, and how far it may leave what lies between
WAYS, MATCH, BETWEEN = 12, 1e-3, 0.02
COMPOSED = "choice: it follows from valid choices inside, but is no Clarke subgradient of the whole"


def hull_of(bench: Bench, trial: Trial, thorough: bool = False) -> kink.Hull | None:
    """The gradients around a trial's point, gathered once; None where they cannot be had."""
    key = "thorough hull" if thorough else "hull"
    if key not in trial.__dict__:
        work = trial.work
        points = [np.asarray(work.sample.inputs[i], np.float64) for i in trial.sample.wrt]
        pairs = kink.THOROUGH_PAIRS if thorough else kink.PAIRS
        gathered = kink.gather(lambda p: _gradient_at(bench, work, p), points, trial.sample.rng(12), pairs)
        trial.__dict__[key] = gathered
    hull: kink.Hull | None = trial.__dict__[key]
    return hull


def _gradient_at(bench: Bench, work: Trial, points: Sequence[Array]) -> Array | None:
    """The joined gradient at a displaced point: a framework's, or else the rule's own, which is judged beside it."""
    inputs = list(work.sample.inputs)
    for i, p in zip(work.sample.wrt, points, strict=True):
        moved = np.asarray(p, np.asarray(inputs[i]).dtype)
        inputs[i] = moved if isinstance(inputs[i], np.ndarray) else moved[()]
    sample = work.sample
    try:
        if bench.autodiff:
            oracle = bench.autodiff.get("torch") or next(iter(bench.autodiff.values()))
            base = point(work)
            there = Point(tuple(inputs), base.cotangents, base.packed, base.tangents)
            rows: list[Array | None] = list(oracle.ask([there], sample.wrt, sample.static)[0].gradients)
        else:
            rows = list(work.pull(inputs=tuple(inputs)).values())
    except (Fault, InputError):
        return None
    if any(r is None or r.shape != p.shape for r, p in zip(rows, points, strict=True)):
        return None
    return np.concatenate([np.asarray(r, np.float64).reshape(-1) for r in rows])


def equals(bench: Bench, trial: Trial, i: int, g: Array, framework: str) -> bool:
    """Whether a gradient is the framework's own at this point."""
    truth = bench.truth(trial).get(framework)
    if truth is None:
        return False
    theirs = np.asarray(truth.answer.gradients[trial.sample.wrt.index(i)], np.float64)
    width = np.asarray(trial.sample.inputs[i]).dtype
    room = allowed(theirs, truth.movement[i], bench.scale(trial, i), width, truth.deviation[i])
    return bool((np.abs(np.asarray(g, np.float64) - theirs) <= 4 * room).all())


def choice(bench: Bench, trial: Trial, i: int, g: Array) -> str:
    """Whose choice a gradient is: PyTorch's, JAX's, or nobody's ("")."""
    return next((FRAMEWORKS[f] for f in bench.truth(trial) if equals(bench, trial, i, g, f)), "")


def composed(bench: Bench, trial: Trial, i: int) -> bool:
    """Whether a framework's gradient jumps at this very point: choices at kinks inside that cancel in the whole."""
    hull = hull_of(bench, trial)
    if hull is None:
        return False
    k = trial.sample.wrt.index(i)
    return any(
        hull.distance_of(t.answer.gradients[k], part(trial, i)) > kink.TOLERANCE for t in bench.truth(trial).values()
    )


def at_kink(bench: Bench, trial: Trial, i: int, hull: kink.Hull, gradients: Gradients) -> tuple[str, str]:
    """The word for a gradient at a kink, and whose choice it is."""
    g = np.asarray(gradients[i], np.float64)
    chosen = choice(bench, trial, i, g)
    if not _valid(trial, i, hull, gradients):
        hull = _widened(bench, trial, hull_of(bench, trial, thorough=True) or hull, gradients)
        if not _valid(trial, i, hull, gradients) and not _limit(bench, trial, gradients):
            if chosen:
                return "subgradient", f"{chosen} {COMPOSED}"
            if _inside(bench, trial, hull, gradients) == "equal":
                return "subgradient", f"a {COMPOSED}"
            if trial.sample.kind == "origin" and _supported(trial, i, g):
                return "undecided", "where all entries are zero a valid choice may lie beyond those that were sampled"
            return "differs", "at a kink, outside the valid subgradients"
    if not chosen and not _mixture(bench, trial, gradients) and not _limit(bench, trial, gradients):
        inside = _inside(bench, trial, hull, gradients)
        if inside == "equal":
            return "subgradient", f"a {COMPOSED}"
        if inside == "between":
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


def _inside(bench: Bench, trial: Trial, hull: kink.Hull, gradients: Gradients) -> str:
    """How the gradients follow from choices at kinks inside, where the whole has a kink as well.

    "equal" to those of one choice at every kink, or midway between two; "between" them along every direction, as those
    of other choices are, and as too coarse a difference may be; "" where neither.
    """
    if "inside" not in trial.__dict__:
        known = all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt)
        trial.__dict__["inside"] = _chosen(bench, trial, hull, gradients) if known else ""
    return str(trial.__dict__["inside"])


def _chosen(bench: Bench, trial: Trial, hull: kink.Hull, gradients: Gradients) -> str:
    wrt, work, joined = trial.sample.wrt, trial.work, _joined(trial, gradients)
    # where nothing has a kink there is one right value; gradients displaced say it no better than that
    beyond = np.abs(joined - np.clip(joined, hull.low, hull.high)) > MATCH * hull.size
    if (beyond & ~hull.kinked).any():
        return ""
    inputs, floats = work.sample.inputs, [k for k, y in enumerate(trial.values) if is_float(y)]
    seen = [k for k, x in enumerate(inputs) if is_float(x)]  # constants too: what is made of them ties as well

    def evaluate(moved: Sequence[Any]) -> Any:
        at = [moved[seen.index(k)] if k in seen else x for k, x in enumerate(inputs)]
        values = work.subject.value(at, work.sample.static)
        return sum((np.asarray(values[k]) * work.cotangents[k]).sum() for k in floats)

    theirs, mine, rng = [], [], trial.sample.rng(18)
    for _ in range(WAYS):
        move = [signs(rng, np.shape(x)) * unit(x) if k in wrt else np.zeros(np.shape(x)) for k, x in enumerate(inputs)]
        theirs.append(nudged.slopes(evaluate, [np.asarray(inputs[k]) for k in seen], [move[k] for k in seen]))
        mine.append(np.concatenate([(np.asarray(gradients[i], np.float64) * move[i]).reshape(-1) for i in wrt]))
    room = max(MATCH * max(map(norm, mine)), kink.TOLERANCE * max(bench.scale(trial, i) for i in wrt))
    slopes, ways = np.array([m.sum() for m in mine]), np.array(theirs).T
    for k, one in enumerate(ways):
        if any(bool(np.max(np.abs((one + other) / 2 - slopes)) <= room) for other in ways[k:]):
            return "equal"
    low, high = ways.min(0), ways.max(0)
    apart = BETWEEN * (high - low)
    return "between" if bool(((slopes >= low - apart) & (slopes <= high + apart)).all()) else ""


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
    return hull.distance(_joined(trial, gradients)) <= tolerance


def _mixture(bench: Bench, trial: Trial, gradients: Gradients) -> bool:
    """Whether the gradients together are a mixture of those around the point, asked once for all inputs."""
    hull, wrt = hull_of(bench, trial), trial.sample.wrt
    if hull is None or not all(usable(gradients.get(k), trial, k) for k in wrt):
        return True
    if "mixture" not in trial.__dict__:
        joined, corner = _joined(trial, gradients), _corner(bench, trial)
        rng, sizes = trial.sample.rng(17), _sizes(trial)
        trial.__dict__["mixture"] = not convex.outside(hull, joined, corner, rng, sizes)
    return bool(trial.__dict__["mixture"])


def _limit(bench: Bench, trial: Trial, gradients: Gradients) -> bool:
    """Whether the gradients are those beside the point that tied outputs part towards, in their own order.

    By the rule's gradient for a ramp as its cotangent, output k moves by k: of all singular vectors of a repeated value
    a random step meets the rule's own with probability 0. A limit of gradients is a subgradient, if they are right.
    """
    if not all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt):
        return False
    if "limit" not in trial.__dict__:
        work, corner, sizes = trial.work, _corner(bench, trial), _sizes(trial)
        goal = _joined(trial, gradients)
        up = [np.asarray(np.arange(1.0, u.size + 1).reshape(u.shape) / u.size, u.dtype) for u in work.cotangents]
        down = [np.flip(u) for u in up]
        ramps = (up, down, [-u for u in up], [-u for u in down])
        trial.__dict__["limit"] = any(_leads(bench, trial, ramp, goal, corner, sizes) for ramp in ramps)
    return bool(trial.__dict__["limit"])


def _leads(bench: Bench, trial: Trial, ramp: Sequence[Array], goal: Array, corner: convex.Corner, sizes: Array) -> bool:
    """Whether the step that the rule gives for a cotangent leads to the goal, where differences say the same."""
    try:
        pulled = trial.work.pull(ramp)
    except Fault:
        return False
    if not all(usable(pulled.get(k), trial, k) for k in trial.sample.wrt):
        return False
    step = _joined(trial, pulled)
    longest = float(np.max(np.abs(step), initial=0.0))
    if not 0 < longest < np.inf:
        return False
    step = step / longest * float(np.max(sizes))
    row = corner(step / sizes)
    if row is None or float(np.max(np.abs(row - goal))) > kink.TOLERANCE * float(np.max(np.abs(row), initial=0.0)):
        return False
    return bool(bench.autodiff) or _right_at(bench, trial, kink.DISPLACEMENT * step, row)


def _right_at(bench: Bench, trial: Trial, step: Array, row: Array) -> bool:
    """Whether differences beside the point, at steps too short to reach it, agree with the gradients there."""
    inputs, work = list(trial.work.sample.inputs), trial.work
    v = signs(trial.sample.rng(19), row.shape) * float(np.max(np.abs(step))) * 2.0**-6
    along = {}
    for i in trial.sample.wrt:
        x = np.asarray(inputs[i])
        inputs[i] = np.asarray(x + step[part(trial, i)].reshape(x.shape), x.dtype)
        along[i] = v[part(trial, i)].reshape(x.shape)
    there = try_trial(bench.subject, replace(work.sample, inputs=tuple(inputs)))
    if there is None:
        return False
    there.__dict__["cotangents"] = work.cotangents
    ray = slope(there, along)
    return abs(float(row @ v) - ray.value) <= ray.bound + kink.TOLERANCE * norm(row) * norm(v)


def _sizes(trial: Trial) -> Array:
    """How large the entries of the differentiated inputs are, joined; none is 0."""
    points = [np.asarray(trial.work.sample.inputs[i], np.float64) for i in trial.sample.wrt]
    return np.concatenate([np.maximum(np.abs(p), 2.0**-4 * unit(p)).reshape(-1) for p in points])


def _corner(bench: Bench, trial: Trial) -> convex.Corner:
    """The joined gradient beside a trial's point, from a step in units of the entries' sizes."""
    points, least = [np.asarray(trial.work.sample.inputs[i], np.float64) for i in trial.sample.wrt], _sizes(trial)
    ends = np.cumsum([p.size for p in points])[:-1]

    def corner(step: Array) -> Array | None:
        moved = np.split(kink.DISPLACEMENT * least * step, ends)
        steps = [s.reshape(p.shape) for s, p in zip(moved, points, strict=True)]
        return kink.limit(lambda p: _gradient_at(bench, trial.work, p), points, steps)

    return corner


def _widened(bench: Bench, trial: Trial, hull: kink.Hull, gradients: Gradients) -> kink.Hull:
    """The hull with what more of it lies towards the gradients, kept for the other inputs of the trial."""
    if "widened" not in trial.__dict__ and all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt):
        hull = convex.widened(hull, _joined(trial, gradients), _corner(bench, trial), _sizes(trial))
        trial.__dict__["thorough hull"] = trial.__dict__["widened"] = hull
    return hull


def _joined(trial: Trial, gradients: Gradients) -> Array:
    return np.concatenate([np.asarray(gradients[k], np.float64).reshape(-1) for k in trial.sample.wrt])


def nearest(bench: Bench, trial: Trial, i: int, gradients: Gradients) -> Array | None:
    """A valid gradient of one input close to the given one, to show what it should be."""
    hull = hull_of(bench, trial, thorough=True)
    if hull is None or not all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt):
        return None
    valid = hull.nearest(_joined(trial, gradients))[part(trial, i)].reshape(np.shape(trial.sample.inputs[i]))
    return None if np.allclose(valid, np.asarray(gradients[i], np.float64), rtol=1e-9, atol=0) else valid


def judge(bench: Bench, trial: Trial, i: int, gradients: Gradients, figures: Figures) -> bool:
    """A verdict at a kink met along a direction; True where the gradient is a valid choice."""
    hull = hull_of(bench, trial)
    if hull is None:
        return False
    word, note = at_kink(bench, trial, i, hull, gradients)
    bench.say(trial, i, "kink", "vjp", word, figures, note)
    if word != "differs":
        return True
    g, valid = np.asarray(gradients[i], np.float64), nearest(bench, trial, i, gradients)
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
    for moving in (*({i: level[i]} for i in wrt if level[i].any()), level):
        ray = slope(trial, moving)
        mine = sum(float((grads[i] * v).sum()) for i, v in moving.items())
        dtype = max((np.asarray(gradients[i]).dtype for i in moving), key=eps)
        spread = norm(np.concatenate([(grads[i] * v).reshape(-1) for i, v in moving.items()]))
        length = sum(bench.scale(trial, i) * norm(v) for i, v in moving.items())
        room = ray.bound + eps(dtype) * (ROUNDINGS[name_of(dtype)] * spread + SCALE_ROUNDINGS[name_of(dtype)] * length)
        error, size = abs(mine - ray.value), max(spread, length)
        if ray.kinked or not ray.bound <= RESOLVED * size or error <= max(room, kink.TOLERANCE * size):
            continue
        near = slope(trial, {i: v * FINE**2 for i, v in moving.items()})
        gap = abs(near.value / FINE**2 - ray.value)
        if ray.value == 0 or not gap <= near.bound / FINE**2 + ray.bound or near.bound / FINE**2 > 0.3 * error:
            continue  # a jump or an edge lies inside the longer steps
        if jumps(trial, moving) or (mine == 0 and stands(trial, moving, ray.value)):
            continue
        i = max(moving, key=lambda k: int(np.size(level[k]) - np.unique(level[k]).size))
        note = "where equal entries move together the slope is another: a tie is counted more than once, or not at all"
        bench.say(trial, i, "kink", "vjp", "differs", Figures(error, room), note)
        valid = nearest(bench, trial, i, gradients)
        bench.failures.append(Failure(trial, i, "kink", "vjp", note, grads[i], valid, moving[i], ray, error, room))
        return
