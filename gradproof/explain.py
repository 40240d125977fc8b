"""The result, and the block a stranger can act on: what, against which oracle, where, is, should be, what it looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradproof.bench import REGULAR, Bench, Failure
from gradproof.causes import CAUSES, FROM_CONTRACT, causes
from gradproof.evidence import Evidence
from gradproof.locate import Place, locate
from gradproof.sample import is_float
from gradproof.shrink import shrink
from gradproof.verdict import REFUSED, Result, worst

if TYPE_CHECKING:
    from gradproof.sample import Declared, Given
    from gradproof.trial import Trial

# a figure of a counterexample is written out up to so many entries; beyond, the seed replays it
WRITTEN_OUT = 200


def conclude(bench: Bench, trials: list[Trial], source: Declared | Given, count: int) -> Result:
    """Everything a check found, located and explained."""
    inputs = tuple(dict.fromkeys(t.sample.names[i] for t in trials for i in t.sample.wrt))
    subject = bench.subject
    where: dict[str, Place] = {}
    found: tuple[str, ...] = ()
    chosen = _choose(bench.failures)
    for failure in bench.failures:
        if failure.position is not None:
            name = failure.trial.sample.names[failure.position]
            if name not in where and failure is _best_for(bench.failures, failure.position):
                place = locate(failure)
                if place is not None:
                    where[name] = place
    smallest = None
    if chosen is not None:
        found = _causes(bench, chosen)
        smallest = shrink(bench, chosen, source)
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
        _reproduce(bench, smallest, count),
        tuple(t.sample.label for t in trials),
        dict(subject.evaluations),
        kept=source.kept,
    )
    result.explanation = _text(result, bench, chosen, len(shapes))
    return result


def _size(failure: Failure) -> tuple[bool, bool, int]:
    """What makes a failure plain: a regular point, a gradient of more than one entry, few entries in all."""
    sizes = [int(np.size(x)) for x in failure.trial.sample.inputs]
    single = failure.position is not None and sizes[failure.position] < 2
    return (failure.trial.sample.kind not in REGULAR, single, sum(sizes))


def _choose(failures: list[Failure]) -> Failure | None:
    """The failure to show: a breach that explains the others first, then the plainest point and the smallest shape."""
    if not failures:
        return None
    ordinary = [f for f in failures if f.trial.sample.kind not in ("turned", "empty")]
    breaches = [
        f for f in ordinary if f.check in ("mutated", "state", "nondeterministic", "raises", "count", "type", "missing")
    ]
    formal = [f for f in ordinary if f.check in ("shape", "dtype")]
    wrong = [f for f in ordinary if f.check in ("vjp", "nonfinite")]
    return min(breaches or formal or wrong or ordinary or failures, key=_size)


def _best_for(failures: list[Failure], position: int) -> Failure:
    mine = [f for f in failures if f.position == position]
    located = [
        f
        for f in mine
        if f.got is not None
        and (f.expected is not None or f.direction is not None)
        and f.check not in ("nonlinear", "layout", "state")
    ]
    return min(located or mine, key=_size)


def _causes(bench: Bench, chosen: Failure) -> tuple[str, ...]:
    if chosen.position is None:
        from dataclasses import replace

        position = chosen.trial.sample.wrt[0]
        for i in chosen.trial.sample.wrt:
            if any(f.position == i for f in bench.failures):
                position = i
        chosen = replace(chosen, position=position)
    if chosen.check in FROM_CONTRACT and chosen.check != "layout":
        return causes(bench, chosen, _Nothing())  # type: ignore[arg-type]  # these causes look at no evidence
    return causes(bench, chosen, Evidence(bench, chosen))


class _Nothing:
    """Stands where no evidence is looked at."""


def _array(x: Any) -> str:
    if isinstance(x, np.ndarray):
        text = np.array2string(x, separator=", ", threshold=WRITTEN_OUT + 1, floatmode="unique", max_line_width=100)
        if x.size == 0:
            return f"np.zeros({x.shape}, np.{x.dtype.name})"
        suffix = "" if x.dtype in (np.float64, np.int64) else f", '{x.dtype.name}'"
        return f"np.array({text}{suffix})"
    if isinstance(x, np.generic):
        return f"np.{x.dtype.name}({x.item()!r})"
    return repr(x)


def _reproduce(bench: Bench, failure: Failure | None, count: int) -> str:
    """Lines that, pasted where forward and rule are known, make the failing call."""
    if failure is None:
        return ""
    sample, trial = failure.trial.sample, failure.trial
    if sum(int(np.size(x)) for x in sample.inputs) > WRITTEN_OUT:
        return f"# sample {sample.label}: check again with seed={sample.seed}, examples={count}"
    u = trial.cotangents
    lines = ["import numpy as np"]
    if any(np.asarray(x).dtype.name == "bfloat16" for x in (*sample.inputs, *u) if is_float(x)):
        lines.append("import ml_dtypes")
    lines += [f"{name} = {_array(x)}" for name, x in zip(sample.names, sample.inputs, strict=True)]
    lines.append(f"cotangent = {'(' + ', '.join(_array(c) for c in u) + ',)' if trial.packing[1] else _array(u[0])}")
    static = "".join(f", {k}={v!r}" for k, v in sample.static.items())
    arguments = ", ".join(sample.names) + static
    place = locate(failure)
    if place is not None:
        index, got, expected = place
        lines.append(f"# {sample.names[failure.position or 0]}{list(index)} is {got!r}, should be {expected!r}")
    if bench.settings.judge_value:
        lines.append(f"backward(cotangent, forward({arguments}), {arguments})")
    else:
        name = bench.subject.name
        lines.append(f"{name if name.isidentifier() else 'vjp'}(cotangent, {arguments})")
    return "\n".join(lines)


def _text(result: Result, bench: Bench, failure: Failure | None, shapes: int) -> str:
    words = [v.word for v in result.found]
    word = worst(words)
    lines = []
    if failure is None:
        by_oracle: dict[str, list[float]] = {}
        for v in result.found:
            if v.oracle != "contract" and v.word in ("agrees", "subgradient"):
                by_oracle.setdefault(v.oracle, []).append(v.resolution)
        reached = "; ".join(
            f"{oracle}: {len(r)} times, resolution {_figure(float(np.median(r)))}" for oracle, r in by_oracle.items()
        )
        lines.append(
            f"{result.name}: {word} ({len(result.samples)} samples, {shapes} shape{'s' if shapes != 1 else ''}; {reached or 'no oracle resolved it'})"
        )
        for v in result.found:
            if v.word == "subgradient":
                lines.append(f"  {v.input}: subgradient at sample {v.sample}: {v.note}")
                break
        undecided = [v for v in result.found if v.word == "undecided"]
        if undecided:
            lines.append(
                f"  undecided {len(undecided)} times, first: {undecided[0].input} at sample {undecided[0].sample}: {undecided[0].note}"
            )
        lines += [f"  note: {w}" for w in result.warnings]
        return "\n".join(lines)
    sample = failure.trial.sample
    concerned = (
        sample.names[failure.position]
        if failure.position is not None
        else ", ".join(sample.names[i] for i in sample.wrt)
    )
    lines.append(
        f"{result.name}: the gradient of {concerned} {word if word != 'differs' else 'is wrong'} (oracle: {failure.oracle}, check: {failure.check}, sample {sample.label})"
    )
    if failure.note:
        lines.append(f"  {failure.note}")
    if failure.position is not None and concerned in result.where_found:
        index, got, expected = result.where_found[concerned]
        off = got - expected
        ratio = f", {abs(got / expected):.6g} times as large" if expected and np.isfinite(got) else ""
        lines.append(f"  at {concerned}{list(index)}: is {got!r}, should be {expected!r}, off by {off:.3g}{ratio}")
        if np.isfinite(failure.bound):
            lines.append(f"  allowed there: {_figure(failure.bound)}")
    if result.causes_found:
        lines.append("  what it looks like: " + CAUSES[result.causes_found[0]])
        if len(result.causes_found) > 1:
            lines.append("                  or: " + CAUSES[result.causes_found[1]])
    wrong = sum(w in REFUSED for w in words)
    lines.append(
        f"  {wrong} of {len(words)} verdicts refuse it, on {len({v.sample for v in result.found if v.word in REFUSED})} of {len(result.samples)} samples"
    )
    lines += [f"  note: {w}" for w in result.warnings]
    if result.reproduce:
        lines.append("  to reproduce, on the smallest counterexample found:")
        lines += ["    " + line for line in result.reproduce.splitlines()]
    return "\n".join(lines)


def _figure(value: float) -> str:
    return f"{value:.1e}" if np.isfinite(value) else "none"
