"""Single layer with sigmoid and log loss.                     paper (7)-(14), section 4.1, architecture 1

    z = x w + b      J = mean over the entries of log_loss(sigmoid(z), y)

    z_bar = J_bar (a - y) / (n m)
    x_bar = z_bar w^T      w_bar = x^T z_bar      b_bar = sum of the rows of z_bar

x: (n, d);  y: (n, m), the data, a constant;  w: (d, m);  b: (m,).
"""

from derivs import dense, sigmoid_log_loss
from gradproof import Equation


def vjp(x, y, w, b):
    """The loss, and the pullback from its cotangent to a dict of gradients."""
    z = dense.forward(x, w, b)
    j = sigmoid_log_loss.forward(z, y, reduction="mean")

    def pullback(j_bar, *, x_is_data=False):
        z_bar = sigmoid_log_loss.backward(j_bar, j, z, y, reduction="mean")["z"]
        return dense.parameters_bar(z_bar, x) if x_is_data else dense.backward(z_bar, z, x, w, b)

    return j, pullback


def forward(x, y, w, b):
    return vjp(x, y, w, b)[0]


def plain(x, y, w, b):
    return sigmoid_log_loss.plain(dense.forward(x, w, b), y, reduction="mean")


def backward(j_bar, j, x, y, w, b):
    return vjp(x, y, w, b)[1](j_bar)


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("7", "8", "9", "11", "13", "14"),
    shapes="x: n d, y: n m, w: d m, b: m -> j:",
    domain={"y": "probability"},
    constant=("y",),
    plain=plain,
)
