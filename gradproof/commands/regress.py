"""`gradproof regress`: today's results against the committed baseline."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gradproof.baseline import Baseline, Regression
    from gradproof.changed import Changed
    from gradproof.found import Found
    from gradproof.today import Selected, Today

# The engine is imported inside the command: help and a wrong option answer without it.


@click.command(short_help="Say what got worse than the baseline.")
@click.argument("equations", nargs=-1, metavar="[NAME]...")
@click.option(
    "--baseline",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The baseline (default: baseline.json beside pyproject.toml).",
)
@click.option(
    "--changed",
    "revision",
    is_flag=False,
    flag_value="HEAD",
    metavar="[REV]",
    help="Only what the changes since REV can affect (default HEAD: what is not committed).",
)
@click.option(
    "--mutants",
    "scores_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Compare the scores that `gradproof mutants --json FILE` wrote (default: mutants.json, if there).",
)
@click.option("-k", "keyword", default="", metavar="EXPRESSION", help="Only equations whose name or title matches.")
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first derivative that is wrong.")
@click.option("-q", "--quiet", is_flag=True, help="Only what got worse.")
def command(
    equations: tuple[str, ...],
    file: Path | None,
    revision: str | None,
    scores_file: Path | None,
    keyword: str,
    first_failure: bool,
    quiet: bool,
) -> int:
    """Check again with the baseline's own seed and examples, and say what got worse, a line each.

    NAME is an equation or a claim of the paper; in a project that has tests and no declarations, a test file.

    Exit code: 0 nothing got worse, 1 something did, 2 bad input, such as no baseline, 5 nothing to check.
    """
    from gradproof import baseline
    from gradproof.found import find
    from gradproof.reporting.screen import counted
    from gradproof.today import measure, mutation_scores, select_here

    found = find()
    file = file or found.root / baseline.NAME
    was = baseline.read(file)
    scores = mutation_scores(found, scores_file)
    selected = select_here(found, equations, keyword)
    if not quiet:
        click.echo(f"Judging {found.folder} against {file}")
    if revision is not None:
        changed, selected = _changed(found, selected, revision, file)
        if not quiet:
            _tell(changed, found, revision)
    done = measure(
        found, selected, seed=was.seed, examples=was.examples, first_failure=first_failure, quiet=quiet
    )
    now = done.baseline.but(mutants=scores)
    worse = _compare(was, now, found, selected, done, anywhere=revision is not None and not (equations or keyword))
    count = _report(worse, was, now, found, file, quiet)
    if done.interrupted:
        click.echo(f"gradproof: interrupted after {len(done.results)} equations", err=True)
        return 130
    _accepted(was, now)
    if not quiet:
        lines = f"{counted(len(now.entries), 'line')} of {counted(len(now.equations), 'equation')}"
        lines += f", {counted(len(now.costs), 'cost')}" if now.costs else ""
        lines += f" and {counted(len(now.claims), 'claim')}" if now.claims else ""
        told = counted(count, "regression")
        measure_them = "not measured in this run (gradproof mutants --json mutants.json)"
        if scores or was.mutants:
            click.echo(f"Mutation scores: {f'{len(scores)} compared' if scores else measure_them}.")
        click.echo(f"{lines} compared: {told if count else 'nothing got worse'}.")
    return 1 if count else 0


def _changed(found: "Found", selected: "Selected", revision: str, file: Path) -> "tuple[Changed, Selected]":
    """What the changes since the revision can affect, and that part of the selection."""
    from dataclasses import replace

    from gradproof.changed import affected, affected_tests
    from gradproof.git import repository

    git = repository(found.root, revision)
    if found.project is None:
        changed = affected_tests(found.root, found.tests, git)
    else:
        changed = affected(found.project, git, found.claims(), file)
    left = replace(
        selected,
        equations=[e for e in selected.equations if e.name in changed.equations],
        claims=[claim for claim in selected.claims if claim in changed.claims],
        tests=[test for test in selected.tests if test in changed.equations],
        whole=False,
    )
    return changed, left


def _tell(changed: "Changed", found: "Found", revision: str) -> None:
    """What is checked and why, and what is left out and why."""
    from collections import defaultdict

    every = list(found.project.equations) if found.project else [str(t.relative_to(found.root)) for t in found.tests]
    what = "equations" if found.project else "test files"
    by_reason = defaultdict(list)
    for name, why in changed.equations.items():
        by_reason[why].append(name)
    click.echo(f"Changes since {revision} can affect {len(changed.equations)} of {len(every)} {what}.")
    for why, names in by_reason.items():
        listed = ", ".join(names) if len(names) < len(every) else f"all {len(names)}"
        click.echo(f"  checked, {why}: {listed}")
    left = [name for name in every if name not in changed.equations]
    if left:
        click.echo(f"  left out, nothing that they are built on changed: {', '.join(left)}")
    claims = found.claims()
    if claims:
        out = len(claims) - len(changed.claims)
        because = "; ".join(sorted(set(changed.claims.values())))
        if changed.claims:
            click.echo(f"  checked, {because}: {len(changed.claims)} claims of the paper")
        if out:
            click.echo(f"  left out, nothing that they are evaluated with changed: {out} claims of the paper")
    if changed.idle:
        click.echo(f"  without effect on any: {', '.join(changed.idle)}")


def _compare(
    was: "Baseline", now: "Baseline", found: "Found", selected: "Selected", done: "Today", anywhere: bool
) -> "list[Regression]":
    """What got worse among what was checked; `anywhere` (and a whole run): what is gone is told as well."""
    from gradproof.baseline import regressions

    whole = selected.whole and done.complete
    if whole:
        return regressions(was, now)
    checked, claims = set(done.checked), set(now.claims)
    if done.complete:
        wanted = {e.name for e in selected.equations}
        checked |= wanted | {name for name in was.equations if name.partition("::")[0] in selected.tests}
        claims |= set(selected.claims)
    if anywhere:
        there = set(found.project.equations) if found.project else {str(t.relative_to(found.root)) for t in found.tests}
        checked |= {name for name in was.equations if name.partition("::")[0] not in there}
        claims |= set(was.claims) - set(found.claims())
    return regressions(was, now, checked, claims)


def _report(
    worse: "list[Regression]", was: "Baseline", now: "Baseline", found: "Found", file: Path, quiet: bool
) -> int:
    """Each regression in a line, those that other versions bring apart; returns how many there are."""
    from gradproof.baseline import by_versions, moved, told

    other = moved(was.versions, now.versions)
    unchanged = _unchanged(found, file) if other and worse else None
    mine, theirs = by_versions(worse, other, unchanged)
    brought = told(theirs)
    for line in told(mine):
        click.echo(line)
    versions = ", ".join(f"{name} {change}" for name, change in other.items())
    if brought:
        sure = "come with" if unchanged is not None else "may come with"
        why = "their sources are as they were" if unchanged is not None else "git cannot tell whether sources changed"
        click.echo(f"These {len(brought)} {sure} other versions ({versions}; {why}) and not with a change of yours:")
        for line in brought:
            click.echo(f"  {line}")
        click.echo("  install the versions of the baseline, or gradproof accept in a commit of its own")
    elif other and not quiet:
        click.echo(f"Other versions than the baseline's ({versions}): they made nothing worse.")
    return len(told(mine)) + len(brought)


def _unchanged(found: "Found", file: Path) -> set[str] | None:
    """The equations and claims whose sources are as they were when the baseline was committed; None without git."""
    from gradproof.changed import affected
    from gradproof.errors import InputError
    from gradproof.git import last_commit_of, repository

    commit = last_commit_of(file)
    if found.project is None or commit is None:
        return None
    try:
        changed = affected(found.project, repository(found.root, commit), found.claims(), file)
    except InputError:
        return None
    return {*found.project.equations, *found.claims()} - {*changed.equations, *changed.claims}


def _accepted(was: "Baseline", now: "Baseline") -> None:
    """What is wrong with the baseline's consent, and what was and is right by now."""
    refused = now.refused()
    for name, reason in was.wrong.items():
        if name in refused:
            click.echo(f"{name} is wrong, as accepted: {reason}")
        elif name in {*now.equations, *now.claims}:
            click.echo(f"{name} was accepted as wrong and is right now; gradproof accept {name}")
