"""What is judged: a forward, a rule for its derivative, and the references that share the forward.

Whatever a stranger's functions return is brought into one form here: outputs as a tuple of arrays, gradients as a
dict from input position to array. What cannot be brought into it is a fault of the rule (a verdict), or of the caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.errors import InputError

Array = np.ndarray[Any, Any]
Gradients = dict[int, Array | None]


class Fault(Exception):
    """The rule raised, or returned what no gradient can be read from; `check` says which."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


@dataclass
class Subject:
    """forward(*inputs, **static) -> outputs; rule(cotangent, *inputs, **static) -> gradients; references."""

    name: str
    forward: Callable[..., Any]
    rule: Callable[..., Any]
    references: dict[str, Callable[..., Any]] = field(default_factory=dict)
    plain: Callable[..., Any] | None = None
    kinks: str = ""
    aliases: dict[str, str] = field(default_factory=dict)  # the forward's own parameter names, where shapes= has others
    replay: str = "{name}(cotangent, {arguments})"
    evaluations: dict[str, int] = field(default_factory=lambda: {"forward": 0, "vjp": 0})
    warnings: dict[str, None] = field(default_factory=dict)
    pushes: bool = False  # the rule is made of a jvp
    unbatched: set[Any] = field(default_factory=set)  # shapes at which the forward took no batch

    def warn(self, text: str) -> None:
        """Say something once."""
        self.warnings.setdefault(text)

    def value(self, inputs: Sequence[Any], static: Mapping[str, Any]) -> tuple[Array, ...]:
        """The outputs as arrays; whatever the forward raises goes through."""
        self.evaluations["forward"] += 1
        return outputs(self.forward(*inputs, **static))[0]

    def packed(self, inputs: Sequence[Any], static: Mapping[str, Any]) -> tuple[tuple[Array, ...], bool]:
        """The outputs, and whether the forward returns a tuple (whose cotangent is then a tuple)."""
        self.evaluations["forward"] += 1
        return outputs(self.forward(*inputs, **static))

    def pull(
        self,
        cotangents: Sequence[Array],
        packed: bool,
        inputs: Sequence[Any],
        names: Sequence[str],
        wrt: Sequence[int],
        static: Mapping[str, Any],
    ) -> Gradients:
        """The rule's gradients by input position (None where it gives none); raises Fault."""
        self.evaluations["vjp"] += 1
        cotangent = tuple(cotangents) if packed else cotangents[0]
        try:
            raw = self.rule(cotangent, *inputs, **static)
        except Fault:
            raise
        except Exception as error:  # a rule may raise anything: that is what is judged
            raise Fault(
                "raises",
                f"the vjp raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(
                    ": "
                ),
            ) from error
        return self._read(raw, names, wrt)

    def _read(self, raw: Any, names: Sequence[str], wrt: Sequence[int]) -> Gradients:
        given: dict[int, Any]
        if isinstance(raw, Mapping):
            raw = {self.aliases.get(k, k) if k not in names else k: v for k, v in raw.items()}
            unknown = [k for k in raw if k not in names]
            if unknown:
                raise Fault(
                    "count",
                    f"the vjp returned a gradient for {unknown[0]!r}, which is no input; the inputs are "
                    f"{', '.join(names)}",
                )
            given = {names.index(k): v for k, v in raw.items()}
        elif isinstance(raw, tuple):
            if len(raw) == len(names):
                given = dict(enumerate(raw))
            elif len(raw) == len(wrt):
                given = dict(zip(wrt, raw, strict=True))
            else:
                raise Fault(
                    "count",
                    f"the vjp returned {len(raw)} gradients for {len(names)} inputs ({', '.join(names)})",
                )
        elif isinstance(raw, np.ndarray | np.generic | float | int) or raw is None:
            if len(wrt) != 1:
                raise Fault(
                    "count",
                    f"the vjp returned a bare {_kind(raw)} for {len(wrt)} differentiated inputs; expected a "
                    "tuple or a dict",
                )
            given = {wrt[0]: raw}
        else:
            raise Fault(
                "type",
                f"the vjp returned a {type(raw).__name__}; expected a tuple by position, a dict by name, or one array",
            )
        gradients: Gradients = {}
        for i, g in given.items():
            if i not in wrt:
                if g is not None:
                    self.warn(f"a gradient was returned for {names[i]!r}, which is constant; None is right")
                continue
            if g is not None and not isinstance(g, np.ndarray | np.generic | float | int):
                raise Fault("type", f"the gradient of {names[i]!r} is a {type(g).__name__}; expected an array")
            dtype = None if g is None else np.asarray(g).dtype
            if dtype is not None and dtype.kind not in "fO" and dtype.name != "bfloat16":
                raise Fault("dtype", f"the gradient of {names[i]!r} has dtype {dtype}; expected that of the input")
            if g is not None and np.asarray(g).dtype == object:
                raise Fault("type", f"the gradient of {names[i]!r} is an object array; expected a float array")
            gradients[i] = None if g is None else np.asarray(g)
        return {i: gradients.get(i) for i in wrt}


def outputs(raw: Any) -> tuple[tuple[Array, ...], bool]:
    """A forward's return as a tuple of arrays, and whether it was a tuple."""
    if isinstance(raw, list):
        raise InputError("the forward returned a list; return an array, or a tuple of the outputs")
    packed = isinstance(raw, tuple)
    values = tuple(raw) if packed else (raw,)
    arrays = []
    for value in values:
        if value is None or isinstance(value, str | dict | tuple | list):
            raise InputError(
                f"the forward returned a {type(value).__name__}; expected an array, a number or a tuple of them"
            )
        arrays.append(np.asarray(value))
    return tuple(arrays), packed


def _kind(value: Any) -> str:
    return "array" if isinstance(value, np.ndarray) else type(value).__name__


def parameter_names(forward: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of a forward's first `count` positional parameters; x0, x1, … where it does not tell."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    star = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "x")
    return tuple(names + [f"{star}{i}" for i in range(len(names), count)])
