"""Section 4.2, 1), forwards (35) to (41) and backwards through the dense layer, the pooling and ReLU (42)
to (51).

Z_1 = X * K + B     Y_relu = max(0, Z_1)     Y_pool = maxpool(Y_relu)     Z_2 = Y_pool W + b_2     A_2 =
sigmoid(Z_2)
"""

import numpy as np

from derivs.paper.notation import (
    ELEMENTWISE,
    RESHAPE,
    TRANSPOSE,
    WINDOWS,
    chain,
    convolve,
    dot,
    mask,
    pool,
    positive,
    spread,
)
from gradproof import Claim

TITLE = "4.2 Convolution neural networks: forwards, and back to the feature map"


def head(name, of, literal, **more):
    """An entry on the dense layer with one output, proved for two inputs."""
    return Claim(name, "head", of, literal, prove=True, **more)


def row(t):
    """Y_pool flattened to a row, as the text after (37) says."""
    return t.P.reshape(1, -1)


def owned(t):
    """M as the Jacobian it stands for: entry (o, i) is M_i where the pixel i lies in the window o, else 0."""
    ones = mask(t.R, t.p, t.s)
    out = np.zeros(pool(t.R, t.p, t.s).shape + t.R.shape)
    for i, j in np.ndindex(out.shape[:2]):
        window = np.s_[i * t.s : i * t.s + t.p, j * t.s : j * t.s + t.p]
        out[i, j][window] = ones[window]
    return out


def indexed(t):
    """(50) to the letter: pixel (i, j) is held against the window of the output (i, j), where there is
    one.
    """
    out = np.zeros(t.R.shape)
    for i, j, k in np.ndindex(t.R.shape):
        window = t.R[i * t.s : i * t.s + t.p, j * t.s : j * t.s + t.p, k]
        out[i, j, k] = window.shape == (t.p, t.p) and t.R[i, j, k] == window.max()
    return out


def owned_by_channel(t):
    """(50) with the window that the pixel lies in, as the Jacobian (outputs, pixels), channel by channel."""

    class Channel:
        p, s = t.p, t.s

    depth = t.R.shape[2]
    blocks = []
    for k in range(depth):
        Channel.R = t.R[:, :, k]
        blocks.append(owned(Channel))
    out = np.zeros((*blocks[0].shape[:2], depth, *blocks[0].shape[2:], depth))
    for k, block in enumerate(blocks):
        out[:, :, k, :, :, k] = block
    return out


CLAIMS = (
    Claim("eq-35", "convolution", "Z1", lambda t: convolve(t.X, t.K) + t.B, prove=True),
    Claim("eq-36", "feature map", "A1", lambda t: np.maximum(0, t.Z1)),
    Claim("eq-37", "pooling", "P", lambda t: pool(t.R, t.p, t.s)),
    Claim("eq-38", "pooling", "P", lambda t: pool(t.R, t.p, t.s)),
    head("eq-39", "Z2", lambda t: (dot(row(t), t.W) + t.b2).item()),
    head("eq-40", "A2", lambda t: 1 / (1 + t.exp(-t.Z2))),
    head("eq-41", "J", lambda t: -t.Y * t.log(t.A2) - (1 - t.Y) * t.log(1 - t.A2)),
    head("eq-42", "dJ/dA2", lambda t: -t.Y / t.A2 + (1 - t.Y) / (1 - t.A2)),
    head("eq-43", "dA2/dZ2", lambda t: t.A2 * (1 - t.A2)),
    head("eq-44", "dA2/dZ2", lambda t: t.A2 * (1 - t.A2)),
    head("eq-45", "dJ/dZ2", (chain("J", "A2", "Z2"), lambda t: t.d("J", "A2") * t.A2 * (1 - t.A2))),
    head(
        "eq-46",
        "dJ/dW",
        (chain("J", "Z2", "W"), lambda t: dot(t.d("J", "Z2"), row(t))),
        under={TRANSPOSE: (chain("J", "Z2", "W"), lambda t: dot(t.d("J", "Z2"), row(t).T))},
    ),
    head("eq-47", "dJ/db2", (chain("J", "Z2", "b2"), lambda t: t.d("J", "Z2") * 1)),
    head(
        "eq-48",
        "dJ/dP",
        (chain("J", "Z2", "P"), lambda t: dot(t.d("J", "Z2"), t.W)),
        under={RESHAPE: (chain("J", "Z2", "P"), lambda t: dot(t.d("J", "Z2"), t.W.T).reshape(t.P.shape))},
    ),
    Claim(
        "inline-after-48-M-matrix",
        "pooling",
        "dP/dR",
        lambda t: mask(t.R, t.p, t.s),
        given=WINDOWS,
        under={"M lists, for each pixel, its one non-zero entry of the Jacobian": owned},
    ),
    Claim(
        "eq-49",
        "pooling",
        "dJ/dR",
        (chain("J", "P", "R"), lambda t: dot(t.d("J", "P"), mask(t.R, t.p, t.s))),
        given=WINDOWS,
        under={
            f"{ELEMENTWISE}, dJ/dY_pool spread over its windows": (
                chain("J", "P", "R"),
                lambda t: spread(t.d("J", "P"), t.R.shape, t.p) * mask(t.R, t.p, t.s),
            )
        },
        note=(
            "Where windows overlap, a pixel that is the maximum of two gets both gradients; M lets it have "
            "one."
        ),
    ),
    Claim(
        "eq-50",
        "pooling of channels",
        "dP/dR",
        indexed,
        given=WINDOWS,
        under={
            (
                "(i, j) is a pixel, the maximum is over the window it lies in, M lists its one non-zero entry"
            ): owned_by_channel
        },
    ),
    Claim(
        "eq-51",
        "feature map",
        "dJ/dZ1",
        (chain("J", "A1", "Z1"), lambda t: dot(t.d("J", "A1"), positive(t.Z1))),
        under={ELEMENTWISE: (chain("J", "A1", "Z1"), lambda t: t.d("J", "A1") * positive(t.Z1))},
    ),
)
