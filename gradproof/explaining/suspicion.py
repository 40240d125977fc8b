"""Where a rule may be wrong: what every failing sample has and not nearly every passing one.

Such a condition is a suspicion, no more: short numbers have ties nearly always. It is proved by undoing it, in
`counterfactual`. A second word tells two readings of one condition apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.judging.bench import Bench, Failure
from gradproof.judging.trial import Trial

STEPS = ("at_stride", "at_stride overlapping", "at_stride apart")
VALUES = ("at_repeated", *STEPS, "at_ties", "at_ties anywhere", "at_zero", "at_saturation", "at_small", "at_negative")
SHAPES = ("at_batch", "at_batch_one", "at_nonsquare", "at_square")
# a large entry is at least so large, and so large where no smaller one was right; a small one at most so large
LARGE, ALWAYS_LARGE, SMALL = 1.0, 8.0, 0.125
# a condition is none where more of the passing samples have it, unless these are few beside the failing ones
COMMON, FEW = 0.9, 0.25
# where a condition cannot be undone: so many samples that fail and that pass, of so many shapes each
FAILING, PASSING, DISTINCT = 3, 4, 2


def suspects(bench: Bench, failure: Failure) -> list[str]:
    """Conditions that hold wherever the rule fails: those on values first, the rarest of the passing samples first."""
    fails, passes = _samples(bench, failure)
    failing, passing = _described(fails, fails, passes), _described(passes, fails, passes)
    shared = [name for name in (*VALUES, *SHAPES) if all(p[name] for p in failing)]
    scored = [(name in SHAPES, sum(p[name] for p in passing), name) for name in shared]
    most = max(COMMON * len(passing), FEW * len(failing))
    return [name for *_, among, name in sorted(scored, key=lambda s: s[:2]) if among <= most]


def separates(bench: Bench, failure: Failure, name: str) -> bool:
    """Whether a condition parts the samples, over several of either kind and shape: one of seven may pass by chance."""
    fails, passes = _samples(bench, failure)
    shapes = [{tuple(np.shape(x) for x in t.sample.inputs) for t in some} for some in (fails, passes)]
    if len(fails) < FAILING or len(passes) < PASSING or (name in SHAPES and min(map(len, shapes)) < DISTINCT):
        return False
    failing, passing = _described(fails, fails, passes), _described(passes, fails, passes)
    return all(p[name] for p in failing) and sum(p[name] for p in passing) <= len(passing) / 7


def _samples(bench: Bench, failure: Failure) -> tuple[list[Trial], list[Trial]]:
    """The trials that fail for the failure's input, the failure's own among them, and those that pass."""
    mine = [f.trial for f in bench.failures if f.position in (failure.position, None) or failure.position is None]
    failing = {id(t): t for t in (failure.trial, *mine) if t.sample.kind not in ("turned", "beside", "empty")}
    passing = {
        id(t): t
        for t, i in bench.passed
        if id(t) not in failing and failure.position in (i, None) and t.sample.kind not in ("turned", "empty")
    }
    return list(failing.values()) or [failure.trial], list(passing.values())


def _described(trials: Sequence[Trial], fails: Sequence[Trial], others: Sequence[Trial]) -> list[dict[str, bool]]:
    large, small = min(reach(t) for t in fails), max(least(t) for t in fails)
    if not any(reach(t) < large for t in others):
        large = large if large >= ALWAYS_LARGE else 0.0  # nothing smaller was right
    return [properties(t, large, small) for t in trials]


def floats(trial: Trial) -> list[Array]:
    """The differentiated inputs in float64."""
    return [np.asarray(trial.sample.inputs[i], np.float64) for i in trial.sample.wrt]


def reach(trial: Trial) -> float:
    """The largest size of an entry."""
    return max((float(np.max(np.abs(x), initial=0.0)) for x in floats(trial)), default=0.0)


def least(trial: Trial) -> float:
    """The smallest size of an entry that is not zero."""
    sizes = [np.abs(x[x != 0]) for x in floats(trial)]
    return min((float(s.min()) for s in sizes if s.size), default=np.inf)


def _meet(points: Sequence[Array]) -> bool:
    """Whether two inputs are equal at one place."""
    return any(a.shape == b.shape and bool((a == b).any()) for a, b in combinations(points, 2))


def _rows(shapes: Sequence[tuple[int, ...]]) -> int:
    """The length of the first axis of the first input, where it has others: a vector has no rows."""
    first = next((shape for shape in shapes if shape), ())
    return first[0] if len(first) > 1 else 1


def repeats(x: Any) -> bool:
    """Whether an array of indices has one twice."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.size > 1 and np.unique(x).size < x.size


def steps(trial: Trial) -> tuple[dict[str, Any], list[int]]:
    """Strides and dilations by name, inputs and static parameters alike; and the other whole numbers: windows."""
    sample = trial.sample
    named = {**dict(zip(sample.names, sample.inputs, strict=True)), **sample.static}
    whole = {k: v for k, v in named.items() if isinstance(v, int | tuple) and not isinstance(v, bool)}
    found = {k: v for k, v in whole.items() if any(w in k for w in ("stride", "step", "dilation"))}
    return found, [v for k, v in whole.items() if k not in found and isinstance(v, int)]


def properties(trial: Trial, large: float, small: float) -> dict[str, bool]:
    """Which conditions hold at a trial; `large` and `small` are the sizes that count as such."""
    sample, points = trial.sample, floats(trial)
    shapes = [np.shape(x) for x in sample.inputs]
    joined = np.concatenate([x.reshape(-1) for x in points])
    found, windows = steps(trial)
    strides = [v for k, v in found.items() if isinstance(v, int) and "dilation" not in k]
    return {
        "at_repeated": any(repeats(x) for x in sample.inputs),
        "at_stride": any(v not in (1, (1, 1)) for v in found.values()),
        "at_stride overlapping": any(v < w for v in strides for w in windows),
        "at_stride apart": any(v != w for v in strides for w in windows),
        "at_ties": any(np.unique(x).size < x.size for x in points) or _meet(points),
        "at_ties anywhere": np.unique(joined).size < joined.size,
        "at_zero": bool((joined == 0).any()),
        "at_saturation": large >= LARGE and reach(trial) >= large,
        "at_small": small <= SMALL and least(trial) <= small,
        "at_negative": bool((joined <= 0).any()),  # an end of the negative numbers is zero
        "at_batch": _rows(shapes) > 1,
        "at_batch_one": any(1 in shape for shape in shapes),
        "at_nonsquare": any(len(set(shape[-2:])) > 1 for shape in shapes),
        # a cotangent is turned where its own two axes are equal, which no input need show
        "at_square": any(a == b for s in (*shapes, *(y.shape for y in trial.values)) for a, b in combinations(s, 2)),
    }
