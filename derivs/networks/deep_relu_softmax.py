"""L layers, ReLU and at the end softmax, with cross-entropy, for any L >= 1.              paper, Table 5

    a0 = x      z_l = a_(l-1) w_l + b_l      a_l = ReLU(z_l) for l < L
    J = mean over the rows of cross_entropy(softmax(z_L), y)

    z_L_bar = J_bar (a_L sum_i y_i - y) / n, which is J_bar (a_L - y) / n where the rows of y sum to 1

and from there as in Table 4. x: (n, d);  y: (n, c), the data, a constant, each row any distribution over
the c classes; then w1, b1, ..., w_L, b_L.
"""

from derivs import softmax_cross_entropy
from derivs.networks.deep_relu_sigmoid import plain_of, vjp_of
from gradproof import Equation


def vjp(x, y, *parameters):
    """The loss, and the pullback from its cotangent to a dict of gradients."""
    return vjp_of(softmax_cross_entropy, x, y, *parameters)


def forward(x, y, *parameters):
    return vjp(x, y, *parameters)[0]


def plain(x, y, *parameters):
    return plain_of(softmax_cross_entropy, x, y, *parameters)


def backward(j_bar, j, x, y, *parameters):
    return vjp(x, y, *parameters)[1](j_bar)


EQUATION = Equation(
    forward=forward,
    backward=backward,
    tables=("5",),
    shapes=(
        "x: n d, y: n c, w1: d c, b1: c -> j:",
        "x: n d, y: n c, w1: d e, b1: e, w2: e c, b2: c -> j:",
        "x: n d, y: n c, w1: d e, b1: e, w2: e f, b2: f, w3: f c, b3: c -> j:",
    ),
    domain={"y": "simplex"},
    constant=("y",),
    kinks="z = 0 in a hidden layer: the gradient of ReLU is 0",
    plain=plain,
)
