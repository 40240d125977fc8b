"""Samples: what a point has is kept, what a kind asks for is planted, and one seed and number is one point."""

import ml_dtypes
import numpy as np
import pytest

from gradproof import Equation
from gradproof.calling.subject import parameter_names
from gradproof.errors import InputError
from gradproof.sampling.declared import Declared
from gradproof.sampling.given import Given
from gradproof.sampling.sample import VALUES, is_float
from gradproof.sampling.variation import coincide, structure, vary

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4))
AFFINE = "x: n d, w: d m -> z: n m"


def given(inputs, **options):
    return Given(inputs, lambda count: parameter_names(lambda x, w, v: None, count), options.pop("seed", 0), **options)


def drawn(source, count=22):
    return [s for s in (source.draw(k) for k in range(count)) if s is not None]


def test_what_counts_as_differentiable():
    yes = [X, np.float32(1), X.astype(np.float16), np.zeros(2, ml_dtypes.bfloat16), np.zeros(2, np.longdouble)]
    no = [1.5, 2, "x", None, (X,), np.arange(3), np.zeros(2, bool), np.int64(3)]
    assert all(is_float(x) for x in yes)
    assert not any(is_float(x) for x in no)


STRUCTURES = [
    (np.array([[1.0, 0], [0, 1], [1, 0]]), {"values 0/1", "rows summing to 1", "all >= 0", "integers"}),
    (np.array([0.0, 1, 0, 1]), {"values 0/1", "all >= 0", "integers"}),
    (np.array([2, 0, 1, 3]), {"a permutation", "integers", "all >= 0"}),
    (np.array([2.0, -3, 5, 5]), {"integers"}),
    (np.array([0.5, 2.25]), {"all > 0", "all >= 0"}),
    (np.array([0.0, 2.25]), {"all >= 0"}),
    (np.array([[0.25, 0.75], [0.5, 0.5]]), {"all > 0", "all >= 0", "rows summing to 1"}),
    (np.array([-1.5, -1.5, 0.25, 3]), {"sorted"}),
    (np.array([[1.5, -2.0], [-2.0, 0.5]]), {"symmetric"}),
    (X, set()),
    (np.zeros((0, 3)), set()),
]


@pytest.mark.parametrize(("x", "words"), STRUCTURES, ids=[",".join(sorted(w)) or "none" for _, w in STRUCTURES])
def test_what_a_point_has_is_seen_and_every_variation_keeps_it(x, words):
    assert structure(x) == words
    for kind in VALUES:
        fresh = vary(np.random.default_rng(1), x, kind, structure(x))
        assert fresh.shape == x.shape
        assert fresh.dtype == x.dtype
        # zeros alone are symmetric and sorted as well, and too plain to be called so
        assert words <= structure(fresh) | {"integers"} | (set() if fresh.any() else {"symmetric", "sorted"})
    if "integers" in words:
        assert (fresh == np.round(fresh)).all()


def test_variations_of_a_free_point_are_fresh_and_of_its_size():
    fresh = vary(np.random.default_rng(0), 1e6 * X, "random", frozenset())
    assert not np.isin(fresh, X).any()
    assert 1e5 < np.sqrt((fresh**2).mean()) < 1e7


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16, np.longdouble])
@pytest.mark.parametrize("kind", VALUES)
def test_variations_keep_the_dtype_and_stay_finite(dtype, kind):
    fresh = vary(np.random.default_rng(0), X.astype(dtype), kind, frozenset())
    assert fresh.dtype == dtype
    assert np.isfinite(fresh.astype(np.float64)).all()


def test_whole_numbers_stay_among_those_of_the_point():
    index = np.array([3, 5, 5, 9])
    fresh = [vary(np.random.default_rng(k), index, kind, structure(index)) for k, kind in enumerate(VALUES)]
    assert {int(i) for f in fresh for i in f} <= {3, 5, 9}


def test_a_point_is_given_first_and_then_every_kind_is_planted():
    samples = drawn(given((X,)))
    assert samples[0].inputs[0].tobytes() == X.tobytes()
    assert [s.label for s in samples[:3]] == ["0:given", "1:drawn", "2:zeros"]
    assert {s.kind for s in samples} == {"given", *VALUES}
    assert {s.shape_kind for s in samples} == {"given"}
    by_kind = {s.kind: s.inputs[0] for s in samples}
    assert (by_kind["zeros"] == 0).any()
    assert len(np.unique(by_kind["ties"])) < X.size
    assert (by_kind["negative"] < 0).all()
    assert np.abs(by_kind["extreme"]).max() > 90


def test_shapes_vary_only_where_they_are_named():
    w = RNG.normal(size=(4, 2))
    samples = drawn(given((X, w), shapes=AFFINE))
    shapes = {tuple(x.shape for x in s.inputs) for s in samples}
    assert len(shapes) >= 6
    assert all(a[1] == b[0] for a, b in shapes)
    assert ((1, 1), (1, 1)) in shapes
    assert any(a[0] == a[1] == b[1] > 1 for a, b in shapes)
    words = [f"{k}={v}" for k, v in samples[1].sizes.items()]
    assert samples[1].label == " ".join([f"1:{samples[1].kind}", *words])


def test_an_axis_of_size_zero_is_tried_where_shapes_are_named():
    empty = given((X, RNG.normal(size=(4, 2))), shapes=AFFINE).empty(20)
    assert empty.inputs[0].shape[0] == 0
    assert given((X,)).empty(20) is None


def test_two_inputs_of_one_shape_meet_in_a_tie():
    a, b = coincide(np.random.default_rng(0), "ties", (X, X + 10), (0, 1))
    assert (a == b).sum() == 1
    same = coincide(np.random.default_rng(0), "ties", (X, X.T + 10), (0, 1))
    assert not np.isin(same[1], X).any()


@pytest.mark.parametrize("kind", ["zeros", "saturated", "extreme"])
def test_hard_values_meet_at_one_place_of_several_inputs(kind):
    def sampler(rng):
        return rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=4)

    samples = [s for s in drawn(given(sampler, seed=3)) if s.kind == kind]
    assert samples
    for sample in samples:
        hard = [x == 0 if kind == "zeros" else abs(x) > 8 for x in sample.inputs]
        assert (hard[0] & hard[1] & hard[2]).any()


def test_zeros_are_planted_in_one_input_where_both_are_not_taken():
    source = given(lambda rng: (rng.normal(size=(3, 4)), rng.normal(size=(3, 4))))
    index = next(s.index for s in drawn(source) if s.kind == "zeros")
    alone = [source.draw(index, attempt).inputs for attempt in (2, 3)]
    assert [[bool((x == 0).any()) for x in point] for point in alone] in (
        [[True, False], [False, True]],
        [[False, True], [True, False]],
    )


def test_constants_are_named_numbered_or_of_another_kind():
    inputs = (X, np.arange(3), 2.5)
    assert given(inputs).wrt == (0,)
    floats = (X, X + 1, X + 2)
    assert given(floats, constant=("w",)).wrt == (0, 2)
    assert given(floats, constant=(0, -1)).wrt == (1,)
    with pytest.raises(InputError, match="constant='q' names no input; the inputs are x, w, v"):
        given(floats, constant=("q",))
    with pytest.raises(InputError, match="constant=3 names no input"):
        given(floats, constant=(3,))


def test_python_numbers_strings_and_none_pass_through():
    for sample in drawn(given((X, 3, "same"))):
        assert sample.inputs[1:] == (3, "same")


def test_domains_say_where_points_are_drawn():
    inputs = (np.abs(X), np.array([[0.5, 0.5], [0.25, 0.75]]))
    for domain in ({"x": "positive", "w": "simplex"}, ["positive", "simplex"], ("positive", "simplex")):
        for sample in drawn(given(inputs, domain=domain)):
            assert (sample.inputs[0] > 0).all()
            assert np.allclose(sample.inputs[1].sum(-1), 1)
    for sample in drawn(given((X,), domain=(-4, 4))):
        assert (np.abs(sample.inputs[0]) <= 4).all()


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ({"q": "real"}, "domain= names 'q', which is no input; the inputs are x, w"),
        (["real"], "domain= has 1 entries for 2 inputs (x, w)"),
        ("reel", "domain of 'x': 'reel' is unknown"),
        ({"x": "positive"}, "input 'x' lies outside its domain 'positive'; give a point inside, or another domain="),
    ],
)
def test_a_domain_that_does_not_fit_is_refused(domain, said):
    with pytest.raises(InputError) as caught:
        given((-np.abs(X), X), domain=domain)
    assert said in str(caught.value)


def test_a_sampler_is_called_with_a_generator_of_seed_and_number():
    seen = []

    def sampler(rng):
        n = int(rng.integers(2, 6))
        seen.append(n)
        return (rng.normal(size=(n, 3)),)

    samples = drawn(given(sampler))
    assert len({s.inputs[0].shape for s in samples}) > 1
    again = drawn(given(sampler))
    assert all(a.inputs[0].tobytes() == b.inputs[0].tobytes() for a, b in zip(samples, again, strict=True))
    other = drawn(given(sampler, seed=1))
    assert any(a.inputs[0].tobytes() != b.inputs[0].tobytes() for a, b in zip(samples, other, strict=True))
    assert {"drawn", "zeros", "ties", "extreme"} <= {s.kind for s in samples}


def _growing(rng, calls=[]):  # noqa: B006 - the sampler that remembers is the guilty one
    calls.append(1)
    return (X,) * (1 + len(calls) // 3)


def _unseeded(rng, calls=[]):  # noqa: B006 - as above
    calls.append(1)
    return (X + len(calls),)


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (lambda rng: [X], "the sampler gave list; expected a tuple"),
        (_unseeded, "two different points for one seed; draw only from the generator it is handed"),
        (_growing, "the sampler gave 2 inputs after 1; expected the same number every time"),
    ],
)
def test_a_sampler_that_is_none_is_refused(sampler, said):
    with pytest.raises(InputError) as caught:
        given(sampler)
    assert said in str(caught.value)


def test_a_sampler_keeps_what_all_its_points_have():
    def sampler(rng):
        return (rng.normal(size=(2, 3)), np.eye(3)[rng.integers(0, 3, 4)])

    source = given(sampler)
    assert source.keep[0] == frozenset()
    assert "values 0/1" in source.keep[1]
    for sample in drawn(source):
        assert np.isin(sample.inputs[1], (0, 1)).all()


def test_the_caller_s_memory_is_never_handed_on():
    sample = given((X,)).draw(0)
    assert not np.shares_memory(sample.inputs[0], X)


def power(x, *, k):
    return x**k


EQUATION = Equation(
    forward=power,
    backward=lambda z_bar, z, x, *, k: {"x": z_bar * k * x ** (k - 1)},
    shapes="x: n d -> z: n d",
    static={"k": (1, 2, 3)},
    domain={"x": "positive"},
)


def test_a_declaration_is_drawn_over_shapes_static_values_and_domain():
    samples = drawn(Declared(EQUATION, 0), 40)
    assert {s.static["k"] for s in samples} == {1, 2, 3}
    assert all((s.inputs[0] > 0).all() for s in samples)
    kinds = {s.shape_kind.split(" ")[0] for s in samples}
    assert kinds == {"distinct", "square", "one", "ones", "free"}
    assert {s.kind for s in samples} == set(VALUES) - {"origin"}  # what is positive is never zero
    label = samples[0].label
    assert label.startswith("0:random n=")
    assert f"k={samples[0].static['k']}" in label


def test_a_declaration_is_drawn_in_the_dtype_asked_for():
    assert Declared(EQUATION, 0, np.float32).draw(0).inputs[0].dtype == np.float32


def test_one_seed_and_number_is_one_point():
    a, b, c = (Declared(EQUATION, seed) for seed in (0, 0, 1))
    assert a.draw(3).inputs[0].tobytes() == b.draw(3).inputs[0].tobytes()
    assert a.draw(3).inputs[0].tobytes() != c.draw(3).inputs[0].tobytes()
    first, second = a.draw(3).rng(1).normal(), a.draw(3).rng(2).normal()
    assert first == a.draw(3).rng(1).normal() != second


@pytest.mark.parametrize("source", [Declared(EQUATION, 0), given((X, RNG.normal(size=(4, 2))), shapes=AFFINE)])
def test_a_sample_is_made_again_at_other_sizes(source):
    sample = source.draw(1)
    smaller = source.resize(sample, dict.fromkeys(sample.sizes, 2))
    assert {n for n in smaller.inputs[0].shape} == {2}
    assert smaller.kind == sample.kind
    assert smaller.static == sample.static


def test_zeros_alone_and_moderate_values_take_the_inputs_in_turn():
    point = (X, RNG.normal(size=(4, 2)))
    for source in (given(point), given(point, shapes=AFFINE), given(lambda rng: (rng.normal(size=(3, 4)), point[1]))):
        samples = drawn(source, 20)
        zero = [tuple(not x.any() for x in s.inputs) for s in samples if s.kind == "origin"]
        assert set(zero) == {(True, False), (False, True)}
        sizes = [[np.abs(x).min() >= 2 and np.abs(x).max() <= 60 for x in s.inputs] for s in samples]
        assert {tuple(s) for s, m in zip(sizes, samples, strict=True) if m.kind == "moderate"} == {
            (True, False),
            (False, True),
        }


@pytest.mark.parametrize("inputs", [(X,), lambda rng: (rng.normal(size=(3, 4)),)], ids=["point", "sampler"])
@pytest.mark.parametrize("options", [{}, {"shapes": "x: n d -> z: n d"}], ids=["one shape", "shapes"])
def test_twenty_samples_hold_every_kind(inputs, options):
    assert {*VALUES, "given"} - {s.kind for s in drawn(given(inputs, **options), 20)} <= {"random"}
