"""The gradient of a scalar function, as a forward and a vjp: f -> value, grad(*inputs) -> gradients.

The vjp scales what grad returns, into arrays of its own; so what a caller of grad would meet is asked here: whether
what came back is an input itself, or a buffer that the next call overwrites.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.errors import InputError
from gradproof.oracles.contract import same
from gradproof.sampling.sample import is_float

REUSED = "the array returned first was changed by a second call: it is a buffer that the rule reuses"
SHARED = "a gradient shares memory with an input; a caller that updates one in place changes the other"


@dataclass
class Scalar:
    """`value(*inputs)` is a number, `rule(cotangent, *inputs)` the gradients; what is worth saying is in `notes`."""

    f: Callable[..., Any]
    grad: Callable[..., Any]
    strict: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    held: list[tuple[Array, Array]] = field(default_factory=list)

    def value(self, *x: Any) -> Any:
        y = self.f(*x)
        if np.size(y) != 1 or isinstance(y, tuple | list):
            raise InputError(
                f"check_grad takes a scalar function; this one returns shape {np.shape(y)}; use check_vjp, "
                "whose vjp takes a cotangent"
            )
        return y if np.ndim(y) == 0 else np.asarray(y).reshape(())

    def rule(self, cotangent: Any, *x: Any) -> Any:
        """The gradients times the cotangent; raises Fault where what an earlier call returned is another now."""
        made = self.grad(*x)
        held, self.held = self.held, [(g, np.array(g)) for g in _arrays(made)]
        if any(not same(g, before) for g, before in held):
            raise Fault("state", REUSED)
        if any(np.may_share_memory(g, a) and np.shares_memory(g, a) for g, _ in self.held for a in _arrays(x)):
            if self.strict:
                raise Fault("aliased", SHARED)
            self.notes.setdefault(f"{SHARED} (wrong with strict=True)")
        return scaled(made, cotangent)


def _arrays(given: Any) -> list[Array]:
    parts = given.values() if isinstance(given, Mapping) else given if isinstance(given, tuple) else (given,)
    return [x for x in parts if isinstance(x, np.ndarray) and is_float(x)]


def scaled(gradient: Any, cotangent: Any) -> Any:
    """What a vjp gives for the cotangent of a scalar, in the form that grad returned."""
    if isinstance(gradient, tuple):
        return tuple(scaled(g, cotangent) for g in gradient)
    if isinstance(gradient, Mapping):
        return {k: scaled(g, cotangent) for k, g in gradient.items()}
    if isinstance(gradient, np.ndarray | np.generic) and is_float(gradient):
        return np.asarray(np.asarray(gradient) * np.asarray(cotangent, gradient.dtype), gradient.dtype)
    return float(gradient) * float(cotangent) if isinstance(gradient, float | int) else gradient
