"""The forward of a declaration, where it gives nothing, and its plain form: each against what it stands for.

A point that is drawn lies in the declared domain. Where the forward raises there or is not finite, while a framework's
forward is finite, the forward is wrong, and not the point: dropped in silence, it would hide an overflow. The plain
form stands for the forward on balls, and must be the same function at ordinary points, to single precision: it may
cancel where the forward takes care, and overflow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradproof.calling.subject import outputs
from gradproof.judging.bench import REGULAR, Bench
from gradproof.judging.references import SAME_VALUE
from gradproof.judging.trial import Trial, finite
from gradproof.sampling.sample import Sample
from gradproof.verdict import Verdict

FRAMEWORKS = {"torch": "PyTorch's", "jax": "JAX's"}


def judge(bench: Bench, trials: Sequence[Trial], dropped: Sequence[Sample]) -> None:
    """Refuse a forward that gives nothing at a point where a framework does, and a plain form of another function."""
    for sample in dropped:
        _undefined(bench, sample)
    if bench.subject.plain is not None and bench.settings.wants("ball"):
        ordinary = [trial for trial in trials if trial.sample.kind in REGULAR]
        said = [_plain(bench, trial) for trial in ordinary]
        if said and not any(said):
            _refuse(bench, ordinary[0].sample, "ball", "the plain form is finite at no ordinary point")


def _undefined(bench: Bench, sample: Sample) -> None:
    for framework, oracle in bench.autodiff.items():
        try:
            theirs = finite(oracle.values(Trial(bench.subject, sample).inputs(), sample.static))
        except Exception:  # a framework that does not take the point has no opinion
            continue
        if theirs:
            try:
                bench.subject.value(Trial(bench.subject, sample).inputs(), sample.static)
                what = "is not finite"
            except Exception as error:  # a forward may raise anything
                what = f"raises {type(error).__name__}"
            _refuse(bench, sample, framework, f"the forward {what} where {FRAMEWORKS[framework]} is finite")
            return


def _plain(bench: Bench, trial: Trial) -> bool:
    """Whether the plain form says something here; where it is not finite it has overflowed, and has no opinion."""
    assert bench.subject.plain is not None
    try:
        found = outputs(bench.subject.plain(*trial.inputs(), **trial.sample.static))[0]
    except Exception as error:  # a plain form may raise anything
        _refuse(bench, trial.sample, "ball", f"the plain form raises {type(error).__name__} where the forward does not")
        return True
    if [y.shape for y in found] != [y.shape for y in trial.values]:
        _refuse(bench, trial.sample, "ball", "the plain form returns other shapes than the forward")
        return True
    for k, (mine, plain) in enumerate(zip(trial.values, found, strict=True)):
        # the loss of a single class is 0 but for rounding: that is measured by what the check's outputs are
        room = SAME_VALUE * max(float(np.max(np.abs(mine), initial=0.0)), bench.stretched(trial, f"output {k}"))
        if (np.abs(mine - plain) > room)[np.isfinite(plain)].any():
            _refuse(bench, trial.sample, "ball", "the plain form is another function than the forward")
            return True
    return finite(found)


def _refuse(bench: Bench, sample: Sample, oracle: str, note: str) -> None:
    bench.verdicts.append(Verdict("output", oracle, "value", sample.label, "differs", float("inf"), note=note))
    bench.subject.warn(f"at sample {sample.label} {note}")
