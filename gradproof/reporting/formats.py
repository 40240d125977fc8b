"""The files a report can be written to: any of them in one run, each whole or not at all."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from gradproof.errors import InputError, MissingFramework
from gradproof.reporting.files import WholeFile

if TYPE_CHECKING:
    from gradproof.reporting.outcome import Outcome

# option -> the module whose render(outcome) writes it, imported when it is asked for; the slowest last
FORMATS = {
    "json": "gradproof.reporting.plain",
    "junit": "gradproof.reporting.junit",
    "markdown": "gradproof.reporting.markdown",
    "html": "gradproof.page",
}


class Formats:
    """The files that were asked for, made sure of before the run.

    Raises InputError for two formats of one file and for a file that cannot be written, MissingFramework where what
    draws the page is not installed.
    """

    def __init__(self, asked: Mapping[str, Path | None]) -> None:
        wanted = {name: path for name, path in asked.items() if path is not None}
        seen: dict[Path, str] = {}
        for name, path in wanted.items():
            other = seen.setdefault(path.resolve(), name)
            if other != name:
                raise InputError(f"--{other} and --{name} both name {path}, expected a file each; rename one")
        self._render = {name: _render(name) for name in FORMATS if name in wanted}
        self._stack = ExitStack()
        try:
            self._files = {name: self._stack.enter_context(WholeFile(wanted[name])) for name in self._render}
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Formats:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def write(self, outcome: Outcome) -> None:
        """Render and write each file; one that cannot be written keeps none of the others from it, and is told last."""
        failed: InputError | None = None
        for name, file in self._files.items():
            try:
                file.write(self._render[name](outcome))
            except InputError as error:
                failed = failed or error
        if failed:
            raise failed


def _render(name: str):  # type: ignore[no-untyped-def]  # a module's function, seen by nobody else
    try:
        return importlib.import_module(FORMATS[name]).render
    except ModuleNotFoundError as error:
        if str(error.name).startswith("gradproof"):
            raise
        raise MissingFramework(
            f"--{name} needs {error.name!r}, which is not installed; pip install {error.name}"
        ) from None
