"""A gradient entry by entry against a framework's; a mismatch is wrong, a choice, or the framework's slip."""

from __future__ import annotations

import numpy as np

from gradproof.calling.subject import Array, Gradients
from gradproof.judging import around, kinks, proof
from gradproof.judging.along import grain
from gradproof.judging.bench import REGULAR, Bench, Failure, Figures, median, typical
from gradproof.judging.roughness import roughness
from gradproof.judging.slope import directions, one_triangle, slope
from gradproof.judging.tolerance import allowed, eps, largest
from gradproof.judging.trial import Trial, Truth
from gradproof.sampling.sample import is_float

# two gradients this close, relatively, may both be right where neither differences nor balls can tell them apart
HAIR = 1e-2
# and so may two that are this close by the check's typical gradient: what is left of terms that cancel is rounding
HAIR_OF_SCALE = 2.0**-30
# a forward so much off from a framework's, relatively, is so by its rounding; a rule may be off so many times that
ROUNDED, DESERVED = 2.0**-38, 4.0


def judge(bench: Bench, trial: Trial, i: int, got: Array, framework: str, truth: Truth, gradients: Gradients) -> str:
    """The word for one gradient against one framework; written down, with the failure where it is refused."""
    dtype = trial.precision(gradients[i])
    expected = np.asarray(truth.answer.gradients[trial.sample.wrt.index(i)], np.float64)
    scale = bench.scale(trial, i)
    bound = allowed(expected, truth.movement[i], scale, dtype, truth.deviation[i])
    # a framework that has no number of its own in this dtype, at an entry, leaves that entry open
    known = np.isfinite(expected) & (np.abs(expected) <= largest(dtype)) & ~np.isnan(bound)
    if not known.any():
        note = f"{kinks.FRAMEWORKS[framework]} gradient is not finite here"
        bench.say(trial, i, framework, "vjp", "undecided", note=note)
        return "undecided"
    error = np.where(known, np.abs(got - np.where(known, expected, 0)), 0.0)
    wrong = known & ~(error <= bound)
    if wrong.any() and (trial.narrow or trial.cancelled(np.asarray(gradients[i]))):
        bound = bound + grain(trial, i, got)
        wrong = known & ~(error <= bound)
    if wrong.any():
        rough = roughness(trial, i, got, float(np.max(error[wrong])))
        bound = bound + rough + _apart(trial, truth) * float(np.max(np.abs(expected[known])))
        wrong = known & ~(error <= bound)
    worst = int(np.argmax(np.where(wrong, error / bound, -1)) if wrong.any() else np.argmax(error))
    size = max(float(np.max(np.abs(expected[known]), initial=0.0)), scale, 1e-300)
    figures = Figures(
        float(error.reshape(-1)[worst]),
        float(bound.reshape(-1)[worst]),
        median(bound) / typical(expected[known], scale),
        float(error.max()) / (eps(dtype) * size),
    )
    if not wrong.any():
        bench.say(trial, i, framework, "vjp", "agrees", figures)
        return "agrees"
    oracle, word, note = _adjudicate(bench, trial, i, got, expected, wrong, gradients, framework, truth)
    if word == "differs":
        should = np.where(known, expected, got)
        bench.failures.append(
            Failure(trial, i, framework, "vjp", note, got, should, error=figures.error, bound=figures.bound)
        )
    bench.say(trial, i, oracle, "vjp", word, figures, note)
    return word


def _apart(trial: Trial, truth: Truth) -> float:
    """What the forward is off from the framework's, relative: a rule deserves as much; 0 where it is not by rounding.

    Of powers by squaring, as in expm, one implementation is a thousand roundings nearer than another.
    """
    pairs = zip(trial.work.values, truth.answer.values, strict=True)
    shares = [
        float(np.max(np.abs(mine - theirs)) / np.max(np.abs(theirs)))
        for mine, theirs in pairs
        if is_float(mine) and mine.size and np.isfinite(theirs).all() and theirs.any()
    ]
    worst = max(shares, default=0.0)
    return DESERVED * worst if worst <= ROUNDED else 0.0


def _adjudicate(
    bench: Bench,
    trial: Trial,
    i: int,
    got: Array,
    expected: Array,
    wrong: Array,
    gradients: Gradients,
    framework: str,
    truth: Truth,
) -> tuple[str, str, str]:
    """Oracle, word and note for a gradient that is not the framework's."""
    theirs_ = kinks.FRAMEWORKS[framework]
    v = _towards(trial, i, np.where(wrong, got - expected, 0.0))
    ray = slope(trial, {i: v})
    if np.isfinite(ray.bound) and not ray.kinked:
        mine, theirs = float((got * v).sum()), float((expected * v).sum())
        spread = np.abs(got * v).sum() + np.abs(expected * v).sum()
        room, gap = ray.bound + 64 * eps(np.asarray(gradients[i]).dtype) * spread, abs(mine - theirs)
        if abs(mine - ray.value) <= room < abs(theirs - ray.value) and ray.bound < 0.1 * gap:
            if trial.sample.kind in REGULAR:
                bench.subject.warn(f"the gradient of {framework}= was set aside: differences contradict it, not yours")
            return "differences", "agrees", f"{theirs_} gradient is not the derivative here, yours is"
        off, scale = np.abs(got - expected)[wrong], float(bench.scale(trial, i))
        near = float(np.max(off)) <= HAIR_OF_SCALE * scale
        away = f"{theirs_} gradient is {float(np.max(off)):.0e} away"
        if near and room < abs(mine - ray.value) <= 2 * abs(theirs - ray.value):
            return framework, "undecided", f"{away}, and no nearer to the slope than yours"
        if abs(mine - ray.value) > room and ray.bound < 0.3 * gap:
            # another framework may have made the same choice at a kink inside
            chosen = kinks.choice(bench, trial, i, got)
            if chosen and kinks.composed(bench, trial, i):
                return framework, "subgradient", f"{chosen} {kinks.COMPOSED}"
            return framework, "differs", ""
        # a hair's breadth between two small numbers, finer than the forward's own rounding lets a slope be known
        share = float(np.max(off / np.abs(expected)[wrong]))
        if (near or share <= HAIR) and abs(mine - ray.value) <= ray.bound and ray.bound > 0.3 * gap:
            return framework, "undecided", f"{away}, less than the forward's rounding resolves"
    if proof.sides_with(bench, trial, i, v, got, expected):
        return "ball", "agrees", f"{theirs_} gradient is further from the proved derivative than yours"
    hull = around.hull_of(bench, trial)
    if hull is None or not hull.kinked.any():
        if not truth.confirmed:
            note = f"{theirs_} reverse and forward mode disagree with each other here: neither is truth alone"
            return framework, "undecided", note
        return framework, "differs", ""
    word, note = kinks.at_kink(bench, trial, i, hull, gradients)
    return framework, word, note


def _towards(trial: Trial, i: int, gap: Array) -> Array:
    """A direction along which two gradients differ much in every entry where they do, of unlike sizes.

    Random signs may lie across it: entries that sum to 0, as those of a softmax's bias, differ by nothing along (1, 1).
    And of one size two kinks, one convex and one concave, are none together: a hard tanh at -1 and at 1.
    """
    rng = trial.sample.rng(11)
    v = directions(trial, i, rng, 1)[0] * rng.uniform(0.5, 1.0, np.shape(gap))
    along = np.abs(v) * np.sign(gap)
    if one_triangle(trial, i):
        along = (along + np.swapaxes(along, -1, -2)) / 2
    return along if along.any() else v * (gap != 0)
