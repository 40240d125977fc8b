"""What the engine asks of a setting and of the truth; the paper's own are in its package, not here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

Quantity = tuple[
    str, str
]  # ("Z", "") a value, ("J", "W") a derivative, ("step", "W") W after one step of gradient descent


class Setting(Protocol):
    """A family of samples of one map. Inputs that are ints are static parameters."""

    name: str
    words: str
    shapes: Sequence[Mapping[str, int]]  # sizes by name, a few, all different first
    example: Mapping[str, Any]  # inputs small enough to recompute by hand
    givens: Mapping[str, Sequence[Mapping[str, int]]]  # restriction -> the shapes it is sampled at
    symbols: Sequence[
        Mapping[str, int]
    ]  # the sizes at which identities are proved; none where there are none
    stages: Sequence[tuple[str, Callable[[Any], Any]]]  # the forward pass on symbols

    def draw(self, rng: np.random.Generator, sizes: Mapping[str, int], given: str) -> dict[str, Any]:
        """One point."""

    def unknowns(self, sizes: Mapping[str, int], given: str) -> Mapping[str, Any]:
        """The shapes of the inputs at these sizes (static parameters as ints)."""

    def assume(self, values: dict[str, Any], given: str) -> dict[str, Any]:
        """The symbols with the restriction put into them."""


class Truths(Protocol):
    """Two frameworks that know the map's forward pass and nothing of what was printed."""

    def torch_answers(self, setting: str, inputs: Mapping[str, Any]) -> Callable[[Quantity], Any]:
        """Any quantity at one point, as a float64 array."""

    def jax_answer(
        self, setting: str, batch: Sequence[Mapping[str, Any]], quantities: Sequence[Quantity]
    ) -> list[dict[Quantity, Any]]:
        """The quantities at points of equal shapes."""
