"""Rays through a point: t -> <u, f(x + t v) - f(x)> for K directions v, one t at a time or many in one evaluation.

Where the forward takes a batch, every t and every v become a row of one: the inputs that move get a leading axis, and
axes of size 1 up to the rank of the point, as broadcasting would align them. That it takes a batch is detected, never
assumed: at every batch the rows of the first step, of the last and of the shortest must be, bit for bit, what the
forward gives for these points alone. A forward that sums over all entries or reads its first axis does not, and is then
asked a point at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.oracles.analytic import Analytic
from gradproof.sampling.sample import is_float, upcast

if TYPE_CHECKING:
    from gradproof.judging.trial import Trial

LARGEST = 2**15  # entries in a batch: beyond that one call costs what its rows cost alone, and more memory


@dataclass
class _Moving:
    """An input that moves: its position, its value and its directions, (K, *shape)."""

    position: int
    value: Array
    along: Array
    array: bool  # an array, not a NumPy scalar


class Rays:
    """t -> [<u, f(x + t v_k) - f(x)>, ...], shape (K,); every v moves the same inputs. t may be complex."""

    def __init__(self, trial: Trial, directions: Sequence[Mapping[int, Array]], precision: Any = np.float64) -> None:
        self.trial, self.directions, self.precision = trial, directions, precision
        inputs = trial.sample.inputs
        self.base = [
            upcast(x, precision) if is_float(x) and np.asarray(x).dtype != np.dtype(precision) else x for x in inputs
        ]
        self.moving = [
            _Moving(
                i,
                np.asarray(self.base[i]),
                np.asarray([v[i] for v in directions], precision),
                isinstance(self.base[i], np.ndarray),
            )
            for i in directions[0]
        ]
        self.weights = [
            (k, np.asarray(u, precision).reshape(-1))
            for k, u in enumerate(trial.cotangents)
            if is_float(trial.values[k])
        ]
        same = all(a is b for a, b in zip(self.base, inputs, strict=True))
        values = trial.values if same else trial.insistent_value(self.base)
        self.start = [np.asarray(y).reshape(-1) for y in values]

    def only(self, *chosen: int) -> Rays:
        """The rays along the chosen directions alone."""
        if len(chosen) == len(self.directions):
            return self
        return Rays(self.trial, [self.directions[k] for k in chosen], self.precision)

    def __call__(self, t: Any) -> Array:
        found = [self._one(t, k) for k in range(len(self.directions))]
        return np.asarray(found)

    def _one(self, t: Any, k: int) -> Any:
        try:
            return self._weighed(self._at(t, k))
        except (ArithmeticError, ValueError):
            if len(self.directions) == 1:
                raise
            return np.nan  # outside the domain along this direction; the others go on

    def _at(self, t: Any, k: int) -> list[Array]:
        """The outputs at x + t v_k."""
        inputs = list(self.base)
        for one in self.moving:
            moved = one.value + t * one.along[k]
            if isinstance(t, complex):
                moved = np.asarray(moved).view(Analytic)
            inputs[one.position] = moved if one.array or isinstance(t, complex) else moved[()]
        return [np.asarray(y) for y in self.trial.insistent_value(inputs)]

    def _weighed(self, values: Sequence[Array]) -> Any:
        # differences of outputs before the sum: large constant outputs then cost no digits
        return sum(w @ (values[k].reshape(-1) - self.start[k]) for k, w in self.weights)

    def many(self, steps: Sequence[Any]) -> Array | None:
        """The rays at each of T steps from one evaluation of the forward, (T, K); None where it takes no batch."""
        rows = len(steps) * len(self.directions)
        entries = sum(y.size for y in self.start) + sum(one.value.size for one in self.moving)
        at = np.asarray(steps)
        subject, form = self.trial.subject, (at.dtype, *self._form())
        if rows < 4 or rows * entries > LARGEST or form in subject.unbatched:
            return None
        values = self._batch(at)
        if values is None:
            subject.unbatched.add(form)
            return None
        with np.errstate(all="ignore"):
            return np.asarray(sum((values[k] - self.start[k]) @ w for k, w in self.weights)).reshape(at.size, -1)

    def _form(self) -> tuple[Any, ...]:
        """What decides whether the forward takes a batch: which inputs move, and every shape."""
        inputs = self.trial.sample.inputs
        return (*(one.position for one in self.moving), *(x.shape for x in inputs if isinstance(x, np.ndarray)))

    def _batch(self, steps: Array) -> list[Array] | None:
        """Each output at every step and direction, (T K, entries); None where that is no batch of what it is alone."""
        count, rows = len(self.directions), len(steps) * len(self.directions)
        rank = max((x.ndim for x in self.base if isinstance(x, np.ndarray)), default=0)
        inputs = list(self.base)
        for one in self.moving:
            moved = one.value + steps.reshape(-1, 1, *(1,) * one.value.ndim) * one.along
            moved = moved.reshape(rows, *(1,) * (rank - one.value.ndim), *one.value.shape)
            inputs[one.position] = moved.view(Analytic) if np.iscomplexobj(moved) else moved
        try:
            values = [np.asarray(y) for y in self.trial.insistent_value(inputs)]
            witnesses = {row: self._at(steps[row // count], row % count) for row in self._witnesses(steps)}
        except Exception:  # a stranger's forward, and shapes that it never saw
            return None
        if len(values) != len(self.start):
            return None
        for k, y in enumerate(values):
            alone = witnesses[0][k]
            if y.size != rows * alone.size or y.shape[0] != rows or y.shape[y.ndim - alone.ndim :] != alone.shape:
                return None
            flat = y.reshape(rows, -1)
            if not all(_same(flat[row], outputs[k]) for row, outputs in witnesses.items()):
                return None
            values[k] = flat
        return values

    def _witnesses(self, steps: Array) -> tuple[int, int, int]:
        """The rows that are asked for alone too: of the first and the last step, and of the shortest."""
        count = len(self.directions)
        return 0, int(np.abs(steps).argmin()) * count + count // 2, len(steps) * count - 1


def _same(row: Array, alone: Array) -> bool:
    """Bit for bit, but for the sign of a zero and what a NaN holds."""
    return row.dtype == alone.dtype and np.array_equal(row, alone.reshape(-1), equal_nan=row.dtype.kind in "fc")
