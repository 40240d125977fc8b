"""What PyTorch's autograd says of a forward, in reverse and in forward mode. NumPy in, NumPy out.

    value:  z = f(x)          vjp:  xbar = J(x)^T zbar          jvp:  zdot = J(x) xdot

Float arrays (float16, float32, float64, bfloat16; longdouble as float64) and integer and bool arrays become
tensors of their dtype, everything else reaches the forward unchanged. Nothing returned shares memory with an
argument, and no setting of torch is left changed.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import numpy as np

from gradproof.errors import InputError
from gradproof.oracles.arguments import (
    Array,
    Value,
    check_outputs,
    check_wrt,
    framework,
    is_array,
    is_bfloat16,
    paired,
    private,
)

__all__ = ["Array", "Value", "jvp", "value", "vjp", "vjps"]

Forward = Callable[..., Any]

# Below this many elements in the inputs a thread pool costs more than it gives.
_SMALL = 1 << 16
# read by torch each time it makes a dual tensor
_SWITCH = "PYTORCH_JIT"


def value(forward: Forward, inputs: Sequence[Any], static: Mapping[str, Any] | None = None) -> Value:
    """f(x): the forward's output, or a tuple of its outputs.

    Raises MissingFramework without torch, and InputError when the forward returns no tensor; what the forward
    itself raises passes through.
    """
    torch = framework("torch")
    with _surroundings(torch, inputs):
        outputs, single = _apply(torch, forward, [_tensor(torch, x) for x in inputs], static)
        return _returned([_array(torch, out) for out in outputs], single)


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
    return vjps(forward, [(cotangent, inputs)], wrt, static)[0]


def vjps(
    forward: Forward,
    asked: Sequence[tuple[Any, Sequence[Any]]],
    wrt: Sequence[int] | None,
    static: Mapping[str, Any] | None = None,
) -> list[tuple[Value, tuple[Array, ...]]]:
    """`vjp` at many points, each a cotangent and inputs: a graph for each, and one run through those of a batch."""
    found: list[tuple[Value, tuple[Array, ...]]] = []
    batch: list[tuple[Any, Sequence[Any]]] = []
    room = _SMALL
    for cotangent, inputs in asked:
        size = sum(np.size(x) for x in inputs if is_array(x))
        if batch and size > room:
            found += _vjps(forward, batch, wrt, static)
            batch, room = [], _SMALL
        batch.append((cotangent, inputs))
        room -= size
    return found + _vjps(forward, batch, wrt, static) if batch else found


def _vjps(
    forward: Forward,
    asked: Sequence[tuple[Any, Sequence[Any]]],
    wrt: Sequence[int] | None,
    static: Mapping[str, Any] | None,
) -> list[tuple[Value, tuple[Array, ...]]]:
    torch = framework("torch")
    along: list[Any] = []
    leaves: list[list[Any]] = []
    values: list[tuple[tuple[Any, ...], bool]] = []
    with _surroundings(torch, asked[0][1]):
        for cotangent, inputs in asked:
            tensors = [_tensor(torch, x) for x in inputs]
            leaves.append([tensors[position].requires_grad_() for position in check_wrt(inputs, wrt)])
            outputs, single = _apply(torch, forward, tensors, static)
            values.append((outputs, single))
            given = paired(cotangent, [tuple(out.shape) for out in outputs], "cotangent", single=single)
            # <u, f(x)> as scalars: torch loads a second of its compiler where it is handed the cotangents
            along += [
                torch.dot(out.reshape(-1), _tensor(torch, np.asarray(u)).to(out.dtype).reshape(-1))
                for out, u in zip(outputs, given, strict=True)
                if out.requires_grad
            ]
        every = [leaf for own in leaves for leaf in own]
        gradients: Sequence[Any] = [torch.zeros_like(leaf) for leaf in every]
        if every and along:
            gradients = torch.autograd.grad(along, every, allow_unused=True, materialize_grads=True)
        left = iter(gradients)
        return [
            (
                _returned([_array(torch, out) for out in outputs], single),
                tuple(_array(torch, next(left)) for _ in own),
            )
            for (outputs, single), own in zip(values, leaves, strict=True)
        ]


def symbolic_zeros(forward: Forward, inputs: Sequence[Any], static: Mapping[str, Any] | None = None) -> bool:
    """Whether a rule may look at which inputs have tangents: any Function's may, by set_materialize_grads(False)."""
    return True


def jvp(
    forward: Forward,
    tangents: Any,
    inputs: Sequence[Any],
    wrt: Sequence[int] | None,
    static: Mapping[str, Any] | None = None,
    still: bool = False,
) -> tuple[Value, Value | None]:
    """f(x), and the derivative of f at x along `tangents`.

    tangents: a tuple of arrays, one for each position of `wrt`, of that input's shape. The derivative has the
    outputs' shapes and dtypes (zeros for an integer output), and is None where the forward has no forward
    mode: a custom Function without a jvp, or an operation PyTorch has none for. Raises as `vjp` does.

    still: constants have a tangent of zeros, where that gives numbers: for what PyTorch puts in its place it loads its
    compiler, two seconds. A Function's jvp then cannot tell them from what moves.
    """
    torch = framework("torch")
    wrt = check_wrt(inputs, wrt)
    shapes = [np.shape(inputs[position]) for position in wrt]
    given = paired(tangents, shapes, "tangent", single=len(wrt) == 1)

    def along(zeros: bool) -> tuple[Value, Value]:
        forward_ad = framework("torch.autograd.forward_ad")
        with _surroundings(torch, inputs), forward_ad.dual_level():
            duals = [_tensor(torch, x) for x in inputs]
            moved = {k: _tensor(torch, np.asarray(t)).to(duals[k].dtype) for k, t in zip(wrt, given, strict=True)}
            if zeros:
                constants = [k for k, x in enumerate(duals) if k not in moved and isinstance(x, torch.Tensor)]
                moved |= {k: torch.zeros_like(duals[k]) for k in constants if duals[k].is_floating_point()}
            for position, tangent in moved.items():
                with _without_decompositions():
                    dual: Any = forward_ad.make_dual
                    duals[position] = dual(duals[position], tangent)
            outputs, single = _apply(torch, forward, duals, static)
            pairs = [forward_ad.unpack_dual(out) for out in outputs]
            dots = [torch.zeros_like(out) if dot is None else dot for out, dot in pairs]
            return (
                _returned([_array(torch, out) for out, _ in pairs], single),
                _returned([_array(torch, dot) for dot in dots], single),
            )

    if still and len(wrt) < sum(is_array(x) for x in inputs):
        # zero times an infinite slope is NaN, and not every operation has a derivative by each argument
        with suppress(Exception):
            found, dots = along(zeros=True)
            every = dots if isinstance(dots, tuple) else (dots,)
            if all(np.isfinite(np.asarray(dot, np.float64)).all() for dot in every):
                return found, dots
    for attempt in range(2):
        if attempt:
            _load_decompositions()
        try:
            return along(zeros=False)
        except (NotImplementedError, RuntimeError) as reason:
            if "forward AD" not in str(reason) and "forward mode AD" not in str(reason):
                raise
    return value(forward, inputs, static), None


@contextmanager
def _surroundings(torch: Any, inputs: Sequence[Any]) -> Iterator[None]:
    """Gradients on, whatever the caller has set; one thread for tiny work, the caller's number afterwards."""
    threads: int = torch.get_num_threads()
    tiny = threads > 1 and sum(np.size(x) for x in inputs if is_array(x)) < _SMALL
    if tiny:
        torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        if tiny:
            torch.set_num_threads(threads)


@contextmanager
def _without_decompositions() -> Iterator[None]:
    """While it lasts, torch does not load its table of decompositions: a second, which few operations need."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before


@cache
def _load_decompositions() -> None:
    """Load the operations that have forward mode by way of others only."""
    with warnings.catch_warnings():
        # Loading it scripts functions of torch's own, and torch warns of itself; no forward is run here.
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", DeprecationWarning)
        if __debug__:  # torch does not load it under -O
            framework("torch._decomp.decompositions_for_jvp")


def _apply(
    torch: Any, forward: Forward, arguments: Sequence[Any], static: Mapping[str, Any] | None
) -> tuple[tuple[Any, ...], bool]:
    return check_outputs(forward(*arguments, **(static or {})), torch.Tensor, "torch")


def _returned(arrays: list[Array], single: bool) -> Value:
    return arrays[0] if single else tuple(arrays)


def _tensor(torch: Any, given: Any) -> Any:
    """The tensor of an array, of its dtype and in memory of its own; anything that is no array unchanged."""
    if not is_array(given):
        return given
    array = private(given)
    if is_bfloat16(array.dtype):  # torch reads no ml_dtypes: the bits pass as integers
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    try:
        return torch.from_numpy(array)
    except TypeError as reason:
        raise InputError(f"torch has no dtype for {array.dtype}; convert the input") from reason


def _array(torch: Any, tensor: Any) -> Array:
    """The array of a tensor, of its dtype and in memory of its own."""
    if tensor.dtype == torch.bfloat16:
        bits: Array = np.array(tensor.detach().contiguous().view(torch.int16).numpy(force=True), order="C")
        return bits.view(framework("ml_dtypes").bfloat16)
    return np.array(tensor.numpy(force=True), order="C")
