"""A framework's autodiff as an oracle: value, reverse mode and forward mode at many points, each point asked once.

Reverse mode is believed where the framework's own forward mode confirms it: <u, J v> = <J^T u, v>.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, outputs
from gradproof.errors import GradproofError, InputError
from gradproof.sampling.sample import is_float

# JAX compiles once a shape and batch size: every call is padded to one of these
BATCHES = (8,)


@dataclass(frozen=True)
class Point:
    """Where a framework is asked: inputs, cotangents by output, tangents by differentiated input."""

    inputs: tuple[Any, ...]
    cotangents: tuple[Array, ...]
    packed: bool
    tangents: tuple[Array, ...]
    confirm: bool = True  # by forward mode; a neighbour of a confirmed point needs none


@dataclass(frozen=True)
class Answer:
    """What the framework says at a point. `along`: its forward mode's <u, J v>, None where it has none."""

    values: tuple[Array, ...]
    gradients: tuple[Array, ...]
    along: float | None

    def confirmed(self, tangents: Sequence[Array], tolerance: float = 1e-6) -> bool:
        """Whether forward mode says the same as reverse mode (or there is no forward mode to ask)."""
        if self.along is None:
            return True
        terms = [
            np.asarray(g, np.float64).reshape(-1) * np.asarray(v, np.float64).reshape(-1)
            for g, v in zip(self.gradients, tangents, strict=True)
        ]
        total = float(sum(t.sum() for t in terms))
        size = float(np.sqrt(sum((t**2).sum() for t in terms)))
        return bool(abs(total - self.along) <= tolerance * max(size, abs(self.along))) or not np.isfinite(
            total - self.along
        )


class Autodiff:
    """One framework's forward, asked in batches where that saves compilations. framework: `torch` or `jax`."""

    def __init__(self, framework: str, forward: Callable[..., Any]) -> None:
        if not callable(forward):
            raise InputError(f"{framework}= is {forward!r}; expected the same forward as a function in {framework}")
        self.framework, self.forward = framework, forward
        self._engine = importlib.import_module(f"gradproof.oracles.{framework}")
        self._batched: dict[Any, Any] = {}

    def ask(self, points: Sequence[Point], wrt: Sequence[int], static: dict[str, Any]) -> list[Answer]:
        """An answer a point; raises InputError where the framework's forward raises, naming what it said."""
        try:
            if self.framework == "jax":
                return self._ask_jax(points, tuple(wrt), static)
            return self._ask_torch(points, wrt, static)
        except GradproofError:
            raise
        except Exception as error:  # a stranger's framework forward may raise anything
            first = str(error).splitlines()[0] if str(error) else ""
            raise InputError(
                f"the {self.framework} forward raised {type(error).__name__}: {first}; it takes the same "
                "inputs as the forward"
            ) from error

    def values(self, inputs: Sequence[Any], static: dict[str, Any]) -> tuple[Array, ...]:
        """The framework's outputs as arrays."""
        return outputs(self._engine.value(self.forward, inputs, static))[0]

    def _ask_torch(self, points: Sequence[Point], wrt: Sequence[int], static: dict[str, Any]) -> list[Answer]:
        asked = [(tuple(p.cotangents) if p.packed else p.cotangents[0], p.inputs) for p in points]
        found = self._engine.vjps(self.forward, asked, wrt, static)
        return [
            Answer(outputs(value)[0], tuple(np.asarray(g) for g in gradients), self._along(point, wrt, static))
            for point, (value, gradients) in zip(points, found, strict=True)
        ]

    def _along(self, point: Point, wrt: Sequence[int], static: dict[str, Any]) -> float | None:
        """Forward mode at a point, where it is to confirm reverse mode and there is one."""
        if not point.tangents or not point.confirm:
            return None
        try:
            tangent = self._engine.jvp(self.forward, tuple(point.tangents), point.inputs, wrt, static, still=True)[1]
        except Exception:  # no forward mode for some operation inside: reverse mode stands alone
            tangent = None
        return _pair(point.cotangents, tangent)

    def _ask_jax(self, points: Sequence[Point], wrt: tuple[int, ...], static: dict[str, Any]) -> list[Answer]:
        answers: list[Answer | None] = [None] * len(points)
        groups: dict[Any, list[int]] = {}
        for k, point in enumerate(points):
            groups.setdefault(_form(point.inputs), []).append(k)
        for form, members in groups.items():
            key = (form, wrt, repr(sorted(static.items())))
            if key not in self._batched:
                self._batched[key] = self._engine.Batched(self.forward, wrt, static)
            size = BATCHES[-1]
            for start in range(0, len(members), size):
                chunk = members[start : start + size]
                padded = chunk + [chunk[-1]] * (size - len(chunk))
                for k, answer in zip(chunk, self._batch(self._batched[key], [points[k] for k in padded]), strict=False):
                    answers[k] = answer
        return [a for a in answers if a is not None]

    def _batch(self, batched: Any, points: list[Point]) -> list[Answer]:
        first = points[0]
        inputs = [
            np.stack([np.asarray(p.inputs[i]) for p in points]) if _mapped(x) else x for i, x in enumerate(first.inputs)
        ]
        cotangents = tuple(np.stack([p.cotangents[k] for p in points]) for k in range(len(first.cotangents)))
        tangents = tuple(np.stack([p.tangents[k] for p in points]) for k in range(len(first.tangents)))
        got = batched(inputs, cotangents if first.packed else cotangents[0], tangents)
        values, gradients = outputs(got.value)[0], got.vjp
        along = None if got.jvp is None else outputs(got.jvp)[0]
        return [
            Answer(
                tuple(v[b] for v in values),
                tuple(np.asarray(g)[b] for g in gradients),
                None if along is None else _pair(point.cotangents, tuple(a[b] for a in along)),
            )
            for b, point in enumerate(points)
        ]


def _mapped(x: Any) -> bool:
    return isinstance(x, np.ndarray) or is_float(x)


def _form(inputs: Sequence[Any]) -> Any:
    return tuple((np.shape(x), np.asarray(x).dtype.str) if _mapped(x) else repr(x) for x in inputs)


def _pair(cotangents: Sequence[Array], tangent: Any) -> float | None:
    if tangent is None:
        return None
    along = outputs(tangent)[0]
    return float(
        sum(
            (np.asarray(u, np.float64).reshape(-1) @ np.asarray(a, np.float64).reshape(-1))
            for u, a in zip(cotangents, along, strict=True)
            if is_float(a)
        )
    )
