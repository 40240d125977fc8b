"""Samples of a declaration: every variant and static value, shapes from a chosen pool, values from the domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradproof.equation import Equation
from gradproof.sampling.domain import SWEEP
from gradproof.sampling.sample import ONE_INPUT, SHAPES, VALUES, Sample, Swept, is_float
from gradproof.sampling.shapes import Shapes, draw_sizes, singled_out
from gradproof.sampling.variation import coincide


class Declared:
    """Samples of a declaration: every variant and static value, shapes from a chosen pool, values from the domains."""

    def __init__(self, equation: Equation, seed: int, dtype: Any = np.float64) -> None:
        self.equation, self.seed, self.dtype = equation, seed, np.dtype(dtype)
        self.kept: tuple[str, ...] = ()

    def draw(self, index: int, attempt: int = 0) -> Sample | None:
        variants = self.equation.variants
        rng = np.random.default_rng((self.seed, index, attempt))
        # every eighth sample runs through the pool of shapes anew; the values' round is longer: the pairs differ
        shape_kind = SHAPES[index % len(SHAPES)]
        kind = VALUES[(index + index // len(SHAPES)) % len(VALUES)]
        variant = variants[(index + attempt) % len(variants)]
        pool = np.random.default_rng((self.seed, index % len(SHAPES), index % len(variants), attempt))
        static = {
            # walked, not drawn: each value of each parameter occurs within one round of shapes
            **{
                k: v[(index % len(SHAPES) + self.seed + p) % len(v)]
                for p, (k, v) in enumerate(self.equation.static.items())
            },
            **variant.pinned,
        }
        if shape_kind == "one":
            symbols = variant.shapes.symbols
            pick = 0 if index % len(SHAPES) == 3 else int(pool.integers(len(symbols) or 1))
            shape_kind = f"one {symbols[pick]}" if symbols else "distinct"
        sizes = draw_sizes(variant.shapes, shape_kind, static, pool)
        if sizes is None:
            return None
        return self.at(index, kind, variant.shapes, sizes, static, shape_kind, rng, attempt)

    def swept(self, index: int, turn: int, alone: int | None) -> Sample | None:
        """A point of one shape with the values of that turn in all inputs, or in one alone; None where none has any."""
        variant = self.equation.variants[0]
        if not self._open:
            return None
        rng = np.random.default_rng((self.seed, SWEEP))  # the same at every turn, so that no value comes twice
        static = {k: v[turn % len(v)] for k, v in self.equation.static.items()} | dict(variant.pinned)
        sizes = draw_sizes(variant.shapes, "distinct", static, rng)
        if sizes is None:
            return None
        name = None if alone is None else variant.shapes.inputs[alone].name
        return self.at(index, Swept(turn), variant.shapes, sizes, static, "distinct", rng, alone=name)

    def reshaped(self, index: int) -> Iterator[Sample]:
        """Points in which one axis is long, one is 1, or two are equal, each in turn."""
        variant = self.equation.variants[0]
        if not self._open:
            return
        static = {k: v[0] for k, v in self.equation.static.items()} | dict(variant.pinned)
        for number, said, sizes, rng in singled_out(variant.shapes, static, self.seed, index):
            yield self.at(number, "random", variant.shapes, sizes, static, said, rng)

    @property
    def _open(self) -> bool:
        """Whether a differentiated input takes values that are not the caller's own."""
        equation, names = self.equation, self.equation.variants[0].names
        return any(equation.domain_of(n).draw_with is None for n in names if n not in equation.constant)

    def at(
        self,
        index: int,
        kind: str,
        shapes: Shapes,
        sizes: dict[str, int],
        static: dict[str, Any],
        shape_kind: str,
        rng: np.random.Generator,
        attempt: int = 0,
        alone: str | None = None,
    ) -> Sample:
        equation = self.equation
        names = tuple(slot.name for slot in shapes.inputs)
        if kind in ONE_INPUT:
            taking = [n for n in names if n not in equation.constant and equation.domain_of(n).takes(kind)]
            alone = taking[(index // len(SHAPES) + attempt) % len(taking)] if taking else None
            kind = kind if taking else "random"
        inputs = []
        for name, shape in zip(names, shapes.input_shapes(sizes), strict=True):
            mine = kind if alone in (None, name) else "random"
            x = equation.domain_of(name).draw(rng, shape, mine, sizes)
            inputs.append(x.astype(self.dtype) if x.dtype.kind == "f" else x)
        wrt = tuple(i for i, name in enumerate(names) if name not in equation.constant and is_float(inputs[i]))
        point = coincide(rng, kind, inputs, [i for i in wrt if equation.domain_of(names[i]).word == "real"])
        free = {k: v for k, v in sizes.items() if k in shapes.symbols and k not in static}
        return Sample(index, self.seed, kind, point, names, wrt, static, free, shape_kind)

    def resize(self, sample: Sample, sizes: dict[str, int]) -> Sample | None:
        """The same kind of sample at other sizes; None where they do not fit."""
        fitting = [
            v.shapes
            for v in sorted(self.equation.variants, key=lambda v: -len(v.pinned))
            if v.names == sample.names and all(sample.static.get(k) == p for k, p in v.pinned.items())
        ]
        shapes = fitting[0] if fitting else None
        every = {**sizes, **{k: v for k, v in sample.static.items() if isinstance(v, int)}}
        if (
            shapes is None
            or set(sizes) != {s for s in shapes.symbols if s not in sample.static}
            or not shapes.fits(every)
        ):
            return None
        return self.at(sample.index, sample.kind, shapes, every, sample.static, sample.shape_kind, sample.rng(60))

    def empty(self, index: int) -> Sample | None:
        """A sample whose first axis has size 0, where the declaration has one."""
        variant = self.equation.variants[0]
        static = {**{k: v[0] for k, v in self.equation.static.items()}, **variant.pinned}
        if not variant.shapes.symbols:
            return None
        sizes = draw_sizes(
            variant.shapes, f"zero {variant.shapes.symbols[0]}", static, np.random.default_rng(self.seed)
        )
        rng = np.random.default_rng((self.seed, index))
        return None if sizes is None else self.at(index, "empty", variant.shapes, sizes, static, "zero", rng)
