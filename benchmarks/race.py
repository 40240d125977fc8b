"""Timing side by side: contenders run in turns, so that what disturbs the machine disturbs all of them.

A turn is so many calls in a row that it lasts a millisecond; a contender's time is the least of its turns,
per call. The clock is the CPU time of this process with all its threads: other work on the machine does not
add to it. With more than one thread it is the clock on the wall, which other work does lengthen.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TURN = 1e-3  # seconds of calls in a row
LEAST, MOST = 5, 400  # turns
VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def threads() -> int:
    """The number of threads that every library was given; 1 where nothing was said."""
    return int(os.environ.get(VARIABLES[0], "1"))


def environment(count: int) -> dict[str, str]:
    """Variables that give NumPy, PyTorch and JAX `count` threads each, for a process that has imported none."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={'true' if count > 1 else 'false'}"
    return {**dict.fromkeys(VARIABLES, str(count)), "XLA_FLAGS": flags.strip(), "NPROC": str(count)}


def pin(count: int) -> None:
    """Keep this process on `count` cores, where the system can: a library that asks for the cores finds those."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-count:]))


def race(contenders: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Seconds a call of each contender, the least of many turns; about `seconds` for each of them in all."""
    clock = time.process_time if threads() == 1 else time.perf_counter
    calls, lasts = {}, {}
    for name, contender in contenders.items():
        contender()  # compiled, cached, and its memory at hand
        started = clock()
        contender()
        lasts[name] = max(clock() - started, 1e-7)
        calls[name] = max(1, round(TURN / lasts[name]))
    turns = min(max(round(seconds / max(n * lasts[name] for name, n in calls.items())), LEAST), MOST)
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(turns):
        for name, contender in contenders.items():
            started = clock()
            for _ in range(calls[name]):
                contender()
            best[name] = min(best[name], (clock() - started) / calls[name])
    return best


def told(machine: Mapping[str, Any]) -> str:
    """The machine in one sentence."""
    count = machine["threads"]
    clock = "CPU time" if count == 1 else "time on the wall"
    versions = ", ".join(f"{name} {machine[name]}" for name in ("numpy", "torch", "jax"))
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"{versions}; {count} thread{'s' * (count > 1)} for each library, {clock}, in turns, the least of many."
    )


def machine() -> dict[str, Any]:
    """What the figures were taken on: processor, cores, threads and the versions of the libraries."""
    from importlib.metadata import version

    processor = platform.processor() or platform.machine()
    told = Path("/proc/cpuinfo")
    if told.is_file():
        names = [line.split(":", 1)[1].strip() for line in told.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    versions = {name: version(name) for name in ("numpy", "torch", "jax")}
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        **versions,
    }
