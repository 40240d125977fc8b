"""Section 2: the notation; one sentence can be put to the test."""

import numpy as np

from gradproof import Claim

TITLE = "2 Deep learning notation and terminology"


def direction(t):
    """The gradient 2 c W of the sum of c W^2, to length one."""
    gradient = 2 * t.c * t.W
    return gradient / np.sqrt((gradient**2).sum())


CLAIMS = (
    Claim(
        "prose-2.2-6-gradient-direction",
        "descent",
        "D",
        direction,
        why="the gradient is the direction of steepest ascent",
        group="wording",
        right=r"-\nabla J \text{ gives the direction of the steepest descent}",
        corrected=lambda t: -direction(t),
    ),
)
