"""The reference: an entry for every derivative, its torch and its jax line the same map, in both modes."""

import ast
import importlib
import sys
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
import torch

import reference
from gradproof.errors import InputError, MissingFramework
from gradproof.oracles import jax as jax_oracle
from gradproof.oracles import torch as torch_oracle
from gradproof.sampling.shapes import draw_sizes

ORACLES = {"torch": torch_oracle, "jax": jax_oracle}
ROOT = Path(__file__).resolve().parents[1]


def declared(root):
    """Name -> module of each derivative in `derivs` below `root`: the files that declare an EQUATION."""
    found = {}
    for file in sorted((root / "derivs").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "EQUATION" for target in targets):
            found[file.stem] = ".".join(file.relative_to(root).with_suffix("").parts)
    return found


DECLARED = declared(ROOT)


def missing(root):
    """A sentence for each derivative without an entry, and for each entry without a derivative."""
    files, entries = declared(root), reference.names()
    absent = [
        f"derivs has {name!r}, reference has no entry {name!r}" for name in files if name not in entries
    ]
    return absent + [
        f"reference has {name!r}, derivs has no file {name!r}" for name in entries if name not in files
    ]


def test_every_derivative_has_an_entry():
    assert missing(ROOT) == []
    assert len(DECLARED) > 20


def test_a_derivative_without_an_entry_is_said(tmp_path):
    for module in DECLARED.values():
        file = tmp_path / (module.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("EQUATION = 1", encoding="utf-8")
    assert missing(tmp_path) == []
    (tmp_path / "derivs" / "gelu.py").write_text("EQUATION = 1", encoding="utf-8")
    (tmp_path / "derivs" / "constants.py").write_text("PI = 3", encoding="utf-8")
    (tmp_path / "derivs" / "tanh.py").unlink()
    assert missing(tmp_path) == [
        "derivs has 'gelu', reference has no entry 'gelu'",
        "reference has 'tanh', derivs has no file 'tanh'",
    ]


def each_variant():
    for name, module in DECLARED.items():
        equation = importlib.import_module(module).EQUATION
        for number, variant in enumerate(equation.variants):
            yield pytest.param(equation, variant, id=f"{name}-{number}")


VARIANTS = list(each_variant())


def points(equation, variant, count=2, kind="distinct", values="random"):
    """`count` points of one shape: (inputs of each, positions differentiated, static parameters)."""
    rng = np.random.default_rng(7)
    static = {name: choices[-1] for name, choices in equation.static.items()} | variant.pinned
    sizes = draw_sizes(variant.shapes, kind, static, rng)
    assert sizes is not None, f"{variant.shapes.text} has no {kind} sizes"
    slots = list(zip(variant.shapes.inputs, variant.shapes.input_shapes(sizes), strict=True))
    drawn = [
        [equation.domain_of(slot.name).draw(rng, shape, values, sizes) for slot, shape in slots]
        for _ in range(count)
    ]
    wrt = [number for number, name in enumerate(variant.names) if name not in equation.constant]
    return drawn, wrt, static


def close(got, expected, scale=0.0):
    """Within 64 ulps of the largest entry or of `scale`: both are sums of the same terms in another order."""
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    scale = max(np.abs(expected).max(initial=0), scale)
    assert np.abs(got - expected).max(initial=0) <= 64 * np.finfo(expected.dtype).eps * scale


@pytest.mark.parametrize(("equation", "variant"), VARIANTS)
def test_torch_and_jax_say_the_same_in_both_modes(equation, variant):
    drawn, wrt, static = points(equation, variant)
    lines = reference.forwards(equation.name)
    rng = np.random.default_rng(8)
    values = [reference.torch_value(equation.name, *inputs, **static) for inputs in drawn]
    u = rng.standard_normal((len(drawn), *values[0].shape))
    dx = [rng.standard_normal((len(drawn), *drawn[0][position].shape)) for position in wrt]
    batch = [np.stack(same) for same in zip(*drawn, strict=True)]
    answers = jax_oracle.Batched(lines["jax"], wrt, static)(batch, u, dx)
    for n, inputs in enumerate(drawn):
        z, gradients = torch_oracle.vjp(lines["torch"], u[n], inputs, wrt, static)
        _, along = torch_oracle.jvp(lines["torch"], [one[n] for one in dx], inputs, wrt, static)
        close(answers.value[n], z)
        for got, expected in zip(answers.vjp, gradients, strict=True):
            close(got[n], expected)
        # <u, J dx> = <J^T u, dx>, and no gradient is trivially zero
        forwards = np.sum(u[n] * along)
        backwards = sum(np.sum(g * one[n]) for g, one in zip(gradients, dx, strict=True))
        terms = sum(np.sum(np.abs(g * one[n])) for g, one in zip(gradients, dx, strict=True))
        assert abs(forwards - backwards) <= 1e-13 * terms
        close(
            answers.jvp[n], along, scale=terms / np.abs(u[n]).max()
        )  # a sum of these terms, which may cancel
        assert all(np.any(g != 0) for g in gradients)


@pytest.mark.parametrize(("equation", "variant"), VARIANTS)
def test_every_line_keeps_the_dtype(equation, variant):
    (inputs,), _, static = points(equation, variant, count=1)
    lines = reference.forwards(equation.name)
    for dtype in (np.float32, ml_dtypes.bfloat16):
        cast = [x.astype(dtype) for x in inputs]
        z = reference.torch_value(equation.name, *cast, **static)
        gradients = reference.torch_vjp(equation.name, np.ones(z.shape), *cast, **static)
        assert {z.dtype, *(g.dtype for g in gradients)} == {np.dtype(dtype)}
        with jax.enable_x64(True):
            assert jax.eval_shape(lambda *x: lines["jax"](*x, **static), *cast).dtype == dtype


def conv_point():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    return x, np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), np.array([10.0])


# name, inputs, static parameters, cotangent, value, gradients of the first inputs: worked by hand
EXACT = [
    ("chain_rule", (2.0, 3.0, 4.0), {}, 1.0, 50.0, (30.0, 20.0, 10.0)),
    ("dense", ([[1.0, 2.0]], [[3.0], [4.0]], [5.0]), {},
     [[2.0]], [[16.0]], ([[6.0, 8.0]], [[2.0], [4.0]], [2.0])),
    ("dense_column", ([[1.0], [2.0]], [[3.0], [4.0]], [[5.0]]), {},
     [[2.0]], [[16.0]], ([[6.0], [8.0]], [[2.0], [4.0]])),
    ("sigmoid", ([[0.0, 800.0, -800.0]],), {}, [[4.0, 1.0, 1.0]], [[0.5, 1.0, 0.0]], ([[1.0, 0.0, 0.0]],)),
    ("tanh", ([[0.0, 800.0]],), {}, [[3.0, 1.0]], [[0.0, 1.0]], ([[3.0, 0.0]],)),
    ("relu", ([[-1.0, 0.0, 2.0]],), {}, [[5.0, 6.0, 7.0]], [[0.0, 0.0, 2.0]], ([[0.0, 0.0, 7.0]],)),
    ("softmax", ([[0.0, np.log(3.0)]],), {}, [[16.0, 0.0]], [[0.25, 0.75]], ([[3.0, -3.0]],)),
    ("reduction", ([[1.0, 5.0]],), {"reduction": "mean"}, 4.0, 3.0, ([[2.0, 2.0]],)),
    ("log_loss", ([[0.5, 0.25]], [[1.0, 0.0]]), {"reduction": "sum"},
     3.0, np.log(2) + np.log(4 / 3), ([[-6.0, 4.0]],)),
    # exact probabilities where the label agrees: no loss, and the one-sided slope
    ("log_loss", ([[0.0, 1.0]], [[0.0, 1.0]]), {}, [[1.0, 1.0]], [[0.0, 0.0]], ([[1.0, -1.0]],)),
    ("sigmoid_log_loss", ([[0.0, 0.0]], [[1.0, 0.0]]), {"reduction": "mean"},
     4.0, np.log(2), ([[-1.0, 1.0]],)),
    ("cross_entropy", ([[0.25, 0.75]], [[1.0, 0.0]]), {}, [2.0], [np.log(4)], ([[-8.0, 0.0]],)),
    ("cross_entropy", ([[0.0, 1.0]], [[0.0, 1.0]]), {}, [1.0], [0.0], ([[0.0, -1.0]],)),
    # rows of y need not sum to 1: a sum(y) - y
    ("softmax_cross_entropy", ([[0.0, 0.0]], [[3.0, 1.0]]), {}, [1.0], [4 * np.log(2)], ([[-1.0, 1.0]],)),
    ("gradient_descent", ([5.0, 6.0], [1.0, 2.0], 0.5), {},
     [1.0, 10.0], [4.5, 5.0], ([1.0, 10.0], [-0.5, -5.0], -21.0)),
    ("convolution", conv_point(), {}, [[[[1.0, 0.0], [0.0, 0.0]]]], [[[[37.0, 47.0], [67.0, 77.0]]]],
     ([[[[1.0, 2.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]]], [[[[0.0, 1.0], [3.0, 4.0]]]], [1.0])),
    ("convolution", conv_point(), {"stride": (2, 3), "pad": (1, 0)}, [[[[1.0], [1.0]]]], [[[[14.0], [67.0]]]],
     ([[[[3.0, 4.0, 0.0], [1.0, 2.0, 0.0], [3.0, 4.0, 0.0]]]], [[[[3.0, 4.0], [6.0, 8.0]]]], [2.0])),
    # both entries of a tie are the maximum; the first one takes the cotangent
    ("max_pool", ([[[[7.0, 7.0], [1.0, 7.0]]]],), {},
     [[[[5.0]]]], [[[[7.0]]]], ([[[[5.0, 0.0], [0.0, 0.0]]]],)),
    ("flatten", ([[[[1.0, 2.0]], [[3.0, 4.0]]]],), {}, [[1.0, 2.0, 3.0, 4.0]], [[1.0, 2.0, 3.0, 4.0]],
     ([[[[1.0, 2.0]], [[3.0, 4.0]]]],)),
    ("single_layer", ([[0.0]], [[1.0]], [[2.0]], [0.0]), {}, 2.0, np.log(2), ([[-2.0]], )),
]  # fmt: skip


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize(
    ("name", "inputs", "static", "u", "value", "gradients"),
    EXACT,
    ids=[f"{row[0]}-{n}" for n, row in enumerate(EXACT)],
)
def test_worked_by_hand(framework, name, inputs, static, u, value, gradients):
    given = [np.asarray(x) for x in inputs]
    line, wrt = reference.forwards(name)[framework], range(len(gradients))
    z, got = ORACLES[framework].vjp(line, np.asarray(u), given, wrt, static)
    assert np.allclose(z, value, rtol=4e-16, atol=0)
    for one, expected in zip(got, gradients, strict=True):
        assert np.allclose(one, expected, rtol=4e-16, atol=2e-15)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_modes_by_name(framework):
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0])
    along = getattr(reference, f"{framework}_jvp")
    assert along("dense", (x, w, b), x, w, b).tolist() == [[27.0]]
    assert along("dense", w, x, w, b, wrt=[1]).tolist() == [[11.0]]
    labels = np.array([[1, 0]])  # whole numbers have no gradient
    gradients = getattr(reference, f"{framework}_vjp")(
        "log_loss", np.ones((1, 2)), np.array([[0.5, 0.5]]), labels
    )
    assert [g.tolist() for g in gradients] == [[[-2.0, 2.0]]]


def test_gradient_descent_is_the_step_of_sgd():
    rng = np.random.default_rng(9)
    w, g, alpha = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), np.array(0.0625)
    parameter = torch.from_numpy(w.copy()).requires_grad_()
    parameter.grad = torch.from_numpy(g.copy())
    torch.optim.SGD([parameter], lr=float(alpha)).step()
    for value in (reference.torch_value, reference.jax_value):
        assert np.array_equal(value("gradient_descent", w, g, alpha), parameter.detach().numpy())


def test_pooling_and_convolution_without_images_or_channels():
    for shape in ((0, 2, 5, 4), (3, 0, 5, 4)):
        x, k, b = np.ones(shape), np.ones((2, shape[1], 2, 3)), np.array([1.0, 2.0])
        for framework in ("torch", "jax"):
            value, gradient = getattr(reference, f"{framework}_value"), getattr(reference, f"{framework}_vjp")
            z = value("convolution", x, k, b)
            assert z.shape == (shape[0], 2, 4, 2)
            assert np.array_equal(z, np.broadcast_to(b[:, None, None], z.shape))
            x_bar, k_bar, b_bar = gradient("convolution", np.ones(z.shape), x, k, b)
            assert (x_bar.shape, k_bar.shape, b_bar.tolist()) == (x.shape, k.shape, [8.0 * shape[0]] * 2)
            assert value("max_pool", x).shape == (*shape[:2], 2, 2)


def test_unknown_name_names_what_comes_close():
    with pytest.raises(
        reference.UnknownEquation, match=r"no reference for 'sofmax'; expected .*softmax"
    ) as caught:
        reference.torch_value("sofmax", np.ones((1, 2)))
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)
    with pytest.raises(reference.UnknownEquation, match=r"no reference for 'qqq'; expected .*dense"):
        reference.forwards("qqq")
    with pytest.raises(ValueError, match="reduction 'max' is unknown"):
        reference.jax_value("reduction", np.ones((1, 2)), reduction="max")
    with pytest.raises(InputError, match="cotangent 0 has shape"):
        reference.torch_vjp("sigmoid", np.ones(3), np.ones((1, 2)))


@pytest.mark.parametrize(("absent", "present"), [("torch", "jax"), ("jax", "torch")])
def test_one_framework_works_without_the_other(absent, present, monkeypatch):
    monkeypatch.setitem(sys.modules, absent, None)
    u, z = np.array([[4.0]]), np.array([[0.0]])
    assert "cnn_softmax" in reference.names()
    assert getattr(reference, f"{present}_vjp")("sigmoid", u, z)[0].tolist() == [[1.0]]
    assert getattr(reference, f"{present}_jvp")("sigmoid", u, z).tolist() == [[1.0]]
    assert getattr(reference, f"{present}_value")("sigmoid", z).tolist() == [[0.5]]
    for ask in (
        lambda: getattr(reference, f"{absent}_vjp")("sigmoid", u, z),
        lambda: getattr(reference, f"{absent}_jvp")("sigmoid", u, z),
        lambda: getattr(reference, f"{absent}_value")("sigmoid", z),
    ):
        with pytest.raises(MissingFramework, match=f"{absent} was asked for .* pip install {absent}$"):
            ask()
