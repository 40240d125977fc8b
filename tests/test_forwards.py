"""The forward of a declaration: where it gives nothing and a framework does, and where its plain form is another."""

import numpy as np
import pytest

import gradproof
from gradproof.verdict import REFUSED

SHAPES = "x: n d -> z: n d"


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=-1, keepdims=True)


def backward(z_bar, z, x):
    s = softmax(x)
    return {"x": s * (z_bar - (z_bar * s).sum(-1, keepdims=True))}


def torch_softmax(x):
    return x.softmax(-1)


def overflowing(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def narrow(x):
    if np.abs(x).max(initial=0) > 100:
        raise OverflowError("too large")
    return softmax(x)


def refusals(forward, plain=None, references=None, **options):
    equation = gradproof.Equation(forward=forward, backward=backward, shapes=SHAPES, plain=plain)
    result = gradproof.check(equation, references=references, explain=False, **options)
    return [v for v in result.verdicts if v.word in REFUSED]


@pytest.mark.parametrize(("forward", "said"), [(overflowing, "is not finite"), (narrow, "raises OverflowError")])
def test_a_point_where_the_forward_gives_nothing_and_pytorch_does_is_refused(forward, said):
    found = refusals(forward, references={"torch": torch_softmax})
    assert {v.note for v in found} == {f"the forward {said} where PyTorch's is finite"}
    assert {(v.oracle, v.check, v.input) for v in found} == {("torch", "value", "output")}
    assert all("extreme" in v.sample for v in found)


def test_a_point_where_nobody_gives_anything_is_dropped():
    assert not refusals(overflowing, references={"torch": lambda x: x.exp() / x.exp().sum(-1, keepdim=True)})
    assert not refusals(overflowing)  # nobody says that there is a number


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (lambda x: softmax(x) * (1 + 1e-4), "is another function than the forward"),
        (lambda x: softmax(x).sum(-1), "returns other shapes than the forward"),
        (lambda x: x.nothing, "raises AttributeError where the forward does not"),
        (lambda x: softmax(x) * np.nan, "is finite at no ordinary point"),
    ],
)
def test_a_plain_form_of_another_function_is_refused(plain, said):
    found = refusals(softmax, plain, examples=2)
    assert {v.note for v in found if v.check == "value"} == {f"the plain form {said}"}


def test_a_plain_form_may_cancel_and_overflow():
    assert not refusals(softmax, overflowing)
    assert not refusals(softmax, lambda x: softmax(x) + 1e8 - 1e8)
