"""The truth about what the paper prints: PyTorch's and JAX's derivatives of its maps.

Autograd gives the derivative of any stage of a map with respect to any other, what is not downstream of
the second held fixed, and one step of gradient descent. Everything is float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gradproof.oracles.compilation import compiled
from reference.frameworks import jax, torch
from reference.paper_maps import maps

Quantity = tuple[
    str, str
]  # ("Z", "") a value, ("J", "W") a derivative, ("step", "W") W after one step of gradient descent
TORCH_LINE, JAX_LINE = 0, 1
# what is done with the stages is part of a compiled program
_OURS = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def torch_answers(setting: str, inputs: Mapping[str, Any]) -> Callable[[Quantity], Any]:
    """Any quantity at one point, by PyTorch: one forward pass for all; inputs that are ints are static. What comes
    back raises KeyError where there is no such value.
    """
    values = {
        name: value if isinstance(value, int) else torch.tensor(np.asarray(value), requires_grad=True)
        for name, value in inputs.items()
    }
    with _one_thread():
        known = _run(setting, values, TORCH_LINE)

    def answer(quantity: Quantity) -> Any:
        with _one_thread():
            return _torch_quantity(known, quantity).detach().numpy()

    return answer


@contextmanager
def _one_thread() -> Iterator[None]:
    """The samples are tiny: a pool of threads costs more than it computes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _torch_quantity(known: dict[str, Any], quantity: Quantity) -> Any:
    of, wrt = quantity
    if of == "step":
        from torch.optim.sgd import sgd

        weights = known[wrt].detach().clone()
        # what torch.optim.SGD calls: the class and torch.func load PyTorch's compiler, which takes a second
        plain = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
        slope = _torch_slope(known["J"], known[wrt])
        sgd([weights], [slope], [None], foreach=False, lr=known["alpha"].item(), **plain)
        return weights
    if not wrt:
        return known[of]
    rows = [_torch_slope(entry, known[wrt]) for entry in known[of].reshape(-1)]
    return torch.stack(rows).reshape((*known[of].shape, *known[wrt].shape))


def _torch_slope(scalar: Any, wrt: Any) -> Any:
    """The gradient of one number by a stage of the same run: what is not downstream of the stage is constant."""
    if not scalar.requires_grad:
        return torch.zeros_like(wrt)
    (slope,) = torch.autograd.grad(scalar, wrt, retain_graph=True, allow_unused=True)
    return torch.zeros_like(wrt) if slope is None else slope


def jax_answer(
    setting: str, batch: Sequence[Mapping[str, Any]], quantities: Sequence[Quantity]
) -> list[dict[Quantity, Any]]:
    """The quantities at points of equal shapes and equal static inputs, by JAX: compiled once, all points at
    once.
    """
    static = tuple((name, value) for name, value in sorted(batch[0].items()) if isinstance(value, int))
    with jax.enable_x64(True):
        moving = [name for name, value in batch[0].items() if not isinstance(value, int)]
        stacked = {name: np.stack([np.asarray(point[name], np.float64) for point in batch]) for name in moving}
        program = _compiled(setting, static, tuple(quantities), stacked)
        answers = [np.asarray(answer) for answer in program(stacked)]
    points = ([answer[number] for answer in answers] for number in range(len(batch)))
    return [dict(zip(quantities, point, strict=True)) for point in points]


def _compiled(
    setting: str, static: tuple[tuple[str, int], ...], quantities: tuple[Quantity, ...], stacked: dict[str, Any]
) -> Callable[..., Any]:
    """All quantities at once, for arrays of these shapes; kept from one run to the next."""

    def every(values: dict[str, Any]) -> list[Any]:
        known = _run(setting, {**values, **dict(static)}, JAX_LINE)
        return [_jax_quantity(setting, known, quantity) for quantity in quantities]

    stages = [(name, reads, lines[JAX_LINE]) for name, reads, *lines in maps()[setting]]
    shapes = [(name, array.shape, array.dtype.name) for name, array in stacked.items()]
    about = (_OURS, stages, static, quantities, shapes)
    return compiled(lambda: jax.vmap(every), (stacked,), about)


def _jax_quantity(setting: str, known: dict[str, Any], quantity: Quantity) -> Any:
    of, wrt = quantity
    if of == "step":
        slope = jax.grad(_downstream(setting, known, "J", wrt, JAX_LINE))(known[wrt])
        return known[wrt] - known["alpha"] * slope
    if not wrt:
        return known[of]
    return jax.jacrev(_downstream(setting, known, of, wrt, JAX_LINE))(known[wrt])


def _downstream(setting: str, known: Mapping[str, Any], of: str, wrt: str, line: int) -> Callable[[Any], Any]:
    """`of` as a function of `wrt`: what depends on `wrt` is computed again, everything else is as it was."""
    moved = {wrt}
    for name, reads, *_ in maps()[setting]:
        if moved & set(reads.split()):
            moved.add(name)
    fixed = {name: value for name, value in known.items() if name not in moved}
    return lambda value: _run(setting, {**fixed, wrt: value}, line, of)[of]


def _run(setting: str, values: Mapping[str, Any], line: int, target: str = "") -> dict[str, Any]:
    """The forward pass, up to `target` where one is named; a stage whose value is given is not computed."""
    known = dict(values)
    for name, reads, *lines in maps()[setting]:
        if target in known:
            break
        if name not in known:
            known[name] = lines[line](*(known[read] for read in reads.split()))
    return known
