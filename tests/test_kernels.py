"""Fast forms against plain ones, what they hold in memory, and how many steps of Python they take.

Speed itself is no test: `gradproof bench` measures it.
"""

import itertools
import sys
import tracemalloc

import numpy as np
import pytest

from derivs import convolution, dense, dense_column, gradient_descent, max_pool
from tests.test_derivs import MODULES, NETWORKS, each, names, samples

SHAPES = [(3, 2, 7, 6), (1, 1, 5, 5), (2, 3, 4, 9), (0, 2, 5, 5), (2, 0, 5, 5)]


def drawn(shape, dtype=np.float64):
    return np.asarray(np.random.default_rng(sum(shape)).standard_normal(shape), dtype=dtype)


def plain_gradients(z_bar, x, k, stride, pad):
    """(53)-(62) entry by entry of the filters, as they are printed at the head of `convolution`."""
    (s, t), (u, v) = convolution.pair(stride), convolution.pair(pad)
    framed = convolution.padded(x, pad)
    x_bar, k_bar, (rows, columns) = np.zeros_like(framed), np.zeros_like(k), z_bar.shape[2:]
    for f, c, a, d in np.ndindex(k.shape):
        met = np.s_[:, c, a : a + s * rows : s, d : d + t * columns : t]
        k_bar[f, c, a, d] = (z_bar[:, f] * framed[met]).sum()
        x_bar[met] += k[f, c, a, d] * z_bar[:, f]
    return x_bar[:, :, u : u + x.shape[2], v : v + x.shape[3]], k_bar


@pytest.fixture(params=["one block", "an image a block", "two images a block"])
def blocks(request, monkeypatch):
    """The same under every division of the batch."""
    images = {"one block": 1 << 20, "an image a block": 1, "two images a block": 2}[request.param]
    for module in (convolution, max_pool):
        monkeypatch.setattr(
            module, "blocks", lambda x, *_: [slice(at, at + images) for at in range(0, len(x), images)]
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), ((2, 3), (1, 0)), (3, 2), (1, (0, 2))])
@pytest.mark.parametrize("shape", SHAPES)
def test_convolution_is_its_plain_form(blocks, shape, stride, pad, dtype):
    x, k, b = drawn(shape, dtype), drawn((4, shape[1], 2, 3), dtype), drawn((4,), dtype)
    z = convolution.forward(x, k, b, stride=stride, pad=pad)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(z, convolution.plain(x, k, b, stride=stride, pad=pad), **close)
    z_bar = drawn(z.shape, dtype)
    found = convolution.backward(z_bar, z, x, k, b, stride=stride, pad=pad)
    x_bar, k_bar = plain_gradients(z_bar, x, k, stride, pad)
    np.testing.assert_allclose(found["x"], x_bar, **close)
    np.testing.assert_allclose(found["k"], k_bar, **close)
    assert {z.dtype, *(gradient.dtype for gradient in found.values())} == {np.dtype(dtype)}


def test_inputs_of_two_dtypes_meet_in_the_wider_one():
    x, k, b = drawn((2, 1, 4, 4), np.float32), drawn((1, 1, 2, 2)), drawn((1,), np.complex128)
    assert convolution.forward(x, k, b).dtype == np.complex128
    np.testing.assert_allclose(convolution.forward(x, k, b), convolution.plain(x, k, b), rtol=1e-6)
    w, g, alpha = drawn((3,)), drawn((3,), np.float32), np.asarray(0.5, dtype=np.float32)
    assert gradient_descent.forward(w, g, alpha).dtype == np.float64


def test_convolution_keeps_what_is_not_finite_to_itself():
    x, k, b = np.zeros((2, 1, 4, 4)), np.ones((1, 1, 2, 2)), np.zeros(1)
    x[0, 0, 0, 0] = np.nan
    z = convolution.forward(x, k, b)
    assert np.isnan(z).sum() == np.isnan(z[0, 0, 0, 0]) == 1
    z_bar = np.zeros_like(z)
    z_bar[1] = 1.0
    found = convolution.backward(z_bar, z, x, k, b)
    assert np.isfinite(found["x"]).all()


@pytest.mark.parametrize(("p", "q", "stride"), [(2, 2, 2), (3, 2, 1), (1, 3, 2), (2, 3, (3, 1)), (1, 1, 3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_max_pool_is_its_plain_form(blocks, shape, p, q, stride):
    x = np.round(drawn(shape))  # with ties
    window = {"p": p, "q": q, "stride": stride}
    z = max_pool.forward(x, **window)
    np.testing.assert_array_equal(z, max_pool.plain(x, **window))
    s, t = stride if isinstance(stride, tuple) else (stride, stride)
    z_bar = drawn(z.shape)
    x_bar = np.zeros_like(x)
    for n, c, i, j in np.ndindex(z.shape):
        corner = x[n, c, s * i : s * i + p, t * j : t * j + q]
        a, d = np.unravel_index(np.argmax(corner), corner.shape)  # the first in reading order
        x_bar[n, c, s * i + a, t * j + d] += z_bar[n, c, i, j]
    np.testing.assert_allclose(max_pool.backward(z_bar, z, x, **window)["x"], x_bar, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_the_weights_of_one_row_are_those_of_many(rows):
    x, z_bar, w = drawn((rows, 3)), drawn((rows, 2)), drawn((3, 2))
    expected = np.einsum("ni,nj->ij", x, z_bar)
    found = dense.backward(z_bar, z_bar, x, w, drawn((2,)))["w"]
    column = dense_column.backward(z_bar.T, z_bar.T, x.T, w, drawn((2, 1)))["w"]
    for gradient in (found, column):
        assert gradient.flags.c_contiguous
        np.testing.assert_allclose(gradient, expected, rtol=1e-14, atol=1e-15)


@each(NETWORKS)
def test_a_training_step_leaves_out_the_gradient_of_its_data_alone(module):
    for inputs, static, _ in samples(module):
        loss, pullback = module.vjp(*inputs, **static)
        every, step = pullback(np.ones_like(loss)), pullback(np.ones_like(loss), x_is_data=True)
        assert [*step] == [name for name in names(module, inputs) if name != "x"]
        assert all(np.array_equal(step[name], every[name]) for name in step)


# ---- memory, and loops


def peak(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_is_of_the_size_of_images_not_of_patches(dtype):
    x, k, b = drawn((32, 16, 32, 32), dtype), drawn((16, 16, 5, 5), dtype), drawn((16,), dtype)
    z = convolution.forward(x, k, b, pad=2)
    blocks = 3 * convolution.BLOCK + x.nbytes / 2  # patches would be 25 x.nbytes
    assert peak(lambda: convolution.forward(x, k, b, pad=2)) < z.nbytes + 2.5 * blocks
    assert peak(lambda: convolution.backward(z, z, x, k, b, pad=2)) < x.nbytes + 2.5 * blocks
    assert z.nbytes + 2.5 * blocks < 25 * x.nbytes
    pooled = max_pool.forward(x)
    assert peak(lambda: max_pool.forward(x)) < pooled.nbytes + 2 * max_pool.BLOCK
    assert peak(lambda: max_pool.backward(pooled, pooled, x)) < x.nbytes + 2 * max_pool.BLOCK


def lines(function):
    """How many lines of Python in `derivs` a call runs through."""
    counted = itertools.count()

    def local(frame, event, argument):
        next(counted)
        return local

    def trace(frame, event, argument):
        return local if "derivs" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return next(counted)


@each([module for module in MODULES if module not in NETWORKS])
def test_python_loops_over_no_samples_channels_or_pixels(module):
    equation = module.EQUATION
    variant = equation.variants[0]
    static = {**{name: choices[0] for name, choices in equation.static.items()}, **variant.pinned}
    counted = []
    for factor in (1, 3):
        sizes = {symbol: 3 if symbol in ("p", "q") else 5 * factor for symbol in variant.shapes.symbols}
        sizes.update({name: value for name, value in static.items() if isinstance(value, int)})
        rng = np.random.default_rng(0)
        inputs = [
            equation.domain_of(name).draw(rng, shape, "random", sizes)
            for name, shape in zip(variant.names, variant.shapes.input_shapes(sizes), strict=True)
        ]
        z = module.forward(*inputs, **static)
        counted.append(lines(lambda inputs=inputs, z=z: module.backward(z, z, *inputs, **static)))
        counted[-1] += lines(lambda inputs=inputs: module.forward(*inputs, **static))
    assert counted[0] > 0
    assert counted[0] == counted[1]


def test_a_loop_over_samples_would_be_seen(monkeypatch):
    monkeypatch.setattr(convolution, "BLOCK", 1)
    counted = []
    for n in (2, 6):
        x, k, b = drawn((n, 1, 5, 5)), drawn((1, 1, 2, 2)), drawn((1,))
        counted.append(lines(lambda x=x, k=k, b=b: convolution.forward(x, k, b)))
    assert counted[1] > 2 * counted[0]
