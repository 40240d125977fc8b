"""From numbers to balls: exact points for real numbers, elementwise maps, and reductions along axes.

NumPy's creation functions are bound here once: while a forward runs, `ball_allocation` stands in their place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gradproof.oracles.dual import Dual, compare, lift
from gradproof.oracles.elementary import maximum
from gradproof.oracles.line import line

asarray, array, empty = np.asarray, np.array, np.empty

Pick = Callable[[Dual, Dual], Dual]


def scalar(x: Any) -> npt.NDArray[np.object_]:
    """A 0-d object array of one element."""
    cell: npt.NDArray[np.object_] = empty((), dtype=object)
    cell[()] = x
    return cell


def lifted(x: Any) -> Any:
    """Real numbers as Duals, each an exact point, in a plain object array; what is no number stays."""
    given = x if isinstance(x, np.ndarray) else asarray(x)
    if given.dtype.kind in "SUMm":
        return given
    cells = empty(given.shape, dtype=object)
    cells[...] = _lift_all(given.view(np.ndarray))
    return cells


def mapped(function: Callable[[Any], Any], balls: Any, dtype: type) -> Any:
    """A function of each element, as an array of another dtype; of a 0-d array, a scalar."""
    return asarray(np.frompyfunc(function, 1, 1)(asarray(balls)), dtype=dtype)[()]


def reduced(
    function: Callable[[Sequence[Dual]], Any], balls: Any, axis: Any, keepdims: bool, dtype: type
) -> Any:
    """A function of a sequence of elements, along one axis, several, or all."""
    axes = tuple(range(balls.ndim)) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    axes = tuple(range(balls.ndim)[a] for a in axes)
    kept = tuple(a for a in range(balls.ndim) if a not in axes)
    shape = tuple(balls.shape[a] for a in kept)
    length = math.prod(balls.shape[a] for a in axes)
    rows = balls.view(np.ndarray).transpose(kept + axes).reshape(math.prod(shape), length)
    result: npt.NDArray[Any] = empty(len(rows), dtype=dtype)
    for number, row in enumerate(rows):
        result[number] = function(row.tolist())
    if keepdims:
        shape = tuple(1 if a in axes else n for a, n in enumerate(balls.shape))
    return result.reshape(shape)[()]


def extreme(pick: Pick, items: Sequence[Dual]) -> Dual:
    """The largest (pick: maximum) or smallest. The favourite meets all others: ties of theirs are no kink."""
    if not items:
        raise ValueError("zero-size array to a reduction operation which has no identity")
    best = items[_favourite(pick, items)]
    for item in items:
        best = pick(best, item)
    return best


def winner(pick: Pick, items: Sequence[Dual]) -> int:
    """The place of the first extreme element."""
    if not items:
        raise ValueError("attempt to get the place of an extreme of an empty sequence")
    place = _favourite(pick, items)
    sign = 1 if pick is maximum else -1
    for number, item in enumerate(items):
        if compare(item, items[place]) == sign:
            place = number
    return place


def truth(x: Any) -> Any:
    """Which elements differ from 0."""
    return mapped(bool, x, bool) if x.dtype == object else x


def _favourite(pick: Pick, items: Sequence[Dual]) -> int:
    """The first place whose midpoint is extreme."""
    middles = [item.v.mid() for item in items]
    if any(middle.is_nan() for middle in middles):
        line.refuse("nonfinite", "a value that is not a number is compared")
    place = 0
    for number, middle in enumerate(middles):
        if middle > middles[place] if pick is maximum else middle < middles[place]:
            place = number
    return place


def _lift_element(x: Any) -> Any:
    exact = x if x is None else lift(x)  # None: np.empty, not yet written
    return x if exact is NotImplemented else exact


_lift_all = np.frompyfunc(_lift_element, 1, 1)
