"""In GitHub Actions, without being asked: annotations on the lines that are wrong, and the step's summary.

    ::error file=derivs/dense.py,line=16,title=dense%3A d/db is wrong::the explanation, %0A for a line's end

Workflow commands go to stderr, where the runner reads them too: what is piped from stdout stays the report alone.
Source: GitHub's documentation, "Workflow commands for GitHub Actions".
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from gradproof.reporting.markdown import render
from gradproof.reporting.origin import origin
from gradproof.reporting.outcome import Outcome, wrong_inputs
from gradproof.reporting.rows import rows
from gradproof.verdict import Result


def announce(outcome: Outcome, environment: Mapping[str, str] = os.environ) -> None:
    """Print the annotations and add to the summary, where GITHUB_ACTIONS is true; else nothing.

    A summary that cannot be written is one line on stderr: nobody asked for it, so the exit code stays.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    root = Path(environment.get("GITHUB_WORKSPACE") or outcome.project.root).resolve()
    for line in annotations(outcome, root):
        click.echo(line, err=True)
    summary = environment.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(render(outcome) + "\n")
    except OSError as error:
        click.echo(f"gradproof: no step summary: {summary} cannot be written: {error.strerror}", err=True)


def annotations(outcome: Outcome, root: Path) -> Iterator[str]:
    """An error a wrong gradient, a warning an undecided one or an unfinished run."""
    for result in outcome.results:
        wrong = list(wrong_inputs(result))
        for name in wrong:
            title = f"{result.name}: {_label(result, name)} is wrong"
            yield _command("error", title, str(result), result, name, outcome, root)
        if result.refused and not wrong:
            yield _command("error", f"{result.name}: nothing was checked", str(result), result, "", outcome, root)
        for row in rows(result):
            if row.word == "undecided":
                notes = (v.note for v in result.verdicts if (v.input, v.word) == (row.input, "undecided") and v.note)
                title = f"{result.name}: {_label(result, row.input)} is undecided"
                text = next(notes, "no oracle resolves it")
                yield _command("warning", title, text, result, row.input, outcome, root)
    if outcome.stopped:
        yield f"::warning title=gradproof::{_data(outcome.stopped)}"


def _label(result: Result, name: str) -> str:
    return f"d/d{name}" if name in result.inputs else f"the value {name}"


def _command(
    level: str, title: str, text: str, result: Result, name: str, outcome: Outcome, root: Path
) -> str:
    place = origin(outcome.chosen[result.name], name)
    where = ""
    if place:
        file = place[0].resolve()
        shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
        where = f"file={_property(shown)},line={place[1]},"
    return f"::{level} {where}title={_property(title)}::{_data(text or title)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
