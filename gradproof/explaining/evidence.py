"""What can be measured at a failing sample: the expected gradient, the Jacobian, answers to other cotangents."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import combinations

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.judging.bench import REGULAR, Bench, Failure
from gradproof.judging.slope import SPAN, directions, entries, slope, slopes
from gradproof.judging.trial import Trial
from gradproof.oracles.contract import Contract
from gradproof.oracles.differences import derivative
from gradproof.sampling.sample import is_float, unit

# beyond so many entries the expected gradient is not worked out entry by entry
MOST_ENTRIES = 1500
MOST_SECONDS = 2.0
CALLS_A_SLOPE = 25
MOST_JACOBIAN = 64
MOST_KEPT = 200
# the share of the error that an explanation may leave
LEFT = 0.05
# directions in which a constant factor has to be the same
DIRECTIONS = 4


def close(a: Array, b: Array | None, tolerance: float = 1e-6) -> bool:
    """Equal to `tolerance` of the largest entry."""
    if b is None or a.shape != b.shape or a.size == 0:
        return False
    size = max(float(np.max(np.abs(a))), float(np.max(np.abs(b))))
    return bool(np.isfinite(size) and np.max(np.abs(a - b)) <= tolerance * size)


class Evidence:
    """Measurements at one failure, each made when it is first asked for."""

    def __init__(self, bench: Bench, failure: Failure) -> None:
        assert failure.position is not None
        self.bench, self.failure, self.trial, self.position = bench, failure, failure.trial, failure.position
        self.point = np.asarray(self.trial.sample.inputs[self.position], np.float64)
        self.cotangents = [np.asarray(u, np.float64) for u in self.trial.cotangents]
        found = self.rule()
        self.got = np.asarray(
            found if found is not None else (failure.got if failure.got is not None else np.zeros(self.point.shape)),
            np.float64,
        )
        self._widen()

    def _widen(self) -> None:
        """A narrow rule whose float64 self is as wrong is looked at there: no rounding blurs what it looks like."""
        work = self.trial.work
        if work is self.trial:
            return
        try:
            wide = work.pull()[self.position]
        except Fault:
            return
        if wide is None or wide.dtype != np.float64 or wide.shape != self.got.shape or not np.isfinite(wide).all():
            return
        error = float(np.max(np.abs(wide - self.got), initial=0.0))
        truth = self.expected if wide.size else None
        if truth is not None and truth.shape == wide.shape and np.max(np.abs(wide - truth)) > 4 * error:
            self.got = np.asarray(wide)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of every input and output."""
        return [np.shape(x) for x in self.trial.sample.inputs] + [y.shape for y in self.trial.values]

    def rule(self, scale: float = 1.0, shuffled: bool = False) -> Array | None:
        """The rule's gradient for the cotangent, scaled or with its entries replaced."""
        u = [np.asarray(scale * c, c.dtype) for c in self.trial.cotangents]
        if shuffled:
            u = [np.asarray(np.abs(c[::-1] if c.ndim else c) * 2 + 0.25, c.dtype) for c in u]
        try:
            g = self.trial.pull(u)[self.position]
        except Fault:
            return None
        return None if g is None else np.asarray(g, np.float64)

    @cached_property
    def expected(self) -> Array | None:
        """The true gradient: a framework's, or entry by entry from slopes where there are few entries."""
        return self._expected(self.position)

    def _expected(self, i: int) -> Array | None:
        for truth in self.trial.truths.values():
            g = np.asarray(truth.answer.gradients[self.trial.sample.wrt.index(i)], np.float64)
            return np.where(np.isfinite(g), g, 0.0)
        return self._by_slopes(self.trial, i) if np.size(self.trial.sample.inputs[i]) <= self._most else None

    @cached_property
    def _most(self) -> int:
        """How many entries' slopes a slow forward leaves time for."""
        start = time.perf_counter()
        self.trial.subject.value(self.trial.inputs(), self.trial.sample.static)
        return int(min(MOST_ENTRIES, MOST_SECONDS / (CALLS_A_SLOPE * max(time.perf_counter() - start, 1e-6))))

    @staticmethod
    def _by_slopes(trial: Trial, i: int) -> Array:
        known: dict[int, Array] = trial.__dict__.setdefault("entries", {})
        if i not in known:
            known[i] = entries(trial, i)
        return known[i]

    @cached_property
    def tolerance(self) -> float:
        """What an explanation may leave over: a thousandth of the error it explains, relative to the largest entry."""
        e = self.expected
        if e is None or e.shape != self.got.shape:
            return 1e-6
        size = max(float(np.max(np.abs(self.got), initial=0.0)), float(np.max(np.abs(e), initial=0.0)), 1e-300)
        exact = bool(self.trial.truths)
        return float(np.clip(1e-3 * np.max(np.abs(self.got - e), initial=0.0) / size, 1e-12 if exact else 1e-10, 1e-6))

    def explains(self, candidate: Array | None) -> bool:
        """Whether the wrong gradient is just this array: nearer to it by far than to the right one, in every entry."""
        if candidate is None or not close(self.got, candidate, self.tolerance):
            return False
        e = self.expected
        if e is None or e.shape != self.got.shape:
            return True
        return bool(np.max(np.abs(self.got - candidate)) <= LEFT * np.max(np.abs(self.got - e)))

    @cached_property
    def multiple(self) -> float | None:
        """The constant that the gradient is of the right one along every direction; None where there is none.

        For arrays whose entries are too many to be worked out one by one.
        """
        ratios, known = [], []
        drawn = directions(self.trial, self.position, self.trial.sample.rng(33), DIRECTIONS)
        for v, ray in zip(drawn, slopes(self.trial, [{self.position: v} for v in drawn]), strict=True):
            if not np.isfinite(ray.bound) or ray.value == 0:
                return None
            ratios.append(float((self.got * v).sum()) / ray.value)
            known.append(1e-9 + 4 * ray.bound / abs(ray.value))
        found = float(np.median(ratios))
        spread = max(abs(r - found) / k for r, k in zip(ratios, known, strict=True))
        return found if spread <= max(abs(found), 1.0) and abs(found - 1) > max(known) else None

    def multiple_elsewhere(self) -> bool:
        """Whether the gradient is no less a multiple of the right one at another wrong sample, where there is one.

        Of a point whose entries are all as large as one another, any function of an entry is a multiple of any other.
        """
        for failure in self.bench.failures:
            g, regular = failure.got, failure.trial.sample.kind in REGULAR and failure.oracle != "kink"
            if not regular or failure.position != self.position or failure.trial is self.trial or g is None:
                continue
            if g.size > 1 and np.ptp(np.abs(failure.trial.sample.inputs[self.position])):
                other = Evidence(self.bench, failure)
                if other.expected is None or other.expected.shape != other.got.shape:
                    return True
                square = float((other.expected**2).sum())
                ratio = float((other.got * other.expected).sum()) / square if square else 0.0
                return close(other.got, ratio * other.expected)
        return True

    def wrong(self) -> Array:
        """Which entries differ."""
        assert self.expected is not None
        size = float(np.max(np.abs(self.expected), initial=0.0))
        if self.expected.shape != self.got.shape:
            return np.ones(self.point.shape, bool)
        error = np.abs(self.got - self.expected)
        return np.asarray(error > max(1e-3 * float(error.max(initial=0.0)), 1e-12 * size))

    def single(self) -> tuple[int, ...] | None:
        """The entry that bisection found, where it carries the whole error of the direction; None otherwise."""
        failure = self.failure
        if failure.direction is None or failure.expected is None or failure.got is None:
            return None
        off = np.argwhere(np.asarray(failure.expected) != np.asarray(failure.got))
        if len(off) != 1:
            return None
        index = tuple(int(n) for n in off[0])
        ray = slope(self.trial, {self.position: failure.direction})
        whole = abs(failure.error * float(failure.direction[index]))
        left = abs(float((np.asarray(failure.expected, np.float64) * failure.direction).sum()) - ray.value)
        return index if left <= 1e-2 * whole + ray.bound < 0.5 * whole else None

    def others(self) -> Iterator[Array]:
        """The expected gradients of the other inputs."""
        for i in self.trial.sample.wrt:
            if i != self.position:
                g = self._expected(i)
                if g is not None:
                    yield g

    def ignores_cotangent(self) -> bool:
        other = self.rule(shuffled=True)
        return other is not None and close(self.got, other, 1e-9) and bool(self.got.any())

    def ignores_point(self) -> bool:
        """Whether other inputs of the same shape get the same answer too: it was kept from an earlier call."""
        contract = Contract(self.trial, False, {})
        try:
            g = self.trial.pull(inputs=tuple(contract.other(x) for x in self.trial.sample.inputs))[self.position]
        except Fault:
            return False
        return g is not None and close(self.got, np.asarray(g, np.float64), 1e-9)

    def of_an_earlier_point(self) -> bool:
        """Whether it is the right gradient of a point of the same shape that came earlier: an answer that was kept."""
        if np.size(self.point) > min(self._most, MOST_KEPT) or not self.ignores_point():
            return False
        shapes = [np.shape(x) for x in self.trial.sample.inputs]
        earlier = {id(t): t for t, _ in self.bench.passed if t.sample.index < self.trial.sample.index}
        same = [t for t in earlier.values() if [np.shape(x) for x in t.sample.inputs] == shapes]
        for trial in same[:2]:
            other = Trial(self.trial.subject, trial.work.sample)
            other.__dict__["cotangents"] = self.trial.work.cotangents
            if self.explains(self._by_slopes(other, self.position)):
                return True
        return False

    def even_in_cotangent(self) -> bool:
        minus = self.rule(scale=-1.0)
        return minus is not None and close(self.got, minus, 1e-9) and bool(self.got.any())

    @cached_property
    def jacobian(self) -> Array | None:
        """d output / d this input, flat, for one float output and few entries."""
        floats = [k for k, y in enumerate(self.trial.work.values) if is_float(y)]
        x = np.asarray(self.trial.work.sample.inputs[self.position])
        if len(floats) != 1 or x.size > MOST_JACOBIAN or self.trial.values[floats[0]].size > 4 * MOST_JACOBIAN:
            return None
        columns = []
        size = unit(x)
        work: Trial = self.trial.work
        base = np.asarray(work.values[floats[0]], np.float64).reshape(-1)
        for index in np.ndindex(x.shape):
            inputs = list(work.sample.inputs)

            def phi(t: float, index: tuple[int, ...] = index, inputs: list[object] = inputs) -> Array:
                moved = np.array(x, np.float64)
                moved[index] += t * size
                inputs[self.position] = (
                    moved if isinstance(work.sample.inputs[self.position], np.ndarray) else moved[()]
                )
                return np.asarray(work.subject.value(inputs, work.sample.static)[floats[0]].reshape(-1) - base)

            estimate = derivative(phi, SPAN)
            columns.append(np.nan_to_num(estimate.value) / size)
        return np.stack(columns, axis=1) if columns else None

    def elementwise(self) -> bool | None:
        """Whether the Jacobian is diagonal; None where that is not known."""
        if self.jacobian is None or self.jacobian.shape[0] != self.jacobian.shape[1]:
            return None
        off = self.jacobian - np.diag(np.diag(self.jacobian))
        return bool(np.max(np.abs(off), initial=0.0) <= 1e-9 * max(float(np.max(np.abs(self.jacobian))), 1e-300))

    def diagonal(self) -> Array | None:
        """u times the Jacobian's diagonal."""
        if self.elementwise() is None or self.jacobian is None:
            return None
        u = next(c for c, y in zip(self.cotangents, self.trial.values, strict=True) if is_float(y))
        return np.asarray((np.diag(self.jacobian) * u.reshape(-1)).reshape(self.point.shape))

    def kernel_flipped(self) -> bool:
        """Whether the gradient is the right one for another input read backwards."""
        sample = self.trial.work.sample
        for k, w in enumerate(sample.inputs):
            if k == self.position or not is_float(w) or np.ndim(w) < 1:
                continue
            spatial = tuple(range(max(np.ndim(w) - 2, 0), np.ndim(w)))
            for axes in {spatial, spatial[-1:]}:
                flipped = np.ascontiguousarray(np.flip(w, axes))
                if np.array_equal(flipped, w):
                    continue
                inputs = tuple(flipped if j == k else x for j, x in enumerate(sample.inputs))
                other = Trial(self.trial.subject, replace(sample, inputs=inputs))
                other.__dict__["cotangents"] = self.trial.work.cotangents
                if self._explained_along(other):
                    return True
        return False

    def _explained_along(self, other: Trial) -> bool:
        """Whether the wrong gradient is the right one of another trial, along two directions of all entries."""
        for v in directions(other, self.position, other.sample.rng(34), 2):
            ray = slope(other, {self.position: v})
            mine = float((self.got * v).sum())
            if not abs(mine - ray.value) <= 1e-6 * max(abs(mine), abs(ray.value)) + ray.bound or ray.bound > 1e-3:
                return False
        return bool(self.got.any())

    def forwards(self) -> bool:
        """Whether the rule applies the Jacobian itself where its transpose belongs."""
        if self.jacobian is None or self.jacobian.shape[0] != self.jacobian.shape[1]:
            return False
        u = next(c for c, y in zip(self.cotangents, self.trial.values, strict=True) if is_float(y))
        pushed = (self.jacobian @ u.reshape(-1)).reshape(self.point.shape)
        return self.explains(pushed) and not close(pushed, self.expected, 1e-9)

    def one_slice(self) -> bool:
        """Whether the gradient is that of one slice of the output along an axis or two: a sum that was not taken."""
        if self.jacobian is None:
            return False
        y = next(v for v in self.trial.values if is_float(v))
        u = next(c for c, v in zip(self.cotangents, self.trial.values, strict=True) if is_float(v))
        longer = [axis for axis in range(y.ndim) if y.shape[axis] > 1]
        for axes in (c for count in (1, 2) for c in combinations(longer, count)):
            for k in (0, -1):
                only = np.zeros(y.shape)
                chosen = tuple(k if axis in axes else slice(None) for axis in range(y.ndim))
                only[chosen] = u[chosen]
                if self.explains((self.jacobian.T @ only.reshape(-1)).reshape(self.point.shape)):
                    return True
        return False
