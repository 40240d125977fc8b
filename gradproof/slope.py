"""The derivative of <u, f> along a direction, from the finest oracle that the forward allows, with its bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.oracles.differences import derivative
from gradproof.subject import Array
from gradproof.tolerance import KINK
from gradproof.trial import Trial

SPAN = 0.25  # the largest step, in units of a direction whose entries are as large as the input's
COMPLEX_STEP = 1e-150  # Squire & Trapp 1998: no subtraction, so the step may vanish


@dataclass(frozen=True)
class Slope:
    """value +- bound along one direction; the slopes on either side; the oracle that spoke."""

    value: float
    bound: float
    right: float
    right_bound: float
    left: float
    left_bound: float
    oracle: str = "differences"
    complex_lied: bool = False

    @property
    def kinked(self) -> bool:
        """Whether the slopes on the two sides plainly differ."""
        gap = abs(self.right - self.left)
        reach = self.right_bound + self.left_bound
        return bool(np.isfinite(gap) and np.isfinite(reach) and gap > reach + KINK * max(abs(self.right), abs(self.left)))


def unit(x: Any) -> float:
    """A power of two like the input's typical entry: what directions are measured in."""
    sizes = np.abs(np.asarray(x, np.float64)).reshape(-1)
    sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
    return float(2.0 ** np.round(np.log2(np.median(sizes)))) if sizes.size else 1.0


def directions(trial: Trial, i: int, rng: np.random.Generator, count: int) -> list[Array]:
    """Fresh random signs: of one size in the first direction, of each entry's own size in the second, and so on."""
    x = np.asarray(trial.sample.inputs[i], np.float64)
    size = unit(x)
    found = []
    for k in range(count):
        signs = rng.choice([-1.0, 1.0], x.shape)
        found.append(signs * (size if k % 2 == 0 else np.where(x == 0, size, np.abs(x))))
    return found


def slope(trial: Trial, i: int, v: Array, complex_step: bool = True) -> Slope:
    """Differences along v at input i; finer by the complex step where the forward takes complex numbers and agrees."""
    work = trial.work
    x = np.asarray(work.sample.inputs[i])
    precision = "longdouble" if x.dtype.itemsize > 8 else "float64"
    dtype = np.longdouble if precision == "longdouble" else (np.float64 if work.wide is work else x.dtype)
    phi = work.ray(i, v, dtype if dtype == np.longdouble else np.float64)
    estimate = derivative(phi, SPAN, precision=precision)
    if not np.isfinite(estimate.bound[0]) and (x == 0).any():
        # the end of a domain: step inwards only
        estimate = derivative(work.ray(i, np.where(x == 0, np.abs(v), v)), SPAN, precision=precision, side=1) if (v[x == 0] > 0).all() else estimate
    found = Slope(*(float(getattr(estimate, k)[0]) for k in ("value", "bound", "right", "right_bound", "left", "left_bound")))
    return _refined(work, i, v, found) if complex_step and not found.kinked else found


def _refined(work: Trial, i: int, v: Array, found: Slope) -> Slope:
    exact = work.complex_ray(i, v)
    with np.errstate(all="ignore"):
        first = exact(COMPLEX_STEP)
        second = exact(COMPLEX_STEP * 2.0**-20 * 1.1) if first is not None else None
    if first is None or second is None or not np.isfinite(first[0]) or not np.isfinite(second[0]):
        return found
    value = float(first[0])
    bound = 64 * 2.0**-52 * float(first[1]) + 4 * abs(value - float(second[0]))
    if np.isfinite(found.bound) and abs(value - found.value) > found.bound + bound:
        return Slope(found.value, found.bound, found.right, found.right_bound, found.left, found.left_bound, complex_lied=True)
    if np.isfinite(found.bound) and bound < found.bound:
        return Slope(value, bound, found.right, found.right_bound, found.left, found.left_bound)
    return found
