"""Table 5: many layers, ReLU and a softmax at the end. The layer L is the third."""

import numpy as np

from derivs.paper.rows import Cells, relu, relu_slope, right_weights
from gradproof import Claim

TITLE = "Table 5: many layers, ReLU and softmax"
FIRST, LAST = Cells("table-5", "layer-1", 1), Cells("table-5", "layer-L", 3)

CLAIMS = (
    *FIRST.parameters("X"),
    FIRST.forward("X", "X"),
    FIRST.activation(relu),
    *FIRST.updates(),
    FIRST.weights(
        "X", "X", damage="the denominators are lost, X is read as a bold v", twin="table-4/layer-1/dW"
    ),
    FIRST.bias(),
    FIRST.slope(relu_slope),
    FIRST.back(),
    *LAST.parameters("A2"),
    LAST.forward("X", "A2", r"Z^{[L]} = A^{[L-1]}W^{[L]} + b^{[L]}"),
    LAST.softmax(
        "rows of the column are scattered, one index and the last exponents are lost", "eq-20-softmax"
    ),
    *LAST.updates(b_new=("the denominator is misread", "table-4/layer-1/b_new")),
    LAST.weights(
        "A3", "A2", right_weights("L", "L-1"), "dZ/dW of layer L is its input A^[L-1], not its output A^[L]"
    ),
    LAST.bias(),
    LAST.softmax_slope("the middle of the chain is lost, A^L - Y is legible", "table-6/layer-L/dZ"),
    LAST.cross_entropy_slope(),
    Claim("table-5/loss", "softmax", "J", lambda t: -(t.Y * np.log(t.A)).sum()),
)
