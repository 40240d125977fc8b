"""How long a mutant may run: a timer of the process's own time, where there is one, so that load plays no part."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# the timer fires again after so many seconds: Python drops what is raised while it runs a destructor or a callback
AGAIN = 0.5
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

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if not isinstance(what.exc_value, TimedOut):
            told(what)

    told, before = sys.unraisablehook, signal.signal(signal.SIGPROF, out)
    sys.unraisablehook = dropped
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        sys.unraisablehook = told
