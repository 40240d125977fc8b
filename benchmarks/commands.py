"""What the whole commands take, on the wall and on every core, and where the report's time goes.

    gradproof bench commands [--quick] [--json FILE]

Each in a process of its own, the least of a few. Cold is an empty compilation cache, with the packages' files in
memory. The profile is the time inside each function of a report in one process, by what the function belongs to; the
profiler itself makes Python's own part look larger than it is.
"""

import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import race

ROOT = Path(__file__).resolve().parents[1]
IMPORTS = ("-c", "import numpy, torch, jax")
REPORT = ("-m", "gradproof", "report", "-q")
THOROUGH = (*REPORT, "--examples", "200")
# four equations whose shapes are free for JAX as well, so that each is compiled anew
TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=thorough", "tests/test_properties.py")
FEW = ("-k", "test_values_and_gradients and (relu or softmax or tanh or sigmoid) and not deep and not cross")

COMMANDS: dict[str, tuple[str, ...]] = {
    "import": IMPORTS,
    "report": REPORT,
    "report -j 1": (*REPORT, "-j", "1"),
    "report, cold": REPORT,
    "report of 200 samples -j 1": (*THOROUGH, "-j", "1"),
    "report of 200 samples -j 2": (*THOROUGH, "-j", "2"),
    "thorough tests -n 1": (*TESTS, *FEW, "-n", "1"),
    "thorough tests -n 2": (*TESTS, *FEW, "-n", "2"),
    "quick tests -n 2": ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"),
}
ONCE = ("thorough tests -n 1", "thorough tests -n 2", "quick tests -n 2")  # minutes each
PROFILE = "profile"
NAMES = (*COMMANDS, PROFILE)
TURNS = 3
QUICK = {"turns": 1, "skip": (*ONCE, "report, cold")}
PROFILED = """
import cProfile, sys
from gradproof.cli import run
profile = cProfile.Profile()
profile.runcall(run, ["report", "-q", "-j", "1"])
profile.dump_stats(sys.argv[1])
"""
# what a file belongs to: the first part of its path that is named here
PARTS = {
    "importlib": "importing",
    "torch": "PyTorch",
    "jax": "JAX",
    "jaxlib": "JAX",
    "sympy": "symbols of the claims",
    "mpmath": "symbols of the claims",
    "flint": "balls",
    "derivs": "the derivatives",
    "reference": "the references' forwards",
    "numpy": "NumPy's own Python",
    "gradproof": "the engine",
}
INSIDE = {  # of the engine
    "ball": "balls",
    "dual": "balls",
    "elementary": "balls",
    "proof": "balls",
    "differences": "differences",
    "ladder": "differences",
    "analytic": "differences",
    "rays": "differences",
    "slope": "differences",
    "kink": "kinks",
    "convex": "kinks",
    "contract": "contract",
    "torch": "PyTorch",
    "autodiff": "PyTorch",
    "jax": "JAX",
    "compilation": "JAX",
    "store": "JAX",
    "fingerprint": "JAX",
    "claims": "the claims",
    "symbolic": "the claims",
}


def run(
    *,
    names: Sequence[str] = NAMES,
    say: Callable[[str], None] = print,
    turns: int = TURNS,
    skip: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """A record a command, `seconds` on the wall; and one of the profile, seconds by what they belong to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))  # a command has every core
    records: list[dict[str, Any]] = []
    for name in names:
        if name in skip:
            continue
        if name == PROFILE:
            records.append({"name": name, "parts": _profile()})
        else:
            _seconds(name)  # files and caches are warm
            count = 1 if name in ONCE else turns
            records.append({"name": name, "seconds": min(_seconds(name) for _ in range(count))})
            say(f"{name}: {records[-1]['seconds']:.1f} s")
    return records


def _seconds(name: str) -> float:
    with tempfile.TemporaryDirectory() as empty:
        started = time.perf_counter()
        _call(COMMANDS[name], {"XDG_CACHE_HOME": empty} if name.endswith("cold") else {})
        return time.perf_counter() - started


def _call(arguments: Sequence[str], further: dict[str, str]) -> None:
    here = {key: value for key, value in os.environ.items() if key not in race.environment(1)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**here, **further}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {(done.stderr or done.stdout)[-400:]}")


def _profile() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "report.prof")
        _call(("-c", PROFILED, file), {})
        return parts_of(pstats.Stats(file).stats)  # type: ignore[attr-defined]  # documented nowhere, there since 2.x


def parts_of(stats: dict[Any, Any]) -> dict[str, float]:
    """Seconds inside functions by what they belong to; a built-in function belongs to those that call it."""
    found: Counter[str] = Counter()
    for (file, _, function), (_, _, inside, _, callers) in stats.items():
        if file == "~" and callers:
            for (caller, _, name), (_, _, part, _) in callers.items():
                found[_part(caller, name)] += part
        else:
            found[_part(file, function)] += inside
    return dict(found.most_common())


def _part(file: str, function: str) -> str:
    if function == "<module>" or "importlib" in file:
        return "importing"
    path = Path(file)
    owner = next((PARTS[part] for part in path.parts if part in PARTS), None)
    if owner is None:
        return "the rest"
    if owner == "the engine":
        words = (*path.parent.name.split("_"), *path.stem.split("_"))
        return next((INSIDE[word] for word in words if word in INSIDE), owner)
    return owner


# ---- tables


def figures(records: Sequence[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """What is to be reached: words, the figure, and the most it may be."""
    took = {record["name"]: record["seconds"] for record in records if "seconds" in record}
    found = []
    for words, one, other, most in (
        ("the report, warm, over the import of numpy, torch and jax", "report", "import", 4.0),
        ("a report of 200 samples on two cores, over one", *(f"report of 200 samples -j {n}" for n in (2, 1)), 1 / 1.6),
        ("the thorough tests on two cores, over one", *(f"thorough tests -n {n}" for n in (2, 1)), 1 / 1.6),
    ):
        if one in took and other in took:
            found.append((words, took[one] / took[other], most))
    seconds = (("the report, cold, seconds", "report, cold"), ("the quick tests, warm, seconds", "quick tests -n 2"))
    return [*found, *((words, took[name], 60.0) for words, name in seconds if name in took)]


def tables(records: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown: what is to be reached; then every command, and where the report's time goes."""
    reached = [
        f"| {words} | {most:.3g} | {figure:.3g} | {'yes' if figure <= most else 'no'} |"
        for words, figure, most in figures(records)
    ]
    made = ["\n".join(["| a command | at most | is | reached |", "|---|---:|---:|---|", *reached])]
    timed = [f"| {record['name']} | {record['seconds']:.1f} s |" for record in records if "seconds" in record]
    made.append("\n".join(["| command | on the wall |", "|---|---:|", *timed]))
    for record in records:
        if parts := record.get("parts"):
            whole = sum(parts.values())
            lines = [f"| {part} | {took:.2f} s | {took / whole:.0%} |" for part, took in parts.items()]
            head = "| where a warm report's time goes, profiled | inside | share |"
            made.append("\n".join([head, "|---|---:|---:|", *lines]))
    return made
