"""The other doors of the same judge: a gradient, a layer with a cache, forward mode, and a declaration."""

import subprocess
import sys

import numpy as np
import pytest

import gradproof
from gradproof import Equation
from gradproof.verdict import REFUSED

RNG = np.random.default_rng(29)
X = RNG.normal(size=(3, 4))
W = RNG.normal(size=(4, 2))
PRODUCT = "x: n d, w: d m -> z: n m"


def refused(result):
    return {v.check for v in result.verdicts if v.word in REFUSED}


# ---- check_grad ---------------------------------------------------------------------------------------------------


def energy(x, w):
    return float((np.tanh(x @ w) ** 2).sum())


def energy_grad(x, w):
    z = np.tanh(x @ w)
    bar = 2 * z * (1 - z * z)
    return bar @ w.T, x.T @ bar


def test_a_right_gradient_passes_as_tuple_dict_or_array():
    assert gradproof.check_grad(energy, energy_grad, (X, W), examples=6).word == "agrees"

    def named(x, w):
        return dict(zip("xw", energy_grad(x, w), strict=True))

    assert gradproof.check_grad(energy, named, (X, W), examples=6).word == "agrees"
    assert gradproof.check_grad(lambda x: (x * x).sum(), lambda x: 2 * x, (X,), examples=6).word == "agrees"


@pytest.mark.parametrize("which", [0, 1])
def test_a_wrong_gradient_is_refused_and_named(which):
    def wrong(x, w):
        g = list(energy_grad(x, w))
        g[which] = 1.001 * g[which]
        return tuple(g)

    result = gradproof.check_grad(energy, wrong, (X, W), examples=6)
    assert result.word == "differs"
    assert set(result.where) == {"xw"[which]}
    assert "factor" in result.causes[:2]
    assert str(result).startswith(f"wrong: the gradient of {'xw'[which]} is wrong")


def test_a_gradient_of_a_constant_is_left_out():
    def loss(x, target):
        return ((x - target) ** 2).sum()

    def grad(x, target):
        return 2 * (x - target), None

    assert gradproof.check_grad(loss, grad, (X, X + 1), constant="target", examples=4).word == "agrees"
    assert gradproof.check_grad(loss, grad, (X, X + 1), examples=4).word == "missing"


def test_assert_grad_raises_with_the_explanation():
    gradproof.assert_grad(energy, energy_grad, (X, W), examples=3)
    with pytest.raises(AssertionError, match="the gradient of x is wrong"):
        gradproof.assert_grad(lambda x: np.sin(x).sum(), lambda x: -np.cos(x), (X,), examples=3)


# ---- check_layer --------------------------------------------------------------------------------------------------


def dense(x, w):
    return np.maximum(x @ w, 0), (x, w)


def dense_backward(dout, cache):
    x, w = cache
    dout = dout * (x @ w > 0)
    return dout @ w.T, x.T @ dout


def test_a_right_layer_passes():
    result = gradproof.check_layer(dense, dense_backward, (X, W), shapes=PRODUCT, examples=8)
    assert result.ok
    assert result.word in ("agrees", "subgradient")


LAYERS = {
    "the mask missing": lambda dout, cache: (dout @ cache[1].T, cache[0].T @ dout),
    "sign": lambda dout, cache: tuple(-g for g in dense_backward(dout, cache)),
    "structure": lambda dout, cache: dense_backward(dout, cache)[:1],
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_wrong_layer_is_refused(name):
    result = gradproof.check_layer(dense, LAYERS[name], (X, W), shapes=PRODUCT, examples=8)
    assert result.refused
    if name in gradproof.CAUSES:
        assert name in result.causes[:2]


def test_a_layer_that_spoils_its_cache_is_refused():
    def scaled(x):
        return 2 * np.sin(x), x

    def spoils(dout, cache):
        g = 2 * dout * np.cos(cache)
        cache += 1
        return g

    assert refused(gradproof.check_layer(scaled, spoils, (X,), examples=3)) == {"mutated"}


def test_a_layer_without_a_cache_is_the_caller_s_mistake():
    with pytest.raises(gradproof.InputError, match=r"a layer's forward returns \(out, cache\)"):
        gradproof.check_layer(lambda x: np.sin(x), lambda dout, cache: dout, (X,))


def test_assert_layer_raises_with_the_explanation():
    gradproof.assert_layer(dense, dense_backward, (X, W), examples=3)
    with pytest.raises(AssertionError, match="is wrong"):
        gradproof.assert_layer(dense, lambda dout, cache: (dout @ cache[1].T, cache[0].T @ dout), (X, W), examples=3)


# ---- check_jvp ----------------------------------------------------------------------------------------------------


def product(x, w):
    return x @ w


def product_jvp(tangents, x, w):
    dx, dw = tangents
    return dx @ w + x @ dw


def test_a_right_jvp_passes():
    assert gradproof.check_jvp(product, product_jvp, (X, W), shapes=PRODUCT, examples=6).word == "agrees"
    bare = gradproof.check_jvp(np.sin, lambda t, x: t * np.cos(x), (X,), examples=6)
    assert bare.word == "agrees"


def test_a_jvp_of_several_outputs_passes():
    def both(x):
        return np.sin(x), (x * x).sum()

    result = gradproof.check_jvp(both, lambda t, x: (t * np.cos(x), 2 * (t * x).sum()), (X,), examples=4)
    assert result.word == "agrees"


def changes_its_tangent(t, x):
    t *= np.cos(x)
    return t


JVPS = {
    "a term missing": (lambda t, x: t * np.cos(x) * np.where(x > 0, 1, 0), "vjp", None),
    "sign": (lambda t, x: -t * np.cos(x), "vjp", "sign"),
    "shape": (lambda t, x: (t * np.cos(x)).sum(), "shape", "shape"),
    "dtype": (lambda t, x: (t * np.cos(x)).astype(np.float32), "dtype", "dtype"),
    "nonlinear": (lambda t, x: t * np.cos(x) + (t.astype(bool).sum() > 1), "nonlinear", "nonlinear"),
    "mutated": (changes_its_tangent, "mutated", "argument_changed"),
    "raises": (lambda t, x: 1 / 0, "raises", "raises"),
    "count": (lambda t, x: (t, t), "count", "structure"),
}


@pytest.mark.parametrize("name", JVPS)
def test_a_wrong_jvp_is_refused_for_what_it_is(name):
    jvp, check, cause = JVPS[name]
    result = gradproof.check_jvp(np.sin, jvp, (X,), examples=4)
    assert check in refused(result)
    if cause is not None:
        assert cause in result.causes[:2]


@pytest.mark.parametrize("which", [0, 1])
def test_the_input_whose_tangent_is_wrong_is_named(which):
    def wrong(tangents, x, w):
        dx, dw = tangents
        return (1 + (which == 0)) * dx @ w + (1 + (which == 1)) * x @ dw

    result = gradproof.check_jvp(product, wrong, (X, W), examples=4)
    assert {v.input for v in result.verdicts if v.word == "differs"} == {"xw"[which]}


def test_assert_jvp_raises_with_the_explanation():
    gradproof.assert_jvp(product, product_jvp, (X, W), examples=3)
    with pytest.raises(AssertionError, match="is wrong"):
        gradproof.assert_jvp(np.sin, lambda t, x: -t * np.cos(x), (X,), examples=3)


# ---- check(Equation) ----------------------------------------------------------------------------------------------


def declared(backward=None, forward=None, **options):
    def product_of(x, w, *, scale):
        return scale * (x @ w)

    def backward_of(z_bar, z, x, w, *, scale):
        return {"x": scale * (z_bar @ w.T), "w": scale * (x.T @ z_bar)}

    return Equation(
        forward=forward or product_of,
        backward=backward or backward_of,
        shapes=PRODUCT,
        static={"scale": (2, 3)},
        **options,
    )


def test_a_right_declaration_passes_over_shapes_and_static_values():
    result = gradproof.check(declared(), examples=16)
    assert result.word == "agrees"
    assert set(result.inputs) == {"x", "w"}
    assert {label.rpartition("scale=")[2] for label in result.samples} == {"2", "3"}
    assert len({label.split(" ", 1)[1] for label in result.samples}) > 5
    assert any("n=0" in label for label in result.samples)


DECLARED = {
    "scale ignored": (lambda z_bar, z, x, w, *, scale: {"x": 2 * z_bar @ w.T, "w": 2 * x.T @ z_bar}, "vjp"),
    "w missing": (lambda z_bar, z, x, w, *, scale: {"x": scale * (z_bar @ w.T)}, "missing"),
    "shares": (lambda z_bar, z, x, w, *, scale: {"x": scale * (z_bar @ w.T), "w": w}, "aliased"),
    "a name too many": (lambda z_bar, z, x, w, *, scale: {"x": z_bar @ w.T, "w": w * 1, "b": w}, "count"),
    "raises": (lambda z_bar, z, x, w, *, scale: 1 / 0, "raises"),
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_wrong_declaration_is_refused(name):
    backward, check = DECLARED[name]
    result = gradproof.check(declared(backward), examples=8)
    assert check in refused(result)


def test_the_lines_of_a_declaration_name_its_static_values():
    result = gradproof.check(declared(DECLARED["scale ignored"][0]), examples=8)
    assert result.refused
    last = result.reproduce.splitlines()[-1]
    names = {}
    exec("\n".join(result.reproduce.splitlines()[:-1]), names)
    equation = declared(DECLARED["scale ignored"][0])
    g = eval(last, {**names, "forward": equation.forward, "backward": equation.backward})
    assert set(g) == {"x", "w"}
    assert "scale=3" in last


def test_a_declaration_is_judged_in_another_dtype():
    result = gradproof.check(declared(), dtype=np.float32, examples=8)
    assert result.word == "agrees"


def test_a_constant_and_a_domain_are_kept():
    def log_loss(p, y):
        return -(y * np.log(p) + (1 - y) * np.log(1 - p))

    def backward(z_bar, z, p, y):
        return {"p": z_bar * ((1 - y) / (1 - p) - y / p)}

    options = {"domain": {"p": (0.0, 1.0), "y": "probability"}, "constant": ("y",)}
    equation = Equation(forward=log_loss, backward=backward, shapes="p: n, y: n -> z: n", **options)
    result = gradproof.check(equation, examples=12)
    assert result.word == "agrees"
    assert result.inputs == ("p",)


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    return module


def test_the_forward_value_is_held_against_the_reference(torch):
    def theirs(x, w, *, scale):
        return scale * (x @ w)

    right = gradproof.check(declared(), references={"torch": theirs}, examples=8)
    assert right.word == "agrees"
    values = [v for v in right.verdicts if v.check == "value"]
    assert {v.oracle for v in values} == {"torch"}
    assert len(values) == len(right.samples)

    def off(x, w, *, scale):
        return scale * (x @ w) * (1 + 1e-9)

    wrong = gradproof.check(declared(), references={"torch": off}, examples=8)
    assert "value" in refused(wrong)
    assert "the forward value differs from torch's" in str(wrong)


def test_the_oracles_can_be_named(torch):
    result = gradproof.check(declared(), references={"torch": lambda x, w, *, scale: scale * x @ w}, oracles=("torch",))
    spoke = {v.oracle for v in result.verdicts if v.check == "vjp"}
    assert "torch" in spoke
    with pytest.raises(gradproof.InputError, match="oracle 'tensorflow' is unknown; expected some of contract"):
        gradproof.check(declared(), oracles=("tensorflow",))


def test_what_is_no_declaration_is_refused():
    with pytest.raises(gradproof.InputError, match="check takes an Equation, not function; for a forward and"):
        gradproof.check(product)


def test_no_framework_is_loaded_without_need():
    lines = (
        "import sys, numpy as np, gradproof",
        "assert gradproof.check_vjp(np.sin, lambda u, x: u * np.cos(x), (np.ones(3) / 3,), examples=2).ok",
        "print(sorted({'torch', 'jax', 'sympy', 'derivs', 'reference'} & set(sys.modules)))",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
