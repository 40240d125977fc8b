"""What a run came to, in one record: each format of the report is a view of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gradproof.equation import Equation
from gradproof.reporting.report import Summary
from gradproof.verdict import REFUSED, Result

if TYPE_CHECKING:
    from gradproof.claims.judge import Finding
    from gradproof.claims.load import Paper
    from gradproof.config import Project


@dataclass(frozen=True)
class Picture:
    """An inline SVG, its title, and in words what it shows."""

    title: str
    svg: str
    text: str


@dataclass(frozen=True)
class Outcome:
    """The results in the order they were made, of the `chosen` equations; `complete` is false after Ctrl-C or -x.

    `paper` and `findings` are the printed claims, where they were judged; `claims` are their counts, and `said` the
    lines of the summary that tell them. `pictures` are those of the page. `seconds` is how long the checks took.
    """

    results: Sequence[Result]
    chosen: Mapping[str, Equation]
    project: Project
    summary: Summary
    complete: bool
    interrupted: bool
    seed: int
    examples: int | None
    oracles: tuple[str, ...]
    seconds: float
    versions: Mapping[str, str]
    command: tuple[str, ...]
    claims: Mapping[str, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    paper: Paper | None = None
    findings: tuple[Finding, ...] = ()
    pictures: Mapping[str, list[Picture]] = field(default_factory=dict)

    @property
    def refused(self) -> list[Result]:
        """The results in which something is differs, missing or error."""
        return [result for result in self.results if result.refused]

    @property
    def stopped(self) -> str:
        """Why there is less than was asked for, in a line; empty where all was done."""
        if self.complete:
            return ""
        why = "interrupted" if self.interrupted else "stopped at the first wrong derivative, as -x asks,"
        left = ", before the rest of the report" if len(self.results) == len(self.chosen) else ""
        return f"{why} after {len(self.results)} of {len(self.chosen)} equations{left}"

    def path(self, file: Path) -> str:
        """A file as seen from the project's root; as it is where it lies elsewhere."""
        return file.relative_to(self.project.root).as_posix() if file.is_relative_to(self.project.root) else str(file)


def wrong_inputs(result: Result) -> Iterator[str]:
    """The inputs whose gradient is refused, or, by the name of the output, the value; each once."""
    yield from dict.fromkeys(verdict.input for verdict in result.verdicts if verdict.word in REFUSED)


def tally(outcome: Outcome) -> tuple[int, int, int]:
    """How many gradients are right (agrees or a valid subgradient), wrong, and undecided."""
    words = outcome.summary.gradient_words
    right = words.get("agrees", 0) + words.get("subgradient", 0)
    return right, sum(words.get(word, 0) for word in REFUSED), words.get("undecided", 0)


def headline(outcome: Outcome) -> str:
    """The answer in a line."""
    return _answer(outcome) + (" so far" if outcome.results and outcome.stopped else "")


def _answer(outcome: Outcome) -> str:
    right, wrong, undecided = tally(outcome)
    whole = outcome.summary.gradients
    values = sum(outcome.summary.words.get(word, 0) for word in REFUSED) - wrong
    if not outcome.results:
        return "Nothing was checked"
    if wrong or values or outcome.refused:
        parts = [f"{wrong} of {whole} derivatives {'is' if wrong == 1 else 'are'} wrong"] * bool(wrong)
        parts += [f"{values} forward value{'s' * (values > 1)} {'is' if values == 1 else 'are'} wrong"] * bool(values)
        return " and ".join(parts) or f"{len(outcome.refused)} of {len(outcome.results)} equations could not be judged"
    if undecided or right < whole:
        return f"{right} of {whole} derivatives are right, {whole - right} undecided"
    return f"All {whole} derivatives are right" if whole != 1 else "The derivative is right"
