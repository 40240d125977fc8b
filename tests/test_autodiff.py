"""The two autodiff oracles: right values, right gradients, and nothing left changed."""

import re
import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
import pytest
import torch

from gradproof.errors import InputError, MissingFramework
from gradproof.oracles import compilation
from gradproof.oracles import jax as jax_oracle
from gradproof.oracles import torch as torch_oracle

import jax  # isort: skip  # torch first: the order in which the two get on
import jax.numpy as jnp  # isort: skip


@pytest.fixture
def nothing_kept(monkeypatch):
    """Every program is traced here, for its forward to tell of it."""
    monkeypatch.setattr(compilation, "_store", None)
    monkeypatch.setattr(compilation, "_chosen", True)


ORACLES = {"torch": torch_oracle, "jax": jax_oracle}
SIGMOID = {"torch": torch.sigmoid, "jax": jax.nn.sigmoid}
# Several ulps of the gradient's largest entry.
TOLERANCE = {"float64": 1e-15, "float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2}


@pytest.fixture(params=["torch", "jax"])
def name(request):
    return request.param


@pytest.fixture
def oracle(name):
    return ORACLES[name]


def slope(x):
    return 0.25 / np.cosh(np.asarray(x, np.float64) / 2) ** 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_gradient_in_each_dtype_and_in_both_modes(name, oracle, dtype):
    rng = np.random.default_rng(1)
    x, u, t = (rng.standard_normal((3, 4)).astype(dtype) for _ in range(3))
    z, (got,) = oracle.vjp(SIGMOID[name], u, (x,), (0,))
    value, along = oracle.jvp(SIGMOID[name], (t,), (x,), (0,))
    near = TOLERANCE[np.dtype(dtype).name]
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    for found, expected in (
        (z, exact),
        (value, exact),
        (oracle.value(SIGMOID[name], (x,)), exact),
        (got, slope(x) * u.astype(np.float64)),
        (along, slope(x) * t.astype(np.float64)),
    ):
        assert found.dtype == x.dtype
        assert np.abs(found.astype(np.float64) - expected).max() <= near


def test_longdouble_becomes_float64(name, oracle):
    x = np.linspace(-1, 1, 5, dtype=np.longdouble)
    _, (got,) = oracle.vjp(SIGMOID[name], np.ones(5), (x,), (0,))
    assert got.dtype == np.float64
    assert np.abs(got - slope(x)).max() <= 1e-15


def test_strided_reversed_readonly_swapped_and_fortran_arrays(name, oracle):
    base = np.random.default_rng(2).standard_normal((6, 8))
    frozen = base.copy()
    frozen.flags.writeable = False
    for x in (
        base[::2, ::-3],
        base.T,
        frozen,
        np.asfortranarray(base),
        base.astype(">f8"),
        np.broadcast_to(1.5, (2, 3)),
    ):
        _, (got,) = oracle.vjp(SIGMOID[name], np.ones(x.shape), (x,), (0,))
        assert np.abs(got - slope(x)).max() <= 1e-15
        assert got.flags.c_contiguous
        assert got.flags.writeable


def test_scalars_and_size_zero(name, oracle):
    for x in (np.float32(0.5), np.array(0.5), np.zeros((0, 3)), np.zeros((2, 0))):
        z, (got,) = oracle.vjp(SIGMOID[name], np.ones(np.shape(x)), (x,), (0,))
        assert isinstance(z, np.ndarray)
        assert (got.shape, got.dtype) == (np.shape(x), x.dtype)
        _, along = oracle.jvp(SIGMOID[name], (x,), (x,), (0,))
        assert (along.shape, along.dtype) == (np.shape(x), x.dtype)


def several(x, y):
    return x.sum() * y, (x > 0).sum(), 2 * x


def test_tuple_of_outputs_takes_a_tuple_of_cotangents(oracle):
    x, y = np.array([1.0, -2.0, 3.0]), np.array(5.0)
    u = (np.array(7.0), np.array(0), np.array([1.0, 10.0, 100.0]))
    z, (x_bar, y_bar) = oracle.vjp(several, u, (x, y), (0, 1))
    assert [one.tolist() for one in z] == [10.0, 2, [2.0, -4.0, 6.0]]
    assert x_bar.tolist() == [37.0, 55.0, 235.0]
    assert y_bar.tolist() == 14.0
    # the order is that of wrt
    assert oracle.vjp(several, u, (x, y), (1, 0))[1][0].tolist() == 14.0
    _, along = oracle.jvp(several, (np.ones(3), np.array(2.0)), (x, y), (0, 1))
    assert [one.tolist() for one in along] == [19.0, 0, [2.0, 2.0, 2.0]]
    assert np.issubdtype(along[1].dtype, np.integer)


def test_one_output_in_a_list_stays_a_tuple(oracle):
    z, (got,) = oracle.vjp(lambda x: [x * 3], (np.ones(2),), (np.ones(2),), (0,))
    assert isinstance(z, tuple)
    assert got.tolist() == [3.0, 3.0]


def test_unused_input_and_constant_output_have_gradient_zero(oracle):
    x, y = np.ones(2, np.float32), np.ones((3, 1))
    _, (x_bar, y_bar) = oracle.vjp(lambda x, y: 2 * x, np.ones(2), (x, y), None)
    assert (x_bar.tolist(), y_bar.tolist()) == ([2.0, 2.0], [[0.0]] * 3)
    assert (x_bar.dtype, y_bar.dtype) == (np.float32, np.float64)
    _, (got,) = oracle.vjp(lambda x: (x > 0) * 1.0, np.ones(2), (x,), (0,))
    assert got.tolist() == [0.0, 0.0]
    assert oracle.jvp(lambda x: (x > 0) * 1.0, (x,), (x,), (0,))[1].tolist() == [0.0, 0.0]


def test_what_reaches_the_forward(name, oracle, nothing_kept):
    seen = []

    def forward(*given, **static):
        seen.append((*given, static))
        return given[0] * 2

    given = (np.float32(3), np.arange(3), np.array([True]), 7, 0.5, "word", (1, 2), None, np.int64(4))
    oracle.vjp(forward, np.array(1.0), given, (0,), {"stride": 2})
    array = torch.Tensor if name == "torch" else jax.Array
    got = seen[0]
    assert all(isinstance(one, array) for one in got[:3])
    assert [str(one.dtype).removeprefix("torch.") for one in got[:3]] == ["float32", "int64", "bool"]
    assert got[3:] == (7, 0.5, "word", (1, 2), None, 4, {"stride": 2})


def test_nothing_returned_is_anybody_elses_memory(oracle):
    x, u = np.ones(3), np.ones(3)
    z, (got,) = oracle.vjp(lambda x: x, u, (x,), (0,))
    two, (first, second) = oracle.vjp(lambda x, y: (x + y, x + y), (u, u), (x, x), (0, 1))
    value, along = oracle.jvp(lambda x: x, (u,), (x,), (0,))
    arrays = [z, got, *two, first, second, value, along, oracle.value(lambda x: x, (x,))]
    for number, array in enumerate(arrays):
        array += number + 1
    assert (x.tolist(), u.tolist()) == ([1.0] * 3, [1.0] * 3)
    assert (
        len({array[0] - number for number, array in enumerate(arrays)}) == 2
    )  # ones and twos, each spoiled once


def test_callers_mistakes_are_one_clear_line(oracle):
    x, n = np.ones(3), np.arange(3)
    for call, message in (
        (lambda: oracle.vjp(several, x, (x, n), (2,)), "wrt names input 2, but there are 2 inputs"),
        (lambda: oracle.vjp(several, x, (x, n), (1,)), "input 1 is of dtype int64 and has no derivative"),
        (lambda: oracle.vjp(several, x, (x, 1.0), (1,)), "input 1 is a float and has no derivative"),
        (
            lambda: oracle.vjp(lambda x: x, np.ones(2), (x,), (0,)),
            "cotangent 0 has shape (2,); expected (3,)",
        ),
        (lambda: oracle.vjp(several, x, (x, x), (0,)), "cotangent: no tuple given, expected a tuple of 3"),
        (lambda: oracle.jvp(several, (x,), (x, x), (0, 1)), "tangent: 1 given, expected a tuple of 2"),
        (
            lambda: oracle.jvp(lambda x: x, (np.ones(2),), (x,), (0,)),
            "tangent 0 has shape (2,); expected (3,)",
        ),
        (lambda: oracle.value(lambda x: "z", (x,)), "forward returned a str; expected an array of"),
        (lambda: oracle.value(lambda x: None, (x,)), "forward returned a NoneType; expected an array of"),
    ):
        with pytest.raises(InputError, match=re.escape(message)) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_what_the_forward_raises_or_warns_passes(oracle):
    def broken(x):
        raise KeyError("its own")

    def loud(x):
        warnings.warn("its own", UserWarning, stacklevel=1)
        return x * 2

    with pytest.raises(KeyError, match="its own"):
        oracle.value(broken, (np.ones(1),))
    with pytest.warns(UserWarning, match="its own"):
        oracle.vjp(loud, np.ones(1), (np.ones(1),), (0,))


def test_missing_framework_says_what_to_do(name, oracle, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    for call in (
        lambda: oracle.value(SIGMOID[name], (np.ones(1),)),
        lambda: oracle.vjp(SIGMOID[name], np.ones(1), (np.ones(1),), (0,)),
        lambda: oracle.jvp(SIGMOID[name], np.ones(1), (np.ones(1),), (0,)),
    ):
        with pytest.raises(MissingFramework, match=f"{name} was asked for .* pip install {name}$"):
            call()


# PyTorch's own matters


def test_torch_is_left_as_it_was():
    def state():
        return (
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
        )

    seen = []

    def broken(x):
        seen.append(torch.get_num_threads())
        raise ZeroDivisionError

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        before = state()
        for call in (
            lambda f: torch_oracle.vjp(f, np.ones(1), (np.ones(1),), (0,)),
            lambda f: torch_oracle.jvp(f, np.ones(1), (np.ones(1),), (0,)),
        ):
            call(torch.sigmoid)
            assert state() == before
            with pytest.raises(ZeroDivisionError):
                call(broken)
            assert state() == before
        assert seen == [1, 1]
    finally:
        torch.set_num_threads(threads)


def test_torch_gradients_under_the_callers_no_grad_and_inference_mode():
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            _, (got,) = torch_oracle.vjp(torch.sigmoid, np.ones(1), (np.zeros(1),), (0,))
            assert got.tolist() == [0.25]
            assert torch_oracle.jvp(torch.sigmoid, np.ones(1), (np.zeros(1),), (0,))[1].tolist() == [0.25]


class Triple(torch.autograd.Function):
    """3 x, with a backward that says 4 and no forward mode."""

    @staticmethod
    def forward(ctx, x):
        return 3 * x

    @staticmethod
    def backward(ctx, z_bar):
        return 4 * z_bar


def test_torch_function_is_asked_for_its_own_backward_and_has_no_forward_mode():
    x = np.ones(2)
    z, (got,) = torch_oracle.vjp(Triple.apply, x, (x,), (0,))
    assert (z.tolist(), got.tolist()) == ([3.0, 3.0], [4.0, 4.0])
    z, along = torch_oracle.jvp(Triple.apply, x, (x,), (0,))
    assert (z.tolist(), along) == ([3.0, 3.0], None)


@pytest.mark.parametrize("forward", [lambda x, c: torch.sqrt(c) * x, lambda x, c: x * float(c.numpy()[1])])
def test_a_constant_of_torch_s_is_one_where_its_own_slope_is_infinite_or_it_is_no_tensor(forward):
    x, c = np.array([1.0, 2.0]), np.array([0.0, 4.0])
    z, along = torch_oracle.jvp(forward, x, (x, c), (0,), still=True)
    assert along.tolist() == z.tolist()  # it is linear in x


def test_torch_forward_may_differentiate_and_change_its_own_copies():
    def gradient_of_cube(x):
        y = x.detach().requires_grad_()
        return torch.autograd.grad((y**3).sum(), y)[0] * x

    def in_place(x, y):
        return y.mul_(2) * x

    x = np.array([2.0, 3.0])
    assert torch_oracle.value(gradient_of_cube, (x,)).tolist() == [24.0, 81.0]
    assert torch_oracle.vjp(in_place, np.ones(2), (x, x), (0,))[1][0].tolist() == [4.0, 6.0]
    assert x.tolist() == [2.0, 3.0]


# JAX's own matters


def test_jax_program_is_traced_once_for_its_shapes_and_static_parameters(nothing_kept):
    traces = []

    def forward(x, n, *, mode):
        traces.append((x.shape, n, mode))
        return x * (n + 1) if n is not True else x * 10

    def gradient(n, mode="a", size=2):
        return jax_oracle.vjp(forward, np.ones(size), (np.ones(size), n), (0,), {"mode": mode})[1][0][0]

    assert [gradient(1), gradient(1), gradient(1)] == [2.0, 2.0, 2.0]
    assert len(traces) == 1
    # what Python calls equal is not the same program
    assert [gradient(True), gradient(1.0)] == [10.0, 2.0]
    assert [gradient(1, mode=["b"]), gradient(1, mode=["b"]), gradient(1, size=3)] == [2.0, 2.0, 2.0]
    assert len(traces) == 5


def test_jax_unhashable_constants_are_never_mistaken_for_one_another():
    held = {1}
    forward = lambda x, s: x * max(s)  # noqa: E731  # one forward, a set that changes
    assert jax_oracle.value(forward, (np.ones(1), held)).tolist() == [1.0]
    held.add(5)
    assert jax_oracle.value(forward, (np.ones(1), held)).tolist() == [5.0]


def branches(x):
    return x**2 if bool(x.sum() > 0) else -(x**3)


def test_jax_forward_that_looks_at_values_runs_op_by_op():
    for x, expected in ((np.array([1.0, 2.0]), [2.0, 4.0]), (np.array([-1.0, -2.0]), [-3.0, -12.0])):
        assert jax_oracle.vjp(branches, np.ones(2), (x,), (0,))[1][0].tolist() == expected
        assert jax_oracle.jvp(branches, np.ones(2), (x,), (0,))[1].tolist() == expected
    x = np.array([[1.0, 2.0], [-1.0, -2.0]])
    answers = jax_oracle.Batched(branches, (0,))((x,), np.ones((2, 2)), np.ones((2, 2)))
    assert answers.vjp[0].tolist() == answers.jvp.tolist() == [[2.0, 4.0], [-3.0, -12.0]]
    assert answers.value.tolist() == [[1.0, 4.0], [1.0, 8.0]]


@jax.custom_vjp
def triple(x):
    return 3 * x


triple.defvjp(lambda x: (3 * x, None), lambda _, z_bar: (4 * z_bar,))


def test_jax_custom_vjp_is_asked_for_its_own_rule_and_has_no_forward_mode():
    x = np.ones(2)
    assert jax_oracle.vjp(triple, x, (x,), (0,))[1][0].tolist() == [4.0, 4.0]
    z, along = jax_oracle.jvp(triple, x, (x,), (0,))
    assert (z.tolist(), along) == ([3.0, 3.0], None)
    answers = jax_oracle.Batched(triple, (0,))((x,), x, x)
    assert (answers.vjp[0].tolist(), answers.jvp) == ([4.0, 4.0], None)


def layer(x, labels, w, *, scale):
    return jnp.tanh(x @ w) * scale, jax.nn.log_softmax(x @ w)[jnp.arange(len(labels)), labels].sum()


def test_jax_batch_says_what_each_point_alone_says():
    rng = np.random.default_rng(3)
    x, w = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 4, 2)).astype(np.float32)
    labels = rng.integers(0, 2, (5, 3))
    u = rng.standard_normal((5, 3, 2)), rng.standard_normal(5)
    t = rng.standard_normal(x.shape), rng.standard_normal(w.shape)
    answers = jax_oracle.Batched(layer, (0, 2), {"scale": 2})((x, labels, w), u, t)
    for n in range(5):
        point, un, tn = (x[n], labels[n], w[n]), tuple(one[n] for one in u), tuple(one[n] for one in t)
        z, gradients = jax_oracle.vjp(layer, un, point, (0, 2), {"scale": 2})
        _, along = jax_oracle.jvp(layer, tn, point, (0, 2), {"scale": 2})
        for got, expected in zip(
            (*answers.value, *answers.vjp, *answers.jvp), (*z, *gradients, *along), strict=True
        ):
            assert got[n].dtype == expected.dtype
            near = 4e-16 if expected.dtype == np.float64 else 4e-7
            assert np.abs(got[n] - expected).max() <= near * np.abs(expected).max()


def test_jax_batch_of_one_size_only():
    with pytest.raises(InputError, match=r"leading sizes \[\(2,\), \(3,\)\]; expected one leading axis"):
        jax_oracle.Batched(triple, (0,))((np.ones((2, 1)),), np.ones((3, 1)), np.ones((2, 1)))
    with pytest.raises(InputError, match="input 0 is of dtype int64"):
        jax_oracle.Batched(triple, (0,))((np.ones((2, 1), int),), np.ones((2, 1)), np.ones((2, 1)))


def test_jax_is_left_as_it_was():
    names = ("jax_enable_x64", "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    jax_oracle.value(lambda x: x + 1, (np.ones(1),))
    with pytest.raises(ZeroDivisionError):
        jax_oracle.value(lambda x: x / (1 // 0), (np.ones(1),))
    assert [getattr(jax.config, name) for name in names] == before


def test_forward_mode_that_torch_has_by_way_of_others_only():
    """Its table of decompositions is loaded where an operation asks for it, and not before."""
    code = """if True:
        import sys
        import numpy as np
        from gradproof.oracles import torch as oracle
        import torch

        def backward_of(x):
            return torch.ops.aten._log_softmax_backward_data(x, torch.log_softmax(x, -1), -1, torch.float64)

        x, v = np.array([[0.5, -1.0, 2.0]]), np.array([[1.0, -1.0, 0.5]])
        print(oracle.jvp(torch.tanh, (v,), (x,), (0,))[1] is not None)
        loss = torch.nn.functional.binary_cross_entropy_with_logits  # of targets, which are constant
        print(oracle.jvp(loss, (v,), (x, np.abs(v)), (0,), still=True)[1] is not None, "torch._dynamo" in sys.modules)
        oracle.vjp(torch.tanh, v, (x,), (0,))
        print("torch._decomp.decompositions_for_jvp" in sys.modules, "sympy" in sys.modules)
        along = oracle.jvp(backward_of, (v,), (x,), (0,))[1]
        h = 1e-6
        central = (oracle.value(backward_of, (x + h * v,)) - oracle.value(backward_of, (x - h * v,))) / (2 * h)
        print(bool(np.abs(along - central).max() < 1e-8), "PYTORCH_JIT" in __import__("os").environ)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    told = ["True", "True", "False", "False", "False", "True", "False"]
    assert (done.stdout.split(), done.returncode) == (told, 0), done.stderr
