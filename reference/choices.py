"""What PyTorch and JAX choose where frameworks and texts differ: each answer is a call, made when it is
asked.

Where JAX has no such function, the loss say, the formula written in `jax.numpy` speaks for it, or nothing
does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from gradproof.oracles.compilation import kept
from reference.frameworks import F, jax, jnp, lax, torch


def _jax(answer: Callable[[], Any]) -> Callable[[], Any]:
    """In float64, as everything else; op by op, so that each op's program is kept from one run to the next."""

    def asked() -> Any:
        with jax.enable_x64(True), kept():
            return answer()

    return asked


def _real(*values: Any) -> Any:
    """A float64 tensor."""
    return torch.tensor(*values, dtype=torch.float64)


def _torch_slope(function: Callable[..., Any], at: Any) -> Any:
    return torch.func.grad(lambda x: function(x).sum())(_real(at)).numpy()


def _jax_slope(function: Callable[..., Any], at: Any) -> Any:
    return jax.grad(lambda x: function(x).sum())(jnp.asarray(at, dtype=float))


def _window_max(x: Any, step: int) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (step, step), "VALID")


def _jax_log_loss(a: Any, y: float) -> Any:
    return -y * jnp.log(a) - (1 - y) * jnp.log(1 - a)


def _jax_biases() -> Any:
    stax = import_module("jax.example_libraries.stax")
    return stax.Conv(3, (2, 2))[0](jax.random.key(0), (1, 9, 9, 1))[1][1].size


def _jax_weights() -> tuple[int, ...]:
    stax = import_module("jax.example_libraries.stax")
    return tuple(stax.Dense(3)[0](jax.random.key(0), (1, 2))[1][0].shape)


ONES, SHARED = [[1.0, 1.0], [1.0, 1.0]], [[0.0, 5.0, 1.0], [2.0, 3.0, 4.0]]
PIXEL, KERNEL = [[1.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 4.0]]

PYTORCH: dict[str, Callable[[], Any]] = {
    "relu": lambda: _torch_slope(F.relu, 0.0),
    "max": lambda: _torch_slope(lambda z: torch.maximum(z, _real(0.0)), 0.0),
    "pool tie": lambda: _torch_slope(lambda x: F.max_pool2d(x[None], 2)[0], ONES),
    "axis tie": lambda: _torch_slope(lambda x: torch.amax(x, 0), [2.0, 2.0]),
    "overlap": lambda: _torch_slope(lambda x: F.max_pool2d(x[None], 2, 1)[0], SHARED)[0, 1],
    "remainder": lambda: F.max_pool1d(torch.zeros(1, 5), 2).shape[-1],
    "log loss sign": lambda: F.binary_cross_entropy(_real(0.5), _real(1.0)),
    "log loss wrong": lambda: F.binary_cross_entropy(_real(0.0), _real(1.0)),
    "log loss right": lambda: F.binary_cross_entropy(_real(0.0), _real(0.0)),
    "log loss slope": lambda: _torch_slope(lambda a: F.binary_cross_entropy(a, _real(1.0)), 0.0),
    "sum or mean": lambda: _torch_slope(lambda a: F.binary_cross_entropy(a, torch.ones_like(a)), [0.5, 0.5]),
    "rows of Y": lambda: _torch_slope(
        lambda z: F.cross_entropy(z[None], torch.ones(1, 2).double()), [0.0, 0.0]
    ),
    "weights": lambda: tuple(torch.nn.Linear(2, 3).weight.shape),
    "jacobian": lambda: tuple(
        torch.func.jacrev(lambda z: torch.stack([z[0], z[1], z[0] * z[1]]))(_real([1.0, 1.0])).shape
    ),
    "flip": lambda: F.conv2d(_real([[PIXEL]]), _real([[KERNEL]])).item(),
    "bias": lambda: torch.nn.Conv2d(1, 3, 2).bias.numel(),
    "tanh": lambda: torch.tanh(_real(1000.0)),
    "softmax": lambda: torch.softmax(_real([1000.0, 0.0]), 0),
}
JAX_ANSWERS: dict[str, Callable[[], Any]] = {
    "relu": lambda: _jax_slope(jax.nn.relu, 0.0),
    "max": lambda: _jax_slope(lambda z: jnp.maximum(z, 0.0), 0.0),
    "pool tie": lambda: _jax_slope(lambda x: _window_max(x, 2), ONES),
    "axis tie": lambda: _jax_slope(lambda x: jnp.max(x, 0), [2.0, 2.0]),
    "overlap": lambda: _jax_slope(lambda x: _window_max(x, 1), SHARED)[0, 1],
    "remainder": lambda: lax.reduce_window(jnp.zeros(5), -jnp.inf, lax.max, (2,), (2,), "VALID").size,
    "log loss sign": lambda: _jax_log_loss(jnp.asarray(0.5), 1.0),
    "log loss wrong": lambda: _jax_log_loss(jnp.asarray(0.0), 1.0),
    "log loss right": lambda: _jax_log_loss(jnp.asarray(0.0), 0.0),
    "log loss slope": lambda: _jax_slope(lambda a: _jax_log_loss(a, 1.0), 0.0),
    "rows of Y": lambda: _jax_slope(lambda z: -jax.nn.log_softmax(z), [0.0, 0.0]),
    "weights": _jax_weights,
    "jacobian": lambda: tuple(
        jax.jacobian(lambda z: jnp.stack([z[0], z[1], z[0] * z[1]]))(jnp.ones(2)).shape
    ),
    "flip": lambda: lax.conv(jnp.asarray([[PIXEL]]), jnp.asarray([[KERNEL]]), (1, 1), "VALID").item(),
    "bias": _jax_biases,
    "tanh": lambda: jnp.tanh(1000.0),
    "softmax": lambda: jax.nn.softmax(jnp.asarray([1000.0, 0.0])),
}
ANSWERS = {"torch": PYTORCH, "jax": {key: _jax(answer) for key, answer in JAX_ANSWERS.items()}}
