"""`gradproof report`: every derivative against every oracle, a row an equation and gradient."""

import json
import sys
import textwrap
import time
from contextlib import ExitStack
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradproof.rows import ORACLES

if TYPE_CHECKING:
    from gradproof.run import Run

# The rest of the engine is imported inside the command: help and a wrong option answer without it.


@click.command()
@click.argument("equations", nargs=-1, metavar="[EQUATION]...")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the samples.")
@click.option("--examples", type=click.IntRange(min=1), help="Samples an equation (default: the whole pool).")
@click.option(
    "--oracle",
    "oracles",
    multiple=True,
    type=click.Choice(ORACLES),
    metavar="NAME",
    help=f"Only this oracle: {', '.join(ORACLES)}. May be given again.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report as JSON as well.",
)
@click.option(
    "-k", "keyword", default="", metavar="EXPRESSION", help="Only equations whose name or title matches."
)
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first derivative that is wrong.")
@click.option("-q", "--quiet", is_flag=True, help="Only what is wrong or undecided, and the summary.")
@click.option("--no-cache", is_flag=True, help="Do without JAX's compilation cache on disk.")
def command(
    equations: tuple[str, ...],
    seed: int,
    examples: int | None,
    oracles: tuple[str, ...],
    json_file: Path | None,
    keyword: str,
    first_failure: bool,
    quiet: bool,
    no_cache: bool,
) -> int:
    """Hold each derivative against each oracle and print a row an equation and gradient.

    EQUATION is a name, such as dense, or a number of the paper, such as 13 or 20-softmax; without one, all
    are checked, and the summary ends with what the paper's printed claims came to (some 10 s more;
    `gradproof paper` lists them).

    Exit code: 0 all right, 1 something is wrong, 4 something is undecided, 5 nothing was selected.
    """
    from gradproof import report, run
    from gradproof.config import find_project
    from gradproof.files import WholeFile
    from gradproof.oracles.compilation import use_cache
    from gradproof.screen import show
    from gradproof.selection import select

    started = time.monotonic()
    with ExitStack() as files:
        out = files.enter_context(WholeFile(json_file)) if json_file else None
        project = find_project()
        chosen = select(project.equations, equations, keyword)
        if no_cache:
            use_cache(None)
        done = run.check_all(
            project,
            chosen,
            seed=seed,
            examples=examples,
            oracles=oracles,
            first_failure=first_failure,
            quiet=quiet,
        )
        by_name = {equation.name: equation for equation in chosen}
        summary = report.summarize(done.results, by_name, project.numbered)
        seconds = time.monotonic() - started
        show(report.body(done.results, by_name, quiet))
        is_paper = bool(project.numbered) and not (equations or keyword)
        lines, counts = _claims(seed, done) if is_paper and done.complete else ([], {})
        if out:
            facts = {
                "complete": done.complete,
                "seed": seed,
                "examples": examples,
                "oracles": list(oracles),
                "seconds": round(seconds, 1),
                "folder": str(project.folder),
                "versions": run.versions(),
                "command": sys.argv[1:],
                "claims": counts,
            }
            plain = report.as_json(done.results, by_name, summary, **facts)
            out.write(json.dumps(plain, indent=1, allow_nan=False) + "\n")
    show((line, "") for line in report.closing(summary, str(project.folder), seconds, run.versions(), seed, lines))
    if done.interrupted:
        click.echo(f"gradproof: interrupted after {len(done.results)} of {len(chosen)} equations", err=True)
        return 130
    return 1 if counts.get("faults") else report.exit_code(done.results)


def _claims(seed: int, done: "Run") -> tuple[list[str], dict[str, int]]:
    """What the paper's printed claims came to: lines, and the counts; nothing where Ctrl-C ends the run."""
    from gradproof import report
    from gradproof.claims.check import check_paper
    from gradproof.claims.report import figures, summary

    try:
        paper, findings = check_paper(seed=seed)
    except KeyboardInterrupt:
        done.interrupted, done.complete = True, False
        return [], {}
    # the counts, and entries at fault; the errors that follow a blank line are `gradproof paper`'s
    said = " ".join(takewhile(bool, summary(paper, findings)))
    return textwrap.wrap(f"The paper prints {said}", report.WIDTH), figures(findings)
