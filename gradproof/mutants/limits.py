"""How long a mutant may run: a timer of the process's own time, where there is one, so that load plays no part."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# a mutant may take this many times what the rule as it stands takes, and so many seconds at least
TIMES, LEAST = 10.0, 3.0


class TimedOut(BaseException):
    """No Exception: whatever a rule raises is caught and judged, this is not."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimedOut after so much processor time, where the system has a timer for it."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def out(*_: Any) -> None:
        raise TimedOut

    before = signal.signal(signal.SIGPROF, out)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
