"""A layer as the teaching texts write it, as a forward and a vjp: forward -> (out, cache), backward(dout, cache).

The cache is an argument of the backward like any other: neither it nor the output may be changed, for the caller holds
the output; a second backward on one cache (two losses of one layer) has to give what it gives on a fresh one, whatever
its cotangent; and another forward in between (a layer that is used twice) must not touch what was handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.calling.subject import Fault
from gradproof.errors import InputError
from gradproof.oracles.contract import same
from gradproof.sampling.sample import is_float

OUTPUT = "the backward changed the output that the forward returned; work on a copy"
CACHE = "a second backward on one cache gives another gradient: the first changed what is in the cache; work on a copy"
ANSWERED = "a second backward on one cache, with another cotangent, changes the array that the first one returned"
SHARED = "another forward before the backward changes the gradient: what one cache holds, the next forward overwrites"
OUTSIDE = "the backward needs what the forward keeps outside the cache: another forward in between changes the gradient"
CONSUMED = "a second backward on one cache is not possible: the first one uses the cache up"


@dataclass
class Layer:
    """`value(*inputs)` is the output, `rule(cotangent, *inputs)` the gradients; what is worth saying is in `notes`."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    notes: dict[str, None] = field(default_factory=dict)
    asked: bool = False
    spoilt: str = ""

    def run(self, *inputs: Any) -> tuple[Any, Any]:
        made = self.forward(*inputs)
        if not isinstance(made, tuple) or len(made) != 2:
            raise InputError(
                f"a layer's forward returns (out, cache); this one returned {type(made).__name__}; use "
                "check_vjp where there is no cache"
            )
        return made

    def value(self, *inputs: Any) -> Any:
        return self.run(*inputs)[0]

    def rule(self, cotangent: Any, *inputs: Any) -> Any:
        """The gradients; raises Fault where the output, or a later answer from the same cache, was changed."""
        kept = tuple(np.array(x) if isinstance(x, np.ndarray) else x for x in inputs)
        out, cache = self.run(*inputs)
        before, handed = _arrays(out), _copy(cotangent)
        gradients = self.backward(cotangent, cache)
        if any(
            not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(before, _arrays(out), strict=True)
        ):
            self.spoilt = OUTPUT
        if not self.asked:
            self.asked = True
            plain = _arrays(gradients)
            self._again(handed, cache, gradients, kept)
            if not self.spoilt:
                self._between(handed, kept, plain)
        if self.spoilt:
            raise Fault("mutated", self.spoilt)
        return gradients

    def _again(self, cotangent: Any, cache: Any, gradients: Any, inputs: tuple[Any, ...]) -> None:
        """Whether one cache serves twice: asked once a check."""
        first = _arrays(gradients)
        try:
            second = _arrays(self.backward(_negative(cotangent), cache))
        except Exception:  # a backward that pops from its cache may raise anything
            self.notes.setdefault(CONSUMED)
            return
        fresh = _arrays(self.backward(_negative(cotangent), self.run(*inputs)[1]))
        if not self.spoilt and _differ(fresh, second):
            self.spoilt = CACHE
        elif not self.spoilt and _differ(first, _arrays(gradients)):
            raise Fault("state", ANSWERED)

    def _between(self, cotangent: Any, inputs: tuple[Any, ...], gradients: list[np.ndarray[Any, Any]]) -> None:
        """Whether a cache outlives another forward. A layer that is an object, its cache empty, may keep but one."""
        cache = self.run(*inputs)[1]
        try:
            self.forward(*(_other(x) for x in inputs))
            got = _arrays(self.backward(_copy(cotangent), cache))
        except Exception:  # the other point may lie outside what the forward takes
            return
        if _differ(gradients, got):
            if _holds(cache):
                raise Fault("state", SHARED)
            self.notes.setdefault(OUTSIDE)


def _arrays(given: Any) -> list[np.ndarray[Any, Any]]:
    """Copies of the float arrays in an output, a tuple or a dict of gradients."""
    if isinstance(given, Mapping):
        given = tuple(given[k] for k in sorted(given, key=str))
    parts = given if isinstance(given, tuple | list) else (given,)
    return [np.array(x) for x in parts if isinstance(x, np.ndarray | np.generic | float)]


def _copy(cotangent: Any) -> Any:
    return tuple(np.array(u) for u in cotangent) if isinstance(cotangent, tuple) else np.array(cotangent)


def _negative(cotangent: Any) -> Any:
    return tuple(-u for u in cotangent) if isinstance(cotangent, tuple) else np.asarray(-cotangent)


def _differ(some: list[np.ndarray[Any, Any]], others: list[np.ndarray[Any, Any]]) -> bool:
    return any(not same(a, b) for a, b in zip(some, others, strict=False))


def _other(x: Any) -> Any:
    """Another input like x: read backwards, which keeps its range, and a little smaller."""
    return np.asarray(np.flip(x) * x.dtype.type(0.875), x.dtype) if isinstance(x, np.ndarray) and is_float(x) else x


def _holds(cache: Any) -> bool:
    """Whether a cache holds arrays in plain sight."""
    if isinstance(cache, Mapping):
        cache = tuple(cache.values())
    return any(map(_holds, cache)) if isinstance(cache, tuple | list) else isinstance(cache, np.ndarray)
