"""What JAX's autograd says of a forward, in reverse and in forward mode, in x64. NumPy in, NumPy out.

    value:  z = f(x)          vjp:  xbar = J(x)^T zbar          jvp:  zdot = J(x) xdot

Arrays (float16, float32, float64, bfloat16, longdouble as float64, integers, bool) are traced in their own
dtype, everything else reaches the forward unchanged. A forward is compiled once for its shapes; one that
looks at values while it is traced runs op by op instead, slowly. It must be a function of its arguments
alone: what it reads from elsewhere is frozen into the program. Nothing returned shares memory with an
argument.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradproof.errors import InputError
from gradproof.oracles.arguments import (
    Array,
    Value,
    check_outputs,
    check_wrt,
    framework,
    is_array,
    paired,
    private,
)
from gradproof.oracles.compilation import compiled, kept, use_cache

__all__ = ["Answers", "Array", "Batched", "Value", "jvp", "symbolic_zeros", "use_cache", "value", "vjp"]

Forward = Callable[..., Any]
_LIMIT = 512
# the code around the forward is part of what is compiled
_OURS = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
_programs: OrderedDict[Any, Callable[..., Any]] = OrderedDict()
_lock = threading.Lock()


class Answers(NamedTuple):
    """A forward's value, vjp and jvp at the same points; jvp is None where there is no forward mode."""

    value: Value
    vjp: tuple[Array, ...]
    jvp: Value | None


def value(forward: Forward, inputs: Sequence[Any], static: Mapping[str, Any] | None = None) -> Value:
    """f(x): the forward's output, or a tuple of its outputs.

    Raises MissingFramework without jax, and InputError when the forward returns no array; what the forward
    itself raises passes through.
    """
    return _numpy(_Call(forward, (), static).run("value", inputs))


def vjp(
    forward: Forward,
    cotangent: Any,
    inputs: Sequence[Any],
    wrt: Sequence[int] | None,
    static: Mapping[str, Any] | None = None,
) -> tuple[Value, tuple[Array, ...]]:
    """f(x), and the gradients of <cotangent, f(x)> by the inputs at the positions `wrt`, in order.

    wrt: None stands for every floating input. cotangent: of the output's shape; a tuple for a tuple of
    outputs (an integer output's is not read). A gradient has its input's shape and dtype, and is zero where
    the output does not depend on the input. Raises as `value` does, and InputError for an input without a
    derivative or a cotangent of another shape.
    """
    out, gradients = _Call(forward, wrt, static).run("vjp", inputs, cotangent=_listed(cotangent))
    return _numpy(out), _arrays(gradients)


def jvp(
    forward: Forward,
    tangents: Any,
    inputs: Sequence[Any],
    wrt: Sequence[int] | None,
    static: Mapping[str, Any] | None = None,
) -> tuple[Value, Value | None]:
    """f(x), and the derivative of f at x along `tangents`.

    tangents: a tuple of arrays, one for each position of `wrt`, of that input's shape. The derivative has
    the outputs' shapes and dtypes (zeros for an integer output), and is None where the forward has no
    forward mode: a custom_vjp. Raises as `vjp` does.
    """
    try:
        out, along = _Call(forward, wrt, static).run("jvp", inputs, tangents=_listed(tangents))
    except TypeError as reason:
        if not _reverse_only(reason):
            raise
        return value(forward, inputs, static), None
    return _numpy(out), _numpy(along)


def symbolic_zeros(forward: Forward, inputs: Sequence[Any], static: Mapping[str, Any] | None = None) -> bool:
    """Whether a custom rule inside the forward is told which inputs are differentiated, and may look at it."""
    jax = framework("jax")
    arrays = {k: private(x) for k, x in enumerate(inputs) if is_array(x)}

    def traced(held: dict[int, Any]) -> Any:
        return forward(*(held.get(k, x) for k, x in enumerate(inputs)), **dict(static or {}))

    with jax.enable_x64(True):
        try:
            return "symbolic_zeros=True" in str(jax.make_jaxpr(traced)(arrays))
        except Exception:  # a forward that looks at values cannot be traced
            return False


class Batched:
    """A forward's value, vjp and jvp at many points at once: one program for a shape, compiled once.

        Batched(forward, wrt, static)(inputs, cotangent, tangents) -> Answers

    Every array among inputs, cotangent and tangents, and every array that comes back, has a leading axis of
    size B: the points. What is no array is the same for all points. A forward that cannot be mapped over
    points is called a point at a time, with the same answers. Raises as `vjp` does.
    """

    def __init__(
        self, forward: Forward, wrt: Sequence[int] | None, static: Mapping[str, Any] | None = None
    ) -> None:
        self._call = _Call(forward, wrt, static)

    def __call__(self, inputs: Sequence[Any], cotangent: Any, tangents: Any) -> Answers:
        sizes = {
            np.shape(x)[:1] for x in (*filter(is_array, inputs), *_several(cotangent), *_several(tangents))
        }
        if len(sizes) != 1 or () in sizes:
            raise InputError(
                f"the arrays of a batch have the leading sizes {sorted(sizes)}; expected one leading axis, "
                f"of the same size for inputs, cotangent and tangents"
            )
        u, dx, count = _listed(cotangent), _listed(tangents), sizes.pop()[0]
        try:
            out, gradients, along = self._call.run("all", inputs, u, dx, batched=True)
        except InputError:
            raise
        except Exception as reason:
            if _reverse_only(reason):
                out, gradients = self._call.run("vjp", inputs, u, batched=True)
                return Answers(_numpy(out), _arrays(gradients), None)
            if count == 0:
                raise
            # No batching rule, or values looked at: a forward at fault says so again at its first point.
            out, gradients, along = self._one_by_one(inputs, u, dx, count)
        return Answers(_numpy(out), _arrays(gradients), _numpy(along))

    def _one_by_one(self, inputs: Sequence[Any], cotangent: Any, tangents: Any, count: int) -> Any:
        jax = framework("jax")
        points = []
        for number in range(count):
            at = [np.asarray(x[number]) if is_array(x) else x for x in inputs]
            u, dx = (jax.tree.map(lambda x, n=number: x[n], tree) for tree in (cotangent, tangents))
            points.append(self._call.run("all", at, u, dx))
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *points)


class _Call:
    """A forward, the positions to differentiate and the static parameters, made into programs for JAX."""

    def __init__(self, forward: Forward, wrt: Sequence[int] | None, static: Mapping[str, Any] | None) -> None:
        self.forward, self.static = forward, dict(static or {})
        self.wrt = None if wrt is None else tuple(wrt)

    def run(
        self,
        kind: str,
        inputs: Sequence[Any],
        cotangent: Any = (),
        tangents: Any = (),
        *,
        batched: bool = False,
    ) -> Any:
        """The program of `kind` (value, vjp, jvp, all) at these inputs, compiled where it has not been."""
        jax = framework("jax")
        wrt = check_wrt(inputs, self.wrt)
        arrays = {position: private(x) for position, x in enumerate(inputs) if is_array(x)}
        fixed = {position: x for position, x in enumerate(inputs) if position not in arrays}
        operands = (arrays, cotangent, tangents)
        # Other precisions than the highest exist on other devices only.
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            try:
                named = _frozen((self.forward, self.static, fixed))
                key = (kind, batched, wrt, named, _signature(jax, operands))
                hash(key)
            except TypeError:  # something unhashable: nothing tells whether it is the same the next time
                key = None
            with _lock:
                program = _programs.get(key)
            if program is None:
                program = self._compiled(jax, kind, wrt, fixed, operands, batched)
            if key is None:
                return program(*operands)
            with _lock:
                _programs[key] = program
                _programs.move_to_end(key)
                while len(_programs) > _LIMIT:
                    _programs.popitem(last=False)
            return program(*operands)

    def _compiled(
        self,
        jax: Any,
        kind: str,
        wrt: tuple[int, ...],
        fixed: Mapping[int, Any],
        operands: Any,
        batched: bool,
    ) -> Callable[..., Any]:
        program = self._program(jax, kind, wrt, fixed)
        leaves, tree = jax.tree.flatten(operands)
        signature = [str(tree), *((leaf.shape, leaf.dtype.name) for leaf in leaves)]
        about = (_OURS, self.forward, self.static, fixed, kind, wrt, batched, signature)
        if batched:
            return compiled(lambda: _mapped(jax, program, operands), operands, about)
        try:
            return compiled(lambda: program, operands, about)
        except (
            jax.errors.JAXTypeError,
            jax.errors.JAXIndexError,
        ):  # it looks at values: they are there op by op

            def eager(*given: Any) -> Any:
                with kept():
                    return program(*given)

            return eager

    def _program(
        self, jax: Any, kind: str, wrt: tuple[int, ...], fixed: Mapping[int, Any]
    ) -> Callable[..., Any]:
        jnp = jax.numpy
        kinds = (jax.Array, np.ndarray, np.generic, float, int)

        def program(arrays: dict[int, Any], cotangent: Any, tangents: Any) -> Any:
            held = {**fixed, **{position: jnp.asarray(x) for position, x in arrays.items()}}
            leaves = tuple(held[position] for position in wrt)

            def outputs(*moved: Any) -> tuple[tuple[Any, ...], Any]:
                at = {**held, **dict(zip(wrt, moved, strict=True))}
                result = self.forward(*(at[position] for position in range(len(at))), **self.static)
                listed, single = check_outputs(result, kinds, "jax")
                out = tuple(jnp.asarray(one) for one in listed)
                # What is not floating has no derivative, and rides along.
                return tuple(one for one in out if _inexact(jnp, one)), out[0] if single else out

            if kind == "value":
                return outputs(*leaves)[1]
            answers: list[Any] = []
            if kind in ("vjp", "all"):
                _, pull, out = jax.vjp(outputs, *leaves, has_aux=True)
                given = paired(
                    cotangent,
                    [o.shape for o in _several(out)],
                    "cotangent",
                    single=not isinstance(out, tuple),
                )
                pairs = zip(given, _several(out), strict=True)
                answers = [out, pull(tuple(jnp.asarray(u, o.dtype) for u, o in pairs if _inexact(jnp, o)))]
            if kind in ("jvp", "all"):
                given = paired(tangents, [x.shape for x in leaves], "tangent", single=len(leaves) == 1)
                dx = tuple(jnp.asarray(t, x.dtype) for t, x in zip(given, leaves, strict=True))
                _, dots, out = jax.jvp(outputs, leaves, dx, has_aux=True)
                left = iter(dots)
                along = tuple(next(left) if _inexact(jnp, o) else jnp.zeros_like(o) for o in _several(out))
                answers = [*(answers or [out]), along if isinstance(out, tuple) else along[0]]
            return tuple(answers)

        return program


def _mapped(jax: Any, program: Callable[..., Any], operands: Any) -> Callable[..., Any]:
    """The program over a leading axis of points: all at once, but a point after the other where it convolves.

    A convolution with a kernel a point becomes one of many groups, which XLA computes ten times slower.
    """
    first = jax.tree.map(lambda leaf: leaf[0], operands) if len(jax.tree.leaves(operands)[0]) else None
    if first is not None and "conv_general_dilated" in str(jax.make_jaxpr(program)(*first)):
        return lambda *given: jax.lax.map(lambda point: program(*point), given)
    mapped: Callable[..., Any] = jax.vmap(program)
    return mapped


def _reverse_only(reason: BaseException) -> bool:
    return isinstance(reason, TypeError) and "custom_vjp" in str(reason)


def _inexact(jnp: Any, array: Any) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.inexact))


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _listed(given: Any) -> Any:
    """Cotangents or tangents as arrays of our own, single or a tuple as they came."""
    return tuple(private(one) for one in given) if isinstance(given, tuple | list) else private(given)


def _arrays(given: Any) -> tuple[Array, ...]:
    return tuple(np.array(one) for one in given)


def _numpy(given: Any) -> Value:
    return _arrays(given) if isinstance(given, tuple) else np.array(given)


def _signature(jax: Any, operands: Any) -> Any:
    leaves, tree = jax.tree.flatten(operands)
    return tree, tuple((leaf.shape, leaf.dtype.name) for leaf in leaves)


def _frozen(given: Any) -> Any:
    """A key that tells apart what Python calls equal: 1, 1.0 and True; 0.0 and -0.0."""
    if isinstance(given, np.ndarray):
        return np.ndarray, given.shape, given.dtype.str, given.tobytes()
    if isinstance(given, Mapping):
        return dict, tuple((_frozen(name), _frozen(one)) for name, one in given.items())
    if isinstance(given, tuple | list):
        return type(given), tuple(_frozen(one) for one in given)
    return type(given), given.hex() if isinstance(given, float) else given
