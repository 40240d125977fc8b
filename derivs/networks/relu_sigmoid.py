"""Two layers, ReLU and sigmoid, with log loss.                                           paper, Table 3

    z1 = x w1 + b1      a1 = relu(z1)
    z2 = a1 w2 + b2     J = mean over the entries of log_loss(sigmoid(z2), y)

    z2_bar = J_bar (a2 - y) / (n m)    w2_bar = a1^T z2_bar    b2_bar = sum of the rows of z2_bar
    a1_bar = z2_bar w2^T           z1_bar = a1_bar where z1 > 0, else 0
    w1_bar = x^T z1_bar            b1_bar = sum of the rows of z1_bar      x_bar = z1_bar w1^T

x: (n, d);  y: (n, m), the data, a constant;  w1: (d, e);  b1: (e,);  w2: (e, m);  b2: (m,).
"""

from derivs import dense, relu, sigmoid_log_loss
from gradproof import Equation


def vjp(x, y, w1, b1, w2, b2):
    """The loss, and the pullback from its cotangent to a dict of gradients."""
    z1 = dense.forward(x, w1, b1)
    a1 = relu.forward(z1)
    z2 = dense.forward(a1, w2, b2)
    j = sigmoid_log_loss.forward(z2, y, reduction="mean")

    def pullback(j_bar, *, x_is_data=False):
        z2_bar = sigmoid_log_loss.backward(j_bar, j, z2, y, reduction="mean")["z"]
        layer_2 = dense.backward(z2_bar, z2, a1, w2, b2)
        z1_bar = relu.backward(layer_2["x"], a1, z1)["z"]
        layer_1 = dense.parameters_bar(z1_bar, x)
        x_bar = {} if x_is_data else {"x": z1_bar @ w1.T}
        return {**x_bar, "w1": layer_1["w"], "b1": layer_1["b"], "w2": layer_2["w"], "b2": layer_2["b"]}

    return j, pullback


def forward(x, y, w1, b1, w2, b2):
    return vjp(x, y, w1, b1, w2, b2)[0]


def plain(x, y, w1, b1, w2, b2):
    a1 = relu.forward(dense.forward(x, w1, b1))
    return sigmoid_log_loss.plain(dense.forward(a1, w2, b2), y, reduction="mean")


def backward(j_bar, j, x, y, w1, b1, w2, b2):
    return vjp(x, y, w1, b1, w2, b2)[1](j_bar)


EQUATION = Equation(
    forward=forward,
    backward=backward,
    tables=("3",),
    shapes="x: n d, y: n m, w1: d e, b1: e, w2: e m, b2: m -> j:",
    domain={"y": "probability"},
    constant=("y",),
    kinks="z1 = 0: the gradient of ReLU is 0",
    plain=plain,
)
