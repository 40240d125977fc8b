"""One row an equation and gradient: what each oracle said over all samples, and how finely it looked.

A cell is the worst that one oracle said of one gradient. Its error is relative to the gradient's scale
(error in ulps times the unit roundoff), so that cells of different samples can be compared.
"""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from gradproof.verdict import REFUSED, Result, Verdict, worst

ORACLES = ("contract", "torch", "jax", "differences", "ball", "kink")
EPSILON = 2.0**-52  # of float64, in which everything is checked


@dataclass(frozen=True)
class Cell:
    """What one oracle said of one gradient: worst word, worst error, median resolution, number of samples."""

    oracle: str
    word: str
    error: float
    ulps: float
    resolution: float
    samples: int
    points: tuple[str, ...]  # the checks that were refused: vjp, jvp, mutated ...


@dataclass(frozen=True)
class Row:
    """All that was said of one gradient, or of the forward value (`value` is true) of one equation."""

    equation: str
    paper: tuple[str, ...]
    input: str
    value: bool
    word: str
    cells: dict[str, Cell]
    samples: int
    resolution: float


def rows(result: Result, paper: tuple[str, ...] = ()) -> list[Row]:
    """The rows of one result: forward values first, then the gradients in the order of the inputs."""
    found = result.verdicts
    groups: dict[tuple[bool, str], list[Verdict]] = {}
    for verdict in found:
        groups.setdefault((verdict.check == "value", verdict.input), []).append(verdict)
    order = {name: position for position, name in enumerate(result.inputs)}
    keys = sorted(groups, key=lambda key: (not key[0], order.get(key[1], len(order))))
    return [_row(result.name, paper, value, name, groups[value, name]) for value, name in keys]


def _row(equation: str, paper: tuple[str, ...], value: bool, name: str, verdicts: list[Verdict]) -> Row:
    cells = {}
    for oracle in sorted({verdict.oracle for verdict in verdicts}, key=_position):
        cells[oracle] = _cell(oracle, [verdict for verdict in verdicts if verdict.oracle == oracle])
    return Row(
        equation,
        paper,
        name,
        value,
        worst([v.word for v in verdicts]),
        cells,
        len({verdict.sample for verdict in verdicts}),
        _resolution(verdicts),
    )


def _cell(oracle: str, verdicts: list[Verdict]) -> Cell:
    return Cell(
        oracle=oracle,
        word=worst([verdict.word for verdict in verdicts]),
        error=_largest(verdict.error for verdict in verdicts),
        ulps=_largest(verdict.ulps for verdict in verdicts),
        resolution=_resolution(verdicts),
        samples=len({verdict.sample for verdict in verdicts}),
        points=tuple(sorted({verdict.check for verdict in verdicts if verdict.word in REFUSED})),
    )


def _resolution(verdicts: list[Verdict]) -> float:
    """The finest resolution that agreed on a sample, of the median sample; infinity where there is none.

    The best sample would flatter, and the worst be one saturated point. A resolution of 0 is a gradient of
    no entries.
    """
    finest: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.word == "agrees" and 0 < verdict.resolution < math.inf:
            finest[verdict.sample] = min(verdict.resolution, finest.get(verdict.sample, math.inf))
    return statistics.median_high(finest.values()) if finest else math.inf


def _largest(values: Iterable[float]) -> float:
    listed = list(values)
    return math.nan if any(math.isnan(value) for value in listed) else max(listed, default=0.0)


def _position(oracle: str) -> tuple[int, str]:
    return (ORACLES.index(oracle) if oracle in ORACLES else len(ORACLES), oracle)
