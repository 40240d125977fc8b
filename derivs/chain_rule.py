"""Chain rule on the graph of Figure 1.                                                  paper (1)-(5)

    G = A B        W = G + C        J = W^2 / 2        (elementwise; the paper leaves J(W) open)

    A --.
        G --.                    W_bar = J_bar W         (1)
    B --'   W -- J               G_bar = W_bar 1         (2)
            |                    C_bar = W_bar 1         (3)
    C ------'                    A_bar = G_bar B         (4)
                                 B_bar = G_bar A         (5)

A derivative is a sum over the paths that lead from one node to the other, of the product of the edges of
each path. Where no path leads there, the sum is empty: dG/dW is 0, and not the inverse of dW/dG.
"""

import numpy as np

from gradproof import Equation


def forward(a, b, c):
    g = a * b
    w = g + c
    return w * w / 2


def nodes(j_bar, a, b, c):
    """The cotangent of every node of the graph, name -> array; (1)-(5) in order."""
    w_bar = j_bar * (a * b + c)
    g_bar = w_bar * 1
    c_bar = w_bar * 1
    a_bar = g_bar * b
    b_bar = g_bar * a
    return {"w": w_bar, "g": g_bar, "c": c_bar, "a": a_bar, "b": b_bar}


def derivative(of, by, a, b, c):
    """The derivative of one node by another, each out of a, b, c, g, w, j: 0 where no path leads there.

    Raises ValueError for a name that is no node.
    """
    edges = {
        "j": {"w": a * b + c},
        "w": {"g": np.ones_like(a), "c": np.ones_like(a)},
        "g": {"a": b, "b": a},
        "a": {},
        "b": {},
        "c": {},
    }
    if of not in edges or by not in edges:
        raise ValueError(f"derivative of {of!r} by {by!r}: no such node; the nodes are {', '.join(edges)}")
    if of == by:
        return np.ones_like(a)
    return sum((edge * derivative(node, by, a, b, c) for node, edge in edges[of].items()), np.zeros_like(a))


def backward(j_bar, j, a, b, c):
    bars = nodes(j_bar, a, b, c)
    return {"a": bars["a"], "b": bars["b"], "c": bars["c"]}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("1", "2", "3", "4", "5"),
    shapes=("a: , b: , c: -> j:", "a: n, b: n, c: n -> j: n"),
)
