"""Section 3: the chain rule on the graph of Figure 1. The figure is not in the text; G = A B is inferred
from dG/dA = B.

G = A B      W = G + C      J = J(W)
"""

from derivs.paper.notation import chain
from gradproof import Claim

TITLE = "3 Chain rule principle"


def claim(name, of, literal, **more):
    """An entry on the graph; all of them are proved for a J of second degree."""
    return Claim(name, "graph", of, literal, prove=True, **more)


CLAIMS = (
    claim(
        "eq-1",
        "dJ/dW",
        lambda t: t.d("J", "G") * t.d("G", "W"),
        why=(
            "W depends on G, not G on W: dG/dW is no forward path, and (2) needs dJ/dW before it can give "
            "dJ/dG"
        ),
        group="constant",
        right=r"\frac{\partial J}{\partial W} = J'(W)",
        corrected=lambda t: 2 * t.q * t.W + t.r,
        note=(
            "Solving W = G + C for G gives dG/dW = 1 and an equation that is true, but circular: dJ/dG "
            "comes from dJ/dW."
        ),
    ),
    claim("inline-after-2-W-definition", "W", lambda t: t.G + t.C),
    claim("eq-2", "dJ/dG", chain("J", "W", "G")),
    claim("inline-after-2-dWdG", "dW/dG", lambda t: 1),
    claim("inline-after-2-dJdG", "dJ/dG", (lambda t: t.d("J", "W") * 1, lambda t: t.d("J", "W"))),
    claim("eq-3", "dJ/dC", chain("J", "W", "C")),
    claim(
        "inline-after-3-dJdC-zero",
        "dJ/dC",
        lambda t: 0,
        group="constant",
        why="J depends on C through W = G + C; that C is not trained does not make its derivative zero",
        right=(
            r"\frac{\partial J}{\partial C} = \frac{\partial J}{\partial W} \cdot 1 = \frac{\partial "
            r"J}{\partial W}"
        ),
        corrected=(lambda t: t.d("J", "W") * 1, lambda t: t.d("J", "W")),
    ),
    claim(
        "prose-before-4-order",
        "dJ/dA",
        lambda t: 1 / t.d("J", "A"),
        group="wording",
        why="the derivative of A with respect to J is the reciprocal of what (4) computes",
        right=r"\text{the derivatives of } J \text{ with respect to } A \text{ and } B",
        corrected=lambda t: t.d("J", "A"),
    ),
    claim("eq-4", "dJ/dA", chain("J", "G", "A")),
    claim("eq-5", "dJ/dB", chain("J", "G", "B"), damage="S stands for J", twin="eq-4"),
    claim("inline-after-5-dJdG", "dJ/dG", chain("J", "W", "G")),
    claim("inline-after-5-dGdA", "dG/dA", lambda t: t.B),
    claim("inline-after-5-dJdA", "dJ/dA", lambda t: t.d("J", "W") * t.d("W", "G") * t.B),
    claim("inline-after-5-dJdB", "dJ/dB", lambda t: t.d("J", "W") * t.d("W", "G") * t.A),
)
