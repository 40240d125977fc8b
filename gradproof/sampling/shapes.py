"""The shape language: `x: n d, w: d m -> z: n m`, read, bound to arrays, and drawn from.

An axis is a symbol, a whole number, or arithmetic (`+ - * //` and brackets, written without spaces) over symbols and
static parameters: `(h-p+2*pad)//stride+1`. No axis after the colon is a 0-d array.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, islice
from typing import Any

import numpy as np

from gradproof.errors import DeclarationError, InputError

Sizes = dict[str, int]


@dataclass(frozen=True)
class Axis:
    """One axis: its text, the names it uses, and its size once they are known."""

    text: str
    names: frozenset[str]

    @property
    def symbol(self) -> bool:
        return self.text.isidentifier()

    def size(self, sizes: Mapping[str, int]) -> int:
        return int(sizes[self.text]) if self.symbol else _evaluate(_tree(self.text), sizes)


@dataclass(frozen=True)
class Slot:
    """A named array of the language: `x: n d`."""

    name: str
    axes: tuple[Axis, ...]

    def __str__(self) -> str:
        return f"{self.name}: {' '.join(axis.text for axis in self.axes)}".rstrip()


@cache
def _tree(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _evaluate(node: ast.expr, sizes: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return int(sizes[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand, sizes)
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, sizes), _evaluate(node.right, sizes)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.FloorDiv():
                return left // right
    raise ValueError(ast.unparse(node))


def _axis(text: str, whole: str) -> Axis:
    try:
        node = _tree(text)
        names = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
        _evaluate(node, dict.fromkeys(names, 1))
    except (SyntaxError, ValueError, ZeroDivisionError):
        raise DeclarationError(
            f"shape string {whole!r}: axis {text!r} is no size; expected a symbol, a whole number, or arithmetic "
            f"(+ - * //) without spaces, such as 'h-p+1'"
        ) from None
    return Axis(text, names)


def _slots(side: str, whole: str) -> tuple[Slot, ...]:
    slots = []
    for part in side.split(","):
        name, colon, axes = part.partition(":")
        name = name.strip()
        if not colon or not name.isidentifier():
            named = f"{part.strip()!r} names no array" if part.strip() else "an array has no name"
            raise DeclarationError(
                f"shape string {whole!r}: {named}; expected 'name: axis axis', such as 'x: n d', or 'y:' for one number"
            )
        slots.append(Slot(name, tuple(_axis(axis, whole) for axis in axes.split())))
    return tuple(slots)


@dataclass(frozen=True)
class Shapes:
    """A parsed shape string: its inputs and outputs in order, and the symbols that may be drawn."""

    text: str
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]

    @classmethod
    def parse(cls, text: str, static: Iterable[str] = ()) -> Shapes:
        """Read a shape string; raises DeclarationError, in one line, where it contradicts itself."""
        if not isinstance(text, str) or text.count("->") != 1:
            raise DeclarationError(
                f"shape string {text!r}: expected one '->' between inputs and outputs, such as 'x: n d -> z: n'"
            )
        return _read(text, frozenset(static))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that stand alone as an axis of an input, in order of appearance."""
        return tuple(dict.fromkeys(a.text for slot in self.inputs for a in slot.axes if a.symbol))

    def input_shapes(self, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
        return [tuple(axis.size(sizes) for axis in slot.axes) for slot in self.inputs]

    def output_shapes(self, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
        return [tuple(axis.size(sizes) for axis in slot.axes) for slot in self.outputs]

    def fits(self, sizes: Mapping[str, int], empty: str = "") -> bool:
        """Whether every axis, computed ones included, has an entry; those that use the symbol `empty` need none."""
        try:
            axes = [axis for slot in (*self.inputs, *self.outputs) for axis in slot.axes]
            return all(axis.size(sizes) >= (0 if empty in axis.names else 1) for axis in axes)
        except (ZeroDivisionError, KeyError):  # a size that is not known fits nothing
            return False

    def bind(self, arrays: Sequence[Any], static: Mapping[str, int] | None = None) -> Sizes:
        """The size of each symbol, read off the arrays; raises InputError where they do not fit the string."""
        if len(arrays) != len(self.inputs):
            raise InputError(
                f"shape string {self.text!r} names {len(self.inputs)} inputs, {len(arrays)} were given; give "
                "one array each"
            )
        sizes: Sizes = {k: v for k, v in (static or {}).items() if isinstance(v, int)}
        found: dict[str, str] = {}
        for slot, array in zip(self.inputs, arrays, strict=True):
            shape = np.shape(array)
            if len(shape) != len(slot.axes):
                raise InputError(
                    f"input {slot.name!r} has shape {shape}; the shape string {self.text!r} gives it "
                    f"{len(slot.axes)} ax{'i' if len(slot.axes) == 1 else 'e'}s ('{slot}')"
                )
            for axis, n in zip(slot.axes, shape, strict=True):
                if axis.symbol and axis.text not in sizes:
                    sizes[axis.text] = n
                    found[axis.text] = slot.name
        for slot, array in zip(self.inputs, arrays, strict=True):
            shape = np.shape(array)
            for axis, n in zip(slot.axes, shape, strict=True):
                if axis.size(sizes) != n:
                    where = f" (from {found[axis.text]!r})" if axis.text in found else ""
                    raise InputError(
                        f"input {slot.name!r} has shape {shape}; the shape string {self.text!r} makes its "
                        f"axis {axis.text!r} "
                        f"{axis.size(sizes)} long{where}"
                    )
        return sizes


# an axis that is longer than what is cut into blocks, and no multiple of their length
LONG = 131


# pairs of axes that are made equal: a shape string of five axes has ten
MOST_EQUAL = 10


def singled_out(
    shapes: Shapes, static: Mapping[str, object], seed: int, index: int
) -> Iterator[tuple[int, str, Sizes, np.random.Generator]]:
    """(index, kind, sizes, rng) for each axis being long, each being 1, and each pair being equal, as they fit."""
    free = [s for s in shapes.symbols if s not in static]
    kinds = [("long", "distinct", {**static, s: LONG}) for s in free]
    kinds += [("one", f"one {s}", {**static}) for s in free]
    kinds += [("equal", f"equal {a} {b}", {**static}) for a, b in islice(combinations(free, 2), MOST_EQUAL)]
    for number, (said, kind, fixed) in enumerate(kinds, index):
        sizes = draw_sizes(shapes, kind, fixed, np.random.default_rng((seed, number)))
        if sizes is not None:
            yield number, said, sizes, np.random.default_rng((seed, number))


@cache  # a declaration's shape string is asked for at every sample
def _read(text: str, static: frozenset[str]) -> Shapes:
    left, right = text.split("->")
    if not left.strip():
        raise DeclarationError(f"shape string {text!r}: no input before '->'; expected such as 'x: n d -> z: n'")
    shapes = Shapes(text, _slots(left, text), _slots(right, text))
    names = [slot.name for slot in (*shapes.inputs, *shapes.outputs)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DeclarationError(
            f"shape string {text!r}: {twice[0]!r} is declared twice; give each array a name of its own"
        )
    known = set(shapes.symbols) | set(static)
    for slot in (*shapes.inputs, *shapes.outputs):
        for axis in slot.axes:
            if axis.names - known:
                raise DeclarationError(
                    f"shape string {text!r}: {sorted(axis.names - known)[0]!r} in axis {axis.text!r} of "
                    f"{slot.name!r} is no axis "
                    f"of an input and no static parameter; make it one"
                )
    return shapes


def draw_sizes(
    shapes: Shapes, kind: str, static: Mapping[str, object], rng: np.random.Generator, largest: int = 7
) -> Sizes | None:
    """Sizes of one kind, or None where the shape string has none such.

    kind: `distinct` (all sizes different and above 1), `square` (all equal), `ones` (all 1), `free` (1 to `largest`),
    `one SYMBOL` and `zero SYMBOL` (that axis 1 or 0, the others different), `equal SYMBOL SYMBOL` (these two equal).
    """
    fixed = {k: v for k, v in static.items() if isinstance(v, int)}
    word, _, symbol = kind.partition(" ")
    free = [s for s in shapes.symbols if s not in fixed]
    if not set(symbol.split()) <= set(free):
        return None
    primes = [2, 3, 5, 7, 4, 6, 8, 9, 11, 10, 13, 12][: max(len(free) + 2, 4)]
    for attempt in range(400):
        match word:
            case "ones" | "square":
                size = 1 if word == "ones" else 2 + (attempt + int(rng.integers(2))) % 5
                sizes = dict.fromkeys(free, size)
            case "free":
                sizes = {s: int(rng.integers(1, largest + 1)) for s in free}
            case _:
                # sizes all different first, so that a transposed gradient cannot have the right shape by luck
                pool = primes if attempt < 300 else [*primes, *primes]
                order = rng.permutation(len(pool))[: len(free)]
                sizes = {s: pool[i] for s, i in zip(free, order, strict=True)}
        match word:
            case "one" | "zero":
                sizes[symbol] = int(word == "one")
            case "equal":
                first, second = symbol.split()
                sizes[second] = sizes[first]
        sizes.update(fixed)
        if shapes.fits(sizes, symbol if word == "zero" else ""):
            return sizes
        if word == "ones" or (word == "square" and attempt > 6):
            return None
    return None
