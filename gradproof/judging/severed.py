"""A reference that is cut off from its inputs: its derivative is zero, though its values move with them.

    D <u, f> = 0 by the framework, at x and beside it;      <u, f(x + h v)> - <u, f(x - h v)>  ~  h

So are `detach()`, `no_grad` and a way through NumPy in torch, and `stop_gradient` in JAX. A constant, a step or a
saturated function stands still where its derivative is zero, and is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.errors import InputError
from gradproof.judging.tolerance import eps
from gradproof.judging.trial import Trial
from gradproof.oracles.autodiff import Answer, Autodiff, Point
from gradproof.sampling.sample import is_float, unit

BESIDE = 2.0**-7  # a place beside the point, off a kink that it may stand on
STEP = 2.0**-14  # so short that a smooth function is straight along it
STRAIGHT = 0.1  # how far the slopes over the step, its half and its reverse may differ, relatively
# it moves at steps so short, in units of eps, at which as many roundings of the value should be seen
FINE, ROUNDINGS = 2.0**8, 16.0
LEAST = 2.0**-36  # of the value: what rounding may move is less

REMEDIES = {
    "torch": "keep it in torch, without detach(), no_grad or a way through NumPy",
    "jax": "keep it in jax.numpy, without stop_gradient",
}


def insist(oracle: Autodiff, trial: Trial, at: Point, answer: Answer) -> None:
    """Raises InputError where the framework's forward is cut off from inputs that it moves with."""
    wrt = trial.sample.wrt
    silent = [i for i, g in zip(wrt, answer.gradients, strict=True) if g.size and not g.any()]
    cut = [i for i in silent if _moves(oracle, trial, at, i)]
    if not cut:
        return
    names = ", ".join(repr(trial.sample.names[i]) for i in cut)
    whole = len(cut) == len(wrt)
    remedy = REMEDIES[oracle.framework] + ("" if whole else f", or name it in constant= ({names})")
    raise InputError(
        f"the {oracle.framework} forward is cut off from {'its inputs' if whole else names}: its values move with "
        f"{names}, and {oracle.framework} gives a derivative of zero; {remedy}"
    )


def _moves(oracle: Autodiff, trial: Trial, at: Point, i: int) -> bool:
    """Whether <u, f> moves with input i, straight, where the framework's derivative by it is zero."""
    x = np.asarray(at.inputs[i])
    rng = trial.sample.rng(17)
    v = rng.choice([-1.0, 1.0], x.shape) * unit(x)
    there = x + BESIDE * rng.uniform(0.5, 1.0, x.shape) * v
    k, static = trial.sample.wrt.index(i), trial.sample.static
    try:
        beside = oracle.ask([replace(at, inputs=_with(at.inputs, i, there))], trial.sample.wrt, static)[0]
        if np.any(beside.gradients[k]):
            return False
        start = _paired(at, beside.values)
        moved = [
            _paired(at, oracle.values(_with(at.inputs, i, there + t * STEP * v), static)) - start
            for t in (1.0, 0.5, -1.0)
        ]
    except Exception:  # beside the point lies what the framework's forward does not take
        return False
    slopes = np.array([moved[0], 2 * moved[1], -moved[2]])
    size = float(np.max(np.abs(slopes)))
    if size <= LEAST * max(abs(start), 1e-300) or np.ptp(slopes) > STRAIGHT * size:
        return False
    # a step function of treads far narrower than its argument, as floor at 1e10, is straight over long steps only
    unit_roundoff = eps(x.dtype)
    short = max(FINE * unit_roundoff, STEP * ROUNDINGS * unit_roundoff * abs(start) / size)
    moves = (
        _paired(at, oracle.values(_with(at.inputs, i, there + t * short * v), static)) - start for t in (1.0, -1.0, 0.6)
    )
    return bool(short >= STEP or any(move != 0 for move in moves))


def _with(inputs: Sequence[Any], i: int, x: Array) -> tuple[Any, ...]:
    moved = np.asarray(x, np.asarray(inputs[i]).dtype)
    return (*inputs[:i], moved if isinstance(inputs[i], np.ndarray) else moved[()], *inputs[i + 1 :])


def _paired(at: Point, values: Sequence[Array]) -> float:
    """<u, y> over the float outputs."""
    pairs = zip(at.cotangents, values, strict=True)
    flat = (
        (np.asarray(u, np.float64).reshape(-1), np.asarray(y, np.float64).reshape(-1)) for u, y in pairs if is_float(y)
    )
    return float(sum(u @ y for u, y in flat))
