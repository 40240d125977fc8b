"""Table 4: many layers, ReLU and a sigmoid at the end. The layer L is the fourth."""

from derivs.paper.rows import Cells, bce_loss, relu, relu_slope, right_weights, sigmoid, sigmoid_slope

TITLE = "Table 4: many layers, ReLU and sigmoid"
FIRST, SECOND = Cells("table-4", "layer-1", 1), Cells("table-4", "layer-2", 2)
BEFORE_LAST, LAST = Cells("table-4", "layer-L-1", 3), Cells("table-4", "layer-L", 4)

CLAIMS = (
    *FIRST.parameters("X"),
    FIRST.forward("X", "X"),
    FIRST.activation(relu),
    *FIRST.updates(),
    FIRST.weights("X", "X"),
    FIRST.bias(),
    FIRST.slope(relu_slope),
    FIRST.back(),
    *SECOND.parameters("A1"),
    SECOND.forward("A1", "A1"),
    SECOND.activation(relu),
    *SECOND.updates(),
    SECOND.weights(
        "A2T", "A1", right_weights(2, 1), "dZ/dW of layer 2 is its input A^[1], not its output A^[2]"
    ),
    SECOND.bias(),
    SECOND.slope(relu_slope),
    SECOND.back(),
    *BEFORE_LAST.parameters("A2"),
    BEFORE_LAST.forward("A2", "A2"),
    BEFORE_LAST.activation(relu),
    *BEFORE_LAST.updates(),
    BEFORE_LAST.weights(
        "A3T",
        "A2",
        right_weights("L-1", "L-2"),
        "it has dJ/dW for dJ/dZ, and A^[L-1] for the input A^[L-2]",
        of="W3",
    ),
    BEFORE_LAST.bias(),
    BEFORE_LAST.slope(relu_slope),
    BEFORE_LAST.back(),
    *LAST.parameters("A3"),
    LAST.forward("X", "A3", r"Z^{[L]} = A^{[L-1]}W^{[L]} + b^{[L]}"),
    LAST.activation(sigmoid, "the exponent is destroyed", "table-3/layer-2/A"),
    *LAST.updates(
        b_new=(
            "b_new is misread, a minus sign stands for the fraction's factor, dZ for db",
            "table-4/layer-1/b_new",
        )
    ),
    LAST.weights(
        "A4", "A3", right_weights("L", "L-1"), "dZ/dW of layer L is its input A^[L-1], not its output A^[L]"
    ),
    LAST.bias("the denominators are on the next line and misread", "table-3/layer-2/db"),
    LAST.slope(sigmoid_slope, "numerators, denominators and A(1-A) are torn apart", "table-3/layer-2/dZ"),
    LAST.bce_slope(),
    bce_loss(
        "table-4",
        4,
        "L",
        "the plus sign was lost at the column break, a piece of the row above stands in the cell",
    ),
)
