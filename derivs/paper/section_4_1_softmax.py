"""Section 4.1, 5): softmax and cross-entropy, (20) to (34).

A_i = e^Z_i / sum_c e^Z_c      J = -sum_i Y_i log A_i      dA_i/dZ_j = A_i ((i = j) - A_j)      dJ/dZ = A
sum_i Y_i - Y
"""

import numpy as np

from derivs.paper.notation import BATCH, ROWS, TRANSPOSE_ORDER, chain, dot, over
from gradproof import Claim

TITLE = "4.1 Deep neural networks: softmax and cross-entropy"


def claim(name, of, literal, **more):
    """An entry on one sample, proved for two and for three classes."""
    return Claim(name, "softmax", of, literal, prove=True, **more)


def each(entry):
    """A formula in the index j, for every j."""
    return lambda t: np.array([entry(t, j) for j in range(len(t.A))])


def all_but(t, j):
    """The indices i other than j."""
    return [i for i in range(len(t.A)) if i != j]


def jacobian(t):
    """(23): row i, column j holds the derivative of a_i with respect to z_j."""
    classes = range(len(t.Z))
    return np.array(
        [[t.diff(lambda z, i=i: t.exp(z[i]) / t.exp(z).sum(), t.Z, j) for j in classes] for i in classes]
    )


def entry(number, i, j, *lines):
    """(24) to (27): the lines of the derivative of a_i with respect to z_j. The first is its definition."""

    def definition(t):
        return t.diff(lambda z: t.exp(z[i]) / t.exp(z).sum(), t.Z, j)

    made = [claim(f"eq-{number}/line-1", "dA/dZ", definition, at=(i, j))]
    for place, (literal, more) in enumerate(lines, start=2):
        made.append(claim(f"eq-{number}/line-{place}", "dA/dZ", literal, at=(i, j), **more))
    return tuple(made)


def wrong(why, right, corrected):
    """What an erroneous line of the Jacobian says of itself."""
    return {"why": why, "right": right, "corrected": corrected, "group": "softmax Jacobian"}


def total(t):
    """e^z_1 + ... + e^z_n."""
    return t.exp(t.Z).sum()


def e(t, i):
    """e^z_i."""
    return t.exp(t.Z[i])


SUM = r"e^{z_1} + e^{z_2} + e^{z_3} + \dots + e^{z_n}"


def diagonal(number, i):
    """(24) and (27)."""
    own = f"e^{{z_{i + 1}}}"
    line_2 = wrong(
        "the quotient rule is cut short: of f' g - f g' only f f' is left",
        rf"= \frac{{{own} ({SUM}) - {own} \cdot {over('', f'z_{i + 1}')} ({own})}}{{({SUM})^2}}",
        lambda t: (e(t, i) * total(t) - e(t, i) * t.diff(lambda z: t.exp(z[i]), t.Z, i)) / total(t) ** 2,
    )
    line_3 = wrong(
        "the second term of the quotient rule is missing"
        if i == 0
        else "the square belongs to no factor of the numerator",
        rf"= \frac{{{own} ({SUM} - {own})}}{{({SUM})^2}}",
        lambda t: e(t, i) * (total(t) - e(t, i)) / total(t) ** 2,
    )
    line_4 = wrong(
        f"the second factor is 1, so the line says a_{i + 1}; the derivative is a_{i + 1} (1 - a_{i + 1})",
        rf"= \frac{{{own}}}{{{SUM}}} \cdot \frac{{{SUM} - {own}}}{{{SUM}}} = a_{i + 1} (1 - a_{i + 1})",
        (lambda t: e(t, i) / total(t) * ((total(t) - e(t, i)) / total(t)), lambda t: t.A[i] * (1 - t.A[i])),
    )
    power = 1 if i == 0 else 2  # (27) prints a square that (24) does not
    return entry(
        number,
        i,
        i,
        (lambda t: e(t, i) * t.diff(lambda z: t.exp(z[i]), t.Z, i) / total(t) ** 2, line_2),
        (lambda t: e(t, i) * total(t) ** power / total(t) ** 2, line_3),
        (lambda t: e(t, i) / total(t) * (total(t) / total(t)), line_4),
    )


def off_diagonal(number, i, j):
    """(25) and (26)."""
    line_2 = wrong(
        "the minus sign of the quotient rule is missing",
        rf"= \frac{{-e^{{z_{i + 1}}} \cdot {over('', f'z_{j + 1}')} (e^{{z_{j + 1}}})}}{{({SUM})^2}}",
        lambda t: -e(t, i) * t.diff(lambda z: t.exp(z[j]), t.Z, j) / total(t) ** 2,
    )
    return entry(
        number,
        i,
        j,
        (lambda t: e(t, i) * t.diff(lambda z: t.exp(z[j]), t.Z, j) / total(t) ** 2, line_2),
        (lambda t: -e(t, 0) * e(t, 1) / total(t) ** 2, {}),
        (lambda t: -t.A[0] * t.A[1], {}),
    )


def matrix(t):
    """(28), entry by entry."""
    classes = range(len(t.A))
    return np.array(
        [[t.A[i] * (1 - t.A[j]) if i == j else -t.A[i] * t.A[j] for j in classes] for i in classes]
    )


def cross_entropy(t):
    """(21)."""
    return -(t.Y * t.log(t.A)).sum()


def chain_at(t, j):
    """The row dJ/dA times column j of the Jacobian."""
    return dot(t.d("J", "A"), t.d("A", "Z")[:, j])


def step(name, literal, **more):
    """A line of (29), for every j; a wrong one is wrong for rows of Y that sum to one as well."""
    restriction = {"given": ROWS, "group": "softmax gradient"} if "right" in more else {}
    return claim(f"eq-29/{name}", "dJ/dZ", each(literal), **restriction, **more)


TWO = {"Y": [1.0, 1.0]}  # a row that sums to two

CLAIMS = (
    claim("eq-20-softmax", "A", lambda t: t.exp(t.Z) / t.exp(t.Z).sum()),
    claim("eq-21", "J", cross_entropy),
    claim(
        "prose-before-22-sum-over-Z",
        "dA/dZ",
        lambda t: t.d("A", "Z").sum(axis=1),
        group="softmax gradient",
        why=(
            "summed over all Z the derivatives of A_i are zero; all of them are needed, unsummed, and "
            "dJ/dz_j adds over i"
        ),
        right=(
            r"\text{the derivative of } A_i \text{ is the row of all } \frac{\partial a_i}{\partial z_j} "
            r"\text{, not their sum}"
        ),
        corrected=matrix,
    ),
    claim(
        "eq-22",
        "dJ/dA",
        cross_entropy,
        why="this is the loss (21) again; its gradient has one entry a class",
        group="loss for gradient",
        right=r"\frac{\partial L}{\partial a_i} = -\frac{y_i}{a_i}",
        corrected=lambda t: -t.Y / t.A,
    ),
    claim("eq-23", "dA/dZ", jacobian),
    *diagonal(24, 0),
    *off_diagonal(25, 0, 1),
    *off_diagonal(26, 1, 0),
    *diagonal(27, 1),
    claim("eq-28-cases", "dA/dZ", matrix),
    claim("eq-28-matrix", "dA/dZ", (jacobian, matrix), note="n stands for c: the matrix is square."),
    claim("eq-29/line-1", "dJ/dZ", each(chain_at)),
    claim(
        "eq-29/line-2a",
        "dJ/dA",
        lambda t: -(t.Y / t.A).sum(),
        given=ROWS,
        group="softmax gradient",
        why="the gradient is the row of the terms, not their sum",
        right=r"\frac{\partial J}{\partial a_i} = -\frac{y_i}{a_i}",
        corrected=lambda t: -t.Y / t.A,
    ),
    claim(
        "eq-29/line-2b",
        "dA/dZ",
        each(lambda t, j: t.d("A", "Z")[:, j].sum()),
        given=ROWS,
        group="softmax gradient",
        why="the sum is zero, because the a_i add up to one; the derivative is the column of the terms",
        right=(
            r"\frac{\partial A}{\partial z_j} = \left(\frac{\partial a_1}{\partial z_j}, \dots, "
            r"\frac{\partial a_C}{\partial z_j}\right)"
        ),
        corrected=matrix,
    ),
    step(
        "line-3",
        lambda t, j: -(t.Y / t.A).sum() * t.d("A", "Z")[:, j].sum(),
        why="a product of two sums, the second of which is zero, stands for the sum of products",
        right=r"= -\sum_{i=1}^C \frac{y_i}{a_i} \cdot \frac{\partial a_i}{\partial z_j}",
        corrected=each(lambda t, j: -(t.Y / t.A * t.d("A", "Z")[:, j]).sum()),
    ),
    step(
        "line-4",
        lambda t, j: (
            sum(t.Y[i] / t.A[i] * t.A[i] * t.A[j] for i in all_but(t, j))
            - (t.Y / t.A * t.A * (1 - t.A)).sum()
        ),
        why="the second term is that of i = j alone, and stands outside the sum",
        right=r"= \sum_{i \neq j} \frac{y_i}{a_i} a_i a_j - \frac{y_j}{a_j} a_j (1 - a_j)",
        corrected=each(
            lambda t, j: (
                sum(t.Y[i] / t.A[i] * t.A[i] * t.A[j] for i in all_but(t, j))
                - t.Y[j] / t.A[j] * t.A[j] * (1 - t.A[j])
            )
        ),
    ),
    step(
        "line-5a",
        lambda t, j: (t.Y * t.A[j] + t.Y * t.A - t.Y).sum(),
        why="y_i a_i - y_i belongs to i = j alone, and cancels against the term that completes the sum",
        right=r"= \sum_{i=1}^C y_i a_j - y_j",
        corrected=each(lambda t, j: (t.Y * t.A[j]).sum() - t.Y[j]),
    ),
    step(
        "line-5b",
        lambda t, j: t.A[j] * t.Y.sum() + (t.Y * t.A).sum() - t.Y.sum(),
        why="the second and third sums are what line 5 added by mistake",
        right=r"= a_j \sum_{i=1}^C y_i - y_j",
        corrected=each(lambda t, j: t.A[j] * t.Y.sum() - t.Y[j]),
    ),
    step(
        "line-6",
        lambda t, j: t.A[j] * (t.Y * t.A).sum() - 1,
        why="a_i has slipped into the sum, and 1 stands for y_j",
        right=r"= a_j \sum_{i=1}^C y_i - y_j",
        corrected=each(lambda t, j: t.A[j] * t.Y.sum() - t.Y[j]),
    ),
    claim("eq-29/line-7", "dJ/dZ", each(lambda t, j: t.A[j] - t.Y[j]), given=ROWS, example=TWO),
    claim("eq-30", "dJ/dZ", lambda t: t.A - t.Y, given=ROWS, example=TWO),
    Claim(
        "eq-31",
        "softmax layer",
        "dJ/dW",
        (chain("J", "Z", "W"), lambda t: dot(t.A - t.Y, t.P)),
        given=ROWS,
        under={TRANSPOSE_ORDER: (chain("J", "Z", "W"), lambda t: dot(t.P.T, t.A - t.Y))},
    ),
    Claim(
        "eq-32",
        "softmax layer",
        "dJ/db",
        (chain("J", "Z", "b"), lambda t: (t.A - t.Y) * 1, lambda t: t.A - t.Y),
        given=ROWS,
        under={
            BATCH: (
                chain("J", "Z", "b"),
                lambda t: np.ones((1, len(t.A))) @ (t.A - t.Y),
                lambda t: (t.A - t.Y).sum(0, keepdims=True),
            )
        },
        note="For a batch of one sample nothing is to be added up, and only the rows of Y matter.",
    ),
    Claim("eq-33", "softmax layer", "step W", lambda t: t.W - t.alpha * t.d("J", "W")),
    Claim("eq-34", "softmax layer", "step b", lambda t: t.b - t.alpha * t.d("J", "b")),
)
