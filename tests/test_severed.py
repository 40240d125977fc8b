"""A reference that is cut off from its inputs is the caller's mistake; one whose derivative is zero is none."""

from __future__ import annotations

import numpy as np
import pytest

from gradproof import InputError, check_vjp

POINT = np.random.default_rng(0).standard_normal((3, 2))


def cosine(u, x):
    return (u * np.cos(x)).astype(x.dtype)


def zero(u, x):
    return 0 * u


def torch_forward(kind):
    torch = pytest.importorskip("torch")

    def without_graph(x):
        with torch.no_grad():
            return torch.sin(x)

    return {
        "detach": lambda x: torch.sin(x).detach(),
        "through NumPy": lambda x: torch.from_numpy(np.sin(x.detach().numpy())),
        "no_grad": without_graph,
        "sign": torch.sign,
        "floor": torch.floor,
        "step": lambda x: (x > 0).to(x.dtype),
        "ones": torch.ones_like,
        "relu": torch.relu,
        "odd relu": lambda x: torch.relu(x) - torch.relu(-x),
    }[kind]


@pytest.mark.parametrize("kind", ["detach", "through NumPy", "no_grad"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_reference_without_a_graph_is_refused(kind, dtype):
    with pytest.raises(InputError, match=r"torch forward is cut off from its inputs.*keep it in torch"):
        check_vjp(np.sin, cosine, (POINT.astype(dtype),), torch=torch_forward(kind))


def test_jax_stopped():
    jax = pytest.importorskip("jax")
    with pytest.raises(InputError, match=r"jax forward is cut off from its inputs.*stop_gradient"):
        check_vjp(np.sin, cosine, (POINT,), jax=lambda x: jax.lax.stop_gradient(jax.numpy.sin(x)), examples=1)


def test_one_input_detached():
    pytest.importorskip("torch")
    with pytest.raises(InputError, match=r"cut off from 'w'.*constant="):
        check_vjp(
            lambda x, w: x * w,
            lambda u, x, w: (u * w, u * x),
            (POINT, POINT + 1),
            torch=lambda x, w: x * w.detach(),
        )


@pytest.mark.parametrize(
    ("kind", "forward"),
    [("sign", np.sign), ("floor", np.floor), ("step", lambda x: (x > 0).astype(x.dtype)), ("ones", np.ones_like)],
)
def test_a_derivative_of_zero_is_no_cut(kind, forward):
    assert check_vjp(forward, zero, (POINT,), torch=torch_forward(kind), examples=4).ok


def test_a_choice_of_zero_at_a_kink_is_no_cut():
    relu = check_vjp(
        lambda x: np.maximum(x, 0),
        lambda u, x: u * (x > 0),
        (np.zeros((3, 2)),),
        torch=torch_forward("relu"),
        examples=1,
    )
    odd = check_vjp(
        lambda x: np.maximum(x, 0) - np.maximum(-x, 0),
        lambda u, x: u,
        (np.zeros((3, 2)),),
        torch=torch_forward("odd relu"),
        examples=1,
    )
    assert not relu.refused
    assert not odd.refused
