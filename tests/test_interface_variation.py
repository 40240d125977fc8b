"""Where a stranger's rule is tried: what varies, what is kept, domains, and what a reference receives."""

import numpy as np
import pytest

import gradproof

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


def sine(x):
    return np.sin(x)


def check(forward, vjp, inputs, **options):
    return gradproof.check_vjp(forward, vjp, inputs, **{"examples": 8, **options})


# ---- variation -------------------------------------------------------------------------------------------------------


def test_other_shapes_are_tried_only_where_the_caller_says_how():
    shapes = set()  # of the rule's inputs: the forward may be given many points as one batch

    def remember(u, x, w):
        shapes.add((x.shape, w.shape))
        return scale_vjp(u, x, w)

    one = check(scale, remember, (X, W), examples=20)
    assert one.ok
    assert shapes == {((2, 3), (3,))}
    assert any("one shape was tried: give shapes= or a sampler" in w for w in one.warnings)
    assert "one shape was tried" in str(one)
    shapes.clear()
    many = check(scale, remember, (X, W), shapes=SHAPES, examples=20)
    assert many.ok
    assert len(shapes) > 5
    assert all(w == x[-1:] for x, w in shapes)
    assert any(x[0] == 1 for x, _ in shapes)
    assert any(x[1] == 1 for x, _ in shapes)
    assert any(0 in x for x, _ in shapes)
    assert not any("one shape" in w for w in many.warnings)


def test_ties_zeros_and_saturated_values_are_tried_on_purpose():
    points = []

    def rule(u, x):
        points.append(x.copy())
        return u * np.cos(x)

    assert check(sine, rule, (X,), examples=20).ok
    assert any((p == 0).any() for p in points)
    assert any(np.unique(p).size < p.size for p in points)
    assert any((np.abs(p) > 15).any() for p in points)


def test_cotangents_are_other_ones_each_time_and_never_ones():
    given = []

    def rule(u, x):
        given.append(u.copy())
        return u * np.cos(x)

    assert check(sine, rule, (X,)).ok
    assert len({u.tobytes() for u in given}) > 8
    assert not (given[0] == given[0].flat[0]).all()


A_PERMUTATION = np.array([2.0, 0.0, 1.0, 3.0])
KEPT = {
    # word said: (point y, forward(x, y), a rule that is right for such y alone)
    "values 0/1": (np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), lambda x, y: x * y**2, lambda u, x, y: u * y),
    "integers": (np.array([[3.0, -2.0, 1.0], [0.0, 4.0, 5.0]]), lambda x, y: x * y, lambda u, x, y: u * np.round(y)),
    "all >= 0": (np.array([[3.5, 2.25, 1.5], [0.0, 4.5, 5.0]]), lambda x, y: x * y, lambda u, x, y: u * np.abs(y)),
    "rows summing to 1": (
        np.array([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]]),
        lambda x, y: x * y.sum(-1, keepdims=True),
        lambda u, x, y: u,
    ),
    "sorted": (
        np.array([[-1.5, 0.25, 0.5, 4.0], [-3.25, -1.0, 2.5, 3.5]]),
        lambda x, y: x[:, :1] * y,
        lambda u, x, y: np.pad((u * np.sort(y, -1)).sum(1, keepdims=True), ((0, 0), (0, 2))),
    ),
    "symmetric": (
        np.array([[0.5, -1.5, 2.0], [-1.5, 1.25, 0.75], [2.0, 0.75, -0.5]]),
        lambda x, y: x @ y,
        lambda u, x, y: u @ y,
    ),
    "a permutation": (A_PERMUTATION, lambda x, y: x * y.sum(), lambda u, x, y: u * 6.0),
}
BROKEN = {
    "values 0/1": 0.5,
    "integers": 0.25,
    "all >= 0": -7.0,
    "rows summing to 1": 0.75,
    "sorted": 9.0,
    "symmetric": 3.0,
    "a permutation": 5.0,
}


@pytest.mark.parametrize("word", KEPT)
def test_a_variation_keeps_what_the_point_has_and_says_so(word):
    point, forward, rule = KEPT[word]
    result = check(forward, rule, (X, point), constant="y", examples=20)
    assert result.ok, str(result)
    assert any(word in w for w in result.warnings)
    assert "variations kept what the point has" in flat(result)
    broken = point.copy()
    broken[(0, 1) if word == "symmetric" else (0,) * point.ndim] = BROKEN[word]
    refused = check(forward, rule, (X, broken), constant="y", examples=20)
    assert refused.refused
    assert not any(f" {word}" in w for w in refused.warnings)


def test_whole_arrays_of_integers_keep_their_range_and_a_permutation():
    order = np.array([2, 0, 1])

    def rule(u, x, order):
        return u[:, np.argsort(order)]  # right for a permutation alone

    result = check(lambda x, order: x[:, order], rule, (X, order), examples=20)
    assert result.ok, str(result)


def test_softmax_minus_labels_is_right_for_labels_that_sum_to_one():
    def loss(x, y):
        return float(
            (
                y * (np.log(np.exp(x - x.max(1, keepdims=True)).sum(1, keepdims=True)) + x.max(1, keepdims=True) - x)
            ).sum()
        )

    def rule(u, x, y):
        p = np.exp(x - x.max(1, keepdims=True))
        return u * (p / p.sum(1, keepdims=True) - y), None

    labels = np.array([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375]])
    result = check(loss, rule, (X, labels), constant="y", examples=20)
    assert result.ok, str(result)
    assert check(loss, rule, (X, labels), constant="y", examples=20, domain={"y": "positive"}).refused


@pytest.mark.parametrize("raises", [False, True])
def test_a_point_outside_what_the_forward_takes_is_dropped_and_not_blamed(raises):
    def root(x):
        if raises and (x < -2).any():
            raise ArithmeticError("negative")
        return np.sqrt(x + 2)

    result = check(root, lambda u, x: u / (2 * np.sqrt(x + 2)), (X,), examples=20)
    assert result.ok, str(result)
    assert len(result.samples) < 20
    assert any("varied points were dropped: the forward is not finite there or raises" in w for w in result.warnings)


# ---- domains ---------------------------------------------------------------------------------------------------------


def guarded(low, high, open_low=False, total=None):
    """x^3, raising outside [low, high]: a step beyond the domain ends in an exception."""

    def cube(x):
        if (x < low).any() or (x > high).any() or (open_low and (x <= low).any()):
            raise ArithmeticError("outside the domain")
        return x**3

    return cube


DOMAINS = {
    "real": ("real", X, lambda p: True),
    "positive": ("positive", np.abs(X), lambda p: (p > 0).all()),
    "probability": ("probability", np.abs(X) / 4, lambda p: (p >= 0).all() and (p <= 1).all()),
    "simplex": ("simplex", np.array([[0.5, 0.25, 0.25]]), lambda p: (p >= 0).all()),
    "interval": ((-1.5, 2.5), X, lambda p: (p >= -1.5).all() and (p <= 2.5).all()),
    "callable": (lambda rng, shape: rng.uniform(2, 3, shape), X + 4, lambda p: True),
}


@pytest.mark.parametrize("word", DOMAINS)
def test_each_domain_says_where_points_are_drawn_and_steps_stay_inside(word):
    domain, point, inside = DOMAINS[word]
    low, high = {"positive": (0, np.inf), "probability": (0, 1), "simplex": (0, np.inf), "interval": (-1.5, 2.5)}.get(
        word, (-np.inf, np.inf)
    )
    seen = []

    def rule(u, x):
        seen.append(x.copy())
        return 3 * u * x**2

    result = check(guarded(low, high, open_low=word == "positive"), rule, (point,), domain=domain, examples=20)
    assert result.ok, str(result)
    assert len(result.samples) >= 19
    assert {v.word for v in result.verdicts} <= {"agrees", "undecided"}
    assert inside(seen[0])
    if word == "callable":
        assert sum(((p >= 2) & (p <= 3)).all() for p in seen) > 10
    if word == "simplex":
        assert sum(np.allclose(p.sum(-1), 1) for p in seen) > 10
    wrong = check(guarded(low, high, open_low=word == "positive"), lambda u, x: 3 * u * x, (point,), domain=domain)
    assert wrong.refused


def test_probabilities_are_also_exactly_0_and_1():
    seen = []

    def rule(u, x):
        seen.append(x.copy())
        return 2 * u * x

    assert check(lambda x: x**2, rule, (np.array([0.25, 0.5, 0.75]),), domain="probability", examples=20).ok
    assert any((p == 0).any() for p in seen)
    assert any((p == 1).any() for p in seen)


def test_labels_and_onehot():
    def pick(x, labels):
        return x[np.arange(len(x)), labels]

    def pick_vjp(u, x, labels):
        assert labels.dtype.kind == "i"
        g = np.zeros_like(x)
        g[np.arange(len(x)), labels] = u
        return g

    for domain in ({"labels": "labels(3)"}, (None, "labels(3)"), ["real", "labels(3)"]):
        assert check(pick, pick_vjp, (X, np.array([2, 0])), domain=domain, examples=12).ok
    sized = check(
        pick, pick_vjp, (X, np.array([2, 0])), domain={"labels": "labels(c)"}, shapes="x: n c, labels: n -> z: n"
    )
    assert sized.ok, str(sized)

    def onehot_vjp(u, x, y):
        assert ((y == 0) | (y == 1)).all()
        return u[:, None] * y, None

    result = check(
        lambda x, y: (x * y).sum(1), onehot_vjp, (X, np.eye(3)[[2, 0]]), domain={"y": "onehot"}, constant="y"
    )
    assert result.ok, str(result)


@pytest.mark.parametrize(
    "domain", ["positive", ("positive", "positive"), ["positive", None], {"x": "positive", "w": "positive"}]
)
def test_a_domain_is_one_word_a_sequence_or_a_dict(domain):
    result = check(
        lambda x, w: np.log(x) * w,
        lambda u, x, w: (u * w / x, (u * np.log(x)).sum(0)),
        (np.abs(X), np.abs(W)),
        domain=domain,
    )
    assert result.ok, str(result)
    assert len(result.samples) == 8


# ---- references ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_references_receive_the_same_positions(framework, dtype):
    module = pytest.importorskip(framework)
    seen = set()

    def forward(x, index, power, mode, nothing):
        return x[index] ** power

    def rule(u, x, index, power, mode, nothing):
        g = np.zeros_like(x)
        np.add.at(g, index, (u * power * x[index] ** (power - 1)).astype(x.dtype))
        return g

    def reference(x, index, power, mode, nothing):
        array = module.Tensor if framework == "torch" else module.Array
        assert isinstance(x, array)
        assert isinstance(index, array)
        seen.add((str(x.dtype).split(".")[-1], str(index.dtype).split(".")[-1], power, mode, nothing))
        assert type(power) is int
        return x[index] ** power

    point = (X.astype(dtype), np.array([1, 0, 1]), 3, "sum", None)
    result = check(forward, rule, point, **{framework: reference}, examples=4)
    assert result.ok, str(result)
    assert framework in {v.oracle for v in result.verdicts}
    assert (dtype, "int64", 3, "sum", None) in seen


def test_a_reference_refuses_what_differences_cannot_see():
    def tiny(u, x):
        g = u * np.cos(x)
        g[0, 0] *= 1 + 1e-11
        return g

    torch = pytest.importorskip("torch")
    result = check(sine, tiny, (X,), torch=torch.sin)
    assert result.refused
    assert result.where["x"][0] == (0, 0)
