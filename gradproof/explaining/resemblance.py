"""What a whole wrong gradient resembles: the right one with just one mistake made, held against it entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import numpy as np

from gradproof.calling.subject import Array
from gradproof.explaining.activation import at_activation, by_activation
from gradproof.explaining.evidence import Evidence


def whole(e: Evidence) -> Iterator[str]:
    """Causes that explain every entry of the gradient, the plainest first."""
    g, expected = e.got, e.expected
    if expected is None:
        if e.multiple is not None:
            yield from _named(e.multiple, e)
        return
    if e.of_an_earlier_point():
        yield "second_call"
    if e.explains(-expected):
        yield "sign"
    yield from _multiple(e, expected)
    for other in e.others():
        if other.shape == g.shape and e.explains(other):
            yield "swapped"
    if g.ndim > 1:
        for axes in permutations(range(g.ndim)):
            if (
                axes != tuple(range(g.ndim))
                and expected.transpose(axes).shape == g.shape
                and e.explains(expected.transpose(axes))
            ):
                yield "transposed"
        if any(
            expected.size == g.size and e.explains(np.moveaxis(expected, a, b).reshape(g.shape))
            for a, b in permutations(range(g.ndim), 2)
        ):
            yield "transposed"
    for count in range(1, g.ndim + 1):
        for axes in combinations(range(g.ndim), count):
            if e.explains(np.flip(expected, axes)):
                yield "flipped"
    if e.forwards():
        yield "transposed"
    if e.kernel_flipped():
        yield "flipped"
    if e.elementwise() is False and e.diagonal() is not None and e.explains(e.diagonal()):
        yield "diagonal_only"
    yield from _values(e)
    if e.one_slice():
        yield "unbroadcast"


def _multiple(e: Evidence, expected: Array) -> Iterator[str]:
    g = e.got
    square = float((expected * expected).sum())
    if not square:
        return
    ratio = float((g * expected).sum()) / square
    if abs(ratio - 1) < 1e-12 or not e.explains(ratio * expected):
        return
    yield from _named(ratio, e)


def _named(ratio: float, e: Evidence) -> Iterator[str]:
    """What a constant factor is: a sign, a size that was divided by or should be, or just a factor."""
    if abs(ratio + 1) < 1e-6:
        yield "sign"
        return
    for n in _products(e.shapes):
        if n > 1 and min(abs(ratio * n - 1), abs(ratio / n - 1), abs(ratio * n + 1), abs(ratio / n + 1)) < 1e-6:
            yield "mean_for_sum"
            break
    if (e.got.size > 1 or round(ratio, 6) in (0.5, 2.0)) and e.multiple_elsewhere():
        yield "factor"


def _products(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """What a mean may divide by: the entries of some axes of one array, or of axes of different lengths of several."""
    found = {int(np.prod(c)) for shape in shapes for k in range(1, len(shape) + 1) for c in combinations(shape, k)}
    longer = sorted({n for shape in shapes for n in shape if n > 1})[:8]
    return sorted(found | {int(np.prod(c)) for k in (2, 3, 4) for c in combinations(longer, k)})


def _values(e: Evidence) -> Iterator[str]:
    g = e.got
    for y in e.trial.work.values:
        for u in (np.ones(()), *(c for c in e.cotangents if c.shape == y.shape)):
            value = np.asarray(u * np.asarray(y, np.float64))
            # a reduced axis comes back with size 1
            forms = (
                [value.reshape(())]
                if value.size == 1
                else [value, *(np.expand_dims(value, a) for a in range(value.ndim + 1))]
            )
            if any(f.ndim <= g.ndim and _fits(f, g) and e.explains(np.broadcast_to(f, g.shape)) for f in forms):
                yield "value_for_derivative"
    if e.wrong().all() and at_activation(e):
        yield "activation_for_preactivation"
    if by_activation(e):
        yield "activation_for_preactivation"


def _fits(a: Array, g: Array) -> bool:
    return all(m in (1, n) for m, n in zip(a.shape[::-1], g.shape[::-1], strict=False))
