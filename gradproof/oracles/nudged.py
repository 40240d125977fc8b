"""What a forward's own choices at ties give: its derivative when each value inside that ties is nudged, by itself.

A rule that follows a program backwards chooses at each kink inside, say 0 for ReLU and the first of equal maxima. Where
several kinks meet at one point no step of the inputs may lead to all of these choices at once, and the gradient is then
none of those around the point, nor a mixture of them. Here it is not the inputs that move but the values inside: the
forward runs on arrays that nudge what an operation gives where it is 0 or occurs twice, and take back there what the
nudges before it did, so that its own decides. Its slopes are then differences with steps shorter than a nudge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SIZE = 2.0**-20  # of a nudge, in units of the entry, or of the least of the others where it is 0
STEP = 2.0**-46  # in units of an entry; in extended precision, where there is one
# what chooses, orders or rounds; everything else that gives floats computes, and is nudged
CHOOSING = frozenset({np.maximum, np.minimum, np.fmax, np.fmin, np.absolute, np.fabs, np.positive, np.sign, np.floor})
CHOOSING |= {np.ceil, np.rint, np.trunc, np.copysign, np.heaviside}
PRODUCTS = frozenset({np.dot, np.inner, np.outer, np.vdot, np.tensordot, np.einsum, np.convolve, np.correlate})


def slopes(evaluate: Callable[[Sequence[Any]], Any], point: Sequence[Array], along: Sequence[Array]) -> Array:
    """The slopes along one direction, of all inputs together, a row for each way to choose; NaN where one has none.

    Ways: what is 0 is below 0 or above it, and of what is equal the first is the largest, or the last.
    """
    return np.array([_slope(evaluate, point, along, way) for way in product((-1.0, 1.0), (1.0, -1.0))])


def _slope(
    evaluate: Callable[[Sequence[Any]], Any],
    point: Sequence[Array],
    along: Sequence[Array],
    way: tuple[float, float],
) -> float:
    nudges, extended = _Nudges(way), [np.asarray(x, np.longdouble) for x in point]

    def at(step: float, run: str = "moved") -> Any:
        nudges.run, nudges.count = run, 0
        moved = [nudges.input(x + step * v) for x, v in zip(extended, along, strict=True)]
        return np.asarray(evaluate(moved))

    with np.errstate(all="ignore"):
        try:
            at(0.0, "plain")
            at(0.0, "nudged")
            return float((at(STEP) - at(-STEP)) / (2 * STEP))
        except Exception:  # a stranger's forward, on arrays that it does not expect
            return float("nan")


class _Nudges:
    """What is added to the result of each operation of the forward, in their order.

    A plain run finds what ties; one at the same point what the nudges before an operation did to that, which is taken
    back; runs at points beside it add the same.
    """

    def __init__(self, way: tuple[float, float]) -> None:
        self.sign, self.order = way
        self.run, self.count = "plain", 0
        self.found: list[tuple[Array, Array]] = []  # plain results, and their nudges
        self.added: list[Array] = []

    def input(self, x: Array) -> Nudged:
        """An input, nudged as well."""
        return self.view(x + self.next(x))

    def view(self, x: Any) -> Nudged:
        """An array; what is computed from it is nudged."""
        seen: Nudged = np.asarray(x).view(Nudged)
        seen.nudges = self
        return seen

    def next(self, x: Array) -> Array:
        """What is added to the result of the next operation."""
        self.count += 1
        if self.run == "moved":
            return self.added[self.count - 1]
        if self.run == "plain":
            self.found.append((np.array(x), self._nudge(x)))
            return np.zeros(x.shape)
        plain, nudge = self.found[self.count - 1]
        self.added.append(np.where(nudge != 0, plain - x + nudge, 0.0))
        return self.added[-1]

    def _nudge(self, x: Array) -> Array:
        """The nudge of every entry that ties, 0 of the others."""
        _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
        tied = (counts[which.reshape(-1)] > 1).reshape(x.shape) | (x == 0)
        if not tied.any():
            return np.zeros(x.shape)
        rank = np.arange(x.size).reshape(x.shape) / x.size
        size = np.abs(x)
        size[size == 0] = np.min(size[size > 0]) if (size > 0).any() else 1.0
        return np.where(tied, SIZE * size * (1.5 * self.sign + self.order * (0.5 - rank)), 0.0)


class Nudged(np.ndarray[Any, Any]):
    """A float array; what is computed from it is nudged."""

    nudges: _Nudges

    def __array_finalize__(self, origin: Any) -> None:
        if isinstance(origin, Nudged):
            self.nudges = origin.nudges

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if out is not None:
            options["out"] = tuple(_plain(one) for one in out)
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        computed = ufunc not in CHOOSING and method in ("__call__", "reduce", "accumulate")
        if out is not None:
            if computed and len(out) == 1 and out[0] is not None:
                options["out"][0][...] += self._own(inputs).next(options["out"][0])
            return out[0] if len(out) == 1 else result
        return self._seen(result, inputs, computed)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        result = super().__array_function__(func, types, args, kwargs)
        return self._seen(result, args, func in PRODUCTS)

    def _own(self, inputs: Sequence[Any]) -> _Nudges:
        return next((x.nudges for x in inputs if isinstance(x, Nudged)), self.nudges)

    def _seen(self, result: Any, inputs: Sequence[Any], computed: bool) -> Any:
        if isinstance(result, tuple | list):
            return type(result)(self._seen(one, inputs, computed) for one in result)
        if not isinstance(result, np.ndarray | np.generic) or result.dtype.kind != "f":
            return result
        nudges, plain = self._own(inputs), np.asarray(result)
        return nudges.view(plain + nudges.next(plain) if computed else plain)


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Nudged) else x
