"""Training a network three times, for a picture: by the hand-written derivatives, by PyTorch's and by JAX's.

A small lesson made by NumPy alone, so that it needs no data set and no download: images of 8 x 8, each a pattern of its
class plus noise. `gradproof train` does the same on scanned digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof import training
from gradproof.digits import Images
from gradproof.equation import Equation
from gradproof.lesson import lesson
from gradproof.oracles import jax, torch
from gradproof.training import Array, Gradient

SIDE, IMAGES, NOISE = 8, 640, 0.5  # 40 batches of 16


@dataclass(frozen=True)
class Losses:
    """The loss of every step by framework, the hand-written first, and how far the parameters ended apart."""

    losses: Mapping[str, Sequence[float]]
    difference: Mapping[str, float]
    parameters: int


def losses(
    network: Equation, references: Mapping[str, Callable[..., Any]], seed: int
) -> Losses | None:
    """Train for one epoch; None where no framework has the same forward."""
    if not {"torch", "jax"} & set(references):
        return None
    plan = lesson(network, seed, images=made)
    gradients: dict[str, Gradient] = {"numpy": training.by_hand(network, plan.static)}
    for name, vjp in (("torch", torch.vjp), ("jax", jax.vjp)):
        if name in references:
            gradients[name] = training.by_autograd(vjp, references[name], plan.static)
    seen: dict[str, list[float]] = {name: [] for name in gradients}
    (last,) = training.train(
        {name: _noted(gradient, seen[name]) for name, gradient in gradients.items()},
        plan.start,
        plan.x,
        plan.y,
        rate=plan.rate,
        batch=plan.batch,
        epochs=1,
        seed=seed,
    )
    return Losses(seen, last.difference, sum(parameter.size for parameter in plan.start))


def _noted(gradient: Gradient, seen: list[float]) -> Gradient:
    """The same gradient, which writes down each loss that it meets."""

    def noting(x: Array, y: Array, parameters: Sequence[Array]) -> tuple[float, Sequence[Array]]:
        loss, found = gradient(x, y, parameters)
        seen.append(loss)
        return loss, found

    return noting


def made(classes: Sequence[int], seed: int) -> Images:
    """Images of as many classes: a random pattern each, and noise half as large."""
    rng = np.random.default_rng((seed, 2))
    patterns = rng.standard_normal((len(classes), SIDE, SIDE))
    y = np.arange(IMAGES) % len(classes)
    x = (patterns[y] + NOISE * rng.standard_normal((IMAGES, SIDE, SIDE))) / 3
    return Images(tuple(classes), x, y, x[:1], y[:1])
