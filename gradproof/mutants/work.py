"""Many mutants in workers: spawned and never forked, each mutant with a limit of time, a crash being a kill.

A worker asks the frameworks about an equation once and then judges its mutants one by one. A mutant may loop, which a
timer of the worker's own processor time ends (where the system has one) and the parent's clock in any case; it may read
memory that is not its own and end the process, which is then started anew. Both are noticed by whoever runs the checks:
both are kills.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from gradproof.errors import GradproofError, InputError
from gradproof.interrupt import blocked

# seconds after which the parent gives a mutant up: long, as other processes may have the cores
PATIENCE = 300.0 if hasattr(signal, "setitimer") else 90.0
CHUNK = 24
Answer = tuple[str, int, str, str, str, str]  # equation, number, state, by, sample, why


@dataclass
class _Worker:
    process: Any
    link: Connection
    equation: str = ""
    left: list[int] = field(default_factory=list)
    at: int | None = None
    deadline: float = float("inf")


class Broken(GradproofError):
    """Our own fault, in a worker."""

    exit_code = 3


class Failed(InputError):
    """An equation whose mutants cannot be judged: refused as it stands, or without its framework."""


def judge_all(
    start: Path, tasks: Mapping[str, Sequence[int]], workers: int, seed: int, examples: int
) -> Iterator[Answer]:
    """Yields an answer for each mutant (equation, number in its source), in the order they come in.

    start: the folder whose project is judged. Raises Failed, in one line, for an equation that is refused as it stands.
    Closing the iterator ends the workers.
    """
    pending = {name: list(numbers) for name, numbers in tasks.items() if numbers}
    pool = [_start(start, seed, examples) for _ in range(max(1, min(workers, sum(map(len, pending.values())) or 1)))]
    crashes = 0
    try:
        while pending or any(worker.left for worker in pool):
            for worker in pool:
                _hand_out(worker, pool, pending)
            for worker in _spoken(pool):
                try:
                    answer = _heard(worker)
                except (EOFError, OSError):
                    answer, crashes = _lost(worker, "the process died"), crashes + (worker.at is None)
                    if crashes > 2:
                        raise Broken(f"a worker dies before it judges a mutant of {worker.equation}") from None
                    _again(pool, worker, start, seed, examples, pending)
                if answer is not None:
                    yield answer
            for worker in [w for w in pool if time.monotonic() > w.deadline]:
                answer = _lost(worker, "no answer in time")
                _again(pool, worker, start, seed, examples, pending)
                if answer is not None:
                    yield answer
    finally:
        for worker in pool:
            worker.process.terminate()
            worker.link.close()
        for worker in pool:
            worker.process.join(5)


def _start(start: Path, seed: int, examples: int) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, str(start), seed, examples), daemon=True)
    with _one_thread(), blocked():
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _one_thread() -> Iterator[None]:
    """A worker a core: the thread pools of numpy and torch would fight for them."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]


def _again(
    pool: list[_Worker], worker: _Worker, start: Path, seed: int, examples: int, pending: dict[str, list[int]]
) -> None:
    """Another worker in the place of one that is lost; what it had still to do waits again."""
    worker.process.kill()
    worker.process.join(5)
    worker.link.close()
    if worker.left:
        pending.setdefault(worker.equation, [])[:0] = worker.left
    pool[pool.index(worker)] = _start(start, seed, examples)


def _hand_out(worker: _Worker, pool: list[_Worker], pending: dict[str, list[int]]) -> None:
    """Some mutants for a worker that has none: of the equation it knows, else of one that nobody is at."""
    if worker.left or not pending:
        return
    taken = {other.equation for other in pool if other.left}
    free = [name for name in pending if name not in taken] or list(pending)
    name = worker.equation if worker.equation in pending else max(free, key=lambda n: len(pending[n]))
    worker.equation, worker.left, worker.at = name, pending[name][:CHUNK], None
    del pending[name][:CHUNK]
    if not pending[name]:
        del pending[name]
    with suppress(OSError):  # a worker that is gone is found out when it is listened to
        worker.link.send((name, list(worker.left)))


def _spoken(pool: list[_Worker]) -> list[_Worker]:
    soonest = min(worker.deadline for worker in pool) - time.monotonic()
    ready = wait([worker.link for worker in pool if worker.left], max(0.05, min(soonest, 1.0)))
    return [worker for worker in pool if worker.link in ready]


def _heard(worker: _Worker) -> Answer | None:
    word, *rest = worker.link.recv()
    if word == "failed":
        raise Failed(rest[0])
    if word == "broken":
        raise Broken(rest[0])
    if word == "at":
        worker.at = rest[0]
        worker.deadline = time.monotonic() + PATIENCE
        return None
    number, state, by, sample, why = rest
    worker.left.remove(number)
    worker.at, worker.deadline = None, float("inf")
    return worker.equation, number, state, by, sample, why


def _lost(worker: _Worker, why: str) -> Answer | None:
    worker.deadline = float("inf")
    if worker.at is None:
        return None
    worker.left.remove(worker.at)
    return worker.equation, worker.at, "killed", "process", "", why


def _serve(link: Connection, start: str, seed: int, examples: int) -> None:
    """A worker: mutants by their numbers in, verdicts out, until the link closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; blocked but on Windows
    with suppress(EOFError, OSError):
        session = None
        while True:
            name, numbers = link.recv()
            try:
                from gradproof.mutants.session import Session  # what is large is imported where its faults are told

                session = session or Session(Path(start), seed, examples)
                session.open(name)
            except GradproofError as error:
                link.send(("failed", str(error)))
                return
            except Exception as error:  # our own fault: it must not look like a mutant's
                link.send(("broken", f"internal error: {name}: {type(error).__name__}: {error}"))
                return
            for number in numbers:
                link.send(("at", number))
                try:
                    answer = session.answer(number)
                except Exception as error:
                    link.send(("broken", f"internal error: {name}, mutant {number}: {type(error).__name__}: {error}"))
                    return
                link.send(("done", number, *answer))
