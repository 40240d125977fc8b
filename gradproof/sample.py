"""Samples: points chosen on purpose, each with one identity (seed, index) that replays it.

A declaration is drawn over a pool of shapes and its domains; a stranger's point is varied and keeps what it has (values
0 and 1, whole numbers, no negative, rows that sum to 1, sorted, symmetric, a permutation); a sampler is called with a
fresh generator a sample. Zeros, ties, saturated, small, whole and negative values are planted in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from gradproof.domain import Domain, full, harden, short, tie
from gradproof.equation import Equation
from gradproof.errors import InputError
from gradproof.shapes import Shapes, draw_sizes

Array = np.ndarray[Any, Any]

# regular points come first: they set the scale that the hard ones are judged on
VALUES = (
    "random",
    "drawn",
    "zeros",
    "ties",
    "extreme",
    "random",
    "whole",
    "saturated",
    "negative",
    "small",
    "edge",
)
SHAPES = ("distinct", "distinct", "square", "one", "ones", "free", "one", "distinct")


@dataclass(frozen=True)
class Sample:
    """One point: its values, names and static parameters, and where it comes from."""

    index: int
    seed: int
    kind: str
    inputs: tuple[Any, ...]
    names: tuple[str, ...]
    wrt: tuple[int, ...]
    static: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    shape_kind: str = "given"
    shown: str = ""  # the kind of the sample that this one stands beside

    @property
    def label(self) -> str:
        words = [f"{k}={v}" for k, v in {**self.sizes, **self.static}.items()]
        return " ".join([f"{self.index}:{self.shown or self.kind}", *words])

    def rng(self, purpose: int = 0) -> np.random.Generator:
        """A generator of this sample's own, one for each purpose."""
        return np.random.default_rng((self.seed, self.index, 7 + purpose))


def is_float(x: Any) -> bool:
    """Arrays and NumPy scalars of a real floating dtype, ml_dtypes' bfloat16 included."""
    if not isinstance(x, np.ndarray | np.generic):
        return False
    return bool(np.issubdtype(x.dtype, np.floating)) or x.dtype.name == "bfloat16"


def unit(x: Any) -> float:
    """A power of two like the input's typical entry: what directions are measured in."""
    sizes = np.abs(np.asarray(x, np.float64)).reshape(-1)
    sizes = sizes[(sizes > 0) & np.isfinite(sizes)]
    return float(2.0 ** np.round(np.log2(np.median(sizes)))) if sizes.size else 1.0


def structure(x: Array) -> frozenset[str]:
    """What a point has and its variations keep, in words."""
    a = np.asarray(x)
    if a.size == 0 or a.dtype == object or a.dtype.kind not in "fiubV":
        return frozenset()
    a = a.astype(np.float64)
    words = set()
    whole = bool((a == np.round(a)).all() and (np.abs(a) < 2**31).all()) and a.size > 1  # beyond, every float is whole
    if whole and np.isin(a, (0, 1)).all():
        words.add("values 0/1")
    if whole and a.ndim == 1 and a.size > 2 and (np.sort(a) == np.arange(a.size)).all():
        words.add("a permutation")
    if whole and a.size > 2:
        words.add("integers")
    if (a >= 0).all():
        words.add("all >= 0")
        if (a > 0).all():
            words.add("all > 0")
        if a.ndim and a.shape[-1] > 1 and np.allclose(a.sum(-1), 1, atol=1e-2 if x.dtype.itemsize < 4 else 1e-5):
            words.add("rows summing to 1")
    if a.ndim and a.shape[-1] > 3 and (np.diff(a, axis=-1) >= 0).all() and (np.ptp(a, axis=-1) > 0).all():
        words.add("sorted")
    if a.ndim >= 2 and a.shape[-1] == a.shape[-2] > 1 and (a == np.swapaxes(a, -1, -2)).all() and not _diagonal(a):
        words.add("symmetric")
    return frozenset(words)


def _diagonal(a: Array) -> bool:
    return bool((a * (1 - np.eye(a.shape[-1])) == 0).all()) and bool((a == a.flat[0]).all())


def vary(
    rng: np.random.Generator, x: Array, kind: str, keep: frozenset[str], shape: tuple[int, ...] | None = None
) -> Array:
    """Another array like `x`, of its dtype: fresh values of one kind, the kept structure intact."""
    x = np.asarray(x)
    shape = x.shape if shape is None else shape
    if x.size == 0 or 0 in shape:
        return np.zeros(shape, x.dtype)
    if not is_float(x):
        return _vary_whole(rng, x, kind, keep, shape)
    base = x.astype(np.float64)
    if "values 0/1" in keep:
        if "rows summing to 1" in keep:
            return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])].reshape(shape).astype(x.dtype)
        return np.asarray(rng.random(shape) < np.clip(base.mean(), 0.2, 0.8)).astype(x.dtype)
    if "a permutation" in keep:
        return rng.permutation(int(np.prod(shape))).reshape(shape).astype(x.dtype)
    if "rows summing to 1" in keep:
        return Domain.of("simplex").draw(rng, shape, kind).astype(x.dtype)
    low, high, rms = float(base.min()), float(base.max()), float(np.sqrt((base**2).mean())) or 1.0
    if "integers" in keep:
        fresh = rng.integers(round(low), max(round(high), round(low) + 1) + 1, shape).astype(np.float64)
        fresh = tie(rng, fresh) if kind == "ties" else fresh
    elif "all >= 0" in keep:
        spread = (low, high) if high > low else (0.5 * high, 1.5 * high or 1.0)
        fresh = spread[0] + (spread[1] - spread[0]) * rng.integers(1, 64, shape) / 64
        fresh = _range_of(x.dtype, harden(rng, fresh, _above_zero(kind, keep), positive=True), kind)
    else:
        drawn = full(rng, shape) if kind == "random" else short(rng, shape)
        fresh = _range_of(x.dtype, harden(rng, drawn * _two_power(rms), kind), kind)
    if "symmetric" in keep and len(shape) > 1 and shape[-1] == shape[-2]:
        fresh = np.triu(fresh) + np.swapaxes(np.triu(fresh, 1), -1, -2)
    if "sorted" in keep:
        fresh = np.sort(fresh, axis=-1)
    return np.asarray(fresh.astype(x.dtype))


def _above_zero(kind: str, keep: frozenset[str]) -> str:
    """What is above zero stays so: no zeros are planted in it."""
    return "small" if "all > 0" in keep and kind in ("zeros", "whole") else kind


def _two_power(scale: float) -> float:
    # a power of two keeps short numbers short
    return float(2.0 ** np.round(np.log2(scale)))


def _range_of(dtype: np.dtype[Any], fresh: Array, kind: str) -> Array:
    """Hard values that float16, whose largest number is exp(11), can work with: a tenth of the size, 1/64 at least."""
    if dtype != np.float16 or kind not in ("saturated", "extreme", "small"):
        return fresh
    if kind == "small":
        return np.where(np.abs(fresh) < 2.0**-6, np.copysign(2.0**-6, fresh) * (fresh != 0), fresh)
    return np.where(np.abs(fresh) > 8, np.copysign(8.0, fresh), fresh)


def _vary_whole(rng: np.random.Generator, x: Array, kind: str, keep: frozenset[str], shape: tuple[int, ...]) -> Array:
    if x.dtype == bool:
        return np.asarray(rng.random(shape) < np.clip(x.mean(), 0.2, 0.8))
    if "a permutation" in keep:
        return rng.permutation(int(np.prod(shape))).reshape(shape).astype(x.dtype)
    values = rng.choice(x.reshape(-1), shape)  # indices stay among those the point has, so that they stay in range
    if kind in ("ties", "whole"):
        values = tie(rng, values)  # a repeated index
    if "sorted" in keep:
        values = np.sort(values, axis=-1)
    return np.asarray(values, x.dtype)


def tie_across(rng: np.random.Generator, inputs: Sequence[Any], wrt: Iterable[int]) -> tuple[Any, ...]:
    """Inputs of one shape made equal at an entry: a tie that a maximum of two arguments meets."""
    changed = list(inputs)
    floats = [i for i in wrt if np.size(changed[i])]
    for i, j in product(floats, floats):
        if i < j and np.shape(changed[i]) == np.shape(changed[j]) and changed[i].dtype == changed[j].dtype:
            second = np.array(changed[j])
            where = int(rng.integers(second.size))
            second.reshape(-1)[where] = np.asarray(changed[i]).reshape(-1)[where]
            changed[j] = second if np.ndim(changed[j]) else changed[j].dtype.type(second)
            break
    return tuple(changed)


def freeze(x: Any) -> Any:
    """A private copy of an array, so that no caller's memory is shared."""
    return np.array(x) if isinstance(x, np.ndarray) else x


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
        return self.at(index, kind, variant.shapes, sizes, static, shape_kind, rng)

    def at(
        self,
        index: int,
        kind: str,
        shapes: Shapes,
        sizes: dict[str, int],
        static: dict[str, Any],
        shape_kind: str,
        rng: np.random.Generator,
    ) -> Sample:
        equation = self.equation
        names = tuple(slot.name for slot in shapes.inputs)
        inputs = []
        for name, shape in zip(names, shapes.input_shapes(sizes), strict=True):
            x = equation.domain_of(name).draw(rng, shape, kind, sizes)
            inputs.append(x.astype(self.dtype) if x.dtype.kind == "f" else x)
        wrt = tuple(i for i, name in enumerate(names) if name not in equation.constant and is_float(inputs[i]))
        point = (
            tie_across(rng, inputs, [i for i in wrt if equation.domain_of(names[i]).word == "real"])
            if kind == "ties"
            else tuple(inputs)
        )
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


class Given:
    """Samples of a stranger's point or sampler, with the shapes and domains he names."""

    def __init__(
        self,
        inputs: tuple[Any, ...] | Callable[[np.random.Generator], tuple[Any, ...]],
        names: Callable[[int], tuple[str, ...]],
        seed: int,
        constant: Sequence[str | int] = (),
        domain: Any = None,
        shapes: str | None = None,
    ) -> None:
        self.seed = seed
        self.sampler = inputs if callable(inputs) else None
        first = self._call(0) if self.sampler else tuple(inputs)  # type: ignore[arg-type]  # a tuple where it is no sampler
        self.first = tuple(freeze(x) for x in first)
        self.names = names(len(self.first))
        self.constant = _constant_positions(constant, self.names)
        self.shapes = None if shapes is None else Shapes.parse(shapes)
        if self.shapes is not None:
            self.shapes.bind(self.first)
            self.names = tuple(slot.name for slot in self.shapes.inputs)
            self.constant |= _constant_positions([c for c in constant if isinstance(c, str)], self.names)
        self.domains = _domains(domain, self.names)
        self.wrt = tuple(i for i, x in enumerate(self.first) if is_float(x) and i not in self.constant)
        for i, d in self.domains.items():
            if isinstance(self.first[i], np.ndarray) and not d.contains(self.first[i]):
                raise InputError(
                    f"input {self.names[i]!r} lies outside its domain '{d}'; give a point inside, or another domain="
                )
        points = [self.first] if self.sampler is None else [self.first, self._call(1), self._call(2)]
        self.keep = {
            i: frozenset.intersection(*(structure(np.asarray(p[i])) for p in points))
            for i, x in enumerate(self.first)
            if isinstance(x, np.ndarray)
        }
        self.kept = tuple(
            f"{self.names[i]}: {', '.join(sorted(words))}"
            for i, words in self.keep.items()
            if words and i not in self.domains
        )

    def _call(self, index: int) -> tuple[Any, ...]:
        assert self.sampler is not None
        try:
            points = [self.sampler(np.random.default_rng((self.seed, index))) for _ in range(2 if index == 0 else 1)]
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else ""
            raise InputError(
                f"the sampler raised {type(error).__name__}: {text}; it is called with a Generator"
            ) from error
        for point in points:
            if not isinstance(point, tuple):
                raise InputError(f"the sampler gave {type(point).__name__}; expected a tuple of the forward's inputs")
            if hasattr(self, "first") and len(point) != len(self.first):
                raise InputError(
                    f"the sampler gave {len(point)} inputs after {len(self.first)}; expected the same number every time"
                )
        if len(points) == 2 and not _same(points[0], points[1]):
            raise InputError(
                "the sampler gives two different points for one seed; draw only from the generator it is handed"
            )
        return points[0]

    def draw(self, index: int, attempt: int = 0) -> Sample | None:
        rng = np.random.default_rng((self.seed, index, 1 + attempt))
        kind = VALUES[index % len(VALUES)]
        if index == 0:
            return self._sample(index, "given", self.first, {}, "given")
        vary_shape = self.shapes is not None and index % 2 == 1
        if self.shapes is not None and vary_shape:
            shape_kind = SHAPES[(index // 2) % len(SHAPES)]
            if shape_kind == "one":
                symbols = self.shapes.symbols
                shape_kind = (
                    f"one {symbols[0 if index // 2 == 3 else int(rng.integers(len(symbols)))]}"
                    if symbols
                    else "distinct"
                )
            sizes = draw_sizes(self.shapes, shape_kind, {}, rng)
            if sizes is None:
                return None
            kind = VALUES[(index // 2) % len(VALUES)]
            point = self._vary(rng, self.first, kind, self.shapes.input_shapes(sizes), sizes)
            return self._sample(index, kind, point, sizes, shape_kind)
        if self.sampler is not None:
            point = self._call(index)
            # the sampler's own points, and every other one with hard values planted in it
            turn = index // 2 if self.shapes is None else index // 4
            if index % (2 if self.shapes is None else 4) == 1 or (self.shapes is not None and index % 4 == 0):
                return self._sample(index, "drawn", tuple(freeze(x) for x in point), {}, "given")
            hard = [k for k in VALUES if k not in ("random", "drawn")]
            kind = hard[turn % len(hard)]
            planted = tuple(self._plant(rng, i, x, kind, self._sizes(point)) for i, x in enumerate(point))
            if kind == "ties":
                planted = tie_across(rng, planted, self._free())
            return self._sample(index, kind, planted, {}, "given")
        return self._sample(index, kind, self._vary(rng, self.first, kind, None, self._sizes(self.first)), {}, "given")

    def _sizes(self, point: tuple[Any, ...]) -> Mapping[str, int]:
        return {} if self.shapes is None else self.shapes.bind(point)

    def _free(self) -> list[int]:
        return [i for i in self.wrt if i not in self.domains and not self.keep.get(i)]

    def _plant(self, rng: np.random.Generator, i: int, x: Any, kind: str, sizes: Mapping[str, int]) -> Any:
        if i in self.domains:
            return _like(x, self.domains[i].draw(rng, np.shape(x), kind, sizes))
        if not isinstance(x, np.ndarray) or not is_float(x):
            return (
                _vary_whole(rng, x, kind, self.keep.get(i, frozenset()), x.shape)
                if isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.size
                else freeze(x)
            )
        keep = self.keep.get(i, frozenset())
        if keep & {"values 0/1", "a permutation", "rows summing to 1", "symmetric", "sorted", "integers"}:
            return freeze(x)
        return _range_of(
            x.dtype, harden(rng, x.astype(np.float64), _above_zero(kind, keep), "all >= 0" in keep), kind
        ).astype(x.dtype)

    def _vary(
        self,
        rng: np.random.Generator,
        point: tuple[Any, ...],
        kind: str,
        shapes: list[tuple[int, ...]] | None,
        sizes: Mapping[str, int],
    ) -> tuple[Any, ...]:
        varied = []
        for i, x in enumerate(point):
            shape = np.shape(x) if shapes is None else shapes[i]
            if i in self.domains:
                varied.append(_like(x, self.domains[i].draw(rng, shape, kind, sizes)))
            elif isinstance(x, np.ndarray) and x.dtype.kind in "fiubV":
                varied.append(vary(rng, x, kind, self.keep.get(i, frozenset()), shape))
            elif is_float(x):
                varied.append(_like(x, vary(rng, np.asarray(x), kind, structure(np.asarray(x)))))
            else:
                varied.append(x)
        free = self._free()
        return tie_across(rng, varied, free) if kind == "ties" else tuple(varied)

    def _sample(self, index: int, kind: str, point: tuple[Any, ...], sizes: dict[str, int], shape_kind: str) -> Sample:
        return Sample(index, self.seed, kind, point, self.names, self.wrt, {}, sizes, shape_kind)

    def resize(self, sample: Sample, sizes: dict[str, int]) -> Sample | None:
        """The same kind of sample at other sizes, where shapes= lets it be made."""
        if self.shapes is None or not self.shapes.fits(sizes):
            return None
        point = self._vary(sample.rng(60), self.first, sample.kind, self.shapes.input_shapes(sizes), sizes)
        return self._sample(sample.index, sample.kind, point, sizes, sample.shape_kind)

    def empty(self, index: int) -> Sample | None:
        """A sample with an axis of size 0, where shapes= lets one be made."""
        if self.shapes is None or not self.shapes.symbols:
            return None
        rng = np.random.default_rng((self.seed, index))
        sizes = draw_sizes(self.shapes, f"zero {self.shapes.symbols[0]}", {}, rng)
        if sizes is None:
            return None
        return self._sample(
            index,
            "empty",
            self._vary(rng, self.first, "random", self.shapes.input_shapes(sizes), sizes),
            sizes,
            "zero",
        )


def _like(x: Any, fresh: Array) -> Any:
    dtype = x.dtype if isinstance(x, np.ndarray | np.generic) else fresh.dtype
    if dtype == np.float16:
        # what is positive stays so
        fresh = np.where((fresh != 0) & (np.abs(fresh) < 2.0**-8), np.copysign(2.0**-8, fresh), fresh)
    fresh = np.asarray(fresh).astype(dtype)
    return fresh if isinstance(x, np.ndarray) else fresh[()]


def _same(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    if len(a) != len(b):
        return False
    for x, y in zip(a, b, strict=True):
        if isinstance(x, np.ndarray | np.generic):
            if np.shape(x) != np.shape(y) or np.asarray(x).tobytes() != np.asarray(y).tobytes():
                return False
        elif type(x) is not type(y):
            return False
    return True


def _constant_positions(constant: Sequence[str | int], names: tuple[str, ...]) -> set[int]:
    if isinstance(constant, str | int):
        constant = (constant,)
    positions = set()
    for item in constant:
        if isinstance(item, str) and item in names:
            positions.add(names.index(item))
        elif isinstance(item, int) and -len(names) <= item < len(names):
            positions.add(item % len(names))
        else:
            raise InputError(
                f"constant={item!r} names no input; the inputs are {', '.join(names)} (or their numbers from 0)"
            )
    return positions


def _domains(domain: Any, names: tuple[str, ...]) -> dict[int, Domain]:
    if domain is None:
        return {}
    if isinstance(domain, Mapping):
        for name in domain:
            if name not in names:
                raise InputError(f"domain= names {name!r}, which is no input; the inputs are {', '.join(names)}")
        return {names.index(name): Domain.of(word, repr(name)) for name, word in domain.items() if word is not None}
    interval = isinstance(domain, tuple) and len(domain) == 2 and all(isinstance(v, int | float) for v in domain)
    if isinstance(domain, list | tuple) and not interval:
        if len(domain) != len(names):
            raise InputError(
                f"domain= has {len(domain)} entries for {len(names)} inputs ({', '.join(names)}); give one "
                "each, None where it counts as real"
            )
        return {i: Domain.of(word, repr(names[i])) for i, word in enumerate(domain) if word is not None}
    return {i: Domain.of(domain, repr(name)) for i, name in enumerate(names)}
