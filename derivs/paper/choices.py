"""Choices that the paper makes without saying so, or leaves open: each a question, and what the printed
formula answers.
"""

import numpy as np

from derivs.paper.notation import convolve, mask, pool, positive

QUESTIONS = {
    "relu": "Slope of ReLU at 0",
    "max": "Slope of max(0, z) at z = 0, the function written as a maximum",
    "pool tie": "Gradient of 2x2 max pooling over [[1, 1], [1, 1]], dJ/dY = 1",
    "axis tie": "Gradient of the maximum of [2, 2] along an axis",
    "overlap": "Gradient at the one maximum of two overlapping windows, dJ/dY = 1 for both",
    "remainder": "Outputs of pooling 5 entries by windows of 2, by default",
    "log loss sign": "Log loss at A = 1/2, Y = 1",
    "log loss wrong": "Log loss at A = 0, Y = 1",
    "log loss right": "Log loss at A = 0, Y = 0",
    "log loss slope": "Slope of the log loss at A = 0, Y = 1",
    "sum or mean": "Gradient of the log loss of two samples, A = [1/2, 1/2], Y = [1, 1], by default",
    "rows of Y": "dJ/dZ of softmax and cross-entropy at Z = [0, 0], Y = [1, 1], a row that sums to two",
    "weights": "Shape of dense weights from 2 inputs to 3 outputs",
    "jacobian": "Shape of the Jacobian of a map from 2 to 3 numbers",
    "flip": "Convolution of [[1, 0], [0, 0]] with [[1, 2], [3, 4]]: 1 unflipped, 4 flipped",
    "bias": "Biases of a convolution with 3 filters",
    "tanh": "tanh(1000) in float64",
    "softmax": "Softmax of [1000, 0] in float64",
}


def log_loss(a, y):
    """(41)."""
    return -y * np.log(a) - (1 - y) * np.log(1 - a)


def slope(a, y):
    """(10)."""
    return -y / a + (1 - y) / (1 - a)


def tanh(z):
    """(17)."""
    return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def softmax(z):
    """(20)."""
    return np.exp(z) / np.exp(z).sum()


def overlapping():
    """M at the maximum that two windows share (49), (50)."""
    return mask(np.array([[0.0, 5.0, 1.0], [2.0, 3.0, 4.0]]), 2, 1)[0, 1]


def jacobian():
    """(23): row i, column j holds the derivative of output i with respect to input j, here by the complex
    step.
    """

    def three(z):
        return np.array([z[0], z[1], z[0] * z[1]])

    moved = [three(np.ones(2) + 1e-200j * np.eye(2)[j]).imag / 1e-200 for j in range(2)]
    return np.array([[moved[j][i] for j in range(2)] for i in range(3)]).shape


def weights():
    """The shape that Z = XW + b of the tables asks of W, where X has 2 columns and Z has 3."""
    return next(
        shape
        for shape in ((3, 2), (2, 3))
        if shape[0] == 2 and (np.ones((1, 2)) @ np.ones(shape)).shape == (1, 3)
    )


ZERO, ONE, HALF = np.float64(0.0), np.float64(1.0), np.float64(0.5)
ANSWERS = {
    "relu": lambda: positive(ZERO),
    "max": lambda: positive(ZERO),
    "pool tie": lambda: mask(np.ones((2, 2)), 2, 2),
    "axis tie": lambda: np.where(np.array([2.0, 2.0]) == 2.0, 1.0, 0.0),
    "overlap": overlapping,
    "remainder": lambda: len(pool(np.zeros((5, 5)), 2, 2)),
    "log loss sign": lambda: np.log(HALF),
    "log loss wrong": lambda: log_loss(ZERO, ONE),
    "log loss right": lambda: log_loss(ZERO, ZERO),
    "log loss slope": lambda: slope(ZERO, ONE),
    "sum or mean": lambda: slope(np.array([0.5, 0.5]), np.array([1.0, 1.0])),
    "rows of Y": lambda: softmax(np.zeros(2)) - np.ones(2),
    "weights": weights,
    "jacobian": jacobian,
    "flip": lambda: convolve(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])).item(),
    "bias": lambda: 1,
    "tanh": lambda: tanh(np.float64(1000.0)),
    "softmax": lambda: softmax(np.array([1000.0, 0.0])),
}
