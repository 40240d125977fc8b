"""Reduction of a batch of losses to one.                     what (9) and (21) leave open: J over a batch

    none:  j = losses              losses_bar = j_bar
    sum:   j = sum of losses       losses_bar = j_bar for each of them
    mean:  j = sum of losses / N   losses_bar = j_bar / N for each of the N

The mean of no losses is NaN, without a warning; their cotangent is an empty array.
"""

import numpy as np

from gradproof import Equation

REDUCTIONS = ("none", "sum", "mean")


def reduced(losses, *, reduction):
    """As `forward`, but `losses` itself for "none"."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction {reduction!r} is unknown; expected one of {', '.join(REDUCTIONS)}")
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if losses.size else losses.dtype.type(np.nan)


def forward(losses, *, reduction="none"):
    j = reduced(losses, reduction=reduction)
    return j.copy() if j is losses else j


def share(j_bar, count, *, reduction):
    """The cotangent of each of `count` losses: an array for "none", else one number for all of them."""
    return j_bar / max(count, 1) if reduction == "mean" else j_bar


def backward(j_bar, j, losses, *, reduction="none"):
    each = share(j_bar, losses.size, reduction=reduction)
    return {"losses": np.full(losses.shape, each, dtype=losses.dtype)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    shapes=(
        ("losses: n m -> j: n m", {"reduction": "none"}),
        ("losses: n m -> j:", {"reduction": "mean"}),  # second, where it meets a batch of one loss
        ("losses: n m -> j:", {"reduction": "sum"}),
    ),
)
