"""The paper in words: a table by section, one claim line by line, a summary, and the same facts as JSON."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradproof.claims.judge import VERDICTS, Finding
from gradproof.claims.latex import plain
from gradproof.claims.load import Paper
from gradproof.reporting.screen import Line
from gradproof.verdict import jsonable

WIDTH = 80
COLOUR = {"holds": "green", "convention": "yellow", "refuted": "red", "unreadable": "magenta"}
LEGEND = "+ after a verdict: the form that holds is proved by computer algebra as well."
TINY = 1e-12  # what is smaller, beside numbers of order one, is rounding


def table(paper: Paper, findings: Sequence[Finding], quiet: bool = False) -> list[Line]:
    """By section: id, verdict, the printed formula, and under it what is wrong. Quiet leaves out what
    holds.
    """
    lines: list[Line] = [] if quiet else [(LEGEND, "")]
    title = ""
    for finding in findings:
        if quiet and finding.verdict == "holds" and not finding.faults:
            continue
        if paper.titles[finding.claim.id] != title:
            title = paper.titles[finding.claim.id]
            lines += [("", ""), (title, "cyan")]
        lines.append((_row(finding), COLOUR[finding.verdict] if finding.verdict != "holds" else ""))
    return lines


def _row(finding: Finding) -> str:
    claim = finding.claim
    head = f"  {claim.id:<24} {finding.verdict + '+' * finding.proved:<12} "
    formula = textwrap.wrap(plain(claim.printed), WIDTH - 6) or [""]
    text = [head.rstrip()]
    if len(formula) == 1 and len(head) + len(formula[0]) <= WIDTH:
        text = [head + formula[0]]
    else:
        text += [f"      {line}" for line in formula]
    text += textwrap.wrap(wrong(finding), WIDTH, initial_indent="    > ", subsequent_indent="      ")
    text += [f"    ! {fault}" for fault in finding.faults]
    return "\n".join(text)


def wrong(finding: Finding) -> str:
    """In a line, what is wrong with the claim as printed; empty where nothing is."""
    claim = finding.claim
    if finding.verdict == "refuted":
        return claim.why
    if finding.verdict == "convention":
        problem = finding.counterexample.problem if finding.counterexample else ""
        return f"{finding.convention} (as printed, {problem})"
    if finding.verdict == "unreadable":
        return f"{claim.damage}; possible as well: {', '.join(claim.open) or 'nothing legible'}"
    return f"{claim.damage}; repaired from {claim.twin}" if claim.damage else ""


def details(findings: Sequence[Finding]) -> list[Line]:
    """Line by line: the printed formula and its value on the small example, and beside it the right form
    with its value.
    """
    lines: list[Line] = []
    inputs: Mapping[str, Any] | None = None
    for finding in findings:
        claim = finding.claim
        if finding.shown and finding.shown.inputs is not inputs:
            inputs = finding.shown.inputs
            lines += [("", ""), *((text, "cyan") for text in _wrapped("on ", example(inputs)))]
        lines += [("", ""), (f"{claim.id}  {finding.verdict}{'+' * finding.proved}", COLOUR[finding.verdict])]
        rows = [("printed", plain(claim.printed))]
        if finding.shown:
            rows.append(("with", example(finding.shown.read)))
        rows += [("gives", number(value)) for value in (finding.shown.printed if finding.shown else ())]
        if finding.verdict == "refuted":
            rows.append(("right", plain(claim.right)))
            if finding.shown:
                rows.append(("gives", number(finding.shown.right)))
        if finding.shown:
            rows.append(
                ("true", f"{claim.of}{list(claim.at) if claim.at else ''} = {number(finding.shown.true)}")
            )
        if finding.verdict == "convention" and finding.shown:
            rows.append(("so read", number(finding.shown.right)))
        label = {"refuted": "why", "convention": "reading", "unreadable": "damage", "holds": "repair"}
        rows.append((label[finding.verdict], wrong(finding)))
        if claim.damage and finding.verdict in ("convention", "refuted"):
            rows.append(("repair", f"{claim.damage}; repaired from {claim.twin}"))
        rows += [("note", claim.note), *(("FAULT", fault) for fault in finding.faults)]
        lines += [(text, "") for name, value in rows if value for text in _wrapped(f"  {name:<8} ", value)]
    if any(finding.proved for finding in findings):
        lines += [("", ""), (LEGEND, "")]
    return lines


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def example(inputs: Mapping[str, Any]) -> str:
    """The inputs of a sample in one line."""
    return ", ".join(f"{name} = {number(value)}" for name, value in inputs.items())


def number(value: Any) -> str:
    """A number or an array in a line: four digits, rounding noise as 0; words as they are."""
    if isinstance(value, str):
        return value
    array = np.asarray(value, dtype=np.float64)
    if array.size > 40:
        return f"an array {array.shape}"
    if array.ndim == 0:
        return f"{0.0 if abs(float(array)) < TINY else float(array):.4g}"
    return f"[{', '.join(number(entry) for entry in array)}]"


def summary(paper: Paper, findings: Sequence[Finding]) -> list[str]:
    """The counts of each verdict, and the genuine errors in groups, the most serious first."""
    counts = figures(findings)
    names = ONE if counts["claims"] == 1 else NAMES
    words = ", ".join(f"{counts[verdict]} {name}" for verdict, name in zip(VERDICTS, names, strict=True))
    plural = "s" * (counts["claims"] != 1)
    lines = textwrap.wrap(f"{counts['claims']} claim{plural}: {words}; {counts['proved']} proved.", WIDTH)
    if counts["faults"]:
        lines.append(
            f"{counts['faults']} entries are at fault: they contradict what was evaluated (marked with !)."
        )
    groups = errors(paper, findings)
    if groups:
        lines += ["", "Genuine errors, the most serious first:"]
    for title, found in groups:
        lines += textwrap.wrap(
            f"{title}.", WIDTH, initial_indent=f"  {len(found):>2}  ", subsequent_indent="      "
        )
        ids = ", ".join(finding.claim.id for finding in found)
        lines += textwrap.wrap(
            ids, WIDTH, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False
        )
    return lines


NAMES = ("hold", "hold under a convention", "refuted", "unreadable")
ONE = ("holds", "holds under a convention", "refuted", "unreadable")


def figures(findings: Iterable[Finding]) -> dict[str, int]:
    """Counts: claims, each verdict, proved, and entries at fault."""
    found = list(findings)
    counts = Counter(finding.verdict for finding in found)
    return {
        "claims": len(found),
        **{verdict: counts[verdict] for verdict in VERDICTS},
        "proved": sum(finding.proved for finding in found),
        "faults": sum(bool(finding.faults) for finding in found),
    }


def errors(paper: Paper, findings: Iterable[Finding]) -> list[tuple[str, list[Finding]]]:
    """The refuted claims by group, in the order of the groups."""
    refuted = [finding for finding in findings if finding.verdict == "refuted"]
    grouped = [(title, [f for f in refuted if f.claim.group == key]) for key, title in paper.groups.items()]
    ungrouped = [finding for finding in refuted if finding.claim.group not in paper.groups]
    return [(title, found) for title, found in [*grouped, ("In no group", ungrouped)] if found]


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """One object a claim, of plain data: arrays as lists, non-finite floats as strings."""
    return [
        {
            "id": finding.claim.id,
            "verdict": finding.verdict,
            "convention": finding.convention,
            "counterexample": _counterexample(finding),
            "corrected": finding.claim.right
            if finding.verdict == "refuted" and finding.claim.right
            else None,
            "proved": finding.proved,
        }
        for finding in findings
    ]


def _counterexample(finding: Finding) -> dict[str, Any] | None:
    shown = finding.counterexample
    if shown is None:
        return None
    plain_data: dict[str, Any] = jsonable(
        {
            "inputs": {name: _listed(value) for name, value in shown.inputs.items()},
            "printed": _listed(shown.printed),
            "true": _listed(shown.true),
            "problem": shown.problem,
        }
    )
    return plain_data


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value
