"""The maps of the paper as forward passes in PyTorch and in JAX; `reference.paper` differentiates them.

A map is a list of stages; a stage is a name, the names it reads, its PyTorch line and its JAX line.
Nothing here has seen a printed derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from operator import add, mul
from typing import Any

from reference.frameworks import F, jax, jnp, lax, torch

Stage = tuple[str, str, Callable[..., Any], Callable[..., Any]]


def _torch_conv(x: Any, k: Any) -> Any:
    return F.conv2d(x[:, None], k[None, None])[:, 0]


def _jax_conv(x: Any, k: Any) -> Any:
    return lax.conv_general_dilated(x[:, None], k[None, None], (1, 1), "VALID")[:, 0]


def _jax_pool(x: Any, p: int, s: int) -> Any:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, p, p), (1, s, s), "VALID")


def _jax_bce(a: Any, y: Any) -> Any:
    return -(jax.scipy.special.xlogy(y, a) + jax.scipy.special.xlog1py(1 - y, -a))


def _dense(z: str, read: str) -> Stage:
    return (z, read, lambda a, w, b: F.linear(a, w.T, b.reshape(-1)), lambda a, w, b: jnp.dot(a, w) + b)


def _relu(layer: str) -> Stage:
    return (f"A{layer}", f"Z{layer}", F.relu, jax.nn.relu)


def _sigmoid(layer: str) -> Stage:
    return (f"A{layer}", f"Z{layer}", torch.sigmoid, jax.nn.sigmoid)


def _bce(a: str) -> tuple[Stage, ...]:
    """The loss of each entry, and J, their sum."""
    return (
        ("loss", f"{a} Y", lambda a, y: F.binary_cross_entropy(a, y, reduction="none"), _jax_bce),
        ("J", "loss", torch.sum, jnp.sum),
    )


def _softmax(a: str, z: str) -> tuple[Stage, ...]:
    """The softmax of each row and J, the cross-entropy of all rows."""
    return (
        (a, z, lambda z: torch.softmax(z, -1), lambda z: jax.nn.softmax(z, -1)),
        (
            "J",
            f"{a} Y",
            lambda a, y: -torch.special.xlogy(y, a).sum(),
            lambda a, y: -jax.scipy.special.xlogy(y, a).sum(),
        ),
    )


def _convolution(layer: str, source: str) -> Stage:
    return (
        f"Z{layer}",
        f"{source} K{layer} b{layer}",
        lambda x, k, b: _torch_conv(x, k) + b,
        lambda x, k, b: _jax_conv(x, k) + b,
    )


def _pool(layer: str) -> Stage:
    return (f"P{layer}", f"A{layer} p", lambda a, p: F.max_pool2d(a, p), lambda a, p: _jax_pool(a, p, p))


def _torch_slope(function: Callable[[Any], Any], w: Any) -> Any:
    """The gradient of a scalar function, itself differentiable."""
    w = w if w.requires_grad else w.detach().requires_grad_()
    (slope,) = torch.autograd.grad(function(w), w, create_graph=True)
    return slope


def _torch_descent(w: Any, c: Any) -> Any:
    return -F.normalize(_torch_slope(lambda w: (c * w**2).sum(), w), dim=0)


def _jax_descent(w: Any, c: Any) -> Any:
    gradient = jax.grad(lambda w: jnp.sum(c * w**2))(w)
    return -gradient / jnp.linalg.norm(gradient)


def _torch_loss(w: Any, x: Any, b: Any, y: Any) -> Any:
    return F.binary_cross_entropy_with_logits((w * x).sum() + b, y)


def _jax_loss(w: Any, x: Any, b: Any, y: Any) -> Any:
    z = jnp.sum(w * x) + b
    return jnp.logaddexp(0, z) - y * z


def _torch_change(sign: float) -> Callable[..., Any]:
    """By entry of W with a gradient of this sign: does J rise when the entry moves that way by h? (1 yes,
    -1 no, 0 not asked)
    """

    def change(w: Any, x: Any, b: Any, y: Any, h: Any) -> Any:
        moved = [
            _torch_loss(w + sign * h * move.reshape(w.shape), x, b, y)
            for move in torch.eye(w.numel(), dtype=w.dtype)
        ]
        rise = torch.sign(torch.stack(moved) - _torch_loss(w, x, b, y)).reshape(w.shape)
        slope = _torch_slope(lambda w: _torch_loss(w, x, b, y), w)
        return torch.where(slope * sign > 0, rise, torch.zeros_like(w))

    return change


def _jax_change(sign: float) -> Callable[..., Any]:
    def change(w: Any, x: Any, b: Any, y: Any, h: Any) -> Any:
        moved = [_jax_loss(w + sign * h * move.reshape(w.shape), x, b, y) for move in jnp.eye(w.size)]
        rise = jnp.sign(jnp.stack(moved) - _jax_loss(w, x, b, y)).reshape(w.shape)
        return jnp.where(jax.grad(_jax_loss)(w, x, b, y) * sign > 0, rise, 0.0)

    return change


def _stax() -> Any:
    return import_module("jax.example_libraries.stax")


def _jax_bias(k: Any) -> Any:
    _, (_, bias) = _stax().Conv(k.shape[0], k.shape[1:])[0](jax.random.key(0), (1, 9, 9, 1))
    return jnp.asarray(float(bias.size))


@lru_cache
def maps() -> dict[str, tuple[Stage, ...]]:
    """The maps by the name of their setting; made when first asked for, since some stages are functions
    of a framework.
    """
    every: dict[str, tuple[Stage, ...]] = {
        "descent": (("D", "W c", _torch_descent, _jax_descent),),
        "graph": (
            ("G", "A B", mul, mul),
            ("W", "G C", add, add),
            ("J", "W q r", lambda w, q, r: q * w**2 + r * w, lambda w, q, r: q * w**2 + r * w),
        ),
        "one sample": (
            ("Z", "W X b", lambda w, x, b: (w * x).sum() + b, lambda w, x, b: jnp.vdot(w, x) + b),
            ("A", "Z", torch.sigmoid, jax.nn.sigmoid),
            ("J", "A Y", F.binary_cross_entropy, _jax_bce),
            ("up", "W X b Y h", _torch_change(1.0), _jax_change(1.0)),
            ("down", "W X b Y h", _torch_change(-1.0), _jax_change(-1.0)),
        ),
        "columns": (
            (
                "Z",
                "W X b",
                lambda w, x, b: F.linear(x.T, w.T, b.reshape(1)).T,
                lambda w, x, b: jnp.dot(x.T, w).T + b,
            ),
        ),
        "tanh": (("A", "Z", torch.tanh, jnp.tanh), ("S", "A", torch.sum, jnp.sum)),
        "relu": (("A", "Z", F.relu, jax.nn.relu), ("S", "A", torch.sum, jnp.sum)),
        "softmax": _softmax("A", "Z"),
        "softmax layer": (_dense("Z", "P W b"), *_softmax("A", "Z")),
        "convolution": (
            (
                "Z1",
                "X K B",
                lambda x, k, b: _torch_conv(x[None], k)[0] + b,
                lambda x, k, b: _jax_conv(x[None], k)[0] + b,
            ),
            ("J", "Z1 U", lambda z, u: (u * z).sum(), lambda z, u: jnp.vdot(u, z)),
        ),
        "feature map": (
            ("A1", "Z1", F.relu, jax.nn.relu),
            ("J", "A1 U", lambda a, u: (u * a).sum(), lambda a, u: jnp.vdot(u, a)),
        ),
        "pooling": (
            (
                "P",
                "R p s",
                lambda r, p, s: F.max_pool2d(r[None], p, s)[0],
                lambda r, p, s: _jax_pool(r[None], p, s)[0],
            ),
            ("J", "P U", lambda a, u: (u * a).sum(), lambda a, u: jnp.vdot(u, a)),
        ),
        "pooling of channels": (
            (
                "P",
                "R p s",
                lambda r, p, s: F.max_pool2d(r.permute(2, 0, 1), p, s).permute(1, 2, 0),
                lambda r, p, s: jnp.moveaxis(_jax_pool(jnp.moveaxis(r, 2, 0), p, s), 0, 2),
            ),
        ),
        "head": (
            (
                "Z2",
                "P W b2",
                lambda p, w, b: F.linear(p.flatten(), w.T, b.reshape(1))[0],
                lambda p, w, b: jnp.vdot(p, w) + b,
            ),
            ("A2", "Z2", torch.sigmoid, jax.nn.sigmoid),
            ("J", "A2 Y", F.binary_cross_entropy, _jax_bce),
        ),
        "filters": (
            (
                "biases",
                "K",
                lambda k: torch.tensor(float(torch.nn.Conv2d(1, k.shape[0], k.shape[1]).bias.numel())),
                _jax_bias,
            ),
        ),
        "table 2": (
            _dense("Z1", "X W1 b1"),
            ("A1", "Z1", torch.tanh, jnp.tanh),
            _dense("Z2", "A1 W2 b2"),
            _sigmoid("2"),
            *_bce("A2"),
        ),
        "table 3": (
            _dense("Z1", "X W1 b1"),
            _relu("1"),
            _dense("Z2", "A1 W2 b2"),
            _sigmoid("2"),
            *_bce("A2"),
        ),
        "table 4": (
            _dense("Z1", "X W1 b1"),
            _relu("1"),
            _dense("Z2", "A1 W2 b2"),
            _relu("2"),
            _dense("Z3", "A2 W3 b3"),
            _relu("3"),
            _dense("Z4", "A3 W4 b4"),
            _sigmoid("4"),
            *_bce("A4"),
        ),
        "table 5": (
            _dense("Z1", "X W1 b1"),
            _relu("1"),
            _dense("Z2", "A1 W2 b2"),
            _relu("2"),
            _dense("Z3", "A2 W3 b3"),
            *_softmax("A3", "Z3"),
        ),
        "table 6": (
            _convolution("1", "X"),
            _relu("1"),
            _pool("1"),
            _convolution("2", "P1"),
            _relu("2"),
            _pool("2"),
            ("Q", "P2", lambda p: p.flatten(1), lambda p: p.reshape(p.shape[0], -1)),
            _dense("Z3", "Q W3 b3"),
            _relu("3"),
            _dense("Z4", "A3 W4 b4"),
            *_softmax("A4", "Z4"),
        ),
    }
    every["table 6, one image"] = every["table 6"]
    return every
