"""The real images: 1,797 scanned digits of 8 x 8 pixels inside scikit-learn (Alpaydin and Kaynak, 1998).

Split once and for all by a seeded permutation, a quarter held out; pixels between 0 and 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.errors import MissingFramework

Array = np.ndarray[Any, np.dtype[Any]]
HELD_OUT = 4  # one image in so many


@dataclass(frozen=True)
class Images:
    """Images (n, 8, 8) and classes (n,) counted from 0, to train on and held out; `digits` names classes."""

    digits: tuple[int, ...]
    x: Array
    y: Array
    held_x: Array
    held_y: Array


def load(digits: Sequence[int] = tuple(range(10)), seed: int = 0) -> Images:
    """The images of these digits. Raises MissingFramework where scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise MissingFramework(
            "the images are scikit-learn's, which is not installed; pip install 'gradproof[data]'"
        ) from None
    found = load_digits()
    order = np.random.default_rng(seed).permutation(len(found.target))
    order = order[np.isin(found.target[order], digits)]
    x = found.images[order] / 16.0
    y = np.searchsorted(np.asarray(digits), found.target[order])
    held = len(order) // HELD_OUT
    return Images(tuple(digits), x[held:], y[held:], x[:held], y[:held])
