"""What the gradients around a point say of it: their convex hull, its mixtures, and the limits of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradproof.calling.subject import Array, Fault, Gradients
from gradproof.errors import InputError
from gradproof.judging.bench import Bench, norm, part, usable
from gradproof.judging.references import point
from gradproof.judging.slope import slope
from gradproof.judging.trial import Trial, signs, try_trial
from gradproof.oracles import convex, kink
from gradproof.oracles.autodiff import Point
from gradproof.sampling.sample import unit


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


def nearest(bench: Bench, trial: Trial, i: int, gradients: Gradients) -> Array | None:
    """A valid gradient of one input close to the given one, to show what it should be."""
    hull = hull_of(bench, trial, thorough=True)
    if hull is None or not all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt):
        return None
    valid = hull.nearest(joined(trial, gradients))[part(trial, i)].reshape(np.shape(trial.sample.inputs[i]))
    return None if np.allclose(valid, np.asarray(gradients[i], np.float64), rtol=1e-9, atol=0) else valid


def mixture(bench: Bench, trial: Trial, gradients: Gradients) -> bool:
    """Whether the gradients together are a mixture of those around the point, asked once for all inputs."""
    hull, wrt = hull_of(bench, trial), trial.sample.wrt
    if hull is None or not all(usable(gradients.get(k), trial, k) for k in wrt):
        return True
    if "mixture" not in trial.__dict__:
        goal, corner = joined(trial, gradients), _corner(bench, trial)
        rng, sizes = trial.sample.rng(17), _sizes(trial)
        trial.__dict__["mixture"] = not convex.outside(hull, goal, corner, rng, sizes)
    return bool(trial.__dict__["mixture"])


def limit(bench: Bench, trial: Trial, gradients: Gradients) -> bool:
    """Whether the gradients are those beside the point that tied outputs part towards, in their own order.

    By the rule's gradient for a ramp as its cotangent, output k moves by k: of all singular vectors of a repeated value
    a random step meets the rule's own with probability 0. A limit of gradients is a subgradient, if they are right.
    """
    if not all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt):
        return False
    if "limit" not in trial.__dict__:
        work, corner, sizes = trial.work, _corner(bench, trial), _sizes(trial)
        goal = joined(trial, gradients)
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
    step = joined(trial, pulled)
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


def widened(bench: Bench, trial: Trial, hull: kink.Hull, gradients: Gradients) -> kink.Hull:
    """The hull with what more of it lies towards the gradients, kept for the other inputs of the trial."""
    if "widened" not in trial.__dict__ and all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt):
        hull = convex.widened(hull, joined(trial, gradients), _corner(bench, trial), _sizes(trial))
        trial.__dict__["thorough hull"] = trial.__dict__["widened"] = hull
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


def _corner(bench: Bench, trial: Trial) -> convex.Corner:
    """The joined gradient beside a trial's point, from a step in units of the entries' sizes."""
    points, least = [np.asarray(trial.work.sample.inputs[i], np.float64) for i in trial.sample.wrt], _sizes(trial)
    ends = np.cumsum([p.size for p in points])[:-1]

    def corner(step: Array) -> Array | None:
        moved = np.split(kink.DISPLACEMENT * least * step, ends)
        steps = [s.reshape(p.shape) for s, p in zip(moved, points, strict=True)]
        return kink.limit(lambda p: _gradient_at(bench, trial.work, p), points, steps)

    return corner


def _sizes(trial: Trial) -> Array:
    """How large the entries of the differentiated inputs are, joined; none is 0."""
    points = [np.asarray(trial.work.sample.inputs[i], np.float64) for i in trial.sample.wrt]
    return np.concatenate([np.maximum(np.abs(p), 2.0**-4 * unit(p)).reshape(-1) for p in points])


def joined(trial: Trial, gradients: Gradients) -> Array:
    return np.concatenate([np.asarray(gradients[k], np.float64).reshape(-1) for k in trial.sample.wrt])
