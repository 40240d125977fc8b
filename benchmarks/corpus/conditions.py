"""Faults that show only where a condition holds: a batch, a size, a sign, a magnitude, a memory layout."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.corpus.faults import edited
from benchmarks.corpus.record import Rule, Wrong, is_float


def beyond(rule: Rule, threshold: float, value: float = np.nan, which: int = 0) -> Wrong:
    """`value` wherever the input of the same shape is larger than `threshold` in magnitude."""
    change = edited(rule, lambda g, u, *a: np.where(np.abs(a[which]) > threshold, value, g), which)
    cause = "at_saturation" if value == 0 else None if np.isfinite(value) else ("at_saturation", "nonfinite")
    return Wrong(f"{value} beyond |x| = {threshold}", change, cause)


def slightly_off_beyond(rule: Rule, threshold: float, which: int = 0) -> Wrong:
    """1 % too large where |x| > threshold: a series cut short."""
    change = edited(rule, lambda g, u, *a: np.where(np.abs(a[which]) > threshold, 1.01 * g, g), which)
    return Wrong(f"1 % too large beyond |x| = {threshold}", change, None)


def for_negative(rule: Rule, change: Callable[[Any], Any], name: str, which: int = 0) -> Wrong:
    return Wrong(name, edited(rule, lambda g, u, *a: np.where(a[which] < 0, change(g), g), which), None)


def first_row_only(rule: Rule, which: int = 0) -> Wrong:
    """Written for a batch of one: the other rows get the gradient of zeros."""

    def change(g: Any, u: Any, *inputs: Any) -> Any:
        g = np.array(g)
        g[1:] = 0
        return g

    return Wrong(
        "rows after the first are zero" + (f" ({which})" if which else ""),
        edited(rule, change, which),
        "at_batch",
    )


def last_row_lost(rule: Rule, which: int = 0, beyond: int = 2) -> Wrong:
    """A loop that stops one short; nothing to see up to `beyond` rows."""

    def change(g: Any, u: Any, *inputs: Any) -> Any:
        g = np.array(g)
        if len(g) > beyond:
            g[-1] = 0
        return g

    return Wrong(
        f"last row lost beyond {beyond} rows", edited(rule, change, which), ("at_batch", "one_entry")
    )


def at_batch_one(rule: Rule, which: int = 0, factor: float = 0.0) -> Wrong:
    """A special case for one row, wrong: n - 1 in a denominator, or a squeezed axis."""

    def change(g: Any, u: Any, *inputs: Any) -> Any:
        return g * factor if len(g) == 1 else g

    return Wrong(f"times {factor} for one row", edited(rule, change, which), "at_batch_one")


def squeezed(rule: Rule, which: int = 0) -> Wrong:
    """Loses the axes of size 1."""
    return Wrong("squeezed", edited(rule, lambda g, u, *a: np.squeeze(g), which), ("shape", "at_batch_one"))


def transposed_when_square(rule: Rule, which: int = 0) -> Wrong:
    """Guesses the orientation from the shape, and guesses wrong where both fit."""

    def change(g: Any, u: Any, *inputs: Any) -> Any:
        return np.swapaxes(g, -1, -2).copy() if g.shape[-1] == g.shape[-2] else g

    return Wrong("transposed when square", edited(rule, change, which), "transposed")


def when_not_square(rule: Rule, which: int = 0) -> Wrong:
    """Divides by the other axis: right where the two sizes agree."""

    def change(g: Any, u: Any, *inputs: Any) -> Any:
        return g * (g.shape[-2] / g.shape[-1] if g.size else 1)

    return Wrong("divided by the other axis' size", edited(rule, change, which), ("at_nonsquare", "factor"))


def in_memory_order(rule: Rule, argument: int = 0) -> Wrong:
    """Reads an argument in the order of its memory: right for C order only."""

    def wrong(u: Any, *inputs: Any) -> Any:
        values = list(inputs)
        values[argument] = values[argument].ravel(order="K").reshape(values[argument].shape)
        return rule(u, *values)

    return Wrong("reads the input in memory order", wrong, None)


def cotangent_in_memory_order(rule: Rule) -> Wrong:
    def wrong(u: Any, *inputs: Any) -> Any:
        return rule(u.ravel(order="K").reshape(u.shape), *inputs)

    return Wrong("reads the cotangent in memory order", wrong, None)


def needs_contiguous(rule: Rule) -> Wrong:
    """Raises for strided views, as `view(-1)` does."""

    def wrong(u: Any, *inputs: Any) -> Any:
        if not all(
            value.flags.c_contiguous for value in inputs if is_float(value) and hasattr(value, "flags")
        ):
            raise ValueError("view size is not compatible with input's strides")
        return rule(u, *inputs)

    return Wrong("raises for strided inputs", wrong, None)


def raises_when(rule: Rule, condition: Callable[..., bool], name: str) -> Wrong:
    def wrong(u: Any, *inputs: Any) -> Any:
        if condition(*inputs):
            raise IndexError("index out of range")
        return rule(u, *inputs)

    return Wrong(name, wrong, None)


def when_repeated(rule: Rule, change: Callable[[Any], Any], name: str, which: int = 0) -> Wrong:
    """Wrong where two entries of an input are exactly equal."""

    def condition(g: Any, u: Any, *inputs: Any) -> Any:
        return change(g) if np.unique(inputs[which]).size < inputs[which].size else g

    return Wrong(name, edited(rule, condition, which), "at_ties")


def at_zero(rule: Rule, value: float, which: int = 0) -> Wrong:
    """`value` in place of the slope where the input is exactly 0."""
    change = edited(rule, lambda g, u, *a: np.where(a[which] == 0, value * u, g), which)
    return Wrong(f"{value} at zero", change, ("at_zero", "nonfinite"))
