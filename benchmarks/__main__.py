"""Runs benchmarks, prints their tables and keeps the figures: what `gradproof bench` starts.

    python -m benchmarks [BENCHMARK ...] [--quick] [--no-compile] [--only NAME] [--threads N] [--json FILE]

A benchmark is a module of this package, named in BENCHMARKS, with

    NAMES                                 of what it times
    run(names=, say=, ...) -> records     plain dicts, as they go into the JSON file; `say` tells of progress
    tables(records) -> list of Markdown   pure: the README is made of the kept records
    QUICK, UNCOMPILED                     further arguments of `run`, for a first look and without torch.compile;
                                          either may be missing

Threads are set before NumPy, PyTorch or JAX is imported, which is why modules are imported late here.
"""

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks import race

BENCHMARKS = ("kernels", "checks", "commands")


def present() -> list[str]:
    return [name for name in BENCHMARKS if importlib.util.find_spec(f"benchmarks.{name}")]


def measure(
    names: Sequence[str], *, settings: Sequence[str] = (), only: Sequence[str] = (), say: Callable[[str], None]
) -> dict[str, Any]:
    """The records of each benchmark by its name, and the machine they were taken on."""
    found = {}
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        chosen = [one for one in module.NAMES if one in only or not only]
        if chosen:
            say(f"{name}:")
        further = {key: value for setting in settings for key, value in getattr(module, setting, {}).items()}
        found[name] = module.run(names=chosen, say=say, **further)
    return {"machine": race.machine(), "settings": [*settings], **found}


def text(figures: dict[str, Any]) -> str:
    """The machine, and the tables of each benchmark that was run."""
    return "\n\n".join([race.told(figures["machine"]), *chain.from_iterable(shown(figures).values())])


def shown(figures: dict[str, Any]) -> dict[str, list[str]]:
    """The tables of each benchmark that was run, by its name."""
    ran = [name for name in BENCHMARKS if figures.get(name)]
    return {name: importlib.import_module(f"benchmarks.{name}").tables(figures[name]) for name in ran}


def _refuse(why: str, code: int = 2) -> int:
    print(f"gradproof: {why}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="gradproof bench", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(present())} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a first look")
    parser.add_argument("--no-compile", action="store_true", help="without torch.compile, which takes most of the time")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this operation or network")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of every library (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.benchmarks if name not in present()]:
        return _refuse(f"no benchmark is named {', '.join(unknown)}; choose from {', '.join(present())}")
    os.environ.update(race.environment(given.threads))
    race.pin(given.threads)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    names = given.benchmarks or present()
    from gradproof.errors import InputError
    from gradproof.reporting.files import WholeFile

    try:
        file = WholeFile(given.json) if given.json else None  # before minutes are spent
    except InputError as error:
        return _refuse(str(error))
    with file or nullcontext():
        settings = [*["QUICK"] * given.quick, *["UNCOMPILED"] * given.no_compile]
        figures = measure(names, settings=settings, only=given.only, say=say)
        if not any(figures[name] for name in names):
            return _refuse(f"nothing to time is named {', '.join(given.only)}", 5)
        print(text(figures))
        if file:
            file.write(json.dumps(figures, indent=1, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
