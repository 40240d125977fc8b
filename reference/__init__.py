"""The paper's forwards in PyTorch and in JAX, one line each, and what each framework's autograd says of them.

    reference.torch_vjp("softmax", u, z)        the gradient of <u, softmax(z)> by z, by PyTorch's reverse
    mode reference.jax_jvp("dense", (dx, dw, db), x, w, b)        the derivative of x w + b along them, by
    JAX's forward mode

NumPy in, NumPy out. A name is the name of a file in `derivs`; inputs come in that file's order, static
parameters by keyword.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from gradproof.oracles import jax as _jax
from gradproof.oracles import torch as _torch
from reference.entry import Entry, Forward
from reference.networks import NETWORKS
from reference.operations import OPERATIONS

__all__ = [
    "UnknownEquation",
    "forwards",
    "jax_jvp",
    "jax_value",
    "jax_vjp",
    "names",
    "torch_jvp",
    "torch_value",
    "torch_vjp",
]

_ENTRIES: dict[str, Entry] = {**OPERATIONS, **NETWORKS}


class UnknownEquation(ValueError):
    """A name the reference has no entry for."""


def names() -> tuple[str, ...]:
    """Every equation there is an entry for, operations first."""
    return tuple(_ENTRIES)


def forwards(name: str) -> dict[str, Forward]:
    """{"torch": forward on tensors, "jax": forward on jax arrays}; UnknownEquation names what comes close."""
    if name not in _ENTRIES:
        near = difflib.get_close_matches(name, _ENTRIES) or list(_ENTRIES)
        raise UnknownEquation(
            f"no reference for {name!r}; expected an equation's name, such as: {', '.join(near)}"
        )
    entry = _ENTRIES[name]
    return {"torch": entry.torch, "jax": entry.jax}


def torch_value(name: str, *inputs: Any, **static: Any) -> _torch.Value:
    """The forward's output in PyTorch, or a tuple of its outputs."""
    return _torch.value(forwards(name)["torch"], inputs, static)


def torch_vjp(
    name: str, cotangent: Any, *inputs: Any, wrt: Sequence[int] | None = None, **static: Any
) -> tuple[_torch.Array, ...]:
    """The gradients of <cotangent, forward> by PyTorch: of every floating input, or those at `wrt`."""
    return _torch.vjp(forwards(name)["torch"], cotangent, inputs, wrt, static)[1]


def torch_jvp(
    name: str, tangents: Any, *inputs: Any, wrt: Sequence[int] | None = None, **static: Any
) -> _torch.Value | None:
    """The derivative along a tangent for each floating input, or each at `wrt`; None without forward mode."""
    return _torch.jvp(forwards(name)["torch"], tangents, inputs, wrt, static)[1]


def jax_value(name: str, *inputs: Any, **static: Any) -> _jax.Value:
    """The forward's output in JAX, or a tuple of its outputs."""
    return _jax.value(forwards(name)["jax"], inputs, static)


def jax_vjp(
    name: str, cotangent: Any, *inputs: Any, wrt: Sequence[int] | None = None, **static: Any
) -> tuple[_jax.Array, ...]:
    """The gradients of <cotangent, forward> by JAX: of every floating input, or those at `wrt`."""
    return _jax.vjp(forwards(name)["jax"], cotangent, inputs, wrt, static)[1]


def jax_jvp(
    name: str, tangents: Any, *inputs: Any, wrt: Sequence[int] | None = None, **static: Any
) -> _jax.Value | None:
    """The derivative along a tangent for each floating input, or each at `wrt`; None without forward mode."""
    return _jax.jvp(forwards(name)["jax"], tangents, inputs, wrt, static)[1]
