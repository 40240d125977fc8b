"""How well a checker tells wrong derivatives from right ones: gradproof beside the field's tools, in one run.

    python -m benchmarks.power [--quick] [--tools gradproof,central] [--only OP] [--list-failures] [-j N]

Two tables: called with shapes= or a sampler, and with one point only. A tool that takes one point is run at
as many drawn points as gradproof takes, and refuses when it refuses any. Every tool runs with its defaults.
With -j a column is measured in a process of its own; the times of all are taken afterwards, in this one alone.
"""

import argparse
import importlib.util
import json
import math
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import measures
from benchmarks.corpus import OPERATIONS, Operation
from benchmarks.measures import Count
from benchmarks.tools import DEFAULT, TOOLS


@dataclass
class Column:
    """All figures of one tool, called one way."""

    tool: str
    wrong: Count = field(default_factory=Count)
    reachable: Count = field(default_factory=Count)
    cause: Count = field(default_factory=Count)
    right: Count = field(default_factory=Count)
    located: Count = field(default_factory=Count)
    smallest: float = float("nan")
    seconds: float = float("nan")


ROWS: dict[str, Callable[[Column], str]] = {
    "wrong rules refused": lambda c: _percent(c.wrong),
    "the same, of those wrong at that shape": lambda c: _percent(c.reachable),
    "right rules refused": lambda c: (
        f"{c.right.total - c.right.good:,} of {c.right.total:,}" if c.right.total else "-"
    ),
    "right rules undecided": lambda c: f"{c.right.undecided:,}" if c.right.total else "-",
    "smallest error of one entry in 10,000 refused": lambda c: (
        "none" if c.smallest == float("inf") else _power(c.smallest)
    ),
    "element located when one entry is wrong": lambda c: _percent(c.located),
    "true cause among the first two": lambda c: _percent(c.cause),
    "median time of a check": lambda c: "-" if c.seconds != c.seconds else f"{1e3 * c.seconds:.1f} ms",
}
FIGURES = ("wrong", "right", "smallest", "located", "seconds")
CALLS = {"varied": "With `shapes=` or a sampler", "one-point": "With one point only"}


def _finite(value: Any) -> Any:
    """The same with non-finite floats as strings: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _percent(count: Count) -> str:
    return f"{100 * count.share():.1f}% of {count.total:,}" if count.total else "-"


def _power(value: float) -> str:
    return "-" if value != value else f"{value:.0e}"


@dataclass(frozen=True)
class Work:
    """A column to be measured: a tool by its name, how it is called, over which operations, and which figures."""

    tool: str
    call: str
    only: str | None
    quick: bool
    checks: int
    examples: int
    figures: tuple[str, ...]

    def operations(self) -> tuple[Operation, ...]:
        chosen = tuple(o for o in OPERATIONS if self.only is None or self.only in o.name)
        return chosen[::5] if self.quick and self.only is None else chosen


def measure(work: Work) -> Column:
    """All the figures of one tool; the right rules and the location are the same question in both tables."""
    warnings.simplefilter("ignore")  # wrong rules overflow and divide by zero; that is what they are for
    tool, operations, one_point = TOOLS[work.tool], work.operations(), work.call == "one-point"
    figures, checks, examples = work.figures, work.checks, work.examples
    column, started = Column(tool.name), time.perf_counter()
    if "wrong" in figures:
        column.wrong, column.reachable, column.cause = measures.wrong_rules(
            tool, operations, one_point, examples
        )
    if "right" in figures and not one_point:
        column.right = measures.right_rules(tool, operations, checks, 1 if tool.explains else 10)
    if "smallest" in figures:
        column.smallest = measures.smallest_error(tool, one_point)
    if "located" in figures and tool.locates and one_point:
        column.located = measures.located(tool, operations)
    if "seconds" in figures:
        column.seconds = measures.median_seconds(tool, operations, one_point, examples)
    said = f"{', '.join(figures)} measured in {time.perf_counter() - started:.0f} s"
    print(f"{work.call}: {work.tool}: {said}", file=sys.stderr, flush=True)
    return column


def measured(works: list[Work], jobs: int, keep: Callable[[dict[Work, Column]], None]) -> dict[Work, Column]:
    """Every column, `keep` told of those there are after each; with several jobs the times are taken last."""
    found: dict[Work, Column] = {}

    def came(work: Work, column: Column) -> None:
        found[work] = column
        keep(found)

    if jobs == 1:
        for work in works:
            came(work, measure(work))
        return found
    untimed = {work: replace(work, figures=tuple(f for f in work.figures if f != "seconds")) for work in works}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(measure, part): work for work, part in untimed.items() if part.figures}
        for done in as_completed(running):
            came(running[done], done.result())
    for work in works:
        if "seconds" in work.figures:
            seconds = measure(replace(work, figures=("seconds",))).seconds
            came(work, replace(found.get(work, Column(TOOLS[work.tool].name)), seconds=seconds))
    return found


def table(title: str, columns: list[Column]) -> str:
    """The figures as a Markdown table, a tool a column; rows that no tool has are left out."""
    lines = [
        f"### {title}",
        "",
        "| figure | " + " | ".join(c.tool for c in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name, show in ROWS.items():
        cells = [show(column) for column in columns]
        if set(cells) != {"-"}:
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(columns: list[Column]) -> str:
    """Wrong rules passed, right rules refused, elements and causes missed, with what the tool said."""
    lines = []
    for column in columns:
        for name in ("wrong", "reachable", "right", "located", "cause"):
            for failure in getattr(column, name).failures:
                lines.append(f"[{column.tool}] {name}: {failure}")
    return "\n".join(lines)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.power", description=str(__doc__).split("\n\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="every fifth operation, 300 checks")
    parser.add_argument("--tools", default=",".join(DEFAULT), help=f"of {', '.join(TOOLS)}")
    parser.add_argument("--only", metavar="OP", help="operations whose name contains OP")
    parser.add_argument("--figures", default=",".join(FIGURES), help=f"of {', '.join(FIGURES)}")
    parser.add_argument(
        "--checks", type=int, help="of right rules (10,000); the other tools do every tenth of them"
    )
    parser.add_argument("--examples", type=int, default=20, help="points a check")
    parser.add_argument(
        "--calls", choices=("both", "varied", "one-point"), default="both", help="which of the two tables"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure and failure there")
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes, a column each (1)")
    parser.add_argument(
        "--list-failures", action="store_true", help="print what each tool got wrong, and its words"
    )
    arguments = parser.parse_args(given)
    for name in arguments.tools.split(","):
        if name not in TOOLS:
            parser.error(f"--tools: no tool {name!r}; choose from {', '.join(TOOLS)}")
        if missing := [package for package in TOOLS[name].needs if not importlib.util.find_spec(package)]:
            without = ",".join(other for other in arguments.tools.split(",") if other != name)
            parser.error(f"{name} needs {missing[0]}: pip install -e '.[bench]', or --tools {without}")
    for name in arguments.figures.split(","):
        if name not in FIGURES:
            parser.error(f"--figures: no figure {name!r}; choose from {', '.join(FIGURES)}")
    if arguments.jobs < 1:
        parser.error(f"--jobs: {arguments.jobs} is no number of processes; give 1 or more")
    return arguments


def main(given: list[str] | None = None) -> int:
    arguments = _arguments(given)
    calls = [call for call in CALLS if arguments.calls in ("both", call)]
    works = [
        Work(
            tool,
            call,
            arguments.only,
            arguments.quick,
            arguments.checks or (300 if arguments.quick else 10_000),
            arguments.examples,
            tuple(arguments.figures.split(",")),
        )
        for call in calls
        for tool in arguments.tools.split(",")
    ]
    if not works[0].operations():
        print(f"no operation's name contains {arguments.only!r}", file=sys.stderr)
        return 2

    def by_call(found: dict[Work, Column]) -> dict[str, list[Column]]:
        made = {call: [found[work] for work in works if work in found and work.call == call] for call in calls}
        return {call: columns for call, columns in made.items() if columns}

    def keep(found: dict[Work, Column]) -> None:  # after each column: a long run that is broken off loses little
        if arguments.json:
            report = {call: [asdict(column) for column in columns] for call, columns in by_call(found).items()}
            arguments.json.write_text(json.dumps(_finite(report), indent=1, allow_nan=False))

    for call, columns in by_call(measured(works, arguments.jobs, keep)).items():
        print(table(CALLS[call], columns), end="\n\n", flush=True)
        if arguments.list_failures:
            print(failures(columns), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
