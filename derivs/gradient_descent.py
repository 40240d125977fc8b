"""One step of gradient descent.                                            paper (15) (16) (33) (34)

    z = w - alpha g                            g: dJ/dw, of w's shape;  alpha: the learning rate

    w_bar = z_bar      g_bar = -alpha z_bar      alpha_bar = -sum of z_bar g over all entries
"""

import numpy as np

from gradproof import Equation


def forward(w, g, alpha):
    return -alpha * g + w  # in this order NumPy adds w in place


def backward(z_bar, z, w, g, alpha):
    return {"w": z_bar.copy(), "g": -alpha * z_bar, "alpha": -np.sum(z_bar * g)}


EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("15", "16", "33", "34"),
    shapes=("w: d m, g: d m, alpha: -> z: d m", "w: m, g: m, alpha: -> z: m"),
)
