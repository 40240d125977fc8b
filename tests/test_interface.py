"""The interface for a stranger's code: the call, its result, what goes in and what comes back."""

import inspect

import ml_dtypes
import numpy as np
import pytest

import gradproof
from gradproof import Equation, InputError

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
W = np.array([1.25, 0.5, -2.5])
SHAPES = "x: n d, w: d -> z: n d"


def flat(result):
    """The explanation without its line breaks."""
    return " ".join(str(result).split())


def scale(x, w):
    return x * w


def scale_vjp(u, x, w):
    return u * w, (u * x).sum(0)


def wrong_vjp(u, x, w):
    return u * w, (u * x).mean(0)


def sine(x):
    return np.sin(x)


def sine_vjp(u, x):
    return u * np.cos(x)


def check(forward, vjp, inputs, **options):
    return gradproof.check_vjp(forward, vjp, inputs, **{"examples": 8, **options})


# ---- the call and its result -----------------------------------------------------------------------------------------


def test_the_signature_is_the_one_that_is_promised():
    told = inspect.signature(gradproof.check_vjp).parameters
    assert list(told) == [
        *("forward", "vjp", "inputs", "torch", "jax", "shapes", "domain", "constant", "strict", "subgradient"),
        *("examples", "seed"),
    ]
    defaults = {name: p.default for name, p in told.items() if p.default is not p.empty}
    assert defaults == {
        **{"torch": None, "jax": None, "shapes": None, "domain": None, "constant": (), "strict": False},
        **{"subgradient": "any", "examples": None, "seed": 0},
    }


def test_every_name_of_the_interface_is_there():
    for kind in ("vjp", "grad", "jvp", "layer"):
        assert callable(getattr(gradproof, f"check_{kind}"))
        assert callable(getattr(gradproof, f"assert_{kind}"))
    assert callable(gradproof.check)
    assert issubclass(InputError, ValueError)
    assert gradproof.WORDS == ("agrees", "subgradient", "undecided", "missing", "differs", "error")
    for name in gradproof.__all__:
        assert getattr(gradproof, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'check_all'"):
        gradproof.check_all  # noqa: B018 - the access is what is tested


def test_a_right_rule():
    result = check(scale, scale_vjp, (X, W), shapes=SHAPES)
    assert result.ok is True
    assert result.refused is False
    assert result.word == "agrees"
    assert result.where == {}
    assert result.causes == ()
    assert result.reproduce == ""
    assert result.warnings == ()
    assert "scale_vjp: agrees" in flat(result)
    assert {v.input for v in result.verdicts} == {"x", "w"}
    assert {v.word for v in result.verdicts} == {"agrees"}


def test_a_wrong_rule():
    result = check(scale, wrong_vjp, (X, W))
    assert result.ok is False
    assert result.refused is True
    assert result.word == "differs"
    assert set(result.where) == {"w"}
    index, got, expected = result.where["w"]
    assert got != expected
    assert index in list(np.ndindex(W.shape))
    assert result.causes[0] == "mean_for_sum"
    assert all(cause in gradproof.CAUSES for cause in result.causes)
    assert all(v.input == "w" for v in result.verdicts if v.word == "differs")
    assert result.reproduce
    text = str(result)
    assert "wrong_vjp: the gradient of w is wrong" in text
    assert repr(got) in text
    assert repr(expected) in text
    assert gradproof.CAUSES["mean_for_sum"] in text
    with pytest.raises(AssertionError) as error:
        gradproof.assert_vjp(scale, wrong_vjp, (X, W), examples=8)
    assert str(error.value) == text


def test_a_verdict_states_what_was_found_and_how_finely():
    plain, result = check(scale, wrong_vjp, (X, W)), check(scale, wrong_vjp, (X, W), torch=lambda x, w: x * w)
    for verdict in (*plain.verdicts, *result.verdicts):
        assert verdict.input in ("x", "w")
        assert verdict.oracle in ("contract", "torch", "jax", "differences", "ball", "kink")
        assert verdict.word in gradproof.WORDS
        assert verdict.sample in (*plain.samples, *result.samples)
        if verdict.word == "agrees" and verdict.oracle == "torch":
            assert verdict.error <= verdict.bound
            assert verdict.resolution < 1e-10
        if verdict.word == "differs":
            assert verdict.error > verdict.bound


@pytest.mark.parametrize("rule", [scale_vjp, wrong_vjp])
def test_neither_a_result_nor_a_verdict_has_a_truth_value(rule):
    result = check(scale, rule, (X, W))
    with pytest.raises(TypeError, match=r"read result\.ok, or use assert_vjp"):
        assert result
    with pytest.raises(TypeError, match=r"compare verdict\.word"):
        assert result.verdicts[0]


def test_every_differentiated_input_needs_a_verdict_that_settles_it():
    def buried(x):  # the slope is a billionth of the rounding
        return np.array([1e8 + 1e-9 * float(v) for v in x])

    result = check(buried, lambda u, x: u * 1e-9, (np.array([0.5, -1.5]),))
    assert result.word == "undecided"
    assert not result.refused
    assert not result.ok
    assert "undecided" in flat(result)


def test_the_same_seed_gives_the_same_verdicts_and_another_seed_other_points():
    one, two, other = (check(scale, wrong_vjp, (X, W), seed=seed) for seed in (3, 3, 4))
    assert one.verdicts == two.verdicts
    assert str(one) == str(two)
    assert [v.error for v in one.verdicts] != [v.error for v in other.verdicts]


def test_twenty_points_are_tried_unless_examples_names_another_number():
    usual = gradproof.check_vjp(sine, sine_vjp, (X,))
    assert usual.ok
    assert len(usual.samples) == 20
    result = gradproof.check_vjp(sine, sine_vjp, (X,), examples=3)
    assert len(result.samples) == 3
    assert len({v.sample for v in result.verdicts}) == 3


# ---- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "bfloat16"])
def test_arrays_and_scalars_of_every_floating_dtype_are_differentiated(dtype):
    dtype = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    scalar = dtype.type(0.75)

    def shifted(x, s):
        return x * s + x

    def rule(u, x, s):
        return (u * s + u).astype(x.dtype), (u * x).sum().astype(dtype)

    result = check(shifted, rule, (X.astype(dtype), scalar), shapes=None)
    assert result.inputs == ("x", "s")
    assert result.ok, str(result)
    wrong = check(shifted, lambda u, x, s: (rule(u, x, s)[0], 1.25 * rule(u, x, s)[1]), (X.astype(dtype), scalar))
    assert wrong.refused


def test_everything_else_is_constant():
    seen = set()

    def pick(x, index, mask, power, factor, mode, axes, nothing):
        seen.add((index.dtype.kind, mask.dtype.kind, type(power), type(factor), mode, axes, nothing))
        return factor * np.where(mask, x[index], 0.0) ** power

    def pick_vjp(u, x, index, mask, power, factor, mode, axes, nothing):
        g = np.zeros_like(x)
        np.add.at(g, index, u * factor * power * np.where(mask, x[index], 0.0) ** (power - 1))
        return g

    point = (X, np.array([0, 1, 1]), np.ones((3, 3), bool), 2, 1.5, "sum", (0, 1), None)
    result = check(pick, pick_vjp, point)
    assert result.inputs == ("x",)
    assert result.ok, str(result)
    assert seen == {("i", "b", int, float, "sum", (0, 1), None)}


@pytest.mark.parametrize("constant", ["w", ("w",), ["w"], 1, -1, (1,)])
def test_constant_is_a_name_or_a_number(constant):
    result = check(scale, lambda u, x, w: (u * w, None), (X, W), constant=constant)
    assert result.inputs == ("x",)
    assert result.ok
    assert not any("was returned for" in w for w in result.warnings)
    assert check(scale, lambda u, x, w: {"x": u * w}, (X, W), constant=constant).ok


def test_a_gradient_for_a_constant_is_a_warning():
    result = check(scale, scale_vjp, (X, W), constant="w")
    assert result.ok
    assert any("a gradient was returned for 'w', which is constant; None is right" in w for w in result.warnings)


@pytest.mark.parametrize("rule", [lambda u, x, w: (u * w, None), lambda u, x, w: {"x": u * w}])
def test_a_differentiated_input_without_a_gradient_is_missing(rule):
    result = check(scale, rule, (X, W))
    assert result.word == "missing"
    assert result.refused
    assert not result.ok
    assert {v.input for v in result.verdicts if v.word == "missing"} == {"w"}
    assert "constant='w'" in flat(result)
    assert result.causes == ("missing",)


def test_a_sampler_gets_a_fresh_generator_a_sample():
    seeds = {}
    firsts = {float(np.random.default_rng((5, k)).random()): k for k in range(40)}

    def sampler(rng):
        assert isinstance(rng, np.random.Generator)
        seeds[firsts[float(rng.random())]] = True  # KeyError: a generator of another seed
        return (rng.normal(size=(rng.integers(1, 4), 3)), W)

    result = gradproof.check_vjp(scale, scale_vjp, sampler, seed=5)
    assert result.ok
    assert len(result.samples) == 20
    assert len(seeds) > 10
    assert not any("one shape" in w for w in result.warnings)


# ---- what comes back -------------------------------------------------------------------------------------------------


def test_a_tuple_a_dict_and_a_bare_array_are_read():
    assert check(scale, lambda u, x, w: scale_vjp(u, x, w), (X, W)).ok
    assert check(scale, lambda u, x, w: dict(zip("xw", scale_vjp(u, x, w), strict=True)), (X, W)).ok
    assert check(scale, lambda u, x, w: dict(zip("wx", scale_vjp(u, x, w)[::-1], strict=True)), (X, W)).ok
    assert check(sine, sine_vjp, (X,)).ok
    assert check(scale, lambda u, x, w: u * w, (X, W), constant="w").ok


def test_a_dict_bears_the_forwards_names_also_where_the_shape_string_has_its_own():
    def by_name(u, x, w):
        return {"x": u * w, "w": (u * x).sum(0)}

    assert check(scale, by_name, (X, W), shapes="a: n d, b: d -> z: n d").ok
    assert check(scale, by_name, (X, W), shapes="a: n d, b: d -> z: n d", constant=()).ok


@pytest.mark.parametrize("kind", [float, np.float64])
def test_a_scalar_output_has_a_cotangent_of_no_axes(kind):
    def total(x):
        return kind((x**2).sum())

    def rule(u, x):
        assert isinstance(u, np.ndarray)
        assert u.shape == ()
        return 2 * u * x

    assert check(total, rule, (X,)).ok
    assert check(total, lambda u, x: 2 * u * x * 1.001, (X,)).refused


def test_the_gradient_of_a_scalar_input_may_be_a_number():
    assert check(lambda s: s * X, lambda u, s: float((u * X).sum()), (np.float64(0.5),)).ok
    assert check(lambda s: s * X, lambda u, s: (u * X).sum(), (np.array(0.5),)).ok


def test_a_tuple_of_outputs_takes_a_tuple_of_cotangents():
    def both(x, w):
        return x * w, np.sin(x)

    def rule(u, x, w):
        assert isinstance(u, tuple)
        first, second = u
        return first * w + second * np.cos(x), (first * x).sum(0)

    assert check(both, rule, (X, W)).ok
    swapped = check(both, lambda u, x, w: rule(u[::-1], x, w), (X, W))
    assert swapped.refused


def test_a_declaration_goes_through_its_own_vjp():
    def forward(x, w):
        return x * w

    def backward(z_bar, z, x, w):
        return {"x": z_bar * w, "w": (z_bar * x).sum(0)}

    equation = Equation(forward=forward, backward=backward, shapes=SHAPES)
    assert gradproof.check(equation, examples=8).ok
    assert check(forward, equation.vjp, (X, W)).ok
    wrong = Equation(
        forward=forward, backward=lambda z_bar, z, x, w: {"x": z_bar * w, "w": (z_bar * z).sum(0)}, shapes=SHAPES
    )
    assert gradproof.check(wrong, examples=8).refused


def test_a_gradient_function_of_a_scalar():
    assert gradproof.check_grad(lambda x: float((x**3).sum()), lambda x: 3 * x**2, (X,), examples=8).ok
    assert gradproof.check_grad(lambda x: (x**3).sum(), lambda x: 3 * x**2 + 1e-6, (X,), examples=8).refused
    both = gradproof.check_grad(
        lambda x, w: (x * w).sum(), lambda x, w: {"x": x * 0 + w, "w": x.sum(0)}, (X, W), examples=8
    )
    assert both.ok
    with pytest.raises(AssertionError, match="is wrong"):
        gradproof.assert_grad(lambda x: (x**3).sum(), lambda x: x**2, (X,), examples=2)


def test_forward_mode():
    assert gradproof.check_jvp(sine, lambda t, x: t * np.cos(x), (X,), examples=6).ok
    assert gradproof.check_jvp(scale, lambda t, x, w: t[0] * w + x * t[1], (X, W), examples=6).ok
    wrong = gradproof.check_jvp(scale, lambda t, x, w: t[0] * w - x * t[1], (X, W), examples=6)
    assert wrong.refused
    assert set(wrong.where) == {"w"}
    assert gradproof.check_jvp(sine, lambda t, x: np.abs(t) * np.cos(x), (X,), examples=6).refused
    with pytest.raises(AssertionError):
        gradproof.assert_jvp(sine, lambda t, x: t, (X,), examples=2)


def test_a_layer_with_a_cache():
    def forward(x, w):
        return x * w, (x, w)

    def backward(dout, cache):
        x, w = cache
        return dout * w, (dout * x).sum(0)

    assert gradproof.check_layer(forward, backward, (X, W), examples=8).ok
    wrong = gradproof.check_layer(forward, lambda dout, cache: backward(dout, cache[::-1]), (W, W), examples=8)
    assert wrong.refused
    with pytest.raises(AssertionError):
        gradproof.assert_layer(forward, lambda dout, cache: (dout, dout), (W, W), examples=2)
