"""Training on real images: by hand as PyTorch and JAX do it, and told when it is not."""

import dataclasses
import inspect
import sys

import numpy as np
import pytest

from gradproof import digits, training
from gradproof.cli import run
from gradproof.config import find_project
from gradproof.lesson import EPOCHS, layers, lesson
from gradproof.oracles import torch


@pytest.fixture(scope="module")
def project():
    return find_project()


def test_there_are_seven_networks_each_with_both_references(project):
    assert len(project.networks) == 7
    assert all(set(project.reference(name)) == {"torch", "jax"} for name in project.networks)


def test_the_split_keeps_images_apart_and_is_the_same_every_time():
    images = digits.load()
    assert (len(images.x), len(images.held_x)) == (1348, 449)
    assert images.x.min() == 0.0
    assert images.x.max() == 1.0
    assert len(np.unique(np.concatenate([images.x, images.held_x]).reshape(1797, -1), axis=0)) == 1797
    np.testing.assert_array_equal(images.x, digits.load().x)


def test_two_digits_are_classes_0_and_1():
    images = digits.load((1, 7))
    assert set(images.y) == {0, 1}
    assert len(images.y) + len(images.held_y) == 182 + 179


def test_the_sizes_of_the_layers_follow_from_the_images():
    shapes = layers([4, 1, 4, 1, 2, 1, 2, 1], (9, 1, 8, 8), 10, {"stride": 1, "pad": 1, "pool": 2})
    assert shapes[0][1:] == (1, 3, 3)
    assert shapes[4][0] == shapes[2][0] * 2 * 2
    assert shapes[-2:] == [(shapes[4][1], 10), (10,)]
    assert layers([2, 1], (9, 64), 1, {}) == [(64, 1), (1,)]


def test_it_is_reached_and_shown_after_every_epoch(capsys):
    assert run(["train", "single_layer"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:-2]] == [str(number) for number in range(1, EPOCHS + 1)]
    assert lines[-2].startswith("single_layer: ok: after 100 steps torch ")
    assert lines[-1].endswith("all within their bounds.")


def test_all_seven_reach_their_bounds(capsys, thorough):
    """In `quick` and `ci` one of each kind on rows; on images a minute, so in `thorough`."""
    names = [] if thorough else ["tanh_sigmoid", "deep_relu_softmax"]
    assert run(["train", "-q", *names]) == 0
    assert capsys.readouterr().out.count(": ok: ") == (7 if thorough else 2)


def test_every_network_starts_as_its_declaration_says(project):
    for network in project.networks.values():
        plan = lesson(network)
        hand = training.by_hand(network, plan.static)
        reference = training.by_autograd(torch.vjp, project.reference(network.name)["torch"], plan.static)
        loss, ours = hand(plan.x[:7], plan.y[:7], plan.start)
        theirs = reference(plan.x[:7], plan.y[:7], plan.start)
        assert loss == pytest.approx(theirs[0], rel=1e-13)
        assert training.difference(ours, theirs[1]) < 1e-12


@pytest.mark.parametrize("factor", [-1.0, 1.0 + 1e-6, float("nan")])
def test_a_wrong_gradient_is_beyond_the_bound(project, capsys, monkeypatch, factor):
    right = project.networks["single_layer"]

    def wrong(*arguments, **static):
        found = right.backward(*arguments, **static)
        return {**found, "w": found["w"] * factor}

    spoilt = {
        **project.networks,
        "single_layer": dataclasses.replace(right, backward=_like(right.backward, wrong)),
    }
    monkeypatch.setattr(
        "gradproof.config.find_project", lambda: dataclasses.replace(project, networks=spoilt)
    )
    assert run(["train", "-q", "single_layer"]) == 1
    said = capsys.readouterr().out
    assert "single_layer: BEYOND ITS BOUND" in said
    assert said.splitlines()[-1].endswith("beyond its bound: single_layer.")


def _like(right, wrong):
    wrong.__signature__ = inspect.signature(right)
    return wrong


def test_prediction_is_the_class_of_the_smallest_loss(project):
    network = project.networks["deep_relu_softmax"]
    plan = lesson(network)
    hand = training.by_hand(network, plan.static)
    some = plan.held_x[:20]
    losses = [[float(network.forward(x[None], row[None], *plan.start)) for row in np.eye(10)] for x in some]
    np.testing.assert_array_equal(training.predict(hand, some, plan.start), np.argmin(losses, axis=1))


def test_differences_are_relative_to_the_array_and_a_nan_is_the_largest():
    ours = [np.array([1.0, 2.0]), np.array([0.0])]
    assert training.difference(ours, [np.array([1.0, 4.0]), np.array([0.0])]) == 0.5
    assert training.difference(ours, [np.array([1.0, 2.0]), np.array([0.25])]) == 1.0
    assert np.isnan(training.difference([np.array([np.nan]), ours[0]], [np.array([1.0]), ours[0]]))


def test_without_scikit_learn_the_remedy_is_told(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert run(["train", "single_layer"]) == 2
    said = capsys.readouterr().err
    assert said.strip().endswith("pip install 'gradproof[data]'")
    assert "Traceback" not in said


def test_an_unknown_network_is_told(capsys):
    assert run(["train", "resnet"]) == 2
    assert "no network is named 'resnet'" in capsys.readouterr().err
