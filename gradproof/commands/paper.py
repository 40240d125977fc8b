"""`gradproof paper`: every printed claim of the paper, evaluated literally, judged, and put right."""

import json
from contextlib import ExitStack
from pathlib import Path

import click

# The engine is imported inside the command: help and a wrong option answer without it.


@click.command("paper", short_help="Evaluate what the paper prints, claim by claim.")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the samples.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the verdicts as JSON."
)
@click.option(
    "--errata",
    "errata_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the errata, conventions and choices as a Markdown page.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only what does not hold as printed, and the summary.")
def command(
    ids: tuple[str, ...], seed: int, json_file: Path | None, errata_file: Path | None, quiet: bool
) -> int:
    """Evaluate what the paper prints and say whether it holds, holds under a convention, or is refuted.

    ID is a claim such as eq-9, or the beginning of ids up to "/" or "-", such as eq-29 or table-2; given
    one, each line is shown with its value on a small example and the right form beside it. Without one,
    all claims are listed by section.

    Exit code: 0 every claim was evaluated (a refuted one is a result), 1 an entry contradicts what was
    evaluated.
    """
    from gradproof.claims import report
    from gradproof.claims.check import check_paper
    from gradproof.errors import InputError
    from gradproof.reporting.files import WholeFile
    from gradproof.reporting.screen import show

    if errata_file and ids:
        raise InputError("--errata is a page of the whole paper; leave out the ids")
    with ExitStack() as files:
        facts = files.enter_context(WholeFile(json_file)) if json_file else None
        errata = files.enter_context(WholeFile(errata_file)) if errata_file else None
        paper, findings = check_paper(ids, seed=seed)
        if facts:
            facts.write(json.dumps(report.as_json(findings), indent=1, allow_nan=False) + "\n")
        if errata:
            from gradproof.claims.choices import measure
            from gradproof.claims.errata import page

            errata.write(page(paper, findings, measure()))
    show(report.details(findings) if ids else report.table(paper, findings, quiet))
    show([("", ""), *((line, "") for line in report.summary(paper, findings))])
    return 1 if any(finding.faults for finding in findings) else 0


paper = command
