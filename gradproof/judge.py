"""The judge: holds a rule's gradients against every oracle at a sample, and says a word for each.

Order at a sample: the contract; then autodiff where there is a reference; then differences along random directions (and
the complex step, extended precision or balls, where they are finer). A mismatch is not yet a verdict: one-sided slopes
and the gradients around the point tell a wrong value from another valid choice at a kink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gradproof.errors import InputError
from gradproof.oracles import ball, kink
from gradproof.oracles.autodiff import Answer, Autodiff, Point
from gradproof.oracles.contract import Breach, Contract
from gradproof.sample import is_float
from gradproof.slope import Slope, directions, level_directions, slope, unit
from gradproof.subject import Array, Fault, Gradients, Subject
from gradproof.tolerance import JUMP, RESOLVED, ROUNDINGS, SCALE_ROUNDINGS, allowed, eps, largest, name_of
from gradproof.trial import Trial, try_trial
from gradproof.verdict import Verdict

# balls cost about a microsecond an operation: they are tried on small points, within this many operations
MOST_FOR_BALLS = 120
BALL_BUDGET = 5e4
# a narrow rule that moves by more than this share of its largest entry has jumped to another branch
GRAIN_JUMP = 0.1
REGULAR = ("given", "random", "drawn")
FRAMEWORKS = {"torch": "PyTorch's", "jax": "JAX's"}


@dataclass(frozen=True)
class Failure:
    """A refusal, with what the explanation needs: where it was, what was got and what should be."""

    trial: Trial
    position: int | None
    oracle: str
    check: str
    note: str
    got: Array | None = None
    expected: Array | None = None
    direction: Array | None = None
    slope: Slope | None = None
    error: float = float("nan")
    bound: float = float("nan")


@dataclass
class Settings:
    """What the caller asked for."""

    strict: bool = False
    subgradient: str = "any"
    oracles: frozenset[str] | None = None
    judge_value: bool = False

    def wants(self, oracle: str) -> bool:
        return self.oracles is None or oracle in self.oracles


@dataclass
class Truth:
    """What one framework says at a trial's point: the answer, how far it moves, how far it is off in the rule's dtype."""

    answer: Answer
    movement: dict[int, Array]
    value_movement: tuple[Array, ...]
    deviation: dict[int, Array]
    confirmed: bool


@dataclass
class Judge:
    """Judges trial after trial, and remembers the typical size of each input's gradient."""

    subject: Subject
    settings: Settings
    autodiff: dict[str, Autodiff] = field(default_factory=dict)
    scales: dict[str, float] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    reach: dict[str, float] = field(default_factory=dict)
    truths: dict[int, dict[str, Truth]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    passed: list[tuple[Trial, int]] = field(default_factory=list)
    balls: int = 0
    seen: int = 0

    def __post_init__(self) -> None:
        wanted = {k: f for k, f in self.subject.references.items() if f is not None and self.settings.wants(k)}
        self.autodiff = {k: Autodiff(k, f) for k, f in wanted.items()}

    # ---- references -------------------------------------------------------------------------------------------------

    def prepare(self, trials: Sequence[Trial]) -> None:
        """Ask every framework about all trials at once, and learn the gradient's scale from the regular ones."""
        groups: dict[Any, list[Trial]] = {}
        for trial in trials:
            groups.setdefault((trial.sample.wrt, repr(sorted(trial.sample.static.items()))), []).append(trial)
        for oracle in self.autodiff.values():
            for group in groups.values():
                self._ask(oracle, group)
        for trial in trials:
            self._learn(trial)

    def _ask(self, oracle: Autodiff, group: list[Trial]) -> None:
        wrt, static = group[0].sample.wrt, group[0].sample.static
        points: list[Point] = []
        spans: list[tuple[Trial, int]] = []
        for trial in group:
            work = trial.work
            start = len(points)
            points.append(_point(work))
            points += [_nudged(work, k) for k in range(2)]
            if trial.narrow and work is not trial:
                points.append(_point(trial))
            spans.append((trial, start))
        answers = oracle.ask(points, wrt, static)
        for trial, start in spans:
            base, moved = answers[start], answers[start + 1 : start + 3]
            self._fits(oracle.framework, trial.work, base)
            movement = {i: _movement(base.gradients[k], [m.gradients[k] for m in moved]) for k, i in enumerate(wrt)}
            value_movement = tuple(
                _movement(base.values[k], [m.values[k] for m in moved]) for k in range(len(base.values))
            )
            deviation = {}
            if trial.narrow and trial.work is not trial:
                low = answers[start + 3]
                deviation = {
                    i: np.abs(np.asarray(low.gradients[k], np.float64) - base.gradients[k]) for k, i in enumerate(wrt)
                }
            confirmed = base.confirmed(points[start].tangents)
            self.truths.setdefault(id(trial), {})[oracle.framework] = Truth(
                base, movement, value_movement, deviation, confirmed
            )

    def _fits(self, framework: str, trial: Trial, answer: Answer) -> None:
        if len(answer.values) != len(trial.values):
            raise InputError(
                f"the {framework} forward returns {len(answer.values)} outputs, the forward {len(trial.values)}; give the same forward"
            )
        for mine, theirs in zip(trial.values, answer.values, strict=True):
            if mine.shape != theirs.shape:
                raise InputError(
                    f"the {framework} forward returns shape {theirs.shape}, the forward {mine.shape}; give the same forward"
                )
            if self.settings.judge_value or not is_float(mine):
                continue
            scale = float(np.max(np.abs(mine), initial=1e-300))
            with np.errstate(invalid="ignore"):
                off = np.abs(mine - theirs) > 1e-5 * np.maximum(np.abs(mine), 1e-2 * scale)
            if (off & np.isfinite(theirs)).any():
                index = tuple(int(n) for n in np.argwhere(off)[0])
                raise InputError(
                    f"the {framework} forward is another function: at {list(index)} of sample {trial.sample.label} it gives {float(theirs[index])!r}, "
                    f"the forward {float(mine[index])!r}; give the same forward"
                )

    def _learn(self, trial: Trial) -> None:
        """The typical entry of each gradient, and the reach of each argument, from points that no hard value was planted in."""
        if trial.sample.kind not in REGULAR:
            return
        for name, size in _reaches(trial):
            self.reach[name] = max(self.reach.get(name, 0.0), size)
        for k, y in enumerate(trial.work.values):
            if y.size and is_float(y):
                self._grow(f"output {k}", float(np.median(np.abs(y))))
        truths = self.truths.get(id(trial), {})
        for k, i in enumerate(trial.sample.wrt):
            name = trial.sample.names[i]
            for truth in truths.values():
                g = np.abs(truth.answer.gradients[k])
                self._grow(name, float(np.median(g[np.isfinite(g)])) if np.isfinite(g).any() else 0.0)
            if not truths and self.learned.get(name, 0) < 2:
                self.learned[name] = self.learned.get(name, 0) + 1
                for v in directions(trial, i, trial.sample.rng(30), 1):
                    ray = slope(trial, {i: v}, refine=False)
                    if np.isfinite(ray.bound) and v.any():
                        self._grow(name, abs(ray.value) / float(np.sqrt((v**2).sum())))

    def _scale(self, trial: Trial, i: int) -> float:
        """The check's typical gradient, larger where the arguments reach further than they do at regular points.

        1 - tanh(x)^2 near saturation is off by an eps of 1, times whatever the chain rule multiplies it by.
        """
        return self._stretched(trial, trial.sample.names[i])

    def _stretched(self, trial: Trial, name: str) -> float:
        scale = self.scales.get(name, 0.0)
        if trial.sample.kind in REGULAR:
            return scale
        for argument, size in _reaches(trial):
            scale *= max(1.0, size / max(self.reach.get(argument, 0.0), 1.0))
        return scale

    def _grow(self, name: str, size: float) -> None:
        if np.isfinite(size):
            self.scales[name] = max(self.scales.get(name, 0.0), size)

    # ---- one trial --------------------------------------------------------------------------------------------------

    def examine(self, trial: Trial) -> None:
        """All verdicts on one sample."""
        sample, settings = trial.sample, self.settings
        self.seen += 1
        scales = {i: self._scale(trial, i) for i in sample.wrt}
        contract = Contract(trial, settings.strict, scales)
        try:
            breaches = contract.first()
        except Fault as fault:
            if sample.kind not in REGULAR and _singular(fault):
                # a planted point may be singular for the rule's linear algebra alone: said, not blamed
                self.subject.warn(f"at sample {sample.label} {fault}: a singular matrix")
                return
            for i in sample.wrt:
                self._say(trial, i, "contract", fault.check, "error", note=str(fault))
            self.failures.append(Failure(trial, None, "contract", fault.check, str(fault)))
            return
        g = contract.gradients
        if self.settings.judge_value:
            self._values(trial)
        ready = self._present(trial, g, breaches)
        if settings.wants("contract"):
            breaches += self._contract(contract)
        broken = self._breaches(trial, breaches)
        before = len(self.failures)
        for i in ready:
            self._gradient(trial, i, g, broken)
        if (
            len(self.failures) == before
            and len(ready) == len(sample.wrt)
            and settings.wants("kink")
            and trial.sample.kind not in REGULAR
        ):
            self._level(trial, g)
        if len(self.failures) == before and self.seen <= 3:
            self.beside(trial, "turned")

    def _contract(self, contract: Contract) -> list[Breach]:
        breaches: list[Breach] = []
        try:
            if self.seen <= 8 or contract.trial.sample.shape_kind != "given":
                breaches += contract.linear()
            if self.seen <= 6:
                breaches += contract.state()
            if self.seen <= 4 or contract.trial.sample.shape_kind in ("ones", "square"):
                breaches += contract.layout()
        except Fault as fault:
            breaches.append(Breach(fault.check, None, f"a further call: {fault}"))
        return breaches

    def _present(self, trial: Trial, g: Gradients, breaches: list[Breach]) -> list[int]:
        """The inputs whose gradient can be compared with the truth; says `missing` of the others."""
        shaped = {b.position for b in breaches if b.check == "shape"}
        ready = []
        for i in trial.sample.wrt:
            if g[i] is None:
                name = trial.sample.names[i]
                note = f"no gradient for {name!r}; return one, or pass constant={name!r} if it has none"
                self._say(trial, i, "contract", "missing", "missing", note=note)
                self.failures.append(Failure(trial, i, "contract", "missing", note))
            elif i not in shaped:
                ready.append(i)
        return ready

    def _breaches(self, trial: Trial, breaches: list[Breach]) -> set[int | None]:
        broken: set[int | None] = set()
        for breach in breaches:
            if breach.check == "aliased" and not self.settings.strict:
                self.subject.warn(
                    f"{breach.note}; a caller that updates one in place changes the other (wrong with strict=True)"
                )
                continue
            broken.add(breach.position)
            error = _largest_difference(breach.got, breach.expected)
            for i in trial.sample.wrt if breach.position is None else (breach.position,):
                self._say(
                    trial,
                    i,
                    "contract",
                    breach.check,
                    "error" if breach.check in ("raises", "count", "type") else "differs",
                    error,
                    note=breach.note,
                )
            self.failures.append(
                Failure(
                    trial,
                    breach.position,
                    "contract",
                    breach.check,
                    breach.note,
                    breach.got,
                    breach.expected,
                    error=error,
                )
            )
        for i in trial.sample.wrt:
            if i not in broken and None not in broken and self.settings.wants("contract"):
                self._say(trial, i, "contract", "contract", "agrees")
        return broken

    def _say(
        self,
        trial: Trial,
        i: int,
        oracle: str,
        check: str,
        word: str,
        error: float = 0.0,
        bound: float = 0.0,
        resolution: float = np.inf,
        ulps: float = 0.0,
        note: str = "",
    ) -> None:
        self.verdicts.append(
            Verdict(
                trial.sample.names[i],
                oracle,
                check,
                trial.sample.label,
                word,
                float(error),
                float(bound),
                float(resolution),
                float(ulps),
                note,
            )
        )

    def _values(self, trial: Trial) -> None:
        """The forward value against each framework's."""
        for framework, truth in self.truths.get(id(trial), {}).items():
            for k, (mine, theirs) in enumerate(zip(trial.work.values, truth.answer.values, strict=True)):
                scale = max(float(np.max(np.abs(theirs), initial=0.0)), self._stretched(trial, f"output {k}"))
                bound = allowed(np.asarray(theirs, np.float64), truth.value_movement[k], scale, mine.dtype)
                error = np.abs(mine - theirs)
                wrong = ~(error <= bound)
                unit = eps(mine.dtype) * max(scale, 1e-300)
                worst = float(np.max(error, initial=0.0))
                word = "differs" if wrong.any() else "agrees"
                self.verdicts.append(
                    Verdict(
                        f"output {k}" if len(trial.values) > 1 else "output",
                        framework,
                        "value",
                        trial.sample.label,
                        word,
                        worst,
                        float(np.max(bound, initial=0.0)),
                        float(np.max(bound, initial=0.0)) / max(scale, 1e-300),
                        worst / unit,
                    )
                )
                if wrong.any():
                    note = f"the forward value differs from {framework}'s"
                    self.failures.append(
                        Failure(trial, None, framework, "value", note, mine, np.asarray(theirs), error=worst)
                    )

    # ---- one gradient -----------------------------------------------------------------------------------------------

    def _gradient(self, trial: Trial, i: int, gradients: Gradients, broken: set[int | None]) -> None:
        g = gradients[i]
        assert g is not None
        if g.size == 0:
            self._say(trial, i, "contract", "shape", "agrees", resolution=0.0)
            return
        got = np.asarray(g, np.float64) if name_of(g.dtype) != "longdouble" else g
        if not np.isfinite(got).all():
            self._nonfinite(trial, i, got)
            return
        truths = self.truths.get(id(trial), {})
        settled = failed = False
        for framework, truth in truths.items():
            word = self._against(trial, i, got, g.dtype, framework, truth, gradients)
            settled |= word in ("agrees", "subgradient")
            failed |= word == "differs"
        if failed:
            return
        # with a reference every entry has been seen; directions then only confirm the reference, on the first samples
        count = 2 if not truths else (1 if self.seen <= 4 else 0)
        if self.settings.wants("differences") and count:
            settled |= self._along(trial, i, got, g.dtype, gradients, count, quiet=settled)
        if not settled and not truths and not self._last_failed(trial, i):
            self._say(
                trial,
                i,
                "differences",
                "vjp",
                "undecided",
                note="no oracle resolves the gradient here; a torch= or jax= reference would",
            )
        if settled and not self._last_failed(trial, i):
            self.passed.append((trial, i))

    def _last_failed(self, trial: Trial, i: int) -> bool:
        return bool(self.failures) and any(f.trial is trial and f.position in (i, None) for f in self.failures[-4:])

    def _against(
        self,
        trial: Trial,
        i: int,
        got: Array,
        dtype: np.dtype[Any],
        framework: str,
        truth: Truth,
        gradients: Gradients,
    ) -> str:
        """Entry by entry against one framework's gradient."""
        k = trial.sample.wrt.index(i)
        expected = np.asarray(truth.answer.gradients[k], np.float64)
        scale = self._scale(trial, i)
        bound = allowed(expected, truth.movement[i], scale, dtype, truth.deviation.get(i, 0.0))
        known = np.isfinite(expected) & (np.abs(expected) <= largest(dtype))
        error = np.where(known, np.abs(got - np.where(known, expected, 0)), 0.0)
        wrong = known & ~(error <= bound)
        if wrong.any() and trial.narrow:
            bound = bound + self._grain(trial, i, got)
            wrong = known & ~(error <= bound)
        worst = int(np.argmax(np.where(wrong, error / bound, -1)) if wrong.any() else np.argmax(error))
        typical = _typical(expected[known], scale)
        figures = {
            "error": float(error.reshape(-1)[worst]),
            "bound": float(bound.reshape(-1)[worst]),
            "resolution": float(np.median(bound)) / typical,
            "ulps": float(error.max())
            / (eps(dtype) * max(float(np.max(np.abs(expected[known]), initial=0.0)), scale, 1e-300)),
        }
        if not known.any():
            self._say(
                trial,
                i,
                framework,
                "vjp",
                "undecided",
                note=f"{FRAMEWORKS[framework]} gradient is not finite here",
            )
            return "undecided"
        if not wrong.any():
            self._say(trial, i, framework, "vjp", "agrees", **figures)
            return "agrees"
        word, note = self._adjudicate(trial, i, got, expected, wrong, gradients, framework, truth)
        if word == "differs":
            self.failures.append(
                Failure(
                    trial,
                    i,
                    framework,
                    "vjp",
                    note,
                    got,
                    np.where(known, expected, got),
                    error=figures["error"],
                    bound=figures["bound"],
                )
            )
        self._say(trial, i, framework, "vjp", word, **figures, note=note)
        return word

    def _adjudicate(
        self,
        trial: Trial,
        i: int,
        got: Array,
        expected: Array,
        wrong: Array,
        gradients: Gradients,
        framework: str,
        truth: Truth,
    ) -> tuple[str, str]:
        """A gradient that is not the framework's: wrong, another choice at a kink, or the framework's own slip."""
        rng = trial.sample.rng(11)
        v = directions(trial, i, rng, 1)[0] * wrong
        ray = slope(trial, {i: v}, refine=False)
        if self._smooth(ray):
            mine, theirs = float((got * v).sum()), float((expected * v).sum())
            room = ray.bound + 64 * eps(np.asarray(gradients[i]).dtype) * (
                np.abs(got * v).sum() + np.abs(expected * v).sum()
            )
            if abs(mine - ray.value) <= room < abs(theirs - ray.value) and ray.bound < 0.1 * abs(mine - theirs):
                return (
                    "undecided",
                    f"{FRAMEWORKS[framework]} gradient is not the derivative here, yours is: finite differences side with it",
                )
            if abs(mine - ray.value) > room and ray.bound < 0.3 * abs(mine - theirs):
                chosen = self._framework_choice(trial, i, got)
                if chosen and self._near_kink(trial):
                    return (
                        "subgradient",
                        f"{chosen} choice: it follows from valid choices inside, but is no Clarke subgradient of the whole",
                    )
                return "differs", ""
        if self._proved(trial, i, v, got, expected):
            return (
                "undecided",
                f"{FRAMEWORKS[framework]} gradient is further from the proved derivative than yours",
            )
        hull = self._hull(trial)
        if hull is None or not hull.kinked.any():
            if not truth.confirmed:
                return (
                    "undecided",
                    f"{FRAMEWORKS[framework]} reverse and forward mode disagree with each other here: neither is truth alone",
                )
            return "differs", ""
        return self._at_kink(trial, i, hull, gradients)

    def _proved(self, trial: Trial, i: int, v: Array, got: Array, expected: Array) -> bool:
        """Whether balls enclose the slope of the wrong entries, and side with the rule to rounding: frameworks cancel too."""
        found = self._enclosed(trial, i, v)
        if found is None or found.kink:
            return False
        mine, theirs = float((got * v).sum()), float((expected * v).sum())
        room = found.radius + 64 * eps(np.asarray(trial.sample.inputs[i]).dtype) * float(np.abs(got * v).sum())
        return abs(mine - found.mid) <= room and abs(mine - found.mid) < 0.5 * abs(theirs - found.mid)

    def _enclosed(self, trial: Trial, i: int, v: Array) -> ball.Enclosure | None:
        """The proved slope along v, where the point is small and the forward runs on balls."""
        work = trial.work
        size = sum(int(np.size(x)) for x in work.sample.inputs if is_float(x))
        if self.balls < 0 or not self.settings.wants("ball") or size > MOST_FOR_BALLS or not ball.availability():
            return None
        forward = partial(self.subject.plain or self.subject.forward, **trial.sample.static)
        tangents = [v if k == i else None for k in range(len(work.sample.inputs))]
        u = tuple(work.cotangents) if trial.packing[1] else work.cotangents[0]
        try:
            found = ball.enclose(forward, work.sample.inputs, tangents, u, budget=BALL_BUDGET)
        except InputError:
            found = None
        if found is None:
            # two refusals in a row: this forward does not run on balls
            self.balls = -1 if self.balls == 1 else 1
        else:
            self.balls = 0
        return found

    def _smooth(self, ray: Slope) -> bool:
        return bool(np.isfinite(ray.bound) and not ray.kinked)

    def _near_kink(self, trial: Trial) -> bool:
        hull = self._hull(trial)
        return hull is not None and bool(hull.kinked.any())

    def _at_kink(self, trial: Trial, i: int, hull: kink.Hull, gradients: Gradients) -> tuple[str, str]:
        g = np.asarray(gradients[i], np.float64)
        chosen = self._framework_choice(trial, i, g)
        if not self._valid(trial, i, hull, gradients):
            hull = self._hull(trial, thorough=True) or hull
            if not self._valid(trial, i, hull, gradients):
                if chosen:
                    return (
                        "subgradient",
                        f"{chosen} choice: it follows from valid choices inside, but is no Clarke subgradient of the whole",
                    )
                return "differs", "at a kink, outside the valid subgradients"
        asked = self.settings.subgradient
        if asked in FRAMEWORKS and not self._equals(trial, i, g, asked):
            return "differs", f"a valid subgradient, but not {FRAMEWORKS[asked]} choice, which was asked for"
        if chosen:
            return "subgradient", f"a kink: {chosen} choice"
        middle = hull.middle[_part(trial, i)].reshape(g.shape)
        close = np.allclose(
            g,
            middle,
            rtol=0,
            atol=max(kink.TOLERANCE, 16 * eps(np.asarray(gradients[i]).dtype)) * max(hull.size, 1e-300),
        )
        return "subgradient", f"a kink: {'the midpoint' if close else 'another'} of the valid choices"

    def _valid(self, trial: Trial, i: int, hull: kink.Hull, gradients: Gradients) -> bool:
        """Whether one input's gradient is a valid choice, alone and together with those of the other inputs.

        Where the joint choice is invalid and some input's is so alone, that input is to blame and not this one.
        """
        tolerance = max(kink.TOLERANCE, 16 * eps(np.asarray(gradients[i]).dtype))
        alone = {
            k: _usable(gradients.get(k), trial, k) and hull.distance_of(gradients[k], _part(trial, k)) <= tolerance
            for k in trial.sample.wrt
        }
        if not alone[i]:
            return False
        if not all(alone.values()) or not hull.kinked[_part(trial, i)].any():
            return True
        joined = np.concatenate([np.asarray(gradients[k], np.float64).reshape(-1) for k in trial.sample.wrt])
        return hull.holds(joined, tolerance=tolerance)

    def _equals(self, trial: Trial, i: int, g: Array, framework: str) -> bool:
        truth = self.truths.get(id(trial), {}).get(framework)
        if truth is None:
            return False
        theirs = np.asarray(truth.answer.gradients[trial.sample.wrt.index(i)], np.float64)
        width = np.asarray(trial.sample.inputs[i]).dtype
        return bool(
            (
                np.abs(g - theirs)
                <= 4 * allowed(theirs, truth.movement[i], self._scale(trial, i), width, truth.deviation.get(i, 0.0))
            ).all()
        )

    def _framework_choice(self, trial: Trial, i: int, g: Array) -> str:
        return next((FRAMEWORKS[f] for f in self.truths.get(id(trial), {}) if self._equals(trial, i, g, f)), "")

    def _hull(self, trial: Trial, thorough: bool = False) -> kink.Hull | None:
        key = "thorough hull" if thorough else "hull"
        if key not in trial.__dict__:
            work = trial.work
            points = [np.asarray(work.sample.inputs[i], np.float64) for i in trial.sample.wrt]
            pairs = kink.THOROUGH_PAIRS if thorough else kink.PAIRS
            trial.__dict__[key] = kink.gather(lambda p: self._gradient_at(work, p), points, trial.sample.rng(12), pairs)
        hull: kink.Hull | None = trial.__dict__[key]
        return hull

    def _gradient_at(self, work: Trial, points: Sequence[Array]) -> Array | None:
        """The joined gradient at a displaced point: a framework's, or else the rule's own, which is judged there elsewhere."""
        inputs = list(work.sample.inputs)
        for i, p in zip(work.sample.wrt, points, strict=True):
            x = inputs[i]
            inputs[i] = (
                p.astype(np.asarray(x).dtype) if isinstance(x, np.ndarray) else np.asarray(p, np.asarray(x).dtype)[()]
            )
        try:
            if self.autodiff:
                oracle = self.autodiff.get("torch") or next(iter(self.autodiff.values()))
                base = _point(work)
                answer = oracle.ask(
                    [Point(tuple(inputs), base.cotangents, base.packed, base.tangents)],
                    work.sample.wrt,
                    work.sample.static,
                )[0]
                return np.concatenate([np.asarray(g, np.float64).reshape(-1) for g in answer.gradients])
            found = work.pull(inputs=tuple(inputs))
        except (Fault, InputError):
            return None
        rows = [found[i] for i in work.sample.wrt]
        if any(r is None or r.shape != p.shape for r, p in zip(rows, points, strict=True)):
            return None
        return np.concatenate([np.asarray(r, np.float64).reshape(-1) for r in rows])

    # ---- without a reference ----------------------------------------------------------------------------------------

    def _along(
        self,
        trial: Trial,
        i: int,
        got: Array,
        dtype: np.dtype[Any],
        gradients: Gradients,
        count: int,
        quiet: bool,
    ) -> bool:
        """Along random directions against differences; True where some oracle settled the gradient here."""
        name = trial.sample.names[i]
        subject_of = self._shadow(trial, i, got, dtype)
        if subject_of is None:
            return False
        got, dtype = subject_of
        movement = self._movement(trial, i, got, dtype)
        settled = False
        if self.seen <= 2:
            settled = self._ball(trial, i, got, dtype, movement, quiet)
            if self._last_failed(trial, i):
                return False
        for v in directions(trial, i, trial.sample.rng(20 + i), count):
            ray = slope(trial, {i: v})
            mine = float((got.astype(np.float64) * v).sum())
            length = float(np.sqrt((v**2).sum()))
            if np.isfinite(ray.value) and np.isfinite(ray.bound) and trial.sample.kind in REGULAR:
                self._grow(name, abs(ray.value) / max(length, 1e-300))
            scale = self._scale(trial, i)
            spread = float(np.sqrt((((np.abs(got) + movement) * v) ** 2).sum()))
            room = (
                ray.bound
                + ROUNDINGS[name_of(dtype)] * eps(dtype) * spread
                + SCALE_ROUNDINGS[name_of(dtype)] * eps(dtype) * scale * length
            )
            error = abs(mine - ray.value)
            typical = max(_typical(got, scale) * _typical(v, 0.0), 1e-300)
            figures = {
                "error": error,
                "bound": room,
                "resolution": room / typical,
                "ulps": error / max(eps(dtype) * max(spread, scale * length), 1e-300),
            }
            resolved = np.isfinite(ray.bound) and ray.bound <= RESOLVED * max(
                spread, scale * length, abs(ray.value), 1e-300
            )
            if ray.kinked:
                if error <= 1e-9 * max(abs(mine), abs(ray.value)) and ray.bound == 0:
                    continue
                settled |= self._kinked(trial, i, gradients, figures)
            elif error <= room:
                if resolved or error == 0.0 == room:
                    self._say(trial, i, ray.oracle, "vjp", "agrees", **figures)
                    settled = True
            elif np.isfinite(room):
                if quiet and ray.bound > 1e-6 * max(spread, abs(ray.value)):
                    continue
                hull = self._hull(trial)
                if hull is not None and hull.kinked.any() and self._framework_choice(trial, i, got):
                    note = f"{self._framework_choice(trial, i, got)} choice: it follows from valid choices inside, but is no Clarke subgradient of the whole"
                    self._say(trial, i, "kink", "vjp", "subgradient", **figures, note=note)
                    settled = True
                    continue
                self._say(trial, i, ray.oracle, "vjp", "differs", **figures)
                self.failures.append(Failure(trial, i, ray.oracle, "vjp", "", got, None, v, ray, error, room))
                return False
        if not settled and not quiet and self.seen > 2:
            settled = self._ball(trial, i, got, dtype, movement, quiet)
        return settled

    def beside(self, trial: Trial, kind: str) -> None:
        """The rule at another point of the same shape: close `beside` a kink, or `turned`, called after this one."""
        if f"{kind} done" in trial.__dict__:
            return
        trial.__dict__[f"{kind} done"] = True
        rng = trial.sample.rng(14)
        inputs = list(trial.work.sample.inputs)
        for k, x in enumerate(inputs):
            if kind == "turned":
                inputs[k] = Contract(trial, False, {}).other(x)
            elif k in trial.sample.wrt:
                moved = np.asarray(x) + rng.choice([-1.0, 1.0], np.shape(x)) * rng.uniform(
                    0.5, 1, np.shape(x)
                ) * 2.0**-7 * unit(x)
                inputs[k] = (
                    np.asarray(moved, np.asarray(x).dtype)
                    if isinstance(x, np.ndarray)
                    else np.asarray(moved, np.asarray(x).dtype)[()]
                )
        other = try_trial(self.subject, replace(trial.work.sample, inputs=tuple(inputs), kind=kind))
        if other is None or any(a.shape != b.shape for a, b in zip(other.values, trial.values, strict=True)):
            return
        other.__dict__["cotangents"] = trial.work.cotangents
        before = len(self.failures)
        try:
            gradients = other.pull()
        except Fault:
            return
        for i in other.sample.wrt:
            g = gradients[i]
            if g is not None and g.shape == np.shape(inputs[i]) and g.size and np.isfinite(g).all():
                self._along(other, i, np.array(g), g.dtype, gradients, 1, quiet=True)
        if kind == "turned":
            note = "called after another point of the same shape, the rule gives a wrong gradient: it keeps state"
            self.failures[before:] = [replace(f, check="state", note=note) for f in self.failures[before:]]

    def _level(self, trial: Trial, gradients: Gradients) -> None:
        """Along the direction in which ties stay ties: a choice among equal values may not count one of them twice."""
        wrt = trial.sample.wrt
        if not all(_usable(gradients.get(i), trial, i) for i in wrt):
            return
        level = level_directions(trial, trial.sample.rng(15))
        if level is None:
            return
        grads = {i: np.asarray(gradients[i], np.float64) for i in wrt}
        if not all(np.isfinite(g).all() for g in grads.values()):
            return
        ray = slope(trial, level)
        mine = sum(float((grads[i] * level[i]).sum()) for i in wrt)
        widest = max((np.asarray(gradients[i]).dtype for i in wrt), key=eps)
        spread = float(np.sqrt(sum(((grads[i] * level[i]) ** 2).sum() for i in wrt)))
        length = float(np.sqrt(sum((self._scale(trial, i) ** 2) * (level[i] ** 2).sum() for i in wrt)))
        room = ray.bound + (ROUNDINGS[name_of(widest)] * spread + SCALE_ROUNDINGS[name_of(widest)] * length) * eps(
            widest
        )
        error = abs(mine - ray.value)
        if (
            ray.kinked
            or not np.isfinite(ray.bound)
            or ray.bound > RESOLVED * max(spread, length)
            or error <= max(room, 1e-6 * max(spread, length))
        ):
            return
        if all(self._framework_choice(trial, i, grads[i]) for i in wrt):
            return
        i = max(wrt, key=lambda k: int(np.size(level[k]) - np.unique(level[k]).size))
        note = "where equal entries move together the slope is another: a tie is counted more than once, or not at all"
        self._say(trial, i, "kink", "vjp", "differs", error, room, note=note)
        self.failures.append(Failure(trial, i, "kink", "vjp", note, grads[i], None, level[i], ray, error, room))

    def _ball(
        self, trial: Trial, i: int, got: Array, dtype: np.dtype[Any], movement: Array | float, quiet: bool
    ) -> bool:
        """Against a proved enclosure, where the forward runs on balls; True where it settled the gradient."""
        v = directions(trial, i, trial.sample.rng(16), 1)[0]
        found = self._enclosed(trial, i, v)
        if found is None or found.kink:
            return False
        mine = float((got.astype(np.float64) * v).sum())
        length = float(np.sqrt((v**2).sum()))
        scale = self._scale(trial, i)
        spread = float(np.sqrt((((np.abs(got) + movement) * v) ** 2).sum()))
        unit_ = eps(dtype)
        room = (
            found.radius
            + ROUNDINGS[name_of(dtype)] * unit_ * spread
            + SCALE_ROUNDINGS[name_of(dtype)] * unit_ * scale * length
            + 2.0**-1000
        )
        error = abs(mine - found.mid)
        typical = max(_typical(got, scale) * _typical(v, 0.0), 1e-300)
        figures = {
            "error": error,
            "bound": room,
            "resolution": room / typical,
            "ulps": error / max(unit_ * max(spread, 1e-300), 1e-300),
        }
        if error <= room:
            self._say(trial, i, "ball", "vjp", "agrees", **figures, note="proved at this point")
            return True
        self._say(trial, i, "ball", "vjp", "differs", **figures, note="proved at this point")
        ray = Slope(found.mid, found.radius, found.mid, found.radius, found.mid, found.radius, "ball")
        self.failures.append(Failure(trial, i, "ball", "vjp", "", got, None, v, ray, error, room))
        return False

    def _kinked(self, trial: Trial, i: int, gradients: Gradients, figures: dict[str, float]) -> bool:
        hull = self._hull(trial)
        if hull is None:
            return False
        if not self.autodiff:
            # the gradients around the point are the rule's own: they have to be right first
            self.beside(trial, "beside")
        word, note = self._at_kink(trial, i, hull, gradients)
        self._say(trial, i, "kink", "vjp", word, **figures, note=note)
        if word == "differs":
            g = np.asarray(gradients[i], np.float64)
            part = _part(trial, i)
            low, high = hull.low[part].reshape(g.shape), hull.high[part].reshape(g.shape)
            self.failures.append(
                Failure(
                    trial,
                    i,
                    "kink",
                    "vjp",
                    note,
                    g,
                    np.clip(g, low, high),
                    error=figures["error"],
                    bound=figures["bound"],
                )
            )
            return False
        return True

    def _shadow(self, trial: Trial, i: int, got: Array, dtype: np.dtype[Any]) -> tuple[Array, np.dtype[Any]] | None:
        """For a narrow rule that follows the dtype: its float64 self is held against the truth, and it against that."""
        work = trial.work
        if not trial.narrow or work is trial:
            return got, dtype
        if "shadow" not in trial.__dict__:
            try:
                trial.__dict__["shadow"] = work.pull()
            except Fault:
                trial.__dict__["shadow"] = {}
        wide = trial.__dict__["shadow"].get(i)
        if wide is None or wide.dtype != np.float64 or wide.shape != got.shape or not np.isfinite(wide).all():
            return got, dtype
        movement = self._movement(trial, i, wide, np.dtype(np.float64))
        bound = allowed(wide, movement, self._scale(trial, i), dtype, self._lost(trial) * (np.abs(wide) + movement))
        error = np.abs(got - wide)
        wrong = ~(error <= bound) & (np.abs(wide) <= largest(dtype))
        if wrong.any():
            bound = bound + self._grain(trial, i, got)
            wrong &= ~(error <= bound)
        if not wrong.any():
            return wide, np.dtype(np.float64)
        hull = self._hull(trial)
        if hull is not None and hull.kinked.any():
            return got, dtype
        worst = int(np.argmax(np.where(wrong, error / bound, -1)))
        figures = {"error": float(error.reshape(-1)[worst]), "bound": float(bound.reshape(-1)[worst])}
        note = f"in {dtype} the rule is further from its own float64 value than {dtype} explains"
        self._say(trial, i, "differences", "vjp", "differs", **figures, note=note)
        self.failures.append(Failure(trial, i, "differences", "vjp", note, got, wide, **figures))
        return None

    def _grain(self, trial: Trial, i: int, got: Array) -> Array:
        """How far a narrow rule moves, entry by entry, when its arguments move by an ulp of their dtype: its own rounding."""
        worst = np.zeros(got.shape)
        for k in range(4):
            point = _nudged(trial, 50 + k)
            try:
                moved = trial.pull([np.array(u) for u in point.cotangents], point.inputs)[i]
            except Fault:
                return worst
            if moved is not None and moved.shape == got.shape:
                step = np.abs(np.asarray(moved, np.float64) - got)
                worst = np.fmax(worst, np.where(step <= GRAIN_JUMP * np.max(np.abs(got), initial=0.0), step, 0.0))
        return 8 * worst

    def _lost(self, trial: Trial) -> float:
        """How far the forward itself is off in the narrow dtype, relative: a rule deserves the same."""
        worst = 0.0
        for low, high in zip(trial.values, trial.work.values, strict=True):
            if is_float(high) and high.size:
                scale = float(np.max(np.abs(high)))
                worst = max(worst, float(np.max(np.abs(np.asarray(low, np.float64) - high))) / max(scale, 1e-300))
        return worst

    def _movement(self, trial: Trial, i: int, got: Array, dtype: np.dtype[Any]) -> Array | float:
        """How far the rule itself moves, in units of eps, when its arguments move by a relative eps of float64."""
        work = trial.work
        if dtype != np.float64:
            return 0.0
        if "moves" not in work.__dict__:
            try:
                point = _nudged(work, 0)
                work.__dict__["moves"] = (
                    work.pull(),
                    work.pull([np.array(u) for u in point.cotangents], point.inputs),
                )
            except Fault:
                work.__dict__["moves"] = ({}, {})
        base, moved = (m.get(i) for m in work.__dict__["moves"])
        if base is None or moved is None or base.shape != moved.shape:
            return 0.0
        return _movement(np.asarray(base, np.float64), [np.asarray(moved, np.float64)])

    def _fits_wide(self, trial: Trial, i: int) -> bool:
        """Whether the same rule in float64 is finite: then the narrow range is to blame, at a point planted for a wider one."""
        if trial.work is trial:
            return False
        try:
            wide = trial.work.pull()[i]
        except Fault:
            return False
        return wide is not None and bool(np.isfinite(wide).all())

    def _nonfinite(self, trial: Trial, i: int, got: Array) -> None:
        """NaN or infinity where the derivative, or a subgradient, is a number that the dtype holds."""
        bad = ~np.isfinite(got)
        index = tuple(int(n) for n in np.argwhere(bad)[0])
        expected = None
        for truth in self.truths.get(id(trial), {}).values():
            theirs = np.asarray(truth.answer.gradients[trial.sample.wrt.index(i)], np.float64)
            if np.isfinite(theirs[bad]).any():
                index = tuple(int(n) for n in np.argwhere(bad & np.isfinite(theirs))[0])
                if abs(theirs[index]) <= largest(np.asarray(trial.sample.inputs[i]).dtype):
                    expected = theirs
                    break
        if expected is None or trial.sample.kind not in REGULAR:
            # a framework's finite number where the function jumps, as arctan2 does at the origin, is no derivative
            v = np.zeros(got.shape)
            v[index] = directions(trial, i, trial.sample.rng(13), 1)[0][index]
            ray = slope(trial, {i: v}, refine=False)
            # finite slopes on both sides: a derivative, or a kink that has subgradients
            sides = ((ray.right, ray.right_bound), (ray.left, ray.left_bound))
            finite_slopes = all(
                np.isfinite(s) and b <= RESOLVED * max(abs(s), self.scales.get(trial.sample.names[i], 0.0), 1e-6)
                for s, b in sides
            )
            if not finite_slopes or abs(ray.value / v[index]) >= largest(np.asarray(trial.sample.inputs[i]).dtype):
                expected = None
            elif expected is None and not self.truths.get(id(trial)):
                expected = np.where(bad, 0.0, got)
                expected[index] = ray.value / v[index]
        name = trial.sample.names[i]
        if expected is not None and trial.narrow and trial.sample.kind not in REGULAR and self._fits_wide(trial, i):
            self.subject.warn(
                f"at sample {trial.sample.label} the gradient of {name!r} overflows in {np.asarray(trial.sample.inputs[i]).dtype}, not in float64"
            )
            expected = None
        if expected is None:
            self._say(
                trial,
                i,
                "contract",
                "nonfinite",
                "undecided",
                note=f"the gradient of {name!r} is {got[index]} at {list(index)}, and no oracle has a finite derivative there",
            )
            return
        note = f"the gradient of {name!r} is {got[index]} at {list(index)}, where the derivative is finite"
        self._say(trial, i, "contract", "nonfinite", "differs", float("nan"), note=note)
        self.failures.append(Failure(trial, i, "contract", "nonfinite", note, got, expected))


def _singular(fault: Fault) -> bool:
    return isinstance(fault.__cause__, np.linalg.LinAlgError)


def _reaches(trial: Trial) -> list[tuple[str, float]]:
    """The largest size in each float argument, the cotangent included."""
    named = [(n, x) for n, x in zip(trial.sample.names, trial.sample.inputs, strict=True) if is_float(x) and np.size(x)]
    named += [("cotangent", u) for u in trial.cotangents if u.size]
    return [(name, float(np.max(np.abs(np.asarray(x, np.float64))))) for name, x in named]


def _usable(g: Array | None, trial: Trial, i: int) -> bool:
    return g is not None and g.shape == np.shape(trial.sample.inputs[i])


def _part(trial: Trial, i: int) -> slice:
    start = 0
    for k in trial.sample.wrt:
        size = int(np.size(trial.sample.inputs[k]))
        if k == i:
            return slice(start, start + size)
        start += size
    raise KeyError(i)


def _typical(values: Array, scale: float) -> float:
    sizes = np.abs(np.asarray(values, np.float64))
    sizes = sizes[sizes > 0]
    return max(float(np.median(sizes)) if sizes.size else 0.0, 1e-3 * scale, 1e-300)


def _largest_difference(a: Array | None, b: Array | None) -> float:
    if a is None or b is None or a.shape != b.shape or a.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))))


def _tangents(trial: Trial) -> tuple[Array, ...]:
    rng = trial.sample.rng(2)
    return tuple(
        np.asarray(rng.choice([-1.0, 1.0], np.shape(x)), np.asarray(x).dtype)
        for x in (trial.sample.inputs[i] for i in trial.sample.wrt)
    )


def _point(trial: Trial) -> Point:
    return Point(trial.inputs(), trial.cotangents, trial.packing[1], _tangents(trial))


def _nudged(trial: Trial, k: int) -> Point:
    """The point with every float moved by a relative eps of its dtype, up or down at random."""
    rng = trial.sample.rng(40 + k)

    def nudge(x: Any) -> Any:
        if not is_float(x):
            return np.array(x) if isinstance(x, np.ndarray) else x
        dtype = np.asarray(x).dtype
        moved = np.asarray(x).astype(np.float64) * (
            1 + rng.choice([-1.0, 1.0], np.shape(x)) * max(eps(dtype), 2.0**-52)
        )
        moved = np.asarray(moved).astype(dtype)
        return moved if isinstance(x, np.ndarray) else moved[()]

    return Point(
        tuple(nudge(x) for x in trial.sample.inputs),
        tuple(nudge(u) for u in trial.cotangents),
        trial.packing[1],
        _tangents(trial),
    )


def _movement(base: Array, moved: Sequence[Array]) -> Array:
    """The largest move in units of eps; a jump from one branch to another is no movement."""
    base = np.asarray(base, np.float64)
    worst = np.zeros(base.shape)
    with np.errstate(invalid="ignore"):
        for other in moved:
            step = np.abs(np.asarray(other, np.float64) - base)
            worst = np.maximum(worst, np.where(step <= JUMP * np.maximum(np.abs(base), np.abs(other)), step, 0.0))
    return np.nan_to_num(worst / 2.0**-52)
