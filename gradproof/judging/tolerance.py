"""How much a right rule may be off: one table, each figure with its reason. Nothing here grows with size.

A rule is judged against `roundings * eps * (|expected| + movement + scale) + tiny`, where movement is how far the
expected gradient moves, in units of eps, when every input and cotangent moves by a relative eps (the conditioning
of the problem), and scale is the typical gradient of the check, for entries that saturation has made far smaller.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from gradproof.sampling.sample import is_float

Array = np.ndarray[Any, Any]

# roundings: a sum of products, an exp and a division in sequence stay within 20 units of the last place in float64
# where measured on right rules; low precisions get fewer because their own deviation is measured and added
ROUNDINGS = {"float64": 128.0, "longdouble": 128.0, "float32": 64.0, "float16": 12.0, "bfloat16": 12.0}
# what an entry may be off in units of the check's typical gradient: 1 - tanh(x)^2 near saturation loses just this,
# times what the chain rule multiplies it by
SCALE_ROUNDINGS = {"float64": 256.0, "longdouble": 256.0, "float32": 64.0, "float16": 48.0, "bfloat16": 32.0}
# a movement beyond this share of the gradient is a jump between two branches, not rounding
JUMP = 1e-4
# a directional figure whose bound is wider than this share of the gradient's scale resolves nothing
RESOLVED = 1e-3
# one-sided slopes that differ by more than this share of the larger are a kink
KINK = 1e-6


@cache
def name_of(dtype: np.dtype[Any]) -> str:
    if dtype.itemsize > 8 and dtype.kind == "f":
        return "longdouble"
    return dtype.name if dtype.name in ROUNDINGS else "float64"


@cache
def eps(dtype: np.dtype[Any]) -> float:
    """The spacing of the dtype's numbers at 1."""
    name = name_of(dtype)
    if name == "longdouble":
        return 2.0**-52  # cotangents, sums and references are float64
    return 2.0**-7 if name == "bfloat16" else float(np.finfo(dtype).eps)


def tiny(dtype: np.dtype[Any]) -> float:
    """Below this the dtype holds no full precision any more."""
    name = name_of(dtype)
    return 2.0**-126 if name == "bfloat16" else float(np.finfo(dtype).tiny)


def largest(dtype: np.dtype[Any]) -> float:
    name = name_of(dtype)
    return 3.38e38 if name == "bfloat16" else float(np.finfo(dtype).max)


def shifted(x: Any, times: Array) -> Any:
    """A float array or NumPy scalar with its entries moved by so many relative eps of its dtype; all else as it is."""
    if not is_float(x):
        return x
    a = np.asarray(x)
    moved = np.asarray(a.astype(np.float64) * (1 + times * eps(a.dtype))).astype(a.dtype)
    return moved if isinstance(x, np.ndarray) else moved[()]


def allowed(
    expected: Array,
    movement: Array | float,
    scale: float,
    dtype: np.dtype[Any],
    deviation: Array | float = 0.0,
) -> Array:
    """Per entry, what a right rule of this dtype may differ from `expected` (float64).

    movement: in units of eps; deviation: how far a reference run in this dtype is from its float64 value.
    """
    unit = eps(dtype)
    spread = (
        ROUNDINGS[name_of(dtype)] * unit * (np.abs(expected) + movement)
        + SCALE_ROUNDINGS[name_of(dtype)] * unit * scale
    )
    return np.asarray(spread + 4 * np.abs(deviation) + 16 * tiny(dtype))
