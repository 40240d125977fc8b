"""Section 4.2, 1): the derivatives of the convolution, (52) to (62), and its written-out form.

dJ/db_1 = sum_ij dJ/dz_ij      dJ/dk_pq = sum_ij dJ/dz_ij x_{i+p,j+q}      dJ/dx_ij = sum_pq k_pq
dJ/dz_{i-p,j-q}
"""

import numpy as np

from derivs.paper.notation import (
    CORRELATION,
    FROM_ONE,
    ONE_FILTER,
    PATCHES,
    POSITIONS,
    ZEROS,
    chain,
    convolve,
    dot,
    over,
    padded,
)
from gradproof import Claim

TITLE = "4.2 Convolution neural networks: the derivatives of the convolution"


def claim(name, of, literal, prove=True, **more):
    """An entry on one sample, channel and filter, proved for kernels of two and three."""
    return Claim(name, "convolution", of, literal, prove=prove, **more)


def written_out(t, i, j, last=None):
    """z_1[i,j] term by term, its last term with the input index `last` (as printed), else with the right
    one.
    """
    k = len(t.K)
    terms = [t.X[i + a, j + b] * t.K[a, b] for a, b in np.ndindex(k, k)]
    if last is not None:
        terms[-1] = t.X[last(k)] * t.K[k - 1, k - 1]
    return sum(terms) + t.B


def expansion(name):
    """The five written-out lines, which the paper prints twice."""

    def at(i, j, last=None, right=""):
        more = (
            {
                "why": "the last term must be the entry of X under the last entry of K",
                "group": "expansion",
                "right": right,
                "corrected": lambda t: written_out(t, i, j),
            }
            if right
            else {}
        )
        return claim(f"{name}/Z{i}{j}", "Z1", lambda t: written_out(t, i, j, last), at=(i, j), **more)

    def general(t):
        return np.array([[written_out(t, i, j) for j in range(t.U.shape[1])] for i in range(t.U.shape[0])])

    return (
        at(0, 0, lambda k: (0 + k - 1, 0 + k - 1)),
        at(
            0,
            1,
            lambda k: (0 + k - 1, 0 + k - 1),
            (
                r"Z_{1[0,1]} = x_{[0,1]}k_{[0,0]} + x_{[0,2]}k_{[0,1]} + \dots + "
                r"x_{[0+k-1,1+k-1]}k_{[k-1,k-1]} + b_1"
            ),
        ),
        at(
            1,
            0,
            lambda k: (1 + k - 1, 2 + k - 1),
            (
                r"Z_{1[1,0]} = x_{[1,0]}k_{[0,0]} + x_{[1,1]}k_{[0,1]} + \dots + "
                r"x_{[1+k-1,0+k-1]}k_{[k-1,k-1]} + b_1"
            ),
        ),
        at(
            1,
            1,
            lambda k: (2 + k - 1, 2 + k - 1),
            (
                r"Z_{1[1,1]} = x_{[1,1]}k_{[0,0]} + x_{[1,2]}k_{[0,1]} + \dots + "
                r"x_{[1+k-1,1+k-1]}k_{[k-1,k-1]} + b_1"
            ),
        ),
        claim(f"{name}/Zij", "Z1", general),
    )


def by_kernel(p, q, of_what):
    """(53), (54): the sum over all i, j of dJ/dz_ij times the derivative of z_ij with respect to
    `of_what` at (i+p, j+q) or (p, q).
    """

    def total(t):
        u = t.d("J", "Z1")
        slopes = t.d("Z1", of_what)
        return sum(
            u[i, j] * (slopes[i, j, p, q] if of_what == "K" else slopes[i, j, i + p, j + q])
            for i, j in np.ndindex(u.shape)
        )

    return total


def kernel_gradient(number, p, q):
    """(53) and (54) differentiate z with respect to x where k is meant."""
    kernel, end = f"k_{{[{p},{q}]}}", "z_{1[n_H-1,n_W-1]}"
    terms = " + ".join(
        rf"{over('J', f'z_{{1[{i},{j}]}}')} \cdot {over(f'z_{{1[{i},{j}]}}', kernel)}"
        for i, j in ((0, 0), (0, 1), (1, 0))
    )
    last = rf" + \dots + {over('J', end)} \cdot {over(end, kernel)}"
    return claim(
        f"eq-{number}",
        "dJ/dK",
        by_kernel(p, q, "X"),
        at=(p, q),
        group="kernel gradient",
        why=f"dz/dx is k[{p},{q}] in every term; the gradient of the kernel needs dz/dk, which is x",
        right=rf"{over('J', kernel)} = {terms}{last}",
        corrected=by_kernel(p, q, "K"),
    )


def correlate(t):
    """(55): slide dJ/dZ_1 over X."""
    return convolve(t.X, t.d("J", "Z1"))


def patches(t):
    """The Jacobian of Z_1 with respect to K: at (i, j, p, q) the entry of X at (i+p, j+q)."""
    k = len(t.K)
    return np.array([[t.X[i : i + k, j : j + k] for j in range(t.U.shape[1])] for i in range(t.U.shape[0])])


def general_sum(t):
    """(62) to the letter: some of its terms have a negative index."""
    u = t.d("J", "Z1")
    out = np.zeros(t.X.shape, dtype=u.dtype)
    for i, j in np.ndindex(t.X.shape):
        for p, q in np.ndindex(t.K.shape):
            if not (0 <= i - p < u.shape[0] and 0 <= j - q < u.shape[1]):
                t.absent(f"x[{i},{j}] needs dJ/dZ_1 at [{i - p},{j - q}], which does not exist")
            out[i, j] += t.K[p, q] * u[i - p, j - q]
    return out


def from_one(t):
    """(52), last line, with indices that count from zero: the last row and column do not exist, the first
    are left out.
    """
    u = t.d("J", "Z1")
    return sum(u[i, j] for i in range(1, u.shape[0] + 1) for j in range(1, u.shape[1] + 1))


def u(t, i, j):
    """dJ/dz_1[i,j]."""
    return t.d("J", "Z1")[i, j]


def x11(t):
    """dJ/dx[1,1]: all four outputs that x[1,1] enters."""
    return u(t, 0, 0) * t.K[1, 1] + u(t, 0, 1) * t.K[1, 0] + u(t, 1, 0) * t.K[0, 1] + u(t, 1, 1) * t.K[0, 0]


def along(t, outputs, i, j):
    """The sum over `outputs` of dJ/dz times dz/dx[i,j]."""
    slopes = t.d("Z1", "X")
    return sum(u(t, *place) * slopes[(*place, i, j)] for place in outputs)


def cotangents(terms):
    """dJ/dz[..] k[..] + ... in LaTeX."""
    return " + ".join(rf"{over('J', f'z_{{1[{z}]}}')} \cdot k_{{[{k}]}}" for z, k in terms)


ALL_FOUR = ((0, 0), (0, 1), (1, 0), (1, 1))
X11 = cotangents((("0,0", "1,1"), ("0,1", "1,0"), ("1,0", "0,1"), ("1,1", "0,0")))

CLAIMS = (
    Claim(
        "prose-before-52-bias",
        "filters",
        "biases",
        lambda t: 1,
        given=ONE_FILTER,
        note="A layer of several filters has one bias a filter, in both frameworks.",
    ),
    claim("eq-52/line-1", "dJ/dB", chain("J", "Z1", "B")),
    claim(
        "eq-52/line-2",
        "dJ/dB",
        lambda t: t.d("J", "Z1") * 1,
        under={POSITIONS: lambda t: (t.d("J", "Z1") * 1).sum()},
    ),
    claim("eq-52/line-3", "dJ/dB", from_one, under={FROM_ONE: lambda t: t.d("J", "Z1").sum()}),
    claim("eq-35-duplicate", "Z1", lambda t: convolve(t.X, t.K) + t.B),
    *expansion("eq-35-expansion"),
    *expansion("eq-35-expansion-repeat"),
    kernel_gradient(53, 0, 0),
    kernel_gradient(54, 0, 1),
    claim("eq-55/line-1-chain", "dJ/dK", chain("J", "Z1", "K")),
    claim("eq-55/line-1-where", "dZ1/dK", lambda t: t.X, under={PATCHES: patches}),
    claim("eq-55/line-2", "dJ/dK", lambda t: dot(t.d("J", "Z1"), t.X), under={CORRELATION: correlate}),
    claim("eq-55/line-3", "dJ/dK", correlate),
    claim(
        "eq-58",
        "dJ/dX",
        (lambda t: along(t, ALL_FOUR[:1], 0, 0), lambda t: u(t, 0, 0) * t.K[0, 0]),
        at=(0, 0),
    ),
    claim(
        "eq-59",
        "dJ/dX",
        (lambda t: along(t, ALL_FOUR[:2], 0, 1), lambda t: u(t, 0, 0) * t.K[0, 1] + u(t, 0, 1) * t.K[0, 0]),
        at=(0, 1),
        damage="the denominators have lost their partial signs",
        twin="eq-58",
    ),
    claim(
        "eq-60",
        "dJ/dX",
        (lambda t: along(t, [(1, 0)], 1, 0), lambda t: u(t, 1, 0) * t.K[0, 0]),
        at=(1, 0),
        group="input gradient",
        why="x[1,0] enters z[0,0] too, with the weight k[1,0]",
        right=rf"{over('J', 'x_{[1,0]}')} = {cotangents((('0,0', '1,0'), ('1,0', '0,0')))}",
        corrected=lambda t: u(t, 0, 0) * t.K[1, 0] + u(t, 1, 0) * t.K[0, 0],
    ),
    claim(
        "eq-61/chain",
        "dJ/dX",
        lambda t: along(t, [(1, 0), (1, 1)], 1, 0),
        at=(1, 1),
        group="input gradient",
        why="the denominators are x[1,0] for x[1,1], and z[0,0] and z[0,1] are missing",
        right=rf"{over('J', 'x_{[1,1]}')} = \sum_{{i=0}}^{{1}} \sum_{{j=0}}^{{1}} {over('J', 'z_{1[i,j]}')}"
        rf" \cdot {over('z_{1[i,j]}', 'x_{[1,1]}')}",
        corrected=lambda t: along(t, ALL_FOUR, 1, 1),
    ),
    claim(
        "eq-61/final",
        "dJ/dX",
        lambda t: u(t, 1, 0) * t.K[0, 1] + u(t, 1, 1) * t.K[0, 0],
        at=(1, 1),
        group="input gradient",
        why="x[1,1] enters z[0,0] and z[0,1] too",
        right=f"= {X11}",
        corrected=x11,
    ),
    claim("eq-62/chain", "dJ/dX", chain("J", "Z1", "X")),
    claim("eq-62/sum", "dJ/dX", general_sum, under={ZEROS: lambda t: padded(t.d("J", "Z1"), t.K)}),
)
