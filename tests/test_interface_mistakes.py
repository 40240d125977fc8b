"""The caller's own mistakes: each an InputError of one line that says what, what was expected, and the remedy."""

import numpy as np
import pytest

import gradproof
from gradproof import Equation, InputError

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
W = np.array([1.25, 0.5, -2.5])


def scale(x, w):
    return x * w


def sine(x):
    return np.sin(x)


def sine_vjp(u, x):
    return u * np.cos(x)


def check(forward, vjp, inputs, **options):
    return gradproof.check_vjp(forward, vjp, inputs, **{"examples": 8, **options})


def unstable():
    rng = np.random.default_rng()
    return lambda x: np.sin(x) + 1e-3 * rng.random()


def careless(x):
    x[0] = 0
    return np.sin(x)


def growing(rng):
    made = (X,) if rng.random() < 0.5 else (X, W)
    return made


def fickle():
    count = iter(range(10**6))
    return lambda rng: (X + next(count),)


class Tensor:
    """An array of somebody else's."""

    def __array__(self, dtype=None, copy=None):
        return np.array(X)


MISTAKES = {
    "no float input": (
        sine,
        (np.array([1, 2]),),
        {},
        "no input is differentiated (x: int64 array); give at least one float array",
    ),
    "all constant": (sine, (X,), {"constant": "x"}, "no input is differentiated (x: float64 array)"),
    "empty tuple": (sine, (), {}, "inputs is an empty tuple; give the forward's inputs, such as (x, w)"),
    "list": (sine, [X], {}, "inputs is a list; expected a tuple of the forward's inputs, such as (x, w), or a sampler"),
    "array": (sine, X, {}, "inputs is a ndarray; expected a tuple"),
    "complex array": (sine, (X + 1j,), {}, "input 0 is complex; gradproof judges real derivatives: split it into"),
    "complex number": (scale, (X, 1j), {}, "input 1 is complex; gradproof judges real derivatives"),
    "object array": (sine, (X.astype(object),), {}, "input 0 is an object array; give a float array (x.astype(float))"),
    "NaN": (sine, (np.array([1.0, np.nan]),), {}, "input 0 contains NaN or infinity; give a finite point"),
    "NaN number": (scale, (X, np.float64("inf")), {}, "input 1 contains NaN or infinity; give a finite point"),
    "outside": (
        sine,
        (X,),
        {"domain": "positive"},
        "input 'x' lies outside its domain 'positive'; give a point inside, or another domain=",
    ),
    "outside simplex": (sine, (X,), {"domain": "simplex"}, "input 'x' lies outside its domain 'simplex'"),
    "outside labels": (
        lambda x, y: x,
        (X, np.array([-1, 5])),
        {"domain": {"y": "labels(3)"}},
        "input 'y' lies outside its domain 'labels(3)'",
    ),
    "sampler twice": (
        sine,
        fickle(),
        {},
        "the sampler gives two different points for one seed; draw only from the generator it is handed",
    ),
    "sampler count": (sine, growing, {}, "expected the same number every time"),
    "sampler kind": (sine, lambda rng: [X], {}, "the sampler gave list; expected a tuple of the forward's inputs"),
    "sampler empty": (sine, lambda rng: (), {}, "empty tuple; give the forward's inputs"),
    "sampler complex": (sine, lambda rng: (X + 1j,), {}, "input 0 is complex"),
    "sampler raises": (sine, lambda rng: (1 / 0,), {}, "the sampler raised ZeroDivisionError"),
    "forward raises": (lambda x: x @ x, (X,), {}, "the forward raised ValueError at the given point: "),
    "forward is NaN": (
        lambda x: np.log(x),
        (X,),
        {},
        "the forward is not finite at the given point; give a point inside its domain",
    ),
    "forward by chance": (
        unstable(),
        (X,),
        {},
        "the forward is not deterministic: two calls at one point differ; fix its seed",
    ),
    "forward writes": (careless, (X,), {}, "the forward changes its input 'x'; work on a copy inside it, or"),
    "forward complex": (lambda x: x + 1j, (X,), {}, "the forward returns complex128 numbers; expected real ones"),
    "forward objects": (lambda x: x.astype(object), (X,), {}, "the forward returns object numbers; expected real ones"),
    "forward whole": (
        lambda x: x.astype(int),
        (X,),
        {},
        "the forward returns no float output (dtype int64); nothing is differentiable",
    ),
    "forward None": (
        lambda x: None,
        (X,),
        {},
        "the forward returned a NoneType; expected an array, a number or a tuple of them",
    ),
    "forward dict": (lambda x: {"z": x}, (X,), {}, "the forward returned a dict; expected an array"),
    "examples 0": (sine, (X,), {"examples": 0}, "examples=0; expected a whole number of at least 1"),
    "examples text": (sine, (X,), {"examples": "many"}, "examples='many'; expected a whole number of at least 1"),
    "seed negative": (sine, (X,), {"seed": -1}, "seed=-1; expected a whole number of at least 0"),
    "seed float": (sine, (X,), {"seed": 0.5}, "seed=0.5; expected a whole number of at least 0"),
    "no function": (None, (X,), {}, "forward is None; expected a function"),
    "torch no function": (
        sine,
        (X,),
        {"torch": "sin"},
        "torch= is 'sin'; expected the same forward as a function in torch",
    ),
    "jax no function": (sine, (X,), {"jax": 3}, "jax= is 3; expected the same forward as a function in jax"),
    "constant unknown": (
        sine,
        (X,),
        {"constant": "y"},
        "constant='y' names no input; the inputs are x (or their numbers from 0)",
    ),
    "constant half": (sine, (X,), {"constant": 0.5}, "constant=0.5; expected names of inputs, or their numbers from 0"),
    "a tensor beside an array": (
        scale,
        (Tensor(), W),
        {},
        "input 0 is a Tensor; give NumPy arrays, such as np.asarray(x)",
    ),
    "too many inputs": (sine, (X, W), {}, "forward takes (x), and is called with ("),
    "a keyword is needed": (lambda x, *, p: x**p, (X,), {}, "missing a required argument: 'p'; give it these"),
    "constant number": (sine, (X,), {"constant": 3}, "constant=3 names no input"),
    "domain unknown": (
        sine,
        (X,),
        {"domain": "negative"},
        "'negative' is unknown; expected one of real, positive, probability, simplex, onehot",
    ),
    "domain interval": (sine, (X,), {"domain": (2.0, 1.0)}, "is unknown; expected one of real"),
    "domain name": (sine, (X,), {"domain": {"y": "real"}}, "domain= names 'y', which is no input; the inputs are x"),
    "domain length": (
        sine,
        (X,),
        {"domain": ["real", "real"]},
        "domain= has 2 entries for 1 inputs (x); give one each",
    ),
    "domain kind": (sine, (X,), {"domain": 3}, "domain"),
    "shapes arrow": (sine, (X,), {"shapes": "x: n d"}, "expected one '->' between inputs and outputs"),
    "shapes axes": (sine, (X,), {"shapes": "x: n -> z: n"}, "gives it 1 axis ('x: n')"),
    "shapes count": (
        sine,
        (X,),
        {"shapes": "x: n d, w: d -> z: n d"},
        "names 2 inputs, 1 were given; give one array each",
    ),
    "shapes clash": (scale, (X, W), {"shapes": "x: n d, w: n -> z: n d"}, "makes its axis 'n' 2 long (from 'x')"),
    "shapes output": (sine, (X,), {"shapes": "x: n d -> z: n"}, "the forward returns shape (2, 3); the shape string"),
    "shapes kind": (sine, (X,), {"shapes": 3}, "expected one '->'"),
    "subgradient": (
        sine,
        (X,),
        {"subgradient": "tensorflow"},
        "subgradient='tensorflow' is unknown; expected 'any', 'torch' or 'jax'",
    ),
    "subgradient alone": (
        sine,
        (X,),
        {"subgradient": "torch"},
        "needs the reference torch=; give the same forward in torch",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_the_callers_own_mistake_is_said_in_one_line(kind):
    forward, inputs, options, said = MISTAKES[kind]
    with pytest.raises(InputError) as error:
        gradproof.check_vjp(forward, lambda u, *x: u, inputs, **{"examples": 4, **options})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_vjp_that_does_not_take_the_cotangent_and_the_inputs_is_told():
    with pytest.raises(InputError, match=r"vjp takes \(x\), and is called with \(cotangent, input 0\): too many"):
        gradproof.check_vjp(sine, sine, (X,))


def test_no_constant_is_none():
    assert gradproof.check_vjp(sine, sine_vjp, (X,), constant=None, examples=4).ok


def test_a_jvp_that_returns_nothing_is_no_fault_of_the_forward():
    result = gradproof.check_jvp(sine, lambda t, x: None, (X,), examples=4)
    assert result.word == "error"
    assert "the jvp returned a NoneType; expected the tangent of the output, or a tuple" in str(result)


def test_a_rule_that_is_no_function_and_an_unknown_option_are_told():
    with pytest.raises(InputError, match="vjp is 'sine_vjp'; expected a function"):
        gradproof.check_vjp(sine, "sine_vjp", (X,))
    with pytest.raises(TypeError, match="unknown option 'sample'"):
        gradproof.check_grad(np.sum, np.ones_like, (X,), sample=3)
    with pytest.raises(TypeError, match="sample"):
        gradproof.check_vjp(sine, sine_vjp, (X,), sample=3)


def test_mistakes_of_the_other_forms_are_told():
    with pytest.raises(
        InputError, match=r"check_grad takes a scalar function; this one returns shape \(2, 3\); use check_vjp"
    ):
        gradproof.check_grad(sine, np.cos, (X,))
    with pytest.raises(InputError, match=r"a layer's forward returns \(out, cache\); this one returned ndarray"):
        gradproof.check_layer(sine, lambda dout, cache: dout, (X,))
    with pytest.raises(
        InputError, match="check takes an Equation, not function; for a forward and a vjp use check_vjp"
    ):
        gradproof.check(sine)
    equation = Equation(forward=lambda x: x, backward=lambda z_bar, z, x: {"x": z_bar + 0}, shapes="x: n -> z: n")
    with pytest.raises(InputError, match="oracle 'tensorflow' is unknown; expected some of contract, torch"):
        gradproof.check(equation, oracles=["tensorflow"])


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (lambda x: x * 1.001, "forward is another function: at [0, 0] of sample 0:given it gives "),
        (lambda x: x.sum(0), "forward returns shape (3,), the forward (2, 3); give the same forward"),
        (lambda x: (x, x), "forward returns 2 outputs, the forward 1; give the same forward"),
        (lambda x: x.no_such_method(), "forward raised AttributeError: "),
        (
            lambda x: 3 / 0,
            "forward raised ZeroDivisionError: division by zero; it takes the same inputs as the forward",
        ),
        (lambda x: None, "forward returned a NoneType; expected an array of "),
    ],
)
def test_a_reference_that_is_another_function_is_the_callers_mistake(framework, reference, said):
    pytest.importorskip(framework)
    with pytest.raises(InputError) as error:
        check(lambda x: x * 1.0, lambda u, x: u * 1.0, (X,), **{framework: reference})
    assert f"the {framework} {said}" in str(error.value)
    assert "\n" not in str(error.value)
