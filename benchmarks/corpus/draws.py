"""Sizes and values for the samplers: every size from 1, so that batches of one, squares and oblongs all occur."""



from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sizes(rng: np.random.Generator, count: int, low: int = 1, high: int = 4) -> tuple[int, ...]:
    """`count` sizes, each from `low` to `high`."""
    return tuple(int(n) for n in rng.integers(low, high + 1, count))


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape)


def positive(rng: np.random.Generator, *shape: int) -> Array:
    """Values from 0.2 to 3: far enough from 0 for every step of a finite difference."""
    return rng.uniform(0.2, 3.0, shape)


def signed(rng: np.random.Generator, *shape: int) -> Array:
    """Values of either sign and magnitude from 0.2 to 3."""
    return positive(rng, *shape) * rng.choice([-1.0, 1.0], shape)


def distinct(rng: np.random.Generator, *shape: int) -> Array:
    """Values that differ pairwise by at least 0.1."""
    count = int(np.prod(shape))
    return (rng.permutation(count) * 0.3 - 0.15 * count + rng.uniform(0.01, 0.2, count)).reshape(shape)


def simplex(rng: np.random.Generator, *shape: int) -> Array:
    """Positive rows that sum to one."""
    weights = rng.uniform(0.2, 1.0, shape)
    return weights / weights.sum(-1, keepdims=True)


def mask(rng: np.random.Generator, *shape: int) -> Array:
    """Zeros and ones."""
    return rng.random(shape) < 0.6
