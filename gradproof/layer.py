"""A layer as the teaching texts write it, as a forward and a vjp: forward -> (out, cache), backward(dout, cache).

The cache is an argument of the backward like any other: neither it nor the output may be changed, for the caller holds
the output, and a second backward on one cache (two losses of one layer) has to give what it gives on a fresh one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.errors import InputError
from gradproof.oracles.contract import same
from gradproof.subject import Fault

OUTPUT = "the backward changed the output that the forward returned; work on a copy"
CACHE = "a second backward on one cache gives another gradient: the first changed what is in the cache; work on a copy"
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
        out, cache = self.run(*inputs)
        before, handed = _arrays(out), _copy(cotangent)
        gradients = self.backward(cotangent, cache)
        if any(
            not np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(before, _arrays(out), strict=True)
        ):
            self.spoilt = OUTPUT
        if not self.asked:
            self.asked = True
            self._again(handed, cache, gradients)
        if self.spoilt:
            raise Fault("mutated", self.spoilt)
        return gradients

    def _again(self, cotangent: Any, cache: Any, gradients: Any) -> None:
        """Whether one cache serves twice: asked once a check."""
        first = _arrays(gradients)
        try:
            second = _arrays(self.backward(cotangent, cache))
        except Exception:  # a backward that pops from its cache may raise anything
            self.notes.setdefault(CONSUMED)
            return
        if not self.spoilt and any(not same(a, b) for a, b in zip(first, second, strict=False)):
            self.spoilt = CACHE


def _arrays(given: Any) -> list[np.ndarray[Any, Any]]:
    """Copies of the float arrays in an output, a tuple or a dict of gradients."""
    if isinstance(given, Mapping):
        given = tuple(given[k] for k in sorted(given, key=str))
    parts = given if isinstance(given, tuple | list) else (given,)
    return [np.array(x) for x in parts if isinstance(x, np.ndarray | np.generic | float)]


def _copy(cotangent: Any) -> Any:
    return tuple(np.array(u) for u in cotangent) if isinstance(cotangent, tuple) else np.array(cotangent)
