"""Kinks and ties: every valid subgradient is right and says whose it is, everything else is refused."""

import numpy as np
import pytest

import gradproof
from gradproof.judging.kinks import COMPOSED
from gradproof.oracles import kink, nudged
from gradproof.verdict import REFUSED

AT_ZERO = np.array([0.0, 1.5, -2.5])
TIED = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.5, -1.0, 0.5]])

APART = TIED + np.arange(9).reshape(3, 3) / 7


def relu(x):
    return np.maximum(x, 0)


def relu_rule(at):
    return lambda u, x: u * np.where(x > 0, 1.0, np.where(x < 0, 0.0, at))


def abs_rule(at):
    return lambda u, x: u * np.where(x == 0, at, np.sign(x))


def notes(result, word="subgradient"):
    return {v.note for v in result.verdicts if v.word == word}


def ramp(x):
    return relu(x) - relu(-x)


def ramp_rule(at):
    return lambda u, x: u * np.where(x == 0, at, 1.0)


def largest(x):
    return x.max(-1)


def first(u, x):
    g = np.zeros_like(x)
    np.put_along_axis(g, x.argmax(-1)[..., None], u[..., None], -1)
    return g


def last(u, x):
    return first(u, x[..., ::-1])[..., ::-1].copy()


def ties_of(x):
    return x == x.max(-1, keepdims=True)


def split(u, x):
    return ties_of(x) / ties_of(x).sum(-1, keepdims=True) * u[..., None]


def one_to_each(u, x):
    return ties_of(x) * u[..., None]


def none_to_any(u, x):
    return np.where(ties_of(x).sum(-1, keepdims=True) > 1, 0.0, one_to_each(u, x))


# ---- relu and abs at zero ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("point", [AT_ZERO, AT_ZERO[1:]], ids=["given a zero", "zeros planted"])
def test_every_value_between_the_slopes_is_a_subgradient_of_relu(at, point):
    result = gradproof.check_vjp(relu, relu_rule(at), (point,), examples=3)
    assert result.ok
    assert result.word == "subgradient"
    assert notes(result) == {f"a kink: {'the midpoint' if at == 0.5 else 'another'} of the valid choices"}


@pytest.mark.parametrize("at", [2.0, 1.1, -0.1])
@pytest.mark.parametrize("point", [AT_ZERO, AT_ZERO[1:]], ids=["given a zero", "zeros planted"])
def test_a_value_outside_the_slopes_is_refused(at, point):
    result = gradproof.check_vjp(relu, relu_rule(at), (point,), examples=3)
    assert result.word == "differs"
    assert result.causes[0] == "at_zero"
    assert "kink" in result.causes
    _, got, expected = result.where["x"]
    assert got != expected
    assert "at a kink, outside the valid subgradients" in str(result)


def test_a_point_whose_every_entry_is_at_a_kink_is_judged():
    zeros = (np.zeros(150),)
    for at in (0.0, 0.5, 1.0):
        assert gradproof.check_vjp(relu, relu_rule(at), zeros, examples=1).word == "subgradient"
    for at in (2.0, -0.1):
        assert gradproof.check_vjp(relu, relu_rule(at), zeros, examples=1).word == "differs"


@pytest.mark.parametrize(("at", "word"), [(0, "subgradient"), (-1, "subgradient"), (1.1, "differs")])
def test_abs_at_zero(at, word):
    assert gradproof.check_vjp(np.abs, abs_rule(at), (AT_ZERO,), examples=3).word == word


def test_a_function_without_a_kink_has_one_right_value_there():
    right = gradproof.check_vjp(ramp, ramp_rule(1.0), (AT_ZERO,))
    assert right.word == "agrees"
    for at in (0.0, 0.5, 2.0):
        assert gradproof.check_vjp(ramp, ramp_rule(at), (AT_ZERO,), examples=3).word == "differs"


@pytest.mark.parametrize(("at", "word"), [(0.0, "subgradient"), (2.0, "subgradient"), (-0.1, "differs")])
def test_a_kink_of_a_strongly_curved_function(at, word):
    def curved(x):
        return np.where(x > 0, 2 * x, -250 * x * x)

    def rule(u, x):
        return u * np.where(x > 0, 2.0, np.where(x < 0, -500 * x, at))

    assert gradproof.check_vjp(curved, rule, (AT_ZERO,), examples=3).word == word


def test_a_rule_wrong_beside_the_kink_is_refused_and_not_excused_by_it():
    def leaky(u, x):
        return u * np.where(x > 0, 1.0, 0.01)

    assert gradproof.check_vjp(relu, leaky, (AT_ZERO,), examples=3).word == "differs"


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_narrow_dtypes_have_the_same_choices(dtype):
    point = (AT_ZERO.astype(dtype),)
    for at, word in ((0.0, "subgradient"), (1.0, "subgradient"), (0.5, "subgradient"), (2.0, "differs")):

        def rule(u, x, at=at):
            return (u * np.where(x > 0, 1.0, np.where(x < 0, 0.0, at))).astype(x.dtype)

        assert gradproof.check_vjp(relu, rule, point, examples=3).word == word


# ---- ties ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [first, last, split])
@pytest.mark.parametrize("point", [TIED, np.zeros((2, 3)), APART], ids=["ties", "0", ""])
def test_a_maximum_may_go_to_any_of_the_tied(rule, point):
    result = gradproof.check_vjp(largest, rule, (point,), examples=4)
    assert result.ok
    assert result.word == "subgradient"


@pytest.mark.parametrize("rule", [one_to_each, none_to_any])
@pytest.mark.parametrize("point", [TIED, APART], ids=["ties given", "ties planted"])
def test_a_maximum_goes_neither_to_all_nor_to_none_of_the_tied(rule, point):
    result = gradproof.check_vjp(largest, rule, (point,), examples=5)
    assert result.word == "differs"
    assert "at_ties" in result.causes[:2]


@pytest.mark.parametrize(("rule", "word"), [(first, "subgradient"), (last, "subgradient"), (one_to_each, "differs")])
def test_more_than_a_hundred_ties(rule, word):
    many = np.random.default_rng(0).normal(size=(101, 3))
    many[:, 1] = many[:, 2] = np.abs(many).max(1) + 1
    result = gradproof.check_vjp(largest, rule, (many,), examples=1)
    assert {v.word for v in result.verdicts if v.oracle == "kink" and v.sample == "0:given"} <= {"subgradient", word}
    assert result.word == word
    assert "second_call" not in result.causes


@pytest.mark.parametrize(
    ("a", "b", "word"),
    [(1, 0, "subgradient"), (0, 1, "subgradient"), (0.5, 0.5, "subgradient"), (1, 1, "differs"), (0, 0, "differs")],
)
def test_a_maximum_of_two_arguments(a, b, word):
    def rule(u, x, y):
        return u * np.where(x > y, 1.0, (x == y) * a), u * np.where(y > x, 1.0, (x == y) * b)

    x = np.random.default_rng(0).normal(size=4)
    assert gradproof.check_vjp(lambda x, y: np.maximum(x, y), rule, (x, x[::-1].copy()), examples=4).word == word


# ---- whose choice -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    module.set_num_threads(1)
    return module


def test_the_choice_of_a_reference_is_named(torch):
    theirs = gradproof.check_vjp(relu, relu_rule(0.0), (AT_ZERO,), torch=torch.relu, examples=4)
    assert theirs.word == "subgradient"
    assert "a kink: PyTorch's choice" in notes(theirs)
    other = gradproof.check_vjp(relu, relu_rule(1.0), (AT_ZERO,), torch=torch.relu, examples=4)
    assert other.word == "subgradient"
    assert notes(other) == {"a kink: another of the valid choices"}
    assert gradproof.check_vjp(relu, relu_rule(2.0), (AT_ZERO,), torch=torch.relu, examples=4).word == "differs"


def test_another_choice_is_refused_where_that_of_a_reference_was_asked_for(torch):
    result = gradproof.check_vjp(relu, relu_rule(1.0), (AT_ZERO,), torch=torch.relu, subgradient="torch")
    assert result.word == "differs"
    assert "a valid subgradient, but not PyTorch's choice, which was asked for" in notes(result, "differs")


def test_where_the_reference_is_not_the_derivative_both_pass_and_it_is_said(torch):
    def theirs(x):
        return torch.relu(x) - torch.relu(-x)

    true = gradproof.check_vjp(ramp, ramp_rule(1.0), (AT_ZERO,), torch=theirs, examples=3)
    assert true.word == "agrees"
    assert "PyTorch's gradient is not the derivative here, yours is" in notes(true, "agrees")
    same = gradproof.check_vjp(ramp, ramp_rule(0.0), (AT_ZERO,), torch=theirs, examples=3)
    assert same.word == "subgradient"
    (note,) = notes(same)
    assert note == (
        "PyTorch's choice: it follows from valid choices inside, but is no Clarke subgradient of the whole"
    )
    for at in (2.0, 0.5):
        assert gradproof.check_vjp(ramp, ramp_rule(at), (AT_ZERO,), torch=theirs, examples=3).word == "differs"


def test_the_choice_that_was_asked_for_passes(torch):
    result = gradproof.check_vjp(relu, relu_rule(0.0), (AT_ZERO,), torch=torch.relu, subgradient="torch", examples=4)
    assert result.word == "subgradient"


@pytest.mark.parametrize(("rule", "word"), [(first, "subgradient"), (split, "subgradient"), (one_to_each, "differs")])
def test_ties_beside_a_reference(torch, rule, word):
    result = gradproof.check_vjp(largest, rule, (TIED,), torch=lambda x: torch.amax(x, -1), examples=4)
    assert result.word == word
    if rule is split:
        assert "a kink: PyTorch's choice" in notes(result)


# ---- the oracle itself --------------------------------------------------------------------------------------------


def hull_of(gradient, x):
    return kink.gather(lambda p: gradient(p[0]).reshape(-1), [x], np.random.default_rng(0))


def test_the_hull_holds_its_limits_and_what_lies_between():
    hull = hull_of(lambda x: (x > 0) * 1.0, np.zeros(3))
    assert hull.kinked.all()
    for inside in ([0, 0, 0], [1, 0, 1], [0.5, 0.25, 1]):
        assert hull.holds(np.array(inside, float))
    for outside in ([1.1, 0, 0], [-0.1, 0, 0]):
        assert not hull.holds(np.array(outside, float))


def test_the_hull_is_a_point_where_the_function_is_smooth():
    hull = hull_of(np.cos, np.array([0.5, 2.0]))
    assert not hull.kinked.any()
    assert hull.holds(np.cos([0.5, 2.0]))
    assert not hull.holds(np.cos([0.5, 2.0]) + 1e-3)


def test_the_limits_are_taken_at_the_point_and_not_beside_it():
    hull = hull_of(lambda x: np.where(x > 0, 2 + 50 * x, 1 + 50 * x), np.zeros(1))
    assert hull.low == pytest.approx(1, abs=1e-9)
    assert hull.high == pytest.approx(2, abs=1e-9)


def test_half_of_each_of_two_tied_lies_in_the_hull_and_the_whole_of_both_does_not():
    hull = hull_of(lambda x: (x == x.max()) * 1.0, np.array([1.0, 1.0, 0.0]))
    assert hull.holds(np.array([0.5, 0.5, 0.0]))
    assert hull.holds(np.array([1.0, 0.0, 0.0]))
    assert not hull.holds(np.array([1.0, 1.0, 0.0]))
    assert not hull.holds(np.array([0.5, 0.5, 0.5]))


def test_there_is_no_hull_where_no_gradient_can_be_had():
    assert kink.gather(lambda p: None, [np.zeros(2)], np.random.default_rng(0)) is None


def test_without_the_kink_oracle_a_subgradient_would_be_refused(monkeypatch):
    """The excuse is the oracles': a hull that holds nothing, and no way to choose inside, leave none."""
    monkeypatch.setattr(kink.Hull, "distance", lambda *a, **k: np.inf)
    monkeypatch.setattr(nudged, "slopes", lambda *a: np.full(4, np.nan))
    result = gradproof.check_vjp(relu, relu_rule(0.5), (AT_ZERO,))
    assert any(v.word in REFUSED for v in result.verdicts)


def test_a_hull_that_holds_everything_would_be_noticed(monkeypatch):
    monkeypatch.setattr(kink.Hull, "distance", lambda *a, **k: 0.0)
    assert gradproof.check_vjp(relu, relu_rule(2.0), (AT_ZERO,), examples=2).word != "differs"


# ---- many kinks that share an entry ------------------------------------------------------------------------------


def weighted_relu_sum(x, k, b):
    return np.array((np.arange(1.0, 1 + len(x)) * relu(x @ k + b)).sum())


def weighted_relu_sum_rule(at, beyond=0.0):
    def vjp(u, x, k, b):
        z, c = x @ k + b, np.arange(1.0, 1 + len(x))
        g = u * c * np.where(z > 0, 1.0, np.where(z < 0, 0.0, at))
        return g[:, None] * k, x.T @ g, np.asarray(g.sum() + beyond * c[z == 0].sum())

    return vjp


def shared(rule, rows):
    """The word where every row of z is 0, and a step of x outweighs one of their bias."""
    x = np.stack([np.zeros(rows), np.linspace(-1, 2, rows)], 1)
    return gradproof.check_vjp(weighted_relu_sum, rule, (x, np.array([-512.0, 0.0]), np.array(0.0)), examples=1).word


@pytest.mark.parametrize("rows", [8, 40])
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_all_kinks_of_a_shared_bias_on_one_side_are_a_subgradient(at, rows):
    assert shared(weighted_relu_sum_rule(at), rows) == "subgradient"


@pytest.mark.parametrize("rows", [8, 40])
@pytest.mark.parametrize(("at", "beyond"), [(0.0, -0.05), (1.0, 0.05), (0.0, 1.2)])
def test_beyond_all_kinks_of_a_shared_bias_is_refused(at, beyond, rows):
    assert shared(weighted_relu_sum_rule(at, beyond), rows) == "differs"


# ---- choices at kinks inside, which no step of the inputs leads to all at once ------------------------------------


def two_ramps(x):
    return 2 * relu(x) - relu(-x)


@pytest.mark.parametrize(("at", "word"), [
    (0.0, "subgradient"),  # 0 for both, as a program has it
    (3.0, "subgradient"),  # 1 for both
    (1.5, "subgradient"),
    (0.7, "differs"),
    (-0.5, "differs"),
    (3.5, "differs"),
])  # fmt: skip
def test_what_follows_from_one_choice_at_every_kink_inside_is_not_refused(at, word):
    def rule(u, x):
        return u * np.where(x == 0, at, np.where(x > 0, 2.0, 1.0))

    result = gradproof.check_vjp(two_ramps, rule, (AT_ZERO,), examples=2)
    assert result.word == word
    if at in (0.0, 3.0):
        assert f"a {COMPOSED}" in notes(result)


WEIGHTS = np.array([1.0, -2.0, 1.5, -1.0, 0.5, -0.75])


def weighted_pool(x, k):
    """Maxima of pairs of rows, which all tie where k is 0."""
    return WEIGHTS @ (x @ k + 1).reshape(-1, 2).max(1)


def weighted_pool_rule(share):
    def vjp(u, x, k):
        z = (x @ k + 1).reshape(-1, 2)
        tied = z == z.max(1, keepdims=True)
        both = tied.all(1, keepdims=True)
        g = (u * WEIGHTS[:, None] * np.where(both, np.broadcast_to(share, z.shape), tied)).reshape(-1)
        return np.outer(g, k), x.T @ g

    return vjp


@pytest.mark.parametrize(("share", "word"), [
    ((1.0, 0.0), "subgradient"),
    ((0.0, 1.0), "subgradient"),
    ((0.5, 0.5), "subgradient"),
    ((1.0, 1.0), "differs"),
    ((0.0, 0.0), "differs"),
    ((2.0, -1.0), "differs"),
])  # fmt: skip
@pytest.mark.parametrize("seed", [0, 2])
def test_the_first_of_every_pair_is_a_choice_where_no_step_leads_to_the_first_of_all(share, word, seed):
    x = np.random.default_rng(seed).standard_normal((12, 2))
    assert gradproof.check_vjp(weighted_pool, weighted_pool_rule(share), (x, np.zeros(2)), examples=1).word == word


def test_slopes_of_a_nudged_forward_are_those_of_its_branches():
    z = np.array([1.0, 1.0, 0.0, -2.0])
    v = np.array([1.0, 10.0, 100.0, 1000.0])

    def slopes(forward):
        return nudged.slopes(lambda at: forward(at[0] * 1.0), [z], [v]).round(3).tolist()

    assert slopes(lambda x: x.max()) == [1.0, 10.0, 1.0, 10.0]
    assert slopes(lambda x: np.maximum(x, 0).sum()) == [11.0, 11.0, 111.0, 111.0]
    assert slopes(lambda x: np.where(x > 0, x, 0).sum()) == [11.0, 11.0, 111.0, 111.0]
    assert slopes(lambda x: np.dot(x, x)) == pytest.approx(4 * [2 + 20 - 4000], rel=1e-3)
    assert np.isnan(slopes(lambda x: x.no_such_thing)).all()


def test_what_is_written_into_an_array_is_nudged_as_well():
    def into(x):
        made = np.empty(3, x.dtype)
        np.multiply(x, 2, out=made)
        made -= x
        return np.maximum(made, 0).max()

    found = nudged.slopes(lambda at: into(at[0]), [np.zeros(3)], [np.array([1.0, 10.0, 100.0])])
    assert found.round(3).tolist() == [0.0, 0.0, 1.0, 100.0]


@pytest.mark.parametrize("seed", range(3))
def test_beside_a_gradient_of_nan_a_wrong_one_is_refused(seed):
    torch = pytest.importorskip("torch")

    def rule(u, y, x):
        return u / (1 + y * y), -u * y / (x * x + y * y)  # at the origin the one is no choice, the other NaN

    shapes = "y: n d, x: n d -> a: n d"
    point = (np.ones((2, 3)), np.ones((2, 3)))
    assert gradproof.check_vjp(np.arctan2, rule, point, torch=torch.arctan2, shapes=shapes, seed=seed).refused
