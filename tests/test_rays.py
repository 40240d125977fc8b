"""Rays: many steps and directions through one evaluation give what each gives alone, or are not taken at all."""

import numpy as np
import pytest

from gradproof.calling.subject import Subject
from gradproof.judging.rays import LARGEST, Rays
from gradproof.judging.slope import slope, slopes
from gradproof.judging.trial import Trial
from gradproof.sampling.sample import Sample

X = np.linspace(-1.3, 1.7, 15).reshape(5, 3) ** 3
W = np.linspace(0.4, -1.1, 6).reshape(3, 2)
B = np.array([0.3, -0.2])
STEPS = np.array([0.25, 0.1, 1e-3, -1e-3, -0.1, -0.25])
WITHIN = 1e-13  # a sum of a few products: the order of its terms may be another


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def trial_of(forward, inputs, move):
    sample = Sample(0, 0, "random", inputs, tuple(f"x{i}" for i in range(len(inputs))), tuple(move))
    return Trial(Subject("f", forward, rule=lambda u, *inputs: None), sample)


def rays(forward, *inputs, move=(0,), count=3, precision=np.float64):
    """Rays of a forward along a few directions, and the subject that counts its evaluations."""
    trial = trial_of(forward, inputs, move)
    rng = np.random.default_rng(3)
    along = [{i: rng.choice([-1.0, 1.0], np.shape(inputs[i])) for i in move} for _ in range(count)]
    found = Rays(trial, along, precision)
    trial.subject.evaluations["forward"] = 0
    return found, trial.subject


TAKEN = {
    "elementwise": (np.tanh, (X,), (0,)),
    "over the last axis": (softmax, (X,), (0,)),
    "a matrix product, the rows move": (lambda x, w: x @ w, (X, W), (0,)),
    "a matrix product, the columns move": (lambda x, w: x @ w, (X, W), (1,)),
    "a bias of lower rank moves": (lambda x, w, b: x @ w + b, (X, W, B), (2,)),
    "all move": (lambda x, w, b: np.tanh(x @ w + b), (X, W, B), (0, 1, 2)),
    "a NumPy scalar moves": (lambda x, s: x * s, (X, np.float64(0.7)), (1,)),
    "two outputs": (lambda x: (np.sin(x), x * x), (X,), (0,)),
}


@pytest.mark.parametrize("case", TAKEN)
def test_a_batch_is_one_evaluation_and_three_that_witness_it(case):
    forward, inputs, move = TAKEN[case]
    found, subject = rays(forward, *inputs, move=move)
    many = found.many(STEPS)
    assert subject.evaluations["forward"] == 4
    alone = np.array([found(t) for t in STEPS])
    assert many.shape == alone.shape == (6, 3)
    np.testing.assert_allclose(many, alone, rtol=WITHIN, atol=WITHIN)


@pytest.mark.parametrize("precision", [np.complex128, np.longdouble])
def test_complex_and_extended_steps_go_through_a_batch_too(precision):
    found, _ = rays(softmax, X, precision=np.longdouble if precision is np.longdouble else np.float64)
    steps = STEPS.astype(precision) + (1e-30j if precision is np.complex128 else 0)
    many = found.many(list(steps))
    alone = np.array([found(t) for t in steps])
    assert many.dtype == alone.dtype == precision
    assert np.abs(many - alone).max() <= (1e-17 if precision is np.longdouble else 1e-14)
    if precision is np.complex128:
        np.testing.assert_allclose(many.imag, alone.imag, rtol=1e-12)


def by_branch(x):
    return np.where(x > 0, x, -x) if x.min() < -2.2 else x * x


REFUSED = {
    "the sum of all": (lambda x: np.asarray(x.sum()), X),
    "a sum over the first axis": (lambda x: x.sum(axis=0), X),
    "a mean over the batch": (lambda x: x / len(x), X),
    "rows mixed below any difference": (lambda x: x + 1e-15 * x.mean(), X),
    "flattened": (lambda x: x.reshape(-1), X),
    "a transpose": (lambda x: x.T, X),
    "the largest of all, in a branch": (by_branch, X),
    "the shape is asked for": (lambda x: x if x.shape == X.shape else 1 / 0, X),
    "an index": (lambda x: x[np.array([0, 2])], X),
    "of rank 1, a sum": (lambda x: np.cumsum(x[:2]), X[:, 0]),
    "a list of one": (lambda x: np.stack([x, x]), X),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_forward_that_takes_no_batch_is_asked_a_point_at_a_time(case):
    forward, x = REFUSED[case]
    found, subject = rays(forward, x)
    assert found.many(STEPS) is None
    before = subject.evaluations["forward"]
    assert found.many(STEPS) is None  # and is not asked again
    assert subject.evaluations["forward"] == before


def test_a_branch_that_only_the_longest_steps_take_is_seen_at_the_shortest():
    """Both ends and the batch as a whole take one branch, the point itself the other."""
    x = np.array([[1.0, -1.0]])
    trial = trial_of(lambda x: np.sin(x) if np.abs(x).max() < 1.2 else np.cos(x), (x,), (0,))
    found = Rays(trial, [{0: np.ones((1, 2))}])
    assert found.many(STEPS) is None


def test_what_fails_for_complex_numbers_alone_still_takes_real_steps():
    found, _ = rays(np.abs, X)
    assert found.many(list(STEPS + 1e-30j)) is None
    assert found.many(STEPS) is not None


def test_a_large_point_goes_through_alone():
    found, subject = rays(np.tanh, np.ones((LARGEST // 32, 4)))
    assert found.many(STEPS) is None
    assert subject.evaluations["forward"] == 0


def test_a_direction_that_leaves_the_domain_does_not_stop_the_others():
    def root(x):
        if (x < 0).any():
            raise ValueError("below 0")
        return np.sqrt(x)

    x = np.array([1e-3, 1.0])
    found = slopes(trial_of(root, (x,), (0,)), [{0: np.array([1.0, 0.0])}, {0: np.array([0.0, 1.0])}])
    assert found[1].bound <= 1e-12 * abs(found[1].value)


@pytest.mark.parametrize(
    "forward", [np.tanh, np.abs, lambda x: np.maximum(x, 0).sum(axis=0)], ids=["smooth", "kinks", "sum"]
)
def test_directions_together_are_what_they_are_alone(forward):
    x = np.array([[0.0, 0.4, -1.2], [0.9, 0.0, 2.0]])
    trial = trial_of(forward, (x,), (0,))
    along = [{0: np.sign(v) * (np.abs(v) > 0.5)} for v in np.random.default_rng(1).standard_normal((9, 2, 3))]
    alone = [slope(trial, v) for v in along]
    assert forward is np.tanh or {ray.kinked for ray in alone} == {True, False}
    for one, other in zip(slopes(trial, along), alone, strict=True):
        assert one.kinked == other.kinked
        for name in ("value", "right", "left"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12, abs=1e-13)
        assert one.bound == pytest.approx(other.bound, rel=0.5, abs=1e-13)
