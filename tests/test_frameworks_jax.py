"""check_jax: custom_vjp and custom_jvp, in both modes; right ones pass, wrong ones are refused."""

import numpy as np
import pytest

import gradproof

jax = pytest.importorskip("jax")
jnp = jax.numpy

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
W = np.array([[1.25, 0.5, -2.5], [0.25, 3.0, 1.125]])


def flat(result):
    """The explanation without its line breaks."""
    return " ".join(str(result).split())


def product(factor=1.0):
    """x w with a custom_vjp whose second gradient is `factor` times too large."""

    @jax.custom_vjp
    def product(x, w):
        return x * w

    product.defvjp(lambda x, w: (x * w, (x, w)), lambda kept, u: (u * kept[1], factor * u * kept[0]))
    return product


def square(factor=2.0):
    """x^2 with a custom_jvp; right where factor is 2."""

    @jax.custom_jvp
    def square(x):
        return x * x

    square.defjvp(lambda point, dot: (point[0] ** 2, factor * point[0] * dot[0]))
    return square


def test_a_right_custom_vjp_agrees():
    result = gradproof.check_jax(product(), (X, W), shapes="x: n d, w: n d -> z: n d", examples=8)
    assert result.ok, str(result)
    assert "jvp" not in {v.check for v in result.verdicts}  # reverse mode only


def test_a_wrong_custom_vjp_is_refused_at_its_input():
    result = gradproof.check_jax(product(1 + 1e-6), (X, W))
    assert result.word == "differs"
    assert {v.input for v in result.verdicts if v.word == "differs"} == {"w"}


def test_both_modes_of_a_custom_jvp_are_judged():
    result = gradproof.check_jax(square(), (X,))
    assert result.ok, str(result)
    assert {"vjp", "jvp"} <= {v.check for v in result.verdicts}
    wrong = gradproof.check_jax(square(2.01), (X,))
    assert {"vjp", "jvp"} <= {v.check for v in wrong.verdicts if v.word == "differs"}


def test_a_jvp_that_cannot_be_transposed_is_refused():
    @jax.custom_jvp
    def square(x):
        return x * x

    square.defjvp(lambda point, dot: (point[0] ** 2, 2 * point[0] * jnp.abs(dot[0])))
    result = gradproof.check_jax(square, (X,))
    assert result.word == "error"
    assert "Transpose rule" in flat(result)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_arrays_of_jax_keep_their_dtype(dtype):
    point = jnp.asarray(X, dtype), jnp.asarray(W, dtype)
    right = gradproof.check_jax(product(), point)
    assert right.ok, str(right)
    assert gradproof.check_jax(product(1.1), point).refused


def test_a_wrong_number_of_gradients_is_said_in_jaxs_words():
    @jax.custom_vjp
    def product(x, w):
        return x * w

    product.defvjp(lambda x, w: (x * w, (x, w)), lambda kept, u: (u * kept[1],))
    result = gradproof.check_jax(product, (X, W))
    assert result.word == "error"
    assert "TypeError" in flat(result)


def test_static_arguments_and_integers_reach_the_function(seed):
    def take(x, index, power):
        assert isinstance(power, int)
        assert index.dtype == np.int64
        return x[index] ** power

    assert gradproof.check_jax(take, (X, np.array([1, 0, 1]), 2), seed=seed, examples=6).ok


def test_a_reference_in_torch_speaks_for_a_function_of_jax():
    result = gradproof.check_jax(product(), (X, W), torch=lambda x, w: x * w)
    assert result.ok
    assert "torch" in {v.oracle for v in result.verdicts}


def test_forward_mode_of_many_entries_is_held_against_reverse_mode_alone():
    result = gradproof.check_jax(square(), (np.linspace(-1, 1, 300),), examples=2)
    assert result.ok
    assert any("against reverse mode alone: the inputs have 300 entries" in w for w in result.warnings)


def test_x64_is_left_as_it_was():
    assert gradproof.check_jax(square(), (X,), examples=2).ok
    assert jnp.ones(1).dtype == jnp.float32


def test_what_is_no_function_is_the_callers_mistake():
    with pytest.raises(gradproof.InputError, match="expected a function of jax"):
        gradproof.check_jax(3, (X,))


def test_the_lines_that_reproduce_run_when_pasted(capsys):
    for fn, name, point in ((product(1.01), "product", (X, W)), (square(2.1), "square", (X,))):
        result = gradproof.check_jax(fn, point, examples=4)
        assert result.refused
        exec(result.reproduce, {name: fn})
        assert "rray" in capsys.readouterr().out
