"""Table 3: two layers, ReLU and sigmoid, forwards and backwards."""

from derivs.paper.rows import (
    Cells,
    bce_loss,
    relu_from_zero,
    relu_slope,
    right_weights,
    sigmoid,
    sigmoid_slope,
)

TITLE = "Table 3: two layers, ReLU and sigmoid"
FIRST, SECOND = Cells("table-3", "layer-1", 1), Cells("table-3", "layer-2", 2)

CLAIMS = (
    *FIRST.parameters("X"),
    FIRST.forward("X", "X"),
    FIRST.activation(relu_from_zero),
    *FIRST.updates(),
    FIRST.weights("XT", "X"),
    FIRST.bias(),
    FIRST.slope(relu_slope),
    FIRST.back(),
    *SECOND.parameters("A1"),
    SECOND.forward("A1", "A1"),
    SECOND.activation(sigmoid),
    *SECOND.updates(),
    SECOND.weights(
        "A2", "A1", right_weights(2, 1), "dZ/dW of layer 2 is its input A^[1], not its output A^[2]"
    ),
    SECOND.bias(),
    SECOND.slope(sigmoid_slope),
    SECOND.bce_slope(),
    bce_loss("table-3", 2, "2", "the plus sign between the halves was lost at the column break"),
)
