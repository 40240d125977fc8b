"""What a check is done with where the caller names nothing: 20 points of seed 0, or what a run asks for.

A run (the pytest plug-in's `--gradproof-seed` and `--gradproof-examples`) sets both for its whole process; an
explicit argument always wins. Imports nothing, so that a plug-in may read it when pytest starts.
"""

from __future__ import annotations

EXAMPLES = 20


class _Unnamed(int):
    """The number 0 of a signature, told by its identity from a 0 that the caller wrote."""


SEED = _Unnamed(0)
# of the process and not of a context: a test that checks in a thread of its own is under the same run
_run = {"seed": 0, "examples": EXAMPLES}


def choose(*, seed: int | None = None, examples: int | None = None) -> dict[str, int]:
    """Set the run's seed and number of points (None leaves one as it is); returns what was set before."""
    before = dict(_run)
    _run.update({k: v for k, v in (("seed", seed), ("examples", examples)) if v is not None})
    return before


def chosen_seed(given: int | None = SEED) -> int:
    """The seed to use: the caller's, or the run's where he named none."""
    return _run["seed"] if given is SEED or given is None else given


def chosen_examples(given: int | None = None) -> int:
    """The number of points to use: the caller's, or the run's where he named none."""
    return _run["examples"] if given is None else given
