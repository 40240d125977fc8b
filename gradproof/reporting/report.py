"""The report in words: rows of 80 columns and a summary.

Lines are plain text in which nothing depends on a terminal; `colour` names what a terminal may do to a line.
"""

import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gradproof.equation import Equation
from gradproof.reporting.rows import EPSILON, ORACLES, Cell, Row, rows
from gradproof.reporting.screen import Line, counted
from gradproof.verdict import WORDS, Result

WIDTH = 80
# word -> what a cell says (nine characters at most) and the colour of a terminal
SHORT = {
    "agrees": "ok",
    "subgradient": "kink",
    "undecided": "open",
    "missing": "MISSING",
    "differs": "DIFFERS",
    "error": "ERROR",
}
COLOUR = {
    "agrees": "green",
    "subgradient": "green",
    "undecided": "yellow",
    "missing": "red",
    "differs": "red",
    "error": "red",
}
COLUMNS = {"contract": 8, "torch": 9, "jax": 9, "differences": 9, "ball": 9, "kink": 7}
HEADS = {"differences": "finite d."}
LEGEND = (
    "ok agrees, kink a valid subgradient, open undecided; after ok the worst error of",
    "all n samples, relative to the gradient's scale. resol.: the smallest relative",
    "error that would have been refused, on the median sample.",
)


@dataclass(frozen=True)
class Summary:
    """Counts over a whole run: `words` of all rows, `gradient_words` of those that are no forward value."""

    equations: int
    gradients: int
    checks: int
    words: Mapping[str, int]
    covered: tuple[str, ...]
    numbered: tuple[str, ...]
    gradient_words: Mapping[str, int] = field(default_factory=dict)

    @property
    def uncovered(self) -> tuple[str, ...]:
        return tuple(number for number in self.numbered if number not in self.covered)


def summarize(
    results: Iterable[Result], equations: Mapping[str, Equation], numbered: Sequence[str] = ()
) -> Summary:
    """Count rows by their word, and the paper's numbers that a checked equation bears."""
    found = list(results)
    table = [row for result in found for row in rows(result)]
    covered = {
        number for result in found if result.name in equations for number in equations[result.name].paper
    }
    return Summary(
        equations=len(found),
        gradients=sum(not row.value for row in table),
        checks=sum(len(result.verdicts) for result in found),
        words=_counts(row.word for row in table),
        covered=tuple(number for number in numbered if number in covered)
        or tuple(sorted(covered, key=_number)),
        numbered=tuple(numbered),
        gradient_words=_counts(row.word for row in table if not row.value),
    )


def _counts(words: Iterable[str]) -> dict[str, int]:
    counts = Counter(words)
    return {word: counts[word] for word in WORDS if counts[word]}


def exit_code(results: Iterable[Result]) -> int:
    """1 where something is wrong; 4 where nothing is wrong but something is undecided; else 0."""
    found = list(results)
    if any(result.refused for result in found):
        return 1
    return 0 if all(result.ok and result.word != "undecided" for result in found) else 4


def body(results: Iterable[Result], equations: Mapping[str, Equation], quiet: bool = False) -> list[Line]:
    """Under each equation its rows; then what was refused, explained. Quiet leaves out what is right."""
    lines: list[Line] = [] if quiet else [*((text, "") for text in LEGEND), ("", ""), (header(), "")]
    refused = []
    for result in results:
        table = [row for row in rows(result) if not quiet or row.word not in ("agrees", "subgradient")]
        if table or not quiet:
            lines.append((heading(equations[result.name]), "cyan"))
        lines += [
            (line(row), COLOUR[row.word] if row.word not in ("agrees", "subgradient") else "")
            for row in table
        ]
        if result.refused:
            refused.append(result)
    for result in refused:
        lines += [("", ""), (str(result), "red")]
    return [*lines, ("", "")] if lines else []


def header() -> str:
    """The names of the columns."""
    oracles = " ".join(f"{HEADS.get(oracle, oracle):<{COLUMNS[oracle]}}" for oracle in ORACLES)
    return f"  {'gradient':<9} {'n':>3} {oracles} resol."


def heading(equation: Equation) -> str:
    """`(7) (13) dense: Affine map of a batch of rows`, or with the tables where there is no number."""
    numbers = [f"({number})" for number in spans(equation.paper)] + [
        f"Table {number}" for number in equation.tables
    ]
    text = f"{equation.name}: {equation.heading}   {' '.join(numbers)}".rstrip()
    if len(text) <= WIDTH:
        return text
    room = WIDTH - len(equation.name) - 2
    title = (
        equation.heading if len(equation.heading) <= room else equation.heading[: room - 3].rstrip() + "..."
    )
    first = f"{equation.name}: {title}"
    lines, line = [first], "   "
    for number in numbers:
        if len(line) + 1 + len(number) > WIDTH:
            lines.append(line)
            line = "   "
        line += " " + number
    return "\n".join([*lines, line]) if numbers else first


def line(row: Row) -> str:
    """One row of the table, 80 columns at most."""
    label = f"= {row.input}" if row.value else f"d/d{row.input}"
    label = label if len(label) <= 9 else label[:8] + "~"
    cells = " ".join(f"{_cell(row.cells.get(oracle)):<{COLUMNS[oracle]}}" for oracle in ORACLES)
    resolution = "" if math.isinf(row.resolution) else f"{row.resolution:.0e}"
    return f"  {label:<9} {row.samples:>3} {cells} {resolution}".rstrip()


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    word = SHORT[cell.word]
    if cell.word != "agrees" or cell.oracle in ("contract", "kink"):
        return word
    return f"{word} {_figure(cell.ulps * EPSILON)}"


def _figure(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.0e}".replace("e+", "e").replace("e0", "e")


def closing(
    summary: Summary,
    folder: str,
    seconds: float,
    versions: Mapping[str, str],
    seed: int,
    claims: Sequence[str] = (),
) -> list[str]:
    """The summary's lines: counts, coverage, what the paper prints (`claims`), what was judged, with which versions."""
    words = (
        ", ".join(f"{count} {_plural_word(word, count)}" for word, count in summary.words.items())
        or "nothing checked"
    )
    lines = textwrap.wrap(
        f"{counted(summary.equations, 'equation')}, {counted(summary.gradients, 'gradient')}, "
        f"{counted(summary.checks, 'check')} "
        f"in {seconds:.0f} s: {words}.",
        WIDTH,
    )
    if summary.numbered:
        whole = (
            f"{len(summary.covered)} of the paper's {len(summary.numbered)} numbered equations are covered"
        )
        few = 0 < len(summary.uncovered) <= len(summary.covered)  # of a few equations that were named, most are missing
        missing = f"; not: {', '.join(summary.uncovered)}" if few else ""
        lines += textwrap.wrap(f"{whole}{missing}.", WIDTH, break_on_hyphens=False)
    lines += claims
    lines.append(f"Judged: {folder}")
    lines.append(f"{', '.join(f'{name} {version}' for name, version in versions.items())}; seed {seed}.")
    return lines


def _plural_word(word: str, count: int) -> str:
    if word in ("agrees", "differs"):
        return word if count == 1 else word[:-1]
    return "subgradients" if word == "subgradient" and count > 1 else word


def spans(numbers: Iterable[str]) -> list[str]:
    """7, 46, 47, 48 -> 7, 46-48: runs of three and more are drawn together."""
    out: list[list[str]] = []
    for number in sorted(numbers, key=_number):
        if out and number.isdigit() and out[-1][-1].isdigit() and int(number) == int(out[-1][-1]) + 1:
            out[-1].append(number)
        else:
            out.append([number])
    return [text for run in out for text in ([f"{run[0]}-{run[-1]}"] if len(run) > 2 else run)]


def _number(number: str) -> tuple[int, str]:
    digits = re.match(r"\d+", number)
    return (int(digits[0]) if digits else 10**6, number)
