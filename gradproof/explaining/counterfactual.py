"""A condition is a cause only where undoing it, and nothing else, makes the contradiction go away.

    at_ties        of equal entries one stays, the others move
    at_zero        zeros move, all alike: what was equal stays equal
    at_saturation  large entries are brought back, at_small small ones brought up; signs and ties stay
    at_negative    what is not positive becomes so; of these three, the rule has to be wrong where they hold still more
    at_repeated    indices become distinct,  at_stride  steps become 1, or the window's size
    at_batch ...   another shape, drawn as the failing one was; another draw of the failing shape has to fail

Each is undone in several ways, and the rule has to be right in all of them that an oracle can judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.explaining.again import wrong
from gradproof.explaining.evidence import Evidence
from gradproof.explaining.reshaped import reshaped, sizes_of
from gradproof.explaining.suspicion import SHAPES, VALUES, floats, least, reach, repeats, separates, steps, suspects
from gradproof.judging.bench import Bench, Failure
from gradproof.judging.trial import Trial
from gradproof.sampling.declared import Declared
from gradproof.sampling.given import Given
from gradproof.sampling.sample import Sample, unit
from gradproof.sampling.variation import structure

Change = Callable[[Array], Array]
# how many suspicions are looked into: an explanation may take a second
MOST = 7
# where zeros go, in units of their array: to either side, far and near
OFF_ZERO = (0.43, -0.43, 2.0**-13, -(2.0**-13))
# how far, in units of their array, equal entries part, and to which side
APART = (0.21, -0.21, 2.0**-10)
# how much further a large or small entry goes, which has to be wrong as well
NEAR = 2.0**-6


def proved(bench: Bench, smallest: Failure, first: Failure, source: Declared | Given) -> list[str]:
    """The conditions that the smallest failure goes away without, those on values first, the rarest first.

    first: the failure before it was made smaller, which is asked where the smaller one cannot tell.
    """
    chosen = smallest.position if smallest.position is not None else smallest.trial.sample.wrt[0]
    values = smallest.oracle == "kink"
    found: list[str] = []
    for name in suspects(bench, smallest)[:MOST]:
        if name.split()[0] in found or (name in SHAPES and (values or any(n in VALUES for n in found))):
            continue  # another shape has other values: it tells nothing where these are to blame
        told: bool | None = None
        for trial in _two(smallest.trial, first.trial):
            told = (
                reshaped(bench, trial, source, chosen, name)
                if name in SHAPES
                else _undone(bench, trial, source, chosen, name)
            )
            if told is not None:
                break
        if told is None:
            told = separates(bench, first, name) or (name == "at_repeated" and _at_repeats(bench, first))
        if told:
            found.append(name.split()[0])
    return found


def _two(smallest: Trial, first: Trial) -> list[Trial]:
    return [smallest] if smallest is first else [smallest, first]


def _undone(bench: Bench, trial: Trial, source: Declared | Given, position: int, name: str) -> bool | None:
    """Whether the rule is right without the condition; None where no way of undoing it can be judged."""
    if name in MORE and wrong(bench, MORE[name](trial), position, trial.cotangents) is False:
        return False  # what is wrong at zero alone is not for negative numbers, nor at 1 alone for large ones
    answers = []
    samples = list(WAYS[name](trial))
    if name == "at_repeated":
        samples += _roomier(trial, source)
    for sample in samples:
        alike = all(np.shape(a) == np.shape(b) for a, b in zip(sample.inputs, trial.sample.inputs, strict=True))
        same = alike and sample.static == trial.sample.static
        answer = wrong(bench, sample, position, trial.cotangents if same else None)
        if answer:
            return False
        answers.append(answer)
    return True if False in answers else None


# ---- values ---------------------------------------------------------------------------------------------------------


def _with(sample: Sample, change: dict[int, Array]) -> Sample:
    """The sample with some inputs replaced, in their dtype; rows that summed to 1 do so still."""
    inputs = list(sample.inputs)
    for i, moved in change.items():
        x = inputs[i]
        if isinstance(x, np.ndarray) and "rows summing to 1" in structure(x):
            moved = moved / moved.sum(-1, keepdims=True)
        moved = np.asarray(moved).astype(np.asarray(x).dtype)
        inputs[i] = moved if isinstance(x, np.ndarray) else moved[()]
    return replace(sample, inputs=tuple(inputs))


def _each(trial: Trial, change: Change) -> Sample:
    return _with(trial.sample, {i: change(x) for i, x in zip(trial.sample.wrt, floats(trial), strict=True)})


def _off_zero(trial: Trial) -> Iterator[Sample]:
    for share in OFF_ZERO:
        yield _each(trial, lambda x, share=share: np.where(x == 0, share * unit(x), x))  # type: ignore[misc]  # bound early


def _untied(trial: Trial) -> Iterator[Sample]:
    points = floats(trial)
    joined = np.concatenate([x.reshape(-1) for x in points])
    _, first = np.unique(joined, return_index=True)
    later = np.ones(joined.size, bool)
    later[first] = False
    sizes = np.concatenate([np.full(x.size, unit(x)) for x in points])
    # no two move alike
    moves = sizes * trial.sample.rng(70).permutation(np.arange(1, joined.size + 1) / joined.size + 0.5)
    for share in APART:
        moved = joined + np.where(later, share * moves, 0.0)
        parts = np.split(moved, np.cumsum([x.size for x in points])[:-1])
        yield _with(
            trial.sample, {i: p.reshape(x.shape) for i, p, x in zip(trial.sample.wrt, parts, points, strict=True)}
        )


def _brought_back(trial: Trial) -> Iterator[Sample]:
    most = reach(trial)
    for share in (0.45, 0.8):
        limit = share * min(2.0, most)
        yield _each(
            trial,
            lambda x, limit=limit: np.where(np.abs(x) > limit, np.sign(x) * limit * (0.5 + np.abs(x) / most / 2), x),  # type: ignore[misc]  # bound early
        )


def _brought_up(trial: Trial) -> Iterator[Sample]:
    fewest = least(trial)
    for size in (0.3, 0.45):
        yield _each(
            trial,
            lambda x, size=size: np.where((x != 0) & (np.abs(x) < size), np.sign(x) * size * (1 + fewest), x),  # type: ignore[misc]  # bound early
        )


def _positive(trial: Trial) -> Iterator[Sample]:
    yield _each(trial, lambda x: np.where(x == 0, 0.37 * unit(x), np.abs(x)))
    yield _each(trial, lambda x: np.where(x <= 0, 0.37 * unit(x), x))


def _negative(trial: Trial) -> Sample:
    return _each(trial, lambda x: np.where(x <= 0, -0.37 * unit(x), x))


def _larger(trial: Trial) -> Sample:
    limit = 0.8 * reach(trial)
    return _each(trial, lambda x: np.where(np.abs(x) > limit, (1 + NEAR) * x, x))


def _smaller(trial: Trial) -> Sample:
    limit = 1.25 * least(trial)
    return _each(trial, lambda x: np.where(np.abs(x) < limit, (1 - NEAR) * x, x))


def _distinct(trial: Trial) -> Iterator[Sample]:
    rng = trial.sample.rng(71)
    for whole in (False, True):
        change = {}
        for i, x in enumerate(trial.sample.inputs):
            if repeats(x):
                count = x.size if whole else max(x.size, int(x.max()) + 1)
                change[i] = rng.permutation(count)[: x.size].reshape(x.shape)
        yield _with(trial.sample, change)


def _roomier(trial: Trial, source: Declared | Given) -> list[Sample]:
    """Distinct indices at sizes that have room for them: every axis but theirs longer than there are indices."""
    shapes, sizes = sizes_of(trial, source)
    if shapes is None:
        return []
    indices = {slot.name for slot, x in zip(shapes.inputs, trial.sample.inputs, strict=True) if repeats(x)}
    count = max((np.size(x) for x in trial.sample.inputs if repeats(x)), default=0)
    theirs = {name for slot in shapes.inputs if slot.name in indices for axis in slot.axes for name in axis.names}
    larger = {k: n if k in theirs else max(n, int(count) + 1) for k, n in sizes.items()}
    resized = source.resize(replace(trial.sample, sizes=sizes), larger)
    if resized is None:
        return []
    return [s for s in _distinct(Trial(trial.subject, resized)) if s is not resized]


def _by_one(trial: Trial) -> Iterator[Sample]:
    yield _stepping(trial, 1)


def _by_the_window(trial: Trial) -> Iterator[Sample]:
    for window in dict.fromkeys(steps(trial)[1]):
        yield _stepping(trial, window)


def _stepping(trial: Trial, size: int) -> Sample:
    sample, named = trial.sample, steps(trial)[0]

    def step(v: Any) -> Any:
        return (size,) * len(v) if isinstance(v, tuple) else size

    inputs = tuple(step(x) if n in named else x for n, x in zip(sample.names, sample.inputs, strict=True))
    static = {k: step(v) if k in named else v for k, v in sample.static.items()}
    return replace(sample, inputs=inputs, static=static)


WAYS: dict[str, Callable[[Trial], Iterator[Sample]]] = {
    "at_zero": _off_zero,
    "at_ties": _untied,
    "at_ties anywhere": _untied,
    "at_saturation": _brought_back,
    "at_small": _brought_up,
    "at_negative": _positive,
    "at_repeated": _distinct,
    "at_stride": _by_one,
    "at_stride overlapping": _by_the_window,
    "at_stride apart": _by_the_window,
}


# where a condition holds still more, the rule has to be wrong too
MORE: dict[str, Callable[[Trial], Sample]] = {
    "at_negative": _negative,
    "at_saturation": _larger,
    "at_small": _smaller,
}


def _at_repeats(bench: Bench, failure: Failure) -> bool:
    """Whether just those rows are wrong whose index is repeated, or that a repeated index names."""
    if failure.position is None or failure.check != "vjp":
        return False
    e = Evidence(bench, failure)
    if e.expected is None or e.got.shape != e.expected.shape or e.got.ndim < 1:
        return False
    rows: Array = np.asarray(e.wrong().reshape(len(e.got), -1).any(1))
    if not rows.any() or rows.all():
        return False
    for x in failure.trial.sample.inputs:
        if repeats(x):
            values, counts = np.unique(x, return_counts=True)
            twice = values[counts > 1]
            named = np.isin(np.arange(len(rows)), twice)
            holding = np.isin(x, twice).reshape(len(x), -1).any(1) if len(x) == len(rows) else named
            if any((rows <= allowed).all() and not allowed.all() for allowed in (named, holding)):
                return True
    return False
