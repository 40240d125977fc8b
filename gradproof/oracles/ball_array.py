"""NumPy arrays of balls: the object array that an ordinary NumPy forward takes for an array of floats.

Arithmetic and comparisons run in NumPy's own object loops, elementary functions through `elementary`,
products through `ball_products`. A ufunc without a rule refuses; nothing is ever converted to float.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from gradproof.oracles import ball_products
from gradproof.oracles.ball_lifting import asarray, extreme, lifted, mapped, reduced, scalar, truth, winner
from gradproof.oracles.dual import ZERO, Dual, lift
from gradproof.oracles.elementary import BINARY, SPECIAL, UNARY, maximum, minimum
from gradproof.oracles.line import line

_COMPARISONS = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}
_OWN_LOOPS = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, *_COMPARISONS}
_LOGICAL = {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}
_EXTREMES = {np.maximum: maximum, np.fmax: maximum, np.minimum: minimum, np.fmin: minimum}


class BallArray(np.ndarray[Any, Any]):
    """An object array whose elements are `Dual`; what is written into it becomes exact points."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value if isinstance(value, Dual | BallArray) else lifted(value))

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return apply_function(func, args, kwargs)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """A copy as object; bool by comparison with 0; integers where nothing moves. Refuses other dtypes."""
        kind = np.dtype(dtype).kind
        if kind == "O":
            return self.copy()
        if kind == "b":
            return truth(self)
        if kind in "iu":
            return mapped(int, self, dtype)
        name = np.dtype(dtype).name
        line.refuse("unsupported", f"the forward converts to {name}, where ball and tangent would be lost")

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        return reduced(lambda items: winner(maximum, items), self, axis, keepdims is True, np.intp)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        return reduced(lambda items: winner(minimum, items), self, axis, keepdims is True, np.intp)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other)

    def var(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False,
            *, mean: Any = None, correction: Any = None, where: Any = True) -> Any:
        """The variance by its definition; refuses dtype, out and where."""
        if dtype is not None or out is not None or where is not True:
            line.refuse("unsupported", "var and std of balls take no dtype, out or where")
        centred = self - (self.mean(axis=axis, keepdims=True) if mean is None else mean)
        squares = (centred * centred).sum(axis=axis, keepdims=keepdims)
        count = self.size // max(1, np.size(squares))
        return squares / (count - (ddof if correction is None else correction))

    def std(self, *args: Any, **kwargs: Any) -> Any:
        return np.sqrt(self.var(*args, **kwargs))


def as_balls(numbers: Any) -> BallArray:
    """Exact points, in an array of their own, of the shape of a real array."""
    cells: BallArray = lifted(numbers).view(BallArray)
    return cells


def plain(x: Any) -> Any:
    """An operand as a plain object array of Duals, which NumPy dispatches no further."""
    if isinstance(x, BallArray):
        return x.view(np.ndarray)
    return scalar(x) if isinstance(x, Dual) else lifted(x)


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A ufunc, or one of its methods, where an argument holds balls."""
    indices = 1 if method in ("at", "reduceat") else -1
    operands = [x if place == indices else plain(x) for place, x in enumerate(inputs)]
    outputs = kwargs.get("out")
    if outputs is not None:
        kwargs = {**kwargs, "out": tuple(out.view(np.ndarray) for out in outputs)}
    line.spend(sum(np.size(x) for x in operands))
    result = _compute(ufunc, method, operands, kwargs)
    return view(result) if outputs is None else outputs[0]


def apply_function(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """A NumPy function where an argument holds balls: NumPy's own code on top of ufuncs, but for a few."""
    from gradproof.oracles.ball_functions import FUNCTIONS  # which imports this module

    args, kwargs = _without_scalars(args), _without_scalars(dict(kwargs))
    if func in FUNCTIONS:
        return view(FUNCTIONS[func](*args, **kwargs))
    result = np.ndarray.__array_function__(_ANY, func, (BallArray,), args, kwargs)
    if type(result) in (tuple, list):
        return type(result)(_relifted(x) for x in result)
    return _relifted(result)


def scalar_attribute(x: Dual, name: str) -> Any:
    """What a NumPy scalar has besides arithmetic: elementary functions as methods, an array's attributes."""
    if name in UNARY:
        return lambda: UNARY[name](x)
    if name in BINARY:
        return lambda other: BINARY[name](x, lift(other))
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(scalar(x).view(BallArray), name)


def view(result: Any) -> Any:
    """A plain object array as an array of balls; anything else as it is."""
    return result.view(BallArray) if isinstance(result, np.ndarray) and result.dtype == object else result


def _relifted(result: Any) -> Any:
    """As `view`, where NumPy may have filled in numbers of its own."""
    return as_balls(result) if isinstance(result, np.ndarray) and result.dtype == object else result


def _without_scalars(x: Any) -> Any:
    """Arguments with lone Duals as 0-d arrays: NumPy's own code then sees arrays only."""
    if isinstance(x, Dual):
        return scalar(x).view(BallArray)
    if type(x) in (list, tuple):
        return type(x)(_without_scalars(item) for item in x)
    return {key: _without_scalars(item) for key, item in x.items()} if type(x) is dict else x


def _compute(ufunc: np.ufunc, method: str, operands: list[Any], kwargs: Mapping[str, Any]) -> Any:
    if method == "reduce" and ufunc in _EXTREMES:
        return _extreme_reduce(_EXTREMES[ufunc], *operands, **kwargs)
    if ufunc in _LOGICAL:
        return getattr(ufunc, method)(*(truth(x) for x in operands), **kwargs)
    python_function = all(set(types) <= set("O->") for types in ufunc.types)
    if ufunc in _OWN_LOOPS or python_function:
        if method == "reduce" and ufunc is np.add and "where" in kwargs:  # a masked sum needs a start
            kwargs = {"initial": ZERO, **kwargs}
        return getattr(ufunc, method)(*operands, **kwargs)
    if method == "__call__" and not kwargs:
        if ufunc in _PRODUCTS:
            return _PRODUCTS[ufunc](*operands)
        if ufunc in _TESTS:
            return mapped(_TESTS[ufunc], operands[0], bool)
    return getattr(_rule(ufunc), method)(*operands, **kwargs)


@cache
def _rule(ufunc: np.ufunc) -> Any:
    """The ufunc on objects that stands for one of NumPy or scipy.special; refuses one without a rule."""
    name = ufunc.__name__
    special = getattr(sys.modules.get("scipy.special"), name, None) is ufunc
    rules: dict[str, Callable[..., Any]] = {**UNARY, **BINARY, **(SPECIAL if special else {})}
    known = special or getattr(np, name, None) is ufunc
    if name == "clip":  # np.clip itself is a function; its ufunc has no public name
        return np.frompyfunc(_clip, 3, 1)
    if name not in rules or not known:
        line.refuse("unsupported", f"the ufunc {name} has no rule for balls")
    return np.frompyfunc(rules[name], ufunc.nin, 1)


def _clip(x: Dual, low: Dual, high: Dual) -> Dual:
    return minimum(maximum(x, low), high)


def _is_finite(x: Dual) -> bool:
    if not x.v.is_finite() and not x.v.is_exact() and not x.v.is_nan():
        line.refuse("undecided", "whether a value is finite is undecided")
    return bool(x.v.is_finite())


_TESTS: dict[np.ufunc, Callable[[Dual], bool]] = {
    np.isfinite: _is_finite,
    np.isnan: lambda x: bool(x.v.is_nan()),
    np.isinf: lambda x: not x.v.is_nan() and not _is_finite(x),
}
_PRODUCTS: dict[np.ufunc, Callable[[Any, Any], Any]] = {
    np.matmul: ball_products.matmul,
    np.vecdot: lambda a, b: np.multiply(a, b).sum(axis=-1),
    np.matvec: lambda a, b: ball_products.matmul(a, b[..., None])[..., 0][()],
    np.vecmat: lambda a, b: ball_products.matmul(a[..., None, :], b)[..., 0, :][()],
}
_ANY = asarray(0.0).view(BallArray)


def _extreme_reduce(pick: Callable[[Dual, Dual], Dual], balls: Any, axis: Any = 0, dtype: Any = None,
                    out: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    if where is not True or dtype is not None:
        line.refuse("unsupported", "max and min of balls take no where and no dtype")
    start = [] if initial is None or initial is np._NoValue else [lift(initial)]
    result = reduced(lambda items: extreme(pick, [*start, *items]), balls, axis, keepdims, object)
    if out is not None:
        out[0][...] = result
    return result
