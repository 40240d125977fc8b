"""Kinks and ties: is a gradient there a valid (Clarke) subgradient, and whose choice is it?

    the generalised gradient at x  =  conv { lim grad f(x_k) : x_k -> x, f smooth at x_k }          (Clarke 1975)

Gradients are taken at points displaced by +r and -r around x and extrapolated back along each r. A gradient is valid
when it lies, entry by entry, between their extremes, and differs from them only along the directions in which they
differ among themselves: half of each of two tied maxima passes, the whole of both does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradproof.calling.subject import Array
from gradproof.sampling.sample import unit

DISPLACEMENT = 2.0**-20
PAIRS = 6
# two kinks show the same side in every one of m pairs with probability 2^(1-m): nothing is refused on fewer than these
THOROUGH_PAIRS = 32
MOST_PAIRS = 64
TOLERANCE = 1e-6
MARGIN = 0.02


@dataclass(frozen=True)
class Hull:
    """Gradients around a point, one a row, and the steps that led there; `size` is their typical entry."""

    around: Array
    steps: Array | None = None

    @property
    def size(self) -> float:
        return float(np.max(np.abs(self.around), initial=0.0))

    @property
    def low(self) -> Array:
        return np.asarray(self.around.min(0))

    @property
    def high(self) -> Array:
        return np.asarray(self.around.max(0))

    @property
    def middle(self) -> Array:
        return (self.low + self.high) / 2

    @property
    def kinked(self) -> Array:
        """The entries in which the gradients around the point differ."""
        return np.asarray(self.high - self.low > TOLERANCE * max(self.size, 1e-300))

    def nearest(self, gradient: Array) -> Array:
        """A gradient of the hull's span and box close to the given one."""
        if int(self.kinked.sum()) > len(self.around) // 2 - 2:
            return np.asarray(np.clip(gradient, self.low, self.high))
        return np.asarray(np.clip(self.around[0] + self._within(gradient - self.around[0]), self.low, self.high))

    def _within(self, step: Array) -> Array:
        """The part of a step that lies along the differences of the gradients around the point."""
        spread = self.around[1:] - self.around[0]
        if not spread.any():
            return np.zeros(step.shape)
        _, s, vt = np.linalg.svd(spread, full_matrices=False)
        basis = vt[s > 1e-9 * max(float(s[0]), 1e-300) * max(spread.shape)]
        return np.asarray(basis.T @ (basis @ step))

    def distance(self, gradient: Array, part: slice | Array | None = None) -> float:
        """How far outside the hull a gradient lies, in units of the hull's size; 0 inside."""
        around, g = (self.around, gradient) if part is None else (self.around[:, part], gradient[part])
        if g.size == 0:
            return 0.0
        size = max(float(np.max(np.abs(around))), float(np.max(np.abs(g))), 1e-300)
        # extremes of more than two branches were sampled: a little beyond them may still be inside
        margin = np.where(_two_valued(around), 0.0, MARGIN) * np.ptp(around, axis=0) + TOLERANCE * size
        box = float(np.max(np.maximum(around.min(0) - margin - g, g - around.max(0) - margin), initial=0.0))
        kinked = np.ptp(around, axis=0) > TOLERANCE * size
        if int(kinked.sum()) > len(around) // 2 - 2:
            return (
                box / size
            )  # more kinked entries than gradients were taken: their span is not known, the extremes are
        if not kinked.any():
            return box / size
        residual = (g - around[0])[kinked]
        residual = residual - Hull(around[:, kinked])._within(residual)
        return max(box, float(np.max(np.abs(residual)))) / size

    def distance_of(self, gradient: Array | None, part: slice) -> float:
        """The distance of one input's gradient, the others left open."""
        if gradient is None:
            return float("inf")
        whole = np.zeros(self.around.shape[1])
        whole[part] = np.asarray(gradient, np.float64).reshape(-1)
        return self.distance(whole, part)

    def holds(self, gradient: Array, part: slice | Array | None = None, tolerance: float = TOLERANCE) -> bool:
        """Whether a gradient, or a part of it, lies in the hull to `tolerance` of its largest entry."""
        return self.distance(gradient, part) <= tolerance


def _two_valued(around: Array) -> Array:
    """Entries that take two values around the point, as at relu's zero: their extremes are known, not sampled."""
    low, high = around.min(0), around.max(0)
    room = 1e-4 * (high - low)
    return np.asarray(((around - low <= room) | (high - around <= room)).all(0))


def gather(
    gradient_at: Callable[[Sequence[Array]], Array | None],
    points: Sequence[Array],
    rng: np.random.Generator,
    pairs: int = PAIRS,
) -> Hull | None:
    """The gradients around a point, joined over the differentiated inputs; None where too few can be had.

    gradient_at: displaced inputs -> their joined gradient, or None where the forward is not defined there.
    """
    rows: list[Array] = []
    taken: list[Array] = []
    drawn = 0
    least = [2.0**-4 * unit(p) for p in points]
    while drawn < pairs:
        drawn += 1
        steps = [_ramp(p) if drawn == 1 else _signs(rng, p) for p in points]
        r = [step * np.maximum(np.abs(p), small) for step, p, small in zip(steps, points, least, strict=True)]
        for sign in (1.0, -1.0):
            row = limit(gradient_at, points, [sign * DISPLACEMENT * v for v in r])
            if row is not None:
                rows.append(row)
                taken.append(sign * np.concatenate([v.reshape(-1) for v in r]))
        if drawn == pairs and rows:
            # as many rows as there are entries that change, so that their span is complete
            changing = int(Hull(np.stack(rows)).kinked.sum())
            pairs = max(pairs, min(changing + 2, MOST_PAIRS))
    return Hull(np.stack(rows), np.stack(taken)) if len(rows) >= 2 else None


def _ramp(p: Array) -> Array:
    """The first and the last of tied entries are chosen by turns."""
    return np.asarray(np.arange(1, p.size + 1).reshape(p.shape) / p.size)


def _signs(rng: np.random.Generator, p: Array) -> Array:
    """Random signs of very different sizes, by entry and by input: which of two steps decides a kink varies."""
    sizes = rng.uniform(0.5, 1.0, p.shape) * 2.0 ** -rng.integers(0, 6, p.shape) * 2.0 ** -float(rng.integers(0, 8))
    return np.asarray(rng.choice([-1.0, 1.0], p.shape) * sizes)


def limit(
    gradient_at: Callable[[Sequence[Array]], Array | None], points: Sequence[Array], step: Sequence[Array]
) -> Array | None:
    far = gradient_at([p + s for p, s in zip(points, step, strict=True)])
    near = gradient_at([p + s / 2 for p, s in zip(points, step, strict=True)])
    if far is None or near is None or not (np.isfinite(far).all() and np.isfinite(near).all()):
        return None
    jump = np.abs(far - near) > 1e-3 * max(float(np.max(np.abs(near))), float(np.max(np.abs(far))))
    return np.where(jump, near, 2 * near - far)
