"""pytest plug-in: a derivative that is wrong, or that nobody looked at, fails its test, and says why.

    def test_softmax(assert_vjp):
        assert_vjp(softmax, softmax_vjp, (x,))          the fixture: gradproof.assert_vjp

A result of any check that is made in a test and never read fails that test. A failing test shows the
explanation and not a traceback through the engine's files (`--full-trace` shows that). `--gradproof-seed` and
`--gradproof-examples` are the defaults of every check in the run. Imports neither numpy nor a framework:
pytest starts as fast as without it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from gradproof import defaults, verdict
from gradproof.errors import GradproofError

_OURS = Path(__file__).parent
_first = pytest.StashKey[int]()
_before = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("gradproof", "derivatives judged by gradproof")
    group.addoption(
        "--gradproof-seed",
        type=_whole(0),
        default=0,
        metavar="N",
        help="seed of every check that names none (default 0)",
    )
    group.addoption(
        "--gradproof-examples",
        type=_whole(1),
        default=defaults.EXAMPLES,
        metavar="N",
        help=f"points of every check that names none (default {defaults.EXAMPLES})",
    )


def _whole(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of at least {least}")
        return int(text)

    return number


def pytest_configure(config: pytest.Config) -> None:
    seed, examples = config.getoption("--gradproof-seed"), config.getoption("--gradproof-examples")
    config.stash[_before] = defaults.choose(seed=seed, examples=examples)


def pytest_unconfigure(config: pytest.Config) -> None:
    # a run inside a run, as pytester makes, leaves the outer one as it was
    defaults.choose(**config.stash[_before])


@pytest.fixture
def assert_vjp() -> Callable[..., None]:
    """gradproof.assert_vjp with the run's seed and number of points: raises AssertionError that explains."""
    from gradproof.checking import assert_vjp

    def run(forward: Callable[..., Any], vjp: Callable[..., Any], inputs: Any, **options: Any) -> None:
        __tracebackhide__ = True
        named = {k: v for k, v in options.items() if v is not None}
        run_wide = {"seed": defaults.chosen_seed(), "examples": defaults.chosen_examples()}
        assert_vjp(forward, vjp, inputs, **{**run_wide, **named})

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    item.stash[_first] = verdict.made()
    outcome = yield
    dropped = [name for number, name in verdict.unread().items() if number >= item.stash[_first]]
    if dropped:
        count = f"{len(dropped)} gradproof result{'s' if len(dropped) > 1 else ''}"
        pytest.fail(
            f"{count} made here and never read: {', '.join(dict.fromkeys(dropped))}\n"
            "a wrong derivative would pass unseen: assert result.ok, or use the fixture assert_vjp",
            pytrace=False,
        )
    return outcome


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo is not None and not item.config.getoption("fulltrace"):
        _shorten(call.excinfo)
    report = yield
    if report.when == "call" and report.failed:
        said = report.longreprtext
        for number, text in verdict.refusals():
            if number >= item.stash.get(_first, 0) and text.splitlines()[0] not in said:
                report.sections.append(("gradproof", text))
    return report


def _shorten(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Leave the engine's frames out of what was raised on purpose; a fault of the engine keeps them."""
    if not isinstance(excinfo.value, GradproofError | AssertionError) or not _inside(excinfo.traceback[-1].path):
        return
    seen: BaseException | None = excinfo.value
    while seen is not None:
        seen.__traceback__ = _relinked(seen.__traceback__)
        seen = seen.__cause__
    excinfo.traceback = excinfo.traceback.filter(lambda entry: not _inside(entry.path))


def _relinked(traceback: TracebackType | None) -> TracebackType | None:
    every = list(_frames(traceback))
    kept = [frame for frame in every if not _inside(frame.tb_frame.f_code.co_filename)] or every[-1:]
    for frame, following in zip(kept, [*kept[1:], None], strict=True):
        frame.tb_next = following
    return kept[0] if kept else None


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _inside(path: str | Path) -> bool:
    return _OURS in Path(path).parents
