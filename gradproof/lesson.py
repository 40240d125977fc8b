"""What a network is trained on and from where, read off its declaration: images, layer sizes, the start.

A network whose second input is a distribution over classes learns the ten digits; one with probabilities
learns to tell a 1 from a 7. x with four axes is an image, with two a row of pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof import digits
from gradproof.equation import Equation
from gradproof.training import Array

QUESTION = (1, 7)  # the two digits a binary network tells apart
HIDDEN, MAPS, KERNEL = (
    64,
    16,
    3,
)  # units of a hidden layer, maps of the first block (twice as many next), kernel size
RATE, BATCH, EPOCHS = 0.1, 16, 15
STATIC = {"stride": 1, "pad": 1, "pool": 2}


@dataclass(frozen=True)
class Lesson:
    """Training and held-out images, the start, and what is to be reached."""

    what: str
    x: Array
    y: Array
    held_x: Array
    held_y: Array
    start: tuple[Array, ...]
    static: dict[str, Any]
    rate: float
    batch: int
    epochs: int
    accuracy: float  # to be reached on the held-out images


def lesson(
    network: Equation, seed: int = 0, images: Callable[[Sequence[int], int], digits.Images] = digits.load
) -> Lesson:
    """The lesson of a network: forward(x, y, *parameters) with the loss as its output; images(classes, seed)."""
    variant = network.variants[-1]  # the deepest
    slots = variant.shapes.inputs
    convolutional = len(slots[0].axes) == 4
    binary = network.domain_of(slots[1].name).word == "probability"
    found = images(QUESTION if binary else tuple(range(10)), seed)
    x, held_x = (_shaped(part, convolutional) for part in (found.x, found.held_x))
    y = found.y[:, None].astype(np.float64) if binary else np.eye(10)[found.y]
    static = {name: STATIC.get(name, choices[0]) for name, choices in network.static.items()}
    shapes = layers([len(slot.axes) for slot in slots[2:]], x.shape, y.shape[1], static)
    rng = np.random.default_rng((seed, 1))
    return Lesson(
        what="a 1 or a 7?" if binary else "which digit?",
        x=x,
        y=y,
        held_x=held_x,
        held_y=found.held_y,
        start=tuple(_start(rng, shape) for shape in shapes),
        static=static,
        rate=RATE,
        batch=BATCH,
        epochs=EPOCHS,
        accuracy=0.98 if binary else 0.96 if convolutional else 0.95,
    )


def _shaped(images: Array, convolutional: bool) -> Array:
    return images[:, None] if convolutional else images.reshape(len(images), -1)


def layers(
    axes: list[int], x: tuple[int, ...], outputs: int, static: dict[str, Any]
) -> list[tuple[int, ...]]:
    """Shapes of the parameters with these numbers of axes: 4 a kernel, 2 a dense layer, 1 the bias of it.

    A block is convolution, ReLU and pooling; the dense layers after the last block take all that it leaves.
    """
    shapes: list[tuple[int, ...]] = []
    units, side = x[1], x[-1] if len(x) == 4 else 1
    last = len(axes) - 1 - axes[::-1].index(2)
    for position, count in enumerate(axes):
        if count == 4:
            maps = MAPS * 2 ** (position // 2)
            shapes.append((maps, units, KERNEL, KERNEL))
            side = ((side - KERNEL + 2 * static["pad"]) // static["stride"] + 1) // static["pool"]
            units = maps
        elif count == 2:
            shapes.append((units * side * side, outputs if position == last else HIDDEN))
            units, side = shapes[-1][1], 1
        else:
            shapes.append((units,))
    return shapes


def _start(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Weights of variance 2 / fan-in (He et al. 2015), biases 0."""
    if len(shape) < 2:
        return np.zeros(shape)
    fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
    weights: Array = rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)
    return weights
