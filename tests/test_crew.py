"""Several processes find what one finds, in the order that was asked for."""

import os

import pytest

from gradproof import crew
from gradproof.config import find_project
from gradproof.run import check_all

PROJECT = find_project()
NAMES = ("sigmoid", "dense", "flatten", "relu")
CHOSEN = [PROJECT.equations[name] for name in NAMES]
ALONE = {"seed": 3, "examples": 3, "oracles": ("contract", "differences"), "quiet": True}


def test_two_processes_find_what_one_finds():
    happened = []
    one = check_all(PROJECT, CHOSEN, jobs=1, meanwhile=lambda: happened.append("alone"), **ALONE)
    two = check_all(PROJECT, CHOSEN, jobs=2, meanwhile=lambda: happened.append("beside"), **ALONE)
    assert [result.name for result in two.results] == list(NAMES)
    assert [repr(result.verdicts) for result in two.results] == [repr(result.verdicts) for result in one.results]
    assert one.complete
    assert two.complete
    assert happened == ["alone", "beside"]


def test_ctrl_c_keeps_what_was_done():
    def interrupted():
        raise KeyboardInterrupt

    done = check_all(PROJECT, CHOSEN, jobs=1, meanwhile=interrupted, **ALONE)
    words = [result.word for result in done.results]
    assert (len(words), done.complete, done.interrupted) == (4, False, True)


class Waiting:
    """An answer that comes at the third look."""

    def __init__(self, name):
        self.name, self.looks = name, 0

    def ready(self):
        self.looks += 1
        return self.looks > 2

    def wait(self, seconds):
        pass

    def get(self):
        if self.name == "dense":
            raise ValueError("the worker's own")
        return "theirs"


def test_workers_take_the_longest_and_this_process_the_shortest():
    found = {}
    chosen = [PROJECT.equations[name] for name in ("sigmoid", "cnn_softmax", "relu", "deep_relu_softmax")]
    crew.share(chosen, Waiting, 1, lambda equation: "ours", lambda name, *rest: found.update({name: rest}))
    assert found == {
        "cnn_softmax": ("theirs", False),
        "deep_relu_softmax": ("theirs", False),
        "sigmoid": ("ours", True),
        "relu": ("ours", True),
    }


def test_ctrl_c_keeps_what_the_workers_have_done():
    def interrupted():
        raise KeyboardInterrupt

    class Done(Waiting):
        def ready(self):
            return True

    found = {}
    chosen = [PROJECT.equations[name] for name in ("sigmoid", "cnn_softmax", "relu")]
    with pytest.raises(KeyboardInterrupt):
        crew.share(chosen, Done, 1, lambda e: "ours", lambda name, *rest: found.update({name: rest}), interrupted)
    assert found == {"cnn_softmax": ("theirs", False), "sigmoid": ("theirs", False)}


def test_what_a_worker_raises_is_raised_here():
    with pytest.raises(ValueError, match="the worker's own"):
        crew.share(CHOSEN[1:2], Waiting, 1, lambda equation: "ours", lambda *told: None)


def test_how_many_are_worth_while(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(2), raising=False)
    assert [crew.workers_for(count) for count in (0, 1, 15, 16, 100)] == [1, 1, 1, 2, 2]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(64), raising=False)
    assert crew.workers_for(100) == crew.MOST
