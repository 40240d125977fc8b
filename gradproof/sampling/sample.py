"""A sample: one point with an identity (seed, index) that replays it, and the kinds of values and shapes there are.

Zeros, ties, saturated, moderate, small, whole and negative values are planted in turn, and arrays of zeros alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# A regular point comes first: it sets the scale that the hard ones are judged on. A check whose shapes vary takes the
# first ten in turn with other shapes, and the even places with its own: each half holds what thresholds hide behind.
VALUES = (
    "random",
    "drawn",
    "zeros",
    "ties",
    "extreme",
    "moderate",
    "whole",
    "saturated",
    "origin",
    "small",
    "edge",
    "random",
    "moderate",
    "zeros",
    "negative",
    "saturated",
    "ties",
    "extreme",
    "origin",
    "random",
    "extreme",
)
# where a sampler's own points are varied
PLANTED = (*dict.fromkeys(kind for kind in VALUES if kind not in ("random", "drawn")), "moderate", "origin")
# planted in all of one input and in no other: beside an x of zeros the gradient of w in x w is zero, right or wrong
ONE_INPUT = frozenset({"moderate", "origin"})
SHAPES = ("distinct", "distinct", "square", "one", "ones", "free", "one", "distinct")


class Swept(str):
    """The kind "swept", of values that are taken in turn, with the turn that it is."""

    turn: int

    def __new__(cls, turn: int) -> Swept:
        kind = super().__new__(cls, "swept")
        kind.turn = turn
        return kind


@dataclass(frozen=True)
class Sample:
    """One point: its values, names and static parameters, and where it comes from."""

    index: int
    seed: int
    kind: str
    inputs: tuple[Any, ...]
    names: tuple[str, ...]
    wrt: tuple[int, ...]
    static: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    shape_kind: str = "given"
    shown: str = ""  # the kind of the sample that this one stands beside

    @property
    def label(self) -> str:
        words = [f"{k}={v}" for k, v in {**self.sizes, **self.static}.items()]
        return " ".join([f"{self.index}:{self.shown or self.kind}", *words])

    def rng(self, purpose: int = 0) -> np.random.Generator:
        """A generator of this sample's own, one for each purpose."""
        return np.random.default_rng((self.seed, self.index, 7 + purpose))


def is_float(x: Any) -> bool:
    """Arrays and NumPy scalars of a real floating dtype, ml_dtypes' bfloat16 included."""
    return isinstance(x, np.ndarray | np.generic) and _floating(x.dtype)


def upcast(x: Any, dtype: Any = np.float64) -> Any:
    """A float array or NumPy scalar in a wider dtype; anything else as it is."""
    if not is_float(x):
        return x
    wide = np.asarray(x).astype(dtype)
    return wide if isinstance(x, np.ndarray) else wide[()]


@cache
def _floating(dtype: np.dtype[Any]) -> bool:
    return bool(np.issubdtype(dtype, np.floating)) or dtype.name == "bfloat16"


def unit(x: Any) -> float:
    """A power of two like the input's typical entry: what directions are measured in."""
    sizes = np.abs(np.asarray(x, np.float64)).reshape(-1)
    sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
    return float(2.0 ** np.round(np.log2(np.median(sizes)))) if sizes.size else 1.0
