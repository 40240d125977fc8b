"""Are the bounds of finite differences true, and are they of use? Functions with known derivatives, by seed.

    python -m benchmarks.honesty [draws [function ...]]

exceed   draws in 1,000 whose true error is above the bound; undecided (no bound) is counted apart
width    median bound over median true error; an error counts as half an ulp of the derivative, or of f over
         the scale, where it is less than either
calls    evaluations of the function, median and most

The truth is the derivative's formula in extended precision. Of a function that rounds to float32 inside, it
is the derivative of the smooth function that it rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.oracles.differences import derivative

Wide = np.longdouble
Draw = Callable[[np.random.Generator, int], Any]
SCALES = (0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Case:
    """f and its derivative, elementwise on arrays; where points are drawn."""

    f: Callable[[Any], Any]
    df: Callable[[Any], Any]
    draw: Draw
    precision: str = "float64"
    named: bool = False  # issue 3 names it, with figures to reach


def uniform(low: float, high: float) -> Draw:
    return lambda rng, n: rng.uniform(low, high, n)


def near_zero(low: float, high: float = 0.0, signed: bool = True) -> Draw:
    """10^low to 10^high in size, evenly in the exponent."""
    return lambda rng, n: 10 ** rng.uniform(low, high, n) * (rng.choice([-1.0, 1.0], n) if signed else 1.0)


def single(x: Any) -> Any:
    """To float32 and back."""
    return np.asarray(x).astype(np.float32).astype(np.float64)


CASES = {
    "1e8 + sin x": Case(lambda x: 1e8 + np.sin(x), np.cos, uniform(-3, 3), named=True),
    "(1e8 + sin x) - 1e8": Case(lambda x: (1e8 + np.sin(x)) - 1e8, np.cos, uniform(-3, 3), named=True),
    "sin 1000x": Case(
        lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x), uniform(-3, 3), named=True
    ),
    "sqrt x near 0": Case(np.sqrt, lambda x: 0.5 / np.sqrt(x), near_zero(-12, signed=False), named=True),
    "log x near 0": Case(np.log, lambda x: 1 / x, near_zero(-12, signed=False), named=True),
    "|x|^1.5 near 0": Case(
        lambda x: np.abs(x) ** 1.5,
        lambda x: 1.5 * np.sqrt(np.abs(x)) * np.sign(x),
        near_zero(-12),
        named=True,
    ),
    "float32(sin x) x": Case(
        lambda x: single(np.sin(x)) * x, lambda x: np.sin(x) + x * np.cos(x), uniform(-3, 3), named=True
    ),
    "sin(float32(x)) x": Case(
        lambda x: np.sin(single(x)) * x, lambda x: np.sin(x) + x * np.cos(x), uniform(-3, 3), named=True
    ),
    "sin x, float32": Case(
        lambda x: np.sin(np.asarray(x).astype(np.float32)), np.cos, uniform(-3, 3), precision="float32"
    ),
    "exp x": Case(np.exp, np.exp, uniform(-5, 5)),
    "tanh x, saturated": Case(np.tanh, lambda x: 1 / np.cosh(x) ** 2, uniform(-25, 25)),
    "sigmoid x, saturated": Case(
        lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (2 + np.exp(-x) + np.exp(x)), uniform(-40, 40)
    ),
    "x^5 - 3x^2 + x": Case(lambda x: x**5 - 3 * x**2 + x, lambda x: 5 * x**4 - 6 * x + 1, uniform(-2, 2)),
    "1 / (0.001 + x^2)": Case(
        lambda x: 1 / (1e-3 + x * x), lambda x: -2 * x / (Wide("0.001") + x * x) ** 2, uniform(-0.3, 0.3)
    ),
    "x |x| near 0": Case(lambda x: x * np.abs(x), lambda x: 2 * np.abs(x), near_zero(-12)),
    "relu x + 0.3x near 0": Case(
        lambda x: np.maximum(x, 0) + 0.3 * x, lambda x: (x > 0) + Wide(0.3), near_zero(-12)
    ),
    "exp |x| near 0": Case(
        lambda x: np.exp(np.abs(x)), lambda x: np.sign(x) * np.exp(np.abs(x)), near_zero(-9)
    ),
    "x + relu(x)/10^5 near 0": Case(
        lambda x: x + 1e-5 * np.maximum(x, 0), lambda x: 1 + Wide(1e-5) * (x > 0), near_zero(-9)
    ),
    "x + sin(100x)/10": Case(
        lambda x: x + 0.1 * np.sin(100 * x), lambda x: 1 + Wide(0.1) * 100 * np.cos(100 * x), uniform(-3, 3)
    ),
    "x exp(-(1000x)^2)": Case(
        lambda x: x * np.exp(-((1000 * x) ** 2)),
        lambda x: (1 - 2 * (1000 * x) ** 2) * np.exp(-((1000 * x) ** 2)),
        near_zero(-6, -2),
    ),
    "3.7 x + 1.1": Case(lambda x: 3.7 * x + 1.1, lambda x: Wide(3.7) + 0 * x, uniform(-3, 3)),
    "constant": Case(lambda x: 1.1 + 0 * x, lambda x: 0 * x, uniform(-3, 3)),
}


@dataclass(frozen=True)
class Figures:
    """What a case came to; `error` and `bound` a draw an entry."""

    error: Any
    bound: Any
    calls: Any
    seconds: float
    least: Any  # what rounding alone leaves: half an ulp of the derivative, or of f over the scale

    @property
    def undecided(self) -> int:
        return int(np.isinf(self.bound).sum())

    @property
    def exceeded(self) -> int:
        return int((~(self.error <= self.bound)).sum())

    @property
    def width(self) -> float:
        return float(np.median(self.bound) / max(np.median(np.maximum(self.error, self.least)), 5e-324))


def measure(case: Case, draws: int, seed: int = 0, together: int = 1) -> Figures:
    """`draws` points, `together` of them as the components of one call."""
    rng = np.random.default_rng(seed)
    found, points, scales = [], [], []
    start = time.perf_counter()
    for _ in range(draws // together):
        x, scale = case.draw(rng, together), float(rng.choice(SCALES))
        found.append(derivative(lambda t, x=x: case.f(x + t), scale, precision=case.precision))
        points.append(x)
        scales.append(np.full(together, scale))
    seconds = (time.perf_counter() - start) / len(found)
    x, scale = np.concatenate(points), np.concatenate(scales)
    kind = np.float32 if case.precision == "float32" else np.float64
    with np.errstate(all="ignore"):
        truth = case.df(x.astype(Wide))
        half_ulps = [np.spacing(np.abs(y).astype(kind)).astype(float) / 2 for y in (truth, case.f(x))]
    return Figures(
        error=np.abs(np.concatenate([each.value for each in found]) - truth).astype(float),
        bound=np.concatenate([each.bound for each in found]).astype(float),
        calls=np.array([each.evaluations for each in found]),
        seconds=seconds,
        least=np.maximum(half_ulps[0], half_ulps[1] / scale),
    )


def report(draws: int, names: Iterable[str]) -> int:
    """Print the table; the number of named cases that miss their figures."""
    heads = ("function", "draws", "undecided", "exceed", "width", "calls", "us")
    print("{:24s}{:>6s}{:>10s}{:>8s}{:>9s}{:>10s}{:>6s}".format(*heads))
    missed = 0
    for name in names:
        case = CASES[name]
        got = measure(case, draws)
        missed += case.named and (got.exceeded * 1000 > draws or got.width > 1000)
        calls = f"{np.median(got.calls):.0f}/{got.calls.max()}"
        print(
            f"{name:24s}{draws:6d}{got.undecided:10d}{1000 * got.exceeded / draws:8.2f}"
            f"{got.width:9.3g}{calls:>10s}{got.seconds * 1e6:6.0f}",
            flush=True,
        )
    return missed


if __name__ == "__main__":
    sys.exit(report(int(sys.argv[1]) if len(sys.argv) > 1 else 5000, sys.argv[2:] or CASES) > 0)
