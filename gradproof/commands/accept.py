"""`gradproof accept`: today's results become the baseline."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gradproof.baseline import Baseline
    from gradproof.today import Selected, Today

# The engine is imported inside the command: help and a wrong option answer without it.


@click.command(short_help="Make today's results the baseline.")
@click.argument("equations", nargs=-1, metavar="[NAME]...")
@click.option(
    "--baseline",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The baseline (default: baseline.json beside pyproject.toml).",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the samples (default: the baseline's, or 0).")
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    help="Samples an equation (default: the baseline's, or the whole pool).",
)
@click.option(
    "--wrong",
    nargs=2,
    multiple=True,
    metavar="NAME REASON",
    help="Accept this equation although it is wrong; the reason is kept in the file. May be given again.",
)
@click.option(
    "--mutants",
    "scores_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take over the scores that `gradproof mutants --json FILE` wrote (default: mutants.json, if there).",
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Do not list what changes.")
def command(
    equations: tuple[str, ...],
    file: Path | None,
    seed: int | None,
    examples: int | None,
    wrong: tuple[tuple[str, str], ...],
    scores_file: Path | None,
    dry_run: bool,
    quiet: bool,
) -> int:
    """Check, show what changes, and write the baseline. With NAMEs only the lines of these equations or claims.

    What is wrong is refused unless --wrong names it.

    Exit code: 0 written, 1 something is wrong and the file is as it was, 2 bad input, 5 nothing to check.
    """
    from contextlib import ExitStack

    from gradproof import baseline
    from gradproof.errors import InputError
    from gradproof.found import find
    from gradproof.reporting.files import WholeFile
    from gradproof.today import measure, mutation_scores, select_here, versions

    found = find()
    file = file or found.root / baseline.NAME
    reasons = _reasons(wrong)
    with ExitStack() as files:
        out = None if dry_run else files.enter_context(WholeFile(file))
        was = baseline.read(file) if file.exists() else None
        scores = mutation_scores(found, scores_file)
        selected = select_here(found, equations)
        if was is None and not selected.whole:
            raise InputError(f"there is no baseline {file} to change some lines of; accept all: gradproof accept")
        if was is not None and not selected.whole:
            _same_run(was, seed, examples, versions(found))
        if was is not None:
            seed, examples = was.seed if seed is None else seed, was.examples if examples is None else examples
        done = measure(found, selected, seed=seed or 0, examples=examples, quiet=quiet)
        if done.interrupted:
            click.echo(f"gradproof: interrupted; {file} is as it was", err=True)
            return 130
        kept = _reasons_kept(was, done.baseline, reasons)
        if unaccepted := [name for name in done.baseline.refused() if name not in kept]:
            _refuse(done, unaccepted, file)
            return 1
        now = _merged(was, done, selected, kept)
        now = now.but(
            mutants={name: score for name, score in {**now.mutants, **scores}.items() if name in now.equations}
        )
        changed = baseline.changes(was, now)
        for text in changed if not quiet else ():
            click.echo(text)
        if out:
            out.write(baseline.dump(now))
    said = f"{len(changed)} {'would change' if dry_run else 'changed'}"
    click.echo(f"{file}: {len(now.entries) + len(now.claims) + len(now.costs) + len(now.mutants)} lines, {said}.")
    return 0


def _reasons(wrong: tuple[tuple[str, str], ...]) -> dict[str, str]:
    from gradproof.errors import InputError

    for name, reason in wrong:
        if not reason.strip():
            raise InputError(f"--wrong {name} has an empty reason; say why it is kept although it is wrong")
    return {name: " ".join(reason.split()) for name, reason in wrong}


def _same_run(was: "Baseline", seed: int | None, examples: int | None, versions: dict[str, str]) -> None:
    """Raise InputError where the lines that stay and those that are new would be of two runs."""
    from gradproof.baseline import moved
    from gradproof.errors import InputError

    other = [f"{name} {change}" for name, change in moved(was.versions, versions).items()]
    other += [f"seed {was.seed} -> {seed}"] if seed not in (None, was.seed) else []
    other += [f"examples {was.examples} -> {examples}"] if examples not in (None, was.examples) else []
    if other:
        raise InputError(f"the other lines were made otherwise ({', '.join(other)}); accept all: gradproof accept")


def _reasons_kept(was: "Baseline | None", now: "Baseline", given: dict[str, str]) -> dict[str, str]:
    """Reasons for what is wrong now: those given, and those in the file as long as nothing more is wrong."""
    from gradproof.errors import InputError

    refused, before = now.refused(), was.refused() if was else {}
    for name in given:
        if name not in refused:
            there = "is not wrong" if name in {*now.equations, *now.claims} else "was not checked"
            raise InputError(f"--wrong {name}: it {there}; leave it out (wrong now: {', '.join(refused) or 'none'})")
    still = {
        name: reason
        for name, reason in (was.wrong if was else {}).items()
        if name in refused and set(refused[name]) <= set(before.get(name, ()))
    }
    return {**still, **given}


def _refuse(done: "Today", names: list[str], file: Path) -> None:
    for result in done.results:
        if result.name in names:
            click.echo(str(result))
    click.echo(
        f"gradproof: {', '.join(names)} refused, so {file} is as it was; put it right, or accept it by name: "
        f"gradproof accept --wrong {names[0]} 'the reason'",
        err=True,
    )


def _merged(was: "Baseline | None", done: "Today", selected: "Selected", wrong: dict[str, str]) -> "Baseline":
    """The lines of today; of an acceptance by name, those beside them that were there."""
    from gradproof.baseline import settled

    now = done.baseline.but(wrong=wrong)
    if was is None:
        return now
    now = settled(was, now).but(mutants=was.mutants)
    if selected.whole:
        return now
    checked = {*done.checked, *done.baseline.claims}
    return now.but(
        entries={**{k: e for k, e in was.entries.items() if e.equation not in checked}, **now.entries},
        claims={**was.claims, **now.claims},
        costs={**{name: cost for name, cost in was.costs.items() if name not in checked}, **now.costs},
        wrong={**{name: why for name, why in was.wrong.items() if name not in checked}, **wrong},
        versions=was.versions,
    )
