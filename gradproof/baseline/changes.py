"""What accepting would change, a line each: `+` new, `-` gone, `~` other."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from gradproof.baseline.compare import killed, moved, verdict
from gradproof.baseline.record import Baseline, Claimed, Costed, Entry


def changes(was: Baseline | None, now: Baseline) -> list[str]:
    """Every line that accepting would change: `+` new, `-` gone, `~` other."""
    found = _pairs(was.entries if was else {}, now.entries, str, _said)
    found += _pairs(was.claims if was else {}, now.claims, lambda claim: f"claim {claim.id}", _claim_said)
    found += _pairs(was.costs if was else {}, now.costs, lambda cost: f"{cost.equation} costs", _costed)
    found += _pairs(was.mutants if was else {}, now.mutants, lambda score: score.equation, killed)
    found += _pairs(was.wrong if was else {}, now.wrong, lambda why: "wrong and accepted", str)
    if was:
        found += [f"~ {name} {change}" for name, change in moved(was.versions, now.versions).items()]
        head = {"seed": (was.seed, now.seed), "examples": (was.examples, now.examples)}
        found += [f"~ {name} {old} -> {new}" for name, (old, new) in head.items() if old != new]
    return found


def _pairs(
    was: Mapping[Any, Any], now: Mapping[Any, Any], name: Callable[[Any], str], said: Callable[[Any], str]
) -> list[str]:
    lines = []
    for key in sorted({*was, *now}):
        before, after = was.get(key), now.get(key)
        if before == after:
            continue
        if before is None:
            lines.append(f"+ {name(after)}: {said(after)}")
        elif after is None:
            lines.append(f"- {name(before)}: {said(before)}")
        else:
            lines.append(f"~ {name(after)}: {_became(before, after, said)}")
    return lines


def _became(before: Any, after: Any, said: Callable[[Any], str]) -> str:
    """What changed of a line, and that alone."""
    if not isinstance(after, Entry):
        return f"{said(before)} -> {said(after)}"
    parts = []
    for field in fields(Entry):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "kinds":
            parts += [f"- {kind} samples" for kind in old if kind not in new]
            parts += [f"+ {kind} samples" for kind in new if kind not in old]
        elif old != new:
            parts.append(f"{field.name} {'none' if old is None else old} -> {'none' if new is None else new}")
    return ", ".join(parts)


def _said(entry: Entry) -> str:
    figures = [entry.word]
    figures += [f"{entry.ulps:g} ulps"] if entry.ulps is not None else []
    figures += [f"resolution {entry.resolution:.0e}"] if entry.resolution is not None else []
    return ", ".join([*figures, f"{entry.samples} samples", *([" ".join(entry.kinds)] if entry.kinds else [])])


def _claim_said(claim: Claimed) -> str:
    return verdict(claim) + (", proved" if claim.proved else "")


def _costed(cost: Costed) -> str:
    memory = "" if cost.memory is None else f", {cost.memory} times the memory"
    return f"{cost.lines} lines a call{memory}"
