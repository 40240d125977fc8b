"""Values and gradients of `derivs` worked out on paper: ends of domains, saturation, ties, gaps, paddings."""

import numpy as np
import pytest

from derivs import (
    chain_rule,
    convolution,
    cross_entropy,
    dense,
    dense_column,
    flatten,
    gradient_descent,
    log_loss,
    max_pool,
    reduction,
    relu,
    sigmoid,
    sigmoid_log_loss,
    softmax,
    softmax_cross_entropy,
    tanh,
)
from derivs.networks import cnn_sigmoid, cnn_softmax, deep_relu_sigmoid, single_layer

SMALL = 4.248354255291589e-18  # e^-40 / (1 + e^-40)


def test_chain_rule_every_node():
    a, b, c, one = np.array(2.0), np.array(3.0), np.array(4.0), np.array(1.0)
    assert chain_rule.forward(a, b, c) == 50
    assert chain_rule.nodes(one, a, b, c) == {"w": 10, "g": 10, "c": 10, "a": 30, "b": 20}
    for node, value in chain_rule.nodes(one, a, b, c).items():
        assert chain_rule.derivative("j", node, a, b, c) == value
    assert chain_rule.derivative("w", "a", a, b, c) == 3
    assert chain_rule.derivative("g", "w", a, b, c) == 0  # no path: not the inverse of dW/dG
    assert chain_rule.derivative("c", "a", a, b, c) == 0
    with pytest.raises(ValueError, match="no such node; the nodes are j, w, g, a, b, c"):
        chain_rule.derivative("j", "z", a, b, c)


def test_dense_and_its_column_form():
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0, 5.0, 7.0], [4.0, 6.0, 8.0]]), np.array([1.0, 0.0, -1.0])
    z_bar = np.array([[1.0, -1.0, 2.0]])
    assert dense.forward(x, w, b).tolist() == [[12, 17, 22]]
    found = dense.backward(z_bar, None, x, w, b)
    assert found["x"].tolist() == [[12, 14]]
    assert found["w"].tolist() == [[1, -1, 2], [2, -2, 4]]
    assert found["b"].tolist() == [1, -1, 2]
    column = b[:, None]
    assert dense_column.forward(x.T, w, column).T.tolist() == [[12, 17, 22]]
    turned = dense_column.backward(z_bar.T, None, x.T, w, column)
    assert turned["x"].T.tolist() == found["x"].tolist()
    assert turned["w"].tolist() == found["w"].tolist()
    assert turned["b"].ravel().tolist() == found["b"].tolist()


@pytest.mark.parametrize(("z", "a", "slope"), [
    (0.0, 0.5, 0.25),
    (1.0, 0.7310585786300049, 0.19661193324148185),
    (40.0, 1.0, 4.248354255291589e-18),
    (-40.0, 4.248354255291589e-18, 4.248354255291589e-18),
    (-700.0, 9.859676543759770e-305, 9.859676543759770e-305),
    (1000.0, 1.0, 0.0),
    (-1000.0, 0.0, 0.0),
    (1.7e308, 1.0, 0.0),
    (-1.7e308, 0.0, 0.0),
])  # fmt: skip
def test_sigmoid_and_its_slope_keep_their_digits(z, a, slope):
    with np.errstate(all="raise", under="ignore"):
        z = np.array([z])
        assert sigmoid.forward(z)[0] == pytest.approx(a, rel=4e-16)
        assert sigmoid.backward(np.ones(1), sigmoid.forward(z), z)["z"][0] == pytest.approx(slope, rel=4e-16)


@pytest.mark.parametrize(("z", "slope"), [
    (0.0, 1.0), (1.0, 0.41997434161402607), (-20.0, 1.6993417021166355e-17), (1000.0, 0.0), (-1.7e308, 0.0),
])  # fmt: skip
def test_tanh_slope_keeps_its_digits(z, slope):
    with np.errstate(all="raise", under="ignore"):
        z = np.array([z])
        assert tanh.backward(np.ones(1), tanh.forward(z), z)["z"][0] == pytest.approx(slope, rel=1e-15)


def test_relu_is_0_at_0():
    z = np.array([-2.0, -0.0, 0.0, 3.0, np.nan])
    assert relu.forward(z)[:4].tolist() == [0, 0, 0, 3]
    assert np.isnan(relu.forward(z)[4])
    assert relu.backward(np.full(5, 5.0), None, z)["z"].tolist() == [0, 0, 0, 5, 0]


def test_softmax_jacobian_is_the_vjp_of_unit_cotangents():
    z = np.array([[0.5, -1.0, 2.0], [40.0, 0.0, 0.0], [-1000.0, 1000.0, 3.0]])
    a, jacobian = softmax.forward(z), softmax.jacobian(z)
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=1e-15)
    for i, unit in enumerate(np.eye(3)):
        rows = softmax.backward(np.tile(unit, (3, 1)), a, z)["z"]
        np.testing.assert_allclose(jacobian[:, i], rows, rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(jacobian, jacobian.transpose(0, 2, 1), rtol=1e-15)
    quarter = softmax.jacobian(np.zeros(2))
    assert quarter.tolist() == [[0.25, -0.25], [-0.25, 0.25]]  # (28) at a = (1/2, 1/2)


def test_softmax_vjp_keeps_its_digits_where_a_class_is_certain():
    z = np.array([[40.0, 0.0]])
    found = softmax.backward(np.array([[3.0, 1.0]]), softmax.forward(z), z)["z"]
    np.testing.assert_allclose(found, [[2 * SMALL, -2 * SMALL]], rtol=1e-15)


def test_log_loss_by_hand_and_at_the_ends():
    a, y = np.array([[0.25, 0.0, 1.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 1.0, 1.0, 0.0]])
    with np.errstate(all="raise"):
        assert log_loss.forward(a, y)[0].tolist() == [pytest.approx(np.log(4)), 0, 0, np.inf, np.inf]
        slope = log_loss.backward(np.ones((1, 5)), None, a, y)["a"]
    assert slope[0].tolist() == [-4, 1, -1, -np.inf, np.inf]
    assert log_loss.forward(np.array([1e-20]), np.array([0.0]))[0] == pytest.approx(1e-20)
    half = np.array([[0.5, 0.5]])
    for word, j, share in (("sum", 2 * np.log(2), 1), ("mean", np.log(2), 0.5)):
        assert log_loss.forward(half, y[:, :2], reduction=word) == pytest.approx(j)
        found = log_loss.backward(np.array(1.0), None, half, y[:, :2], reduction=word)["a"]
        assert found.tolist() == [[-2 * share, 2 * share]]


def test_fused_losses_are_right_where_the_product_is_nan():
    z, y = np.array([[1000.0, -1000.0, 1000.0, 40.0]]), np.array([[0.0, 1.0, 1.0, 1.0]])
    a = sigmoid.forward(z)
    with np.errstate(invalid="ignore"):
        product = log_loss.backward(np.ones_like(z), None, a, y)["a"] * a * (1 - a)
    assert np.isnan(product[0, 0])
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid_log_loss.forward(z, y)[0].tolist() == [1000, 1000, 0, pytest.approx(SMALL)]
        found = sigmoid_log_loss.backward(np.ones_like(z), None, z, y)["z"]
        assert found[0].tolist() == [1, -1, 0, pytest.approx(-SMALL)]

        rows = np.array([[1000.0, 0.0], [40.0, 0.0], [1.7e308, -1.7e308]])
        one_hot = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
        assert softmax_cross_entropy.forward(rows, one_hot).tolist() == [1000, pytest.approx(SMALL), 0]
        found = softmax_cross_entropy.backward(np.ones(3), None, rows, one_hot)["z"]
        np.testing.assert_allclose(found, [[1, -1], [-SMALL, SMALL], [0, 0]], rtol=1e-15)


def test_softmax_cross_entropy_where_rows_do_not_sum_to_1():
    z, y = np.zeros((1, 4)), np.array([[2.0, 0.0, 1.0, 0.0]])
    assert softmax_cross_entropy.forward(z, y)[0] == pytest.approx(3 * np.log(4))
    found = softmax_cross_entropy.backward(np.ones(1), None, z, y)["z"]
    assert found.tolist() == [[0.75 - 2, 0.75, 0.75 - 1, 0.75]]


def test_cross_entropy_by_hand():
    a, y = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]), np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    assert cross_entropy.forward(a, y).tolist() == [pytest.approx(1.5 * np.log(2)), 0]
    assert cross_entropy.backward(np.array([1.0, 2.0]), None, a, y)["a"].tolist() == [[-1, -2, 0], [0, -2, 0]]
    found = cross_entropy.backward(np.array(1.0), None, a, y, reduction="mean")["a"]
    assert found[1].tolist() == [0, -0.5, 0]


def test_reduction_refuses_an_unknown_word_and_has_no_mean_of_nothing():
    with pytest.raises(ValueError, match="'average' is unknown; expected one of none, sum, mean"):
        reduction.forward(np.ones(2), reduction="average")
    assert np.isnan(reduction.forward(np.ones(0), reduction="mean"))


def test_gradient_descent_by_hand():
    w, g, alpha, z_bar = np.array([1.0, 2.0]), np.array([4.0, -8.0]), np.array(0.5), np.array([1.0, 3.0])
    assert gradient_descent.forward(w, g, alpha).tolist() == [-1, 6]
    found = gradient_descent.backward(z_bar, None, w, g, alpha)
    assert (found["w"].tolist(), found["g"].tolist(), found["alpha"]) == ([1, 3], [-0.5, -1.5], 20)


def test_flatten_keeps_the_order():
    x = np.arange(24.0).reshape(1, 2, 3, 4)
    v = flatten.forward(x)
    assert v.tolist() == [list(range(24))]
    assert flatten.backward(v, v, x)["x"].tolist() == x.tolist()


def test_convolution_by_hand():
    x, k, b = np.arange(12.0).reshape(1, 1, 3, 4), np.array([[[[1.0, 2.0]]]]), np.array([10.0])
    z = convolution.forward(x, k, b, stride=(1, 2))
    assert z.tolist() == [[[[12, 18], [24, 30], [36, 42]]]]
    found = convolution.backward(np.ones_like(z), z, x, k, b, stride=(1, 2))
    assert found["x"].tolist() == [[[[1, 2, 1, 2]] * 3]]
    assert found["k"].tolist() == [[[[0 + 2 + 4 + 6 + 8 + 10, 1 + 3 + 5 + 7 + 9 + 11]]]]
    assert found["b"].tolist() == [6]


def test_convolution_leaves_uncovered_rows_alone_and_pads():
    x, k, b = np.ones((1, 1, 5, 2)), np.ones((1, 1, 2, 2)), np.zeros(1)
    z = convolution.forward(x, k, b, stride=3)
    assert z.tolist() == [[[[4], [4]]]]
    assert convolution.backward(z, z, x, k, b, stride=3)["x"][0, 0, :, 0].tolist() == [4, 4, 0, 4, 4]
    assert convolution.forward(x[:, :, :1], k, b, pad=(1, 0)).tolist() == [[[[2], [2]]]]
    with pytest.raises(ValueError, match="a filter of 2 x 4 does not fit an image that is 5 x 2"):
        convolution.forward(x, np.ones((1, 1, 2, 4)), b)


def test_max_pool_ties_overlaps_and_gaps():
    x = np.array([[[[1.0, 3.0, 3.0], [3.0, 2.0, 0.0]]]])
    z = max_pool.forward(x, p=2, q=2, stride=1)
    assert z.tolist() == [[[[3, 3]]]]
    found = max_pool.backward(np.array([[[[5.0, 7.0]]]]), z, x, p=2, q=2, stride=1)["x"]
    assert found.tolist() == [[[[0, 12, 0], [0, 0, 0]]]]  # both windows choose the first 3 in reading order
    gaps = np.array([[[[1.0, 9.0, 2.0, 8.0]]]])
    z = max_pool.forward(gaps, p=1, q=1, stride=2)
    assert z.tolist() == [[[[1, 2]]]]
    assert max_pool.backward(z, z, gaps, p=1, q=1, stride=2)["x"].tolist() == [[[[1, 0, 2, 0]]]]
    x[0, 0, 1, 1] = np.nan
    z = max_pool.forward(x, p=2, q=2, stride=2)
    assert np.isnan(z).all()
    assert max_pool.backward(np.ones_like(z), z, x, p=2, q=2, stride=2)["x"].sum() == 1  # nothing is lost


def differences(function, x, h):
    """df/dx of a function with one number as its value, by central differences."""
    slope = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[at] = h
        slope[at] = (function(x + step) - function(x - step)) / (2 * h)
    return slope


def test_one_layer_of_the_deep_network_is_the_single_layer():
    rng = np.random.default_rng(0)
    x, y, w, b = rng.normal(size=(5, 3)), rng.random((5, 1)), rng.normal(size=(3, 1)), rng.normal(size=1)
    assert deep_relu_sigmoid.forward(x, y, w, b) == single_layer.forward(x, y, w, b)
    two = deep_relu_sigmoid.backward(1.0, None, x, y, w, b)
    one = single_layer.backward(1.0, None, x, y, w, b)
    assert [g.tolist() for g in two.values()] == [g.tolist() for g in one.values()]


@pytest.mark.parametrize("network", [cnn_sigmoid, cnn_softmax], ids=["sigmoid", "softmax"])
def test_a_gradient_of_a_convolutional_network_entry_by_entry(network):
    rng = np.random.default_rng(1)
    x, y, k, b = rng.normal(size=(2, 1, 5, 4)), np.eye(2), rng.normal(size=(2, 1, 2, 1)), rng.normal(size=2)
    w, d = rng.normal(size=(8, 2)), rng.normal(size=2)
    found = network.backward(np.array(1.0), None, x, y, k, b, w, d)
    by_x = differences(lambda v: network.forward(v, y, k, b, w, d), x, 1e-5)
    by_k = differences(lambda v: network.forward(x, y, v, b, w, d), k, 1e-5)
    np.testing.assert_allclose(found["x"], by_x, atol=1e-9)
    np.testing.assert_allclose(found["k1"], by_k, atol=1e-9)
