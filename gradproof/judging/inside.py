"""Choices at kinks inside a forward, where the whole has a kink as well: what gradient follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradproof.calling.subject import Gradients
from gradproof.judging import around
from gradproof.judging.bench import Bench, norm, usable
from gradproof.judging.trial import Trial, signs
from gradproof.oracles import kink, nudged
from gradproof.sampling.sample import is_float, unit

# directions in which a gradient equals that of choices inside, how closely, and how far it may leave what lies between
WAYS, MATCH, BETWEEN = 12, 1e-3, 0.02


def inside(bench: Bench, trial: Trial, hull: kink.Hull, gradients: Gradients) -> str:
    """How the gradients follow from choices at kinks inside, where the whole has a kink as well.

    "equal" to those of one choice at every kink, or midway between two; "between" them along every direction, as those
    of other choices are, and as too coarse a difference may be; "" where neither.
    """
    if "inside" not in trial.__dict__:
        known = all(usable(gradients.get(k), trial, k) for k in trial.sample.wrt)
        trial.__dict__["inside"] = _chosen(bench, trial, hull, gradients) if known else ""
    return str(trial.__dict__["inside"])


def _chosen(bench: Bench, trial: Trial, hull: kink.Hull, gradients: Gradients) -> str:
    wrt, work, joined = trial.sample.wrt, trial.work, around.joined(trial, gradients)
    # where nothing has a kink there is one right value; gradients displaced say it no better than that
    beyond = np.abs(joined - np.clip(joined, hull.low, hull.high)) > MATCH * hull.size
    if (beyond & ~hull.kinked).any():
        return ""
    inputs, floats = work.sample.inputs, [k for k, y in enumerate(trial.values) if is_float(y)]
    seen = [k for k, x in enumerate(inputs) if is_float(x)]  # constants too: what is made of them ties as well

    def evaluate(moved: Sequence[Any]) -> Any:
        at = [moved[seen.index(k)] if k in seen else x for k, x in enumerate(inputs)]
        values = work.subject.value(at, work.sample.static)
        return sum((np.asarray(values[k]) * work.cotangents[k]).sum() for k in floats)

    theirs, mine, rng = [], [], trial.sample.rng(18)
    for _ in range(WAYS):
        move = [signs(rng, np.shape(x)) * unit(x) if k in wrt else np.zeros(np.shape(x)) for k, x in enumerate(inputs)]
        theirs.append(nudged.slopes(evaluate, [np.asarray(inputs[k]) for k in seen], [move[k] for k in seen]))
        mine.append(np.concatenate([(np.asarray(gradients[i], np.float64) * move[i]).reshape(-1) for i in wrt]))
    room = max(MATCH * max(map(norm, mine)), kink.TOLERANCE * max(bench.scale(trial, i) for i in wrt))
    slopes, ways = np.array([m.sum() for m in mine]), np.array(theirs).T
    for k, one in enumerate(ways):
        if any(bool(np.max(np.abs((one + other) / 2 - slopes)) <= room) for other in ways[k:]):
            return "equal"
    low, high = ways.min(0), ways.max(0)
    apart = BETWEEN * (high - low)
    return "between" if bool(((slopes >= low - apart) & (slopes <= high + apart)).all()) else ""
