r"""The formulas of the paper's derivatives as LaTeX, by the name of the equation: the map, then its derivative.

`derivs` itself is NumPy alone and says the same in its docstrings; a test holds that each equation has an entry here.
One formula a line, without `align`: a phone folds lines, not alignments. \bar{v} is the cotangent of v, dJ/dv.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """LaTeX of the map and of the derivative, a formula a line."""

    map: tuple[str, ...]
    derivative: tuple[str, ...]


_DENSE_PULLBACK = (
    r"\bar{w}_l = a_{l-1}^{\top} \bar{z}_l , \qquad \bar{b}_l = \sum_{\text{rows}} \bar{z}_l",
    r"\bar{a}_{l-1} = \bar{z}_l w_l^{\top} , \qquad \bar{z}_{l-1} = \bar{a}_{l-1} \odot [z_{l-1} > 0]",
)
_TWO_LAYERS = (
    r"\bar{z}_2 = \bar{J} \, \frac{a_2 - y}{n m} , \qquad \bar{w}_2 = a_1^{\top} \bar{z}_2 , "
    r"\qquad \bar{b}_2 = \sum_{\text{rows}} \bar{z}_2",
    r"\bar{a}_1 = \bar{z}_2 w_2^{\top} , \qquad \bar{w}_1 = x^{\top} \bar{z}_1 , "
    r"\qquad \bar{b}_1 = \sum_{\text{rows}} \bar{z}_1 , \qquad \bar{x} = \bar{z}_1 w_1^{\top}",
)
_LOG_LOSS_MEAN = (
    r"J = -\frac{1}{n m} \sum \left( y \log a_2 + (1 - y) \log (1 - a_2) \right) , \qquad a_2 = \sigma(z_2)"
)
_BLOCK_PULLBACK = (
    r"\bar{a}_{n f u v} = \sum_{(i, j) \text{ chose } (u, v)} \bar{m}_{n f i j} , "
    r"\qquad \bar{z} = \bar{a} \odot [z > 0]",
    r"\bar{k}_{f c a d} = \sum_{n, i, j} \bar{z}_{n f i j} \, x_{n, c, s i + a, s j + d} , "
    r"\qquad \bar{b}_f = \sum_{n, i, j} \bar{z}_{n f i j}",
)

FORMULAS = {
    "chain_rule": Formula(
        (r"G = A B , \qquad W = G + C , \qquad J = \frac{1}{2} W^2",),
        (
            r"\bar{W} = \bar{J} \, W , \qquad \bar{G} = \bar{W} , \qquad \bar{C} = \bar{W}",
            r"\bar{A} = \bar{G} \, B , \qquad \bar{B} = \bar{G} \, A",
        ),
    ),
    "dense": Formula(
        (r"z = x w + b",),
        (r"\bar{x} = \bar{z} w^{\top} , \qquad \bar{w} = x^{\top} \bar{z} , \qquad \bar{b} = \sum_{n} \bar{z}_n",),
    ),
    "dense_column": Formula(
        (r"z = w^{\top} x + b",),
        (r"\bar{x} = w \bar{z} , \qquad \bar{w} = x \bar{z}^{\top} , \qquad \bar{b} = \sum_{n} \bar{z}_{\cdot n}",),
    ),
    "sigmoid": Formula(
        (r"a = \sigma(z) = \frac{1}{1 + e^{-z}}",),
        (r"\bar{z} = \bar{a} \, a \, (1 - a)",),
    ),
    "log_loss": Formula(
        (r"J = -y \log a - (1 - y) \log (1 - a)",),
        (r"\bar{a} = \bar{J} \left( \frac{1 - y}{1 - a} - \frac{y}{a} \right)",),
    ),
    "sigmoid_log_loss": Formula(
        (r"a = \sigma(z) , \qquad J = -y \log a - (1 - y) \log (1 - a)",),
        (r"\bar{z} = \bar{J} \, (a - y)",),
    ),
    "gradient_descent": Formula(
        (r"z = w - \alpha g",),
        (r"\bar{w} = \bar{z} , \qquad \bar{g} = -\alpha \bar{z} , \qquad \bar{\alpha} = -\sum \bar{z} \odot g",),
    ),
    "tanh": Formula(
        (r"a = \tanh z = \frac{e^{z} - e^{-z}}{e^{z} + e^{-z}}",),
        (r"\bar{z} = \bar{a} \, (1 - a^2)",),
    ),
    "relu": Formula(
        (r"a = \max(z, 0)",),
        (r"\bar{z} = \begin{cases} \bar{a} & z > 0 \\ 0 & z \le 0 \end{cases}",),
    ),
    "softmax": Formula(
        (r"a_i = \frac{e^{z_i}}{\sum_k e^{z_k}}",),
        (
            r"\frac{\partial a_i}{\partial z_j} = a_i (\delta_{i j} - a_j)",
            r"\bar{z}_j = a_j \left( \bar{a}_j - \sum_i a_i \bar{a}_i \right)",
        ),
    ),
    "cross_entropy": Formula(
        (r"J = -\sum_i y_i \log a_i",),
        (r"\bar{a}_i = -\bar{J} \, \frac{y_i}{a_i}",),
    ),
    "softmax_cross_entropy": Formula(
        (r"a = \operatorname{softmax}(z) , \qquad J = -\sum_i y_i \log a_i",),
        (r"\bar{z}_j = \bar{J} \left( a_j \sum_i y_i - y_j \right)",),
    ),
    "convolution": Formula(
        (r"z_{n f i j} = b_f + \sum_{c, a, d} x_{n, c, s i + a, t j + d} \, k_{f c a d}",),
        (
            r"\bar{b}_f = \sum_{n, i, j} \bar{z}_{n f i j} , "
            r"\qquad \bar{k}_{f c a d} = \sum_{n, i, j} \bar{z}_{n f i j} \, x_{n, c, s i + a, t j + d}",
            r"\bar{x}_{n c u v} = \sum_{f, a, d} k_{f c a d} \, \bar{z}_{n, f, (u - a) / s, (v - d) / t}",
        ),
    ),
    "max_pool": Formula(
        (r"z_{n c i j} = \max_{a < p , \, d < q} x_{n, c, s i + a, t j + d}",),
        (r"\bar{x}_{n c u v} = \sum_{(i, j) \text{ chose } (u, v)} \bar{z}_{n c i j}",),
    ),
    "flatten": Formula(
        (r"v_{n, (c h + i) w + j} = x_{n c i j}",),
        (r"\bar{x}_{n c i j} = \bar{v}_{n, (c h + i) w + j}",),
    ),
    "reduction": Formula(
        (r"J = \sum_i l_i \quad \text{or} \quad J = \frac{1}{N} \sum_i l_i \quad \text{or} \quad J_i = l_i",),
        (
            r"\bar{l}_i = \bar{J} \quad \text{or} \quad \bar{l}_i = \frac{\bar{J}}{N} "
            r"\quad \text{or} \quad \bar{l}_i = \bar{J}_i",
        ),
    ),
    "single_layer": Formula(
        (
            r"z = x w + b , \qquad a = \sigma(z)",
            r"J = -\frac{1}{n m} \sum \left( y \log a + (1 - y) \log (1 - a) \right)",
        ),
        (
            r"\bar{z} = \bar{J} \, \frac{a - y}{n m}",
            r"\bar{x} = \bar{z} w^{\top} , \qquad \bar{w} = x^{\top} \bar{z} , "
            r"\qquad \bar{b} = \sum_{\text{rows}} \bar{z}",
        ),
    ),
    "tanh_sigmoid": Formula(
        (r"z_1 = x w_1 + b_1 , \qquad a_1 = \tanh z_1 , \qquad z_2 = a_1 w_2 + b_2", _LOG_LOSS_MEAN),
        (*_TWO_LAYERS, r"\bar{z}_1 = \bar{a}_1 \odot (1 - a_1^2)"),
    ),
    "relu_sigmoid": Formula(
        (r"z_1 = x w_1 + b_1 , \qquad a_1 = \max(z_1, 0) , \qquad z_2 = a_1 w_2 + b_2", _LOG_LOSS_MEAN),
        (*_TWO_LAYERS, r"\bar{z}_1 = \bar{a}_1 \odot [z_1 > 0]"),
    ),
    "deep_relu_sigmoid": Formula(
        (
            r"a_0 = x , \qquad z_l = a_{l-1} w_l + b_l , \qquad a_l = \max(z_l, 0) \quad (l < L)",
            r"J = -\frac{1}{n m} \sum \left( y \log a_L + (1 - y) \log (1 - a_L) \right) , "
            r"\qquad a_L = \sigma(z_L)",
        ),
        (r"\bar{z}_L = \bar{J} \, \frac{a_L - y}{n m}", *_DENSE_PULLBACK),
    ),
    "deep_relu_softmax": Formula(
        (
            r"a_0 = x , \qquad z_l = a_{l-1} w_l + b_l , \qquad a_l = \max(z_l, 0) \quad (l < L)",
            r"J = -\frac{1}{n} \sum_{n, i} y_{n i} \log a_{n i} , \qquad a_L = \operatorname{softmax}(z_L)",
        ),
        (r"\bar{z}_L = \frac{\bar{J}}{n} \left( a_L \sum_i y_i - y \right)", *_DENSE_PULLBACK),
    ),
    "cnn_sigmoid": Formula(
        (
            r"z = x * k_1 + b_1 , \qquad a = \max(z, 0) , \qquad m = \operatorname{maxpool}(a)",
            r"v = \operatorname{flatten}(m) , \qquad J \text{ of } v \text{ as in Table 4}",
        ),
        (r"\bar{z}_L = \bar{J} \, \frac{a_L - y}{n m}", *_DENSE_PULLBACK, *_BLOCK_PULLBACK),
    ),
    "cnn_softmax": Formula(
        (
            r"m_0 = x , \qquad z_l = m_{l-1} * k_l + b_l , \qquad a_l = \max(z_l, 0) , "
            r"\qquad m_l = \operatorname{maxpool}(a_l)",
            r"v = \operatorname{flatten}(m) , \qquad J \text{ of } v \text{ as in Table 5}",
        ),
        (r"\bar{z}_L = \frac{\bar{J}}{n} \left( a_L \sum_i y_i - y \right)", *_DENSE_PULLBACK, *_BLOCK_PULLBACK),
    ),
}
