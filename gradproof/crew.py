"""Checks on several cores: worker processes take the longest equations, this process the shortest, till they meet.

Workers are spawned, never forked: torch and JAX hang after a fork. Each has one thread: as many thread pools as workers
would fight for the cores. A worker costs the import of both frameworks, some three seconds, before its first answer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from gradproof.config import Project, find_project
from gradproof.equation import Equation
from gradproof.interrupt import blocked
from gradproof.oracles.compilation import use_cache
from gradproof.verdict import Result

# fewer equations than these are not worth a worker
WORTH = 8
MOST = 4
# equations that wait at a worker: it need not stand still while this process is busy with one of its own
AHEAD = 2


def workers_for(equations: int) -> int:
    """How many processes are worth while for so many equations on this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST, equations // WORTH))


@contextmanager
def crew(root: Path, workers: int, options: Mapping[str, Any], cache: bool = True) -> Iterator[Callable[[str], Any]]:
    """Yields `hand(name)`, which has one of the workers check an equation of the project at `root`.

    options: of `check`; cache: whether compiled programs are kept.
    """
    with _one_thread(), blocked():
        pool = multiprocessing.get_context("spawn").Pool(workers, _begin, (cache,))
    try:
        yield lambda name: pool.apply_async(_check, (str(root), name, dict(options)))
    finally:
        pool.terminate()
        pool.join()


def share(
    equations: Sequence[Equation],
    hand: Callable[[str], Any],
    workers: int,
    own: Callable[[Equation], Result],
    done: Callable[[str, Result, bool], None],
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Every equation checked once, here by `own` or by a worker; `done` is told of each as it comes, and
    whether it was checked here.

    meanwhile: what this process does first, while the workers are at the longest. What a check raises in a worker is
    raised here.
    """
    # many inputs in many forms take long
    left = sorted(equations, key=lambda equation: sum(len(form.names) for form in equation.variants), reverse=True)
    out: dict[str, Any] = {}

    def hand_out() -> None:
        while left and len(out) < AHEAD * workers:
            equation = left.pop(0)
            out[equation.name] = hand(equation.name)

    def collect() -> None:
        for name in [name for name, answer in out.items() if answer.ready()]:
            done(name, out.pop(name).get(), False)

    try:
        hand_out()
        if meanwhile is not None:
            meanwhile()
        while left or out:
            hand_out()
            if left:
                equation = left.pop()
                done(equation.name, own(equation), True)
            elif out:
                next(iter(out.values())).wait(0.05)
            collect()
    except KeyboardInterrupt:
        collect()  # what the workers have done by now is done
        raise


def _begin(cache: bool) -> None:
    """What a worker does first. Ctrl-C is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # blocked as well, but not on Windows
    if not cache:
        use_cache(None)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]


@cache
def _project(root: str) -> Project:
    return find_project(Path(root))


def _check(root: str, name: str, options: Mapping[str, Any]) -> Result:
    from gradproof.checking import check

    project = _project(root)
    return check(project.equations[name], references=project.reference(name), **options)
