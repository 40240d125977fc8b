"""What the page says, as plain records for its template: the answer, a card an equation, a row a claim."""

from __future__ import annotations

import inspect
import math
import re
import shlex
import statistics
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from gradproof.claims.judge import Finding
from gradproof.claims.report import errors, example, number, wrong
from gradproof.equation import Equation
from gradproof.page.formulas import FORMULAS
from gradproof.page.mathml import mathml
from gradproof.reporting.origin import origin
from gradproof.reporting.outcome import Outcome, Picture
from gradproof.reporting.report import spans
from gradproof.reporting.rows import Row, rows
from gradproof.verdict import Result

LONGEST = 400  # lines of a file that is shown whole; of a longer one forward and backward are
LOOKS = re.compile(r"^  (?:what it looks like|or): (.*\n?(?:    .*\n?)*)", re.MULTILINE)  # and its further lines
# word of the judge -> what a reader filters by
KINDS = {
    "agrees": "right",
    "subgradient": "kink",
    "undecided": "undecided",
    "missing": "wrong",
    "differs": "wrong",
    "error": "wrong",
}


@dataclass(frozen=True)
class Card:
    """One equation."""

    name: str
    title: str
    numbers: tuple[str, ...]  # every one, for the search
    shown: tuple[str, ...]  # runs drawn together
    word: str
    kind: str
    worst: float  # error in ulps, the largest of what agrees
    resolution: float  # the coarsest of its gradients
    formula: tuple[str, ...]  # MathML
    derivative: tuple[str, ...]
    words: str  # the docstring, where there is no formula
    kinks: str
    rows: tuple[Row, ...]
    samples: tuple[str, ...]
    file: str
    line: int
    source: str  # highlighted
    pictures: Sequence[Picture]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Wrong:
    """A refused derivative: what to read first."""

    name: str
    title: str
    place: str
    lead: str  # the explanation's first line,
    causes: tuple[str, ...]  # what it looks like,
    what: str  # and the rest of it, without the lines that reproduce it
    replay: str  # highlighted
    plain: str  # the same, to be copied


@dataclass(frozen=True)
class ClaimRow:
    """A printed claim: as printed, put right where that is known, and why."""

    id: str
    section: str
    verdict: str
    proved: bool
    printed: str
    right: str
    why: str
    numbers: str
    faults: tuple[str, ...]


def cards(outcome: Outcome, pictures: dict[str, list[Picture]]) -> list[Card]:
    """A card an equation, what is wrong first, then what is undecided, else in the report's order."""
    made = [_card(outcome, result, pictures.get(result.name, [])) for result in outcome.results]
    order = ("wrong", "undecided")
    return sorted(made, key=lambda card: order.index(card.kind) if card.kind in order else len(order))


def _card(outcome: Outcome, result: Result, pictures: Sequence[Picture]) -> Card:
    equation = outcome.chosen[result.name]
    table = tuple(rows(result, equation.paper))
    place = origin(equation)
    ours = equation.forward.__module__.split(".")[0] == "derivs"  # a stranger's softmax may be another map
    formula = FORMULAS.get(result.name) if ours else None
    numbers = (*equation.paper, *(f"Table {table}" for table in equation.tables))
    resolutions = [row.resolution for row in table if not row.value and math.isfinite(row.resolution)]
    file = place[0] if place else None
    return Card(
        name=result.name,
        title=equation.heading,
        numbers=numbers,
        shown=(*(f"({n})" for n in spans(equation.paper)), *(f"Table {n}" for n in equation.tables)),
        word=result.word,
        kind=KINDS[result.word],
        worst=_worst(result),
        resolution=max(resolutions, default=math.inf),
        formula=tuple(mathml(line) for line in formula.map) if formula else (),
        derivative=tuple(mathml(line) for line in formula.derivative) if formula else (),
        words="" if formula else inspect.cleandoc(inspect.getmodule(equation.forward).__doc__ or ""),
        kinks=equation.kinks,
        rows=table,
        samples=result.samples,
        file=outcome.path(file) if file else "",
        line=place[1] if place else 0,
        source=_highlighted(_source(equation, file)) if file else "",
        pictures=pictures,
        warnings=result.warnings,
    )


def _worst(result: Result) -> float:
    """The largest error that agrees; differences, whose errors are mostly their own, only where nothing else spoke."""
    found = [v for v in result.verdicts if v.word == "agrees" and v.oracle != "contract"]
    exact = [v.ulps for v in found if v.oracle != "differences"]
    return max(exact or (v.ulps for v in found), default=0.0)


def _source(equation: Equation, file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if text.count("\n") <= LONGEST:
        return text
    return "\n\n".join(inspect.getsource(inspect.unwrap(f)) for f in (equation.forward, equation.backward))


def _highlighted(source: str) -> str:
    return str(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))).rstrip()


def wrongs(outcome: Outcome) -> list[Wrong]:
    """What was refused, each with the explanation a stranger can act on."""
    return [_wrong(outcome, result) for result in outcome.refused]


def _wrong(outcome: Outcome, result: Result) -> Wrong:
    equation = outcome.chosen[result.name]
    concerned = next((v.input for v in result.verdicts if v.word in ("differs", "missing", "error")), "")
    place = origin(equation, next(iter(result.where), concerned))
    told = str(result).partition("\n  to reproduce")[0] or f"{result.name}: no oracle spoke of it"
    lead, _, rest = told.partition("\n")
    causes = [" ".join(found[1].split()) for found in LOOKS.finditer(rest)]
    return Wrong(
        name=result.name,
        title=equation.heading,
        place=f"{outcome.path(place[0])}:{place[1]}" if place else "",
        lead=lead,
        causes=tuple(causes),
        what=textwrap.dedent(LOOKS.sub("", rest)).strip("\n"),
        replay=_highlighted(result.reproduce) if result.reproduce else "",
        plain=result.reproduce,
    )


def claim_rows(outcome: Outcome) -> Iterator[ClaimRow]:
    """The printed claims, in the order of the paper."""
    if outcome.paper is None:
        return
    for finding in outcome.findings:
        claim = finding.claim
        yield ClaimRow(
            id=claim.id,
            section=outcome.paper.titles[claim.id],
            verdict=finding.verdict,
            proved=finding.proved,
            printed=mathml(claim.printed) if claim.printed else "",
            right=mathml(claim.right) if finding.verdict == "refuted" and claim.right else "",
            why=wrong(finding),
            numbers=_numbers(finding),
            faults=finding.faults,
        )


def _numbers(finding: Finding) -> str:
    """The example on which the printed form fails: what it takes, what it gives, what is true."""
    shown = finding.shown
    if finding.verdict not in ("refuted", "convention") or shown is None:
        return ""
    given = " = ".join(number(value) for value in shown.printed)
    taken = f"with {example(shown.read)}: " if shown.read else ""
    return f"{taken}printed gives {given}; true is {number(shown.true)}"


def mistakes(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """The genuine errors in groups, the most serious first: what is wrong, and the ids of the claims."""
    if outcome.paper is None:
        return []
    return [(title, [f.claim.id for f in found]) for title, found in errors(outcome.paper, outcome.findings)]


def resolutions(made: Sequence[Card]) -> tuple[float, float] | None:
    """The median and the coarsest resolution of all gradients; None where nothing is resolved."""
    found = [row.resolution for card in made for row in card.rows if not row.value and math.isfinite(row.resolution)]
    return (statistics.median(found), max(found)) if found else None


def again(outcome: Outcome) -> str:
    """The command that runs it again."""
    return f"gradproof {shlex.join(outcome.command)}"


