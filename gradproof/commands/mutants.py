"""`gradproof mutants`: faults planted in the hand-written derivatives, and whether the checks notice each."""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import click


@click.command(short_help="Plant faults and see whether the checks notice.")
@click.argument("equations", nargs=-1, metavar="[EQUATION]...")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the samples.")
@click.option("--examples", type=click.IntRange(min=1), help="Samples an equation (default: the whole pool).")
@click.option(
    "-j",
    "workers",
    default=lambda: min(os.cpu_count() or 1, 8),
    show_default="one a core",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes.",
)
@click.option("-k", "keyword", default="", metavar="EXPRESSION", help="Only equations whose name or title matches.")
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first survivor.")
@click.option("-q", "--quiet", is_flag=True, help="Only survivors and the summary.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the scores, and what became of each mutant, as JSON.",
)
def command(
    equations: tuple[str, ...],
    seed: int,
    examples: int | None,
    workers: int,
    keyword: str,
    first_failure: bool,
    quiet: bool,
    json_file: Path | None,
) -> int:
    """Plant faults in the derivatives and see whether the checks notice.

    A mutant is killed when the checks refuse it, and equivalent when it is no fault: the same program, or marked in
    equivalent_mutants.toml beside the declarations, with a reason. A survivor is shown as a diff.

    Exit code: 0 all killed, 1 a mutant survived or a mark is wrong, 2 a declaration is refused as it stands,
    5 nothing was selected, 130 interrupted.
    """
    from gradproof.config import find_project, same_checkout
    from gradproof.defaults import EXAMPLES
    from gradproof.mutants import score, show
    from gradproof.mutants.campaign import Campaign
    from gradproof.reporting.files import WholeFile
    from gradproof.reporting.screen import show as put
    from gradproof.run import versions
    from gradproof.selection import select

    same_checkout()
    started = time.monotonic()
    with ExitStack() as stack:
        out = stack.enter_context(WholeFile(json_file)) if json_file else None
        project = find_project()
        chosen = [equation.name for equation in select(project.equations, equations, keyword)]
        campaign = Campaign(project, chosen, seed=seed, examples=examples or EXAMPLES)
        campaign.run(workers, first_failure=first_failure, quiet=quiet)
        scores, seconds = campaign.scores(), time.monotonic() - started
        if not quiet:
            put(show.table(scores))
        for one in scores:
            for outcome, mutant in campaign.survivors(one):
                put(show.survivor(one, outcome, mutant))
        put(show.marks(scores, str(campaign.marks.file)))
        put(show.closing(scores, seconds, seed))
        if out:
            facts = {"seed": seed, "examples": campaign.examples, "seconds": round(seconds, 1)}
            out.write(score.dump(scores, **facts, versions=versions()))
    if campaign.interrupted:
        done, total = campaign.done
        click.echo(f"gradproof: interrupted after {done} of {total} mutants", err=True)
        return 130
    return 1 if any(one.survivors or one.wrong for one in scores) else 0
