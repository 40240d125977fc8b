"""Whether a derivative was taken at, or by, the wrong side of an activation: of s(x) at s, of s where x was meant."""

from __future__ import annotations

import numpy as np

from gradproof.calling.subject import Array
from gradproof.explaining.evidence import Evidence, close
from gradproof.judging.slope import SPAN
from gradproof.oracles.differences import derivative
from gradproof.sampling.sample import is_float, unit


def at_activation(e: Evidence) -> bool:
    """The cotangent handed through, the derivative taken at f(x), or the formula in f(x) fed with x."""
    if not e.elementwise() or e.jacobian is None or not e.jacobian.any():
        return False  # rounding has no derivative to take elsewhere
    u = next(c for c, y in zip(e.cotangents, e.trial.values, strict=True) if is_float(y)).reshape(e.point.shape)
    x = e.point
    if any(e.explains(c) for c in (u, u * x * (1 - x), u * (1 - x * x), u * x)):
        return True
    moved = _derivative_at(e, np.asarray(e.trial.work.values[0], np.float64).reshape(x.shape))
    return moved is not None and e.explains(u * moved)


def _derivative_at(e: Evidence, point: Array) -> Array | None:
    work = e.trial.work
    inputs = list(work.sample.inputs)

    def phi(t: float) -> Array:
        inputs[e.position] = point + t
        return np.asarray(work.subject.value(inputs, work.sample.static)[0], np.float64).reshape(-1)

    estimate = derivative(phi, SPAN * unit(point))
    if not np.isfinite(estimate.bound).all() or estimate.value.size != point.size:
        return None
    return np.asarray(estimate.value.reshape(point.shape))


def by_activation(e: Evidence) -> bool:
    """Whether the derivative of a common activation here would make the gradient right, or made it wrong."""
    if e.expected is None or e.expected.shape != e.got.shape:
        return False
    x, g = e.point, e.got
    with np.errstate(all="ignore"):
        sigmoid = 1 / (1 + np.exp(-x))
        candidates = [g * sigmoid * (1 - sigmoid), g * (1 - np.tanh(x) ** 2), g * np.exp(x)]
        if x.ndim:
            shifted = np.exp(x - x.max(-1, keepdims=True))
            s = shifted / shifted.sum(-1, keepdims=True)
            candidates.append(s * (g - (g * s).sum(-1, keepdims=True)))
        # the other way round: by what stands before the activation whose value the input is
        right = e.expected
        before = [right * x * (1 - x), right * (1 - x * x), right * x]
        if x.ndim:
            before.append(x * (right - (right * x).sum(-1, keepdims=True)))
    return any(close(c, e.expected, 1e-7) for c in candidates) or any(e.explains(c) for c in before)
