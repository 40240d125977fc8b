"""Is a gradient at a kink in the convex hull of those around it? Their extremes and their span hold more than it does.

    max(0, x, y) at 0:  conv {(0, 0), (1, 0), (0, 1)}.   (1, 1) lies within the extremes, and counts the tie twice.

Not all of the hull's corners were met. So the corner that lies furthest along w = g - p, where p is the point of the
known hull next to g, is asked for: of a convex function it is the gradient a step along w, of a concave one a step
against it, and which of the two an entry belongs to shows in the gradients that are known. A gradient that no corner
reaches is outside (Wolfe 1976). It is refused where few entries tell, and no step that only these take leads beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gradproof.calling.subject import Array
from gradproof.oracles.kink import TOLERANCE, Hull

Corner = Callable[[Array], Array | None]  # a step, one joined array -> the gradient there; None where it has none

NEAR = 1e-5  # of the hull's size: a gradient so close to a corner is that corner
ROUNDS = 16
FEW = 6  # entries in a certificate
DRAWS = 96  # steps that try to break it
LEAST = 2.0**-10  # of the longest entry of a step
CLEAR = 0.05  # of the length of w times the hull's size: what is refused lies so far outside
WIDER = 4  # times that a hull is widened towards a gradient


def outside(hull: Hull, gradient: Array, corner: Corner, rng: np.random.Generator, sizes: Array) -> bool:
    """Whether a joined gradient is plainly outside the convex hull of the gradients around the point.

    sizes: what the entries' steps are in units of.
    """
    kinked = hull.kinked
    if int(kinked.sum()) < 2 or hull.steps is None:
        return False
    search = _Search(hull, np.asarray(gradient, np.float64), kinked, corner, sizes)
    return not search.reaches() and search.certified(rng)


def widened(hull: Hull, gradient: Array, corner: Corner, sizes: Array) -> Hull:
    """The hull with further corners towards a gradient outside its extremes, as far as one finds them.

    Of many kinks that share an entry, as zeros before a ReLU share their bias, random steps hardly ever meet all on
    one side; a step along that entry, far ahead of the others, does. sizes: what the entries' steps are in units of.
    """
    if hull.steps is None:
        return hull
    signs = np.where(hull.steps[-1] > 0, 1.0, -1.0)
    for _ in range(WIDER):
        beyond = np.asarray(gradient - np.clip(gradient, hull.low, hull.high))
        outermost = [k for k in np.argsort(-np.abs(beyond))[:FEW] if abs(beyond[k]) > TOLERANCE * hull.size]
        if not outermost:
            break
        leads = [beyond / np.max(np.abs(beyond)), *(np.eye(1, beyond.size, k)[0] for k in outermost)]
        rows, steps = [], []
        for lead in (way * lead for lead in leads for way in (1.0, -1.0)):
            # the others a little behind; and far behind, where what they are multiplied by is large
            for gain, behind in ((1.0, LEAST), (np.max(sizes) / sizes, LEAST**2)):
                step = np.where(np.abs(lead) > LEAST, gain * lead, behind * signs)
                row = corner(step)
                if row is not None and ((row < hull.low) | (row > hull.high)).any():
                    rows.append(row)
                    steps.append(step)
        if not rows:
            break
        assert hull.steps is not None
        hull = replace(hull, around=np.vstack([hull.around, *rows]), steps=np.vstack([hull.steps, *steps]))
    return hull


class _Search:
    """Corners of the hull in the entries that change, and the steps towards more of them."""

    def __init__(self, hull: Hull, gradient: Array, kinked: Array, corner: Corner, sizes: Array) -> None:
        assert hull.steps is not None
        self.kinked, self.corner, self.sizes = kinked, corner, sizes[kinked]
        self.rows = hull.around[:, kinked]
        self.goal = gradient[kinked]
        self.size = max(float(np.max(np.abs(self.rows))), 1e-300)
        self.steps = hull.steps[-1]
        steps = hull.steps[:, kinked]
        self.met = [(row, step) for row, step in zip(self.rows, steps / self.sizes, strict=True)]
        rising = (steps * (self.rows - self.rows.mean(0))).sum(0)
        self.bend = np.where(rising < 0, -1.0, 1.0)  # 1 where the function is convex in the entry, -1 where concave
        self.away = self.goal - hull.middle[kinked]

    def _at(self, step: Array) -> Array | None:
        """The corner a step leads to, the step taken in the changing entries alone."""
        largest = float(np.max(np.abs(step), initial=0.0))
        if largest == 0:
            return None
        whole = np.where(self.steps > 0, LEAST, -LEAST)  # every entry leaves the kink
        moved = np.abs(step) > LEAST * largest
        whole[np.flatnonzero(self.kinked)[moved]] = step[moved] / largest
        found = self.corner(whole)
        return None if found is None else found[self.kinked]

    def _along(self, w: Array) -> list[Array]:
        """Steps to the corner furthest along w: with it where all is convex, and against it where all is concave.

        In units of the entries' sizes, as all steps; and as it is, which a norm of singular values asks for.
        """
        ways = [self.bend * w, w, -w]
        return ways if np.ptp(self.sizes) == 0 else [*ways, *(way / self.sizes for way in ways)]

    def _crossed(self, w: Array) -> Array:
        """The corner furthest along w to which known steps lead that take over from one another, entry by entry.

        Of kinks apart, as of medians of several rows, each then stands as it is best, which one step hardly meets.
        """
        order = sorted(self.met, key=lambda met: -float(met[0] @ w))
        best, step = order[0]
        for row, other in order[1:]:
            better = (row - best) * w > 0
            if better.any():
                tried = np.where(better, other, step)
                found = self._at(tried)
                if found is not None and float((found - best) @ w) > 0:
                    best, step = found, tried
        return np.asarray(best)

    def _is_goal(self, row: Array) -> bool:
        return bool(np.max(np.abs(row - self.goal)) <= NEAR * self.size)

    def reaches(self) -> bool:
        """Whether a mixture of corners comes as near to the gradient as makes no difference."""
        if any(self._is_goal(row) for row in self.rows):
            return True
        weights = np.full(len(self.rows), 1 / len(self.rows))
        for _ in range(ROUNDS):
            weights = _nearest(self.rows, self.goal, weights)
            self.away = self.goal - weights @ self.rows
            length = float(np.sqrt((self.away**2).sum()))
            if length <= CLEAR * self.size:
                return True
            found = [row for row in map(self._at, self._along(self.away)) if row is not None]
            found.append(self._crossed(self.away))
            if any(self._is_goal(row) for row in found):
                return True
            known = float((self.rows @ self.away).max())
            further = [row for row in found if float(row @ self.away) > known + 1e-3 * length * self.size]
            if not further:
                return False
            self.rows = np.vstack([self.rows, *further])
            weights = np.append(weights, np.zeros(len(further)))
        return True  # it was still getting nearer: nothing is refused on that

    def certified(self, rng: np.random.Generator) -> bool:
        """Whether along the few largest entries of w no corner comes as far as the gradient, wherever one looks."""
        told = np.argsort(-np.abs(self.away))[:FEW]
        w = np.zeros(self.away.shape)
        w[told] = self.away[told]
        least = float(self.goal @ w) - CLEAR * self.size * float(np.sqrt((w**2).sum()))
        steps = self._along(w)
        for _ in range(DRAWS):
            sizes = 2.0 ** -rng.uniform(0, 6, w.shape)
            step = rng.choice([-1.0, 1.0], w.shape) * sizes
            aside = rng.choice([0.0, 2.0**-6, 1.0])  # the other entries stay behind, or do not
            steps.append(np.where(w == 0, aside * step, step))
        found = (self._at(step) for step in steps)
        reached = max(
            [
                float((self.rows @ w).max()),
                float(self._crossed(w) @ w),
                *(float(row @ w) for row in found if row is not None),
            ]
        )
        return reached < least


def _nearest(rows: Array, goal: Array, weights: Array) -> Array:
    """Weights of the mixture of rows that is nearest to the goal: accelerated projected gradients."""
    gram, pull = rows @ rows.T, rows @ goal
    rate = 1 / max(float(np.linalg.norm(gram, 2)), 1e-300)
    ahead, pace = weights, 1.0
    for _ in range(100):
        new = _simplex(ahead - rate * (gram @ ahead - pull))
        faster = (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead, weights, pace = new + (pace - 1) / faster * (new - weights), new, faster
    return weights


def _simplex(v: Array) -> Array:
    """The nearest weights that are no less than 0 and sum to 1 (Held, Wolfe & Crowder 1974)."""
    falling = np.sort(v)[::-1]
    over = (np.cumsum(falling) - 1) / np.arange(1, v.size + 1)
    return np.asarray(np.maximum(v - over[int(np.flatnonzero(falling > over)[-1])], 0.0))
