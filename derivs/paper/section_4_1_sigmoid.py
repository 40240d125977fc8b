"""Section 4.1, 1): one layer with a sigmoid, (7) to (16).

Z = W^T X + b      A = 1 / (1 + e^-Z)      J = -(Y log A + (1 - Y) log(1 - A))
"""

import numpy as np

from derivs.paper.notation import OPERATOR, chain, dot
from gradproof import Claim

TITLE = "4.1 Deep neural networks: one layer with a sigmoid"


def claim(name, of, literal, prove=True, **more):
    """An entry on one sample, proved unless it says otherwise."""
    return Claim(name, "one sample", of, literal, prove=prove, **more)


def line(number, literal, **more):
    """A line of (12): the derivative of the sigmoid."""
    return claim(f"eq-12/line-{number}", "dA/dZ", literal, **more)


def sigmoid(t, z):
    """(8)."""
    return 1 / (1 + t.exp(-z))


def loss(t, a):
    """(9) as printed."""
    return t.Y * t.log(a) + (1 - t.Y) * t.log(1 - a)


def slope(t):
    """(10)."""
    return -t.Y / t.A + (1 - t.Y) / (1 - t.A)


def unbracketed(t):
    """(10) times A (1 - A) as printed: the product reaches the second term only."""
    return -t.Y / t.A + (1 - t.Y) / (1 - t.A) * t.A * (1 - t.A)


NO_BRACKETS = (
    "the brackets around -Y/A + (1-Y)/(1-A) are missing, so that A(1-A) multiplies the second term only"
)

CLAIMS = (
    Claim("eq-7", "columns", "Z", lambda t: dot(t.W.T, t.X) + t.b, prove=True),
    claim("eq-8", "A", lambda t: sigmoid(t, t.Z)),
    claim(
        "eq-9",
        "J",
        lambda t: loss(t, t.A),
        why="the minus sign is missing, as (41), (10) and (15) show",
        group="loss sign",
        right=r"J(A, Y) = -\left(Y \log(A) + (1 - Y) \log(1 - A)\right)",
        corrected=lambda t: -loss(t, t.A),
    ),
    claim(
        "prose-before-10-order",
        "dA/dZ",
        lambda t: 1 / t.d("A", "Z"),
        group="wording",
        why="the derivative of Z with respect to A is the reciprocal of the factor that (11) needs",
        right=r"\text{the derivative of } A \text{ with respect to } Z",
        corrected=lambda t: t.d("A", "Z"),
    ),
    claim(
        "prose-before-10-from-9",
        "dJ/dA",
        lambda t: t.diff(lambda a: loss(t, a), t.A),
        group="loss sign",
        why="(10) is the derivative of minus (9), not of (9)",
        right=(
            r"\frac{\partial}{\partial A} \left(-Y \log(A) - (1 - Y) \log(1 - A)\right) = -\frac{Y}{A} + "
            r"\frac{1-Y}{1-A}"
        ),
        corrected=(lambda t: t.diff(lambda a: -loss(t, a), t.A), slope),
    ),
    claim("eq-10", "dJ/dA", slope),
    claim("eq-11", "dJ/dZ", chain("J", "A", "Z")),
    claim("inline-after-11-dJdA", "dJ/dA", slope),
    claim("inline-after-11-dAdZ", "dA/dZ", lambda t: t.A * (1 - t.A)),
    line(
        1,
        (lambda t: t.d("A", "Z") * sigmoid(t, t.Z), lambda t: t.d("A", "Z") * (1 / (1 + t.exp(-t.Z)))),
        under={
            OPERATOR: (
                lambda t: t.diff(lambda z: sigmoid(t, z), t.Z),
                lambda t: t.diff(lambda z: 1 / (1 + t.exp(-z)), t.Z),
            )
        },
    ),
    line(
        2,
        lambda t: t.d("A", "Z") * (1 + t.exp(-t.Z)) ** -1,
        under={OPERATOR: lambda t: t.diff(lambda z: (1 + t.exp(-z)) ** -1, t.Z)},
    ),
    line(3, lambda t: -((1 + t.exp(-t.Z)) ** -2) * -t.exp(-t.Z)),
    line(4, lambda t: t.exp(-t.Z) / (1 + t.exp(-t.Z)) ** 2),
    line(5, lambda t: 1 / (1 + t.exp(-t.Z)) * (t.exp(-t.Z) / (1 + t.exp(-t.Z)))),
    line(6, lambda t: 1 / (1 + t.exp(-t.Z)) * (((1 + t.exp(-t.Z)) - 1) / (1 + t.exp(-t.Z)))),
    line(
        7, lambda t: 1 / (1 + t.exp(-t.Z)) * ((1 + t.exp(-t.Z)) / (1 + t.exp(-t.Z)) - 1 / (1 + t.exp(-t.Z)))
    ),
    line(8, lambda t: 1 / (1 + t.exp(-t.Z)) * (1 - 1 / (1 + t.exp(-t.Z)))),
    line(9, lambda t: sigmoid(t, t.Z) * (1 - sigmoid(t, t.Z))),
    line(10, lambda t: t.A * (1 - t.A)),
    claim(
        "inline-after-12-dJdZ",
        "dJ/dZ",
        unbracketed,
        why=NO_BRACKETS,
        group="brackets",
        right=(
            r"\frac{\partial J}{\partial Z} = \left(-\frac{Y}{A}+\frac{1-Y}{1-A}\right) "
            r"\cdot A(1-A) = A - Y"
        ),
        corrected=(lambda t: slope(t) * t.A * (1 - t.A), lambda t: t.A - t.Y),
    ),
    claim("eq-13", "dJ/dW", chain("J", "Z", "W")),
    claim("eq-14", "dJ/db", chain("J", "Z", "b")),
    claim(
        "inline-after-14-dZdW",
        "dZ/dW",
        (lambda t: t.d("Z", "W") * (dot(t.W.T, t.X).item() + t.b), lambda t: t.X),
        under={
            OPERATOR: (
                lambda t: np.array(
                    [[t.diff(lambda w: dot(w.T, t.X).item() + t.b, t.W, i, 0)] for i in range(len(t.W))]
                ),
                lambda t: t.X,
            )
        },
    ),
    claim(
        "inline-after-14-dZdb",
        "dZ/db",
        (lambda t: t.d("Z", "b") * (dot(t.W.T, t.X).item() + t.b), lambda t: 1),
        under={OPERATOR: (lambda t: t.diff(lambda b: dot(t.W.T, t.X).item() + b, t.b), lambda t: 1)},
    ),
    claim(
        "prose-after-14-label",
        "dJ/dW",
        lambda t: t.d("Z", "W"),
        group="wording",
        why="the two formulas that follow are dJ/dW and dJ/db, not dZ/dW and dZ/db",
        right=(
            r"\text{therefore the final value of the } \frac{\partial J}{\partial W} \text{ and } "
            r"\frac{\partial J}{\partial b} \text{ are}"
        ),
        corrected=lambda t: t.d("J", "W"),
    ),
    claim(
        "inline-after-14-dJdW",
        "dJ/dW",
        lambda t: -t.Y / t.A + (1 - t.Y) / (1 - t.A) * t.A * (1 - t.A) * t.X,
        why=NO_BRACKETS,
        group="brackets",
        right=(
            r"\frac{\partial J}{\partial W} = \left(-\frac{Y}{A} + \frac{1-Y}{1-A}\right) A(1-A) X = (A - "
            r"Y) X"
        ),
        corrected=(lambda t: slope(t) * t.A * (1 - t.A) * t.X, lambda t: (t.A - t.Y) * t.X),
    ),
    claim(
        "inline-after-14-dJdb",
        "dJ/db",
        unbracketed,
        why=NO_BRACKETS,
        group="brackets",
        right=r"\frac{\partial J}{\partial b} = \left(-\frac{Y}{A} + \frac{1-Y}{1-A}\right) A(1-A) = A - Y",
        corrected=(lambda t: slope(t) * t.A * (1 - t.A), lambda t: t.A - t.Y),
    ),
    claim("eq-15", "step W", lambda t: t.W - t.alpha * t.d("J", "W"), prove=False),
    claim("eq-16", "step b", lambda t: t.b - t.alpha * t.d("J", "b"), prove=False),
    claim(
        "inline-after-16-positive",
        "up",
        lambda t: np.where(t.d("J", "W") > 0, 1.0, 0.0),
        prove=False,
        note=(
            "Held against the change of J itself when an entry of W moves by a step h, small or large: J is "
            "convex in W."
        ),
    ),
    claim(
        "inline-after-16-negative",
        "down",
        lambda t: np.where(t.d("J", "W") < 0, 1.0, 0.0),
        prove=False,
        note=(
            "Held against the change of J itself when an entry of W moves by a step h, small or large: J is "
            "convex in W."
        ),
    ),
)
