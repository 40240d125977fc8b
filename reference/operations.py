"""The operations of `derivs` in PyTorch and in JAX: an entry an operation, its torch line and its jax line.

Inputs and static parameters as in the file of that name. The frameworks' own functions are used where there
are any; the losses of a probability are written out, because PyTorch's clamp the logarithm and its gradient
near 0 and 1.
"""

from __future__ import annotations

import math
from typing import Any

from reference.entry import Entry
from reference.frameworks import F, jax, jnp, lax, torch

Pair = int | tuple[int, int]


def reduced(losses: Any, reduction: str) -> Any:
    """All losses, their sum or their mean; tensors and jax arrays name these alike."""
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction {reduction!r} is unknown; expected one of none, sum, mean")
    return losses if reduction == "none" else getattr(losses, reduction)()


def either(xp: Any, y: Any, a: Any) -> Any:
    """y log a, and 0 where both are 0, with the gradient of that."""
    return y * xp.log(xp.where((y == 0) & (a == 0), 1, a))


def neither(xp: Any, y: Any, a: Any) -> Any:
    """(1 - y) log(1 - a), and 0 where both are 1, with the gradient of that."""
    return (1 - y) * xp.log1p(-xp.where((y == 1) & (a == 1), 0, a))


def halved(w: Any) -> Any:
    """w / 2, as the point halfway from 0: at a number, forward mode makes PyTorch load its compiler, two seconds."""
    return torch.lerp(torch.zeros_like(w), w, 0.5)


def pair(number: Pair) -> tuple[int, int]:
    """(rows, columns), of one number for both or of a pair."""
    return number if isinstance(number, tuple) else (number, number)


def torch_convolution(x: Any, k: Any, b: Any, *, stride: Pair = 1, pad: Pair = 0) -> Any:
    """conv2d; without channels it forgets the filters (2.13), so that one channel of zeros stands in."""
    if x.shape[1] == 0:
        x, k = F.pad(x, (0, 0, 0, 0, 0, 1)), F.pad(k, (0, 0, 0, 0, 0, 1))
    return F.conv2d(x, k, b, stride, pad)


def torch_max_pool(x: Any, *, p: int = 2, q: int = 2, stride: Pair = 2) -> Any:
    """The maximum over windows; each map as an image of its own, because max_pool2d wants a channel."""
    z = F.max_pool2d(x.reshape(x.shape[0] * x.shape[1], 1, *x.shape[2:]), (p, q), stride)
    return z.reshape(*x.shape[:2], *z.shape[2:])


def jax_convolution(x: Any, k: Any, b: Any, *, stride: Pair = 1, pad: Pair = 0) -> Any:
    """lax's convolution flips no kernel, as in (35); its layout is that of `derivs`: n c h w and f c p q."""
    z = lax.conv_general_dilated(x, k, pair(stride), [(one, one) for one in pair(pad)])
    return z + b[:, None, None]


def jax_max_pool(x: Any, *, p: int = 2, q: int = 2, stride: Pair = 2) -> Any:
    """The maximum over windows; the first one in a tie, as in PyTorch."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, p, q), (1, 1, *pair(stride)), "VALID")


OPERATIONS: dict[str, Entry] = {
    "chain_rule": Entry(
        torch=lambda a, b, c: halved((a * b + c) ** 2),
        jax=lambda a, b, c: (a * b + c) ** 2 / 2,
    ),
    "dense": Entry(
        torch=lambda x, w, b: F.linear(x, w.T, b),
        jax=lambda x, w, b: jnp.dot(x, w) + b,
    ),
    "dense_column": Entry(
        torch=lambda x, w, b: w.T @ x + b,
        jax=lambda x, w, b: w.T @ x + b,
    ),
    "sigmoid": Entry(
        torch=lambda z: torch.sigmoid(z),
        jax=lambda z: jax.nn.sigmoid(z),
    ),
    "tanh": Entry(
        torch=lambda z: torch.tanh(z),
        jax=lambda z: jnp.tanh(z),
    ),
    "relu": Entry(
        torch=lambda z: F.relu(z),
        jax=lambda z: jax.nn.relu(z),
    ),
    "softmax": Entry(
        torch=lambda z: F.softmax(z, dim=-1),
        jax=lambda z: jax.nn.softmax(z, axis=-1),
    ),
    "reduction": Entry(
        torch=lambda losses, *, reduction="none": reduced(losses, reduction),
        jax=lambda losses, *, reduction="none": reduced(losses, reduction),
    ),
    "log_loss": Entry(
        torch=lambda a, y, *, reduction="none": reduced(
            -either(torch, y, a) - neither(torch, y, a), reduction
        ),
        jax=lambda a, y, *, reduction="none": reduced(-either(jnp, y, a) - neither(jnp, y, a), reduction),
    ),
    "sigmoid_log_loss": Entry(
        torch=lambda z, y, *, reduction="none": F.binary_cross_entropy_with_logits(z, y, reduction=reduction),
        jax=lambda z, y, *, reduction="none": reduced(
            -y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z), reduction
        ),
    ),
    "cross_entropy": Entry(
        torch=lambda a, y, *, reduction="none": reduced(-either(torch, y, a).sum(-1), reduction),
        jax=lambda a, y, *, reduction="none": reduced(-either(jnp, y, a).sum(-1), reduction),
    ),
    "softmax_cross_entropy": Entry(
        torch=lambda z, y, *, reduction="none": F.cross_entropy(z, y, reduction=reduction),
        jax=lambda z, y, *, reduction="none": reduced(-(y * jax.nn.log_softmax(z)).sum(-1), reduction),
    ),
    "gradient_descent": Entry(
        torch=lambda w, g, alpha: w - alpha * g,
        jax=lambda w, g, alpha: w - alpha * g,
    ),
    "convolution": Entry(
        torch=torch_convolution,
        jax=jax_convolution,
    ),
    "max_pool": Entry(
        torch=torch_max_pool,
        jax=jax_max_pool,
    ),
    "flatten": Entry(
        torch=lambda x: torch.flatten(x, 1),
        jax=lambda x: x.reshape(x.shape[0], math.prod(x.shape[1:])),
    ),
}
