"""The checks against one mutant: the judge's first refusal, or the news that there is none.

The screen is the check itself, stopped at its first refusal. It draws the same samples from the same declaration and
hands each to the same `judge.examine`, with the same tolerances, scales and order; no sample is left out and no bound
is another. One thing is recalled instead of asked again: what PyTorch and JAX say at a sample. They are given the
reference's forward, the sample and the cotangent, and none of these depends on the mutated file: the cotangent is drawn
by the sample's own generator for the shape of the output. Where a mutated forward gives another shape or dtype, that
alone is refused, as by a check ("the forward returns another shape than the reference").

So a kill by the screen is the judge's own word. What it does not kill is checked once more from the start, nothing
recalled: first in float32, where a gradient of the wrong dtype shows, then in float64. A rule that is refused in
float32 as it stands is held to float64 alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from gradproof.calling.subject import Subject, outputs
from gradproof.checking import check
from gradproof.equation import Equation
from gradproof.errors import InputError
from gradproof.judging import forwards
from gradproof.judging.bench import Bench, Settings
from gradproof.judging.judge import bench_for, examine, prepare
from gradproof.judging.trial import Trial, Truth, try_trial
from gradproof.oracles.autodiff import Autodiff
from gradproof.sampling.declared import Declared
from gradproof.sampling.sample import Sample
from gradproof.verdict import REFUSED, Result

# how often a sample is drawn anew where a forward is not finite: as in a check
ATTEMPTS = 4
SAME = "the same numbers"
# the oracles that cost little at a sample whose references are known
QUICK = ("contract", "torch", "jax", "ball", "kink")


@dataclass(frozen=True)
class Kill:
    """What refused a mutant: oracle and check, the sample, the gradient, and what was said."""

    oracle: str
    check: str
    sample: str
    input: str = ""
    note: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        words = f"{self.oracle} ({self.check})" if self.check != self.oracle else self.oracle
        at = f" on {self.sample}" if self.sample else ""
        return f"{words}{at}{': ' + self.note if self.note else ''}"


@dataclass
class _Known:
    """A trial of the right rule: its sample, the form of its output, what the frameworks said, and its own numbers."""

    sample: Sample
    form: Any
    truths: dict[str, Truth]
    numbers: dict[str, Any] = field(default_factory=dict)


class Judged:
    """One declaration, right as it stands, with what its mutants are held against.

    Raises InputError where the declaration as it stands is refused: then no mutant can be told from it.
    """

    def __init__(
        self,
        equation: Equation,
        references: Mapping[str, Callable[..., Any]],
        *,
        seed: int = 0,
        examples: int = 20,
        dtype: Any = np.float64,
    ) -> None:
        self.equation, self.references, self.seed, self.examples = equation, dict(references), seed, examples
        self.dtype, self.subgradient = dtype, "any"
        with silent():
            self.autodiff, self.known = self._ask()
            kill = self.screen(equation)
            self.subgradient = self._choice()
        if kill is not None:
            raise InputError(
                f"{equation.name} is refused as it stands, by {kill}; put it right first: gradproof report "
                f"{equation.name}"
            )

    def _ask(self) -> tuple[dict[str, Autodiff], list[_Known]]:
        """The frameworks about every sample, once."""
        bench = self._bench(self.equation, None)
        source, trials = Declared(self.equation, self.seed, self.dtype), []
        for index in range(self.examples):
            drawn = (source.draw(index, attempt) for attempt in range(ATTEMPTS))
            tried = (try_trial(bench.subject, sample) for sample in drawn if sample is not None)
            trials += [trial for trial in tried if trial is not None][:1]
        empty = source.empty(self.examples) if self.examples >= 4 else None
        trial = None if empty is None else try_trial(bench.subject, empty)
        trials = prepare(bench, trials if trial is None else [*trials, trial])
        self.scales, self.reach = bench.scales, bench.reach
        return bench.autodiff, [_Known(t.sample, _form(t), t.truths) for t in trials]

    def _choice(self) -> str:
        """The framework whose choices at kinks the rule as it stands always makes: a mutant is held to them.

        Another valid subgradient than the one that the declaration names is a fault, of a comparison mostly.
        """
        if not self.equation.kinks:
            return "any"
        for framework in self.autodiff:
            self.subgradient = framework
            if self.screen(self.equation) is None:
                return framework
        return "any"

    def screen(self, mutant: Equation) -> Kill | None:
        """The judge's first refusal of a mutated declaration, or None: without differences first, where most fall."""
        return self._held(mutant, QUICK) or self._held(mutant)

    def _held(self, mutant: Equation, oracles: Collection[str] | None = None) -> Kill | None:
        """The first refusal by some of the oracles (None: by all); at the first sample before the others are tried."""
        bench = self._bench(mutant, self.autodiff, oracles)
        trials: list[Trial] = []
        dropped: list[Sample] = []
        for known in self.known:
            trial = try_trial(bench.subject, known.sample)
            if trial is None:
                dropped.append(known.sample)
                continue
            if _form(trial) != known.form:
                return Kill("value", "shape", known.sample.label, note=_said(trial, known.form))
            trial.truths = known.truths
            bench.learn(trial)
            trials.append(trial)
            if len(trials) == 1:
                examine(bench, trial)
                if _refusal(bench):
                    break
        else:
            forwards.judge(bench, trials, dropped[:1])
        for trial in trials[1:]:
            if _refusal(bench):
                break
            examine(bench, trial)
        return _refusal(bench)

    def marked(self, mutant: Equation) -> Kill | None:
        """`screen` for a mutant that is marked as no fault: the contract alone, at two samples, for the same numbers.

        What the judge says of a value, a gradient or a plain form follows from its numbers; the points of the contract
        that do not (shared memory, changed arguments, layouts, state) are asked.
        """
        if not self.nearest(mutant)[1].startswith(SAME):
            return self.screen(mutant)
        bench = self._bench(mutant, self.autodiff, oracles=("contract",))
        for known in self.known[:2]:
            trial = Trial(bench.subject, known.sample)
            trial.truths = known.truths
            bench.learn(trial)
            examine(bench, trial)
        return _refusal(bench)

    def whole(self, mutant: Equation) -> Kill | None:
        """In float32, where most that is left falls, the screen and a whole check, nothing recalled; then float64."""
        narrow = self.narrow
        kill = None if narrow is None else narrow.screen(mutant)
        if kill is not None:
            return _in_float32(kill)
        for dtype in (np.float64,) if narrow is None else (np.float32, np.float64):
            try:
                result = check(
                    mutant,
                    seed=self.seed,
                    examples=self.examples,
                    references=self.references,
                    dtype=dtype,
                    subgradient=self.subgradient,
                    explain=False,
                )
            except InputError as error:
                return Kill("check", "input", "", note=str(error))
            kill = _first(result)
            if kill is not None:
                return kill if dtype == np.float64 else _in_float32(kill)
        return None

    @cached_property
    def narrow(self) -> Judged | None:
        """The same in float32; None where the rule as it stands is refused in it, and no mutant can be told from it."""
        try:
            return Judged(self.equation, self.references, seed=self.seed, examples=self.examples, dtype=np.float32)
        except InputError:
            return None

    def nearest(self, mutant: Equation) -> tuple[str, str]:
        """The sample on which a survivor's numbers are furthest from the right ones, and by how much."""
        worst, label, what = 0.0, "", ""
        for known in self.known:
            try:
                known.numbers = known.numbers or self._numbers(self.equation, known.sample)
                right, mine = known.numbers, self._numbers(mutant, known.sample)
            except Exception:  # dropped, or the rule raises: some other sample has to tell
                return known.sample.label, "raises there, and no oracle has an opinion"
            for name, expected in right.items():
                with np.errstate(all="ignore"):
                    off = np.abs(np.asarray(mine[name]) - np.asarray(expected))
                    size = float(np.max(np.abs(expected), initial=0.0)) or 1.0
                    share = float(np.max(np.nan_to_num(off), initial=0.0)) / size
                if share > worst:
                    worst, label, what = share, known.sample.label, name
        if not label:
            return "", f"{SAME} on all {len(self.known)} samples"
        return label, f"{what} is {worst:.0e} of its largest entry away there, which the judge allows"

    def _numbers(self, equation: Equation, sample: Sample) -> dict[str, Any]:
        subject = self._bench(equation, self.autodiff).subject
        trial = Trial(subject, sample)
        gradients = {f"d/d{sample.names[i]}": g for i, g in trial.pull().items() if g is not None}
        plain = () if subject.plain is None else outputs(subject.plain(*trial.inputs(), **sample.static))[0]
        numbers = {f"output {k}": y for k, y in enumerate(trial.values)}
        return {**numbers, **{f"plain output {k}": y for k, y in enumerate(plain)}, **gradients}

    def _bench(
        self, equation: Equation, autodiff: dict[str, Autodiff] | None, oracles: Collection[str] | None = None
    ) -> Bench:
        subject = Subject(
            equation.name, equation.forward, equation.vjp, self.references, equation.plain, equation.kinks
        )
        subject.rule = partial(_rule, equation)
        asked = None if oracles is None else frozenset(oracles)
        settings = Settings(strict=True, subgradient=self.subgradient, oracles=asked, judge_value=True)
        if autodiff is None:
            return bench_for(subject, settings)
        return Bench(subject, settings, autodiff, scales=dict(self.scales), reach=dict(self.reach))


def _rule(equation: Equation, cotangent: Any, *inputs: Any, **static: Any) -> Any:
    """As a check calls it: the forward first, then the backward."""
    return equation.backward(cotangent, equation.forward(*inputs, **static), *inputs, **static)


def _form(trial: Trial) -> Any:
    return trial.packing[1], tuple((y.shape, y.dtype.name) for y in trial.values)


def _said(trial: Trial, form: Any) -> str:
    mine = ", ".join(f"{y.shape} {y.dtype}" for y in trial.values)
    return f"the forward returns {mine}, should return {', '.join(f'{shape} {dtype}' for shape, dtype in form[1])}"


def _refusal(bench: Bench) -> Kill | None:
    found = next((v for v in bench.verdicts if v.word in REFUSED), None)
    if found is not None:
        return Kill(found.oracle, found.check, found.sample, found.input, found.note)
    if bench.failures:
        failure = bench.failures[0]
        return Kill(failure.oracle, failure.check, failure.trial.sample.label, note=failure.note)
    return None


def _in_float32(kill: Kill) -> Kill:
    return replace(kill, note=f"in float32: {kill.note}".rstrip(": "))


def _first(result: Result) -> Kill | None:
    """Why a result is no pass: the first refusal, or a gradient that nothing settled."""
    found = next((v for v in result.verdicts if v.word in REFUSED), None)
    if found is not None:
        return Kill(found.oracle, found.check, found.sample, found.input, found.note)
    return None if result.ok else Kill("check", result.word, "", note="some gradient is settled on no sample")


class silent(warnings.catch_warnings):
    """As in a check: what NumPy warns of at planted points is judged by its outcome."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
        self._errors = np.errstate(all="ignore")
        self._errors.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self._errors.__exit__(*raised)
        super().__exit__(*raised)
