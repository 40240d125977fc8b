"""Buffers, layers that change what they are given, callers' mistakes, references that are set aside."""

from functools import partial

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
BUFFERS = {}


def test_a_buffer_that_every_call_fills_anew_is_seen():
    def doubled(u, x):
        out = BUFFERS.setdefault(x.shape, np.empty_like(x))
        out[...] = 2 * u
        return out

    result = gradproof.check_vjp(lambda x: 2 * x, doubled, (X,))
    assert result.refused
    assert any(v.check == "state" and "buffer" in v.note for v in result.verdicts)
    assert gradproof.check_vjp(lambda x: 2 * x, lambda u, x: 2 * u, (X,)).ok


def tanh_layer(x, w):
    y = np.tanh(x @ w)
    return y, {"x": x, "w": w, "y": y}


def backward(u, cache):
    inner = u * (1 - cache["y"] ** 2)
    return {"x": inner @ cache["w"].T, "w": cache["x"].T @ inner}


def halved(u, cache):
    found = backward(u, cache)
    cache["y"] *= 0.5
    return found


def replaced(u, cache):
    found = backward(u, cache)
    cache["y"] = cache["y"] * 0.5
    return found


def emptied(u, cache):
    inner = u * (1 - cache.pop("y") ** 2)
    return {"x": inner @ cache["w"].T, "w": cache["x"].T @ inner}


def test_a_layer_changes_neither_its_output_nor_its_cache():
    point = (X, RNG.normal(size=(3, 2)))
    right = gradproof.check_layer(tanh_layer, backward, point)
    assert right.ok
    assert not any("cache" in w for w in right.warnings)
    for wrong, words in ((halved, "changed the output"), (replaced, "second backward on one cache")):
        result = gradproof.check_layer(tanh_layer, wrong, point)
        assert result.refused
        assert "argument_changed" in result.causes
        assert words in str(result)
    once = gradproof.check_layer(tanh_layer, emptied, point)
    assert once.ok
    assert any("uses the cache up" in w for w in once.warnings)


EMPTY = np.zeros((0, 3))
OUTER = (lambda x, w: x * w.sum(), lambda u, x, w: (u * w.sum(), np.full_like(w, (u * x).sum())))


SQUARE = (lambda x: x**2, lambda u, x: 2 * u * x)
MISTAKES = {
    "an empty point": ((*SQUARE, (EMPTY,)), {}, "no differentiated input has an entry: 'x' has shape (0, 3); give a"),
    "an empty sampler": ((*SQUARE, lambda rng: (EMPTY,)), {}, "no differentiated input has an entry"),
    "a domain of another shape": (
        (*SQUARE, (X,)),
        {"domain": lambda rng, shape: rng.normal(size=3)},
        "the domain of 'x' gave shape (3,), asked for (4, 3); return an array",
    ),
    "a domain of NaN": (
        (*SQUARE, (X,)),
        {"domain": lambda rng, shape: np.full(shape, np.nan)},
        "the domain of 'x' gave NaN or infinity; return finite numbers",
    ),
    "names in another order": (
        (*OUTER, (X, X + 1)),
        {"shapes": "w: n d, x: e m -> y: n d"},
        "shapes= names the inputs w, x, the forward takes x, w; they are bound by position",
    ),
    "a list of outputs": ((lambda x: [x, x], SQUARE[1], (X,)), {}, "the forward returned a list; return an array, or"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_callers_mistake_is_said_in_one_line(mistake):
    arguments, options, words = MISTAKES[mistake]
    with pytest.raises(gradproof.InputError) as caught:
        gradproof.check_vjp(*arguments, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tensors_are_sent_to_check_torch():
    torch = pytest.importorskip("torch")
    with pytest.raises(gradproof.InputError, match="give NumPy arrays, or use check_torch for a function of torch"):
        gradproof.check_vjp(*SQUARE, (torch.ones(3, dtype=torch.float64),))


@pytest.mark.parametrize("off", ["factor", "float"])
def test_a_reference_that_is_set_aside_is_named(off):
    torch = pytest.importorskip("torch")
    theirs = {"factor": lambda x: x**2 * (1 + 1e-6), "float": lambda x: (x.float() ** 2).double()}[off]
    result = gradproof.check_vjp(*SQUARE, (X,), torch=theirs)
    assert result.ok
    assert any("the gradient of torch= was set aside" in w for w in result.warnings)
    same = gradproof.check_vjp(*SQUARE, (X,), torch=torch.square)
    assert same.ok
    assert not any("set aside" in w for w in same.warnings)


@pytest.mark.parametrize("most", [1e3, 1e5, 1e6])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_gradient_that_is_clipped_where_cotangents_are_large_is_seen(dtype, most):
    point = (X.astype(dtype),)

    def rule(u, x, most=np.inf):
        return np.clip(u * (1 - np.tanh(x) ** 2), -most, most).astype(x.dtype)

    for seed in range(3):
        result = gradproof.check_vjp(np.tanh, partial(rule, most=most), point, seed=seed)
        assert result.refused
        assert result.causes[0] == "nonlinear"
        assert gradproof.check_vjp(np.tanh, rule, point, seed=seed).ok
