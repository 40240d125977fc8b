"""Where points are drawn: the domain of an input, in one word, an interval or a callable.

    real   positive   probability (open interval, and 0 and 1 on purpose)   simplex   onehot (rows, last axis)
    labels(c)   (lo, hi)   callable(rng, shape) -> array

Numbers are short (multiples of 1/16 where the domain allows it), so that a failure can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.errors import DeclarationError

Array = np.ndarray[Any, Any]
WORDS = ("real", "positive", "probability", "simplex", "onehot")
KINDS = ("random", "zeros", "ties", "saturated", "small", "whole", "negative", "edge")


@dataclass(frozen=True)
class Domain:
    """One input's domain: a word, with the interval, class count or callable it needs."""

    word: str
    low: float = -np.inf
    high: float = np.inf
    classes: str = ""
    draw_with: Callable[[np.random.Generator, tuple[int, ...]], Array] | None = None

    @classmethod
    def of(cls, given: Any, name: str = "an input") -> Domain:
        """Read what a caller wrote; raises DeclarationError naming the words there are."""
        if isinstance(given, Domain):
            return given
        if isinstance(given, str):
            if given in WORDS:
                low, high = {"positive": (0.0, np.inf), "probability": (0.0, 1.0), "simplex": (0.0, np.inf)}.get(given, (-np.inf, np.inf))
                return cls(given, low, high)
            match = re.fullmatch(r"labels\((\w+)\)", given.replace(" ", ""))
            if match:
                return cls("labels", classes=match[1])
        elif isinstance(given, tuple) and len(given) == 2 and all(np.isscalar(v) for v in given):
            low, high = float(given[0]), float(given[1])
            if low < high:
                return cls("interval", low, high)
        elif callable(given):
            return cls("callable", draw_with=given)
        raise DeclarationError(
            f"domain of {name}: {given!r} is unknown; expected one of {', '.join(WORDS)}, labels(c), an interval (lo, hi) with lo < hi, "
            f"or a callable rng, shape -> array"
        )

    def __str__(self) -> str:
        if self.word == "interval":
            return f"({self.low:g}, {self.high:g})"
        return f"labels({self.classes})" if self.word == "labels" else self.word

    def contains(self, x: Array) -> bool:
        """Whether a point lies in the domain (a simplex's rows sum to 1 within rounding)."""
        x = np.asarray(x)
        if self.word in ("real", "callable") or x.size == 0:
            return True
        if self.word == "labels":
            return bool(np.issubdtype(x.dtype, np.integer) and (x >= 0).all())
        if self.word == "onehot":
            return bool(np.isin(x, (0, 1)).all() and (x.sum(-1) == 1).all()) if x.ndim else bool(x == 1)
        values = x.astype(np.float64)
        if self.word == "simplex":
            return bool((values >= 0).all() and x.ndim and np.allclose(values.sum(-1), 1, atol=1e-2))
        if self.word == "positive":
            return bool((values > 0).all())
        return bool((values >= self.low).all() and (values <= self.high).all())

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str = "random", sizes: Mapping[str, int] | None = None) -> Array:
        """A float64 (labels: int64) array of the domain; `kind` asks for hard values where the domain has them."""
        if self.draw_with is not None:
            return np.asarray(self.draw_with(rng, shape))
        return np.asarray(getattr(self, f"_{self.word}")(rng, shape, kind, dict(sizes or {})))

    def _real(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        x = short(rng, shape)
        match kind:
            case "zeros":
                x = plant(rng, x, 0.0)
            case "ties":
                x = tie(rng, x)
            case "saturated":
                x = plant(rng, x, rng.choice([-1.0, 1.0], shape) * rng.choice([18.0, 37.0, 90.0, 750.0], shape), 2)
            case "small":
                x = x * 2.0**-20
            case "whole":
                x = rng.integers(-2, 3, shape).astype(np.float64)
            case "negative":
                x = -np.abs(x)
        return x

    def _positive(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        x = np.abs(short(rng, shape))
        if kind == "ties":
            return tie(rng, x)
        if kind in ("zeros", "small", "edge"):
            return plant(rng, x, 2.0 ** -rng.integers(6, 24, shape).astype(np.float64))
        if kind == "saturated":
            return plant(rng, x, rng.choice([20.0, 100.0, 1000.0], shape))
        return x

    def _probability(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        x = rng.integers(1, 16, shape) / 16
        if kind == "ties":
            return tie(rng, x)
        if kind in ("small", "saturated"):
            tiny = 2.0 ** -rng.integers(8, 30, shape).astype(np.float64)
            return plant(rng, x, np.where(rng.random(shape) < 0.5, tiny, 1 - tiny))
        if kind in ("zeros", "edge"):
            return plant(rng, x, rng.integers(0, 2, shape).astype(np.float64))
        return x

    def _interval(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        low, high = self.low, self.high
        if np.isfinite(low) and np.isfinite(high):
            x = low + (high - low) * rng.integers(1, 64, shape) / 64
        elif np.isfinite(low) or np.isfinite(high):
            away = np.abs(short(rng, shape))
            x = low + away if np.isfinite(low) else high - away
        else:
            x = short(rng, shape)
        if kind == "zeros" and low < 0 < high:
            x = plant(rng, x, 0.0)
        return tie(rng, x) if kind == "ties" else x

    def _simplex(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        x = rng.integers(1, 17, shape).astype(np.float64)
        if kind == "ties":
            x = tie(rng, x)
        if kind == "small":
            x = plant(rng, x, 2.0**-16)
        return x / x.sum(-1, keepdims=True) if shape else np.ones(())

    def _onehot(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        if not shape:
            return np.ones(())
        classes = max(shape[-1], 1)
        return np.eye(classes)[rng.integers(0, classes, shape[:-1])].reshape(shape)

    def _labels(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        count = int(self.classes) if self.classes.isdigit() else sizes.get(self.classes, 0)
        x = rng.integers(0, max(count, 1), shape)
        return tie(rng, x) if kind in ("ties", "whole") else x  # a repeated index


def short(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers that are exact in few bits: multiples of 1/16 up to 5/2, never 0."""
    magnitude = rng.integers(1, 41, shape) / 16
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], shape))


def plant(rng: np.random.Generator, x: Array, value: Any, most: int = 3) -> Array:
    """The array with one to `most` entries (at most a third, at least one) replaced by `value`."""
    if x.size == 0:
        return x
    x = x.copy()
    count = max(1, min(most, x.size // 3))
    where = rng.choice(x.size, count, replace=False)
    x.reshape(-1)[where] = np.broadcast_to(value, x.shape).reshape(-1)[where]
    return x


def tie(rng: np.random.Generator, x: Array) -> Array:
    """The array with a few entries made equal to a neighbour along some axis longer than 1."""
    x = x.copy()
    axes = [a for a in range(x.ndim) if x.shape[a] > 1]
    for axis in axes:
        lines = np.moveaxis(x, axis, -1)
        line = tuple(int(rng.integers(n)) for n in lines.shape[:-1])
        first, second = rng.choice(lines.shape[-1], 2, replace=False)
        # the tie must matter to a maximum: it is the largest of its line in half of the draws
        value = lines[line].max() if rng.random() < 0.5 else lines[(*line, first)]
        lines[(*line, first)] = lines[(*line, second)] = value
    return x
