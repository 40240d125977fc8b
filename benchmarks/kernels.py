"""How fast the hand-written derivatives are: NumPy beside PyTorch, torch.compile and jax.jit, in one run.

    gradproof bench kernels [--quick] [--only NAME] [--json FILE]

Every operation forward and backward and a training step of every network, float64 and float32, at small
sizes (LeNet's, 1 to 32 samples) and large ones. A ratio is the NumPy form's time over another's; the floor
is what NumPy's own functions need for the same work (`benchmarks.floors`).
"""

import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.cases import CASES, NAMES
from benchmarks.contenders import FRAMEWORKS, Array, Problem
from benchmarks.floors import PASSES, floor
from benchmarks.race import race

DTYPES = ("float64", "float32")
SECONDS = 0.1  # of each contender at each task
NOTHING = 3e-7  # seconds: a floor without a pass
MEMORY = 3  # times what PyTorch holds, at most
UNCOMPILED = {"frameworks": ("torch", "jax")}
QUICK = {"sizes": ("small",), "seconds": SECONDS / 4, **UNCOMPILED}


def run(
    *,
    names: Sequence[str] = NAMES,
    say: Callable[[str], None] = print,
    sizes: Sequence[str] = ("small", "large"),
    frameworks: Sequence[str] = FRAMEWORKS,
    dtypes: Sequence[str] = DTYPES,
    seconds: float = SECONDS,
) -> list[dict[str, Any]]:
    """A record for each task of each case and dtype: seconds by contender, the floor, bytes at the large sizes."""
    records: list[dict[str, Any]] = []
    for case in CASES:
        if case.name not in names or case.size not in sizes:
            continue
        for dtype in dtypes:
            problem = Problem(case, dtype)
            tasks, absent = {"numpy": problem.tasks("numpy")}, {}
            for who in frameworks:
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # torch.compile warns of its own internals
                        tasks[who] = problem.tasks(who)
                except Exception as error:  # a framework that cannot is told of, with its reason
                    absent[who] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            for what in tasks["numpy"]:
                words, passes = floor(problem, what)
                runners = {"floor": passes, **{who: made[what] for who, made in tasks.items()}}
                records.append(
                    {
                        "name": case.name,
                        "what": what,
                        "dtype": dtype,
                        "size": case.size,
                        "shapes": _shapes(problem.inputs),
                        "seconds": race(runners, seconds),
                        "floor": words,
                        "absent": absent,
                        "bytes": _memory(tasks, what) if case.size == "large" else {},
                    }
                )
                say(_line(records[-1]))
            if len(tasks["numpy"]) > 1 and case.name not in PASSES:
                records.append(_both(*records[-2:]))
    return records


def _shapes(inputs: Sequence[Array]) -> str:
    """Of the matrices and images; of the vectors where there is nothing else."""
    most = max(x.ndim for x in inputs)
    return " ".join("x".join(map(str, x.shape)) for x in inputs if x.ndim > 1 or x.ndim == most)


def _both(ahead: dict[str, Any], back: dict[str, Any]) -> dict[str, Any]:
    """Forward and backward together: what a framework's forward keeps for its backward is then paid for."""
    seconds = {who: ahead["seconds"][who] + back["seconds"][who] for who in ahead["seconds"]}
    return {**ahead, "what": "both", "seconds": seconds, "floor": f"{ahead['floor']}; {back['floor']}", "bytes": {}}


def _memory(tasks: dict[str, Any], what: str) -> dict[str, int]:
    """The most bytes held at once beyond the inputs: NumPy's allocations, and those of PyTorch's allocator.

    What a library inside PyTorch takes for itself, such as a scratch pad of oneDNN's, is not seen.
    """
    tracemalloc.start()
    tasks["numpy"][what]()
    found = {"numpy": tracemalloc.get_traced_memory()[1]}
    tracemalloc.stop()
    if "torch" in tasks:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            kept = tasks["torch"][what]()
        events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
        held = most = 0
        for event in sorted(events, key=lambda event: event.start_ns()):
            held += event.nbytes()
            most = max(most, held)
        del kept
        found["torch"] = most
    return found


# ---- what is to be reached, and the tables

@dataclass(frozen=True)
class Goal:
    """What the NumPy form's time is held to: over the "best" framework's or its "floor"'s, at most so much."""

    title: str
    to: str
    most: float


STEP = Goal("training step of a small network, over the best framework's", "best", 0.5)
DENSE = Goal("dense layer, over the best framework's", "best", 1.1)
LENET = Goal("convolution and pooling at LeNet's sizes, over the best framework's", "best", 1.0)
LARGE = Goal("convolution and pooling, large, float64, over the best framework's", "best", 1.3)
SINGLE = Goal("convolution and pooling, large, float32, over NumPy's own matrix products or passes", "floor", 1.5)
PASS = Goal("elementwise and by rows, over NumPy's own passes", "floor", 1.1)


def goal(record: dict[str, Any]) -> Goal | None:
    """What a record is held to."""
    if record["what"] == "step":
        return STEP if record["size"] == "small" else None
    if record["name"].startswith("dense"):
        return DENSE
    if elementwise(record):
        return PASS
    return LENET if record["size"] == "small" else LARGE if record["dtype"] == "float64" else SINGLE


def ratio(record: dict[str, Any], to: str) -> float:
    """The NumPy form's time over a framework's, the "best" one's or the "floor"; NaN where there is none."""
    seconds = record["seconds"]
    others = [seconds[who] for who in (FRAMEWORKS if to == "best" else [to]) if who in seconds]
    return float(seconds["numpy"] / min(others)) if others and min(others) > NOTHING else float("nan")


def reached(record: dict[str, Any]) -> bool | None:
    """Whether a record is within what it is held to; None where it is held to nothing."""
    held = goal(record)
    found = ratio(record, held.to) if held else float("nan")
    return None if held is None or found != found else found <= held.most


GROUPS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "A training step": lambda r: r["what"] == "step",
    "Dense layers, convolution, pooling": lambda r: r["what"] != "step" and not elementwise(r),
    "Elementwise and by rows": lambda r: r["what"] != "step" and elementwise(r),
}


def elementwise(record: dict[str, Any]) -> bool:
    return record["name"] in PASSES


def tables(records: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: what was to be reached; times and ratios by group, a row both dtypes; memory."""
    made = [_summary(records)]
    for title, belongs in GROUPS.items():
        if rows := [record for record in records if belongs(record)]:
            made.append(f"#### {title}\n\n{_table(rows)}")
    if rows := [record for record in records if record["bytes"].get("torch")]:
        made.append(f"#### Memory at the large sizes\n\n{_memory_table(rows)}")
    absent = dict.fromkeys(f"{who} of {r['name']}: {why}" for r in records for who, why in r["absent"].items())
    return [*made, *([f"Not measured: {'; '.join(absent)}."] if absent else [])]


def _summary(records: Sequence[dict[str, Any]]) -> str:
    """A row a goal: the median and the largest ratio, and how many are within it."""
    lines = ["| NumPy's time | to reach | median | largest | within |", "|---|---:|---:|---:|---:|"]
    for held in (STEP, DENSE, LENET, LARGE, SINGLE, PASS):
        rows = [record for record in records if goal(record) == held and reached(record) is not None]
        if rows:
            found = sorted(ratio(record, held.to) for record in rows)
            within = sum(reached(record) is True for record in rows)
            figures = f"{held.most:g} | {median(found):.2f} | {found[-1]:.2f} | {within} of {len(rows)}"
            lines.append(f"| {held.title} | {figures} |")
    return "\n".join(lines)


def _table(records: Sequence[dict[str, Any]]) -> str:
    kinds = [kind for kind in DTYPES if any(record["dtype"] == kind for record in records)]
    rows: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    for record in records:
        rows.setdefault((record["name"], record["what"], record["shapes"]), {})[record["dtype"]] = record
    others = ["torch", "compile", "jax"]
    head = "".join(f" {kind} | {' | '.join(others)} | best | floor |" for kind in kinds)
    lines = [f"| what | shapes |{head} to reach |", "|---|---|" + "---:|" * (3 + len(others)) * len(kinds) + "---|"]
    for (name, what, shapes), by_kind in rows.items():
        cells = "".join(_cells(by_kind.get(kind)) for kind in kinds)
        goals = dict.fromkeys(f"{held.to} {held.most:g}" for held in map(goal, by_kind.values()) if held)
        lines.append(f"| {name}{'' if what == 'step' else ' ' + what} | {shapes} |{cells} {', '.join(goals)} |")
    return "\n".join(lines)


def _cells(record: dict[str, Any] | None) -> str:
    """The NumPy form's time, and its ratio to each framework, to the best of them and to its floor."""
    if record is None:
        return " |" * (3 + len(FRAMEWORKS))
    held = goal(record)
    said = [_time(record["seconds"]["numpy"])]
    for to in (*FRAMEWORKS, "best", "floor"):
        found = ratio(record, to)
        mark = "**" if held and held.to == to and reached(record) is False else ""
        said.append("-" if found != found else f"{mark}{found:.2f}{mark}")
    return "".join(f" {one} |" for one in said)


def _memory_table(records: Sequence[dict[str, Any]]) -> str:
    lines = ["| what | dtype | NumPy | torch | ratio |", "|---|---|---:|---:|---:|"]
    for record in records:
        mine, theirs = (record["bytes"][who] / 2**20 for who in ("numpy", "torch"))
        if theirs >= 1:  # a gradient that PyTorch returns as a view is none of the work
            what = f"{record['name']} {record['what']}"
            mark = "**" if round(mine / theirs, 1) > MEMORY else ""
            said = f"{mine:.0f} MB | {theirs:.0f} MB | {mark}{mine / theirs:.1f}{mark}"
            lines.append(f"| {what} | {record['dtype']} | {said} |")
    return "\n".join(lines)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    value, unit = (seconds * 1e6, "µs") if seconds < 1e-3 else (seconds * 1e3, "ms")
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def _line(record: dict[str, Any]) -> str:
    times = "  ".join(f"{who} {_time(value)}" for who, value in record["seconds"].items())
    verdict = {True: "ok", False: "MISSED", None: ""}[reached(record)]
    both = f"best {ratio(record, 'best'):.2f} floor {ratio(record, 'floor'):.2f}"
    return f"{record['name']} {record['what']} {record['dtype']} {record['shapes']}  {times}  {both}  {verdict}"
