"""L layers, ReLU and at the end sigmoid, with log loss, for any L >= 1.                   paper, Table 4

    a0 = x      z_l = a_(l-1) w_l + b_l      a_l = ReLU(z_l) for l < L
    J = mean over the entries of log_loss(sigmoid(z_L), y)

    z_L_bar = J_bar (a_L - y) / (n m)      z_l_bar = a_l_bar where z_l > 0, else 0, for l < L
    w_l_bar = a_(l-1)^T z_l_bar        b_l_bar = sum of the rows of z_l_bar        a_(l-1)_bar = z_l_bar w_l^T

x: (n, d);  y: the data, a constant, of z_L's shape;  then w1, b1, ..., w_L, b_L. Tables 4 and 5 differ in
the loss alone, so `vjp_of` takes it: an operation whose forward(z, y) and backward are called with the
mean over the batch.
"""

from derivs import dense, relu, sigmoid_log_loss
from gradproof import Equation


def vjp_of(loss, x, y, *parameters):
    """The loss, and the pullback from its cotangent to a dict of gradients: x, w1, b1, w2, ..."""
    layers = list(zip(parameters[::2], parameters[1::2], strict=True))
    zs, activations = [], [x]
    for w, b in layers[:-1]:
        zs.append(dense.forward(activations[-1], w, b))
        activations.append(relu.forward(zs[-1]))
    zs.append(dense.forward(activations[-1], *layers[-1]))
    j = loss.forward(zs[-1], y, reduction="mean")

    def pullback(j_bar, *, x_is_data=False):
        gradients = {}
        z_bar = loss.backward(j_bar, j, zs[-1], y, reduction="mean")["z"]
        for number in range(len(layers), 0, -1):
            below = activations[number - 1]
            if number == 1 and x_is_data:
                layer = dense.parameters_bar(z_bar, x)
            else:
                layer = dense.backward(z_bar, zs[number - 1], below, *layers[number - 1])
            gradients = {f"w{number}": layer["w"], f"b{number}": layer["b"], **gradients}
            if number > 1:
                z_bar = relu.backward(layer["x"], below, zs[number - 2])["z"]
        return gradients if x_is_data else {"x": layer["x"], **gradients}

    return j, pullback


def plain_of(loss, x, y, *parameters):
    *hidden, (w, b) = zip(parameters[::2], parameters[1::2], strict=True)
    a = x
    for wl, bl in hidden:
        a = relu.forward(dense.forward(a, wl, bl))
    return loss.plain(dense.forward(a, w, b), y, reduction="mean")


def vjp(x, y, *parameters):
    """The loss, and the pullback from its cotangent to a dict of gradients."""
    return vjp_of(sigmoid_log_loss, x, y, *parameters)


def forward(x, y, *parameters):
    return vjp(x, y, *parameters)[0]


def plain(x, y, *parameters):
    return plain_of(sigmoid_log_loss, x, y, *parameters)


def backward(j_bar, j, x, y, *parameters):
    return vjp(x, y, *parameters)[1](j_bar)


EQUATION = Equation(
    forward=forward,
    backward=backward,
    tables=("4",),
    shapes=(
        "x: n d, y: n m, w1: d m, b1: m -> j:",
        "x: n d, y: n m, w1: d e, b1: e, w2: e m, b2: m -> j:",
        "x: n d, y: n m, w1: d e, b1: e, w2: e f, b2: f, w3: f m, b3: m -> j:",
    ),
    domain={"y": "probability"},
    constant=("y",),
    kinks="z = 0 in a hidden layer: the gradient of ReLU is 0",
    plain=plain,
)
