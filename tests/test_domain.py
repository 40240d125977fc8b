"""Domains: every draw lies inside, the hard values are there, and an unknown word gets one line."""

import numpy as np
import pytest

from gradproof.errors import DeclarationError
from gradproof.sampling.domain import Domain, harden, plant, short, tie
from gradproof.sampling.sample import VALUES

WORDS = ["real", "positive", "probability", "simplex", "onehot", "labels(c)", (-1.5, 2.0), (0, np.inf)]


def drawn(given, kind, seed=0, shape=(4, 5)):
    return Domain.of(given).draw(np.random.default_rng(seed), shape, kind, {"c": 3})


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("given", WORDS, ids=str)
def test_every_draw_has_its_shape_and_lies_inside(given, kind):
    for shape in ((4, 5), (1, 1), (7,)):
        x = drawn(given, kind, shape=shape)
        assert x.shape == shape
        assert np.isfinite(x).all()
        assert Domain.of(given).contains(x)


@pytest.mark.parametrize(
    ("given", "outside"),
    [
        ("positive", [[1.0, 0.0]]),
        ("probability", [[0.5, 1.5]]),
        ("probability", [[-0.1, 0.5]]),
        ("simplex", [[0.5, 0.6]]),
        ("simplex", [[1.5, -0.5]]),
        ("onehot", [[1, 1]]),
        ("onehot", [[0.5, 0.5]]),
        ("labels(c)", [[-1, 0]]),
        ("labels(c)", [[0.0, 1.0]]),
        ((-1, 2), [[0.0, 3.0]]),
    ],
    ids=str,
)
def test_a_point_outside_is_told(given, outside):
    assert not Domain.of(given).contains(np.array(outside))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
@pytest.mark.parametrize("given", ["real", "positive", "probability", "labels(c)", (0, 1)], ids=str)
def test_no_entry_and_one_number_are_drawn_too(given, shape):
    assert drawn(given, "random", shape=shape).shape == shape


@pytest.mark.parametrize(
    ("given", "kind", "has"),
    [
        ("real", "zeros", lambda x: (x == 0).any() and (x != 0).any()),
        ("real", "extreme", lambda x: (np.abs(x) > 700).any()),
        ("real", "saturated", lambda x: (np.abs(x) >= 18).any()),
        ("real", "negative", lambda x: (x < 0).all()),
        ("real", "edge", lambda x: (x > 0).all()),
        ("real", "whole", lambda x: (x == np.round(x)).all()),
        ("real", "small", lambda x: ((np.abs(x) < 1e-2) & (x != 0)).any()),
        ("real", "ties", lambda x: len(np.unique(x)) < x.size),
        ("positive", "small", lambda x: (x < 0.02).any()),
        ("positive", "extreme", lambda x: (x >= 20).any()),
        ("probability", "edge", lambda x: (x == 0).any() and (x == 1).any() and ((x > 0) & (x < 1)).any()),
        ("probability", "zeros", lambda x: (x == 0).any() and (x == 1).any() and ((x > 0) & (x < 1)).any()),
        ("probability", "small", lambda x: (np.minimum(x, 1 - x) < 0.01).any()),
        ("simplex", "small", lambda x: (x < 1e-4).any()),
        ("labels(c)", "ties", lambda x: (x[:, 1:] == x[:, :-1]).any()),
        ((-1.5, 2.0), "zeros", lambda x: (x == 0).any()),
    ],
)
def test_hard_values_are_planted(given, kind, has):
    assert all(has(drawn(given, kind, seed)) for seed in range(10))


@pytest.mark.parametrize("given", ["positive", "simplex"])
def test_an_open_end_is_never_reached(given):
    assert min(drawn(given, kind, seed).min() for kind in VALUES for seed in range(5)) > 0


def test_labels_stay_below_the_number_of_classes():
    seen = {int(k) for seed in range(20) for k in drawn("labels(c)", "random", seed).reshape(-1)}
    assert seen == {0, 1, 2}
    assert set(drawn("labels(2)", "random").reshape(-1)) == {0, 1}


def test_a_callable_draws_itself():
    domain = Domain.of(lambda rng, shape: np.full(shape, 7.0))
    assert (domain.draw(np.random.default_rng(0), (2, 3)) == 7).all()


def test_numbers_are_short_but_random_ones_use_every_bit():
    few, every = drawn("real", "drawn"), drawn("real", "random")
    assert (few * 16 == np.round(few * 16)).all()
    assert (every != every.astype(np.float32)).all()
    assert (short(np.random.default_rng(0), (100,)) != 0).all()


@pytest.mark.parametrize("given", ["reel", "labels", "labels()", (2, 1), (1, 1), (1, 2, 3), 7, None], ids=str)
def test_an_unknown_word_is_refused_with_the_words_there_are(given):
    with pytest.raises(DeclarationError) as caught:
        Domain.of(given, "'x'")
    text = str(caught.value)
    assert f"domain of 'x': {given!r} is unknown; expected one of real, positive" in text
    assert "\n" not in text


def test_a_domain_prints_as_it_is_written():
    assert [str(Domain.of(given)) for given in ("real", "labels(c)", (-1, 2.5))] == ["real", "labels(c)", "(-1, 2.5)"]


def test_a_tie_is_made_along_every_axis():
    x = tie(np.random.default_rng(0), np.arange(12.0).reshape(3, 4))
    assert (np.diff(np.sort(x, 0), axis=0) == 0).any()
    assert (np.diff(np.sort(x, 1), axis=1) == 0).any()
    for seed in range(20):
        row = tie(np.random.default_rng(seed), np.arange(4.0)[None])
        assert len(np.unique(row)) < 4


def test_planting_touches_at_least_one_entry_and_not_all():
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 100):
        changed = int((plant(rng, np.zeros(size), 1.0) == 1).sum())
        assert 1 <= changed <= 3
    assert plant(rng, np.zeros(0), 1.0).size == 0
    assert harden(rng, np.zeros(0), "zeros").size == 0


@pytest.mark.parametrize("ends", [(0.001, 0.999), (-2.0, 3.0), (1.0, np.inf), (-np.inf, 0.0)])
def test_the_ends_of_an_interval_and_what_lies_next_to_them_are_drawn(ends):
    for k, kind in enumerate(("small", "saturated", "extreme") * 4):
        domain, rng = Domain.of(ends), np.random.default_rng(k)
        x = domain.draw(rng, (4, 6), kind)
        assert domain.contains(x)
        away = np.minimum(x - ends[0], ends[1] - x)
        assert 0 < away.min() < 1e-2
    edges = np.concatenate([domain.draw(np.random.default_rng(k), (4, 6), "edge") for k in range(8)])
    assert all((edges == end).any() for end in ends if np.isfinite(end))


def test_one_probability_is_either_end():
    assert drawn("probability", "zeros", shape=(1, 1)).tolist() == [[0.0]]
    assert drawn("probability", "edge", shape=(1, 1)).tolist() == [[1.0]]
    assert sorted(drawn("probability", "edge", shape=(2,)).tolist()) == [0.0, 1.0]
