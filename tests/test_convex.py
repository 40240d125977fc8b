"""Gradients at a kink against the convex hull of those around it: a tie counted twice is inside their extremes."""

import numpy as np
import pytest

import gradproof
from gradproof.oracles import convex, kink
from gradproof.verdict import REFUSED

W = np.array([1.0, -2.0, 0.5])  # cotangents of both signs: convex and concave parts side by side


def relu_of_two(x):
    """max(0, x, y) of each column, weighed."""
    best = np.maximum(x.max(0), 0)
    return W * ((x == best) & (best > 0)) * (x == x.max(0))


def norms(x):
    return W * x / np.sqrt((x * x).sum(0))


def largest(x):
    return W * np.sign(x) * (np.abs(x) == np.abs(x).max(0))


def windows(x):
    """max of each two neighbours down a column, overlapping."""
    g = np.zeros(x.shape)
    for k in range(len(x) - 1):
        for n in range(x.shape[1]):
            g[k + int(x[k : k + 2, n].argmax()), n] += W[n]
    return g


def signs(x):
    return W * np.sign(x)


ONES = np.ones((2, 3)) * W
HALF = ONES / 2
ROTATED = np.array([[0.6, 0.0, 0.8], [0.8, 1.0, 0.6]]) * W
OVERLAP = np.array([[1.0, 1, 1], [1, 1, 1], [0, 0, 0]]) * W
AVERAGE = np.array([[0.5, 0.5, 0.5], [1, 1, 1], [0.5, 0.5, 0.5]]) * W

INSIDE = {
    "zero, of max(0, x, y)": (relu_of_two, 0 * ONES),
    "one rival": (relu_of_two, np.array([[1.0, 0, 1], [0, 1, 0]]) * W),
    "half each": (relu_of_two, HALF),
    "a third each": (relu_of_two, ONES / 3),
    "the middle of a ball": (norms, 0 * ONES),
    "on the edge of a ball": (norms, ROTATED),
    "in a ball": (norms, 0.7 * ONES),
    "the largest of sizes, one sign": (largest, np.array([[1.0, 0, -1], [0, 1, 0]]) * W),
    "windows, the first": (windows, OVERLAP),
    "windows, the average": (windows, AVERAGE),
    "each entry by itself, any corner": (signs, np.array([[1.0, -1, 1], [1, 1, -1]]) * W),
    "each entry by itself, in between": (signs, np.array([[0.3, -1, 0.9], [0, 1, -0.2]]) * W),
}
OUTSIDE = {
    "both rivals": (relu_of_two, ONES),
    "both rivals of one column": (relu_of_two, np.array([[1.0, 0, 0], [1, 0, 0]]) * W),
    "three quarters each": (relu_of_two, 1.5 * HALF),
    "ones at the origin of a norm": (norms, ONES),
    "a little longer than 1": (norms, 1.15 * ROTATED),
    "the largest of sizes, both": (largest, ONES),
}


def judged(rule, gradient, seed):
    """Whether a gradient at the origin of a piecewise smooth function is plainly outside."""
    points = [np.zeros(gradient.shape)]
    rng = np.random.default_rng(seed)
    hull = kink.gather(lambda p: rule(p[0]).reshape(-1), points, rng, kink.THOROUGH_PAIRS)

    def corner(step):
        return kink.limit(lambda p: rule(p[0]).reshape(-1), points, [step.reshape(gradient.shape) * 2.0**-20])

    return convex.outside(hull, gradient.reshape(-1), corner, rng, np.ones(gradient.size))


@pytest.mark.parametrize("case", INSIDE)
def test_a_mixture_of_the_gradients_around_is_inside(case):
    assert not any(judged(*INSIDE[case], seed) for seed in range(4))


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_counts_a_tie_twice_is_outside(case):
    assert all(judged(*OUTSIDE[case], seed) for seed in range(4))


def hinge(x, y):
    return np.maximum(np.maximum(x, y), 0)


def hinge_rule(both):
    def rule(u, x, y):
        tie = (x == y) & (x == 0)
        return u * np.where(tie, both, (x > y) & (x > 0)), u * np.where(tie, both, (y >= x) & (y > 0))

    return rule


def hypot_rule(both):
    def rule(u, x, y):
        h = np.hypot(x, y)
        safe = np.where(h == 0, 1, h)
        return u * np.where(h == 0, both, x / safe), u * np.where(h == 0, both, y / safe)

    return rule


POINT = (np.array([0.0, 0.5, -1.5, 0.0]), np.array([0.0, 0.5, 0.25, -2.0]))


@pytest.mark.parametrize(
    ("forward", "made", "valid"), [(hinge, hinge_rule, (0, 0.3)), (np.hypot, hypot_rule, (0, 0.7))]
)
@pytest.mark.parametrize("how", [{}, {"shapes": "x: n, y: n -> z: n"}])
def test_a_tie_of_three_pieces_is_not_counted_twice(forward, made, valid, how):
    for both in valid:
        assert gradproof.check_vjp(forward, made(both), POINT, **how).ok
    result = gradproof.check_vjp(forward, made(1.0), POINT, **how)
    assert result.refused
    assert {v.oracle for v in result.verdicts if v.word in REFUSED} == {"kink"}
    assert any("no mixture of those around it" in v.note for v in result.verdicts)


# ---- a choice that no random step meets -----------------------------------------------------------------------------


def singular_values(a):
    return np.linalg.svd(a, compute_uv=False)


def singular_vjp(u, a):
    left, _, right = np.linalg.svd(a, full_matrices=False)
    return left * u @ right


def eigenvalues(a):
    return np.linalg.eigvalsh((a + a.T) / 2)


def eigen_vjp(u, a):
    vectors = np.linalg.eigh((a + a.T) / 2)[1]
    return vectors @ np.diag(u) @ vectors.T


SPECTRA = {
    "singular values": (singular_values, singular_vjp),
    "eigenvalues": (eigenvalues, eigen_vjp),
}
MATRICES = {
    "drawn": np.random.default_rng(5).normal(size=(3, 3)),
    "one": np.eye(3),
    "a pair": np.diag([2.0, 2.0, 1.0]),
    "zero": np.zeros((3, 3)),
}


def only_where_tied(change):
    """A rule that is wrong at repeated values alone."""

    def changed(rule):
        def wrong(u, a):
            g = rule(u, a)
            return change(g) if np.min(-np.diff(singular_values(a))) < 1e-12 else g

        return wrong

    return changed


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_vectors_of_a_repeated_value_are_free(spectrum, matrix):
    """The rule's own turn of them is one of many, and a sum weighed without order is neither convex nor concave."""
    forward, rule = SPECTRA[spectrum]
    for seed in range(2):
        assert gradproof.check_vjp(forward, rule, (MATRICES[matrix],), seed=seed).ok


@pytest.mark.parametrize("change", [lambda g: 1.3 * g, lambda g: g + 0.5], ids=["1.3", "+"])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_and_what_is_none_of_them_is_refused(spectrum, change):
    forward, rule = SPECTRA[spectrum]
    for matrix in ("one", "zero"):
        assert gradproof.check_vjp(forward, only_where_tied(change)(rule), (MATRICES[matrix],), examples=1).refused


def test_a_limit_of_wrong_gradients_is_no_choice():
    """Wrong at diagonal matrices alone, where random points beside a tie do not see it."""

    def wrong(u, a):
        return 1.3 * singular_vjp(u, a) if np.array_equal(a, np.diag(np.diag(a))) else singular_vjp(u, a)

    assert gradproof.check_vjp(singular_values, wrong, (np.eye(3),), examples=1).refused


def _median(x):
    return np.sort(x, axis=1)[:, 1]


def _median_vjp(take):
    def vjp(u, x):
        tied = x == _median(x)[:, None]
        return take(tied) * u[:, None]

    return vjp


@pytest.mark.parametrize("which", [0, -1])
@pytest.mark.parametrize("seed", [1, 7])
def test_one_of_three_tied_values_in_each_of_several_rows_is_met(which, seed):
    """One random step rarely has the wanted one of each row in the middle; steps that take over from one another do."""
    point = (np.array([[1.0, 1.0, 1.0], [0.5, 2.0, -1.0], [0.25, 0.75, -2.0]]),)

    def one(tied):
        order = tied[:, ::-1] if which else tied
        first = (np.cumsum(order, 1) == 1) & order
        return (first[:, ::-1] if which else first).astype(float)

    assert gradproof.check_vjp(_median, _median_vjp(one), point, seed=seed).ok
    assert gradproof.check_vjp(_median, _median_vjp(lambda tied: tied.astype(float)), point, seed=seed).refused
