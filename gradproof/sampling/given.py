"""Samples of a stranger's point, which is varied and keeps what it has, or of his sampler, called afresh for each.

A sampler's own points alternate with points of it that hard values are planted in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradproof.errors import InputError
from gradproof.sampling.domain import SWEEP, Domain, harden
from gradproof.sampling.sample import ONE_INPUT, PLANTED, SHAPES, VALUES, Sample, Swept, is_float
from gradproof.sampling.shapes import Shapes, draw_sizes, singled_out
from gradproof.sampling.variation import above_zero, coincide, freeze, kept, range_of, structure, vary, vary_whole

Array = np.ndarray[Any, Any]


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
            _same_order(self.names, tuple(slot.name for slot in self.shapes.inputs))
            self.names = tuple(slot.name for slot in self.shapes.inputs)
            self.constant |= _constant_positions([c for c in constant if isinstance(c, str)], self.names)
        self.domains = _domains(domain, self.names)
        self.wrt = tuple(i for i, x in enumerate(self.first) if is_float(x) and i not in self.constant)
        if self.wrt and not any(np.size(self.first[i]) for i in self.wrt):
            listed = ", ".join(f"{self.names[i]!r} has shape {np.shape(self.first[i])}" for i in self.wrt)
            raise InputError(
                f"no differentiated input has an entry: {listed}; give a point with entries (with shapes= an axis of "
                "size 0 is tried beside it)"
            )
        for i, d in self.domains.items():
            if isinstance(self.first[i], np.ndarray) and not d.contains(self.first[i]):
                raise InputError(
                    f"input {self.names[i]!r} lies outside its domain '{d}'; give a point inside, or another domain="
                )
        points = self.own = [self.first] if self.sampler is None else [self.first, self._call(1), self._call(2)]
        self.keep = {
            i: frozenset.intersection(*(kept(np.asarray(p[i]), i in self.constant) for p in points))
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

    def _kind(self, index: int) -> str:
        """What is planted in a sample; "given" and "own" are the caller's points as they are."""
        if index == 0:
            return "given"
        if self.shapes is not None and index % 2:
            return VALUES[(index // 2) % len(VALUES)]
        if self.sampler is None:
            return VALUES[index % len(VALUES)]
        if self.shapes is not None:
            return VALUES[index % len(VALUES)] if index % 4 else "own"
        # of the sampler's points seven in twelve stay as they are
        hard = [k for k in range(index + 1) if k and (k % 2 == 0 or k % 6 == 5)]
        return PLANTED[(len(hard) - 1) % len(PLANTED)] if index in hard else "own"

    def draw(self, index: int, attempt: int = 0) -> Sample | None:
        rng = np.random.default_rng((self.seed, index, 1 + attempt))
        kind = self._kind(index)
        if kind == "given":
            return self._sample(index, kind, self.first, {}, "given")
        if kind == "own":
            return self._sample(index, "drawn", tuple(freeze(x) for x in self._call(index)), {}, "given")
        planted = self._planted(index, kind, attempt)
        kind = kind if planted else "random"
        if self.shapes is not None and index % 2:
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
            point = self._vary(rng, self.first, kind, self.shapes.input_shapes(sizes), sizes, planted)
            return self._sample(index, kind, point, sizes, shape_kind)
        if self.sampler is not None:
            point = self._call(index)
            hard = tuple(
                self._plant(rng, i, x, kind if i in planted else "random", self._sizes(point))
                for i, x in enumerate(point)
            )
            if not attempt:
                hard = coincide(rng, kind, hard, self._free(kind))
            return self._sample(index, kind, hard, {}, "given")
        varied = self._vary(rng, self.first, kind, None, self._sizes(self.first), planted)
        return self._sample(index, kind, varied, {}, "given")

    def swept(self, index: int, turn: int, alone: int | None) -> Sample | None:
        """A point of the caller's shape with the values of that turn in all inputs, or in one alone.

        Of a sampler the points that it gave first, for it need not give more; None where no input takes such values.
        """
        if not self._open:
            return None
        rng = np.random.default_rng((self.seed, SWEEP))  # the same at every turn, so that no value comes twice
        point, kind = self.first, Swept(turn)
        wanted = frozenset(range(len(point)) if alone is None else (alone,))
        if self.sampler is not None:
            point = self.own[turn % len(self.own)]
            sizes = self._sizes(point)
            hard = (self._plant(rng, i, x, kind if i in wanted else "random", sizes) for i, x in enumerate(point))
            return self._sample(index, kind, tuple(hard), {}, "given")
        varied = self._vary(rng, point, kind, None, self._sizes(point), wanted)
        return self._sample(index, kind, varied, {}, "given")

    @property
    def _open(self) -> bool:
        """Whether a differentiated input takes values that are not the caller's own."""
        return any(i not in self.domains or self.domains[i].draw_with is None for i in self.wrt)

    def reshaped(self, index: int) -> Iterator[Sample]:
        """Points of shapes= in which one axis is long, one is 1, or two are equal, each in turn."""
        if self.shapes is None or not self._open:
            return
        for number, said, sizes, rng in singled_out(self.shapes, {}, self.seed, index):
            point = self._vary(rng, self.first, "random", self.shapes.input_shapes(sizes), sizes)
            yield self._sample(number, "random", point, sizes, said)

    def _planted(self, index: int, kind: str, attempt: int = 0) -> frozenset[int]:
        """Where hard values go: everywhere, and in one input alone where the forward did not take that.

        What belongs in one input alone takes those in turn that have such values; none where none has.
        """
        if kind not in ONE_INPUT:
            alone = attempt > 1 and not (self.shapes is not None and index % 2)
            return frozenset({self.wrt[(index + attempt) % len(self.wrt)]} if alone else range(len(self.first)))
        taking = [i for i in self.wrt if self._takes(i, kind)]
        turn = sum(self._kind(k) == kind for k in range(1, index))
        return frozenset({taking[(turn + attempt) % len(taking)]} if taking else ())

    def _takes(self, i: int, kind: str) -> bool:
        if i in self.domains:
            return self.domains[i].takes(kind)
        fixed = {"values 0/1", "a permutation", "rows summing to 1"}
        fixed |= {"all > 0"} if kind == "origin" else {"integers", "sorted"}
        return not self.keep.get(i, frozenset()) & fixed

    def _sizes(self, point: tuple[Any, ...]) -> Mapping[str, int]:
        return {} if self.shapes is None else self.shapes.bind(point)

    def _free(self, kind: str) -> list[int]:
        """The inputs that may be made equal, or hard, at one place."""
        harmless = {"all >= 0"} if kind == "zeros" else set()
        return [i for i in self.wrt if i not in self.domains and self.keep.get(i, frozenset()) <= harmless]

    def _plant(self, rng: np.random.Generator, i: int, x: Any, kind: str, sizes: Mapping[str, int]) -> Any:
        if i in self.domains:
            return _like(x, self.domains[i].draw(rng, np.shape(x), kind, sizes))
        if not isinstance(x, np.ndarray) or not is_float(x):
            return (
                vary_whole(rng, x, kind, self.keep.get(i, frozenset()), x.shape)
                if isinstance(x, np.ndarray) and x.dtype.kind in "iu" and x.size
                else freeze(x)
            )
        keep = self.keep.get(i, frozenset())
        if keep & {"values 0/1", "a permutation", "rows summing to 1", "symmetric", "sorted", "integers"}:
            return freeze(x)
        kind = above_zero(kind, keep)
        return range_of(x.dtype, harden(rng, x.astype(np.float64), kind, "all >= 0" in keep), kind).astype(x.dtype)

    def _vary(
        self,
        rng: np.random.Generator,
        point: tuple[Any, ...],
        kind: str,
        shapes: list[tuple[int, ...]] | None,
        sizes: Mapping[str, int],
        planted: frozenset[int] | None = None,
    ) -> tuple[Any, ...]:
        varied = []
        for i, x in enumerate(point):
            shape = np.shape(x) if shapes is None else shapes[i]
            mine = kind if planted is None or i in planted else "random"
            if i in self.domains:
                varied.append(_like(x, self.domains[i].draw(rng, shape, mine, sizes)))
            elif isinstance(x, np.ndarray) and x.dtype.kind in "fiubV":
                varied.append(vary(rng, x, mine, self.keep.get(i, frozenset()), shape))
            elif is_float(x):
                varied.append(_like(x, vary(rng, np.asarray(x), mine, structure(np.asarray(x)))))
            else:
                varied.append(x)
        together = planted is None or len(planted) == len(point)
        return coincide(rng, kind, varied, self._free(kind)) if together else tuple(varied)

    def _sample(self, index: int, kind: str, point: tuple[Any, ...], sizes: dict[str, int], shape_kind: str) -> Sample:
        return Sample(index, self.seed, kind, point, self.names, self.wrt, {}, sizes, shape_kind)

    def resize(self, sample: Sample, sizes: dict[str, int]) -> Sample | None:
        """The same kind of sample at other sizes, where shapes= lets it be made."""
        if self.shapes is None or not self.shapes.fits(sizes):
            return None
        planted = self._planted(sample.index, sample.kind)
        point = self._vary(sample.rng(60), self.first, sample.kind, self.shapes.input_shapes(sizes), sizes, planted)
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


def _same_order(own: tuple[str, ...], named: tuple[str, ...]) -> None:
    """Names are bound by position: raises InputError where one of the forward's own stands at another's place."""
    for name, there in zip(named, own, strict=True):
        if name != there and name in own:
            raise InputError(
                f"shapes= names the inputs {', '.join(named)}, the forward takes {', '.join(own)}; they are bound by "
                "position: write them in the forward's order"
            )


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
