"""A rule's own rounding: what is left of it in fourth differences, over points so close that nothing else is.

    d = g(x) - 4 g(x + h v) + 6 g(x + 2 h v) - 4 g(x + 3 h v) + g(x + 4 h v)      |d| about 8 times the rounding of g

(after Moré & Wild 2011). An ulp may not show it: in (1 + x / 2^s)^(2^s) it is lost, and rounding grows 2^s-fold
all the same. A wrong value is as smooth as a right one and leaves nothing; what leaves more than any rounding would is
a lower precision inside, or a jump, and counts as none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault, Gradients
from gradproof.judging import extended
from gradproof.judging.tolerance import ROUNDINGS, eps, name_of, shifted
from gradproof.judging.trial import Trial, signs
from gradproof.oracles import ball
from gradproof.sampling.sample import is_float

# steps relative to each entry, in units of eps; and the roundings of the largest entry that are still rounding
STEPS = {"float64": (2.0**8, 2.0**22), "float32": (2.0**6, 2.0**10)}
MOST = {"float64": 2.0**14, "float32": 2.0**9}
DRAWS = 2
# an error of more than this share of the largest entry is no rounding of a rule that can be used
PLAIN = 2.0**-9
BINOMIAL = (1.0, -4.0, 6.0, -4.0, 1.0)
SPREAD = 70.0**0.5  # of a fourth difference of independent numbers, in units of theirs
# a right value may be off by so many times the rounding that a few draws show
SAFETY = 16.0
# and by so many times what the forward is off from its value in balls, where that has half of its digits at least
DESERVED, HALF = 4.0, 2.0**-26
# balls are tried on points this small, within this many operations
MOST_ENTRIES, BUDGET = 120, 5e4


def roughness(trial: Trial, i: int, got: Array, off: float, cotangents: Sequence[Array] | None = None) -> Array | float:
    """How far rounding may put each entry of one gradient off; 0 where it cannot be told from something else.

    off: the error that is to be explained; where it is plainly larger than any rounding of `got`, nothing is asked.
    """
    size = float(np.max(np.abs(np.asarray(got, np.float64)), initial=0.0))
    sent = trial.cotangents if cotangents is None else cotangents
    lost = extended.lost(trial, i, got, sent)
    if off > PLAIN * size:
        return lost
    return np.maximum(np.maximum(_fourths(trial, i, sent), lost), DESERVED * size * _from_proved(trial))


def _from_proved(trial: Trial) -> float:
    """What the forward is off from itself in balls, relative: a rule deserves as much; 0 where that cannot be told.

    A constant matrix that is ill-conditioned is factored alike at every point: no step shows what that has lost.
    """
    if "from proved" not in trial.__dict__:
        trial.__dict__["from proved"] = _apart_from_proved(trial)
    return float(trial.__dict__["from proved"])


def _apart_from_proved(trial: Trial) -> float:
    if trial.narrow or sum(int(np.size(x)) for x in trial.sample.inputs if is_float(x)) > MOST_ENTRIES:
        return 0.0
    values, inputs = trial.values, trial.inputs()
    if not any(np.any(y) for y in values if is_float(y)):
        # of zeros nothing is lost, as at the origin of a linear map: another point tells
        ways = trial.sample.rng(47)
        inputs = tuple(
            _filled(x, signs(ways, np.shape(x))) if k in trial.sample.wrt else x for k, x in enumerate(inputs)
        )
    static, subject = trial.sample.static, trial.subject
    try:
        values = subject.value(inputs, static)
        found = ball.enclose_value(partial(subject.plain or subject.forward, **static), inputs, budget=BUDGET)
    except Exception:  # any exception of a stranger's forward, or no balls
        return 0.0
    shares = [
        float((np.max(np.abs(y - mid)) + np.max(radius)) / max(np.max(np.abs(mid)), 1e-300))
        for y, (mid, radius) in zip(values, found or (), strict=False)
        if is_float(y) and y.size and y.shape == mid.shape
    ]
    worst = max(shares, default=0.0)
    return worst if worst <= HALF else 0.0


def _filled(x: Any, v: Array) -> Any:
    filled = np.where(np.asarray(x) == 0, v, x)
    return filled if isinstance(x, np.ndarray) else filled[()]


def _fourths(trial: Trial, i: int, sent: Sequence[Array]) -> Array | float:
    known = trial.__dict__.setdefault("roughness", {})
    key = tuple(u.tobytes() for u in sent)
    if key not in known:
        known[key] = _of_rule(trial, sent)
    found = [g.get(i) for g in known[key]]
    sizes = [g for g in found if g is not None and g.size and np.isfinite(g).all()]
    if len(sizes) < max(2, len(found)):
        return 0.0  # a call failed, or this dtype, or several at once, has no steps
    largest, *apart = sizes
    dtype = np.asarray(trial.sample.inputs[i]).dtype
    share = MOST[name_of(dtype)] * eps(dtype)
    if not all(np.max(a) <= share * float(np.max(largest)) for a in apart):
        # the forward may be as rough: what it solves has a condition that no argument shows
        share = max(share, SAFETY * _of_forward(trial))
    limit = share * float(np.max(largest))
    # what is more in one entry is no rounding of the others
    seen = np.array([a if np.max(a) <= limit else np.zeros(a.shape) for a in apart]).max(0)
    # of few draws one entry may show nothing by chance, where half of the others do
    return np.asarray(SAFETY * np.maximum(seen, np.median(seen)))


def as_movement(rough: Array | float, dtype: np.dtype[Any]) -> Array | float:
    """The movement, in units of eps, that allows as much."""
    return rough / (ROUNDINGS[name_of(dtype)] * eps(dtype))


def fourth(values: Callable[[float], dict[int, Array]]) -> dict[int, Array]:
    """The size of the rounding of each value, from those at 0, 1, .. 4 steps."""
    total: dict[int, Array] = {}
    for k, weight in enumerate(BINOMIAL):
        there = values(k)
        total = {i: total.get(i, 0.0) + weight * g for i, g in there.items()}
    return {i: np.abs(d) / SPREAD for i, d in total.items()}


def _of_rule(trial: Trial, cotangents: Sequence[Array]) -> list[dict[int, Array]]:
    """The sizes of the gradients, then those of their rounding, a draw and step each; nothing where a call fails."""
    try:
        base = _pulled(trial, cotangents, trial.sample.inputs)
        return [{i: np.abs(g) for i, g in base.items()}, *_steps(trial, cotangents, partial(_pulled, trial))]
    except (Fault, KeyError, ValueError):
        return []


def _of_forward(trial: Trial) -> float:
    """The rounding of the outputs relative to the largest of each, at the shortest of the steps."""

    def valued(_: Sequence[Array], inputs: Sequence[Any]) -> dict[int, Array]:
        at = tuple(np.array(x) if isinstance(x, np.ndarray) else x for x in inputs)
        values = trial.subject.value(at, trial.sample.static)
        return {k: np.asarray(y, np.float64) for k, y in enumerate(values) if is_float(y) and y.size}

    try:
        first = next(_steps(trial, trial.cotangents, valued), {})
    except Exception:  # a stranger's forward beside the point
        return 0.0
    return max((float(np.max(d) / max(np.max(np.abs(trial.values[k])), 1e-300)) for k, d in first.items()), default=0.0)


def _steps(
    trial: Trial, cotangents: Sequence[Array], at: Callable[[Sequence[Array], Sequence[Any]], dict[int, Array]]
) -> Iterator[dict[int, Array]]:
    wrt, rng, inputs = trial.sample.wrt, trial.sample.rng(45), trial.sample.inputs
    names = {name_of(np.asarray(inputs[i]).dtype) for i in wrt}
    if len(names) > 1 or not names <= STEPS.keys():
        return
    for step in STEPS[names.pop()] * DRAWS:
        ways = [signs(rng, np.shape(x)) for x in (*inputs, *cotangents)]

        def moved(k: float, step: float = step, ways: Sequence[Array] = ways) -> dict[int, Array]:
            there = [
                shifted(x, k * step * v) if n in wrt else x for n, (x, v) in enumerate(zip(inputs, ways, strict=False))
            ]
            pairs = zip(cotangents, ways[len(inputs) :], strict=True)
            return at([shifted(u, k * step * v) for u, v in pairs], there)

        yield fourth(moved)


def _pulled(trial: Trial, cotangents: Sequence[Array], inputs: Sequence[Any]) -> dict[int, Array]:
    at = tuple(np.array(x) if isinstance(x, np.ndarray) else x for x in inputs)
    found: Gradients = trial.pull([np.array(u) for u in cotangents], at)
    return {i: np.asarray(g, np.float64) for i, g in found.items() if g is not None}
