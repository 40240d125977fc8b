"""What the two autodiff oracles ask of their arguments: which inputs can be differentiated, what has to fit.

Arrays pass as private, contiguous, native copies: what a framework keeps or changes is never the caller's.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from gradproof.errors import InputError, MissingFramework

Array = npt.NDArray[Any]
Value = Array | tuple[Array, ...]


def framework(name: str) -> ModuleType:
    """Import a framework where it is first needed; raises MissingFramework, with the remedy."""
    there = sys.modules.get(name)
    if there is not None:
        return there
    try:
        return importlib.import_module(name)
    except ImportError as reason:
        root = name.partition(".")[0]
        raise MissingFramework(
            f"{root} was asked for and cannot be imported ({reason}); install it with: pip install {root}"
        ) from reason


@cache
def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is ml_dtypes.bfloat16, told by its name: ml_dtypes need not be installed."""
    return dtype.name == "bfloat16"


def is_array(value: Any) -> bool:
    """Whether a framework receives it as an array: numeric and bool arrays, floating NumPy scalars."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiubc" or is_bfloat16(value.dtype)
    return isinstance(value, np.generic) and is_floating(value)


def is_floating(value: Any) -> bool:
    """Whether an input has a gradient: an array or NumPy scalar of a floating dtype, bfloat16 included."""
    if not isinstance(value, np.ndarray | np.generic):
        return False
    return value.dtype.kind == "f" or is_bfloat16(value.dtype)


def private(value: Any) -> Array:
    """A C-contiguous native copy; longdouble, which neither framework has, becomes float64."""
    array = np.array(value, copy=True, order="C")
    if array.dtype.char == "g":
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_wrt(inputs: Sequence[Any], wrt: Sequence[int] | None) -> tuple[int, ...]:
    """The positions to differentiate (None: all floating ones); InputError for one that is not floating."""
    if wrt is None:
        return tuple(position for position, given in enumerate(inputs) if is_floating(given))
    for position in wrt:
        if not 0 <= position < len(inputs):
            raise InputError(
                f"wrt names input {position}, but there are {len(inputs)} inputs; positions count from 0"
            )
        if not is_floating(inputs[position]):
            given = inputs[position]
            dtype = getattr(given, "dtype", None)
            kind = f"a {type(given).__name__}" if dtype is None else f"of dtype {dtype}"
            raise InputError(
                f"input {position} is {kind} and has no derivative; expected an array of a floating dtype: "
                f"leave it out of wrt, or convert it"
            )
    return tuple(wrt)


def check_outputs(result: Any, kind: type | tuple[type, ...], name: str) -> tuple[tuple[Any, ...], bool]:
    """A forward's outputs as a tuple, and whether it was a single one; InputError for anything else."""
    outputs = tuple(result) if isinstance(result, tuple | list) else (result,)
    for output in outputs:
        if not isinstance(output, kind):
            raise InputError(
                f"the {name} forward returned a {type(output).__name__}; expected an array of {name} or "
                f"a tuple of them: return it as it is, without .item(), .tolist() or .numpy()"
            )
    return outputs, not isinstance(result, tuple | list)


def paired(given: Any, shapes: Sequence[tuple[int, ...]], what: str, *, single: bool) -> tuple[Any, ...]:
    """Cotangents beside outputs, or tangents beside inputs: as many, of the same shapes; else InputError."""
    listed = (given,) if single and not isinstance(given, tuple | list) else given
    if not isinstance(listed, tuple | list) or len(listed) != len(shapes):
        count = len(listed) if isinstance(listed, tuple | list) else "no tuple"
        raise InputError(f"{what}: {count} given, expected a tuple of {len(shapes)}, one each in order")
    for number, (one, shape) in enumerate(zip(listed, shapes, strict=True)):
        if np.shape(one) != tuple(shape):
            raise InputError(f"{what} {number} has shape {np.shape(one)}; expected {tuple(shape)}")
    return tuple(listed)
