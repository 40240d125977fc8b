"""What a check costs: gradproof beside the field's checkers, in time and in evaluations, from 10 to 100,000 entries.

    python -m benchmarks checks [--quick] [--json FILE]

Every checker judges the same right rule at one and the same point. gradproof is timed there alone (one sample through
every oracle, and the sample beside it), and as it is called by default: 20 samples and what they are turned into. A
time is the least of several calls, CPU seconds of this process, everything imported and compiled before; "jax cold"
has to compile first, with no cache to take a program from.
"""

import importlib.util
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.corpus import OPERATIONS, Operation
from benchmarks.corpus.calling import Point, copied
from benchmarks.tools import TOOLS, Question, Tool
from benchmarks.tools.tool import EXAMPLES

SIZES = (10, 100, 1_000, 10_000, 100_000)
CALLS, SECONDS = 9, 1.0  # of one contender at one size: at most so many calls, and no further one after so long
LONG = 8.0  # seconds: a checker that needed so long is not asked at ten times the size, which may take 100 times that
OTHERS = ("gradcheck-slow", "gradcheck-fast", "jax", "autograd")
REFERENCES: dict[str, tuple[str, ...]] = {
    "alone": (),
    "torch": ("torch",),
    "jax": ("jax",),
    "torch and jax": ("torch", "jax"),
}


def point(name: str, entries: int) -> Point:
    """A point of so many input entries in all, sizes 2 and more."""
    rng = np.random.default_rng(entries)
    if name == "dense":
        side = max(2, round((entries / 2) ** 0.5))
        return rng.standard_normal((side, side)), rng.standard_normal((side, side)), rng.standard_normal(side)
    return (rng.standard_normal((entries // 5, 5)),)


NAMES = ("tanh", "log_softmax", "dense")
QUICK = {"sizes": SIZES[:3]}


def run(
    *,
    names: Sequence[str] = NAMES,
    sizes: Sequence[int] = SIZES,
    calls: int = CALLS,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> list[dict[str, Any]]:
    """A record for each operation and size: by contender seconds and evaluations, and the forward's own seconds."""
    given = OPERATIONS.values() if isinstance(OPERATIONS, dict) else OPERATIONS
    operations = {operation.name: operation for operation in given}
    records: list[dict[str, Any]] = []
    for name in names:
        tired: set[str] = set()
        for entries in sizes:
            at = point(name, entries)
            record: dict[str, Any] = {"name": name, "entries": entries, "seconds": {}, "evaluations": {}}
            record["forward"] = _least(partial(operations[name].forward, *at), 5 * calls, SECONDS / 4)
            for who, contender in _contenders(operations[name], at).items():
                if who in tired:
                    continue
                seconds, counted = _timed(contender, operations[name], calls)
                record["seconds"][who], record["evaluations"][who] = seconds, counted
                if seconds > LONG:
                    tired.add(who)
            records.append(record)
            say(_line(record))
    return records


def _contenders(operation: Operation, at: Point) -> dict[str, Callable[[Operation], None]]:
    """What is timed: each takes the operation, whose forward and rule may count their calls."""

    def ours(references: tuple[str, ...], examples: int | None) -> Callable[[Operation], None]:
        def check(asked: Operation) -> None:
            import gradproof

            known = {framework: getattr(asked, framework) for framework in references}
            rule = next(iter(asked.right.values()))
            if not gradproof.check_vjp(asked.forward, rule, copied(at), examples=examples, **known).ok:
                raise AssertionError(f"{asked.name}: the right rule did not pass")

        return check

    def theirs(tool: Tool) -> Callable[[Operation], None]:
        def check(asked: Operation) -> None:
            tool.check(Question(asked, next(iter(asked.right.values())), point=at))

        return check

    def cold(asked: Operation) -> None:
        from gradproof.oracles import compilation, jax

        before = compilation._store, compilation._chosen
        compilation._store, compilation._chosen = None, True
        jax._programs.clear()
        try:
            ours(("jax",), None)(asked)
        finally:
            compilation._store, compilation._chosen = before

    made = {f"sample, {who}": ours(references, 1) for who, references in REFERENCES.items()}
    made |= {f"default, {who}": ours(references, None) for who, references in REFERENCES.items()}
    present = [who for who in OTHERS if who != "autograd" or importlib.util.find_spec("autograd")]
    return {**made, "default, jax cold": cold, **{who: theirs(TOOLS[who]) for who in present}}


def _timed(contender: Callable[[Operation], None], operation: Operation, calls: int) -> tuple[float, dict[str, int]]:
    """Seconds of the quickest call, and how often it evaluated the forward and the rule."""
    counted: Counter[str] = Counter()

    def counting(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*arguments: Any) -> Any:
            counted[what] += 1
            return function(*arguments)

        return counts

    rules = {name: counting("vjp", rule) for name, rule in operation.right.items()}
    # the parameters' names are the forward's, and so they stay
    counting_forward = counting("forward", operation.forward)
    counting_forward.__wrapped__ = operation.forward  # type: ignore[attr-defined]  # as functools.wraps would
    contender(replace(operation, forward=counting_forward, right=rules))
    return _least(lambda: contender(operation), calls, SECONDS), dict(counted)


def _least(call: Callable[[], Any], calls: int, seconds: float) -> float:
    """CPU seconds of the quickest of some calls."""
    best, spent = float("inf"), 0.0
    for _ in range(calls):
        started = time.process_time()
        call()
        lasted = time.process_time() - started
        best, spent = min(best, lasted), spent + lasted
        if spent > seconds:
            break
    return best


# ---- what is to be reached, and the tables


def _ratio(record: dict[str, Any], one: str, other: str) -> float:
    seconds = record["seconds"]
    return float(seconds[one] / seconds[other]) if one in seconds and other in seconds else float("nan")


def figures(records: Sequence[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """What is to be reached: words, the worst figure over the operations, and the most it may be (ms or a ratio)."""
    by = {(r["name"], r["entries"]): r for r in records}
    names = list(dict.fromkeys(r["name"] for r in records))

    def worst(entries: int, figure: Callable[[dict[str, Any]], float]) -> float:
        return max((figure(by[name, entries]) for name in names if (name, entries) in by), default=float("nan"))

    def growth(name: str, who: str) -> float:
        if (name, 1_000) not in by or (name, 100_000) not in by:
            return float("nan")
        small, large = by[name, 1_000], by[name, 100_000]
        own = large["forward"] / small["forward"]
        return float(large["seconds"][who] / small["seconds"][who] / own)

    def ms(who: str, share: int = 1) -> float:
        return 1e3 * worst(100, lambda r: r["seconds"][who]) / share

    slow = worst(1_000, lambda r: _ratio(r, "default, torch and jax", "gradcheck-slow") / EXAMPLES)
    found = [
        (
            f"ms of a sample through every oracle at 100 entries, of {EXAMPLES}",
            ms("default, torch and jax", EXAMPLES),
            3.0,
        ),
        ("time of that at 1,000 entries, over torch gradcheck's slow mode", slow, 1 / 50),
        ("ms of a default check without references, at 100", ms("default, alone"), 500.0),
        ("ms of a default check with torch, at 100", ms("default, torch"), 1000.0),
        ("ms of a default check with jax, cold, at 100", ms("default, jax cold"), 2500.0),
    ]
    for who in ("default, alone", "default, torch", "sample, torch and jax"):
        most = max((growth(name, who) for name in names), default=float("nan"))
        found.append((f"growth from 1,000 to 100,000 over the forward's own: {who}", most, 100**0.1))
    return found


def _plain(figure: float) -> str:
    return f"{figure:.3g}" if figure < 1000 else f"{figure:,.0f}"


def tables(records: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: what is to be reached; then times and evaluations by size, for each operation."""
    reached = [
        f"| {words} | {_plain(most)} | {_plain(figure)} | {'yes' if figure <= most else 'no'} |"
        for words, figure, most in figures(records)
        if figure == figure
    ]
    made = ["\n".join(["| a check | at most | is | reached |", "|---|---:|---:|---|", *reached])]
    sizes = list(dict.fromkeys(r["entries"] for r in records))
    for name in dict.fromkeys(r["name"] for r in records):
        rows = [r for r in records if r["name"] == name]
        whos = list(dict.fromkeys(who for r in rows for who in r["seconds"]))
        lines = [f"| {name} |{''.join(f' {size:,} |' for size in sizes)} evaluations at {sizes[-1]:,} |"]
        lines.append("|---|" + "---:|" * (len(sizes) + 1))
        for who in whos:
            cells = "".join(f" {_time(r['seconds'].get(who))} |" for r in rows)
            last = next((r for r in reversed(rows) if who in r["evaluations"]), None)
            counted = last["evaluations"][who] if last else {}
            said = f"{counted.get('forward', 0):,} + {counted.get('vjp', 0):,}"
            said += f" at {last['entries']:,}" if last is not None and last is not rows[-1] else ""
            title = TOOLS[who].name if who in TOOLS else f"gradproof, {who}"
            lines.append(f"| {title} |{cells} {said} |")
        made.append("\n".join(lines))
    return made


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{1e3 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def _line(record: dict[str, Any]) -> str:
    times = "  ".join(f"{who} {_time(seconds)}" for who, seconds in record["seconds"].items())
    return f"{record['name']} {record['entries']:,}: forward {_time(record['forward'])}  {times}"
