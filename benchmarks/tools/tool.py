"""What every checker is asked, and what it answers: the same questions for all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.corpus import Operation, in_dtype
from benchmarks.corpus.calling import Point, copied, differentiated, gradients, outputs

EXAMPLES = 20


@dataclass(frozen=True)
class Question:
    """Whether `rule` is right for `operation`.

    point: one given point, or None where the tool may draw from the operation's sampler (`examples` points).
    shapes: the operation's shape string may be used as well, by a tool that knows what to do with it.
    """

    operation: Operation
    rule: Callable[..., Any]
    point: Point | None = None
    dtype: str = "float64"
    strict: bool = False
    seed: int = 0
    examples: int = EXAMPLES
    shapes: bool = True

    def points(self) -> list[Point]:
        """The points a tool without a sampler of its own is run at, one after another."""
        if self.point is not None:
            return [in_dtype(copied(self.point), self.dtype)]
        drawn = (self.operation.sampler(np.random.default_rng((self.seed, k))) for k in range(self.examples))
        return [in_dtype(point, self.dtype) for point in drawn]


@dataclass(frozen=True)
class Outcome:
    """word: passed, refused, undecided (not refused, but some input is open) or unable (no answer)."""

    word: str
    text: str = ""
    causes: tuple[str, ...] = ()
    where: tuple[int, tuple[int, ...]] | None = None
    seconds: float = 0.0

    @property
    def refused(self) -> bool:
        return self.word == "refused"


class RuleFault(Exception):
    """The rule itself failed inside a tool: that is a refusal, whatever the tool makes of it."""


class Tool:
    """A checker that is given one point at a time. A subclass says `name` and `at`."""

    name = ""
    needs: tuple[str, ...] = ()  # packages that are no part of the tests' environment
    locates = False
    explains = False

    def at(self, question: Question, point: Point) -> Outcome:
        """The answer at one point."""
        raise NotImplementedError

    def check(self, question: Question) -> Outcome:
        """The first refusal over all the question's points, or that none was refused."""
        started = time.perf_counter()
        outcome = Outcome("unable", "no point")
        for point in question.points():
            with np.errstate(all="ignore"):
                outcome = self.at(question, point)
            if outcome.word != "passed":
                break
        return Outcome(
            outcome.word, outcome.text, outcome.causes, outcome.where, time.perf_counter() - started
        )


def inside(question: Question, point: Point) -> tuple[list[int], Callable[..., Any], Callable[..., Any]]:
    """The differentiated positions, and forward and rule as functions of those inputs alone.

    forward(*varied) -> tuple of arrays; rule(cotangents, *varied) -> list of gradients. Raises RuleFault.
    """
    keys = differentiated(question.operation, point)

    def whole(varied: tuple[Any, ...]) -> Point:
        values = list(point)
        for k, value in zip(keys, varied, strict=True):
            values[k] = value
        return tuple(values)

    single = not isinstance(question.operation.forward(*copied(point)), tuple)

    def forward(*varied: Any) -> tuple[np.ndarray, ...]:
        return outputs(question.operation.forward, whole(varied))

    def rule(cotangents: tuple[Any, ...], *varied: Any) -> list[np.ndarray]:
        given = whole(varied)
        try:
            returned = question.rule(cotangents[0] if single else tuple(cotangents), *given)
            return list(gradients(question.operation, given, returned).values())
        except Exception as error:  # whatever a wrong rule raises is its own fault
            raise RuleFault(f"{type(error).__name__}: {error}") from error

    return keys, forward, rule


def base_point(operation: Operation) -> Point:
    """The draw a careful user would choose: sizes above 1, all different, arrays of different shapes."""

    def merit(point: Point) -> tuple[int, ...]:
        shapes = [np.shape(v) for v in point if isinstance(v, np.ndarray)]
        axes = [size for shape in shapes for size in shape]
        numbers = [v for v in point if isinstance(v, int)]
        return (
            -axes.count(1) - numbers.count(1) - numbers.count(0),
            len(set(shapes)),
            len({*axes, *numbers}),
            sum(axes),
        )

    return max((operation.sampler(np.random.default_rng((1, k))) for k in range(60)), key=merit)
