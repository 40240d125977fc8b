"""The genuine errors in groups, the most serious first: what a reader would build and get wrong, before
slips on the way to a right result.
"""

GROUPS = {
    ("loss sign"): (
        "The loss is printed without its minus sign: descending it drives the prediction away from the label"
    ),
    "loss for gradient": "The gradient of the cross-entropy is printed as the cross-entropy itself",
    "brackets": "The brackets around dJ/dA are lost in the written-out gradients, which changes their values",
    "layer index": "A layer's gradient or input is taken from the wrong layer",
    "constant": (
        "In the chain-rule example, a derivative runs against the graph, or a constant's gradient is called "
        "zero"
    ),
    "input gradient": "Terms are missing from the gradient with respect to the input of the convolution",
    "kernel gradient": "The gradient with respect to the kernel differentiates with respect to the input",
    "softmax Jacobian": (
        "Quotient-rule lines of the softmax Jacobian are wrong, and (24) and (27) end on them"
    ),
    "softmax gradient": "The derivation of A - Y passes through lines that are not equal to it",
    "tanh": "The derivation of tanh' passes through lines that are not equal to it",
    "expansion": "The last index of a written-out convolution is wrong",
    "wording": "A derivative or a direction is named the wrong way round in the text",
}
