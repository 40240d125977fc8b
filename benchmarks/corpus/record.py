"""What the corpus is made of: an operation, its right rules, and the wrong ones it is confused with.

A rule is `rule(cotangent, *inputs)`; it returns a tuple by position, a dict by parameter name, or a bare array where
one input is differentiated, None standing for a constant. All three styles occur on purpose.
"""



import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Rule = Callable[..., Any]
HALVES = ("float16", "bfloat16")


@dataclass(frozen=True)
class Wrong:
    """A rule that is wrong at some point its operation can reach.

    cause: the identifier in `gradproof.CAUSES`, a tuple where several names are true, None where it has no name.
    factory: `rule()` makes a rule with a state of its own, so that one check cannot spoil the next.
    strict: the fault is shared memory only, which is judged with `strict=True`.
    dtype: the precision in which the fault shows.
    """

    name: str
    rule: Rule
    cause: str | tuple[str, ...] | None
    factory: bool = False
    strict: bool = False
    dtype: str = "float64"

    @property
    def causes(self) -> tuple[str, ...]:
        if self.cause is None:
            return ()
        return (self.cause,) if isinstance(self.cause, str) else self.cause

    def fresh(self) -> Rule:
        return self.rule() if self.factory else self.rule


@dataclass(frozen=True)
class Operation:
    """A map, right rules for it (at least one), wrong ones, and how to draw its inputs.

    sampler: `sampler(rng) -> tuple`, a fresh float64 point; sizes vary, 1 among them.
    shapes: the same sizes in the shape language, where they fit it.
    hard: points with zeros, ties, saturated values or sizes 1 and 0, reached by name rather than by luck.
    smooth: differentiable wherever it is defined.
    dtypes: the precisions in which the forward runs.
    """

    name: str
    forward: Callable[..., Any]
    right: dict[str, Rule]
    sampler: Callable[[np.random.Generator], tuple[Any, ...]]
    wrong: tuple[Wrong, ...]
    torch: Callable[..., Any] | None = None
    jax: Callable[..., Any] | None = None
    shapes: str | None = None
    domain: Any = None
    constant: tuple[str, ...] = ()
    hard: tuple[tuple[Any, ...], ...] = ()
    smooth: bool = True
    dtypes: tuple[str, ...] = ("float64", "float32", "float16", "bfloat16")
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.right:
            raise ValueError(f"{self.name}: expected at least one right rule, got none")
        names = [wrong.name for wrong in self.wrong]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{self.name}: two wrong rules share a name: {', '.join(twice)}")


class Framework:
    """A module imported when one of its names is first used, so that reading the corpus costs neither torch nor jax."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def keeps_half(function: Rule) -> Rule:
    """Return what `function` returns in the half precision of its first floating argument.

    NumPy promotes bfloat16 to float32 in `matmul` and next to a Python float; wider arguments are left alone.
    """

    @functools.wraps(function)
    def kept(*arguments: Any) -> Any:
        returned = function(*arguments)
        leaves = arguments[0] if isinstance(arguments[0], tuple) else arguments
        dtype = next((a.dtype for a in leaves if hasattr(a, "dtype") and is_float(a)), None)
        if dtype is None or dtype.name not in HALVES:
            return returned
        if isinstance(returned, dict):
            return {name: _cast(value, dtype) for name, value in returned.items()}
        if isinstance(returned, tuple):
            return tuple(_cast(value, dtype) for value in returned)
        return _cast(returned, dtype)

    return kept


def _cast(value: Any, dtype: Any) -> Any:
    return (
        value.astype(dtype) if hasattr(value, "dtype") and value.dtype != dtype and is_float(value) else value
    )


def is_float(value: Any) -> bool:
    """True for an array or NumPy scalar of a floating dtype, bfloat16 included."""
    dtype = getattr(value, "dtype", None)
    return dtype is not None and (np.issubdtype(dtype, np.floating) or dtype.name == "bfloat16")


def in_dtype(point: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    """The same point with its floating arrays in another precision; integers, masks and numbers unchanged."""
    if name == "float64":
        return point
    dtype = np.dtype(name) if name != "bfloat16" else np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    with np.errstate(over="ignore"):
        return tuple(value.astype(dtype) if is_float(value) else value for value in point)
