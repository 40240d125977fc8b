"""A jvp by its columns: many tangents at once where it takes them, one by one where it does not, the same verdict."""

from collections import Counter

import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(0)
SQUARE = (RNG.normal(size=(5, 5)),)
ORDER = np.array([3, 0, 4, 4, 1])


def _first_row(t, x):
    return t[0] * x[0]


# forward, right jvp, wrong jvp, whether it takes many tangents at once
JVPS = {
    "elementwise": (np.tanh, lambda t, x: t / np.cosh(x) ** 2, lambda t, x: t / np.cosh(x), True),
    "matrix product": (lambda x: x @ x, lambda t, x: t @ x + x @ t, lambda t, x: 2 * (t @ x), True),
    "sum of all": (lambda x: (x**2).sum(), lambda t, x: 2 * (t * x).sum(), lambda t, x: (t * x).sum(), False),
    "transpose": (lambda x: x.T * x, lambda t, x: t.T * x + x.T * t, lambda t, x: 2 * t.T * x, False),
    "rows chosen": (lambda x: x[ORDER] ** 2, lambda t, x: 2 * t[ORDER] * x[ORDER], lambda t, x: 2 * t * x, False),
    "first axis": (lambda x: x[0] ** 2 / 2, _first_row, lambda t, x: t[1] * x[0], False),
    "by rank": (
        np.sin,
        lambda t, x: t * np.cos(x) if t.ndim == 2 else t * np.nan,
        lambda t, x: t if t.ndim == 2 else t * np.cos(x),
        False,
    ),
    "by size": (
        np.sin,
        lambda t, x: t * np.cos(x) if t.size == x.size else t * x,
        lambda t, x: t * x if t.size == x.size else t * np.cos(x),
        False,
    ),
}


@pytest.mark.parametrize("name", JVPS)
def test_a_jvp_is_judged_alike_whether_it_takes_many_tangents_or_not(name):
    forward, right, wrong, many = JVPS[name]
    called = Counter()

    def counting(t, x):
        called[np.size(t) > x.size] += 1
        return right(t, x)

    result = gradproof.check_jvp(forward, counting, SQUARE, examples=6)
    assert result.ok, str(result)
    # 25 columns of some ten pulls a sample would be 1,500 calls
    assert (called[True] > 20) == many
    assert (called[False] < 600) == many
    result = gradproof.check_jvp(forward, wrong, SQUARE, examples=6)
    assert result.refused
    assert not result.ok


def test_many_tangents_at_once_that_spoil_some_column_do_not_spoil_the_verdict():
    """Three columns of a batch are asked for alone too; what the others hold shows in their sum."""

    def spoiled(t, x):
        out = t * np.cos(x)
        if t.ndim > x.ndim:
            out[1] *= 2  # a right jvp of one tangent, wrong in a batch that nobody promised
        return out

    assert gradproof.check_jvp(np.sin, spoiled, SQUARE, examples=6).ok


def _middle(x):
    return np.sort(x, axis=1)[:, 1]


def _middle_jvp(which):
    def jvp(t, x):
        order = np.argsort(x, axis=1, kind="stable")
        tied = (x == _middle(x)[:, None]).sum(1) == 3
        at = np.where(tied, which, order[:, 1])
        return np.take_along_axis(t, at[:, None], 1)[:, 0]

    return jvp


@pytest.mark.parametrize("which", [0, 1, 2])
def test_of_three_tied_values_a_jvp_may_take_any(which):
    """Slopes of a median are the same both ways along every line; that they do not add up shows the kink."""
    point = (np.array([[1.0, 1.0, 1.0], [0.5, 2.0, -1.0], [0.25, 0.75, -2.0]]),)
    for seed in range(2):
        assert gradproof.check_jvp(_middle, _middle_jvp(which), point, seed=seed).ok


def test_a_refused_jvp_of_many_entries_is_told_with_few_calls():
    called = Counter()

    def forward(x, w):
        return np.tanh(x @ w)

    def jvp(tangents, x, w):
        called["jvp"] += 1
        y = forward(x, w)
        return (1 - y * y) * (tangents[0] @ w + 1.01 * (x @ tangents[1]))

    result = gradproof.check_jvp(forward, jvp, (RNG.normal(size=(10, 10)), RNG.normal(size=(10, 10))))
    assert result.refused
    assert result.causes[0] == "factor"
    assert called["jvp"] < 12_000  # 200 columns each of 1,149 times were 230,000
