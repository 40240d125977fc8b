"""The figures of the power table, each measured the same way for every tool.

wrong     wrong rules refused, over the corpus
right     right rules refused, over hard points and precisions
smallest  least relative error of one entry of 10,000 refused
located   element named when one entry is wrong
causes    true cause among the first two
seconds   median time of a check of a right rule
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.corpus import Framework, Operation, Wrong, in_dtype, is_float
from benchmarks.corpus.calling import copied, differentiated, draw_cotangent, gradients, outputs
from benchmarks.corpus.faults import edited
from benchmarks.corpus.truth import at_one_shape, fault, points
from benchmarks.tools import Outcome, Question, Tool, base_point

T, jnp = Framework("torch"), Framework("jax.numpy")


@dataclass
class Count:
    """`good` of `total`, with the failures in words."""

    good: int = 0
    total: int = 0
    undecided: int = 0
    unable: int = 0
    failures: list[str] = field(default_factory=list)

    def share(self) -> float:
        return self.good / self.total if self.total else float("nan")


def wrong_rules(
    tool: Tool, operations: tuple[Operation, ...], one_point: bool, examples: int
) -> tuple[Count, Count, Count]:
    """(refused, reachable, cause).

    Wrong rules refused; with one point, those that are wrong at its shape; and of the refused whose fault
    has a name, how often it is said.
    """
    refused, reachable, cause = Count(), Count(), Count()
    for operation in operations:
        point = base_point(operation) if one_point else None
        for wrong in operation.wrong:
            question = Question(operation, wrong.fresh(), point, wrong.dtype, wrong.strict, examples=examples)
            outcome = tool.check(question)
            _score(refused, operation, wrong, outcome)
            if point is not None and _wrong_at(operation, wrong, point):
                _score(reachable, operation, wrong, outcome)
            if outcome.refused and wrong.causes and tool.explains:
                _score_cause(cause, operation, wrong, outcome)
    return refused, reachable, cause


def _wrong_at(operation: Operation, wrong: Wrong, point: Any) -> bool:
    found = at_one_shape(operation, in_dtype(copied(point), wrong.dtype))
    return fault(operation, wrong.fresh(), wrong.dtype, sharing=wrong.strict, found=found) is not None


def _score(count: Count, operation: Operation, wrong: Wrong, outcome: Outcome) -> None:
    count.total += 1
    count.good += outcome.refused
    count.unable += outcome.word == "unable"
    count.undecided += outcome.word == "undecided"
    if not outcome.refused:
        count.failures.append(f"{operation.name} | {wrong.name} | {outcome.word} | {outcome.text}")


def _score_cause(cause: Count, operation: Operation, wrong: Wrong, outcome: Outcome) -> None:
    hit = any(name in wrong.causes for name in outcome.causes[:2])
    cause.total += 1
    cause.good += hit
    if not hit:
        said = ", ".join(outcome.causes[:3]) or "nothing"
        cause.failures.append(
            f"{operation.name} | {wrong.name} | expected {' or '.join(wrong.causes)} | said {said}"
        )


def right_questions(operations: tuple[Operation, ...], seeds: int) -> Iterator[Question]:
    """Every right rule in every precision: at each hard point, then over sampler or shapes, seed by seed."""
    for operation in operations:
        for rule in operation.right.values():
            for dtype in operation.dtypes:
                for _, point in points(operation, "float64", draws=0):
                    if _finite_in(operation, point, dtype):
                        yield Question(operation, rule, point, dtype, strict=True, examples=5)
    for seed in range(seeds):
        for operation in operations:
            for rule in operation.right.values():
                for dtype in operation.dtypes:
                    yield Question(
                        operation, rule, None, dtype, strict=True, seed=seed, examples=5, shapes=seed % 2 == 0
                    )


def _finite_in(operation: Operation, point: Any, dtype: str) -> bool:
    with np.errstate(all="ignore"):
        return all(
            np.isfinite(np.asarray(z, float)).all()
            for z in outputs(operation.forward, in_dtype(copied(point), dtype))
        )


def right_rules(tool: Tool, operations: tuple[Operation, ...], checks: int, every: int = 1) -> Count:
    """Right rules, so many checks that the tool could do, or one in `every`; `good` counts those not refused."""
    count = Count()
    for question in islice(right_questions(operations, seeds=10_000), 0, 2 * checks, every):
        if count.total * every >= checks:
            break
        outcome = tool.check(question)
        if outcome.word == "unable":
            count.unable += 1
        else:
            count.total += 1
            count.good += not outcome.refused
            count.undecided += outcome.word == "undecided"
        if outcome.word in ("refused", "unable"):
            kind = "sampler" if question.point is None else f"point {question.point!r}"
            about = (
                f"{question.operation.name} | {_name_of(question)} | {question.dtype} | seed {question.seed}"
            )
            count.failures.append(f"{about} | {kind} | {outcome.word} | {outcome.text}")
    return count


def _name_of(question: Question) -> str:
    return next(name for name, rule in question.operation.right.items() if rule is question.rule)


def _row_sums(x: Any) -> Any:
    return (x * np.tanh(x)).sum(1)


def _row_sums_vjp(u: Any, x: Any) -> Any:
    t = np.tanh(x)
    return u[:, None] * (t + x * (1 - t * t))


LARGE = Operation(
    "row sums of x tanh x, 100 by 100",
    _row_sums,
    {"product rule": _row_sums_vjp},
    lambda rng: (rng.standard_normal((100, 100)),),
    (),
    torch=lambda x: (x * T.tanh(x)).sum(1),
    jax=lambda x: (x * jnp.tanh(x)).sum(1),
)


def smallest_error(tool: Tool, one_point: bool, trials: int = 3, deepest: int = 12) -> float:
    """The least 10^-k for which it and every larger error of one entry is refused, in each of `trials`."""
    (x,) = base_point(LARGE)
    slopes = np.abs(_row_sums_vjp(np.ones(100), x))
    large = np.flatnonzero(slopes >= np.median(slopes))
    smallest = float("inf")
    for k in range(0, deepest + 1):
        for trial in range(trials):
            entry = int(np.random.default_rng((k, trial)).choice(large))
            rule = edited(_row_sums_vjp, _bent(entry, 10.0**-k))
            if not tool.check(
                Question(LARGE, rule, (x,) if one_point else None, seed=trial, examples=5)
            ).refused:
                return smallest
        smallest = 10.0**-k
    return smallest


def _bent(entry: int, relative: float) -> Callable[..., Any]:
    def change(g: Any, u: Any, *inputs: Any) -> Any:
        g = np.array(g)
        g.flat[entry] *= 1 + relative
        return g

    return change


def located(tool: Tool, operations: tuple[Operation, ...], trials: int = 2) -> Count:
    """One entry of one gradient 37 % too large, at one shape: how often input and element are named."""
    count = Count()
    for operation in operations:
        point = base_point(operation)
        rule = next(iter(operation.right.values()))
        rng = np.random.default_rng(17)
        u = draw_cotangent(rng, operation, point)
        truth = gradients(operation, point, rule(copied(u), *copied(point)))
        keys = differentiated(operation, point)
        for _ in range(trials):
            key = int(rng.choice(keys))
            candidates = np.flatnonzero(np.abs(truth[key]) >= np.median(np.abs(truth[key])))
            entry = int(rng.choice(candidates))
            if truth[key].flat[entry] == 0:
                continue
            bent = _bent_rule(operation, rule, key, entry)
            outcome = tool.check(Question(operation, bent, point))
            index = tuple(int(k) for k in np.unravel_index(entry, truth[key].shape))
            count.total += 1
            hit = outcome.where == (key, index)
            count.good += hit
            if not hit:
                about = f"{operation.name} | input {key} at {index}"
                count.failures.append(f"{about} | {outcome.word} | named {outcome.where} | {outcome.text}")
    return count


def _bent_rule(operation: Operation, rule: Callable[..., Any], key: int, entry: int) -> Callable[..., Any]:
    """The rule as a tuple by position, with one entry of gradient `key` 37 % too large."""

    def bent(u: Any, *inputs: Any) -> Any:
        found = gradients(operation, inputs, rule(u, *inputs))
        g = np.array(found[key])
        if entry < g.size:
            g.flat[entry] *= 1.37
        found[key] = g
        return tuple(found.get(k) if is_float(value) else None for k, value in enumerate(inputs))

    return bent


def median_seconds(tool: Tool, operations: tuple[Operation, ...], one_point: bool, examples: int) -> float:
    """Median over the operations; the second check of a rule counts, so that imports do not."""
    times = []
    for operation in operations:
        question = Question(
            operation,
            next(iter(operation.right.values())),
            base_point(operation) if one_point else None,
            examples=examples,
        )
        tool.check(question)
        times.append(tool.check(question).seconds)
    return statistics.median(times)
