"""A smaller counterexample: the smallest shape and the simplest numbers on which the rule still fails in the same way.

Each attempt is one sample judged anew; their number is fixed, unless the forward is slow, so that a seed gives one
counterexample.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.explaining import again
from gradproof.judging.bench import Bench, Failure
from gradproof.sampling.declared import Declared
from gradproof.sampling.given import Given
from gradproof.sampling.sample import Sample, is_float

ATTEMPTS = 24
# what shrinking may take where the forward is slow, and about how often an attempt calls it
SECONDS, CALLS = 3.0, 250
# a point of more entries is left as it is: judging it over and over would take longer than reading it
LARGEST = 2000
# a point of more entries is cut to its first ones, so often at most
READABLE, CUTS = 50, 6


def shrink(bench: Bench, failure: Failure, source: Declared | Given) -> Failure:
    """The plainest failure found that has the same check; the given one where nothing smaller fails."""
    if failure.check in ("state", "nondeterministic"):
        return failure
    best = _cropped(bench, failure, source) if _entries(failure.trial.sample) > READABLE else failure
    if _entries(best.trial.sample) > LARGEST:
        return best
    start = time.perf_counter()
    bench.subject.value(best.trial.inputs(), best.trial.sample.static)
    attempts = min(ATTEMPTS, int(SECONDS / (CALLS * max(time.perf_counter() - start, 1e-6))))
    progress = True
    while progress and attempts > 0:
        progress = False
        for sample, cotangents in _simpler(best, source):
            attempts -= 1
            found = _fails(bench, failure, sample, cotangents)
            if found is not None:
                best, progress = found, True
                break
            if attempts <= 0:
                break
    return best


def _entries(sample: Sample) -> int:
    return sum(int(np.size(x)) for x in sample.inputs)


def _cropped(bench: Bench, failure: Failure, source: Declared | Given) -> Failure:
    """A large point cut to its first entries, all axes of one length together, while the rule still fails there."""
    if isinstance(source, Declared) or source.shapes is not None:
        return failure  # the shape string says which axes belong together
    best = failure
    for _ in range(CUTS):
        sample = best.trial.sample
        lengths = sorted({n for x in sample.inputs for n in np.shape(x) if n > 1}, reverse=True)
        cuts = (_cut(sample, length, size) for length in lengths for size in (1, 2) if size < length)
        found = next((f for f in (_fails(bench, failure, cut, None) for cut in cuts) if f is not None), None)
        if found is None or _entries(found.trial.sample) <= READABLE:
            return found or best
        best = found
    return best


def _cut(sample: Sample, length: int, size: int) -> Sample:
    inputs = []
    for x in sample.inputs:
        chosen = tuple(slice(size if n == length else None) for n in np.shape(x))
        inputs.append(np.array(x[chosen]) if isinstance(x, np.ndarray) else x)
    return replace(sample, inputs=tuple(inputs))


def _simpler(failure: Failure, source: Declared | Given) -> Iterator[tuple[Sample, tuple[Array, ...] | None]]:
    sample, trial = failure.trial.sample, failure.trial
    sizes = dict(sample.sizes)
    if not sizes and isinstance(source, Given) and source.shapes is not None:
        sizes = dict(source.shapes.bind(sample.inputs))  # the caller's own point has the sizes it came with
    for size in (1, 2):
        # all at once: what fails at square shapes alone is lost by one axis at a time
        together = {k: min(n, size) for k, n in sizes.items()}
        resized = source.resize(sample, together) if together != sizes else None
        if resized is not None:
            yield resized, None
    for symbol, size in sizes.items():
        for smaller in dict.fromkeys((1, 2, size // 2)):
            if 0 < smaller < size:
                resized = source.resize(sample, {**sizes, symbol: smaller})
                if resized is not None:
                    yield resized, None
    for step in (1.0, 0.25):
        rounded = tuple(_rounded(x, step) for x in sample.inputs)
        if any(np.any(a != b) for a, b in zip(rounded, sample.inputs, strict=True) if is_float(a)):
            yield replace(sample, inputs=rounded), trial.cotangents
    u = trial.cotangents
    largest = max(range(len(u)), key=lambda k: u[k].size)
    if sum(int((c != 0).sum()) for c in u) > 1:
        for place in _places(failure, u[largest]):
            only = [np.zeros_like(c) for c in u]
            only[largest].reshape(-1)[place] = 1
            yield sample, tuple(only)


def _places(failure: Failure, u: Array) -> list[int]:
    """Where a cotangent of one entry may show the fault: at the wrong element, at the first and at the last."""
    size = u.size
    places = [0, size - 1]
    if failure.got is not None and failure.expected is not None and failure.got.size == size == failure.expected.size:
        with np.errstate(invalid="ignore"):
            places.insert(0, int(np.argmax(np.nan_to_num(np.abs(failure.got - failure.expected), nan=np.inf))))
    return list(dict.fromkeys(places))


def _rounded(x: Any, step: float) -> Any:
    if not is_float(x):
        return x
    near = np.asarray(np.round(np.asarray(x).astype(np.float64) / step) * step).astype(np.asarray(x).dtype)
    return near if isinstance(x, np.ndarray) else near[()]


def _fails(bench: Bench, failure: Failure, sample: Sample, cotangents: tuple[Array, ...] | None) -> Failure | None:
    found = again.judge(bench, sample, cotangents)
    if found is None:
        return None
    same = [
        f
        for f in found.failures
        if f.check == failure.check and f.trial is found.trial and _position(f) == _position(failure)
    ]
    return same[0] if same else None


def _position(failure: Failure) -> str | None:
    return None if failure.position is None else failure.trial.sample.names[failure.position]
