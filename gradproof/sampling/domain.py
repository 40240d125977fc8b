"""Where points are drawn: the domain of an input, in one word, an interval or a callable.

    real   positive   probability (open interval, and 0 and 1 on purpose)   simplex   onehot (rows, last axis)
    labels(c)   (lo, hi) with both ends   callable(rng, shape) -> array

Numbers are short (multiples of 1/16 where the domain allows it), so that a failure can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.errors import DeclarationError, InputError
from gradproof.sampling.sample import Swept

Array = np.ndarray[Any, Any]
WORDS = ("real", "positive", "probability", "simplex", "onehot")
# what arrays of few entries take one after the other: halves up to 8, then small numbers, which beside large ones would
# not be seen, and then large ones, beside which a softmax has nothing else to show
SIDES = np.array([[-1.0], [1.0]])
BLOCKS = (
    (SIDES * np.arange(1, 17) / 2).reshape(-1),
    (SIDES * 2.0 ** -np.array([3, 6, 9, 12])).reshape(-1),
    (SIDES * [12, 18, 25, 50, 150]).reshape(-1),
)
SWEPT = np.concatenate(BLOCKS)
SWEEP = 2**20  # where a sample's index stands in the seed of its generator


@dataclass(frozen=True)
class Domain:
    """One input's domain: a word, with the interval, class count or callable it needs."""

    word: str
    low: float = -np.inf
    high: float = np.inf
    classes: str = ""
    draw_with: Callable[[np.random.Generator, tuple[int, ...]], Array] | None = None
    name: str = "an input"

    @classmethod
    def of(cls, given: Any, name: str = "an input") -> Domain:
        """Read what a caller wrote; raises DeclarationError naming the words there are."""
        if isinstance(given, Domain):
            return given
        if isinstance(given, str):
            if given in WORDS:
                low, high = {
                    "positive": (0.0, np.inf),
                    "probability": (0.0, 1.0),
                    "simplex": (0.0, np.inf),
                }.get(given, (-np.inf, np.inf))
                return cls(given, low, high)
            match = re.fullmatch(r"labels\(\s*(\w+)\s*\)", given.strip())
            if match:
                return cls("labels", classes=match[1])
        elif isinstance(given, tuple) and len(given) == 2 and all(np.isscalar(v) for v in given):
            low, high = float(given[0]), float(given[1])
            if low < high:
                return cls("interval", low, high)
        elif callable(given):
            return cls("callable", draw_with=given, name=name)
        raise DeclarationError(
            f"domain of {name}: {given!r} is unknown; expected one of {', '.join(WORDS)}, labels(c), an "
            "interval (lo, hi) with lo < hi, "
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
            below = int(self.classes) if self.classes.isdigit() else np.inf
            return bool(np.issubdtype(x.dtype, np.integer) and (x >= 0).all() and (x < below).all())
        if self.word == "onehot":
            return bool(np.isin(x, (0, 1)).all() and (x.sum(-1) == 1).all()) if x.ndim else bool(x == 1)
        values = x.astype(np.float64)
        if self.word == "simplex":
            return bool((values >= 0).all() and x.ndim and np.allclose(values.sum(-1), 1, atol=1e-2))
        if self.word == "positive":
            return bool((values > 0).all())
        return bool((values >= self.low).all() and (values <= self.high).all())

    def takes(self, kind: str) -> bool:
        """Whether the domain has values of a kind that is planted in one input alone."""
        if kind == "origin":
            return self.word == "real" or (self.word == "interval" and self.low < 0 < self.high)
        return self.word in ("real", "positive") or (self.word == "interval" and not self._bounded)

    @property
    def _bounded(self) -> bool:
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def draw(
        self,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        kind: str = "random",
        sizes: Mapping[str, int] | None = None,
    ) -> Array:
        """A float64 (labels: int64) array of the domain; `kind` asks for hard values where the domain has them."""
        if self.draw_with is not None:
            return self._called(np.asarray(self.draw_with(rng, shape)), shape)
        return np.asarray(getattr(self, f"_{self.word}")(rng, shape, kind, dict(sizes or {})))

    def _called(self, x: Array, shape: tuple[int, ...]) -> Array:
        if x.shape != shape:
            raise InputError(
                f"the domain of {self.name} gave shape {x.shape}, asked for {shape}; return an array of the shape it "
                "is handed"
            )
        if x.dtype.kind == "f" and not np.isfinite(x).all():
            raise InputError(f"the domain of {self.name} gave NaN or infinity; return finite numbers")
        return x

    def _real(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        return harden(rng, full(rng, shape) if kind == "random" else short(rng, shape), kind)

    def _positive(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        x = np.abs(short(rng, shape))
        if kind == "ties":
            return tie(rng, x)
        if kind in ("zeros", "small", "edge"):
            return plant(rng, x, 2.0 ** -rng.integers(6, 24, shape).astype(np.float64))
        if kind in ("saturated", "extreme"):
            return plant(rng, x, rng.choice([20.0, 100.0, 1000.0], shape))
        if kind == "moderate":
            return moderate(rng, shape)
        if isinstance(kind, Swept):
            return np.abs(swept(rng, x, kind))
        return np.abs(full(rng, shape)) + 2.0**-6 if kind == "random" else x

    def _probability(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        x = rng.uniform(0.02, 0.98, shape) if kind == "random" else rng.integers(1, 16, shape) / 16
        if kind == "ties":
            return tie(rng, x)
        if isinstance(kind, Swept):
            return swept(rng, x, kind, inside=True)
        if kind in ("small", "saturated", "extreme"):
            tiny = 2.0 ** -rng.integers(8, 30, shape).astype(np.float64)
            return plant(rng, x, np.where(rng.random(shape) < 0.5, tiny, 1 - tiny))
        if kind in ("zeros", "edge"):
            # both ends, in turn; of a single entry the one is all there is
            some = rng.permutation(x.size)[: max(2, min(6, x.size // 2))]
            x.reshape(-1)[some] = (np.arange(some.size) + (kind == "edge")) % 2
        return x

    def _interval(self, rng: np.random.Generator, shape: tuple[int, ...], kind: str, sizes: dict[str, int]) -> Array:
        low, high = self.low, self.high
        width = high - low if self._bounded else 1.0
        near = width * 10.0 ** -rng.uniform(1.5, 9, shape)
        if self._bounded and isinstance(kind, Swept):
            return low + width * swept(rng, np.full(shape, 0.5), kind, inside=True)
        if self._bounded:
            x = low + width * (rng.random(shape) if kind == "random" else rng.integers(1, 64, shape) / 64)
        elif np.isfinite(low) or np.isfinite(high):
            away = moderate(rng, shape) if kind == "moderate" else np.abs(short(rng, shape))
            away = np.abs(swept(rng, away, kind)) if isinstance(kind, Swept) else away
            x = low + away if np.isfinite(low) else high - away
        else:
            return self._real(rng, shape, kind, sizes)
        lower = np.isfinite(low) & (~np.isfinite(high) | (rng.random(shape) < 0.5))
        if kind in ("small", "saturated", "extreme"):
            x = plant(rng, x, np.where(lower, low + near, high - near), 8, 2)
        if kind == "edge":
            x = plant(rng, x, np.where(lower, low, high))
        if low < 0 < high and kind in ("zeros", "origin"):
            return plant(rng, x, 0.0) if kind == "zeros" else np.zeros(shape)
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
        if not self.classes.isdigit() and self.classes not in sizes:
            known = ", ".join(sizes) or "none, for want of a shape string"
            raise InputError(f"domain labels({self.classes}): {self.classes!r} is no axis; the axes are {known}")
        count = int(self.classes) if self.classes.isdigit() else sizes[self.classes]
        x = rng.integers(0, max(count, 1), shape)
        return tie(rng, x) if kind in ("ties", "whole") else x  # a repeated index


def full(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random normal numbers in every bit of float64, so that a cast to fewer bits inside a rule shows."""
    return np.asarray(rng.normal(size=shape))


def short(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers that are exact in few bits: multiples of 1/16 up to 5/2, never 0."""
    magnitude = rng.integers(1, 41, shape) / 16
    return np.asarray(magnitude * rng.choice([-1.0, 1.0], shape))


def moderate(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Multiples of 1/16 between 2 and 60, their logarithms spread evenly."""
    return np.asarray(np.round(32 * 30.0 ** spread(rng, shape)) / 16)


def spread(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers between 0 and 1 in random order, one in each of as many equal parts: none is left out by chance."""
    count = int(np.prod(shape))
    return np.asarray((rng.permutation(count) + rng.random(count)) / max(count, 1)).reshape(shape)


def harden(rng: np.random.Generator, x: Array, kind: str, positive: bool = False) -> Array:
    """The array with hard values of one kind planted in it, or made of them.

    zeros: exact zeros, at times a whole row; ties: equal entries; saturated: up to where 1 - tanh(x)^2 is lost;
    extreme: beyond the overflow of exp in float64; whole: whole numbers, where thresholds tend to lie; moderate: all
    sizes between 2 and 60, where approximations set in; origin: zeros alone, the commonest initialisation; negative and
    edge: one sign, and every stretch of the numbers up to 8, where thresholds of activations lie.
    """
    if isinstance(kind, Swept):
        return np.abs(swept(rng, x, kind)) if positive else swept(rng, x, kind)
    signs = 1.0 if positive else rng.choice([-1.0, 1.0], x.shape)
    match kind:
        case "zeros":
            x = plant(rng, x, 0.0, 8)
            if x.ndim and x.shape[0] > 1 and x.size > x.shape[-1] and rng.random() < 0.5:
                x.reshape(-1, x.shape[-1])[int(rng.integers(x.size // x.shape[-1]))] = 0.0
        case "ties":
            x = tie(rng, x)
        case "saturated":
            x = plant(rng, x, signs * rng.choice([18.0, 37.0, 95.0], x.shape))
        case "extreme":
            x = _beyond_overflow(rng, x, positive)
        case "moderate":
            x = signs * moderate(rng, x.shape)
        case "origin":
            x = np.zeros(x.shape)
        case "whole":
            x = np.clip(np.round(2.5 * rng.normal(size=x.shape)), -6, 6)
            x = np.abs(x) if positive else x
        case "small":
            x = x * 2.0 ** -rng.integers(10, 24, x.shape if rng.random() < 0.5 else ()).astype(np.float64)
        case "negative" if not positive:
            x = -np.ceil(128 * spread(rng, x.shape)) / 16
        case "edge":
            x = np.ceil(128 * spread(rng, x.shape)) / 16
    return np.asarray(x)


def swept(rng: np.random.Generator, x: Array, kind: Swept, inside: bool = False) -> Array:
    """The array with its entries replaced, of a larger one as many as there are values: by those whose turn it is.

    `rng` has to be the same at every turn. inside: by as many parts of (0, 1).
    """
    starts = np.cumsum([0, *(block.size for block in BLOCKS)])
    order = np.concatenate([k + rng.permutation(b.size) for k, b in zip(starts, BLOCKS, strict=False)])
    x, count = x.copy(), min(x.size, order.size)
    turn = order[(kind.turn * count + np.arange(count)) % order.size]
    x.reshape(-1)[rng.permutation(x.size)[:count]] = (turn + 0.5) / order.size if inside else SWEPT[turn]
    return x


def _beyond_overflow(rng: np.random.Generator, x: Array, positive: bool) -> Array:
    """The array with two to six entries replaced: the first two beyond where exp overflows, signs by turns."""
    x = x.copy()
    where = rng.choice(x.size, min(max(2, min(6, x.size // 2)), x.size), replace=False)
    sizes = np.where(np.arange(where.size) < 2, 800.0, rng.choice([95.0, 800.0], where.size))
    sides = 1.0 if positive else rng.choice([-1.0, 1.0]) * (-1.0) ** np.arange(where.size)
    x.reshape(-1)[where] = sides * sizes
    return x


def plant(rng: np.random.Generator, x: Array, value: Any, most: int = 3, share: int = 3) -> Array:
    """The array with one to `most` entries (at least one, else no more than 1 in `share`) replaced by `value`."""
    if x.size == 0:
        return x
    x = x.copy()
    count = max(1, min(most, x.size // share))
    where = rng.choice(x.size, count, replace=False)
    x.reshape(-1)[where] = np.broadcast_to(value, x.shape).reshape(-1)[where]
    return x


def tie(rng: np.random.Generator, x: Array) -> Array:
    """The array with entries made equal along each axis: neighbours and others, at the largest, smallest, any value."""
    x = x.copy()
    for axis in (a for a in range(x.ndim) if x.shape[a] > 1):
        lines = np.moveaxis(x, axis, -1)
        for value in ("largest", "smallest", "any"):
            line = tuple(int(rng.integers(n)) for n in lines.shape[:-1])
            first = int(rng.integers(lines.shape[-1]))
            second = (first + (1 if rng.random() < 0.6 else int(rng.integers(1, lines.shape[-1])))) % lines.shape[-1]
            one = lines[line]
            extreme = {"largest": one.max(), "smallest": one.min(), "any": one[first]}[value]
            lines[(*line, first)] = lines[(*line, second)] = extreme
    return x
