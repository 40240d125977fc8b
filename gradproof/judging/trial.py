"""One sample under trial: its outputs, its cotangent, the rule's gradients, and rays through the point.

Work is done in float64 wherever the forward follows the dtype it is given, so that float32 and bfloat16 rules are
measured against a truth far finer than they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Gradients, Subject
from gradproof.errors import InputError
from gradproof.judging.rays import Rays
from gradproof.judging.tolerance import eps
from gradproof.oracles.autodiff import Answer
from gradproof.sampling.domain import full, short
from gradproof.sampling.sample import Sample, is_float, upcast
from gradproof.sampling.variation import structure

SPARSE = 0.4  # the share of zeros in a sparse cotangent
TERM_ROUNDINGS = 2.0**-46  # in units of the terms


def draw_cotangents(rng: np.random.Generator, values: Sequence[Array], index: int) -> tuple[Array, ...]:
    """Random cotangents, never constant: in few and in all bits by turns; every fifth sparse, every seventh large.

    Of the sparse ones each third has one entry alone, as where a Jacobian is asked for row by row.
    """
    drawn = []
    for k, y in enumerate(values):
        u = full(rng, y.shape) if index % 2 else short(rng, y.shape)
        if index % 5 == 4 and u.size > 1:
            u = np.where(_but_one(rng, u.shape) if index % 15 == 14 else _some(rng, u.shape), 0.0, u)
        if index % 7 == 6:
            u = u * 64
        if len(values) > 1 and index % 4 == 3 and k == (index // 4) % len(values):
            u = np.zeros(y.shape)  # an output that nobody uses
        drawn.append(u.astype(y.dtype if is_float(y) else np.float64))
    return tuple(drawn)


def _some(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Some places of a shape, at random: one at least, and not all."""
    drawn = rng.random(shape)
    chosen = drawn < SPARSE
    if chosen.all() or not chosen.any():
        chosen = drawn == (drawn.max() if not chosen.any() else drawn.min())
    return np.asarray(chosen)


def _but_one(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """All places of a shape but one."""
    chosen = np.ones(shape, bool)
    chosen.flat[int(rng.integers(chosen.size))] = False
    return chosen


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """+1 or -1 an entry, at random."""
    return np.asarray(2.0 * rng.integers(0, 2, shape) - 1.0)


def finite(values: Sequence[Array]) -> bool:
    return all(
        bool(np.isfinite(np.asarray(y, np.float64) if y.dtype.name == "bfloat16" else y).all())
        for y in values
        if y.dtype.kind in "fcV"
    )


def _rounded(x: Any, own: Any) -> Any:
    """x in the dtype of `own`; raises TypeError for a complex number, which has none there."""
    if not is_float(own) or np.asarray(x).dtype == np.asarray(own).dtype:
        return x
    if np.iscomplexobj(x):
        raise TypeError("the forward insists on a narrow real dtype")
    return x.astype(np.asarray(own).dtype)


def _widened(x: Any) -> Any:
    """A narrow input in float64; rows that sum to 1 to its precision sum to 1 there too, as the rule may rely on."""
    wide = upcast(x)
    if isinstance(x, np.ndarray) and is_float(x) and x.dtype.itemsize < 8 and "rows summing to 1" in structure(x):
        wide = wide / wide.sum(-1, keepdims=True)
    return wide


@dataclass
class Truth:
    """What one framework says at a point: the answer, how far it moves, how far it is off in the rule's dtype."""

    answer: Answer
    movement: dict[int, Array]
    value_movement: tuple[Array, ...]
    deviation: dict[int, Array]
    confirmed: bool


@dataclass
class Trial:
    """A sample with everything that is computed at it, each once, and what the frameworks said about it, by name."""

    subject: Subject
    sample: Sample
    truths: dict[str, Truth] = field(default_factory=dict)

    @cached_property
    def packing(self) -> tuple[tuple[Array, ...], bool]:
        return self.subject.packed(self.inputs(), self.sample.static)

    @property
    def values(self) -> tuple[Array, ...]:
        return self.packing[0]

    @cached_property
    def cotangents(self) -> tuple[Array, ...]:
        return draw_cotangents(self.sample.rng(1), self.values, self.sample.index)

    def inputs(self) -> tuple[Any, ...]:
        """A fresh private copy of the point."""
        return tuple(np.array(x) if isinstance(x, np.ndarray) else x for x in self.sample.inputs)

    def pull(self, cotangents: Sequence[Array] | None = None, inputs: Sequence[Any] | None = None) -> Gradients:
        """The rule at this point (or another of the same form); raises Fault."""
        s = self.sample
        u = [np.array(c) for c in self.cotangents] if cotangents is None else cotangents
        return self.subject.pull(
            u, self.packing[1], self.inputs() if inputs is None else inputs, s.names, s.wrt, s.static
        )

    @cached_property
    def reaches(self) -> list[tuple[str, float]]:
        """The largest size in each float argument, the cotangent included."""
        named = [(n, x) for n, x in zip(self.sample.names, self.sample.inputs, strict=True) if is_float(x)]
        named += [("cotangent", u) for u in self.cotangents]
        return [(name, float(np.max(np.abs(np.asarray(x, np.float64))))) for name, x in named if np.size(x)]

    @cached_property
    def term_rounding(self) -> float:
        """A few roundings of the cotangent times three arguments, in float64: what terms that cancel leave."""
        sizes = dict(self.reaches)
        argument = max((size for name, size in sizes.items() if name != "cotangent"), default=1.0)
        return TERM_ROUNDINGS * sizes.get("cotangent", 0.0) * min(max(argument, 1.0), 1e100) ** 3

    def cancelled(self, *gradients: Array) -> bool:
        """Whether gradients are in every entry no more than what terms that cancel leave in their dtype."""
        return all(
            float(np.max(np.abs(np.asarray(g, np.float64)), initial=0.0))
            <= self.term_rounding * eps(g.dtype) / eps(np.dtype(np.float64))
            for g in gradients
        )

    @cached_property
    def largest(self) -> float:
        """The largest size of an output."""
        return max((float(np.max(np.abs(np.asarray(y, np.float64)))) for y in self.values if y.size), default=0.0)

    @cached_property
    def narrow(self) -> bool:
        """Whether some differentiated input is narrower than float64."""
        return any(np.asarray(self.sample.inputs[i]).dtype.itemsize < 8 for i in self.sample.wrt)

    def precision(self, gradient: Any) -> np.dtype[Any]:
        """The dtype whose precision a gradient has: its own, or that of the outputs, and cotangents, if narrower.

        A float64 weight of a float32 layer is cast to float32 inside, and its gradient back.
        """
        own = np.asarray(gradient).dtype
        answers = [y.dtype for y in self.values if is_float(y)]
        return max(own, min(answers, key=eps), key=eps) if answers else own

    @cached_property
    def wide(self) -> Trial | None:
        """The same point in float64, where the forward follows; itself where it is float64 already."""
        if not self.narrow:
            return self
        lifted = replace(self.sample, inputs=tuple(_widened(x) for x in self.sample.inputs))
        trial = Trial(self.subject, lifted)
        try:
            values = trial.values
        except Exception:  # a forward that insists on its dtype is worked with in that dtype
            self.__dict__["raised in float64"] = True
            return None
        if not finite(values) or any(y.dtype != np.float64 for y in values if is_float(y)):
            return None
        trial.__dict__["cotangents"] = tuple(upcast(u) for u in self.cotangents)
        return trial

    @cached_property
    def insists(self) -> bool:
        """Whether the forward raises where its narrow inputs are float64, as one with weights of its own may."""
        return self.narrow and self.wide is None and bool(self.__dict__.get("raised in float64", False))

    def insistent_value(self, inputs: Sequence[Any]) -> tuple[Array, ...]:
        """The outputs at inputs near the point, which are rounded to its dtypes where the forward insists on these."""
        if self.insists:
            inputs = [_rounded(x, own) for x, own in zip(inputs, self.sample.inputs, strict=True)]
        return self.subject.value(inputs, self.sample.static)

    @property
    def work(self) -> Trial:
        """The trial that truth is computed in."""
        return self.wide or self

    def ray(self, directions: Mapping[int, Array], precision: Any = np.float64) -> Rays:
        """t -> [<u, f(x + t v) - f(x)>], moving every input that has a direction; t may be complex."""
        return Rays(self, [directions], precision)


def try_trial(subject: Subject, sample: Sample) -> Trial | None:
    """The trial, or None where the forward raises or is not finite: such a point is dropped, not blamed."""
    trial = Trial(subject, sample)
    try:
        values = trial.values
    except InputError:
        raise
    except Exception:  # any exception of a stranger's forward at a varied point
        return None
    return trial if finite(values) else None
