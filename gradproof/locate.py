"""Where a gradient is wrong, without a reference: bisection of the direction along which it failed.

The error along v is the sum of the errors of its entries. Halving v keeps the half with the larger error, so that
one wrong entry of n is found with about log2 n further slopes, not n.
"""

from __future__ import annotations

import numpy as np

from gradproof.judge import Failure
from gradproof.slope import slope, unit

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
    return _bisect(failure, np.asarray(got, np.float64), failure.direction)


def _worst(got: np.ndarray, expected: np.ndarray) -> Place | None:
    if got.size == 0:
        return None
    g, e = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    bad = ~np.isfinite(g) & np.isfinite(e)
    with np.errstate(invalid="ignore"):
        index = np.unravel_index(int(np.argmax(bad)) if bad.any() else int(np.nanargmax(np.abs(g - e))), g.shape)
    return tuple(int(n) for n in index), float(g[index]), float(e[index])


def _bisect(failure: Failure, got: np.ndarray, v: np.ndarray) -> Place | None:
    trial, i = failure.trial, failure.position
    assert i is not None
    flat = v.reshape(-1)
    members = np.flatnonzero(flat)

    def error(part: np.ndarray) -> float:
        only = np.zeros(flat.shape)
        only[part] = flat[part]
        ray = slope(trial, {i: only.reshape(v.shape)})
        if not np.isfinite(ray.value):
            return 0.0
        return max(abs(float((got.reshape(-1)[part] * flat[part]).sum()) - ray.value) - ray.bound, 0.0)

    while members.size > 1:
        half = members.size // 2
        left, right = members[:half], members[half:]
        members = left if error(left) >= error(right) else right
    k = int(members[0])
    only = np.zeros(flat.shape)
    only[k] = unit(trial.sample.inputs[i])
    ray = slope(trial, {i: only.reshape(v.shape)})
    index = tuple(int(n) for n in np.unravel_index(k, v.shape))
    return index, float(got[index]), ray.value / float(only[k])
