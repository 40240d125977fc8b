"""NumPy functions with a rule of their own on balls, and NumPy's creation functions while a forward runs.

`np.zeros(shape)` makes float64, into which no ball can be written, and forwards that fill such an array in a
loop are common. Inside `ball_allocation` it makes an array of balls where the forward calls it, for the calling
thread only, and `np.asarray` keeps one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from types import ModuleType
from typing import Any

import numpy as np

from gradproof.oracles import ball_linear_algebra, ball_products
from gradproof.oracles.ball_array import BallArray, as_balls, plain
from gradproof.oracles.ball_lifting import empty
from gradproof.oracles.dual import Dual
from gradproof.oracles.line import line


def _dot(a: Any, b: Any, out: Any = None) -> Any:
    return ball_products.dot(plain(a), plain(b))


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    return ball_products.tensordot(plain(a), plain(b), axes)


def _inner(a: Any, b: Any) -> Any:
    return _dot(a, b) if np.ndim(a) == 0 or np.ndim(b) == 0 else _tensordot(a, b, (-1, -1))


def _einsum(subscripts: Any, *operands: Any, out: Any = None, optimize: Any = False, **kwargs: Any) -> Any:
    if out is not None or not isinstance(subscripts, str):
        line.refuse("unsupported", "einsum of balls takes its subscripts as a string, and no out")
    return ball_products.einsum(subscripts, *(plain(x) for x in operands))


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Vector norms of every order but 0, and the Frobenius norm."""
    frobenius = ord == "fro" or (ord is None and (axis is None or isinstance(axis, tuple)))
    if not frobenius and not (isinstance(axis, int) or np.ndim(x) == 1):
        line.refuse("unsupported", f"the matrix norm of order {ord!r} has no rule for balls")
    if frobenius or ord in (None, 2):
        return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))
    size = np.abs(x)
    if ord in (np.inf, -np.inf):
        return (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        line.refuse("unsupported", "the norm of order 0 counts, and has no rule for balls")
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    return np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _like(fill: float | None) -> Callable[..., Any]:
    """zeros_like, ones_like and empty_like: balls where the dtype asked for is float64 or none."""

    def make(like: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
        cells = empty(np.shape(like) if shape is None else shape, dtype=object if dtype is None else dtype)
        if fill is not None:
            cells.fill(fill)
        return as_balls(cells) if _holds_balls(cells.dtype) else cells

    return make


def _full_like(
    prototype: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> Any:
    made = _like(None)(prototype, dtype, shape=shape)
    made[...] = fill_value
    return made


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.dot: _dot,
    np.tensordot: _tensordot,
    np.inner: _inner,
    np.vdot: lambda a, b: _dot(np.ravel(a), np.ravel(b)),
    np.einsum: _einsum,
    np.linalg.norm: _norm,
    np.linalg.solve: lambda a, b: ball_linear_algebra.solve(plain(a), plain(b)),
    np.linalg.inv: lambda a: ball_linear_algebra.inverse(plain(a)),
    np.linalg.det: lambda a: ball_linear_algebra.determinant(plain(a)),
    np.linalg.slogdet: lambda a: ball_linear_algebra.slogdet(plain(a)),
    np.zeros_like: _like(0.0),
    np.ones_like: _like(1.0),
    np.empty_like: _like(None),
    np.full_like: _full_like,
}


def _holds_balls(dtype: Any) -> bool:
    """Whether an array of this dtype stands for balls: objects, and floats no narrower than float64."""
    return bool(dtype.kind == "O" or (dtype.kind == "f" and dtype.itemsize >= 8))


@contextmanager
def ball_allocation(forward: Any) -> Iterator[None]:
    """NumPy's creation functions, as the forward's module names them, make arrays of balls in this thread."""
    owner = threading.get_ident()

    def allocating(create: Any) -> Any:
        @wraps(create)
        def allocate(*args: Any, **kwargs: Any) -> Any:
            made = create(*args, **kwargs)
            if threading.get_ident() != owner or not _holds_balls(made.dtype):
                return made
            return as_balls(empty(made.shape, dtype=object) if create is empty else made)

        return allocate

    def keeping(convert: Any) -> Any:
        @wraps(convert)
        def keep(*args: Any, **kwargs: Any) -> Any:
            made = convert(*args, **kwargs)
            if threading.get_ident() != owner or made.dtype != object or isinstance(made, BallArray):
                return made
            if args and isinstance(args[0], BallArray):
                return made.view(BallArray)
            return as_balls(made) if any(isinstance(x, Dual) for x in made.flat) else made

        return keep

    names: dict[str, Callable[[Any], Any]] = {name: allocating for name in ("zeros", "ones", "empty", "full")}
    names |= {name: keeping for name in ("array", "asarray", "asanyarray", "ascontiguousarray")}
    stand_ins = {name: stand_in(getattr(np, name)) for name, stand_in in names.items()}
    originals = {id(getattr(np, name)): name for name in names}
    numpy_ = _Numpy(stand_ins)
    replaced: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for space in _namespaces(forward):
            for key, value in list(space.items()):
                if value is np or id(value) in originals:
                    replaced.append((space, key, value))
                    space[key] = numpy_ if value is np else stand_ins[originals[id(value)]]
        yield
    finally:
        for space, key, value in replaced:
            space[key] = value


class _Numpy(ModuleType):
    """NumPy with other creation functions, for the names of a forward's own module.

    NumPy itself stays as it is: its compiled parts, such as the random generators, look `empty` up there and write
    doubles into what they get.
    """

    def __init__(self, stand_ins: dict[str, Any]) -> None:
        super().__init__("numpy")
        self.__dict__.update(stand_ins)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _namespaces(forward: Any, depth: int = 4) -> list[dict[str, Any]]:
    """The globals of a forward and of the functions that it wraps or closes over, each once."""
    found: dict[int, dict[str, Any]] = {}

    def visit(f: Any, left: int) -> None:
        while isinstance(f, partial):
            f = f.func
        f = getattr(f, "__func__", f)
        space = getattr(f, "__globals__", None)
        if left == 0 or not isinstance(space, dict):
            return
        found[id(space)] = space
        cells = [cell.cell_contents for cell in (f.__closure__ or ()) if _filled(cell)]
        for inner in (getattr(f, "__wrapped__", None), *cells):
            if callable(inner):
                visit(inner, left - 1)
            elif hasattr(inner, "forward"):
                visit(inner.forward, left - 1)

    visit(forward, depth)
    return list(found.values())


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
