"""Wrong at shapes that a few random ones lack: one axis 1 and the others longer, two axes equal and the third not."""

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(0)
POINT = (RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5)))
SHAPES = "x: n d, w: d m -> y: n m"


def forward(x, w):
    return np.tanh(x @ w)


def right(u, x, w):
    inner = u * (1 - np.tanh(x @ w) ** 2)
    return inner @ w.T, x.T @ inner


def squeezed(u, x, w):
    """A last axis of 1 is dropped, and the rows are summed with it."""
    inner = u * (1 - np.tanh(x @ w) ** 2)
    kept = inner.squeeze()
    return (inner if kept.ndim == 2 else inner.mean(0, keepdims=True) + 0 * inner) @ w.T, x.T @ inner


def transposed_where_it_fits(u, x, w):
    """The cotangent is turned whenever it may be."""
    return right(u.T if len(x) == w.shape[1] else u, x, w)


WHERE = {
    "n = 1": lambda n, d, m: n == 1,
    "d = 1": lambda n, d, m: d == 1,
    "m = 1": lambda n, d, m: m == 1,
    "d = 1 alone": lambda n, d, m: d == 1 < min(n, m),
    "m = 1 alone": lambda n, d, m: m == 1 < min(n, d),
    "n = d, m another": lambda n, d, m: 1 < n == d != m,
    "d = m, n another": lambda n, d, m: 1 < d == m != n,
    "n = m, d another": lambda n, d, m: 1 < n == m != d,
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("where", WHERE)
def test_an_axis_of_one_and_two_equal_axes_are_tried_whatever_the_seed(where, seed):
    def wrong(u, x, w):
        return tuple(g * (1.01 if WHERE[where](*x.shape, w.shape[1]) else 1) for g in right(u, x, w))

    assert gradproof.check_vjp(forward, wrong, POINT, shapes=SHAPES, seed=seed).refused


@pytest.mark.parametrize("seed", range(4))
def test_what_is_squeezed_or_transposed_where_it_fits_is_seen(seed):
    for wrong in (squeezed, transposed_where_it_fits):
        assert gradproof.check_vjp(forward, wrong, POINT, shapes=SHAPES, seed=seed).refused
    assert gradproof.check_vjp(forward, right, POINT, shapes=SHAPES, seed=seed).ok


@pytest.mark.parametrize("seed", range(4))
def test_an_outer_product_that_is_transposed_in_a_square_is_seen(seed):
    """A weight over its spectral norm, whose two vectors are constant."""

    def scaled(w, a, b):
        return w / (a @ w @ b)

    def rule(u, w, a, b, turned=False):
        s = a @ w @ b
        outer = np.outer(b, a) if turned and len(a) == len(b) else np.outer(a, b)
        return u / s - outer * (u * w).sum() / s**2, None, None

    point = (RNG.normal(size=(3, 4)) + 1, np.array([0.4, 0.6, 0.7]), np.full(4, 0.5))
    options = {"shapes": "w: n m, a: n, b: m -> y: n m", "constant": ("a", "b"), "seed": seed}
    assert gradproof.check_vjp(scaled, lambda *x: rule(*x, turned=True), point, **options).refused
    assert not gradproof.check_vjp(scaled, rule, point, **options).refused


def test_a_declaration_meets_them_as_well():
    def declared(wrong):
        def backward(z_bar, z, x, w):
            gx, gw = right(z_bar, x, w)
            return {"x": gx, "w": gw * (1.01 if wrong and 1 < len(x) == w.shape[1] != len(w) else 1)}

        return gradproof.Equation(forward=forward, backward=backward, shapes="x: n d, w: d m -> z: n m")

    assert gradproof.check(declared(True)).refused
    assert gradproof.check(declared(False)).ok


@pytest.mark.parametrize("seed", range(3))
def test_a_cotangent_that_is_turned_where_it_is_square_is_called_wrong_at_square_shapes(seed):
    result = gradproof.check_vjp(forward, transposed_where_it_fits, POINT, shapes=SHAPES, seed=seed)
    assert result.causes[0] == "at_square"
