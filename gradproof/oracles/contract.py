"""The contract of a vector-Jacobian product, as far as it can be tested without knowing the truth.

shape, dtype, nonfinite: what came back; mutated, aliased: what happened to the arguments; state, nondeterministic:
calls that should repeat; nonlinear: linearity in the cotangent, zero included; layout: strided, Fortran-ordered,
reversed, read-only and expanded arguments. Each breach is named with the input it concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault, Gradients
from gradproof.judging.bench import REGULAR
from gradproof.judging.roughness import roughness
from gradproof.judging.tolerance import eps, shifted, tiny
from gradproof.judging.trial import Trial
from gradproof.sampling.sample import is_float
from gradproof.sampling.variation import structure

# two runs of one rule on the same numbers may sum in another order; beyond this they are different answers
REPEAT_ROUNDINGS = {"float16": 32.0, "bfloat16": 16.0}
MOST_REPEAT_ROUNDINGS = 256.0
# and beyond this many times what an ulp in the arguments does to the answer
WOBBLES = 64.0


@dataclass(frozen=True)
class Breach:
    """A point of the contract that does not hold, for one input (None: for the call as a whole)."""

    check: str
    position: int | None
    note: str
    got: Array | None = None
    expected: Array | None = None


def same(a: Array | None, b: Array | None, scale: float = 0.0) -> bool:
    """Equal up to the order of summation; NaN equals NaN here, finiteness is judged elsewhere."""
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    if a.size == 0:
        return True
    if a.dtype == b.dtype and a.tobytes() == b.tobytes():
        return True
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    with np.errstate(invalid="ignore"):
        largest = max(float(np.nanmax(np.abs(x), initial=0.0)), float(np.nanmax(np.abs(y), initial=0.0)), scale)
        if not np.isfinite(largest):
            return bool(np.array_equal(x, y, equal_nan=True))
        within = np.abs(x - y) <= REPEAT_ROUNDINGS.get(a.dtype.name, MOST_REPEAT_ROUNDINGS) * eps(
            a.dtype
        ) * largest + 16 * tiny(a.dtype)
    return bool((within | (np.isnan(x) & np.isnan(y)) | (x == y)).all())


# How much smaller a cotangent is tried: what drops small ones is not linear. Far from where the dtype's numbers end.
SMALL = {"float64": 2.0**-60, "float32": 2.0**-40, "bfloat16": 2.0**-40, "float16": 2.0**-8}
# And how much larger: what clips large ones is not linear either.
LARGE = {"float64": 2.0**20, "float32": 2.0**20, "bfloat16": 2.0**20}
# What is clipped is gone altogether; a right rule may lose digits, as of a matrix exponential that holds the cotangent.
COARSE = 2.0**-10


class Contract:
    """The contract's questions about one trial. `gradients` is the rule's first answer there."""

    def __init__(self, trial: Trial, strict: bool, scales: dict[int, float]) -> None:
        self.trial, self.strict, self.scales = trial, strict, scales
        self.gradients: Gradients = {}
        self._wobbles: dict[int, float] = {}
        self.nudge = np.random.default_rng((trial.sample.seed, trial.sample.index, 99))

    def first(self) -> list[Breach]:
        """The first call, with everything that can be seen on it; raises Fault."""
        trial, sample = self.trial, self.trial.sample
        inputs, cotangents = trial.inputs(), [np.array(u) for u in trial.cotangents]
        returned = trial.pull(cotangents, inputs)
        breaches = list(self._mutated(inputs, cotangents))
        breaches += self._aliased(returned, inputs, cotangents)
        self.gradients = {i: None if g is None else np.array(g) for i, g in returned.items()}
        for i, g in self.gradients.items():
            x = np.asarray(sample.inputs[i])
            if g is None:
                continue
            if g.shape != x.shape:
                breaches.append(Breach("shape", i, f"the gradient has shape {g.shape}, the input has {x.shape}", g))
            elif g.dtype.newbyteorder("=") != x.dtype.newbyteorder("="):
                breaches.append(Breach("dtype", i, f"the gradient has dtype {g.dtype}, the input has {x.dtype}", g))
        # the same call again: once more equal, and the first answer not overwritten by it
        again = trial.pull()
        for i, g in self.gradients.items():
            if not same(g, again[i]):
                breaches.append(
                    Breach(
                        "nondeterministic",
                        i,
                        "a second call with the same arguments gives another gradient",
                        again[i],
                        g,
                    )
                )
            elif (
                g is not None
                and returned[i] is not None
                and not np.array_equal(np.asarray(returned[i]), g, equal_nan=True)
            ):
                breaches.append(
                    Breach(
                        "state",
                        i,
                        "the array returned first was changed by a second call: it is a buffer that the rule reuses",
                        returned[i],
                        g,
                    )
                )
        return breaches

    def _mutated(self, inputs: tuple[Any, ...], cotangents: list[Array]) -> Iterator[Breach]:
        trial = self.trial
        for i, (before, after) in enumerate(zip(trial.sample.inputs, inputs, strict=True)):
            if isinstance(before, np.ndarray) and not _identical(before, after):
                yield Breach(
                    "mutated",
                    i if i in trial.sample.wrt else None,
                    f"the call changed its argument {trial.sample.names[i]!r}",
                )
        for before, after in zip(trial.cotangents, cotangents, strict=True):
            if not _identical(before, after):
                yield Breach("mutated", None, "the call changed its cotangent")

    def _aliased(self, returned: Gradients, inputs: tuple[Any, ...], cotangents: list[Array]) -> Iterator[Breach]:
        names = self.trial.sample.names
        arguments = [(f"the input {names[k]!r}", x) for k, x in enumerate(inputs) if isinstance(x, np.ndarray)] + [
            ("the cotangent", u) for u in cotangents
        ]
        seen: list[tuple[str, Array]] = []
        for i, g in returned.items():
            if g is None or g.size == 0:
                continue
            for what, other in [*arguments, *seen]:
                if other.size and np.may_share_memory(g, other) and np.shares_memory(g, other):
                    yield Breach("aliased", i, f"the gradient of {names[i]!r} shares memory with {what}")
                    break
            seen.append((f"the gradient of {names[i]!r}", g))

    def state(self) -> Iterator[Breach]:
        """Another point and cotangent in between, forward and backward: no answer may depend on what came before."""
        trial = self.trial
        other = tuple(self.other(x) for x in trial.sample.inputs)
        try:
            kept = trial.pull()
            trial.subject.value(other, trial.sample.static)
            trial.pull(self._second(), other)
            trial.subject.value(other, trial.sample.static)
        except Exception:  # the other point may lie outside what the forward or the rule takes
            return
        overwritten = {
            i
            for i, g in self.gradients.items()
            if g is not None and not np.array_equal(np.asarray(kept[i]), g, equal_nan=True) and not same(kept[i], g)
        }
        after = trial.pull()
        for i, g in self.gradients.items():
            if i in overwritten:
                yield Breach(
                    "state",
                    i,
                    "an array returned earlier was changed by a later call: it is a buffer that the rule reuses",
                    kept[i],
                    g,
                )
            elif not same(g, after[i]):
                yield Breach(
                    "state",
                    i,
                    "after calls with other inputs the same call gives another gradient: the rule keeps state",
                    after[i],
                    g,
                )

    def other(self, x: Any) -> Any:
        """An array like x with other values: reversed, which keeps range, sums and symmetry; moved where too small."""
        if not is_float(x) or np.size(x) == 0 or "sorted" in structure(np.asarray(x)):
            return np.array(x) if isinstance(x, np.ndarray) else x
        turned = np.ascontiguousarray(np.flip(np.asarray(x)))
        if np.array_equal(turned, x) and "values 0/1" not in structure(np.asarray(x)):
            turned = (turned.astype(np.float64) * (1 + self.nudge.integers(1, 9, np.shape(x)) / 64)).astype(
                turned.dtype
            )
        return turned.reshape(np.shape(x)) if isinstance(x, np.ndarray) else turned.reshape(())[()]

    def linear(self) -> Iterator[Breach]:
        """vjp(2u - 4u') = 2 vjp(u) - 4 vjp(u'), vjp(-s u) = -s vjp(u) for a small power of two s, and vjp(0) = 0.

        The first with cotangents a large power of two larger at every other sample of common values.
        """
        trial, g = self.trial, self.gradients
        u = trial.cotangents
        second = [_to_sum_zero(a, b) for a, b in zip(u, self._second(), strict=True)]
        h = self._copied(second)
        # a forward that answers a narrow input widely has gradients that end before its cotangents do
        taking = (*u, *(first for first in g.values() if first is not None))
        large = self._large(taking)
        sent = [np.asarray((2 * a - 4 * b) * a.dtype.type(large), a.dtype) for a, b in zip(u, second, strict=True)]
        mixed = {i: None if a is None else np.asarray(a / a.dtype.type(large)) for i, a in self._copied(sent).items()}
        negative = self._shrunk([SMALL.get(a.dtype.name, 1.0) for a in taking])
        nothing = self._copied([np.zeros_like(a) for a in u])
        for i, first in g.items():
            other, both, minus, zero = h[i], mixed[i], negative[i], nothing[i]
            if first is None or other is None or both is None or minus is None or zero is None:
                continue
            if not _finite(first) or not _finite(other) or other.shape != first.shape:
                continue
            scale = 4 * max(
                float(np.max(np.abs(first), initial=0)),
                float(np.max(np.abs(other), initial=0)),
                self.scales.get(i, 0.0),
            )
            wide = np.float64 if first.dtype.itemsize <= 8 else first.dtype
            if not same(minus, -first, scale) and self._beyond_rounding(i, minus, -first):
                # the cause of an even rule is its neglect of the sign, which the explanation looks at
                plain = self._shrunk([1.0] * len(u))[i]
                if plain is not None and same(plain, -first, scale):
                    text = "of a cotangent that is smaller by a power of two the gradient is not smaller by just that"
                else:
                    text = "the gradient of the negated cotangent is not the negated gradient"
                yield Breach("nonlinear", i, text, minus, -first)
                continue
            expected = (2 * first.astype(wide) - 4 * other.astype(wide)).astype(first.dtype)
            off = large == 1 or _largest(both, expected) > COARSE * scale
            off = off and _finite(both) and not same(both, expected, scale)
            if off and self._beyond_rounding(i, both, expected, sent):
                text = "vjp(2u - 4u') is not 2 vjp(u) - 4 vjp(u')"
                if large > 1:
                    text += f" where u and u' are 2**{int(np.log2(large))} times as large"
                yield Breach("nonlinear", i, text, both, expected)
            elif not same(zero, np.zeros_like(first), self.scales.get(i, 0.0) * 1e-3):
                yield Breach("nonlinear", i, "the gradient of a zero cotangent is not zero", zero, np.zeros_like(first))

    def _large(self, taking: Sequence[Array]) -> float:
        """How much larger cotangents are tried at this sample: as much as the narrowest of their dtypes allows."""
        sample = self.trial.sample
        return min(LARGE.get(a.dtype.name, 1.0) for a in taking) if sample.kind in REGULAR and sample.index % 2 else 1.0

    def _shrunk(self, sizes: Sequence[float]) -> Gradients:
        """The gradients of the negated cotangents, each that much smaller, as large as they were."""
        least = max(sizes)  # as much smaller as the narrowest of them lets it be
        found = self._copied([np.asarray(-a * a.dtype.type(least), a.dtype) for a in self.trial.cotangents])
        return {i: None if g is None else np.asarray(g / g.dtype.type(least), g.dtype) for i, g in found.items()}

    def _second(self) -> list[Array]:
        """Another cotangent."""
        rng = self.trial.sample.rng(3)
        return [
            np.asarray(rng.permutation(c.reshape(-1)).reshape(c.shape) * 0.5 + np.asarray(0.25, c.dtype), c.dtype)
            for c in self.trial.cotangents
        ]

    def _copied(self, cotangents: Sequence[Array]) -> Gradients:
        # copies: a rule that reuses a buffer is blamed for that, not for what the buffer holds later
        handed = [np.array(u) for u in cotangents]
        return {i: None if g is None else np.array(g) for i, g in self.trial.pull(handed).items()}

    def _wobble(self, i: int) -> float:
        """How far the gradient moves when the arguments move by an ulp of their dtype: what rounding may explain."""
        if not self._wobbles:
            trial = self.trial
            self._wobbles = dict.fromkeys(self.gradients, 0.0)
            base = self._second(), [np.array(u) for u in trial.cotangents]
            for draw in range(6):
                u = base[draw % 2]
                try:
                    still = self._copied([np.array(c) for c in u])
                    moved = trial.pull([self._ulps(c) for c in u], tuple(self._ulps(x) for x in trial.sample.inputs))
                except Fault:
                    break
                for k in self.gradients:
                    self._wobbles[k] = max(self._wobbles[k], _largest(still[k], moved[k]))
        return self._wobbles[i]

    def _ulps(self, x: Any) -> Any:
        if not is_float(x):
            return np.array(x) if isinstance(x, np.ndarray) else x
        return shifted(x, self.nudge.choice([-1.0, 1.0], np.shape(x)))

    def _beyond_rounding(self, i: int, a: Array | None, b: Array | None, sent: Sequence[Array] | None = None) -> bool:
        """Whether a difference is more than the conditioning of the problem explains, and the rule's own rounding.

        sent: the cotangents that `a` came from, where they are not the trial's; a rule may round more for larger ones.
        """
        if a is None or b is None or a.shape != b.shape:
            return True
        if self.trial.cancelled(a, b):
            return False
        room, error = WOBBLES * self._wobble(i), _largest(a, b)
        return not error <= room and not error <= room + float(np.max(roughness(self.trial, i, b, error, sent)))

    def layout(self) -> Iterator[Breach]:
        """Strided, Fortran-ordered, reversed and read-only copies of the arguments, and an expanded cotangent."""
        trial, sample = self.trial, self.trial.sample
        for word, rearrange in LAYOUTS.items():
            inputs = tuple(rearrange(x) if isinstance(x, np.ndarray) else x for x in trial.inputs())
            try:
                trial.subject.value(inputs, sample.static)
            except Exception:  # a forward that needs another layout is the caller's own affair
                continue
            yield from self._rearranged(word, inputs, [rearrange(u) for u in trial.cotangents], self.gradients)
        expanded = [
            np.broadcast_to(u.reshape(-1)[:1].reshape((1,) * u.ndim), u.shape) if u.size else u
            for u in trial.cotangents
        ]
        plain = trial.pull([np.array(u) for u in expanded])
        yield from self._rearranged("expanded (stride 0)", trial.inputs(), expanded, plain)

    def _rearranged(
        self, word: str, inputs: tuple[Any, ...], cotangents: list[Array], truth: Gradients
    ) -> Iterator[Breach]:
        try:
            got = self.trial.pull(cotangents, inputs)
        except Fault as fault:
            check = "mutated" if "read-only" in str(fault) else "layout"
            yield Breach(check, None, f"with {word} arguments {fault}")
            return
        for i, g in truth.items():
            if not same(got[i], g, self.scales.get(i, 0.0)) and self._beyond_rounding(i, got[i], g):
                yield Breach(
                    "layout",
                    i,
                    f"with {word} arguments of the same values the gradient is another",
                    got[i],
                    g,
                )


def _to_sum_zero(a: Array, b: Array) -> Array:
    """b, its last entries moved so that 2a - 4b sums to 0 along the last axis, as a loss of softmax's outputs sends.

    In short numbers to exactly 0. Asked of linearity alone: along such a cotangent kinks and slopes cancel too.
    """
    if b.size < 2:
        return b
    moved = b.reshape(b.shape if b.shape[-1] > 1 else -1).copy()
    moved[..., -1] += (2 * a.reshape(moved.shape) - 4 * moved).sum(-1) / 4
    return np.asarray(moved.reshape(b.shape), b.dtype)


def _identical(a: Array, b: Array) -> bool:
    return (
        a.shape == b.shape
        and a.dtype == b.dtype
        and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
    )


def _largest(a: Array | None, b: Array | None) -> float:
    if a is None or b is None or a.shape != b.shape or a.size == 0:
        return 0.0
    return float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))))


def _finite(g: Array) -> bool:
    return bool(np.isfinite(np.asarray(g, np.float64)).all())


def _strided(x: Array) -> Array:
    if x.ndim == 0:
        return x
    roomy = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    roomy[..., ::2] = x
    return roomy[..., ::2]


def _reversed(x: Array) -> Array:
    every = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[every])[every] if x.ndim else x


def _read_only(x: Array) -> Array:
    x = np.array(x)
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "strided": _strided,
    "Fortran-ordered": lambda x: np.asfortranarray(x) if x.ndim > 1 else x,
    "reversed": _reversed,
    "read-only": _read_only,
}
