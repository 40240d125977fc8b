"""The corpus answers for itself: right rules agree with PyTorch, and each wrong rule is wrong in reach."""

import dataclasses

import numpy as np
import pytest

from benchmarks.corpus import OPERATIONS, in_dtype
from benchmarks.corpus.calling import copied, differentiated, draw_cotangent, gradients, outputs
from benchmarks.corpus.truth import fault, outside, points, wrong_is_wrong

CASES = [pytest.param(operation, id=operation.name) for operation in OPERATIONS]
RIGHT = [pytest.param(o, name, id=f"{o.name}-{name}") for o in OPERATIONS for name in o.right]


def torch_gradients(operation, point, u):
    import torch

    leaves = [torch.tensor(v) if isinstance(v, np.ndarray) else v for v in point]
    keys = differentiated(operation, point)
    for k in keys:
        leaves[k].requires_grad_()
    returned = operation.torch(*leaves)
    tuples = returned if isinstance(returned, tuple) else (returned,)
    cotangents = u if isinstance(u, tuple) else (u,)
    wanted = torch.autograd.grad(
        tuples, [leaves[k] for k in keys], [torch.tensor(c) for c in cotangents], allow_unused=True
    )
    values = [z.detach().numpy() for z in tuples]
    return values, {
        k: np.zeros(np.shape(point[k])) if g is None else g.numpy() for k, g in zip(keys, wanted, strict=True)
    }


def central_difference(operation, point, u):
    """Gradient of one input, by central differences of the determinant, a polynomial linear in each entry."""
    (a,) = point
    g = np.empty_like(a)
    for index in np.ndindex(a.shape):
        step = np.zeros_like(a)
        step[index] = 0.5
        g[index] = u * (operation.forward(a + step) - operation.forward(a - step))
    return g


def test_corpus_is_large_enough():
    assert len(OPERATIONS) >= 36
    assert sum(len(operation.wrong) for operation in OPERATIONS) >= 300
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize(("operation", "name"), RIGHT)
def test_right_rule_agrees_with_torch(operation, name):
    rng = np.random.default_rng(3)
    for hard, point in points(operation, draws=12):
        u = draw_cotangent(rng, operation, point)
        values, truth = torch_gradients(operation, point, u)
        for z, expected in zip(outputs(operation.forward, point), values, strict=True):
            np.testing.assert_allclose(z, expected, rtol=1e-10, atol=1e-10)
        found = gradients(operation, point, operation.right[name](copied(u), *copied(point)))
        close = all(
            np.allclose(found[k], g, rtol=1e-10, atol=1e-10 * max(1, np.abs(g).max(initial=0)))
            for k, g in truth.items()
        )
        if not close and operation.name == "det" and np.linalg.det(point[0]) == 0:
            # PyTorch 2.13 gives zeros where the matrix is singular; the polynomial itself is the judge.
            truth = central_difference(operation, point, u)
            close = np.allclose(found[0], truth, rtol=1e-8, atol=1e-8)
        valid = close or (hard and not operation.smooth and not outside(operation, point, u, found))
        assert valid, (point, found, truth)


@pytest.mark.parametrize(("operation", "name"), RIGHT)
def test_right_rule_keeps_the_contract_in_every_precision(operation, name):
    for dtype in operation.dtypes:
        assert fault(operation, operation.right[name], dtype, draws=8) is None


@pytest.mark.parametrize("operation", CASES)
def test_half_precision_stays_near_double(operation):
    right = next(iter(operation.right.values()))
    for dtype in operation.dtypes[1:]:
        for _, point in points(operation, dtype, draws=4):
            wide = in_dtype(
                tuple(
                    v.astype(float) if k in differentiated(operation, point) else v
                    for k, v in enumerate(point)
                ),
                "float64",
            )
            u = draw_cotangent(np.random.default_rng(1), operation, point)
            exact = tuple(c.astype(float) for c in u) if isinstance(u, tuple) else u.astype(float)
            found = gradients(operation, point, right(copied(u), *copied(point)))
            for k, g in gradients(operation, wide, right(exact, *wide)).items():
                assert np.isfinite(found[k].astype(float)).all()
                gap = np.abs(found[k].astype(float) - g).max(initial=0)
                assert gap <= {"float32": 1e-3, "float16": 0.1, "bfloat16": 0.3}[dtype] * max(
                    1, np.abs(g).max(initial=0)
                )


@pytest.mark.parametrize("operation", CASES)
def test_every_wrong_rule_is_wrong(operation):
    for wrong in operation.wrong:
        assert wrong_is_wrong(operation, wrong) is not None, wrong.name


@pytest.mark.parametrize("operation", CASES)
def test_strict_says_that_shared_memory_is_the_only_fault(operation):
    for wrong in operation.wrong:
        if wrong.strict:
            assert fault(operation, wrong.fresh(), wrong.dtype, sharing=False) is None, wrong.name


@pytest.mark.parametrize("operation", CASES)
def test_sampler_is_a_function_of_its_seed(operation):
    first, second = (operation.sampler(np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_right_rule_declared_wrong_is_found():
    """The check that guards the corpus can fail: a right rule has no fault; a name used twice is refused."""
    relu = next(operation for operation in OPERATIONS if operation.name == "relu")
    assert fault(relu, relu.right["1/2 at 0"]) is None
    with pytest.raises(ValueError, match="share a name"):
        dataclasses.replace(relu, wrong=relu.wrong[:1] * 2)
