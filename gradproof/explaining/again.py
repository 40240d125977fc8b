"""One more sample, judged with what a check has learnt: a smaller counterexample, or one with a condition undone.

JAX is left out, since it would compile every shape that is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.judging.bench import TEACHERS, Bench, Failure
from gradproof.judging.judge import bench_for, examine, prepare
from gradproof.judging.slope import directions, slope
from gradproof.judging.trial import Trial, try_trial
from gradproof.sampling.sample import Sample

# as many samples have been seen that the contract's dearer questions, asked of the first ones, are left out
LATER = 10
# with more entries a plain contradiction is not followed to one of them; so many times its bound is plain
MANY, PLAIN = 400, 100.0
VALUES = frozenset({"torch", "differences", "ball", "kink"})


@dataclass(frozen=True)
class Again:
    """A sample's trial, what was refused on it, and whether an oracle agreed with the gradient of an input."""

    trial: Trial
    failures: list[Failure]
    agreed: frozenset[str]


def judge(
    bench: Bench, sample: Sample, cotangents: tuple[Array, ...] | None = None, values_only: bool = False
) -> Again | None:
    """The sample judged on a fresh bench; None where the forward, the reference or the rule does not take it.

    values_only: the contract's further calls are left out.
    """
    trial = try_trial(bench.subject, sample)
    if trial is None:
        return None
    if cotangents is not None and all(c.shape == y.shape for c, y in zip(cotangents, trial.values, strict=True)):
        trial.__dict__["cotangents"] = cotangents
    settings = bench.settings
    if values_only:
        settings = replace(settings, oracles=VALUES if settings.oracles is None else settings.oracles & VALUES)
    again = bench_for(bench.subject, settings)
    again.autodiff.pop("jax", None)
    again.scales.update(bench.scales)
    again.reach.update(bench.reach)
    again.learned.update(dict.fromkeys(sample.names, TEACHERS))
    again.seen = LATER if values_only else 1
    try:
        if not prepare(again, [trial]):
            return None
        examine(again, trial)
    except Exception:  # a point that the reference or the rule does not take tells nothing
        return None
    agreed = {v.input for v in again.verdicts if v.oracle != "contract" and v.word in ("agrees", "subgradient")}
    return Again(trial, again.failures, frozenset(agreed))


def wrong(bench: Bench, sample: Sample, position: int, cotangents: tuple[Array, ...] | None = None) -> bool | None:
    """Whether the gradient of one input is refused at a sample; None where no oracle can tell."""
    if np.size(sample.inputs[position]) > MANY and _plainly(bench, sample, position, cotangents):
        return True
    found = judge(bench, sample, cotangents, values_only=True)
    if found is None:
        return None
    if any(f.position in (position, None) for f in found.failures):
        return True
    return False if sample.names[position] in found.agreed else None


def _plainly(bench: Bench, sample: Sample, i: int, cotangents: tuple[Array, ...] | None) -> bool:
    """Whether two slopes along all entries contradict the gradient: the search for one of many is saved."""
    trial = try_trial(bench.subject, sample)
    if trial is None or trial.work is not trial:
        return False
    if cotangents is not None and all(c.shape == y.shape for c, y in zip(cotangents, trial.values, strict=True)):
        trial.__dict__["cotangents"] = cotangents
    try:
        g = trial.pull()[i]
    except Fault:
        return True
    if g is None or g.shape != np.shape(sample.inputs[i]) or not np.isfinite(g).all():
        return False
    for v in directions(trial, i, sample.rng(35), 2):
        ray = slope(trial, {i: v})
        error = abs(float((g * v).sum()) - ray.value)
        if ray.kinked or not error > PLAIN * (ray.bound + 1e-13 * float(np.abs(g * v).sum())):
            return False
    return True
