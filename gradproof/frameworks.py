"""Derivatives written inside a framework, judged on the same road as one written in NumPy.

    result = gradproof.check_torch(Square.apply, (x,))     a torch.autograd.Function, or any torch function
    result = gradproof.check_jax(square, (x,))             a jax.custom_vjp or custom_jvp, or any jax function

The function gives the forward and, through its framework's autodiff, the rule. The truth is differences,
balls and kinks of its own forward, in float64; a reference (`torch=`, `jax=`) is an independent forward of
the same map.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, parameter_names
from gradproof.checking import check_jvp, check_vjp
from gradproof.defaults import chosen_examples, chosen_seed
from gradproof.errors import InputError
from gradproof.oracles import framework_questions
from gradproof.oracles.arguments import framework
from gradproof.sampling.sample import is_float
from gradproof.sampling.shapes import Shapes
from gradproof.verdict import Result, Verdict

# forward mode is judged column by column: beyond so many entries or points it costs more than it tells
MOST_COLUMNS = 256
JVP_EXAMPLES = 6
# so many points are asked whether a derivative comes with the function's own value
ASKED = 3

Inputs = tuple[Any, ...] | Callable[[np.random.Generator], tuple[Any, ...]]


def check_torch(apply: Callable[..., Any], inputs: Inputs, **options: Any) -> Result:
    """Judge the backward of a `torch.autograd.Function` (give `Function.apply`) or of any function of torch.

    inputs: a tuple of NumPy arrays or tensors, or `sampler(rng) -> tuple` of them; every floating one is
    differentiated that constant= does not name, whatever its requires_grad says. Options as in `check_vjp`.
    Beyond the contract of a vjp: each subset of the inputs requiring a gradient, a second backward through
    one graph (retain_graph), another forward before the backward, unused outputs, expanded and non-contiguous
    cotangents; and the Function's jvp, where it has one. Raises InputError for the caller's own mistakes,
    MissingFramework without torch.
    """
    framework("torch")
    from gradproof.oracles import torch as engine
    from gradproof.oracles import torch_function

    if not callable(apply):
        raise InputError(f"check_torch is given {apply!r}; expected Function.apply or a function of torch")
    subject = _Function(apply, *torch_function.call_of(apply), torch_function.signature_of(apply), options)
    inside = torch_function.TorchFunction(
        apply, subject.positions, subject.names, strict=bool(options.get("strict", False))
    )
    points = _numpy(inputs)
    result = check_vjp(subject.known(inside.forward), subject.known(inside.rule), points, **options)
    result = _replayed(result, _torch_lines(_expression(subject.call), result.inputs), subject.names)
    if not torch_function.has_jvp(apply):
        return result
    return _with_forward_mode(result, engine, subject, inside.forward, points)


def check_jax(fn: Callable[..., Any], inputs: Inputs, **options: Any) -> Result:
    """Judge what jax differentiates a function to: a custom_vjp or custom_jvp, or any function of jax.

    Reverse mode is judged, and forward mode where there is one. inputs: a tuple of arrays, or `sampler(rng)
    -> tuple` of them, NumPy's or jax's; what is no array reaches the function unchanged, as a static
    argument. Everything runs in x64, each array in its own dtype, jitted once a shape. Options as in
    `check_vjp`; verdicts on forward mode bear the check `jvp`. Raises InputError for the caller's own
    mistakes, MissingFramework without jax.
    """
    framework("jax")
    from gradproof.oracles import jax as engine

    if not callable(fn):
        raise InputError(f"check_jax is given {fn!r}; expected a function of jax")
    name = str(getattr(fn, "__name__", type(fn).__name__))
    subject = _Function(fn, name, name, _signature(fn), options)

    def forward(*x: Any) -> Any:
        return engine.value(fn, _real(x))

    asked: set[Any] = set()

    def rule(cotangent: Any, *x: Any) -> tuple[Array | None, ...]:
        wrt = subject.positions(x)
        made, gradients = engine.vjp(fn, cotangent, _real(x), wrt)
        found = dict(zip(wrt, gradients, strict=True))
        point = tuple(a.tobytes() if isinstance(a, np.ndarray) else repr(a) for a in x)
        if point not in asked and len(asked) < ASKED:
            asked.add(point)
            framework_questions.primal(forward, made, x)
            if len(asked) == 1 and len(wrt) > 1 and engine.symbolic_zeros(fn, x):
                names = subject.names(len(x))
                framework_questions.partial_gradients(partial(engine.vjp, fn, cotangent), x, wrt, names, gradients)
        return tuple(found.get(i) for i in range(len(x)))

    points = _numpy(inputs)
    result = check_vjp(subject.known(forward), subject.known(rule), points, **options)
    result = _replayed(result, _jax_lines(_expression(name), result.inputs), subject.names)
    return _with_forward_mode(result, engine, subject, forward, points)


@dataclass(frozen=True)
class _Function:
    """A framework's function: what it is called, how it is called, what its parameters are, what was
    asked."""

    run: Callable[..., Any]
    name: str
    call: str
    signature: inspect.Signature
    options: dict[str, Any]
    told: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def known(self, function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
        """Another function under this one's name and parameters: what a reader of the result knows."""

        def named(*x: Any) -> Any:
            return function(*x)

        named.__name__ = named.__qualname__ = name or self.name
        named.__signature__ = self.signature  # type: ignore[attr-defined]  # what inspect.signature reads first
        return named

    def parameters(self, count: int) -> tuple[str, ...]:
        if count not in self.told:
            self.told[count] = parameter_names(self.known(self.run), count)
        return self.told[count]

    def names(self, count: int) -> tuple[str, ...]:
        shapes = self.options.get("shapes")
        return (
            tuple(slot.name for slot in Shapes.parse(shapes).inputs)
            if isinstance(shapes, str)
            else self.parameters(count)
        )

    def positions(self, inputs: Sequence[Any]) -> tuple[int, ...]:
        """Floating inputs that constant= does not name, by number, by parameter or by name in the shape
        string."""
        count = len(inputs)
        given = self.options.get("constant", ())
        listed = (given,) if isinstance(given, str | int) else tuple(given)
        both = (self.parameters(count), self.names(count))
        fixed = {c % count for c in listed if isinstance(c, int)} | {
            names.index(c) for names in both for c in listed if c in names
        }
        return tuple(i for i, x in enumerate(inputs) if is_float(x) and i not in fixed)


def _with_forward_mode(
    result: Result, engine: Any, subject: _Function, forward: Callable[..., Any], points: Inputs
) -> Result:
    """The result with verdicts on forward mode, where the function has one."""
    options = subject.options
    first = points(np.random.default_rng((chosen_seed(options.get("seed")), 0))) if callable(points) else points
    wrt = subject.positions(first)
    ones = tuple(np.ones(np.shape(first[i]), np.asarray(first[i]).dtype) for i in wrt)
    with suppress(Exception):  # what the jvp raises is judged below
        if engine.jvp(subject.run, ones, first, wrt)[1] is None:
            return result  # reverse mode only
    size = sum(t.size for t in ones)
    if size > MOST_COLUMNS:
        return _dual(result, engine, subject, first, wrt)

    asked: set[bool] = set()

    def jvp(tangents: Any, *x: Any) -> Any:
        given, at = tangents if isinstance(tangents, tuple) else (tangents,), subject.positions(x)
        if not asked and len(at) > 1:
            asked.add(True)
            if engine.symbolic_zeros(subject.run, x):
                names, drawn = subject.names(len(x)), [np.asarray(np.full(t.shape, 0.75), t.dtype) for t in given]
                framework_questions.partial_tangents(partial(engine.jvp, subject.run), x, at, names, drawn)
        return engine.jvp(subject.run, given, _real(x), at)[1]

    few = {**options, "examples": min(chosen_examples(options.get("examples")), JVP_EXAMPLES)}
    name = f"{subject.name} in forward mode"
    second = check_jvp(subject.known(forward), subject.known(jvp, name), points, **few)
    refused = result.refused
    result.found += tuple(replace(v, check="jvp") if v.check == "vjp" else v for v in second.verdicts)
    if second.refused and not refused:
        result.where_found, result.causes_found, result.warnings = (
            second.where,
            second.causes,
            second.warnings,
        )
        result.reproduce, result.explanation = second.reproduce, str(second)
        lines = _jvp_lines(engine.__name__, _expression(subject.call), result.inputs)
        return _replayed(result, lines, subject.names)
    if not refused:
        result.explanation += f"\n  forward mode: {second.word} ({len(second.samples)} samples)"
    return result


def _dual(result: Result, engine: Any, subject: _Function, point: tuple[Any, ...], wrt: tuple[int, ...]) -> Result:
    """The result with forward mode held against reverse mode alone, at the caller's own point."""
    names = subject.names(len(point))
    size, home = sum(int(np.size(point[i])) for i in wrt), engine.__name__.rpartition(".")[2]
    if not result.refused:

        def vjp(u: list[Array], at: Sequence[Any], wrt: Sequence[int]) -> Any:
            return engine.vjp(subject.run, tuple(u) if len(u) > 1 else u[0], at, wrt)[1]

        wrong = framework_questions.duality(vjp, partial(engine.jvp, subject.run), point, wrt)
        for i, (one, other) in wrong.items():
            said = f"forward mode contradicts reverse mode: <u, J v> is {one:.9g}, <J^T u, v> is {other:.9g}"
            result.found += (Verdict(names[i], home, "jvp", "0:given", "differs", abs(one - other), note=said),)
        if wrong:
            called, (one, other) = names[min(wrong)], wrong[min(wrong)]
            result.causes_found = ("modes",)
            result.explanation = (
                f"{subject.name} in forward mode: the derivative along {called} is wrong\n"
                f"  oracle {home}, check jvp, sample 0:given\n"
                f"  along a random direction v <u, J v> is {one:.9g}; in reverse mode <J^T u, v> is {other:.9g}"
            )
            return result
    few = f"the inputs have {size} entries, more than {MOST_COLUMNS}"
    note = f"forward mode was held against reverse mode alone: {few}; give smaller ones to have it judged by itself"
    result.warnings += (note,)
    result.explanation += f"\n  note: {note}"
    return result


# ---- positions and arrays ------------------------------------------------------------------------------


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return inspect.signature(lambda *x: None)


def _numpy(inputs: Any) -> Any:
    """Tensors and jax arrays as NumPy's, in a tuple or in what a sampler gives; anything else unchanged."""
    if callable(inputs):
        return lambda rng: _numpy(inputs(rng))
    return tuple(_array(x) for x in inputs) if isinstance(inputs, tuple) else inputs


def _array(x: Any) -> Any:
    home = type(x).__module__.partition(".")[0]
    if home == "torch" and hasattr(x, "detach"):
        from gradproof.oracles.torch_function import to_array

        return np.array(to_array(x))
    if home in ("jax", "jaxlib") and hasattr(x, "dtype") and hasattr(x.dtype, "kind"):
        return np.array(x)
    return x


def _real(inputs: Sequence[Any]) -> Sequence[Any]:
    """The inputs, unless they ask for arithmetic that this function is not judged in."""
    for x in inputs:
        if (isinstance(x, np.ndarray) and x.dtype.kind in "cO") or (is_float(x) and np.asarray(x).dtype.char == "g"):
            raise TypeError(f"a function of jax is judged in its own real dtypes, not in {x.dtype}")
    return inputs


# ---- lines that replay ----------------------------------------------------------------------------------


def _replayed(
    result: Result, lines: Callable[[Sequence[str]], list[str]], names: Callable[[int], Sequence[str]]
) -> Result:
    """The result with its last lines, which call a vjp or a jvp, in the words of the framework."""
    old = result.reproduce.splitlines()
    call = next((k for k, line in enumerate(old) if line.startswith("tangents = ")), len(old) - 1)
    given = [line.partition(" = ")[0] for line in old[:call] if " = " in line and line[:1].isalpha()]
    if "cotangent" not in given:
        return result  # nothing failed, or the point is too large to be written out
    new = [*old[:call], *lines(names(len(given) - 1))]
    before, after = ("\n".join("    " + line for line in part) for part in (old, new))
    result.explanation = result.explanation.replace(before, after)
    result.reproduce = "\n".join(new)
    return result


def _expression(call: str) -> str:
    """The call as it can be pasted: a lambda, or an object, is called fn."""
    return call if all(part.isidentifier() for part in call.split(".")) else "fn"


def _torch_lines(call: str, wrt: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    def lines(arguments: Sequence[str]) -> list[str]:
        ends = ", ".join(wrt)
        return [
            "from gradproof.oracles.torch_function import to_tensor",
            *(f"{x} = to_tensor({x}){'.requires_grad_()' if x in wrt else ''}" for x in arguments),
            "u = [to_tensor(c) for c in (cotangent if isinstance(cotangent, tuple) else (cotangent,))]",
            "import torch",
            f"z = {call}({', '.join(arguments)})",
            f"print(torch.autograd.grad(z, ({ends},), u, allow_unused=True))",
        ]

    return lines


def _jax_lines(name: str, wrt: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    def lines(arguments: Sequence[str]) -> list[str]:
        ends = ", ".join(wrt)
        pulled = f"jax.vjp(lambda {ends}: {name}({', '.join(arguments)}), {ends})[1](cotangent)"
        return ["import jax", "with jax.enable_x64(True):", f"    print({pulled})"]

    return lines


def _jvp_lines(engine: str, call: str, wrt: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
    """The derivative along ones, at the failing point."""

    def lines(arguments: Sequence[str]) -> list[str]:
        ends = "".join(f"np.ones_like({x}), " for x in wrt)
        places = tuple(arguments.index(x) for x in wrt)
        return [
            f"from {engine} import jvp",
            f"print(jvp({call}, ({ends}), ({', '.join(arguments)},), {places})[1])",
        ]

    return lines
