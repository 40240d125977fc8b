"""Checks for anybody's derivative: a result that says right or wrong, how sure, and where and why.

result = gradproof.check_vjp(forward, vjp, inputs)          vjp(cotangent, *inputs) -> gradients of forward(*inputs)
gradproof.assert_vjp(forward, vjp, inputs)                  the same, raises AssertionError with the explanation
gradproof.check(EQUATION)                                   a declaration, over its shapes and domains, strict
gradproof.check_grad(f, grad, inputs)                       a scalar function's gradient
gradproof.check_jvp(forward, jvp, inputs)                   jvp(tangents, *inputs) -> tangent of the output
gradproof.check_layer(forward, backward, inputs)            forward -> (out, cache),  backward(dout, cache) -> gradients
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradproof.calling import mistakes
from gradproof.calling.layer import Layer
from gradproof.calling.pasted import called, imports, name_of
from gradproof.calling.pushforward import as_vjp
from gradproof.calling.scalar import Scalar
from gradproof.calling.subject import Subject, parameter_names
from gradproof.defaults import EXAMPLES, SEED, chosen_seed
from gradproof.equation import Equation
from gradproof.errors import InputError
from gradproof.judging.bench import Settings
from gradproof.judging.conduct import conduct
from gradproof.sampling.declared import Declared
from gradproof.sampling.given import Given
from gradproof.verdict import Result

ORACLES = ("contract", "torch", "jax", "differences", "ball", "kink")
Inputs = tuple[Any, ...] | Callable[[np.random.Generator], tuple[Any, ...]]


def check_vjp(
    forward: Callable[..., Any],
    vjp: Callable[..., Any],
    inputs: Inputs,
    torch: Callable[..., Any] | None = None,
    jax: Callable[..., Any] | None = None,
    shapes: str | None = None,
    domain: Any = None,
    constant: Sequence[str | int] | str | int = (),
    strict: bool = False,
    subgradient: str = "any",
    examples: int | None = None,
    seed: int = SEED,
) -> Result:
    """Judge a vector-Jacobian product written by hand: `vjp(cotangent, *inputs)` of `forward(*inputs)`.

    inputs: a tuple (one point) or `sampler(rng) -> tuple`; torch, jax: the same forward in a framework; shapes: a shape
    string such as "x: n d, w: d m -> z: n m", which lets shapes vary; domain: a word for all, a sequence by position
    or a dict by name; constant: names or positions without a gradient; strict: shared memory is wrong; subgradient:
    "any", "torch" or "jax"; examples: number of points, default 20.

    Raises InputError (a ValueError) for the caller's own mistakes.
    """
    subject = Subject(name_of(vjp), forward, vjp, _references(torch, jax))
    subject.replay = imports(vjp) + subject.replay
    if isinstance(inputs, tuple):
        mistakes.takes("vjp", vjp, ("cotangent", *(f"input {k}" for k in range(len(inputs)))))
    return _check_given(subject, inputs, shapes, domain, constant, strict, subgradient, examples, seed)


def assert_vjp(forward: Callable[..., Any], vjp: Callable[..., Any], inputs: Inputs, *args: Any, **kwargs: Any) -> None:
    """`check_vjp`, raising AssertionError with the explanation where the result is not ok."""
    __tracebackhide__ = True
    _insist(check_vjp(forward, vjp, inputs, *args, **kwargs))


def check_grad(f: Callable[..., Any], grad: Callable[..., Any], inputs: Inputs, **options: Any) -> Result:
    """Judge the gradient of a scalar function: `grad(*inputs)` of `f(*inputs)`. Options as in `check_vjp`."""

    scalar = Scalar(f, grad, bool(options.get("strict", False)))

    def value(*x: Any) -> Any:
        return scalar.value(*x)

    # so that a dict of gradients is read by the names of f
    value.__signature__ = _signature(f)  # type: ignore[attr-defined]
    replay = imports(grad) + "{name}({arguments})"
    return _from_options(name_of(grad), value, scalar.rule, inputs, options, replay=replay, notes=scalar.notes)


def assert_grad(f: Callable[..., Any], grad: Callable[..., Any], inputs: Inputs, **options: Any) -> None:
    """`check_grad`, raising AssertionError with the explanation where the result is not ok."""
    __tracebackhide__ = True
    _insist(check_grad(f, grad, inputs, **options))


def check_layer(forward: Callable[..., Any], backward: Callable[..., Any], inputs: Inputs, **options: Any) -> Result:
    """Judge `forward(*inputs) -> (out, cache)` with `backward(dout, cache) -> gradients`. Options as in `check_vjp`."""

    layer = Layer(forward, backward)

    def value(*x: Any) -> Any:
        return layer.value(*x)

    value.__signature__ = _signature(forward)  # type: ignore[attr-defined]  # as in check_grad
    called = f"{name_of(forward)}({{arguments}})[1]"
    replay = imports(backward, forward) + "{name}(cotangent, " + called + ")"
    return _from_options(name_of(backward), value, layer.rule, inputs, options, replay=replay, notes=layer.notes)


def assert_layer(forward: Callable[..., Any], backward: Callable[..., Any], inputs: Inputs, **options: Any) -> None:
    """`check_layer`, raising AssertionError with the explanation where the result is not ok."""
    __tracebackhide__ = True
    _insist(check_layer(forward, backward, inputs, **options))


def check_jvp(forward: Callable[..., Any], jvp: Callable[..., Any], inputs: Inputs, **options: Any) -> Result:
    """Judge forward mode: `jvp(tangents, *inputs) -> tangent of the output(s)`. Options as in `check_vjp`.

    tangents: a tuple with an entry for each differentiated input, or the bare array where there is one.
    """
    tangents = "tangents = tuple(np.ones_like(x) for x in ({differentiated},))\n"
    replay = imports(jvp) + tangents + "{name}(tangents if len(tangents) > 1 else tangents[0], {arguments})"
    return _from_options(name_of(jvp), forward, None, inputs, options, jvp, replay)


def assert_jvp(forward: Callable[..., Any], jvp: Callable[..., Any], inputs: Inputs, **options: Any) -> None:
    """`check_jvp`, raising AssertionError with the explanation where the result is not ok."""
    __tracebackhide__ = True
    _insist(check_jvp(forward, jvp, inputs, **options))


def check(
    equation: Equation,
    *,
    examples: int | None = None,
    seed: int = SEED,
    oracles: Sequence[str] | None = None,
    references: Mapping[str, Callable[..., Any]] | None = None,
    subgradient: str = "any",
    dtype: Any = np.float64,
    explain: bool = True,
) -> Result:
    """Judge a declaration over its shapes, static parameters and domains, strictly.

    references: framework name -> the same forward in it; oracles: the names to use, default all that apply;
    explain=False leaves out where, causes and the counterexample, for who wants the verdicts alone.
    """
    if not isinstance(equation, Equation):
        raise InputError(
            f"check takes an Equation, not {type(equation).__name__}; for a forward and a vjp use check_vjp"
        )
    wanted = _oracles(oracles)
    seed = chosen_seed(seed)
    subject = Subject(equation.name, equation.forward, equation.vjp, {}, equation.plain, equation.kinks)
    subject.rule = partial(_declared_rule, equation)
    subject.references = dict(references or {})
    back, front = equation.backward, equation.forward
    pulled, made = called(back, "backward"), called(front, "forward")
    subject.replay = imports(back, front) + pulled + "(cotangent, " + made + "({arguments}), {arguments})"
    settings = Settings(True, subgradient, wanted, judge_value=True, explain=explain)
    return conduct(subject, Declared(equation, seed, dtype), settings, examples)


def _declared_rule(equation: Equation, cotangent: Any, *inputs: Any, **static: Any) -> Any:
    return equation.backward(cotangent, equation.forward(*inputs, **static), *inputs, **static)


def _check_given(
    subject: Subject,
    inputs: Inputs,
    shapes: str | None,
    domain: Any,
    constant: Any,
    strict: bool,
    subgradient: str,
    examples: int | None,
    seed: int,
) -> Result:
    mistakes.functions(subject)
    if subgradient not in ("any", "torch", "jax"):
        raise InputError(f"subgradient={subgradient!r} is unknown; expected 'any', 'torch' or 'jax'")
    if subgradient != "any" and subgradient not in subject.references:
        raise InputError(
            f"subgradient={subgradient!r} needs the reference {subgradient}=; give the same forward in {subgradient}"
        )
    if not callable(inputs):
        mistakes.point(inputs)
    seed = chosen_seed(seed)
    mistakes.whole("seed", seed, 0)
    source = Given(
        inputs, lambda count: parameter_names(subject.forward, count), seed, mistakes.listed(constant), domain, shapes
    )
    mistakes.point(source.first)
    mistakes.takes("forward", subject.forward, source.names)
    own = parameter_names(subject.forward, len(source.first))
    subject.aliases = dict(zip(own, source.names, strict=True))
    if not source.wrt:
        kinds = ", ".join(f"{n}: {mistakes.kind(x)}" for n, x in zip(source.names, source.first, strict=True))
        raise InputError(
            f"no input is differentiated ({kinds}); give at least one float array that constant= does not name"
        )
    return conduct(subject, source, Settings(strict, subgradient), examples)


def _from_options(
    name: str,
    forward: Callable[..., Any],
    rule: Callable[..., Any] | None,
    inputs: Inputs,
    options: dict[str, Any],
    jvp: Callable[..., Any] | None = None,
    replay: str = "",
    notes: dict[str, None] | None = None,
) -> Result:
    known = {"torch", "jax", "shapes", "domain", "constant", "strict", "subgradient", "examples", "seed"}
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(f"unknown option {unknown[0]!r}; the options are {', '.join(sorted(known))}")
    take = options.get
    notes = {} if notes is None else notes
    made = rule
    if made is None:
        made = as_vjp(forward, jvp, mistakes.listed(take("constant", ())), bool(take("strict", False)), notes)
    subject = Subject(name, forward, made, _references(options.get("torch"), options.get("jax")))
    subject.replay = replay or subject.replay
    subject.warnings, subject.pushes = notes, rule is None
    return _check_given(
        subject,
        inputs,
        take("shapes"),
        take("domain"),
        take("constant", ()),
        take("strict", False),
        take("subgradient", "any"),
        take("examples"),
        take("seed", SEED),
    )


def _references(torch: Any, jax: Any) -> dict[str, Callable[..., Any]]:
    return {k: f for k, f in (("torch", torch), ("jax", jax)) if f is not None}


def _oracles(names: Sequence[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    for name in names:
        if name not in ORACLES:
            raise InputError(f"oracle {name!r} is unknown; expected some of {', '.join(ORACLES)}")
    return frozenset(names)


def _signature(f: Callable[..., Any]) -> Any:
    try:
        return inspect.signature(f)
    except (TypeError, ValueError):
        return inspect.signature(lambda *x: None)


def _insist(result: Result) -> None:
    __tracebackhide__ = True
    if not result.ok:
        raise AssertionError(str(result))


__all__ = [
    "EXAMPLES",
    "assert_grad",
    "assert_jvp",
    "assert_layer",
    "assert_vjp",
    "check",
    "check_grad",
    "check_jvp",
    "check_layer",
    "check_vjp",
]
