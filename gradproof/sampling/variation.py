"""Another point like a given one: fresh values of one kind, and what the point has is kept.

Kept are values 0 and 1, whole numbers, no negative, rows that sum to 1, sorted, symmetric, a permutation; of a
constant, such as the grid of an interpolation, that it rises from entry to entry as well. Hard values are planted in
one input, and in several at one place: hypot and arctan2 are singular where both of theirs are zero, a distance where
two points are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gradproof.sampling.domain import Domain, full, harden, short, tie
from gradproof.sampling.sample import is_float

Array = np.ndarray[Any, Any]


def structure(x: Array) -> frozenset[str]:
    """What a point has and its variations keep, in words."""
    a = np.asarray(x)
    if a.size == 0 or a.dtype == object or a.dtype.kind not in "fiubV":
        return frozenset()
    a = a.astype(np.float64)
    words = set()
    whole = bool((a == np.round(a)).all() and (np.abs(a) < 2**31).all()) and a.size > 1  # beyond, every float is whole
    if whole and np.isin(a, (0, 1)).all():
        words.add("values 0/1")
    if whole and a.ndim == 1 and a.size > 2 and (np.sort(a) == np.arange(a.size)).all():
        words.add("a permutation")
    if whole and a.size > 2:
        words.add("integers")
    if (a >= 0).all():
        words.add("all >= 0")
        if (a > 0).all():
            words.add("all > 0")
        if a.ndim and a.shape[-1] > 1 and np.allclose(a.sum(-1), 1, atol=1e-2 if x.dtype.itemsize < 4 else 1e-5):
            words.add("rows summing to 1")
    if a.ndim and a.shape[-1] > 3 and (np.diff(a, axis=-1) >= 0).all() and (np.ptp(a, axis=-1) > 0).all():
        words.add("sorted")
    if a.ndim >= 2 and a.shape[-1] == a.shape[-2] > 1 and (a == np.swapaxes(a, -1, -2)).all() and not _diagonal(a):
        words.add("symmetric")
    return frozenset(words)


def kept(x: Array, constant: bool) -> frozenset[str]:
    """The structure that variations keep of an input; a constant of floats that rises is a grid, and stays one."""
    a, words = np.asarray(x), structure(x)
    if constant and is_float(a) and "sorted" in words and "rows summing to 1" not in words and _rises(a):
        return words - {"a permutation"} | {"no ties"}
    return words - {"sorted"} if "a permutation" in words else words


def _rises(a: Array) -> bool:
    return bool((np.diff(a.astype(np.float64), axis=-1) > 0).all())


def _diagonal(a: Array) -> bool:
    return bool((a * (1 - np.eye(a.shape[-1])) == 0).all()) and bool((a == a.flat[0]).all())


def vary(
    rng: np.random.Generator, x: Array, kind: str, keep: frozenset[str], shape: tuple[int, ...] | None = None
) -> Array:
    """Another array like `x`, of its dtype: fresh values of one kind, the kept structure intact."""
    x = np.asarray(x)
    shape = x.shape if shape is None else shape
    if x.size == 0 or 0 in shape:
        return np.zeros(shape, x.dtype)
    if not is_float(x):
        return vary_whole(rng, x, kind, keep, shape)
    base = x.astype(np.float64)
    mirrored = "symmetric" in keep and len(shape) > 1 and shape[-1] == shape[-2]
    if mirrored and kind == "origin":
        kind = "random"  # no inverse, no factor, and all eigenvalues tied: a matrix that nobody starts from
    if mirrored and "rows summing to 1" in keep:
        share = 1.0 if "values 0/1" in keep else rng.integers(1, 16) / 16
        return (share * _exchange(rng, shape) + (1 - share) * np.eye(shape[-1])).astype(x.dtype)
    if "values 0/1" in keep:
        if "rows summing to 1" in keep:
            return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])].reshape(shape).astype(x.dtype)
        some = np.asarray(rng.random(shape) < np.clip(base.mean(), 0.2, 0.8))
        if not mirrored:
            _all_or_nothing(rng, some, base, kind)
        return (_mirror(some.astype(np.float64)) if mirrored else some).astype(x.dtype)
    if "a permutation" in keep:
        return rng.permutation(int(np.prod(shape))).reshape(shape).astype(x.dtype)
    if "rows summing to 1" in keep:
        return Domain.of("simplex").draw(rng, shape, kind).astype(x.dtype)
    kind = above_zero(kind, keep)
    low, high, rms = float(base.min()), float(base.max()), float(np.sqrt((base**2).mean())) or 1.0
    if "integers" in keep and kind == "origin" and low <= 0 <= high:
        fresh = np.zeros(shape)
    elif "integers" in keep:
        fresh = rng.integers(round(low), max(round(high), round(low) + 1) + 1, shape).astype(np.float64)
        fresh = tie(rng, fresh) if kind == "ties" else fresh
    elif "all >= 0" in keep:
        spread = (low, high) if high > low else (0.5 * high, 1.5 * high or 1.0)
        fresh = spread[0] + (spread[1] - spread[0]) * rng.integers(1, 64, shape) / 64
        fresh = range_of(x.dtype, harden(rng, fresh, kind, positive=True), kind)
    else:
        drawn = full(rng, shape) if kind == "random" else short(rng, shape)
        fresh = range_of(x.dtype, harden(rng, drawn * _two_power(rms), kind), kind)
    if mirrored:
        fresh = _mirror(fresh)
    if "sorted" in keep:
        fresh = np.sort(fresh, axis=-1)
    if "no ties" in keep and not _rises(fresh.astype(x.dtype)):
        fresh = _regridded(rng, base, shape)
    return np.asarray(fresh.astype(x.dtype))


def _regridded(rng: np.random.Generator, base: Array, shape: tuple[int, ...]) -> Array:
    """A grid with the gaps of another in another order: whole where that is, and as wide where it is as long."""
    gaps, fresh = np.diff(base, axis=-1), np.zeros(shape)
    fresh[..., 0] = base[..., 0] if shape == base.shape else base.reshape(-1)[0]
    if shape == base.shape:
        fresh[..., 1:] = rng.permuted(gaps, axis=-1)
    else:
        fresh[..., 1:] = rng.choice(gaps.reshape(-1), (*shape[:-1], shape[-1] - 1))
    return np.asarray(np.cumsum(fresh, axis=-1))


def _mirror(x: Array) -> Array:
    return np.asarray(np.triu(x) + np.swapaxes(np.triu(x, 1), -1, -2))


def _exchange(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """The matrix that exchanges some rows in pairs, a stack of them where the shape has more axes."""
    size = shape[-1]
    order, rows = rng.permutation(size), np.arange(size)
    for first, second in zip(order[: size // 2], order[size // 2 :], strict=False):
        if rng.random() < 0.7:
            rows[[first, second]] = second, first
    return np.asarray(np.broadcast_to(np.eye(size)[rows], shape))


def above_zero(kind: str, keep: frozenset[str]) -> str:
    """What is above zero stays so: no zeros are planted in it."""
    return "small" if "all > 0" in keep and kind in ("zeros", "whole", "origin") else kind


def _two_power(scale: float) -> float:
    # a power of two keeps short numbers short
    return float(2.0 ** np.round(np.log2(scale)))


def range_of(dtype: np.dtype[Any], fresh: Array, kind: str) -> Array:
    """Hard values that float16, whose largest number is exp(11), can work with: a tenth of the size, 1/64 at least."""
    if dtype != np.float16 or kind not in ("saturated", "extreme", "small", "moderate", "swept"):
        return fresh
    if kind == "moderate":
        return np.where(np.abs(fresh) > 8, fresh / 8, fresh)
    if kind == "small":
        return np.where(np.abs(fresh) < 2.0**-6, np.copysign(2.0**-6, fresh) * (fresh != 0), fresh)
    return np.where(np.abs(fresh) > 8, np.copysign(8.0, fresh), fresh)


def vary_whole(rng: np.random.Generator, x: Array, kind: str, keep: frozenset[str], shape: tuple[int, ...]) -> Array:
    if x.dtype == bool:
        drawn = np.asarray(rng.random(shape) < np.clip(x.mean(), 0.2, 0.8))
        _all_or_nothing(rng, drawn, x, kind)
        return drawn
    if "a permutation" in keep:
        return rng.permutation(int(np.prod(shape))).reshape(shape).astype(x.dtype)
    values = rng.choice(x.reshape(-1), shape)  # indices stay among those the point has, so that they stay in range
    if kind in ("ties", "whole"):
        values = tie(rng, values)  # a repeated index
    if "sorted" in keep:
        values = np.sort(values, axis=-1)
    return np.asarray(values, x.dtype)


def _all_or_nothing(rng: np.random.Generator, drawn: Array, x: Array, kind: str) -> None:
    """Plant a row that a mask leaves nothing of, or all, unless every row of the point has as many ones."""
    rows = drawn.reshape(-1, drawn.shape[-1]) if drawn.ndim > 1 else drawn[:0]
    if kind in ("zeros", "whole") and len(rows) > 1 and np.ptp(x.sum(-1)):
        rows[int(rng.integers(len(rows)))] = kind == "whole"


HARD = {"zeros": lambda x: x == 0, "saturated": lambda x: np.abs(x) >= 8, "extreme": lambda x: np.abs(x) >= 8}


def coincide(rng: np.random.Generator, kind: str, inputs: Sequence[Any], wrt: Iterable[int]) -> tuple[Any, ...]:
    """Inputs that are hard at one place together: tied with each other, all zero, or all large.

    Places line up as broadcasting lines up axes: the last ones. Ties are made between two inputs of one shape.
    """
    changed = list(inputs)
    floats = [i for i in wrt if np.size(changed[i])]
    if kind == "ties":
        pairs = [(i, j) for i, j in combinations(floats, 2) if np.shape(changed[i]) == np.shape(changed[j])]
        if pairs:
            i, j = pairs[int(rng.integers(len(pairs)))]
            place = tuple(int(rng.integers(n)) for n in np.shape(changed[i]))
            changed[j] = _with(changed[j], place, np.asarray(changed[i])[place])
        changed = _meet(rng, changed, floats)
    elif kind in HARD:
        hard = {i: np.argwhere(HARD[kind](np.asarray(changed[i], np.float64))) for i in floats}
        leader = max(floats, key=lambda i: (len(hard[i]) > 0, np.ndim(changed[i])), default=None)
        if leader is not None and len(hard[leader]):
            place = tuple(int(n) for n in rng.choice(hard[leader]))
            for j in floats:
                axes = np.ndim(changed[j])
                if j != leader and np.shape(changed[j]) == np.shape(changed[leader])[len(place) - axes :]:
                    changed[j] = _with(changed[j], place[len(place) - axes :], np.asarray(changed[leader])[place])
    return tuple(changed)


def _meet(rng: np.random.Generator, inputs: list[Any], floats: Sequence[int]) -> list[Any]:
    """Two inputs whose rows are as long with a row in common, as points at no distance."""
    pairs = [(i, j) for i, j in combinations(floats, 2) if _width(inputs[i]) == _width(inputs[j]) > 1]
    if not pairs:
        return inputs
    i, j = pairs[int(rng.integers(len(pairs)))]
    place = tuple(int(rng.integers(n)) for n in np.shape(inputs[i])[:-1])
    there = tuple(int(rng.integers(n)) for n in np.shape(inputs[j])[:-1])
    return [_with(x, there, np.asarray(inputs[i])[place]) if k == j else x for k, x in enumerate(inputs)]


def _width(x: Any) -> int:
    return int(np.shape(x)[-1]) if np.ndim(x) > 1 else 0


def _with(x: Any, place: tuple[int, ...], value: Any) -> Any:
    moved = np.array(x)
    moved[place] = value
    return moved if isinstance(x, np.ndarray) else moved[()]


def freeze(x: Any) -> Any:
    """A private copy of an array, so that no caller's memory is shared."""
    return np.array(x) if isinstance(x, np.ndarray) else x
