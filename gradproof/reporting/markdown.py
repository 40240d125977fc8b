"""The report as Markdown that fits a pull request's comment: the answer, what is wrong, and every gradient, folded."""

import re

from gradproof.reporting.origin import origin
from gradproof.reporting.outcome import Outcome, headline, wrong_inputs
from gradproof.reporting.report import SHORT, closing
from gradproof.reporting.rows import EPSILON, ORACLES, Cell, Row, rows
from gradproof.verdict import Result

LIMIT = 60_000  # characters; GitHub takes 65,536
LONGEST = 6_000  # of one explanation


def render(outcome: Outcome) -> str:
    """At most LIMIT characters: what is right gives way first, and what is left out is counted."""
    head = [f"## Gradproof: {headline(outcome)}", ""]
    if outcome.stopped:
        head += [f"**Incomplete: {outcome.stopped}.**", ""]
    folder = str(outcome.project.folder)
    facts = closing(outcome.summary, folder, outcome.seconds, outcome.versions, outcome.seed, outcome.said)
    foot = [_escape(line) for line in facts]
    room = LIMIT - len("\n".join([*head, *foot])) - 500  # for the lines that count what is left out
    wrong, room = _fitting([_wrong(result, outcome) for result in outcome.refused], room, "wrong derivatives")
    lines = [_line(result, row) for result in outcome.results for row in rows(result)]
    table, room = _fitting(lines, room - 300, "rows")
    folded = ["<details><summary>Every gradient and oracle</summary>", "", *_head(), *table, "", "</details>", ""]
    return "\n".join([*head, *wrong, *foot, "", *(folded if lines else [])]).rstrip() + "\n"


def _fitting(parts: list[str], room: int, what: str) -> tuple[list[str], int]:
    """As many parts as there is room for, and a line that counts the others."""
    kept: list[str] = []
    for number, part in enumerate(parts):
        if len(part) + 1 > room:
            return [*kept, "", f"... and {len(parts) - number} more {what}, in the whole report."], 0
        kept.append(part)
        room -= len(part) + 1
    return kept, room


def _wrong(result: Result, outcome: Outcome) -> str:
    names = list(wrong_inputs(result))
    place = origin(outcome.chosen[result.name], names[0] if names else "")
    where = f", `{outcome.path(place[0])}:{place[1]}`" if place else ""
    concerned = ", ".join(f"`{name}`" for name in names) or "nothing was checked"
    text = str(result)
    text = text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "\n..."
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"### {_escape(result.name)}: {concerned}{where}\n\n{fence}text\n{text}\n{fence}\n"


def _head() -> list[str]:
    names = ["equation", "gradient", "samples", *ORACLES, "resolution"]
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]


def _line(result: Result, row: Row) -> str:
    label = f"= {row.input}" if row.value else f"d/d{row.input}"
    resolution = f"{row.resolution:.0e}" if row.resolution < float("inf") else ""
    cells = [_cell(row.cells.get(oracle)) for oracle in ORACLES]
    return f"| {' | '.join([_escape(result.name), _escape(label), str(row.samples), *cells, resolution])} |"


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.word == "agrees" and cell.oracle not in ("contract", "kink"):
        return f"ok {cell.ulps * EPSILON:.0e}" if cell.ulps else "ok 0"
    return SHORT[cell.word] if cell.word in ("agrees", "subgradient", "undecided") else f"**{SHORT[cell.word]}**"


def _escape(text: str) -> str:
    return re.sub(r"([\\|<>*_`\[\]])", r"\\\1", text)


