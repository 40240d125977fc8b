"""One check from its samples to its result."""

from __future__ import annotations

import warnings

import numpy as np

from gradproof.calling import mistakes
from gradproof.calling.subject import Subject
from gradproof.defaults import chosen_examples
from gradproof.errors import InputError
from gradproof.explaining.explain import conclude
from gradproof.judging import forwards, sweep
from gradproof.judging.bench import Settings
from gradproof.judging.judge import bench_for, examine, prepare
from gradproof.judging.trial import Trial, try_trial
from gradproof.sampling.declared import Declared
from gradproof.sampling.given import Given
from gradproof.sampling.sample import Sample
from gradproof.verdict import Result


def conduct(subject: Subject, source: Declared | Given, settings: Settings, examples: int | None) -> Result:
    """Judge a subject at so many samples of a source (default: `chosen_examples`)."""
    count = chosen_examples(examples)
    mistakes.whole("examples", count, 1)
    bench = bench_for(subject, settings)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # what NumPy warns of at planted points is judged by its outcome
        warnings.simplefilter("ignore", RuntimeWarning)
        dropped: list[Sample] = []
        trials = prepare(bench, _trials(subject, source, count, dropped))
        if settings.judge_value:
            forwards.judge(bench, trials, dropped)
        for trial in trials:
            examine(bench, trial)
        if not bench.failures:
            sweep.judge(bench, source, count + 1)
        return conclude(bench, trials, source, count)


def _trials(subject: Subject, source: Declared | Given, count: int, dropped: list[Sample]) -> list[Trial]:
    """The trials of a check; `dropped` receives the points where the forward gives nothing."""
    trials: list[Trial] = []
    if isinstance(source, Given):
        trials.append(mistakes.sound(subject, source))
    for index in range(len(trials), count):
        for attempt in range(4):
            sample = source.draw(index, attempt)
            trial = None if sample is None else try_trial(subject, sample)
            if trial is not None:
                trials.append(trial)
                break
            if sample is not None:
                dropped.append(sample)
    if not trials:
        raise InputError(
            f"the forward of {subject.name!r} is nowhere finite on {count} samples of its domain; check "
            "domain= or the shape string"
        )
    empty = source.empty(count)
    trial = None if empty is None or count < 4 else try_trial(subject, empty)
    if empty is not None and count >= 4 and trial is None:
        dropped.append(empty)
    return trials if trial is None else [*trials, trial]
