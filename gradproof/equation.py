"""The declaration: one derivative, stated once, in a record that checks itself.

EQUATION = Equation(forward=forward, backward=backward, paper=("7", "13"),
                    shapes="x: n d, w: d m, b: m -> z: n m")
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradproof.errors import DeclarationError
from gradproof.sampling.domain import Domain
from gradproof.sampling.shapes import Shapes

Static = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """One shape string of a declaration, with the static parameters it pins."""

    shapes: Shapes
    pinned: Static

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(slot.name for slot in self.shapes.inputs)


@dataclass(frozen=True)
class Equation:
    """A map, its derivative written by hand, and what may not be guessed about them.

    forward(*inputs, **static) -> array or tuple of arrays
    backward(z_bar, z, *inputs, **static) -> dict of input name -> gradient, of the input's shape and dtype
    paper: ids of the equations it covers; tables: of the tables; shapes: a shape string, or several, each a string or
    (string, pinned static parameters); domain: input name -> domain (default real); constant: inputs without a
    gradient; static: keyword parameter -> the values it is drawn from; kinks: where the map is not
    differentiable, and the choice made there; plain: the same map in a form that also runs on object arrays of balls.

    Raises DeclarationError, in one line, where the record contradicts itself.
    """

    forward: Callable[..., Any]
    backward: Callable[..., Mapping[str, Any]]
    shapes: str | Sequence[str | tuple[str, Mapping[str, Any]]]
    paper: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    title: str = ""
    domain: Mapping[str, Any] = field(default_factory=dict)
    constant: tuple[str, ...] = ()
    static: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    kinks: str = ""
    plain: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        where = f"declaration {self.name!r}"
        for role in ("forward", "backward"):
            if not callable(getattr(self, role)):
                raise DeclarationError(f"{where}: {role} is {getattr(self, role)!r}; expected a function")
        if self.plain is not None and not callable(self.plain):
            raise DeclarationError(f"{where}: plain is {self.plain!r}; expected a function or None")
        for role in ("paper", "tables", "constant"):
            value = getattr(self, role)
            if isinstance(value, str) or not all(isinstance(v, str) for v in value):
                raise DeclarationError(
                    f"{where}: {role} is {value!r}; expected a tuple of strings, such as ({value!r},)"
                )
        for name, choices in self.static.items():
            if isinstance(choices, str) or not isinstance(choices, Sequence) or len(choices) == 0:
                raise DeclarationError(
                    f"{where}: static parameter {name!r} has the choices {choices!r}; expected a tuple of values"
                )
        known = {name for variant in self.variants for name in variant.names}
        for role, names in (("domain", self.domain), ("constant", self.constant)):
            for name in names:
                if name not in known:
                    raise DeclarationError(
                        f"{where}: {role} names {name!r}, which is no input; the inputs are {', '.join(sorted(known))}"
                    )
        for name, word in self.domain.items():
            Domain.of(word, repr(name))
        for variant in self.variants:
            if all(name in self.constant for name in variant.names):
                raise DeclarationError(
                    f"{where}: every input is constant, nothing is left to differentiate; leave one out of constant="
                )
            self._check_signatures(variant, where)

    def _check_signatures(self, variant: Variant, where: str) -> None:
        for role, leading in (("forward", 0), ("backward", 2)):
            parameters = inspect.signature(getattr(self, role)).parameters.values()
            positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
            wanted = len(variant.names) + leading
            fits = len(positional) <= wanted if variadic else len(positional) == wanted
            given = tuple(positional[leading:])
            if not fits or (variant.names[: len(given)] != given):
                raise DeclarationError(
                    f"{where}: {role} takes ({', '.join(positional)}{', *' if variadic else ''}), the shape string "
                    f"{variant.shapes.text!r} gives the inputs ({', '.join(variant.names)}); make the two agree"
                )
            keywords = any(p.kind is p.VAR_KEYWORD for p in parameters)
            named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
            for name in {*self.static, *variant.pinned}:
                if name not in named and not keywords:
                    raise DeclarationError(
                        f"{where}: static parameter {name!r} is no keyword-only parameter of {role}; add it after a "
                        f"'*': {role}(..., *, {name})"
                    )

    @property
    def name(self) -> str:
        """The name of the file that declares it."""
        return str(getattr(self.forward, "__module__", "") or "equation").rpartition(".")[2]

    @property
    def heading(self) -> str:
        """The title, by default the first sentence of the declaring module's docstring."""
        if self.title:
            return self.title
        doc = (getattr(sys.modules.get(self.forward.__module__), "__doc__", "") or "").strip()
        first = doc.splitlines()[0] if doc else self.name
        return first.split("   ")[0].strip().rstrip(".")

    @property
    def variants(self) -> tuple[Variant, ...]:
        listed = (self.shapes,) if isinstance(self.shapes, str) else tuple(self.shapes)
        if not listed:
            raise DeclarationError(f"declaration {self.name!r}: no shape string; expected such as 'x: n d -> z: n'")
        variants = []
        for item in listed:
            text, pinned = (item, {}) if isinstance(item, str) else item
            variants.append(Variant(Shapes.parse(text, {*self.static, *pinned}), dict(pinned)))
        return tuple(variants)

    def domain_of(self, name: str) -> Domain:
        return Domain.of(self.domain.get(name, "real"), repr(name))

    def vjp(self, z_bar: Any, *inputs: Any, **static: Any) -> dict[str, Any]:
        """The gradients of <z_bar, forward(inputs)> by the hand-written backward: input name -> array of its shape."""
        return dict(self.backward(z_bar, self.forward(*inputs, **static), *inputs, **static))
