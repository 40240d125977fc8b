"""Wrong rules that hide in how a rule is called: a scalar's gradient, a layer, forward mode, torch and jax."""

from functools import partial

import numpy as np
import pytest

import gradproof

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

RNG = np.random.default_rng(0)
X, Y, W = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))


def square(x):
    return x * x


def reused(store, x, value):
    """The value in an array that is kept for its shape."""
    kept = store.setdefault(x.shape, np.zeros(x.shape))
    kept[...] = value
    return kept


def test_a_gradient_of_a_scalar_in_a_buffer_that_is_reused_is_refused():
    store = {}
    wrong = gradproof.check_grad(lambda x: (x * x).sum(), lambda x: reused(store, x, 2 * x), (X,))
    assert wrong.causes == ("second_call",)


def test_a_gradient_of_a_scalar_that_is_its_input_is_said():
    def half(x):
        return 0.5 * (x * x).sum()

    plain = gradproof.check_grad(half, lambda x: x, (X,))
    assert plain.ok
    assert "shares memory with an input" in plain.warnings[0]
    assert gradproof.check_grad(half, lambda x: x, (X,), strict=True).causes == ("shared",)
    assert gradproof.check_grad(half, lambda x: x.copy(), (X,), strict=True).ok


# ---- layers


def keeping(x):
    return x * x, {"x": x.copy(), "g": np.empty_like(x)}


def remembering(u, cache):
    if "dx" not in cache:
        cache["dx"] = 2 * u * cache["x"]
    return cache["dx"].copy()


LAYERS = {
    "the next forward overwrites": (lambda store, x: (x * x, [reused(store, x, x)]), lambda u, c: 2 * u * c[0]),
    "the first changed what is in the cache": (lambda store, x: keeping(x), remembering),
    "changes the array that the first one returned": (
        lambda store, x: keeping(x),
        lambda u, c: np.multiply(u, 2 * c["x"], out=c["g"]),
    ),
}


@pytest.mark.parametrize("said", LAYERS)
def test_a_cache_serves_another_cotangent_and_outlives_another_forward(said):
    store = {}
    forward, backward = LAYERS[said]
    result = gradproof.check_layer(lambda x: forward(store, x), backward, (X,))
    assert result.refused
    assert said in " ".join(str(result).split())


def test_a_layer_that_is_an_object_may_keep_its_cache_to_itself():
    kept = []

    def forward(x):
        kept[:] = [x.copy()]
        return x * x, None

    result = gradproof.check_layer(forward, lambda u, cache: 2 * u * kept[0], (X,))
    assert result.ok, result
    assert "outside the cache" in result.warnings[0]
    plain = gradproof.check_layer(lambda x: (x * x, x), lambda u, x: 2 * u * x, (X,))
    assert plain.ok
    assert not any("cache" in note for note in plain.warnings)


# ---- forward mode

JVPS = {
    "small tangents": lambda t, x: 2 * x * np.where(np.abs(t) < 1e-6, 0, t),
    "large tangents": lambda t, x: 2 * x * np.clip(t, -5, 5),
    "the tangents' layout": lambda t, x: 2 * x * t.ravel(order="K").reshape(x.shape),
}


@pytest.mark.parametrize("bug", JVPS)
def test_a_jvp_is_asked_about_its_tangents(bug):
    assert gradproof.check_jvp(square, JVPS[bug], (X,)).refused


def test_a_tangent_in_a_buffer_that_is_reused_is_refused():
    store = {}
    result = gradproof.check_jvp(square, lambda t, x: reused(store, x, 2 * x * t), (X,))
    assert result.causes == ("second_call",)


def test_a_tangent_that_is_its_argument_is_said():
    assert gradproof.check_jvp(lambda x: x * 1.0, lambda t, x: t, (X,)).ok
    assert gradproof.check_jvp(lambda x: x * 1.0, lambda t, x: t, (X,), strict=True).causes == ("shared",)
    assert gradproof.check_jvp(square, lambda t, x: 2 * x * t, (X.astype(np.float32),), strict=True).ok


# ---- torch


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, w)
        ctx.save_for_forward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, u):
        x, w = ctx.saved_tensors
        return u * w, u * x

    @staticmethod
    def jvp(ctx, a, b):
        x, w = ctx.saved_tensors
        return (0 if a is None else a * w) + (0 if b is None else x * b)


class Remembers(Product):
    @staticmethod
    def backward(ctx, u):
        if not hasattr(ctx, "made"):
            ctx.made = Product.backward(ctx, u)
        return ctx.made


class OfBothAlone(Product):
    @staticmethod
    def jvp(ctx, a, b):
        x, w = ctx.saved_tensors
        return 2 * a * w if b is None else x * b if a is None else a * w + x * b


class Sign(Product):
    @staticmethod
    def jvp(ctx, a, b):
        x, w = ctx.saved_tensors
        return (0 if a is None else a * w) - (0 if b is None else x * b)


LONG = np.linspace(0.5, 2, 300)


@pytest.mark.parametrize(
    ("function", "point", "check"),
    [(Remembers, (X, Y), "state"), (OfBothAlone, (X, Y), "needs_input_grad"), (Sign, (LONG, LONG), "jvp")],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_a_torch_function_is_asked_in_every_way(function, point, check):
    result = gradproof.check_torch(function.apply, point)
    assert check in {v.check for v in result.verdicts if v.word == "differs"}
    assert gradproof.check_torch(Product.apply, point, examples=4).ok


def test_a_value_that_changes_where_a_gradient_is_required_is_refused():
    result = gradproof.check_torch(lambda x: x.sin() + (0.5 if x.requires_grad else 0), (X,))
    assert result.causes == ("primal",)


# ---- jax


def product(forward, backward, **options):
    made = jax.custom_vjp(lambda x, w: x * w)
    made.defvjp(forward, backward, **options)
    return made


def backward(kept, u):
    return u * kept[1], u * kept[0]


def perturbed(factor):
    def forward(x, w):
        return x.value * w.value, (x.value, w.value, x.perturbed)

    def pull(kept, u):
        return u * kept[1], u * kept[0] * (1 if kept[2] else factor)

    return product(forward, pull, symbolic_zeros=True)


def shifted(off):
    made = jax.custom_jvp(square)
    made.defjvp(lambda point, dot: (point[0] ** 2 + off, 2 * point[0] * dot[0]))
    return made


JAX = {
    "the forward of a custom_vjp": (product(lambda x, w: (x * w + 1e-6, (x, w)), backward), (X, Y), "primal"),
    "the value of a custom_jvp": (shifted(1e-3), (X,), "primal"),
    "where one input is differentiated": (perturbed(2.0), (X, Y), "needs_input_grad"),
}


@pytest.mark.parametrize("bug", JAX)
def test_a_custom_rule_of_jax_is_asked_in_every_way(bug):
    function, point, check = JAX[bug]
    result = gradproof.check_jax(function, point)
    assert check in {v.check for v in result.verdicts if v.word == "differs"}


def test_and_right_ones_are_not_refused():
    assert gradproof.check_jax(perturbed(1.0), (X, Y)).ok
    for dtype in (np.float64, np.float32, np.float16):
        assert gradproof.check_jax(shifted(0.0), (X.astype(dtype),)).ok


def test_a_right_jvp_that_loses_digits_of_large_tangents_is_not_refused():
    def pushed(t, x):
        """By the exponential of a block matrix that holds the tangent (Mathias 1996)."""
        n = len(x)
        block = np.block([[x, t], [np.zeros_like(x), x]])
        total, term = np.eye(2 * n), np.eye(2 * n)
        squarings = int(max(0, np.ceil(np.log2(np.abs(block).sum(1).max())) + 4))
        for k in range(1, 14):
            term = term @ block / 2**squarings / k
            total = total + term
        return np.linalg.matrix_power(total, 2**squarings)[:n, n:]

    def forward(x):
        return torch.matrix_exp(torch.from_numpy(np.array(x))).numpy()

    result = gradproof.check_jvp(forward, pushed, (RNG.normal(size=(2, 2)),), examples=3)
    assert result.ok, result


def test_a_forward_that_raises_at_complex_numbers_is_judged_without_them():
    def forward(a, b):
        return torch.linalg.solve(torch.from_numpy(np.array(a)), torch.from_numpy(np.array(b))).numpy()

    def rule(u, a, b):
        v = np.linalg.solve(a.T, u)
        return -v @ np.linalg.solve(a, b).T, v

    a, b = RNG.normal(size=(3, 3)) + 3 * np.eye(3), RNG.normal(size=(3, 2))
    assert gradproof.check_vjp(forward, rule, (a, b)).ok
    assert gradproof.check_vjp(forward, lambda u, a, b: (np.zeros_like(a), rule(u, a, b)[1]), (a, b)).refused


def test_a_right_rule_where_its_forward_jumps_along_most_directions_is_not_refused():
    def factor(x):
        return torch.linalg.qr(x)[0]

    result = gradproof.check_torch(factor, (RNG.normal(size=(4, 2)),))
    assert not result.refused, result  # NaN at a matrix of zeros, where it stands still along single entries


def test_a_jvp_that_is_clipped_where_tangents_are_large_is_seen():
    def jvp(t, x, most=np.inf):
        return np.clip(t * (1 - np.tanh(x) ** 2), -most, most)

    point = (np.random.default_rng(0).normal(size=(4, 3)),)
    for most in (1e2, 1e4):
        assert gradproof.check_jvp(np.tanh, partial(jvp, most=most), point).refused
    assert gradproof.check_jvp(np.tanh, jvp, point).ok
