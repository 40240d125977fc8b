"""What the judge keeps at hand: settings, what frameworks said, how large gradients are, what was found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Subject
from gradproof.judging.slope import Slope, directions, slope
from gradproof.judging.tolerance import ROUNDINGS, SCALE_ROUNDINGS, eps, name_of
from gradproof.judging.trial import Trial, try_trial
from gradproof.oracles.autodiff import Autodiff
from gradproof.sampling.sample import is_float, unit
from gradproof.verdict import Verdict

# points that no hard value was planted in: they set the scale that the hard ones are judged on
REGULAR = ("given", "random", "drawn")
# regular points whose slopes teach the scale where there is no reference
TEACHERS = 2
# an input whose typical entry is larger lies where an activation is saturated: planted values reach what is not
FAR = 64.0
# norms whose squares float64 holds in full
SQUARED = (1e-140, 1e140)


@dataclass(frozen=True)
class Failure:
    """A refusal, with what the explanation needs: where it was, what was got and what should be."""

    trial: Trial
    position: int | None
    oracle: str
    check: str
    note: str = ""
    got: Array | None = None
    expected: Array | None = None
    direction: Array | None = None
    slope: Slope | None = None
    error: float = float("nan")
    bound: float = float("nan")


@dataclass(frozen=True)
class Figures:
    """The numbers of a verdict."""

    error: float = 0.0
    bound: float = 0.0
    resolution: float = float("inf")
    ulps: float = 0.0


@dataclass
class Settings:
    """What the caller asked for."""

    strict: bool = False
    subgradient: str = "any"
    oracles: frozenset[str] | None = None
    judge_value: bool = False
    explain: bool = True

    def wants(self, oracle: str) -> bool:
        return self.oracles is None or oracle in self.oracles


@dataclass
class Bench:
    """The judge's table: shared by the parts that judge, written by each."""

    subject: Subject
    settings: Settings
    autodiff: dict[str, Autodiff] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    reach: dict[str, float] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    near: dict[str, float] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    passed: list[tuple[Trial, int]] = field(default_factory=list)
    treads: dict[str, float] = field(default_factory=dict)
    seen: int = 0
    refused_balls: int = 0

    def say(
        self, trial: Trial, i: int, oracle: str, check: str, word: str, figures: Figures | None = None, note: str = ""
    ) -> None:
        """Write a verdict down."""
        f = figures or Figures()
        name, label = trial.sample.names[i], trial.sample.label
        self.verdicts.append(Verdict(name, oracle, check, label, word, f.error, f.bound, f.resolution, f.ulps, note))

    def failed(self, trial: Trial, i: int) -> bool:
        """Whether something was refused at this trial for this input."""
        return any(f.trial is trial and f.position in (i, None) for f in self.failures)

    # ---- how large the gradients of this check are ------------------------------------------------------------------

    def learn(self, trial: Trial) -> None:
        """The typical entry of each gradient, and the reach of each argument, from regular points."""
        if trial.sample.kind not in REGULAR:
            return
        for name, size in trial.reaches:
            self.reach[name] = max(self.reach.get(name, 0.0), size)
        for k, y in enumerate(trial.work.values):
            if y.size and is_float(y):
                self.grow(f"output {k}", median(np.abs(y)))
        truths = trial.truths
        for k, i in enumerate(trial.sample.wrt):
            name = trial.sample.names[i]
            for truth in truths.values():
                g = np.abs(truth.answer.gradients[k])
                self.grow(name, median(g[np.isfinite(g)]))
            if not truths and self.learned.get(name, 0) < TEACHERS:
                self.learned[name] = self.learned.get(name, 0) + 1
                v = directions(trial, i, trial.sample.rng(30), 1)[0]
                ray = slope(trial, {i: v}, refine=False)
                if np.isfinite(ray.bound) and v.any():
                    self.grow(name, abs(ray.value) / norm(v))
        if trial.sample.index == 0:
            self._learn_near(trial)

    def _learn_near(self, trial: Trial) -> None:
        """The typical entry at a point of the common size, where the check's own are far larger: planted ones are not.

        Of tanh at 1e6 the gradient is 0, and 1 - tanh(x)^2 at a planted 18 is still off by an eps of 1.
        """
        work, far = trial.work, {}
        inputs = list(work.sample.inputs)
        for i in work.sample.wrt:
            size = unit(inputs[i])
            if size > FAR:
                far[i] = inputs[i] = inputs[i] / np.asarray(inputs[i]).dtype.type(size)
        other = try_trial(self.subject, replace(work.sample, inputs=tuple(inputs))) if far else None
        if other is None or any(a.shape != b.shape for a, b in zip(other.values, work.values, strict=True)):
            return
        for i in far:
            v = directions(other, i, other.sample.rng(31), 1)[0]
            ray = slope(other, {i: v}, refine=False)
            if np.isfinite(ray.bound):
                self.near[other.sample.names[i]] = abs(ray.value) / norm(v)

    def grow(self, name: str, size: float) -> None:
        if np.isfinite(size):
            self.scales[name] = max(self.scales.get(name, 0.0), size)

    def scale(self, trial: Trial, i: int) -> float:
        """The check's typical gradient of one input, as `stretched`."""
        return self.stretched(trial, trial.sample.names[i])

    def stretched(self, trial: Trial, name: str, floor: bool = True) -> float:
        """The typical size, larger where the arguments reach further than they do at regular points.

        1 - tanh(x)^2 near saturation is off by an eps of 1, times whatever the chain rule multiplies it by.
        """
        scale = max(self.scales.get(name, 0.0), self._floor(trial, name) if floor else 0.0)
        if trial.sample.kind not in REGULAR:
            scale = max(scale, self.near.get(name, 0.0))
            for argument, size in trial.reaches:
                scale *= max(1.0, size / max(self.reach.get(argument, 0.0), 1.0))
        if trial.sample.kind in ("small", "swept") and name in trial.sample.names:
            # a difference quotient such as (cos x - sinc x) / x is off by eps / x
            x = np.abs(np.asarray(trial.sample.inputs[trial.sample.names.index(name)], np.float64))
            if (x > 0).any():
                scale *= max(1.0, max(self.reach.get(name, 0.0), 1.0) / float(x[x > 0].min()))
        return scale

    @staticmethod
    def _floor(trial: Trial, name: str) -> float:
        """Where every gradient vanishes, by saturation or a row of one entry: a slope as large as the outputs."""
        if name not in trial.sample.names:
            return 0.0
        sizes = dict(trial.reaches)
        return sizes.get("cotangent", 0.0) * min(trial.largest, 1.0) / max(sizes.get(name, 0.0), 1.0)

    def rounding(
        self, trial: Trial, i: int, got: Array, movement: Array | float, v: Array, dtype: np.dtype[Any]
    ) -> float:
        """What rounding alone may put between <g, v> and the truth: a random walk over the entries."""
        spread = norm((np.abs(got) + movement) * v)
        share = ROUNDINGS[name_of(dtype)] * spread + SCALE_ROUNDINGS[name_of(dtype)] * self.scale(trial, i) * norm(v)
        return eps(dtype) * share


def norm(v: Array) -> float:
    """The Euclidean norm of all entries, also where their squares overflow or vanish."""
    found = float(np.sqrt((np.asarray(v, np.float64) ** 2).sum()))
    if SQUARED[0] < found < SQUARED[1]:
        return found
    largest = float(np.max(np.abs(np.asarray(v, np.float64)), initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(((np.asarray(v, np.float64) / largest) ** 2).sum()))


def typical(values: Array, scale: float = 0.0) -> float:
    """The median size of the entries that are not zero, no less than a thousandth of the scale."""
    sizes = np.abs(np.asarray(values, np.float64))
    sizes = sizes[sizes > 0]
    return max(median(sizes), 1e-3 * scale, 1e-300)


def median(values: Array) -> float:
    """The upper median, 0 of nothing: NumPy's own takes ten times as long on a few entries."""
    flat = values.reshape(-1)
    return float(np.partition(flat, flat.size // 2)[flat.size // 2]) if flat.size else 0.0


def usable(g: Array | None, trial: Trial, i: int) -> bool:
    """Whether a gradient has its input's shape, and holds numbers only."""
    return (
        g is not None
        and g.shape == np.shape(trial.sample.inputs[i])
        and bool(np.isfinite(np.asarray(g, np.float64)).all())
    )


def part(trial: Trial, i: int) -> slice:
    """Where one input's entries lie among those of all differentiated inputs."""
    sizes = [int(np.size(trial.sample.inputs[k])) for k in trial.sample.wrt]
    start = sum(sizes[: trial.sample.wrt.index(i)])
    return slice(start, start + int(np.size(trial.sample.inputs[i])))
