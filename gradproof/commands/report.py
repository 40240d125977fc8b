"""`gradproof report`: every derivative against every oracle, a row an equation and gradient."""

import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradproof.reporting.rows import ORACLES

if TYPE_CHECKING:
    from gradproof.reporting.outcome import Outcome, Picture

# The rest of the engine is imported inside the command: help and a wrong option answer without it.


def _file(name: str, words: str) -> Callable[[Any], Any]:
    """The option of one format."""
    path = click.Path(path_type=Path)
    return click.option(f"--{name}", f"{name}_file", type=path, metavar="FILE", help=f"Write the report as {words}.")


@click.command(short_help="Hold each derivative against each oracle.")
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
@_file("html", "one page for a browser: formulas, pictures, the paper's claims")
@_file("json", "JSON; docs/report.schema.json says what is in it")
@_file("junit", "JUnit XML, a test case a gradient and oracle")
@_file("markdown", "Markdown that fits a pull request's comment")
@click.option(
    "-k", "keyword", default="", metavar="EXPRESSION", help="Only equations whose name or title matches."
)
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first derivative that is wrong.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes to use (default: as many as are worth while).",
)
@click.option("-q", "--quiet", is_flag=True, help="Only what is wrong or undecided, and the summary.")
@click.option("--no-cache", is_flag=True, help="Keep no compiled programs and proofs on disk, and use none.")
def command(
    equations: tuple[str, ...],
    seed: int,
    examples: int | None,
    oracles: tuple[str, ...],
    keyword: str,
    first_failure: bool,
    jobs: int | None,
    quiet: bool,
    no_cache: bool,
    **asked: Path | None,
) -> int:
    """Hold each derivative against each oracle and print a row an equation and gradient.

    EQUATION is a name, such as dense, or a number of the paper, such as 13 or 20-softmax; without one, all
    are checked, and the summary ends with what the paper's printed claims came to (`gradproof
    paper` lists them). The formats can be combined. In GitHub Actions the step's summary and
    annotations on the lines that are wrong come by themselves.

    Exit code: 0 all right, 1 something is wrong, 4 something is undecided, 5 nothing was selected, 130
    interrupted by Ctrl-C: the files are written with what was done so far.
    """
    from gradproof import run
    from gradproof.claims.check import check_paper
    from gradproof.claims.load import load
    from gradproof.config import find_project
    from gradproof.interrupt import later
    from gradproof.oracles.compilation import use_cache
    from gradproof.reporting import github, report
    from gradproof.reporting.formats import Formats
    from gradproof.reporting.outcome import Outcome
    from gradproof.reporting.screen import show
    from gradproof.selection import select

    started = time.monotonic()
    with Formats({name.removesuffix("_file"): path for name, path in asked.items()}) as formats:
        project = find_project()
        chosen = select(project.equations, equations, keyword)
        if no_cache:
            use_cache(None)
        judged: list[tuple[Any, Any]] = []

        def claims() -> None:
            judged.append(check_paper(seed=seed, paper=load()))

        done = run.check_all(
            project,
            chosen,
            seed=seed,
            examples=examples,
            oracles=oracles,
            first_failure=first_failure,
            quiet=quiet,
            jobs=jobs,
            cache=not no_cache,
            meanwhile=claims if project.numbered and not (equations or keyword) else None,
        )
        by_name = {equation.name: equation for equation in chosen}
        outcome = Outcome(
            results=done.results,
            chosen=by_name,
            project=project,
            summary=report.summarize(done.results, by_name, project.numbered),
            complete=done.complete,
            interrupted=done.interrupted,
            seed=seed,
            examples=examples,
            oracles=oracles,
            seconds=time.monotonic() - started,
            versions=run.versions(),
            command=_again(equations, seed, examples, oracles, keyword, first_failure),
        )
        for paper, findings in judged:
            outcome = _with_claims(outcome, paper, findings)
        if "html" in formats and not outcome.interrupted:
            outcome = _with_pictures(outcome, quiet)
        folder, versions = str(project.folder), outcome.versions
        lines = report.closing(outcome.summary, folder, outcome.seconds, versions, seed, outcome.said)
        with later():
            try:
                formats.write(outcome)
            finally:  # neither keeps the other from what was found
                show([*report.body(done.results, by_name, quiet), *((line, "") for line in lines)])
            github.announce(outcome)
    if outcome.interrupted:
        click.echo(f"gradproof: {outcome.stopped}", err=True)
        return 130
    return 1 if outcome.claims.get("faults") else report.exit_code(done.results)


def _again(
    equations: tuple[str, ...],
    seed: int,
    examples: int | None,
    oracles: tuple[str, ...],
    keyword: str,
    first_failure: bool,
) -> tuple[str, ...]:
    """The arguments that judge the same again; the files are left out."""
    told = ["report", *equations, "--seed", str(seed)]
    told += ["--examples", str(examples)] if examples else []
    told += [part for oracle in oracles for part in ("--oracle", oracle)]
    told += ["-k", keyword] if keyword else []
    return (*told, *(["-x"] if first_failure else []))


def _with_claims(outcome: "Outcome", paper: Any, findings: Any) -> "Outcome":
    """And what the paper's printed claims came to."""
    from gradproof.claims.report import figures, summary
    from gradproof.reporting import report

    # the counts, and entries at fault; the errors that follow a blank line are `gradproof paper`'s
    said = " ".join(takewhile(bool, summary(paper, findings)))
    lines = textwrap.wrap(f"The paper prints {said}", report.WIDTH)
    return replace(outcome, claims=figures(findings), said=tuple(lines), paper=paper, findings=tuple(findings))


def _with_pictures(outcome: "Outcome", quiet: bool) -> "Outcome":
    """And the pictures of its page; those that were drawn where Ctrl-C ends the run."""
    from gradproof.page.pictures import draw
    from gradproof.reporting.progress import progress

    drawn: dict[str, list[Picture]] = {}
    try:
        with progress(len(outcome.results), quiet) as at:
            drawn.update(draw(outcome, at))
    except KeyboardInterrupt:
        return replace(outcome, complete=False, interrupted=True, pictures=drawn)
    return replace(outcome, pictures=drawn)
