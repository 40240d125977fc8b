"""The truth about what the paper prints: PyTorch's and JAX's derivatives of its maps.

Autograd gives the derivative of any stage of a map with respect to any other, what is not downstream of
the second held fixed, and one step of gradient descent. Everything is float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from reference.frameworks import jax, jnp, torch
from reference.paper_maps import maps

Quantity = tuple[
    str, str
]  # ("Z", "") a value, ("J", "W") a derivative, ("step", "W") W after one step of gradient descent
TORCH_LINE, JAX_LINE = 0, 1
# A shape is run a few times only: the time goes into compiling it, so XLA is told not to optimise.
CHEAP = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def torch_answer(setting: str, inputs: Mapping[str, Any], quantity: Quantity) -> Any:
    """`quantity` at one point, by PyTorch; inputs that are ints are static. Raises KeyError where there
    is no such value.
    """
    values: dict[str, Any] = {
        name: value if isinstance(value, int) else torch.tensor(np.asarray(value))
        for name, value in inputs.items()
    }
    of, wrt = quantity
    if of == "step":
        weights = torch.nn.Parameter(values[wrt].clone())
        _run(setting, {**values, wrt: weights}, "J", TORCH_LINE).backward()
        torch.optim.SGD([weights], lr=float(inputs["alpha"])).step()
        return weights.detach().numpy()
    if not wrt:
        return _run(setting, values, of, TORCH_LINE).numpy()
    here = _run(setting, values, wrt, TORCH_LINE)
    return torch.func.jacrev(lambda value: _run(setting, {**values, wrt: value}, of, TORCH_LINE))(
        here
    ).numpy()


def jax_answer(
    setting: str, batch: Sequence[Mapping[str, Any]], quantities: Sequence[Quantity]
) -> list[dict[Quantity, Any]]:
    """The quantities at points of equal shapes and equal static inputs, by JAX: compiled once, all points
    at once.
    """
    static = tuple((name, value) for name, value in sorted(batch[0].items()) if isinstance(value, int))
    with jax.enable_x64(True):
        moving = [name for name, value in batch[0].items() if not isinstance(value, int)]
        stacked = {name: jnp.stack([jnp.asarray(point[name]) for point in batch]) for name in moving}
        answers = [np.asarray(answer) for answer in _compiled(setting, static, tuple(quantities))(stacked)]
    return [
        dict(zip(quantities, (answer[number] for answer in answers), strict=True))
        for number in range(len(batch))
    ]


@lru_cache
def _compiled(
    setting: str, static: tuple[tuple[str, int], ...], quantities: tuple[Quantity, ...]
) -> Callable[..., Any]:
    def every(values: dict[str, Any]) -> list[Any]:
        return [_jax_quantity(setting, {**values, **dict(static)}, quantity) for quantity in quantities]

    program: Callable[..., Any] = jax.jit(jax.vmap(every), compiler_options=CHEAP)
    return program


def _jax_quantity(setting: str, values: dict[str, Any], quantity: Quantity) -> Any:
    of, wrt = quantity
    if of == "step":
        slope = jax.grad(lambda value: _run(setting, {**values, wrt: value}, "J", JAX_LINE))(values[wrt])
        return values[wrt] - values["alpha"] * slope
    if not wrt:
        return _run(setting, values, of, JAX_LINE)
    here = _run(setting, values, wrt, JAX_LINE)
    return jax.jacrev(lambda value: _run(setting, {**values, wrt: value}, of, JAX_LINE))(here)


def _run(setting: str, values: Mapping[str, Any], target: str, line: int) -> Any:
    """The forward pass up to `target`; a stage whose value is given is not computed."""
    known = dict(values)
    for name, reads, *lines in maps()[setting]:
        if target in known:
            break
        if name not in known:
            known[name] = lines[line](*(known[read] for read in reads.split()))
    return known[target]
