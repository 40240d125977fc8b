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
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradproof import forwards, sweep
from gradproof.bench import Settings
from gradproof.declared import Declared
from gradproof.defaults import EXAMPLES, SEED, chosen_examples, chosen_seed
from gradproof.equation import Equation
from gradproof.errors import InputError
from gradproof.explain import conclude
from gradproof.given import Given
from gradproof.judge import bench_for, examine, prepare
from gradproof.layer import Layer
from gradproof.pasted import called, imports, name_of
from gradproof.pushforward import as_vjp
from gradproof.sample import Sample, is_float
from gradproof.scalar import Scalar
from gradproof.subject import Subject, parameter_names
from gradproof.trial import Trial, finite, try_trial
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
        _takes("vjp", vjp, ("cotangent", *(f"input {k}" for k in range(len(inputs)))))
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
    return _run(subject, Declared(equation, seed, dtype), settings, examples, seed)


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
    _callable(subject)
    if subgradient not in ("any", "torch", "jax"):
        raise InputError(f"subgradient={subgradient!r} is unknown; expected 'any', 'torch' or 'jax'")
    if subgradient != "any" and subgradient not in subject.references:
        raise InputError(
            f"subgradient={subgradient!r} needs the reference {subgradient}=; give the same forward in {subgradient}"
        )
    if not callable(inputs):
        _point(inputs)
    seed = chosen_seed(seed)
    _whole("seed", seed, 0)
    source = Given(
        inputs, lambda count: parameter_names(subject.forward, count), seed, _listed(constant), domain, shapes
    )
    _point(source.first)
    _takes("forward", subject.forward, source.names)
    own = parameter_names(subject.forward, len(source.first))
    subject.aliases = dict(zip(own, source.names, strict=True))
    if not source.wrt:
        kinds = ", ".join(f"{n}: {_kind(x)}" for n, x in zip(source.names, source.first, strict=True))
        raise InputError(
            f"no input is differentiated ({kinds}); give at least one float array that constant= does not name"
        )
    return _run(subject, source, Settings(strict, subgradient), examples, seed)


def _run(subject: Subject, source: Declared | Given, settings: Settings, examples: int | None, seed: int) -> Result:
    count = chosen_examples(examples)
    _whole("examples", count, 1)
    bench = bench_for(subject, settings)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # what NumPy warns of at planted points is judged by its outcome
        warnings.simplefilter("ignore", RuntimeWarning)
        dropped: list[Sample] = []
        trials = prepare(bench, _trials(subject, source, count, dropped))
        if settings.judge_value:
            forwards.judge(bench, trials, dropped)
        for trial in trials:
            examine(bench, trial)
        if not bench.failures:
            sweep.judge(bench, source, count + 1)
        return conclude(bench, trials, source, count)


def _trials(subject: Subject, source: Declared | Given, count: int, dropped: list[Sample]) -> list[Trial]:
    """The trials of a check; `dropped` receives the points where the forward gives nothing."""
    trials: list[Trial] = []
    if isinstance(source, Given):
        trials.append(_sound(subject, source))
    for index in range(len(trials), count):
        for attempt in range(4):
            sample = source.draw(index, attempt)
            trial = None if sample is None else try_trial(subject, sample)
            if trial is not None:
                trials.append(trial)
                break
            if sample is not None:
                dropped.append(sample)
    if not trials:
        raise InputError(
            f"the forward of {subject.name!r} is nowhere finite on {count} samples of its domain; check "
            "domain= or the shape string"
        )
    empty = source.empty(count)
    trial = None if empty is None or count < 4 else try_trial(subject, empty)
    if empty is not None and count >= 4 and trial is None:
        dropped.append(empty)
    return trials if trial is None else [*trials, trial]


def _sound(subject: Subject, source: Given) -> Trial:
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
            raise InputError(f"the forward changes its input {name!r}; work on a copy inside it")
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


def _point(inputs: Any) -> None:
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


def _whole(option: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{option}={value!r}; expected a whole number of at least {least}")


def _takes(role: str, function: Any, given: Sequence[str]) -> None:
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


def _callable(subject: Subject) -> None:
    for role, given in (("forward", subject.forward), ("vjp", subject.rule)):
        if not callable(given):
            raise InputError(f"{role} is {given!r}; expected a function")


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
        made = as_vjp(forward, jvp, _listed(take("constant", ())), bool(take("strict", False)), notes)
    subject = Subject(name, forward, made, _references(options.get("torch"), options.get("jax")))
    subject.replay = replay or subject.replay
    subject.warnings = notes
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


def _listed(constant: Any) -> Sequence[str | int]:
    if constant is None or isinstance(constant, str | int):
        return () if constant is None else (constant,)
    if not isinstance(constant, Iterable):
        raise InputError(f"constant={constant!r}; expected names of inputs, or their numbers from 0")
    return tuple(constant)


def _kind(x: Any) -> str:
    return f"{x.dtype} array" if isinstance(x, np.ndarray) else type(x).__name__


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
