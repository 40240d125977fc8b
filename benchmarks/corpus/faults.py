"""Faults that befall any rule: each function takes a right rule and returns a wrong one, named, with its cause.

The faults of one operation alone (a missing term, a kernel flipped, a tie) are written out beside that operation.
"""



from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.corpus.record import Rule, Wrong, is_float


def edited(rule: Rule, change: Callable[..., Any], which: int = 0) -> Rule:
    """`rule` with gradient number `which` replaced by change(gradient, cotangent, *inputs), in the same dtype."""

    def wrong(cotangent: Any, *inputs: Any) -> Any:
        returned = rule(cotangent, *inputs)
        gradients = list(returned.values()) if isinstance(returned, dict) else list(_tuple(returned))
        gradients[which] = np.asarray(
            change(gradients[which], cotangent, *inputs), dtype=gradients[which].dtype
        )
        if isinstance(returned, dict):
            return dict(zip(returned, gradients, strict=True))
        return tuple(gradients) if isinstance(returned, tuple) else gradients[0]

    return wrong


def _tuple(returned: Any) -> tuple[Any, ...]:
    return returned if isinstance(returned, tuple) else (returned,)


def _each(cotangent: Any, change: Callable[[Any], Any]) -> Any:
    return tuple(change(u) for u in cotangent) if isinstance(cotangent, tuple) else change(cotangent)


def _label(which: int) -> str:
    return f" (gradient {which})" if which else ""


def negated(rule: Rule, which: int = 0) -> Wrong:
    return Wrong("sign" + _label(which), edited(rule, lambda g, u, *a: -g, which), "sign")


def scaled(rule: Rule, factor: float, which: int = 0) -> Wrong:
    cause = "sign" if factor == -1 else "factor"
    return Wrong(f"times {factor}" + _label(which), edited(rule, lambda g, u, *a: factor * g, which), cause)


def sized(rule: Rule, name: str, size: Callable[..., float], which: int = 0) -> Wrong:
    """Times a number that depends on the inputs' sizes."""
    return Wrong(name, edited(rule, lambda g, u, *a: g * size(*a), which), "factor")


def cotangent_ignored(rule: Rule) -> Wrong:
    return Wrong(
        "cotangent taken as ones", lambda u, *a: rule(_each(u, np.ones_like), *a), "cotangent_ignored"
    )


def cotangent_sign_ignored(rule: Rule) -> Wrong:
    return Wrong(
        "sign of the cotangent lost", lambda u, *a: rule(_each(u, np.abs), *a), "cotangent_sign_ignored"
    )


def zero(rule: Rule, which: int = 0) -> Wrong:
    return Wrong("zeros" + _label(which), edited(rule, lambda g, u, *a: np.zeros_like(g), which), "zero")


def swapped(rule: Rule, first: int = 0, second: int = 1) -> Wrong:
    """Two gradients of one shape in each other's place."""

    def wrong(u: Any, *inputs: Any) -> Any:
        returned = rule(u, *inputs)
        gradients = list(returned.values()) if isinstance(returned, dict) else list(returned)
        gradients[first], gradients[second] = gradients[second], gradients[first]
        return dict(zip(returned, gradients, strict=True)) if isinstance(returned, dict) else tuple(gradients)

    return Wrong(f"gradients {first} and {second} swapped", wrong, "swapped")


def one_entry(rule: Rule, where: str, which: int = 0, factor: float = 1.3) -> Wrong:
    """One entry of one gradient off by a factor: the first, the middle or the last of the flattened array."""
    position = {"first": lambda n: 0, "middle": lambda n: n // 2, "last": lambda n: n - 1}[where]

    def change(g: Any, u: Any, *inputs: Any) -> Any:
        g = np.array(g)
        if g.size:
            g.flat[position(g.size)] *= factor
        return g

    return Wrong(f"{where} entry times {factor}" + _label(which), edited(rule, change, which), "one_entry")


def through(rule: Rule, dtype: str = "float32") -> Wrong:
    """Computed in a lower precision and cast back, so that the dtype looks right."""

    def lower(value: Any) -> Any:
        return value.astype(dtype) if is_float(value) else value

    def wrong(u: Any, *inputs: Any) -> Any:
        with np.errstate(over="ignore", invalid="ignore"):
            returned = rule(_each(u, lower), *(lower(value) for value in inputs))
        raised = next(value.dtype for value in inputs if is_float(value))
        if isinstance(returned, dict):
            return {name: g.astype(raised) for name, g in returned.items()}
        if isinstance(returned, tuple):
            return tuple(None if g is None else g.astype(raised) for g in returned)
        return returned.astype(raised)

    return Wrong(f"{dtype} inside", wrong, "low_precision")


def _key(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(np.shape(value) for value in inputs)


def remembers(rule: Rule) -> Wrong:
    """A cache keyed by shape: the second call with other values gets the first one's answer."""

    def make() -> Rule:
        memory: dict[Any, Any] = {}

        def wrong(u: Any, *inputs: Any) -> Any:
            return memory.setdefault(_key(inputs), rule(u, *inputs))

        return wrong

    return Wrong("answers from a cache keyed by shape", make, "second_call", factory=True)


def accumulates(rule: Rule, which: int = 0) -> Wrong:
    """A gradient buffer that is never cleared."""

    def make() -> Rule:
        total: dict[Any, Any] = {}

        def change(g: Any, u: Any, *inputs: Any) -> Any:
            key = _key(inputs)
            total[key] = g + total.get(key, 0)
            return total[key].copy()

        return edited(rule, change, which)

    return Wrong("adds to the last call's gradient" + _label(which), make, "second_call", factory=True)


def reuses_buffer(rule: Rule) -> Wrong:
    """Writes into the array that it returned last time; for rules that return a bare array."""

    def make() -> Rule:
        buffers: dict[Any, Any] = {}

        def wrong(u: Any, *inputs: Any) -> Any:
            g = rule(u, *inputs)
            buffer = buffers.setdefault((g.shape, g.dtype), np.empty_like(g))
            buffer[...] = g
            return buffer

        return wrong

    return Wrong("returns one buffer on every call", make, ("second_call", "shared"), factory=True)


def scales_cotangent(rule: Rule, factor: float = 0.5) -> Wrong:
    """Works in the caller's cotangent."""

    def wrong(u: Any, *inputs: Any) -> Any:
        returned = rule(u, *inputs)
        array = u[0] if isinstance(u, tuple) else u
        array *= factor
        return returned

    return Wrong("changes the cotangent in place", wrong, "argument_changed")


def changes_input(rule: Rule, which: int, change: Callable[[Any], Any], name: str) -> Wrong:
    """Leaves change(input) in the caller's array after computing the right answer."""

    def wrong(u: Any, *inputs: Any) -> Any:
        returned = rule(u, *inputs)
        inputs[which][...] = change(inputs[which])
        return returned

    return Wrong(name, wrong, "argument_changed")


def shares_argument(rule: Rule, which: int, argument: int, name: str) -> Wrong:
    """Returns gradient `which` in the memory of input `argument` (-1: the cotangent), where their sizes agree."""

    def wrong(u: Any, *inputs: Any) -> Any:
        returned = list(rule(u, *inputs))
        target = u if argument < 0 else inputs[argument]
        if target.shape == returned[which].shape and np.array_equal(target, returned[which]):
            returned[which] = target
        return tuple(returned)

    return Wrong(name, wrong, "shared", strict=True)


def noisy(rule: Rule, size: float = 1e-3) -> Wrong:
    """Random noise: dropout left on, a race."""

    def make() -> Rule:
        rng = np.random.default_rng()
        return edited(rule, lambda g, u, *a: g * (1 + size * rng.standard_normal(g.shape)))

    return Wrong(f"noise of {size}", make, None, factory=True)


def flattened(rule: Rule, which: int = 0) -> Wrong:
    return Wrong("flattened" + _label(which), edited(rule, lambda g, u, *a: g.reshape(-1), which), "shape")


def unbroadcastable(rule: Rule, which: int = 0) -> Wrong:
    return Wrong("an extra axis" + _label(which), edited(rule, lambda g, u, *a: g[None], which), "shape")


def transposed_shape(rule: Rule, which: int = 0) -> Wrong:
    """The right numbers in order, in the reversed shape."""
    return Wrong(
        "reversed shape" + _label(which),
        edited(rule, lambda g, u, *a: g.reshape(g.shape[::-1]), which),
        "shape",
    )


def in_dtype_of_its_own(rule: Rule, dtype: str, given: str = "float64") -> Wrong:
    """Every gradient in `dtype`, whatever came in."""

    def wrong(u: Any, *inputs: Any) -> Any:
        returned = rule(u, *inputs)
        if isinstance(returned, dict):
            return {name: g.astype(dtype) for name, g in returned.items()}
        if isinstance(returned, tuple):
            return tuple(None if g is None else g.astype(dtype) for g in returned)
        return returned.astype(dtype)

    return Wrong(f"{dtype} for {given}", wrong, ("dtype", "low_precision"), dtype=given)


def listed(rule: Rule) -> Wrong:
    """A list of Python numbers."""
    return Wrong("a list", lambda u, *a: np.asarray(rule(u, *a)).tolist(), None)


def nothing(rule: Rule, which: int) -> Wrong:
    """None for an input that is differentiated."""

    def wrong(u: Any, *inputs: Any) -> Any:
        gradients = list(_tuple(rule(u, *inputs)))
        gradients[which] = None
        return tuple(gradients)

    return Wrong("None" + _label(which), wrong, None)


def one_too_few(rule: Rule) -> Wrong:
    return Wrong("one gradient too few", lambda u, *a: tuple(rule(u, *a))[:-1], None)


def one_too_many(rule: Rule) -> Wrong:
    return Wrong("one gradient too many", lambda u, *a: (*_tuple(rule(u, *a)), np.zeros_like(a[0])), None)
