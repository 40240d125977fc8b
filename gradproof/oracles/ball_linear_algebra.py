"""Linear systems and determinants of arrays of balls, by python-flint's certified solver.

    x = a^-1 b :  x' = a^-1 (b' - a' x)          log|det a|' = tr(a^-1 a')          (Jacobi 1841)

A matrix that the balls cannot tell from a singular one is undecided.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from flint import arb_mat

from gradproof.oracles.ball_lifting import empty
from gradproof.oracles.ball_products import matrix
from gradproof.oracles.dual import ONE, ZERO, Dual, compare
from gradproof.oracles.line import line


class Slogdet(NamedTuple):
    """As np.linalg.slogdet returns it."""

    sign: Any
    logabsdet: Any


def solve(a: Any, b: Any) -> Any:
    """np.linalg.solve of plain object arrays of Duals: b is a vector, or a stack of matrices."""
    if b.ndim == 1:
        return solve(a, b[:, None])[..., 0]
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left, right = (np.broadcast_to(x, stack + x.shape[-2:]) for x in (a, b))
    result = empty(stack + b.shape[-2:], dtype=object)
    for place in np.ndindex(stack):
        result[place] = _solution(left[place], right[place])
    return result


def inverse(a: Any) -> Any:
    """np.linalg.inv: the solution of a x = 1."""
    identity = empty(a.shape[-2:], dtype=object)
    identity.fill(ZERO)
    np.fill_diagonal(identity, ONE)
    return solve(a, identity)


def determinant(a: Any) -> Any:
    """np.linalg.det of a stack of matrices."""
    return _each(a, lambda value, trace: Dual(value, None if trace is None else value * trace))


def slogdet(a: Any) -> Slogdet:
    """np.linalg.slogdet of a stack of matrices."""
    sign = _each(a, lambda value, trace: Dual(value / value * compare(Dual(value), ZERO)))
    return Slogdet(sign, _each(a, lambda value, trace: Dual(abs(value).log(), trace)))


def _each(a: Any, rule: Any) -> Any:
    """rule(det, tr(a^-1 a')) of every matrix of the stack; the trace is None where nothing moves."""
    result = empty(a.shape[:-2], dtype=object)
    for place in np.ndindex(a.shape[:-2]):
        left, left_dot = _finite(a[place])
        ratio = None if left_dot is None else _solved(left, left_dot)
        trace = None if ratio is None else sum((ratio[i, i] for i in range(1, ratio.nrows())), ratio[0, 0])
        result[place] = rule(left.det(), trace)
    return result[()]


def _solution(a: Any, b: Any) -> Any:
    (left, left_dot), (right, right_dot) = _finite(a), _finite(b)
    value = _solved(left, right)
    slope = None
    if left_dot is not None or right_dot is not None:
        change = right_dot if right_dot is not None else arb_mat(*b.shape)
        slope = _solved(left, change if left_dot is None else change - left_dot * value)
    slopes = [None] * b.size if slope is None else slope.entries()
    made = [Dual(v, t) for v, t in zip(value.entries(), slopes, strict=True)]
    return np.fromiter(made, dtype=object, count=len(made)).reshape(b.shape)


def _solved(a: Any, b: Any) -> Any:
    try:
        return a.solve(b)
    except ZeroDivisionError:
        line.refuse("undecided", "a matrix may be singular at this precision")


def _finite(m: Any) -> tuple[Any, Any]:
    """Values and tangents of a matrix, as arb_mat."""
    line.spend(m.size * m.shape[0])
    values, tangents, _ = matrix(m)
    if values is None:
        line.refuse("nonfinite", "a matrix with entries that are not finite is solved")
    return values, tangents
