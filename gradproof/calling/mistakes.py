"""What a caller got wrong: one line that says what, what was expected, and the remedy."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradproof.calling.subject import Subject
from gradproof.errors import InputError
from gradproof.judging.trial import Trial, finite
from gradproof.sampling.given import Given
from gradproof.sampling.sample import is_float


def point(inputs: Any) -> None:
    """Raise InputError for inputs that are no tuple of what can be differentiated."""
    if not isinstance(inputs, tuple):
        raise InputError(
            f"inputs is a {type(inputs).__name__}; expected a tuple of the forward's inputs, such as (x, w), "
            "or a sampler(rng) -> tuple"
        )
    if not inputs:
        raise InputError("inputs is an empty tuple; give the forward's inputs, such as (x, w)")
    for k, x in enumerate(inputs):
        dtype = getattr(x, "dtype", None)
        if isinstance(x, complex) or (
            isinstance(x, np.ndarray | np.generic) and dtype is not None and dtype.kind == "c"
        ):
            raise InputError(
                f"input {k} is complex; gradproof judges real derivatives: split it into real and imaginary part"
            )
        if hasattr(x, "__array__") and not isinstance(x, np.ndarray | np.generic):
            home = next((f for f in ("torch", "jax") if type(x).__module__.startswith(f)), "")
            other = f", or use check_{home} for a function of {home}" if home else ", such as np.asarray(x)"
            raise InputError(f"input {k} is a {type(x).__name__}; give NumPy arrays{other}")
        if isinstance(x, np.ndarray) and x.dtype == object:
            raise InputError(f"input {k} is an object array; give a float array (x.astype(float))")
        if is_float(x) and not np.isfinite(np.asarray(x, np.float64)).all():
            raise InputError(f"input {k} contains NaN or infinity; give a finite point")


def whole(option: str, value: Any, least: int) -> None:
    """Raise InputError for an option that is no whole number, or too small."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{option}={value!r}; expected a whole number of at least {least}")


def takes(role: str, function: Any, given: Sequence[str]) -> None:
    """Raise InputError where a function cannot be called with so many arguments."""
    if hasattr(function, "__signature__"):  # one of ours, which names what it stands for
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # no function, or one in C
        return
    try:
        signature.bind(*given)
    except TypeError as error:
        raise InputError(
            f"{role} takes {signature}, and is called with ({', '.join(given)}): {error}; give it these, and bind what "
            "else it needs with functools.partial"
        ) from None


def functions(subject: Subject) -> None:
    """Raise InputError for a forward or a rule that cannot be called."""
    for role, given in (("forward", subject.forward), ("vjp", subject.rule)):
        if not callable(given):
            raise InputError(f"{role} is {given!r}; expected a function")


def listed(constant: Any) -> Sequence[str | int]:
    """The inputs that constant= names or numbers; raises InputError for what names none."""
    if constant is None or isinstance(constant, str | int):
        return () if constant is None else (constant,)
    if not isinstance(constant, Iterable):
        raise InputError(f"constant={constant!r}; expected names of inputs, or their numbers from 0")
    return tuple(constant)


def kind(x: Any) -> str:
    """What an input is, in a word or two."""
    return f"{x.dtype} array" if isinstance(x, np.ndarray) else type(x).__name__


def sound(subject: Subject, source: Given) -> Trial:
    """The caller's own point: the forward must be defined there, repeat itself, and leave its arguments alone."""
    sample = source.draw(0)
    assert sample is not None
    trial = Trial(subject, sample)
    inputs = trial.inputs()
    try:
        first = subject.value(inputs, sample.static)
    except InputError:
        raise
    except Exception as error:
        text = str(error).splitlines()[0] if str(error) else ""
        raise InputError(
            f"the forward raised {type(error).__name__} at the given point: {text}; give a point it takes"
        ) from error
    for name, before, after in zip(sample.names, sample.inputs, inputs, strict=True):
        if isinstance(before, np.ndarray) and before.tobytes() != after.tobytes():
            raise InputError(
                f"the forward changes its input {name!r}; work on a copy inside it, or hand it one: lambda x: "
                "f(x.copy()), with PyTorch x.clone()"
            )
    kinds = [y for y in first if is_float(y)]
    if any(y.dtype.kind in "cO" for y in first):
        raise InputError(
            f"the forward returns {next(y.dtype for y in first if y.dtype.kind in 'cO')} numbers; expected real ones"
        )
    if not kinds:
        raise InputError(
            f"the forward returns no float output (dtype {', '.join(str(y.dtype) for y in first)}); nothing "
            "is differentiable"
        )
    if not finite(first):
        raise InputError("the forward is not finite at the given point; give a point inside its domain")
    if source.shapes is not None:
        expected = source.shapes.output_shapes(source.shapes.bind(sample.inputs))
        for y, shape in zip(first, expected, strict=False):
            if y.shape != shape:
                raise InputError(
                    f"the forward returns shape {y.shape}; the shape string {source.shapes.text!r} says {shape}; "
                    f"make the two agree"
                )
        if len(first) != len(expected):
            raise InputError(
                f"the forward returns {len(first)} outputs; the shape string {source.shapes.text!r} names "
                f"{len(expected)}; make the two agree"
            )
    again = trial.values
    if any(a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(first, again, strict=True)):
        raise InputError(
            "the forward is not deterministic: two calls at one point differ; fix its seed or pass the "
            "random numbers as an input"
        )
    return trial
