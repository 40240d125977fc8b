"""`gradproof accept`: today's results become the baseline."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--baseline",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The baseline (default: baseline.json beside pyproject.toml).",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the samples.")
@click.option("--examples", type=click.IntRange(min=1), help="Samples an equation (default: the whole pool).")
@click.option("-q", "--quiet", is_flag=True, help="Do not list what changes.")
def command(file: Path | None, seed: int, examples: int | None, quiet: bool) -> int:
    """Check everything, show what changes, and write the baseline. A wrong derivative is never accepted.

    Exit code: 0 written, 1 something is wrong and the file is as it was.
    """
    from gradproof import baseline, run
    from gradproof.config import find_project, same_checkout
    from gradproof.files import WholeFile
    from gradproof.selection import select

    same_checkout()
    project = find_project()
    file = file or project.root / baseline.NAME
    with WholeFile(file) as out:
        was = baseline.read(file) if file.exists() else None
        done = run.check_all(
            project, select(project.equations), seed=seed, examples=examples, oracles=None, quiet=quiet
        )
        if done.interrupted:
            click.echo(f"gradproof: interrupted; {file} is as it was", err=True)
            return 130
        wrong = [result for result in done.results if result.refused]
        if wrong:
            for result in wrong:
                click.echo(str(result))
            click.echo(
                f"gradproof: {', '.join(result.name for result in wrong)} refused, so {file} is as it was; "
                "put it right first",
                err=True,
            )
            return 1
        now = baseline.of_results(done.results, seed=seed, examples=examples, versions=run.versions())
        changed = baseline.changes(was, now)
        if not quiet:
            for text in changed:
                click.echo(text)
        out.write(now.dump())
    click.echo(f"{file}: {len(now.entries)} lines, {len(changed)} changed.")
    return 0
