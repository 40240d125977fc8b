"""Section 4.1, 2) and 3): tanh and ReLU, (17) to (20). S is the sum of A, so that dS/dZ is the slope of
each entry.
"""

import numpy as np

from derivs.paper.notation import positive
from gradproof import Claim

TITLE = "4.1 Deep neural networks: tanh and ReLU"


def line(number, literal, **more):
    """A line of (18): the derivative of tanh."""
    return Claim(f"eq-18/line-{number}", "tanh", "dS/dZ", literal, prove=True, **more)


def cosh2(t):
    """e^Z + e^-Z."""
    return t.exp(t.Z) + t.exp(-t.Z)


def sinh2(t):
    """e^Z - e^-Z."""
    return t.exp(t.Z) - t.exp(-t.Z)


def cosh_of_twice(t):
    """e^2Z + e^-2Z, which (18) takes for the square of e^Z + e^-Z."""
    return t.exp(2 * t.Z) + t.exp(-2 * t.Z)


def sinh_of_twice(t):
    """e^2Z - e^-2Z, which (18) takes for the square of e^Z - e^-Z."""
    return t.exp(2 * t.Z) - t.exp(-2 * t.Z)


NOT_SQUARES = "(e^Z + e^-Z)^2 is e^2Z + 2 + e^-2Z, and (e^Z - e^-Z)^2 is e^2Z - 2 + e^-2Z"
PLUS, MINUS = r"(e^{Z} + e^{-Z})^{2}", r"(e^{Z} - e^{-Z})^{2}"

CLAIMS = (
    Claim(
        "eq-17",
        "tanh",
        "A",
        lambda t: sinh2(t) / cosh2(t),
        prove=True,
        note="In floating point it overflows to NaN for |Z| > 710; see the list of choices.",
    ),
    line(1, lambda t: (cosh2(t) * cosh2(t) - sinh2(t) * sinh2(t)) / cosh2(t) ** 2),
    line(
        2,
        lambda t: (cosh_of_twice(t) - sinh_of_twice(t)) / cosh_of_twice(t),
        why=NOT_SQUARES,
        group="tanh",
        right=rf"= \frac{{{PLUS} - {MINUS}}}{{{PLUS}}}",
        corrected=lambda t: (cosh2(t) ** 2 - sinh2(t) ** 2) / cosh2(t) ** 2,
    ),
    line(
        3,
        lambda t: cosh_of_twice(t) / cosh_of_twice(t) - sinh_of_twice(t) / cosh_of_twice(t),
        why=NOT_SQUARES,
        group="tanh",
        right=rf"= \frac{{{PLUS}}}{{{PLUS}}} - \frac{{{MINUS}}}{{{PLUS}}}",
        corrected=lambda t: cosh2(t) ** 2 / cosh2(t) ** 2 - sinh2(t) ** 2 / cosh2(t) ** 2,
    ),
    line(4, (lambda t: 1 - t.tanh(t.Z) ** 2, lambda t: 1 - t.A**2)),
    Claim("eq-19", "relu", "A", lambda t: np.where(t.Z > 0, t.Z, 0.0)),
    Claim(
        "eq-20-relu-derivative",
        "relu",
        "dS/dZ",
        lambda t: positive(t.Z),
        note=(
            "At Z = 0, which the samples contain, there is no derivative; 0 is what relu of both frameworks "
            "takes there too."
        ),
    ),
)
