"""Products of arrays of balls, by python-flint's matrices of balls: matmul, dot, tensordot, einsum.

    (A B)' = A' B + A B'          a term moves unless both factors are fixed, or one of them is a fixed zero
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat

from gradproof.oracles.ball_lifting import asarray, empty
from gradproof.oracles.dual import Dual
from gradproof.oracles.line import line

# An arb_mat multiplies and adds about this many times faster than Duals do one by one.
_MATRIX_GAIN = 10


def matmul(a: Any, b: Any) -> Any:
    """a @ b of plain object arrays of Duals, stacks of matrices included."""
    if b.ndim == 1:
        return matmul(a, b[:, None])[..., 0][()]
    if a.ndim == 1:
        return matmul(a[None, :], b)[..., 0, :][()]
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: sizes {a.shape[-1]} and {b.shape[-2]} do not fit")
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    line.spend(math.prod(stack) * a.shape[-2] * a.shape[-1] * b.shape[-1] / _MATRIX_GAIN)
    left, right = (np.broadcast_to(x, stack + x.shape[-2:]) for x in (a, b))
    result = empty((*stack, a.shape[-2], b.shape[-1]), dtype=object)
    for place in np.ndindex(stack):
        result[place] = _product(left[place], right[place])
    return result


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """np.tensordot of plain object arrays of Duals."""
    first, second = (range(a.ndim - axes, a.ndim), range(axes)) if isinstance(axes, int) else axes
    first, second = ([range(m.ndim)[n] for n in np.atleast_1d(x)] for x, m in ((first, a), (second, b)))
    rows, columns = ([n for n in range(m.ndim) if n not in used] for m, used in ((a, first), (b, second)))
    if [a.shape[n] for n in first] != [b.shape[n] for n in second]:
        raise ValueError("tensordot: the sizes of the summed axes differ")
    inner = math.prod(a.shape[n] for n in first)
    kept = [a.shape[n] for n in rows], [b.shape[n] for n in columns]
    left = a.transpose([*rows, *first]).reshape(math.prod(kept[0]), inner)
    right = b.transpose([*second, *columns]).reshape(inner, math.prod(kept[1]))
    return matmul(left, right).reshape(kept[0] + kept[1])[()]


def dot(a: Any, b: Any) -> Any:
    """np.dot of plain object arrays of Duals."""
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return matmul(a, b) if b.ndim == 1 else tensordot(a, b, (-1, -2))


def einsum(subscripts: str, *operands: Any) -> Any:
    """np.einsum of plain object arrays of Duals; of two factors without an ellipsis by `matmul`."""
    terms, _, output = subscripts.replace(" ", "").partition("->")
    names = terms.split(",")
    pairs = zip(names, operands, strict=True)
    named = [pair for axes, x in pairs for pair in zip(axes, x.shape, strict=False)]
    sizes = dict(named)
    plain = all(len(set(axes)) == len(axes) for axes in names) and all(sizes[axis] == n for axis, n in named)
    if len(operands) != 2 or "." in terms or "->" not in subscripts or not plain:
        line.spend(math.prod(sizes.values()))
        return np.einsum(subscripts, *operands)
    (a, left), (b, right) = ((_summed(x, axes, other + output)) for x, axes, other in
                             zip(operands, names, reversed(names), strict=True))
    shared = [n for n in left if n in right and n in output]
    inner = [n for n in left if n in right and n not in output]
    rows, columns = [n for n in left if n not in right], [n for n in right if n not in left]
    order = shared + rows + columns
    factors = _grouped(a, left, (shared, rows, inner)), _grouped(b, right, (shared, inner, columns))
    result = matmul(*factors).reshape([sizes[n] for n in order])
    return result.transpose([order.index(n) for n in output])[()]


def _summed(x: Any, axes: str, needed: str) -> tuple[Any, str]:
    """The operand summed over the axes that stand nowhere else."""
    alone = tuple(place for place, name in enumerate(axes) if name not in needed)
    if not alone:
        return x, axes
    return asarray(x.sum(axis=alone), dtype=object), "".join(name for name in axes if name in needed)


def _grouped(x: Any, axes: str, groups: Sequence[Sequence[str]]) -> Any:
    """The operand with its axes in three groups, each flattened to one."""
    ordered = x.transpose([axes.index(name) for group in groups for name in group])
    return ordered.reshape([math.prod(x.shape[axes.index(name)] for name in group) for group in groups])


def _product(a: Any, b: Any) -> Any:
    """One matrix product."""
    if not a.size or not b.size:
        cells = empty((a.shape[0], b.shape[1]), dtype=object)
        cells.fill(Dual(arb(0)))
        return cells
    (left, left_dot, left_moves), (right, right_dot, right_moves) = matrix(a), matrix(b)
    if left is None or right is None:
        return np.matmul(a, b)
    value = (left * right).entries()
    terms = [x * y for x, y in ((left_dot, right), (left, right_dot)) if x is not None and y is not None]
    slope = sum(terms[1:], terms[0]).entries() if terms else value
    left_some, right_some = (_nonzero(m) for m in (a, b))
    moves = ((left_moves @ right_some) | (left_some @ right_moves)).flat
    made = [Dual(v, t if m else None) for v, t, m in zip(value, slope, moves, strict=True)]
    return np.fromiter(made, dtype=object, count=len(made)).reshape(a.shape[0], b.shape[1])


def _nonzero(m: Any) -> npt.NDArray[np.bool_]:
    """What is not a fixed zero."""
    return np.array([x.t is not None or not x.v.is_zero() for x in m.flat]).reshape(m.shape)


def matrix(m: Any) -> tuple[Any, Any, npt.NDArray[np.bool_]]:
    """Values, tangents (None where nothing moves) and what moves; no values where an entry is not finite."""
    items = m.ravel().tolist()
    moves = np.array([x.t is not None for x in items]).reshape(m.shape)
    if not all(x.v.is_finite() and (x.t is None or x.t.is_finite()) for x in items):
        return None, None, moves
    zero = arb(0)
    tangents = arb_mat(*m.shape, [zero if x.t is None else x.t for x in items]) if moves.any() else None
    return arb_mat(*m.shape, [x.v for x in items]), tangents, moves
