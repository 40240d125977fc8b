"""NaN or infinity in a gradient: wrong where the derivative, or a subgradient, is a number that the dtype holds.

Finite slopes on both sides are a derivative, or a kink that has subgradients. Where the forward jumps, as arctan2 does
at the origin, there is neither, whatever number a framework gives.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.judging.bench import REGULAR, Bench, Failure, Figures
from gradproof.judging.slope import directions, jumps, slope
from gradproof.judging.tolerance import RESOLVED, largest
from gradproof.judging.trial import Trial

# directions through the entry, in all inputs of its shape together, along which a jump is looked for
PROBES = 4
# at a regular point, where a framework has a finite number: a jump over most of the way, and no grain of a rounding
PLAIN_JUMP = 0.3


def judge(bench: Bench, trial: Trial, i: int, got: Array) -> None:
    """A gradient with entries that are no numbers: `differs`, or `undecided` where no derivative is known."""
    sample, dtype = trial.sample, np.asarray(trial.sample.inputs[i]).dtype
    bad = ~np.isfinite(got)
    index = tuple(int(n) for n in np.argwhere(bad)[0])
    expected = None
    for truth in trial.truths.values():
        theirs = np.asarray(truth.answer.gradients[sample.wrt.index(i)], np.float64)
        if np.isfinite(theirs[bad]).any():
            index = tuple(int(n) for n in np.argwhere(bad & np.isfinite(theirs))[0])
            expected = theirs if abs(theirs[index]) <= largest(dtype) else None
            break
    seen = _listening(trial)
    if sample.kind not in REGULAR or expected is None:
        v = np.zeros(got.shape)
        v[index] = directions(trial, i, sample.rng(13), 1)[0][index]
        ray = slope(seen, {i: v}, refine=False)
        sides = ((ray.right, ray.right_bound), (ray.left, ray.left_bound))
        scale = max(bench.scales.get(sample.names[i], 0.0), 1e-6)
        resolved = all(np.isfinite(s) and b <= RESOLVED * max(abs(s), scale) for s, b in sides)
        lost = not resolved or abs(ray.value / v[index]) >= largest(dtype)
        if lost or _jumps(seen, i, index):
            expected = None
        elif expected is None and not (ray.kinked and trial.truths):
            # a kink at which a framework says NaN as well is left open
            expected = np.where(bad, 0.0, got)
            expected[index] = slope(trial, {i: v}, refine=False).value / v[index]
    elif _jumps(seen, i, index, PLAIN_JUMP):
        expected = None
    name = sample.names[i]
    if expected is not None and trial.narrow and sample.kind not in REGULAR and _fits_wide(trial, i):
        bench.subject.warn(f"at sample {sample.label} the gradient of {name!r} overflows in {dtype}, not in float64")
        expected = None
    at = f"the gradient of {name!r} is {got[index]} at {list(index)}"
    if expected is None:
        note = f"{at}, and no oracle has a finite derivative there"
        bench.say(trial, i, "contract", "nonfinite", "undecided", note=note)
        return
    note = f"{at}, where the derivative is finite"
    bench.say(trial, i, "contract", "nonfinite", "differs", Figures(float("nan")), note)
    bench.failures.append(Failure(trial, i, "contract", "nonfinite", note, got, expected))


def _listening(trial: Trial) -> Trial:
    """The trial with no zeros in its cotangent: an output that it does not weigh may jump all the same."""
    if all(np.all(u != 0) for u in trial.cotangents):
        return trial
    other = Trial(trial.subject, trial.sample)
    other.__dict__["packing"] = trial.packing
    other.__dict__["cotangents"] = tuple(np.where(u == 0, np.ones((), u.dtype), u) for u in trial.cotangents)
    return other


def _jumps(trial: Trial, i: int, index: tuple[int, ...], share: float | None = None) -> bool:
    """Whether the forward jumps at the entry, when it moves alone or together with its peers in the other inputs.

    At a planted point with the rest of its array as well: the factors of a matrix of zeros jump along most directions.
    """
    chosen = {} if share is None else {"share": share}
    if any(jumps(trial, v, **chosen) for v in _through(trial, i, index)):
        return True
    whole = directions(trial, i, trial.sample.rng(19), 2) if share is None else []
    return any(jumps(trial, {i: v}) for v in whole)


def _through(trial: Trial, i: int, index: tuple[int, ...]) -> Iterator[dict[int, Array]]:
    inputs = trial.sample.inputs
    peers = [k for k in trial.sample.wrt if k != i and np.shape(inputs[k]) == np.shape(inputs[i])]
    rng = trial.sample.rng(18)
    for draw in range(PROBES if peers else 1):
        found = {}
        for k in (i, *(peers if draw else ())):
            found[k] = np.zeros(np.shape(inputs[k]))
            found[k][index] = directions(trial, k, rng, 1)[0][index]
        yield found


def _fits_wide(trial: Trial, i: int) -> bool:
    """Whether the same rule in float64 is finite: the narrow range is to blame, at a point planted for a wider one."""
    if trial.work is trial:
        return False
    try:
        wide = trial.work.pull()[i]
    except Fault:
        return False
    return wide is not None and bool(np.isfinite(wide).all())
