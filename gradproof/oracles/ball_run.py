"""One run of a forward on balls, and what makes the answer a proof: no ball lost, and the same function.

A float output, a conversion to float, an exception, a value that is not finite, or one that is not the
float64 value of the forward: each ends the run with a reason, never with an answer.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
import numpy.typing as npt

from gradproof.oracles.arguments import is_floating
from gradproof.oracles.ball_array import as_balls
from gradproof.oracles.ball_functions import ball_allocation
from gradproof.oracles.ball_lifting import array, asarray, lifted
from gradproof.oracles.dual import Dual
from gradproof.oracles.line import line

Array = npt.NDArray[Any]
Forward = Callable[..., Any]

# Precision grows to this many times the bits asked for before a comparison counts as undecided.
_PRECISIONS = (1, 2, 4)
# A radius below this share of the sum's terms needs no more precision.
_SHARP = 2.0**-70
# The float64 value and the enclosed one agree to this, relative to the output, or are two functions' values.
_SAME = 1e-6

# NumPy's creation functions and python-flint's precision belong to the process: one run at a time.
_one_run = threading.RLock()


class Stopped(Exception):
    """There is no enclosure. reason: unsupported, undecided, nonfinite, different (value) or budget."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def local(self) -> bool:
        """Whether another direction or precision may fare better."""
        return self.reason in ("undecided", "nonfinite")


@dataclass(frozen=True)
class Question:
    """A forward at a point, its float64 values there, and what a run may cost."""

    forward: Forward
    inputs: tuple[Any, ...]
    expected: tuple[Array, ...]
    bits: int
    budget: float


@dataclass(frozen=True)
class Run:
    """What the forward gave on balls: plain object arrays of Duals; at how many bits; whether values tied."""

    outputs: tuple[Any, ...]
    bits: int
    kink: bool

    def joins(self, other: Run) -> bool:
        """Whether the values of two runs agree, as they do on both sides of a point where nothing jumps."""
        pairs = zip(self.outputs, other.outputs, strict=True)
        return all(x.v.overlaps(y.v) for a, b in pairs for x, y in zip(a.flat, b.flat, strict=True))

    def contracted(self, weights: Sequence[Array | None]) -> tuple[Any, Any]:
        """sum_k u_k t_k, and about sum_k |u_k t_k|; raises Stopped where that is not finite."""
        with _precision(self.bits):
            total, scale = flint.arb(0), flint.arb(0)
            for out, weight in zip(self.outputs, weights, strict=True):
                for x, u in zip(out.flat, () if weight is None else weight.flat, strict=weight is not None):
                    if x.t is not None and u:
                        term = x.t * float(u)
                        total += term
                        scale += abs(term)
            if not total.is_finite():
                raise Stopped("nonfinite", "the derivative is not finite")
            return total, scale.mid()


def question(forward: Forward, inputs: Sequence[Any], bits: int, budget: float) -> Question:
    """The forward on float64 copies of the inputs (longdouble as it is): the function to be enclosed."""
    copies = [_wide(x) for x in inputs]
    with _quiet():
        try:
            result = forward(*copies)
        except Exception as reason:  # whatever a stranger's forward raises
            raise Stopped("unsupported", f"on float64: {type(reason).__name__}: {reason}") from reason
    values = []
    for output in result if isinstance(result, tuple | list) else (result,):
        try:
            values.append(np.array(output, dtype=np.float64))
        except (TypeError, ValueError) as reason:
            raise Stopped("unsupported", f"an output is no array of real numbers: {reason}") from reason
        if not np.all(np.isfinite(values[-1])):
            raise Stopped("nonfinite", "the float64 value is not finite")
    return Question(forward, tuple(inputs), tuple(values), bits, budget)


def escalated(asked: Question, tangents: Sequence[Any], weights: Sequence[Array | None] | None) -> Run:
    """The run at the first precision that decides all comparisons and is sharp; or at the last that does."""
    best: Run | None = None
    stopped: Stopped | None = None
    for factor in _PRECISIONS:
        try:
            best = run(asked, tangents, asked.bits * factor)
            if weights is None:
                return best
            ball, scale = best.contracted(weights)
            if ball.rad() <= scale * _SHARP:
                return best
        except Stopped as reason:
            if not reason.local:
                raise
            stopped = reason
    if best is None:
        raise stopped or Stopped("undecided", "no precision was tried")
    return best


def run(asked: Question, tangents: Sequence[Any], bits: int, side: int = 0) -> Run:
    """One evaluation; with NumPy's creation functions left alone where it runs only so. Raises Stopped."""
    try:
        return _evaluated(asked, tangents, bits, side, allocate=True)
    except Stopped as stopped:
        if stopped.reason != "unsupported":
            raise
        try:
            return _evaluated(asked, tangents, bits, side, allocate=False)
        except Stopped:
            raise stopped from None


def rounded(ball: Any) -> tuple[float, float]:
    """The float nearest to the midpoint, and a float radius around it that still holds the whole ball."""
    mid = float(ball.mid())
    return mid, above(abs(ball - mid)) if np.isfinite(mid) else float("inf")


def above(size: Any) -> float:
    """A float not below a nonnegative ball."""
    bound = size.upper()
    return 0.0 if bound.is_zero() else float(np.nextafter(float(bound), np.inf))


def _evaluated(asked: Question, tangents: Sequence[Any], bits: int, side: int, *, allocate: bool) -> Run:
    with _precision(bits):
        arguments = [_on_line(point, tangent) for point, tangent in zip(asked.inputs, tangents, strict=True)]
        line.start(side, asked.budget)
        raised: Exception | None = None
        result: Any = None
        try:
            with _quiet(), ball_allocation(asked.forward) if allocate else nullcontext():
                line.caller = _evaluated.__code__
                result = asked.forward(*arguments)
        except Exception as reason:  # whatever a stranger's forward raises on balls
            raised = reason
        if line.refused is not None:  # even when the forward caught it
            raise Stopped(line.refused.reason, str(line.refused)) from raised
        if line.final is not None and result is not line.final[0]:
            raise Stopped("unsupported", "the forward converts to float, where ball and tangent are lost")
        if raised is not None:
            raise Stopped("unsupported", f"on balls: {type(raised).__name__}: {raised}") from raised
        if line.final is not None:
            result = line.final[1]
        found = Run(_outputs(result), bits, line.kink)
    _same(found, asked)
    return found


def _outputs(result: Any) -> tuple[Any, ...]:
    """The outputs as plain object arrays of Duals; stops at an output of floats, whose tangents were lost."""
    arrays = []
    for output in result if isinstance(result, tuple | list) else (result,):
        if not isinstance(output, Dual) and getattr(output, "dtype", None) != np.dtype(object):
            kind = getattr(output, "dtype", type(output).__name__)
            raise Stopped("unsupported", f"the forward returned {kind} and no balls: the tangents were lost")
        cells = lifted(output if isinstance(output, np.ndarray) else array(output, dtype=object))
        if not all(isinstance(x, Dual) for x in cells.flat):
            raise Stopped("unsupported", "the forward returned an object array of something else than balls")
        arrays.append(cells)
    return tuple(arrays)


def _same(found: Run, asked: Question) -> None:
    """Stop unless the enclosed value is finite and the float64 forward's."""
    if [out.shape for out in found.outputs] != [value.shape for value in asked.expected]:
        raise Stopped("different", "the forward has other outputs on balls than on floats")
    floats = [asarray(x, dtype=np.float64) for x in asked.inputs if is_floating(x)]
    size = max([1.0, *(np.max(np.abs(x), initial=0.0) for x in floats)])
    for out, value in zip(found.outputs, asked.expected, strict=True):
        if not all(x.v.is_finite() for x in out.flat):
            raise Stopped("nonfinite", "the value is not finite, or its ball is not")
        got = np.array([float(x.v.mid()) for x in out.flat]).reshape(out.shape)
        allowed = _SAME * np.max(np.abs(value), initial=0.0) + 64 * np.finfo(np.float64).eps * size
        if not np.all(np.abs(got - value) <= allowed):
            raise Stopped("different", "the forward has another value on balls than on floats")


def _on_line(point: Any, tangent: Any) -> Any:
    """An input as an array of balls; entries that do not move have no tangent."""
    if not is_floating(point):
        return point.copy() if isinstance(point, np.ndarray) else point
    balls = as_balls(point)
    if tangent is not None:
        cells = balls.view(np.ndarray).reshape(-1)  # contiguous and private, so a view
        for place, slope in enumerate(asarray(tangent, dtype=np.float64).flat):
            if slope:
                cells[place] = Dual(cells[place].v, flint.arb(float(slope)))
    return balls


def _wide(x: Any) -> Any:
    """A private copy as float64, or as the wider float it is; other arguments as they are."""
    if not is_floating(x):
        return x.copy() if isinstance(x, np.ndarray) else x
    dtype = x.dtype if x.dtype.char == "g" else np.dtype(np.float64)
    return np.array(x, dtype=dtype) if isinstance(x, np.ndarray) else dtype.type(x)


@contextmanager
def _precision(bits: int) -> Iterator[None]:
    with _one_run, flint.ctx.workprec(bits):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """The forward was run before, by the caller: it says nothing twice."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
