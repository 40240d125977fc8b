"""Ctrl-C is never lost, and never comes in the middle of a write."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# seconds till an interrupt that was lost is made again: the callback it was lost in has ended by then
AGAIN = 0.05


@contextmanager
def heard() -> Iterator[None]:
    """Ctrl-C in a callback whose exceptions Python drops (of the garbage collector, say) is raised again soon after."""
    before = sys.unraisablehook

    def dropped(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        timer = threading.Timer(AGAIN, _thread.interrupt_main)
        timer.daemon = True
        timer.start()

    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def later() -> Iterator[None]:
    """Ctrl-C waits for the end of the block; a second one does not."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def wait(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


@contextmanager
def blocked() -> Iterator[None]:
    """Processes that are started in the block never get Ctrl-C; here it comes after the block."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
