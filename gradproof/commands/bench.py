"""`gradproof bench`: how fast the hand-written derivatives and the checks are, beside the frameworks.

The benchmarks live beside the package in a checkout, not in it: they time this project's own derivatives and
need every framework. They run in a process of their own, whose threads are set before anything is imported.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import click


@click.command(short_help="Time derivatives and checks beside PyTorch and JAX.")
@click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...")
@click.option("--quick", is_flag=True, help="A first look: small sizes, fewer turns, without torch.compile.")
@click.option("--no-compile", is_flag=True, help="Without torch.compile, which takes most of the time.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this operation or network. May be given again.")
@click.option(
    "--threads", default=1, show_default=True, type=click.IntRange(min=1), help="Threads of every library."
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the figures as JSON."
)
def command(
    benchmarks: tuple[str, ...],
    quick: bool,
    no_compile: bool,
    only: tuple[str, ...],
    threads: int,
    json_file: Path | None,
) -> int:
    """Time each BENCHMARK (kernels, checks, commands; default: all) beside PyTorch and JAX, and print its tables.

    Side by side in one process, in turns, the least of many turns. It takes about half an hour, five minutes
    with --no-compile; PyTorch keeps what it compiled for the next run. Runs in a checkout of gradproof only.

    Exit code: 0 measured, 5 nothing was selected.
    """
    from gradproof.errors import InputError

    root = checkout()
    if root is None:
        raise InputError(
            "the benchmarks are not part of the installed package; run gradproof bench in a clone of its repository"
        )
    words = [*benchmarks, "--threads", str(threads)]
    for name in only:
        words += ["--only", name]
    words += [*["--quick"] * quick, *["--no-compile"] * no_compile]
    if json_file:
        words += ["--json", str(json_file.absolute())]
    return subprocess.run([sys.executable, "-m", "benchmarks", *words], check=False, cwd=root).returncode


def checkout() -> Path | None:
    """The root of the checkout that gradproof runs from or that this folder is in."""
    here = Path.cwd()
    for folder in (Path(__file__).parents[2], here, *here.parents):
        if (folder / "benchmarks" / "kernels.py").is_file() and _ours(folder / "pyproject.toml"):
            return folder
    return None


def _ours(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return bool(tomllib.load(opened).get("project", {}).get("name") == "gradproof")
    except (OSError, tomllib.TOMLDecodeError):
        return False
