"""Causes of arrays too large to be worked out entry by entry, of narrow dtypes, and of answers kept from earlier."""

from __future__ import annotations

import numpy as np
import pytest

from gradproof import check_vjp


def point(*shape):
    return np.random.default_rng(7).standard_normal(shape)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(("factor", "cause"), [(1.01, "factor"), (1.1, "factor"), (-1, "sign")])
def test_a_factor_is_no_lower_precision(dtype, factor, cause):
    def rule(u, x):
        return (factor * u * np.cos(x)).astype(x.dtype)

    result = check_vjp(np.sin, rule, (point(4, 3).astype(dtype),), examples=6)
    assert result.causes[0] == cause


def test_a_mean_is_not_blamed_on_ties():
    def rule(u, x):
        return np.full(x.shape, u / x.size)

    result = check_vjp(lambda x: x.sum(), rule, (point(4, 3),), shapes="x: n d -> y:")
    assert result.causes[0] == "mean_for_sum"
    assert "at_ties" not in result.causes
    assert "x.size = 12 times too small" in str(result)


@pytest.mark.parametrize("shapes", [None, "x: n d -> y: n d"])
def test_an_answer_kept_by_shape_is_a_second_call(shapes):
    kept = {}

    def rule(u, x):
        return u * kept.setdefault(x.shape, np.cos(x))

    result = check_vjp(np.sin, rule, (point(4, 3),), shapes=shapes)
    assert result.causes[0] == "second_call"


def test_a_gradient_that_never_looks_at_the_point_is_no_kept_answer():
    result = check_vjp(np.sin, lambda u, x: u * 1.0, (point(4, 3),))
    assert "second_call" not in result.causes


def test_many_entries_wrong_in_no_constant_way_have_no_factor():
    result = check_vjp(np.sin, lambda u, x: u * np.cos(x) * (1 + x * x), (point(60, 60),), examples=2)
    assert result.refused
    assert not {"factor", "sign"} & set(result.causes)
