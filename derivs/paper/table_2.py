"""Table 2: two layers, tanh and sigmoid, forwards and backwards."""

from derivs.paper.rows import Cells, bce_loss, right_weights, sigmoid, sigmoid_slope, tanh, tanh_slope

TITLE = "Table 2: two layers, tanh and sigmoid"
FIRST, SECOND = Cells("table-2", "layer-1", 1), Cells("table-2", "layer-2", 2)

CLAIMS = (
    *FIRST.parameters("X"),
    FIRST.forward("X", "X"),
    FIRST.activation(tanh),
    *FIRST.updates(),
    FIRST.weights("XT", "X"),
    FIRST.bias(),
    FIRST.slope(tanh_slope),
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
    bce_loss("table-2", 2, "2", "the plus sign between the halves was lost at the column break"),
)
