"""What a derivative costs, in figures that nothing else on the machine moves.

    lines      of Python, NumPy's own not counted, that one forward and one backward run
    memory     the most that they hold at once, over the size of what they take and give back

Both at one point of the declaration with some thousands of entries, its sizes all different. A loop over samples or
pixels runs a line for each; a temporary as large as all pairs, or a needless copy, is held. Seconds are a benchmark's.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradproof.equation import Equation
from gradproof.sampling.declared import Declared
from gradproof.sampling.sample import Sample

ENTRIES = 4096  # of the inputs, at least
HELD = 2**15  # bytes: beside fewer, Python's own objects count
DOUBLINGS = 12
NUMPY = str(Path(np.__file__).parent)


@dataclass(frozen=True)
class Cost:
    """lines: that ran; memory: peak bytes over those of the arguments and the results, None where these are few."""

    lines: int
    memory: float | None


def cost_of(equation: Equation) -> Cost | None:
    """The cost of an equation's forward and backward; None where it has no point of that size, or raises there."""
    sample = _large(equation)
    if sample is None:
        return None
    rng = sample.rng(70)
    try:
        out = equation.forward(*sample.inputs, **sample.static)
        drawn = tuple(rng.standard_normal(np.shape(y)) for y in (out if isinstance(out, tuple) else (out,)))
        cotangent = drawn if isinstance(out, tuple) else drawn[0]

        def once() -> Any:
            z = equation.forward(*sample.inputs, **sample.static)
            return equation.backward(cotangent, z, *sample.inputs, **sample.static)

        gradients = once()  # and what is made once and kept, such as an index, is no part of the next
        lines, peak = _lines(once), _peak(once)
    except Exception:  # of a stranger's derivative: that it raises is the judge's to say
        return None
    held = sum(map(_bytes, (sample.inputs, cotangent, out, gradients)))
    return Cost(lines, peak / held if held >= HELD else None)


def _large(equation: Equation) -> Sample | None:
    """A random sample whose inputs have enough entries: the first one's sizes, doubled all at once."""
    declared = Declared(equation, 0)
    sample = declared.draw(0)
    for _ in range(DOUBLINGS):
        if sample is None or sum(np.size(x) for x in sample.inputs) >= ENTRIES:
            return sample
        larger = declared.resize(sample, {symbol: 2 * size for symbol, size in sample.sizes.items()})
        if larger is None or not sample.sizes:
            return sample
        sample = larger
    return sample


def _lines(once: Callable[[], Any]) -> int:
    """How many lines of Python ran that are not NumPy's own."""
    ran = 0

    def inside(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal ran
        ran += event == "line"
        return inside

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return None if frame.f_code.co_filename.startswith(NUMPY) else inside

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        once()
    finally:
        sys.settrace(before)
    return ran


def _peak(once: Callable[[], Any]) -> int:
    """The most bytes that were held at once, beyond what was held before."""
    ours = not tracemalloc.is_tracing()
    if ours:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        once()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if ours:
            tracemalloc.stop()


def _bytes(values: Any) -> int:
    listed = values.values() if isinstance(values, dict) else values if isinstance(values, list | tuple) else [values]
    return sum(np.asarray(value).nbytes for value in listed if value is not None)
