"""A jvp judged by the road of the vjp: its columns, weighted by the cotangent, are the gradient.

    (J^T u)_j = <u, J e_j>

so that one judge serves both modes. What the columns cannot show is asked on a random tangent beside them: linearity,
for small and large tangents too, the shape and dtype of what comes back, whether the layout of the tangents matters,
and whether the arguments, or what an earlier call returned, were changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault, outputs, parameter_names
from gradproof.errors import InputError
from gradproof.judging.roughness import DRAWS, MOST, SAFETY, STEPS, fourth
from gradproof.judging.tolerance import eps, tiny
from gradproof.judging.trial import signs
from gradproof.oracles.contract import COARSE, LARGE, LAYOUTS, SMALL, same
from gradproof.sampling.sample import is_float

ASKED = 3  # points at which the questions are asked that need no truth
# columns asked for in one call: fewer are asked for one by one; and so many numbers at most, there and back
LEAST, MANY = 8, 1 << 18
# roundings of the largest tangent, times how far outputs are apart, that sums inside may lose
ABSORBED = 16.0
SHARED = "the tangent that comes back shares memory with an argument"


def as_vjp(
    forward: Callable[..., Any],
    jvp: Any,
    constant: Sequence[str | int],
    strict: bool = False,
    notes: dict[str, None] | None = None,
) -> Callable[..., Any]:
    """The vjp that a jvp implies. Its faults (raises, wrong shape, not linear) are raised as `Fault`."""
    if not callable(jvp):
        return jvp  # type: ignore[no-any-return]  # the caller's check says that it is no function
    asked: set[Any] = set()
    batched: dict[Any, bool] = {}

    def rule(cotangent: Any, *inputs: Any) -> tuple[Any, ...]:
        names = parameter_names(forward, len(inputs))
        fixed = {names.index(c) if isinstance(c, str) else c % len(inputs) for c in constant}
        wrt = [i for i, x in enumerate(inputs) if is_float(x) and i not in fixed]
        values, _ = outputs(forward(*inputs))
        push = _Push(jvp, inputs, wrt, values)
        cotangents = cotangent if isinstance(cotangent, tuple) else (cotangent,)
        zeros = [np.zeros(np.shape(inputs[i]), np.asarray(inputs[i]).dtype) for i in wrt]
        rng = np.random.default_rng(5)
        random = [np.asarray(rng.integers(-8, 9, z.shape) / 4, z.dtype) for z in zeros]
        gradients, total = _pulled(push, cotangents, random, len(inputs), batched)
        got = push(random)
        if not _linear(push, random, total, got):
            # perhaps only several tangents at once are not what they are one by one
            batched.update(dict.fromkeys(batched, False))
            gradients, total = _pulled(push, cotangents, random, len(inputs), batched)
            got = push(random)
            if not _linear(push, random, total, got):
                raise Fault(
                    "nonlinear",
                    "the jvp of a random tangent is not the sum of its columns: it is not linear in the tangent",
                )
        key = tuple((np.shape(x), np.asarray(x).tobytes()) for x in inputs if isinstance(x, np.ndarray | np.generic))
        if key not in asked and len(asked) < ASKED:
            asked.add(key)
            _ask(push, random, got, forward, strict, {} if notes is None else notes)
        return tuple(gradients)

    return rule


def _pulled(
    push: _Push, cotangents: Sequence[Any], random: Sequence[Array], count: int, batched: dict[Any, bool]
) -> tuple[list[Any], list[Array]]:
    """The gradients by input, and what the columns say of a random tangent; batched: as in `columns`."""
    weights = [np.asarray(u, np.float64).reshape(-1) for u in cotangents]
    total = [np.zeros(y.size) for y in push.values]
    gradients: list[Any] = [None] * count
    for k, i in enumerate(push.wrt):
        g, along = np.zeros(random[k].size), np.asarray(random[k], np.float64).reshape(-1)
        for start, columns in push.columns(k, random, batched):
            stop = start + len(columns[0])
            g[start:stop] = sum(c @ u for u, c in zip(weights, columns, strict=True))
            total = [t + along[start:stop] @ c for t, c in zip(total, columns, strict=True)]
        gradients[i] = g.reshape(random[k].shape).astype(random[k].dtype)
    return gradients, [t.reshape(y.shape) for t, y in zip(total, push.values, strict=True)]


@dataclass
class _Push:
    """The jvp at one point: tangents -> what it returned, copied; the arrays themselves are in `returned`."""

    jvp: Callable[..., Any]
    inputs: tuple[Any, ...]
    wrt: Sequence[int]
    values: Sequence[Array]
    returned: Sequence[Array] = field(default_factory=tuple)

    def __call__(self, tangents: list[Array]) -> list[Array]:
        kept = [np.array(t) for t in tangents]
        given = tangents[0] if len(self.wrt) == 1 else tuple(tangents)
        answer = self.jvp(given, *self.inputs)
        try:
            got = self.returned = outputs(answer)[0]
        except InputError:
            said = f"the jvp returned a {type(answer).__name__}; expected the tangent of the output, or a tuple"
            raise Fault("type", said) from None
        if any(a.tobytes() != b.tobytes() for a, b in zip(kept, tangents, strict=True)):
            raise Fault("mutated", "the jvp changed its tangent")
        if len(got) != len(self.values):
            raise Fault("count", f"the jvp returned {len(got)} tangents for {len(self.values)} outputs")
        for g, y in zip(got, self.values, strict=True):
            if g.shape != y.shape:
                raise Fault("shape", f"the tangent has shape {g.shape}, the output has {y.shape}")
            if g.dtype != y.dtype:
                raise Fault("dtype", f"the tangent has dtype {g.dtype}, the output has {y.dtype}")
        return [np.array(g) for g in got]

    def columns(
        self, k: int, like: Sequence[Array], batched: dict[Any, bool]
    ) -> Iterator[tuple[int, list[Array]]]:
        """The Jacobian's columns by differentiated input k, (start, by output (columns, entries)), some at a time.

        batched: form -> whether the jvp takes many tangents at once, found out where it is not known.
        """
        size, form = like[k].size, (k, *((z.shape, z.dtype) for z in like), *(y.shape for y in self.values))
        entries = sum(z.size for z in like) + sum(y.size for y in self.values)
        most, start = min(size, MANY // max(entries, 1)), 0
        if most >= LEAST and form not in batched:
            self._column(k, like, 0)  # what one tangent alone raises is not to be lost among what many do
        while most >= LEAST and batched.get(form, True) and start < size:
            block = self._block(k, like, start, min(start + most, size))
            batched[form] = block is not None
            if block is not None:
                yield start, block
                start += most
        for one in range(start, size):
            yield one, [np.asarray(c, np.float64).reshape(1, -1) for c in self._column(k, like, one)]

    def _column(self, k: int, like: Sequence[Array], entry: int) -> list[Array]:
        tangents = [np.zeros(z.shape, z.dtype) for z in like]
        tangents[k].reshape(-1)[entry] = 1
        return self(tangents)

    def _block(self, k: int, like: Sequence[Array], start: int, stop: int) -> list[Array] | None:
        """Columns from one call with many tangents; None where that is not what they are one by one."""
        rank, count = max(z.ndim for z in like), stop - start
        tangents = [np.zeros((count, *(1,) * (rank - z.ndim), *z.shape), z.dtype) for z in like]
        tangents[k].reshape(count, -1)[np.arange(count), np.arange(start, stop)] = 1
        kept = tangents[k].copy()
        try:
            answer = self.jvp(tangents[0] if len(self.wrt) == 1 else tuple(tangents), *self.inputs)
            found = [np.asarray(y) for y in (answer if isinstance(answer, tuple) else (answer,))]
        except Exception:  # a stranger's jvp, and shapes that it never saw
            return None
        if len(found) != len(self.values) or not np.array_equal(kept, tangents[k]):
            return None
        for got, y in zip(found, self.values, strict=True):
            inside = y.shape == got.shape[got.ndim - y.ndim :] and got.shape[:1] == (count,)
            if got.dtype != y.dtype or not inside or got.size != count * y.size:
                return None
        rows = [got.reshape(count, -1) for got in found]
        for row in {0, count // 2, count - 1}:
            alone = self._column(k, like, start + row)
            if not all(np.array_equal(r[row], a.reshape(-1), equal_nan=True) for r, a in zip(rows, alone, strict=True)):
                return None
        return [np.asarray(r, np.float64) for r in rows]


def _ask(
    push: _Push,
    random: list[Array],
    first: list[Array],
    forward: Callable[..., Any],
    strict: bool,
    notes: dict[str, None],
) -> None:
    """What needs no truth: raises Fault for the first wrong answer. `first` is what the random tangents gave."""
    arguments = [x for x in (*random, *push.inputs) if isinstance(x, np.ndarray)]
    if any(np.may_share_memory(g, a) and np.shares_memory(g, a) for g in push.returned for a in arguments):
        if strict:
            raise Fault("aliased", SHARED)
        notes.setdefault(f"{SHARED}; a caller that updates one in place changes the other (wrong with strict=True)")
    held = push.returned
    for sizes in (SMALL, LARGE):
        _scaled(push, random, first, min(sizes.get(t.dtype.name, 1.0) for t in (*random, *push.values)))
    if any(not same(g, before) for g, before in zip(held, first, strict=True)):
        text = "the tangent returned first was changed by a second call: it is a buffer that the jvp reuses"
        raise Fault("state", text)
    for word, rearrange in LAYOUTS.items():
        try:
            forward(*(rearrange(x) if isinstance(x, np.ndarray) else x for x in push.inputs))
        except Exception:  # as in the contract: a forward that needs another layout is the caller's own affair
            continue
        there = push([rearrange(t) for t in random])
        if not all(_alike(push, random, k, a, b) for k, (a, b) in enumerate(zip(there, first, strict=True))):
            raise Fault("layout", f"with {word} tangents of the same values what comes back is another")


def _scaled(push: _Push, random: list[Array], first: list[Array], size: float) -> None:
    """Whether tangents that are larger or smaller by a power of two give what is larger or smaller by just that."""
    got = push([np.asarray(t * t.dtype.type(size), t.dtype) for t in random])
    for g, f in zip(got, first, strict=True):
        expected = np.asarray(np.asarray(f, np.float64) * size, f.dtype)
        off = np.abs(np.asarray(g, np.float64) - np.asarray(expected, np.float64))
        largest = float(np.max(np.abs(np.asarray(expected, np.float64)), initial=0.0))
        if (off[np.isfinite(off)] > max(COARSE, 64 * eps(g.dtype)) * largest + 16 * tiny(g.dtype)).any():
            text = f"of a tangent that is {'larger' if size > 1 else 'smaller'} by a power of two"
            raise Fault("nonlinear", f"{text} the jvp is not {'larger' if size > 1 else 'smaller'} by just that")


def _linear(push: _Push, tangents: list[Array], total: Sequence[Array], got: Sequence[Array]) -> bool:
    """Whether each output's tangent is what the columns add up to."""
    pairs = enumerate(zip(total, got, strict=True))
    return all(_alike(push, tangents, k, np.asarray(t, y.dtype), y) for k, (t, y) in pairs)


def _alike(push: _Push, tangents: list[Array], k: int, a: Array, b: Array) -> bool:
    """Whether two answers for one output are the same but for the order of sums, and what terms that cancel leave."""
    apart = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    if same(a, b) or bool((apart <= _absorbed(push, tangents, k)).all()):
        return True
    return bool((apart <= _rounding(push, tangents, k)).all())


def _absorbed(push: _Push, tangents: list[Array], k: int) -> float:
    """What of one output's tangent may be lost in the tangents themselves, which no rounding of it shows.

    Where p is 1 to every digit, t - sum p t is exactly 0: of the tangents beside it, times their small p, nothing is
    left, and the columns have each of them. It is as much as outputs reach, whatever is added to all of them.
    """
    y = np.asarray(push.values[k], np.float64)
    reach = float(np.ptp(y)) if y.size else 0.0
    sent = max(float(np.max(np.abs(np.asarray(t, np.float64)), initial=0.0)) for t in tangents)
    return ABSORBED * eps(push.values[k].dtype) * sent * reach


def _rounding(push: _Push, tangents: list[Array], k: int) -> float:
    """The rounding of one output's tangent: what is left when the tangents move by little; a linear jvp leaves nothing.

    p (t - sum p t) of a saturated p is what terms cancel to, and no entry says how large these were.
    """
    worst, rng = 0.0, np.random.default_rng(6)
    for step in STEPS.get(tangents[0].dtype.name, ()) * DRAWS:
        ways = [step * eps(t.dtype) * signs(rng, t.shape) for t in tangents]

        def moved(n: float, ways: list[Array] = ways) -> dict[int, Array]:
            at = [np.asarray(t * (1 + n * v), t.dtype) for t, v in zip(tangents, ways, strict=True)]
            return {0: np.asarray(push(at)[k], np.float64)}

        worst = max(worst, float(np.max(fourth(moved)[0], initial=0.0)))
    most = MOST.get(tangents[0].dtype.name, 0.0) * eps(tangents[0].dtype)
    largest = max(float(np.max(np.abs(t), initial=0.0)) for t in tangents)
    return SAFETY * worst if worst <= most * largest else 0.0
