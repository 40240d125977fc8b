"""The checks that a project's own tests make, as results: pytest runs the tests in this process and each result
keeps the name of its test.
"""

import contextlib
import io
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from gradproof import verdict
from gradproof.errors import InputError, MissingFramework
from gradproof.run import Run
from gradproof.verdict import Result


def run_tests(
    root: Path, tests: Sequence[str], *, seed: int, examples: int | None, first_failure: bool = False
) -> Run:
    """Run test files or node ids; the results are named `tests/test_a.py::test_b::rule`, in their order.

    Raises InputError, in one line, where the tests cannot be collected; MissingFramework without pytest.
    """
    try:
        import pytest
    except ModuleNotFoundError:
        raise MissingFramework(
            "the tests that use gradproof need pytest, which is not installed; pip install pytest"
        ) from None
    if not tests:
        return Run(complete=True)  # without a name pytest would run them all
    recorder = _recorder(pytest)
    arguments = [f"--rootdir={root}", f"--gradproof-seed={seed}", "-q", "-p", "no:cacheprovider"]
    # the plug-in is imported already: no news here, and an error to whom warnings are errors
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    # it ends with two collections of all the garbage: half a second beside a framework, for what nobody reads here
    arguments += ["-p", "no:unraisableexception"]
    arguments += [f"--gradproof-examples={examples}"] if examples else []
    arguments += ["-x"] if first_failure else []
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*arguments, *tests], plugins=[recorder])
    if recorder.uncollected or code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
        lines = [line for line in said.getvalue().splitlines() if line.strip()]
        why = recorder.uncollected or lines[-1:] or ["pytest says nothing"]
        raise InputError(f"the tests cannot be run: {why[0]}; see: pytest {' '.join(tests)}")
    stopped = first_failure and code == pytest.ExitCode.TESTS_FAILED
    interrupted = code == pytest.ExitCode.INTERRUPTED and not stopped
    return Run(recorder.named(), not (interrupted or stopped), interrupted)


def _recorder(pytest: Any) -> Any:
    class Recorder:
        """Keeps every result that a test makes, until the tests have been asked whether they read theirs."""

        def __init__(self) -> None:
            self.made: list[tuple[str, Result]] = []
            self.uncollected: list[str] = []

        @pytest.hookimpl(wrapper=True, tryfirst=True)  # type: ignore[untyped-decorator]  # pytest is imported late
        def pytest_runtest_call(self, item: Any) -> Generator[None, Any, Any]:
            with verdict.watched(lambda result: self.made.append((item.nodeid, result))):
                return (yield)

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed:
                lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
                self.uncollected.append(f"{report.nodeid}: {' '.join(lines[-1:]).removeprefix('E').strip()}")

        def named(self) -> list[Result]:
            """The results, each called after its test and its rule; a second of one name is #2."""
            counts: dict[str, int] = {}
            for test, result in self.made:
                name = f"{test}::{result.name}"
                counts[name] = counts.get(name, 0) + 1
                result.name = name if counts[name] == 1 else f"{name}#{counts[name]}"
            return [result for _, result in self.made]

    return Recorder()
