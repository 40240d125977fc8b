"""How often a wrong entry is missed without a reference, over the number of entries: `python -m benchmarks.missed`.

    f(x) = sum x tanh x        rule = u (f'(x) + e on m of its n entries)

direction   share of directions, of signs and one size, in which the error stays below what the direction allows;
            beside it what counting foretells: m errors of one size cancel with probability C(m, m/2) / 2^m
check       share of whole checks of one point (examples=1: two directions, the second with steps of each entry's
            size) that do not refuse the rule; a check explains what it refuses, so there are fewer of them

e is relative to the median entry of f'. Prints a Markdown table each.
"""

from __future__ import annotations

import sys
from math import comb
from typing import Any

import numpy as np

import gradproof
from gradproof.calling.subject import Subject
from gradproof.judging.bench import Bench, Settings
from gradproof.judging.slope import directions, slope
from gradproof.judging.trial import Trial
from gradproof.sampling.given import Given

SIZES = (1, 10, 100, 1_000, 10_000)
ERRORS = (1e-8, 1e-10, 1e-12, 1e-13)
COUNTS = (1, 2, 3, 4, 10, 100)


def forward(x: Any) -> Any:
    return (x * np.tanh(x)).sum()


def right(u: Any, x: Any) -> Any:
    t = np.tanh(x)
    return u * (t + x * (1 - t * t))


def bent(entries: Any, error: float) -> Any:
    """The right rule with the error added to these entries, all of one size."""

    def rule(u: Any, x: Any) -> Any:
        g = right(u, x)
        g[entries] += u * error
        return g

    return rule


def point(n: int, m: int, seed: int) -> tuple[Any, Any, float]:
    """A point of n entries, m of them chosen, and the median size of the derivative."""
    rng = np.random.default_rng((n, m, seed))
    x = rng.standard_normal(n)
    return x, rng.choice(n, m, replace=False), float(np.median(np.abs(right(1.0, x))))


def missed_directions(n: int, m: int, error: float, draws: int) -> float:
    """The share of `draws` directions in which m equal errors among n entries are within the bound."""
    missed = 0
    for seed in range(draws):
        x, entries, size = point(n, m, seed)
        subject = Subject("rule", forward, bent(entries, error * size), {})
        sample = Given((x,), lambda count: ("x",), seed).draw(0)
        assert sample is not None
        trial, bench = Trial(subject, sample), Bench(subject, Settings())
        bench.learn(trial)
        got = trial.pull()[0]
        assert got is not None
        v = directions(trial, 0, np.random.default_rng((seed, m)), 1)[0]
        ray = slope(trial, {0: v})
        room = ray.bound + bench.rounding(trial, 0, got, 0.0, v, got.dtype)
        missed += abs(float((got * v).sum()) - ray.value) <= room
    return missed / draws


def missed_checks(n: int, m: int, error: float, draws: int) -> float:
    """The share of `draws` whole checks that do not refuse m equal errors among n entries."""
    missed = 0
    for seed in range(draws):
        x, entries, size = point(n, m, seed)
        rule = bent(entries, error * size)
        missed += not gradproof.check_vjp(forward, rule, (x,), examples=1, seed=seed).refused
    return missed / draws


def foretold(m: int) -> float:
    """That m signs of equal weight sum to zero."""
    return comb(m, m // 2) / 2**m if m % 2 == 0 else 0.0


def share(missed: float, draws: int) -> str:
    return f"{missed:.2%}" if missed else f"0 of {draws:,}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows])


def main(draws: int) -> None:
    rows = [[f"{n:,}", *(share(missed_directions(n, 1, e, draws), draws) for e in ERRORS)] for n in SIZES]
    print(table(["one wrong entry among", *(f"error {e:g}" for e in ERRORS)], rows), end="\n\n", flush=True)
    rows, few = [], max(draws // 20, 1)
    for m in COUNTS:
        seen = share(missed_directions(1_000, m, 1e-3, draws), draws)
        rows.append([f"{m}", f"{foretold(m):.2%}", seen, share(missed_checks(1_000, m, 1e-3, few), few)])
    heads = ["equal errors among 1,000", "foretold", "missed by a direction", "missed by a check of one point"]
    print(table(heads, rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
