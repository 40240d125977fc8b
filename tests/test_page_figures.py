"""The numbers of the pictures, on right and wrong derivatives, and the SVG that shows them."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context

from gradproof import Equation, check
from gradproof.config import find_project
from gradproof.page import figures
from gradproof.page.losses import losses
from gradproof.page.measures import STEPS, heat, ladder, worst_sample
from gradproof.page.pictures import _read_steps, _read_taylor

ROOT = Path(__file__).parents[1]


def forward(x, w):
    return np.tanh(x) * w


def backward(z_bar, z, x, w):
    return {"x": z_bar * w * (1 - np.tanh(x) ** 2), "w": (z_bar * np.tanh(x)).sum(axis=0)}


def spoiled(z_bar, z, x, w):
    right = backward(z_bar, z, x, w)
    right["x"][-1, 0] += 0.5
    return right


RIGHT = Equation(forward=forward, backward=backward, shapes="x: n d, w: d -> z: n d")
WRONG = replace(RIGHT, backward=spoiled)


@pytest.fixture(scope="module")
def judged():
    """The results of both, without a reference."""
    options = {"seed": 0, "examples": 6, "oracles": ["contract", "differences"]}
    return {"right": check(RIGHT, **options), "wrong": check(WRONG, **options)}


@pytest.fixture(scope="module")
def networks():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return find_project()


# ---- numbers


def test_a_right_derivative_leaves_a_remainder_of_second_order_and_a_v(judged):
    found = ladder(RIGHT, judged["right"], 0, "x")
    assert found.order == pytest.approx(2, abs=0.05)
    assert found.error <= found.bound < 1e-10
    finest, coarsest, best = found.quotient[-1], found.quotient[0], found.quotient.min()
    assert min(finest, coarsest) > 1e3 * best
    assert "as it should for a right derivative" in _read_taylor(found)
    assert "truncation on the right" in _read_steps(found)


def test_a_wrong_derivative_leaves_one_of_first_order_and_no_v(judged):
    found = ladder(WRONG, judged["wrong"], 0, "x")
    assert found.order == pytest.approx(1, abs=0.05)
    assert found.error > 1e6 * found.bound
    assert found.quotient[5:30].min() > 0.1 * found.quotient[5:30].max()
    assert "a right derivative would give 2" in _read_taylor(found)
    assert "does not come near" in _read_steps(found)


def test_along_a_linear_map_nothing_but_rounding_is_left(judged):
    found = ladder(RIGHT, judged["right"], 0, "w")
    assert np.isnan(found.order)
    assert found.first.max() < 1e-13
    assert "the map is linear" in _read_taylor(found)


def test_the_heat_map_shows_the_wrong_entry_of_the_worst_sample(judged):
    found = heat(WRONG, judged["wrong"], 0, {})
    assert (found.name, found.oracle) == ("x", "differences")
    assert worst_sample(judged["wrong"])[0] == "x"
    assert found.at == (found.shape[0] - 1, 0)
    assert found.error[found.at] == pytest.approx(0.5, rel=1e-6)
    found.error[found.at] = 0
    assert found.error.max() < 1e-9


def test_a_heat_map_is_taken_against_a_framework_where_there_is_one(judged):
    import torch

    found = heat(RIGHT, judged["right"], 0, {"torch": lambda x, w: torch.tanh(x) * w})
    assert found.oracle == "torch"
    assert found.ulps.max() < 8


def test_three_trainings_lie_on_top_of_each_other(networks):
    found = losses(networks.networks["tanh_sigmoid"], networks.reference("tanh_sigmoid"), 0)
    assert list(found.losses) == ["numpy", "torch", "jax"]
    assert all(difference < 1e-12 for difference in found.difference.values())
    assert np.ptp([values[-1] for values in found.losses.values()]) < 1e-12
    assert np.mean(found.losses["numpy"][-5:]) < 0.7 * np.mean(found.losses["numpy"][:5])


def test_a_wrong_network_trains_apart(networks):
    network = networks.networks["single_layer"]
    wrong = replace(network, backward=lambda *args: {**network.backward(*args), "b": 2 * network.backward(*args)["b"]})
    found = losses(wrong, networks.reference("single_layer"), 0)
    assert min(found.difference.values()) > 1e-3


def test_without_a_framework_there_is_no_loss_to_compare(networks):
    assert losses(networks.networks["single_layer"], {}, 0) is None


# ---- SVG


@pytest.fixture(scope="module")
def drawn(judged):
    right = ladder(RIGHT, judged["right"], 0, "x")
    with rc_context(figures.SETTINGS):
        return {
            "steps": figures.steps_figure(right),
            "taylor": figures.taylor_figure(right),
            "ulps": figures.ulps_figure({"torch": [0.0, 0.5, 3.0], "finite d.": [1e9, float("nan")]}),
            "heat": figures.heat_figure(heat(WRONG, judged["wrong"], 0, {})),
        }


@pytest.mark.parametrize("name", ["steps", "taylor", "ulps", "heat"])
def test_a_picture_is_small_well_formed_and_in_the_pages_colours(drawn, name):
    svg = drawn[name]
    tree = ElementTree.fromstring(svg)
    assert len(svg) < 6000
    assert re.findall(r'\bid="|<style|<metadata|url\(', svg) == []
    assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", svg)) <= {"none", *(f"var(--{m})" for m in figures.MARKERS)}
    assert any(element.tag == "text" for element in tree.iter())
    assert (tree.get("viewBox"), tree.get("width")) == ("0 0 252 180", None)


def test_the_steps_show_our_own_step_and_bound(drawn):
    assert "our bound" in drawn["steps"]
    assert drawn["steps"].count("var(--two)") >= 3


def test_the_dot_lies_at_our_own_error_below_the_line_of_the_bound(drawn):
    (line,) = re.findall(r'd="M [\d.]+ ([\d.]+) L [\d.]+ \1 " style="fill: none; stroke: var\(--two\)', drawn["steps"])
    (dot,) = re.findall(r'transform="translate\([\d.]+ ([\d.]+)\)" style="fill: var\(--two\)', drawn["steps"])
    assert float(dot) > float(line)  # an SVG's y grows downwards


def test_equal_entries_stay_blank_and_worse_ones_are_darker(judged):
    shown = {}
    found = heat(WRONG, judged["wrong"], 0, {})
    found = replace(found, error=np.array([[0.0, 1.0], [2.0, np.nan]]))
    with rc_context(figures.SETTINGS), pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.axes.Axes.imshow", lambda self, image, **options: shown.update(image=image))
        figures.heat_figure(found)
    alpha = shown["image"][..., 3]
    assert alpha[0, 0] == 0 < alpha[0, 1] < alpha[1, 0] == alpha[1, 1] == 255


def test_a_picture_of_a_map_without_any_error_can_be_drawn(judged):
    found = replace(ladder(RIGHT, judged["right"], 0, "x"), quotient=np.zeros(len(STEPS)), first=np.zeros(len(STEPS)))
    with rc_context(figures.SETTINGS):
        assert ElementTree.fromstring(figures.steps_figure(found)) is not None
        assert ElementTree.fromstring(figures.taylor_figure(found)) is not None
