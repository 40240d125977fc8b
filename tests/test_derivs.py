"""What holds of every file of `derivs`: dtypes, memory, layout, safety, sizes 0 and 1, plain forms.

The files are found by walking, the samples are the engine's own, and no framework speaks: that each gradient
is the slope of its forward is looked at along one direction here, and judged in full elsewhere.
"""

import importlib
import itertools
import pkgutil

import numpy as np
import pytest

import derivs
from derivs import gradient_descent
from gradproof.sampling.shapes import draw_sizes

MODULES = [
    module
    for found in pkgutil.walk_packages(derivs.__path__, "derivs.")
    if not found.ispkg and not found.name.startswith("derivs.paper.")
    for module in [importlib.import_module(found.name)]
]
NETWORKS = [module for module in MODULES if module.__name__.startswith("derivs.networks.")]
LAYOUTS = {
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "reversed": lambda x: np.ascontiguousarray(np.flip(x))[(slice(None, None, -1),) * x.ndim],
    "Fortran": np.asfortranarray,
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


def each(modules):
    return pytest.mark.parametrize("module", modules, ids=lambda module: module.EQUATION.name)


def samples(module, kind="distinct", values="random", dtype=np.float64):
    """A sample for each variant and set of static values: inputs, static values, cotangent of the output."""
    equation, rng = module.EQUATION, np.random.default_rng(3)
    for variant in equation.variants:
        free = {name: choices for name, choices in equation.static.items() if name not in variant.pinned}
        for chosen in itertools.product(*free.values()):
            static = {**variant.pinned, **dict(zip(free, chosen, strict=True))}
            sizes = draw_sizes(variant.shapes, kind, static, rng)
            if sizes is None:
                continue
            shapes = variant.shapes.input_shapes(sizes)
            inputs = [
                equation.domain_of(name).draw(rng, shape, values, sizes).astype(dtype)
                for name, shape in zip(variant.names, shapes, strict=True)
            ]
            z_bar = rng.choice([-1.5, -1, -0.5, 0.5, 1, 1.5], variant.shapes.output_shapes(sizes)[0])
            yield inputs, static, np.asarray(z_bar, dtype=dtype)


def gradients(module, inputs, static, z_bar):
    return module.backward(z_bar, module.forward(*inputs, **static), *inputs, **static)


def names(module, inputs):
    """Of the inputs that have a gradient: name -> input."""
    count = len(inputs)
    listed = next(variant.names for variant in module.EQUATION.variants if len(variant.names) == count)
    return {n: x for n, x in zip(listed, inputs, strict=True) if n not in module.EQUATION.constant}


def test_every_file_ends_in_a_record():
    assert len(MODULES) == 23
    assert len(NETWORKS) == 7
    for module in MODULES:
        assert module.EQUATION.forward is module.forward
        assert module.EQUATION.backward is module.backward
        assert module.EQUATION.name == module.__name__.rpartition(".")[2]


@each(MODULES)
def test_every_gradient_is_the_slope_of_the_forward(module):
    """Along one direction, by a complex step: Im f(x + i h v) / h does not cancel (Squire and Trapp 1998)."""
    rng, h = np.random.default_rng(0), 1e-30
    for drawn, static, z_bar in samples(module):
        inputs = [x * (1 - rng.random(x.shape) / 64) for x in drawn]  # no ties, and no 0 or 1
        found = gradients(module, inputs, static, z_bar)
        assert found
        for name, x in names(module, inputs).items():
            v = rng.choice([-1.0, 1.0], x.shape)
            moved = [(u + 1j * h * v if u is x else u).astype(complex) for u in inputs]
            slope = (z_bar * module.forward(*moved, **static).imag / h).sum()
            scale = np.abs(found[name]).sum()
            assert (found[name] * v).sum() == pytest.approx(slope, rel=1e-13, abs=1e-13 * scale)


@each(MODULES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.complex128])
def test_gradients_have_shape_and_dtype_of_the_input_and_share_no_memory(module, dtype):
    for inputs, static, z_bar in samples(module, dtype=dtype):
        before = [x.copy() for x in (*inputs, z_bar)]
        z = module.forward(*inputs, **static)
        assert z.dtype == dtype
        found = module.backward(z_bar, z, *inputs, **static)
        assert list(found) == list(names(module, inputs))
        for name, x in names(module, inputs).items():
            assert (found[name].shape, found[name].dtype) == (x.shape, x.dtype), name
        for a, b in itertools.combinations([z, z_bar, *inputs, *found.values()], 2):
            if a is not z:  # flatten's forward is a view
                assert not np.shares_memory(a, b)
        assert all(np.array_equal(a, b) for a, b in zip(before, (*inputs, z_bar), strict=True))


@each(MODULES)
@pytest.mark.parametrize("values", ["saturated", "zeros", "small"])
def test_nothing_overflows_or_is_nan(module, values):
    with np.errstate(all="raise", under="ignore"):
        for inputs, static, z_bar in samples(module, "free", values):
            found = gradients(module, inputs, static, z_bar)
            assert all(np.isfinite(g).all() for g in found.values())


@each(MODULES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_matter(module, layout):
    for inputs, static, z_bar in samples(module):
        expected = gradients(module, inputs, static, z_bar)
        found = gradients(module, [LAYOUTS[layout](x) for x in inputs], static, LAYOUTS[layout](z_bar))
        for name, g in found.items():
            np.testing.assert_allclose(g, expected[name], rtol=1e-13, atol=1e-13)


@each(MODULES)
@pytest.mark.parametrize("word", ["zero", "one"])
def test_axes_of_size_0_and_1(module, word):
    symbols = "n" if module in NETWORKS else module.EQUATION.variants[-1].shapes.symbols
    drawn = [itertools.islice(samples(module, f"{word} {symbol}"), 3) for symbol in symbols]
    drawn = [*itertools.chain(*drawn)]
    assert drawn
    for inputs, static, z_bar in drawn:
        found = gradients(module, inputs, static, z_bar)
        for name, x in names(module, inputs).items():
            assert found[name].shape == x.shape
            assert np.isfinite(found[name]).all()


@each([module for module in MODULES if module.EQUATION.plain])
def test_plain_form_is_the_same_map(module):
    drawn = [(inputs, static) for inputs, static, _ in samples(module)]
    assert drawn
    for inputs, static in drawn:
        inputs = [x / 8 if len(inputs) > 3 else x for x in inputs]  # else exp overflows in a network
        found, expected = module.forward(*inputs, **static), module.EQUATION.plain(*inputs, **static)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    boxed = module.EQUATION.plain(*(Boxed.array(x) for x in inputs), **static)
    np.testing.assert_allclose(np.asarray(boxed).astype(float), expected, rtol=1e-12, atol=1e-13)


class Boxed(float):
    """A number that NumPy sees as an object, with the methods its ufuncs call."""

    @classmethod
    def array(cls, x):
        boxed = np.empty(x.shape, dtype=object)
        boxed[...] = np.vectorize(cls, otypes=[object])(x) if x.size else x
        return boxed

    def exp(self):
        return Boxed(np.exp(float(self)))

    def log(self):
        return Boxed(np.log(float(self)))

    def tanh(self):
        return Boxed(np.tanh(float(self)))


def boxing(method):
    return lambda self, *other: Boxed(getattr(float, method)(self, *map(float, other)))


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "neg"):
    setattr(Boxed, f"__{_name}__", boxing(f"__{_name}__"))


@each(NETWORKS)
def test_a_gradient_step_lowers_the_loss(module):
    for inputs, static, _ in samples(module):
        x, y, *parameters = inputs
        loss, pullback = module.vjp(x, y, *parameters, **static)
        found = pullback(np.ones_like(loss))
        slopes = [found[name] for name in list(names(module, inputs))[1:]]
        size = sum(float((g * g).sum()) for g in slopes)
        rate = np.array(1e-6 * loss / size)
        moved = [gradient_descent.forward(p, g, rate) for p, g in zip(parameters, slopes, strict=True)]
        lower = module.forward(x, y, *moved, **static)
        assert loss - lower == pytest.approx(rate * size, rel=1e-2)
