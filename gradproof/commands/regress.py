"""`gradproof regress`: today's results against the committed baseline."""

from pathlib import Path

import click


@click.command()
@click.argument("equations", nargs=-1, metavar="[EQUATION]...")
@click.option(
    "--baseline",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The baseline (default: baseline.json beside pyproject.toml).",
)
@click.option(
    "-k", "keyword", default="", metavar="EXPRESSION", help="Only equations whose name or title matches."
)
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first derivative that is wrong.")
@click.option("-q", "--quiet", is_flag=True, help="Only what got worse.")
def command(
    equations: tuple[str, ...], file: Path | None, keyword: str, first_failure: bool, quiet: bool
) -> int:
    """Check again with the baseline's own seed and examples, and say what got worse, a line each.

    Exit code: 0 nothing got worse, 1 something did, 2 there is no baseline, 5 nothing was selected.
    """
    from gradproof import baseline, run
    from gradproof.config import find_project, same_checkout
    from gradproof.selection import select

    same_checkout()
    project = find_project()
    file = file or project.root / baseline.NAME
    was = baseline.read(file)
    chosen = select(project.equations, equations, keyword)
    if not quiet:
        click.echo(f"Judging {project.folder} against {file}")
    done = run.check_all(
        project,
        chosen,
        seed=was.seed,
        examples=was.examples,
        oracles=None,
        first_failure=first_failure,
        quiet=quiet,
    )
    versions = run.versions()
    now = baseline.of_results(done.results, seed=was.seed, examples=was.examples, versions=versions)
    checked = {result.name for result in done.results}
    whole = done.complete and not equations and not keyword
    worse = baseline.regressions(was, now, None if whole else sorted(checked))
    for text in worse:
        click.echo(text)
    moved = baseline.moved(was.versions, versions)
    if moved:
        click.echo(
            f"The baseline has other versions ({', '.join(moved)}): what got worse may come with them."
        )
    if done.interrupted:
        click.echo(f"gradproof: interrupted after {len(done.results)} of {len(chosen)} equations", err=True)
        return 130
    if not quiet:
        left = "" if whole else f" ({len(project.equations) - len(checked)} equations were left out)"
        verdict = f"{len(worse)} regressions" if worse else "nothing got worse"
        click.echo(f"{len(now.entries)} lines of {len(checked)} equations compared{left}: {verdict}.")
    return 1 if worse or any(result.refused for result in done.results) else 0
