"""Ctrl-C is never lost, never in the middle of a write, and no business of the workers."""

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from gradproof import __name__ as program
from gradproof.cli import run
from gradproof.interrupt import blocked, heard, later
from gradproof.reporting.outcome import Outcome


class Collected:
    """What is interrupted while it is thrown away: Python drops what a __del__ raises."""

    def __init__(self):
        self.me = self

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


def test_an_interrupt_in_a_callback_that_drops_it_is_heard_all_the_same():
    def interrupted():
        Collected()
        gc.collect()
        time.sleep(5)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    try:
        with heard(), pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_else_is_dropped_is_told_as_ever(monkeypatch):
    class Raising:
        def __del__(self):
            raise ValueError

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: told.append(dropped.exc_type))
    with heard():
        Raising()
    assert told == [ValueError]


def test_an_interrupt_waits_for_the_end_of_a_block_and_a_second_does_not():
    done = []

    def once():
        with later():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        once()
    assert done == ["written"]

    def twice():
        with later():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert done == ["written"]


def test_a_process_that_is_started_in_a_block_never_gets_ctrl_c():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('on')"
    with blocked():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "on\n"


def test_ctrl_c_while_the_files_are_written_lets_them_be_written(tmp_path, monkeypatch, capsys):
    def slow(name):
        def render(outcome: Outcome) -> str:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            return f"{name} of {len(outcome.results)}"

        return render

    monkeypatch.setattr("gradproof.reporting.formats._render", slow)
    files = ["--json", str(tmp_path / "r.json")]
    assert run(["report", "relu", "--examples", "2", "--oracle", "differences", *files]) == 130
    assert (tmp_path / "r.json").read_text(encoding="utf-8") == "json of 1"
    said = capsys.readouterr()
    assert said.err.strip() == "gradproof: interrupted"
    assert "1 equation, 1 gradient, " in said.out


def test_ctrl_c_while_the_program_is_read_shows_no_traceback():
    # what click imports first is interrupted, as early as our own code is there at all
    code = """
import sys
class Interrupted:
    def find_spec(self, name, *rest):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from %s.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code % program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "gradproof: interrupted\n")
