"""The result, and the block a stranger can act on: what, by which oracle, where, is, should be, what it looks like."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from gradproof.explaining.causes import CAUSES, FROM_CONTRACT, causes
from gradproof.explaining.counterfactual import proved
from gradproof.explaining.evidence import Evidence
from gradproof.explaining.locate import Place, locate
from gradproof.explaining.replay import many, material, reproduce
from gradproof.explaining.shrink import shrink
from gradproof.judging.bench import REGULAR, Bench, Failure
from gradproof.verdict import REFUSED, Result, worst

if TYPE_CHECKING:
    from gradproof.judging.trial import Trial
    from gradproof.sampling.declared import Declared
    from gradproof.sampling.given import Given

WIDTH = 98


def conclude(bench: Bench, trials: list[Trial], source: Declared | Given, count: int) -> Result:
    """Everything a check found, located and explained."""
    inputs = tuple(dict.fromkeys(t.sample.names[i] for t in trials for i in t.sample.wrt))
    subject = bench.subject
    where: dict[str, Place] = {}
    found: tuple[str, ...] = ()
    failures = bench.failures if bench.settings.explain else []
    chosen = _choose(failures)
    for failure in failures:
        if failure.position is not None:
            name = failure.trial.sample.names[failure.position]
            if name not in where and failure is _best_for(bench.failures, failure.position):
                place = locate(failure)
                if place is not None and material(failure, place):
                    where[name] = place
    smallest = None
    if chosen is not None:
        smallest = shrink(bench, chosen, source)
        try:
            found = _causes(bench, chosen, proved(bench, smallest, chosen, source))
        except Exception:  # an explanation tries points that a stranger's forward may not take
            found = ("missing_term",)
    shapes = {tuple(np.shape(x) for x in t.sample.inputs) for t in trials}
    if len(shapes) == 1 and len(trials) > 1:
        subject.warn("one shape was tried: give shapes= or a sampler to vary it")
    for kept in source.kept:
        subject.warn(f"variations kept what the point has ({kept})")
    if len(trials) < count:
        subject.warn(
            f"{count - len(trials)} of {count} varied points were dropped: the forward is not finite there or raises"
        )
    result = Result(
        subject.name,
        tuple(bench.verdicts),
        inputs,
        where,
        found,
        tuple(subject.warnings),
        reproduce(bench, smallest, count),
        tuple(t.sample.label for t in trials),
        dict(subject.evaluations),
        kept=source.kept,
    )
    result.explanation = _text(result, bench, chosen, len(shapes))
    return result


def _size(failure: Failure) -> tuple[bool, bool, bool, int]:
    """What makes a failure plain: a regular point, no tie, a gradient of more than one entry, few entries in all."""
    sizes = [int(np.size(x)) for x in failure.trial.sample.inputs]
    single = failure.position is not None and sizes[failure.position] < 2
    return (failure.trial.sample.kind not in REGULAR, failure.oracle == "kink", single, sum(sizes))


def _choose(failures: list[Failure]) -> Failure | None:
    """The failure to show: a breach that explains the others first, then the plainest point and the smallest shape."""
    if not failures:
        return None
    ordinary = [f for f in failures if f.trial.sample.kind not in ("turned", "empty")]
    breaches = [
        f for f in ordinary if f.check in ("mutated", "state", "nondeterministic", "raises", "count", "type", "missing")
    ]
    formal = [f for f in ordinary if f.check in ("shape", "dtype")]
    wrong = [f for f in ordinary if f.check in ("vjp", "nonfinite") and _shows(f)]
    return min(breaches or formal or wrong or ordinary or failures, key=_size)


def _shows(failure: Failure) -> bool:
    """Whether the failure has a number that is off: a slope where ties move together may have none."""
    if failure.expected is None or failure.got is None:
        return failure.oracle != "kink"
    place = locate(failure)
    return place is None or material(failure, place)


def _best_for(failures: list[Failure], position: int) -> Failure:
    mine = [f for f in failures if f.position == position]
    located = [
        f
        for f in mine
        if f.got is not None
        and (f.expected is not None or f.direction is not None)
        and f.check not in ("nonlinear", "layout", "state")
        and _shows(f)
    ]
    return min(located or mine, key=_size)


def _causes(bench: Bench, chosen: Failure, conditions: list[str]) -> tuple[str, ...]:
    if chosen.position is None:
        from dataclasses import replace

        position = chosen.trial.sample.wrt[0]
        for i in chosen.trial.sample.wrt:
            if any(f.position == i for f in bench.failures):
                position = i
        chosen = replace(chosen, position=position)
    if chosen.check in FROM_CONTRACT and chosen.check != "layout":
        return causes(bench, chosen, _Nothing(), conditions)  # type: ignore[arg-type]  # these causes look at no evidence
    return causes(bench, chosen, Evidence(bench, chosen), conditions)


class _Nothing:
    """Stands where no evidence is looked at."""


def _text(result: Result, bench: Bench, failure: Failure | None, shapes: int) -> str:
    lines = _right(result, shapes) if failure is None else _wrong(result, bench, failure)
    for warning in result.warnings:
        lines += _wrap(f"note: {warning}", initial_indent="  ", subsequent_indent="        ")
    if result.reproduce and failure is not None:
        lines.append("  to reproduce, on the smallest counterexample found:")
        lines += ["    " + line for line in result.reproduce.splitlines()]
    return "\n".join(lines)


def _right(result: Result, shapes: int) -> list[str]:
    word = worst([v.word for v in result.found])
    reached: dict[str, list[float]] = {}
    for v in result.found:
        if v.oracle != "contract" and v.word in ("agrees", "subgradient"):
            reached.setdefault(v.oracle, []).append(v.resolution)
    lines = [f"{result.name}: {word} ({len(result.samples)} samples, {shapes} shape{'s' if shapes != 1 else ''})"]
    for oracle, resolutions in reached.items():
        known = "" if oracle == "kink" else f", resolution {_figure(float(np.median(resolutions)))}"
        lines.append(f"  {oracle}: {len(resolutions)} verdicts{known}")
    for wanted in ("subgradient", "undecided"):
        some = [v for v in result.found if v.word == wanted]
        if some:
            first = some[0]
            text = f"{wanted} {len(some)} times, first {first.input} at sample {first.sample}: {first.note}"
            lines += _wrap(text, initial_indent="  ", subsequent_indent="    ")
    return lines


def _wrong(result: Result, bench: Bench, failure: Failure) -> list[str]:
    sample = failure.trial.sample
    every = [sample.names[failure.position]] if failure.position is not None else [sample.names[i] for i in sample.wrt]
    concerned = ", ".join(every)
    what = "the forward value" if failure.check in ("value", "primal") else f"the gradient of {concerned}"
    lines = _wrap(f"{result.name}: {what} is wrong", subsequent_indent="  ")
    lines.append(f"  oracle {failure.oracle}, check {failure.check}, sample {sample.label}")
    lines += _wrap(failure.note, initial_indent="  ", subsequent_indent="  ")
    if concerned in result.where_found:
        index, got, expected = result.where_found[concerned]
        plain = expected != 0 and np.isfinite(got) and abs(got / expected - 1) > 1e-5
        ratio = f", {got / expected:.6g} times what it should be" if plain else ""
        other = ", or another valid subgradient" if many(failure) else ""
        lines.append(f"  at {concerned}{list(index)}: is {got!r}, should be {expected!r}{other}")
        allowed = f" (allowed {_figure(failure.bound)})" if np.isfinite(failure.bound) else ""
        lines.append(f"    off by {got - expected:.3g}{allowed}{ratio}")
    for lead, cause in zip(("what it looks like: ", "or: "), result.causes_found, strict=False):
        text = lead + CAUSES[cause] + (_which(bench, failure) if cause in ("factor", "mean_for_sum") else "")
        lines += _wrap(text, initial_indent="  ", subsequent_indent="    ")
    refused = [v for v in result.found if v.word in REFUSED]
    samples = {v.sample for v in refused} & set(result.samples)
    count = len(result.samples)
    place = f"on {len(samples)} of {count} samples" if samples else f"at a point beside the {count} samples"
    lines.append(f"  {len(refused)} of {len(result.found)} verdicts refuse it, {place}")
    return lines


def _which(bench: Bench, failure: Failure) -> str:
    """The factor, and the axis whose size it is."""
    if failure.position is None or failure.got is None:
        return ""
    e = Evidence(bench, failure)
    if e.expected is None and e.multiple is not None:
        ratio = e.multiple
    elif e.expected is None or e.expected.shape != e.got.shape or not e.expected.any():
        return ""
    else:
        ratio = float((e.got * e.expected).sum() / (e.expected**2).sum())
    sample = failure.trial.sample
    axes = {
        f"{n}.shape[{a}]": s
        for n, x in zip(sample.names, sample.inputs, strict=True)
        for a, s in enumerate(np.shape(x))
    }
    whole = {f"{n}.size": int(np.size(x)) for n, x in zip(sample.names, sample.inputs, strict=True)}
    for name, size in {**axes, **sample.sizes, **whole}.items():
        if size > 1 and abs(abs(ratio) - size) < 1e-6 * size:
            return f": {name} = {size} times too large"
        if size > 1 and abs(abs(ratio) - 1 / size) < 1e-6:
            return f": {name} = {size} times too small"
    return f": {ratio:.6g} times the gradient"


def _wrap(text: str, initial_indent: str = "", subsequent_indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=initial_indent,
        subsequent_indent=subsequent_indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _figure(value: float) -> str:
    return f"{value:.1e}" if np.isfinite(value) else "none"
