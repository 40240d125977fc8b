"""A torch function, custom backward and all, as a forward and a rule in NumPy terms.

    forward(*inputs) -> outputs          rule(cotangent, *inputs) -> gradients, by torch.autograd

Tensors share memory and keep the layout of the arrays they are made of (strides, and stride 0 where an array
is expanded), so that a backward that writes into its arguments, or assumes them contiguous, shows.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.errors import InputError
from gradproof.oracles.arguments import check_outputs, framework, is_array, is_bfloat16
from gradproof.oracles.framework_questions import primal
from gradproof.oracles.torch_questions import Questions

# so many points are asked everything that only torch can ask
ASKED = 12
Gradient = Any  # a tensor, or None where torch was given none


class TorchFunction:
    """`apply` in NumPy terms. positions: which inputs are differentiated; names: what they are called."""

    def __init__(
        self,
        apply: Callable[..., Any],
        positions: Callable[[Sequence[Any]], tuple[int, ...]],
        names: Callable[[int], Sequence[str]],
        *,
        strict: bool,
    ) -> None:
        self.torch = framework("torch")
        self.apply, self.positions, self.names, self.strict = apply, positions, names, strict
        self._asked: set[Any] = set()

    def forward(self, *inputs: Any) -> Any:
        """The outputs, without a graph."""
        with self._surroundings(), self.torch.no_grad():
            outputs, single = self.outputs([to_tensor(x) for x in inputs])
            arrays = [np.array(to_array(y), order="K") for y in outputs]
        return arrays[0] if single else tuple(arrays)

    def rule(self, cotangent: Any, *inputs: Any) -> tuple[Array | None, ...]:
        """The gradients torch gives, None where it gives none; raises Fault for what is wrong with the
        backward."""
        wrt = self.positions(inputs)
        given = cotangent if isinstance(cotangent, tuple) else (cotangent,)
        with self._surroundings(), self.torch.enable_grad():
            cotangents = [to_tensor(np.asarray(u)) for u in given]
            tensors = [to_tensor(x) for x in inputs]
            found = self.gradients(tensors, wrt, cotangents)
            gradients = self._private(found, cotangents, [tensors[i] for i in wrt])
            if self._first_time(inputs):
                primal(self.forward, self.graphed(inputs, wrt), inputs)
                Questions(self, inputs, self.names(len(inputs)), wrt, given, gradients).ask()
        placed = dict(zip(wrt, gradients, strict=True))
        return tuple(placed.get(i) for i in range(len(inputs)))

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        # a thread pool costs small tensors more than it gives
        threads: int = self.torch.get_num_threads()
        if threads > 1:
            self.torch.set_num_threads(1)
        try:
            with self.torch.inference_mode(False), warnings.catch_warnings():
                # what torch warns of at planted points (an empty axis, a division) is judged by its outcome
                warnings.simplefilter("ignore", UserWarning)
                yield
        finally:
            if threads > 1:
                self.torch.set_num_threads(threads)

    def outputs(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], bool]:
        return check_outputs(self.apply(*tensors), self.torch.Tensor, "torch")

    def gradients(self, tensors: list[Any], wrt: Sequence[int], cotangents: Sequence[Any]) -> list[Gradient]:
        for i in wrt:
            tensors[i].requires_grad_()
        outputs, _ = self.outputs(tensors)
        return self.back(outputs, [tensors[i] for i in wrt], cotangents)

    def graphed(self, inputs: Sequence[Any], wrt: Sequence[int]) -> list[Array]:
        """The outputs where the inputs at `wrt` require a gradient."""
        tensors = self.tensors(inputs)
        for i in wrt:
            tensors[i].requires_grad_()
        return [np.array(to_array(y)) for y in self.outputs(tensors)[0]]

    def tensors(self, arrays: Sequence[Any]) -> list[Any]:
        """Tensors over private copies of the arrays; what is no array unchanged."""
        return [to_tensor(np.array(x)) if is_array(x) else x for x in arrays]

    def arrays(self, gradients: Sequence[Gradient]) -> list[Array | None]:
        """Private arrays of what torch gave; None stays None."""
        return [None if g is None else np.array(to_array(self._dense(g))) for g in gradients]

    def _dense(self, g: Any) -> Any:
        return g.to_dense() if g.layout != self.torch.strided else g

    def back(
        self, outputs: Sequence[Any], leaves: Sequence[Any], cotangents: Sequence[Any], retain: bool = False
    ) -> list[Gradient]:
        reached = [(y, u) for y, u in zip(outputs, cotangents, strict=True) if y.requires_grad]
        if not reached:
            return [None] * len(leaves)
        ends, given = zip(*reached, strict=True)
        return list(self.torch.autograd.grad(ends, leaves, given, allow_unused=True, retain_graph=retain))

    def _private(
        self, found: Sequence[Gradient], cotangents: Sequence[Any], leaves: Sequence[Any]
    ) -> list[Array | None]:
        """Gradients as arrays over the memory torch gave, so that a reused buffer shows.

        Torch lets a backward hand on its own grad_output: that is copied, unless the check is strict.
        """
        taken = {t.untyped_storage().data_ptr() for t in (*cotangents, *leaves)}
        arrays: list[Array | None] = []
        for g in found:
            if g is None:
                arrays.append(None)
                continue
            dense = self._dense(g)
            place = dense.untyped_storage().data_ptr()
            array = to_array(dense)
            arrays.append(np.array(array, order="K") if place in taken and not self.strict else array)
            taken.add(place)
        return arrays

    def _first_time(self, inputs: Sequence[Any]) -> bool:
        key = tuple((np.shape(x), np.asarray(x).tobytes()) if is_array(x) else repr(x) for x in inputs)
        if key in self._asked or len(self._asked) >= ASKED:
            return False
        self._asked.add(key)
        return True


def to_tensor(given: Any) -> Any:
    """The tensor over an array's memory, in its layout where torch has it; what is no array unchanged.

    Torch has no negative strides and no read-only memory: such arrays are copied. Raises TypeError for the
    dtypes it lacks or that have no real derivative (longdouble, complex), which says that this forward has no
    finer form.
    """
    if isinstance(given, np.ndarray) and given.dtype == object:
        raise TypeError("torch has no arrays of Python objects")
    if not is_array(given):
        return given
    torch = framework("torch")
    array = np.asarray(given)
    if array.dtype.char == "g" or array.dtype.kind == "c":
        raise TypeError(f"a torch function is judged in real numbers that torch has, not in {array.dtype}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    shape = array.shape
    base = array
    if 0 in array.strides:
        once = (slice(0, 1) if s == 0 and n > 1 else slice(None) for n, s in zip(shape, array.strides, strict=True))
        base = array[tuple(once)]
    awkward = not base.flags.writeable or any(stride < 0 or stride % array.itemsize for stride in base.strides)
    base = np.array(base, order="K") if awkward else base
    if is_bfloat16(base.dtype):  # torch reads no ml_dtypes: the bits pass as integers
        tensor = torch.from_numpy(base.view(np.int16)).view(torch.bfloat16)
    else:
        try:
            tensor = torch.from_numpy(base)
        except TypeError as reason:
            raise InputError(f"torch has no dtype for {base.dtype}; convert the input") from reason
    return tensor.expand(shape) if tuple(base.shape) != shape else tensor


def to_array(tensor: Any) -> Array:
    """The array over a tensor's memory where NumPy can read it, else of a copy."""
    torch = framework("torch")
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if plain.dtype == torch.bfloat16:
        bits: Array = plain.view(torch.int16).numpy()
        return bits.view(framework("ml_dtypes").bfloat16)
    return np.asarray(plain.numpy())


def function_class(apply: Any) -> Any:
    """The torch.autograd.Function that `apply` is the apply of, or None for any other function."""
    owner = getattr(apply, "__self__", None)
    return owner if isinstance(owner, type) and issubclass(owner, framework("torch").autograd.Function) else None


def call_of(apply: Any) -> tuple[str, str]:
    """What a function is called, and the expression that calls it: ("Square", "Square.apply")."""
    if isinstance(apply, type) and issubclass(apply, framework("torch").autograd.Function):
        raise InputError(f"{apply.__name__} is the Function itself; give {apply.__name__}.apply")
    owner = function_class(apply)
    if owner is not None:
        return owner.__name__, f"{owner.__name__}.apply"
    name = str(getattr(apply, "__name__", type(apply).__name__))
    return name, name


def signature_of(apply: Any) -> inspect.Signature:
    """The signature that names the inputs: of a Function's forward without its ctx, of a module's forward."""
    torch = framework("torch")
    owner, told = function_class(apply), apply
    if owner is not None:
        apart = owner.setup_context is not torch.autograd.Function.setup_context
        told = owner.forward if apart else partial(owner.forward, None)
    elif isinstance(apply, torch.nn.Module):
        told = apply.forward
    try:
        return inspect.signature(told)
    except (TypeError, ValueError):  # torch's own operations in C++ have none
        return inspect.signature(lambda *x: None)


def has_jvp(apply: Any) -> bool:
    """Whether a Function brings a forward mode of its own."""
    owner = function_class(apply)
    return owner is not None and owner.jvp is not framework("torch").autograd.Function.jvp
