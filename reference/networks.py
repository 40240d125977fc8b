"""The networks of `derivs.networks` in PyTorch and in JAX: the mean loss of a batch and of the parameters.

Layers and blocks are the same text for both frameworks; what differs is handed in: activation, convolution,
pooling, loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference.entry import Entry
from reference.frameworks import F, jax, jnp, torch
from reference.operations import (
    Pair,
    jax_convolution,
    jax_max_pool,
    reduced,
    torch_convolution,
    torch_max_pool,
)

Map = Callable[..., Any]


def layers(activation: Map, x: Any, *parameters: Any) -> Any:
    """z of the last layer: w1, b1, w2, b2, ... with the activation between layers."""
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = activation(x @ w + b)
    return x @ parameters[-2] + parameters[-1]


def blocks(
    convolution: Map, pool_of: Map, relu: Map, x: Any, *parameters: Any, stride: Pair, pad: Pair, pool: int
) -> Any:
    """z of the last dense layer: a block for each kernel, which has four axes, then the dense layers."""
    while parameters[0].ndim == 4:
        k, b, *parameters_left = parameters
        x = pool_of(relu(convolution(x, k, b, stride=stride, pad=pad)), p=pool, q=pool, stride=pool)
        parameters = tuple(parameters_left)
    return layers(relu, x.reshape(x.shape[0], parameters[0].shape[0]), *parameters)


def torch_binary(z: Any, y: Any) -> Any:
    return F.binary_cross_entropy_with_logits(z, y)


def jax_binary(z: Any, y: Any) -> Any:
    return reduced(-y * jax.nn.log_sigmoid(z) - (1 - y) * jax.nn.log_sigmoid(-z), "mean")


def torch_classes(z: Any, y: Any) -> Any:
    return F.cross_entropy(z, y)


def jax_classes(z: Any, y: Any) -> Any:
    return reduced(-(y * jax.nn.log_softmax(z)).sum(-1), "mean")


def torch_blocks(x: Any, *parameters: Any, stride: Pair = 1, pad: Pair = 0, pool: int = 2) -> Any:
    return blocks(
        torch_convolution, torch_max_pool, F.relu, x, *parameters, stride=stride, pad=pad, pool=pool
    )


def jax_blocks(x: Any, *parameters: Any, stride: Pair = 1, pad: Pair = 0, pool: int = 2) -> Any:
    return blocks(
        jax_convolution, jax_max_pool, jax.nn.relu, x, *parameters, stride=stride, pad=pad, pool=pool
    )


NETWORKS: dict[str, Entry] = {
    "single_layer": Entry(
        torch=lambda x, y, w, b: torch_binary(x @ w + b, y),
        jax=lambda x, y, w, b: jax_binary(x @ w + b, y),
    ),
    "tanh_sigmoid": Entry(
        torch=lambda x, y, w1, b1, w2, b2: torch_binary(layers(torch.tanh, x, w1, b1, w2, b2), y),
        jax=lambda x, y, w1, b1, w2, b2: jax_binary(layers(jnp.tanh, x, w1, b1, w2, b2), y),
    ),
    "relu_sigmoid": Entry(
        torch=lambda x, y, w1, b1, w2, b2: torch_binary(layers(F.relu, x, w1, b1, w2, b2), y),
        jax=lambda x, y, w1, b1, w2, b2: jax_binary(layers(jax.nn.relu, x, w1, b1, w2, b2), y),
    ),
    "deep_relu_sigmoid": Entry(
        torch=lambda x, y, *parameters: torch_binary(layers(F.relu, x, *parameters), y),
        jax=lambda x, y, *parameters: jax_binary(layers(jax.nn.relu, x, *parameters), y),
    ),
    "deep_relu_softmax": Entry(
        torch=lambda x, y, *parameters: torch_classes(layers(F.relu, x, *parameters), y),
        jax=lambda x, y, *parameters: jax_classes(layers(jax.nn.relu, x, *parameters), y),
    ),
    "cnn_sigmoid": Entry(
        torch=lambda x, y, *parameters, **static: torch_binary(torch_blocks(x, *parameters, **static), y),
        jax=lambda x, y, *parameters, **static: jax_binary(jax_blocks(x, *parameters, **static), y),
    ),
    "cnn_softmax": Entry(
        torch=lambda x, y, *parameters, **static: torch_classes(torch_blocks(x, *parameters, **static), y),
        jax=lambda x, y, *parameters, **static: jax_classes(jax_blocks(x, *parameters, **static), y),
    ),
}
