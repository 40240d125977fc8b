"""Calling a rule as its user would, and reading what it returns: parameter names, outputs, cotangents, gradients."""



import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.corpus.record import Operation, is_float

Point = tuple[Any, ...]


def parameters(forward: Callable[..., Any], count: int) -> list[str]:
    """Names of the forward's `count` parameters."""
    return list(inspect.signature(forward).parameters)[:count]


def differentiated(operation: Operation, point: Point) -> list[int]:
    """Positions of the inputs that have a gradient."""
    names = parameters(operation.forward, len(point))
    return [k for k, value in enumerate(point) if is_float(value) and names[k] not in operation.constant]


def outputs(forward: Callable[..., Any], point: Point) -> tuple[np.ndarray, ...]:
    """The outputs as arrays, always a tuple."""
    returned = forward(*point)
    return tuple(np.asarray(z) for z in (returned if isinstance(returned, tuple) else (returned,)))


def draw_cotangent(rng: np.random.Generator, operation: Operation, point: Point) -> Any:
    """A normal cotangent of the outputs' shapes and dtypes: a tuple where the forward returns one."""
    returned = operation.forward(*point)
    arrays = outputs(lambda: returned, ())
    drawn = tuple(np.asarray(rng.standard_normal(z.shape)).astype(z.dtype) for z in arrays)
    return drawn if isinstance(returned, tuple) else drawn[0]


def copied(values: Any) -> Any:
    """Deep copy of a tuple, or of one array, keeping what is no array."""
    if isinstance(values, tuple):
        return tuple(copied(value) for value in values)
    return np.array(values) if isinstance(values, np.ndarray) else values


class Fault(Exception):
    """What a rule returned is no set of gradients; the message says why."""


def gradients(operation: Operation, point: Point, returned: Any) -> dict[int, np.ndarray]:
    """The gradients by position of their input.

    Raises Fault for a wrong count, an unknown name, a missing gradient or something that is no array.
    """
    wanted = differentiated(operation, point)
    if isinstance(returned, dict):
        names = parameters(operation.forward, len(point))
        unknown = sorted(set(returned) - set(names))
        if unknown:
            raise Fault(f"unknown name {unknown[0]}")
        found = {names.index(name): g for name, g in returned.items() if g is not None}
    elif isinstance(returned, tuple):
        if len(returned) != len(point):
            raise Fault(f"{len(returned)} gradients for {len(point)} inputs")
        found = {k: g for k, g in enumerate(returned) if g is not None}
    elif len(wanted) == 1:
        found = {wanted[0]: returned}
    else:
        raise Fault(f"one {type(returned).__name__} for {len(wanted)} inputs")
    missing = [k for k in wanted if k not in found]
    if missing:
        raise Fault(f"no gradient for input {missing[0]}")
    for g in found.values():
        if not isinstance(g, np.ndarray | np.generic):
            raise Fault(f"a {type(g).__name__} in place of an array")
    return {k: found[k] for k in wanted}
