"""The same training three times: by the hand-written derivatives, by PyTorch's autograd and by JAX's.

    p := p - alpha dJ/dp      from one start, on the same batches, each with its own parameters, in float64

Rounding is all that may make them differ: max |a - b| / max |b| of a parameter array says by how much.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradproof.equation import Equation

Array = np.ndarray[Any, np.dtype[Any]]
# (x, y, parameters) -> loss and the gradient of each parameter
Gradient = Callable[[Array, Array, Sequence[Array]], tuple[float, Sequence[Array]]]


@dataclass
class Epoch:
    """How training stands: mean loss over the epoch's batches, and the largest difference by framework.

    `marked` is the difference after the step that was asked for, in the epoch that has it, and empty in
    others.
    """

    number: int
    steps: int
    loss: float
    difference: Mapping[str, float]
    marked: Mapping[str, float]
    parameters: Sequence[Array] = field(repr=False)


def by_hand(network: Equation, static: Mapping[str, Any]) -> Gradient:
    """The hand-written forward and backward; x and y are the network's first two inputs."""

    def gradient(x: Array, y: Array, parameters: Sequence[Array]) -> tuple[float, Sequence[Array]]:
        loss = network.forward(x, y, *parameters, **static)
        found = network.backward(np.ones(()), loss, x, y, *parameters, **static)
        return float(loss), [found[name] for name in names(network, 2 + len(parameters))[2:]]

    return gradient


def names(network: Equation, count: int) -> tuple[str, ...]:
    """The names of `count` inputs: those of the variant of the declaration that has so many."""
    return next(variant.names for variant in network.variants if len(variant.names) == count)


def by_autograd(vjp: Callable[..., Any], forward: Callable[..., Any], static: Mapping[str, Any]) -> Gradient:
    """A framework's reverse mode on its own forward; `vjp` is that of gradproof.oracles.torch or .jax."""

    def gradient(x: Array, y: Array, parameters: Sequence[Array]) -> tuple[float, Sequence[Array]]:
        wrt = tuple(range(2, 2 + len(parameters)))
        loss, found = vjp(forward, np.ones(()), (x, y, *parameters), wrt, static)
        return float(loss), found

    return gradient


def train(
    gradients: Mapping[str, Gradient],
    start: Sequence[Array],
    x: Array,
    y: Array,
    *,
    rate: float,
    batch: int,
    epochs: int,
    seed: int = 0,
    mark: int = 100,
) -> Iterator[Epoch]:
    """Train with each of `gradients`, of which the first is the hand-written one; yields after every epoch.

    An epoch is a fresh permutation in batches of one size, the remainder left out: JAX compiles a shape once.
    """
    rng = np.random.default_rng(seed)
    own = {name: [parameter.copy() for parameter in start] for name in gradients}
    hand, *others = gradients
    steps = 0
    for number in range(1, epochs + 1):
        order, losses, marked = rng.permutation(len(x)), [], {}
        for first in range(0, len(x) - batch + 1, batch):
            rows = order[first : first + batch]
            for name, gradient in gradients.items():
                loss, found = gradient(x[rows], y[rows], own[name])
                own[name] = [p - rate * g for p, g in zip(own[name], found, strict=True)]
                if name == hand:
                    losses.append(loss)
            steps += 1
            if steps == mark:
                marked = {name: difference(own[hand], own[name]) for name in others}
        now = {name: difference(own[hand], own[name]) for name in others}
        yield Epoch(number, steps, float(np.mean(losses)), now, marked, own[hand])


def difference(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """max |a - b| / max |b|, the largest over the parameter arrays; NaN where a parameter is NaN."""
    found = []
    for a, b in zip(ours, theirs, strict=True):
        distance, scale = float(np.max(np.abs(a - b))), float(np.max(np.abs(b)))
        found.append(distance / scale if scale else distance)
    return float(np.max(found))  # np.max, not max: it passes a NaN on


def predict(gradient: Gradient, x: Array, parameters: Sequence[Array]) -> Array:
    """The class of each image, by the hand-written derivative.

    For one image the gradient of the output layer's bias is a - y, (14) and (32), so with y the same for
    every class it ranks the classes as the network's output a does; with one output, the class is a > y =
    1/2.
    """
    classes = len(parameters[-1])
    undecided = np.full((1, classes), 0.5 if classes == 1 else 1.0 / classes)
    output = np.stack([gradient(image[None], undecided, parameters)[1][-1] for image in x])
    return np.argmax(output, axis=1) if classes > 1 else (output[:, 0] > 0).astype(np.int64)
