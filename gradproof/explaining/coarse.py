"""Whether an error is that of a lower precision used inside: float32 (24 bits), float16 (11) or bfloat16 (8).

Its size is an ulp or a few of that precision; and either the numbers returned are numbers of it, or the error is rough:
moving the arguments by an ulp of it changes the error wholly, while a mistake in the formula moves on smoothly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.explaining.evidence import Evidence
from gradproof.judging.slope import slope
from gradproof.judging.trial import Trial

# half an ulp of 1, bits, and how many of these the error may reach where sums gather it
FORMATS = ((2.0**-24, 24, 60), (2.0**-11, 11, 30), (2.0**-8, 8, 8))
# the share of the numbers that are of the format, and of the error that changes
REPRESENTED, CHANGED = 0.9, 0.1
# entries whose error is followed to the moved point
FOLLOWED = 12


def coarse(e: Evidence) -> bool:
    """Whether the error of the gradient is a rounding to a format narrower than the input's."""
    g, expected = e.got, e.expected
    if expected is None or expected.shape != g.shape or not expected.any():
        return False
    size = np.abs(expected)
    typical = float(np.median(size[size > 0]))
    error = np.abs(g - expected)
    relative = (error / np.maximum(size, typical))[size > 0]
    worst = float(relative.max())
    for unit, bits, most in FORMATS:
        sized = 0.02 * unit < worst < most * unit and np.median(relative) < 8 * unit
        if sized and (relative > 1e-3 * unit).mean() > 0.3:
            return not _multiple(g, expected, unit) and (_represented(g, expected, bits) or _rough(e, unit))
    return False


def _multiple(g: Array, expected: Array, unit: float) -> bool:
    """Whether it is a constant factor instead."""
    ratio = float((g * expected).sum()) / float((expected * expected).sum())
    return bool(np.max(np.abs(g - ratio * expected)) <= 1e-3 * unit * np.max(np.abs(g)))


def _represented(g: Array, expected: Array, bits: int) -> bool:
    """Whether the numbers fit the format, and the right ones do not."""
    return _share(g, bits) >= REPRESENTED and _share(expected, bits) < 0.5


def _share(values: Array, bits: int) -> float:
    mantissa = np.frexp(values[values != 0])[0] * 2.0**bits
    return float((mantissa == np.round(mantissa)).mean()) if mantissa.size else 0.0


def _rough(e: Evidence, unit: float) -> bool:
    trial, i = e.trial.work, e.position
    assert e.expected is not None
    rng = trial.sample.rng(72)

    def moved(x: Array) -> Array:
        shift = 1 + unit * rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.5, 1.5, x.shape)
        return np.asarray(np.asarray(x, np.float64) * shift, x.dtype)

    inputs = tuple(
        (moved(np.asarray(x)) if isinstance(x, np.ndarray) else moved(np.asarray(x))[()])
        if k in trial.sample.wrt
        else x
        for k, x in enumerate(trial.sample.inputs)
    )
    there = Trial(trial.subject, replace(trial.sample, inputs=inputs))
    there.__dict__["cotangents"] = tuple(moved(np.asarray(u)) for u in trial.cotangents)
    try:
        g = there.pull()[i]
    except Fault:
        return False
    if g is None or np.shape(g) != e.got.shape:
        return False
    error = (e.got - e.expected).reshape(-1)
    most = np.argsort(-np.abs(error))[:FOLLOWED]
    step = float(np.max(np.abs(np.asarray(there.sample.inputs[i], np.float64)), initial=0.0)) or 1.0
    changes = []
    for k in most:
        v = np.zeros(error.size)
        v[k] = step
        ray = slope(there, {i: v.reshape(e.got.shape)})
        if np.isfinite(ray.bound):
            changes.append(abs(float(np.asarray(g).reshape(-1)[k]) - ray.value / step - error[k]))
    return bool(changes) and float(np.median(changes)) > CHANGED * float(np.median(np.abs(error[most])))
