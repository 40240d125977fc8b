"""The same forward, backward and training step by hand in NumPy, by PyTorch eager and compiled, by JAX compiled.

forward    the output of the inputs
backward   the gradient of every input that has one, from the cotangent of the output; frameworks keep what
           their forward left behind, a jitted one is given the inputs and computes anew what it needs
step       one step of gradient descent: the loss, the gradients of the parameters, and p - rate dJ/dp
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.cases import Case
from benchmarks.race import threads
from gradproof.equation import Equation, Variant
from reference.networks import NETWORKS
from reference.operations import OPERATIONS

Array = np.ndarray[Any, np.dtype[Any]]
Tasks = dict[str, Callable[[], Any]]
RATE = 1e-9  # so small that PyTorch, which changes its parameters in place, stays where it is
FRAMEWORKS = ("torch", "compile", "jax")


class Problem:
    """One operation or network at one size: its declaration, its inputs, and what is to be computed."""

    def __init__(self, case: Case, dtype: str) -> None:
        name = case.name
        self.network = name in NETWORKS
        self.module = importlib.import_module(f"derivs.{'networks.' if self.network else ''}{name}")
        self.equation: Equation = self.module.EQUATION
        self.reference = (NETWORKS if self.network else OPERATIONS)[name]
        self.variant: Variant = self.equation.variants[case.variant]
        self.static = {**case.static, **self.variant.pinned}
        numbers = {**case.sizes, **{name: value for name, value in self.static.items() if isinstance(value, int)}}
        rng, shapes = np.random.default_rng(0), case.shapes or self.variant.shapes.input_shapes(numbers)
        self.inputs = [
            self._draw(rng, name, shape, numbers).astype(dtype)
            for name, shape in zip(self.variant.names, shapes, strict=True)
        ]
        output = () if self.network else self.variant.shapes.output_shapes(numbers)[0]
        self.cotangent = np.asarray(rng.standard_normal(output), dtype=dtype)
        self.wrt = [i for i, name in enumerate(self.variant.names) if name not in self.equation.constant]
        self.data = 2 if self.network else 0  # x and y, before the parameters

    def _draw(self, rng: np.random.Generator, name: str, shape: tuple[int, ...], sizes: dict[str, int]) -> Array:
        domain = self.equation.domain_of(name)
        if domain.word == "real":
            scale = 1 / np.sqrt(np.prod(shape[1:]) if len(shape) == 4 else shape[0]) if self.network else 1.0
            return np.asarray(rng.standard_normal(shape) * (1.0 if name == "x" else scale))
        return np.asarray(domain.draw(rng, shape, "random", sizes))

    def tasks(self, who: str) -> Tasks:
        """What `who` is timed at: forward and backward of an operation, the step of a network."""
        made: Tasks = getattr(self, f"_{who}")()
        return made

    def _numpy(self) -> Tasks:
        inputs, static = self.inputs, self.static
        if self.network:
            vjp, one = self.module.vjp, np.ones((), inputs[0].dtype)
            descend = importlib.import_module("derivs.gradient_descent").forward
            rate, names = np.asarray(RATE, inputs[0].dtype), self.variant.names[self.data :]

            def step() -> Any:
                loss, pullback = vjp(*inputs, **static)
                found = pullback(one, x_is_data=True)
                parameters = inputs[self.data :]
                return loss, [descend(p, found[name], rate) for p, name in zip(parameters, names, strict=True)]

            return {"step": step}
        forward, backward, z_bar = self.module.forward, self.module.backward, self.cotangent
        z = forward(*inputs, **static)
        return {
            "forward": lambda: forward(*inputs, **static),
            "backward": lambda: backward(z_bar, z, *inputs, **static),
        }

    def _torch(self, compiled: bool = False) -> Tasks:
        import torch

        torch.set_num_threads(threads())
        forward = self.reference.torch
        if compiled:
            torch._dynamo.reset()  # a limit of 8 shapes a function, else
            # The backward is timed again and again: what the forward left behind may not be given away.
            with torch._functorch.config.patch(donated_buffer=False):
                return self._torch_tasks(torch.compile(forward, dynamic=False, fullgraph=True), torch)
        return self._torch_tasks(forward, torch)

    def _compile(self) -> Tasks:
        return self._torch(compiled=True)

    def _torch_tasks(self, forward: Callable[..., Any], torch: Any) -> Tasks:
        static = self.static
        learned = range(self.data, len(self.inputs)) if self.network else self.wrt
        x = [torch.tensor(value, requires_grad=i in learned) for i, value in enumerate(self.inputs)]
        wanted = [x[i] for i in learned]
        if self.network:

            def step() -> Any:
                loss = forward(*x, **static)
                found = torch.autograd.grad(loss, wanted)
                with torch.no_grad():
                    for p, g in zip(wanted, found, strict=True):
                        p.sub_(g, alpha=RATE)
                return loss

            step()
            return {"step": step}
        z, z_bar = forward(*x, **static), torch.tensor(self.cotangent)
        torch.autograd.grad(z, wanted, z_bar, retain_graph=True)
        return {
            "forward": lambda: forward(*x, **static),
            "backward": lambda: torch.autograd.grad(z, wanted, z_bar, retain_graph=True),
        }

    def _jax(self) -> Tasks:
        import jax

        jax.config.update("jax_enable_x64", True)
        forward, static, ready = self.reference.jax, self.static, jax.block_until_ready
        x = [jax.numpy.asarray(value) for value in self.inputs]
        learned = tuple(range(self.data, len(x))) if self.network else tuple(self.wrt)

        def of(wanted: Sequence[Any], rest: Sequence[Any]) -> Any:
            whole = list(rest)
            for i, value in zip(learned, wanted, strict=True):
                whole[i] = value
            return forward(*whole, **static)

        if self.network:

            @jax.jit  # type: ignore[misc]  # jax is untyped here
            def descend(values: Any) -> Any:
                loss, found = jax.value_and_grad(of)([values[i] for i in learned], values)
                return loss, [values[i] - RATE * g for i, g in zip(learned, found, strict=True)]

            return {"step": lambda: ready(descend(x))}

        ahead = jax.jit(lambda values: forward(*values, **static))
        back = jax.jit(lambda u, values: jax.vjp(lambda w: of(w, values), [values[i] for i in learned])[1](u)[0])
        z_bar = jax.numpy.asarray(self.cotangent)
        return {"forward": lambda: ready(ahead(x)), "backward": lambda: ready(back(z_bar, x))}
