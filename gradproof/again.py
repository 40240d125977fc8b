"""One more sample, judged with what a check has learnt: a smaller counterexample, or one with a condition undone.

JAX is left out, since it would compile every shape that is tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gradproof.bench import TEACHERS, Bench, Failure
from gradproof.judge import bench_for, examine, prepare
from gradproof.sample import Sample
from gradproof.subject import Array
from gradproof.trial import Trial, try_trial

# as many samples have been seen that the contract's dearer questions, asked of the first ones, are left out
LATER = 10
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
    found = judge(bench, sample, cotangents, values_only=True)
    if found is None:
        return None
    if any(f.position in (position, None) for f in found.failures):
        return True
    return False if sample.names[position] in found.agreed else None
