"""Whether one entry of a gradient is wrong by itself: always the same entry, whatever the values are.

An entry that is wrong for what it holds (a value beyond a threshold, say) is another one at the next sample.
"""

from __future__ import annotations

import numpy as np

from gradproof.explaining.evidence import Evidence
from gradproof.judging.bench import Bench, Failure

# other failing samples that are looked at
MOST = 4


def alone(bench: Bench, failure: Failure, e: Evidence) -> bool:
    """Whether just one entry is wrong here and, at other samples of the shape, just this entry as well."""
    first = _entry(e)
    if first is None:
        return False
    shape = e.point.shape
    others = {
        id(f.trial): f
        for f in bench.failures
        if f.position == failure.position
        and f.trial is not failure.trial
        and np.shape(f.trial.sample.inputs[e.position]) == shape
        and f.check == "vjp"
    }
    # where it cannot be seen: the entry's own share of the gradient may be zero
    passing = {id(t) for t, i in bench.passed if i == e.position and np.shape(t.sample.inputs[i]) == shape}
    if len(passing - set(others)) > len(others) + 1:
        return False
    plain = [f for f in others.values() if f.trial.sample.kind != "beside"]
    return all(_entry(Evidence(bench, f)) == first for f in plain[:MOST])


def _entry(e: Evidence) -> tuple[int, ...] | None:
    """The entry that is wrong where just one of at least two is."""
    if e.point.size < 2 or e.point.shape != e.got.shape:
        return None
    if e.expected is None:
        return e.single()
    places = np.argwhere(e.wrong())
    return tuple(int(n) for n in places[0]) if len(places) == 1 else None
