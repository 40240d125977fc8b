"""Where a gradient is wrong: the worst element of what was got against what should be, or the end of a bisection."""

from __future__ import annotations

import numpy as np

from gradproof.calling.subject import Array
from gradproof.judging.bench import Failure
from gradproof.judging.confirm import place

Place = tuple[tuple[int, ...], float, float]


def locate(failure: Failure) -> Place | None:
    """(index, got, expected) of the worst element, or None where the failure has no gradient to look into."""
    got = failure.got
    if got is None or failure.position is None:
        return None
    if failure.expected is not None and failure.expected.shape == got.shape:
        return _worst(got, failure.expected)
    if failure.direction is None or got.shape != failure.direction.shape:
        return None
    found = place(failure.trial, failure.position, got, failure.direction)
    return None if found is None else (found.index, found.got, found.expected)


def _worst(got: Array, expected: Array) -> Place | None:
    if got.size == 0:
        return None
    g, e = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    bad = ~np.isfinite(g) & np.isfinite(e)
    with np.errstate(invalid="ignore"):
        worst = int(np.argmax(bad)) if bad.any() else int(np.nanargmax(np.abs(g - e)))
    index = np.unravel_index(worst, g.shape)
    return tuple(int(n) for n in index), float(g[index]), float(e[index])
