"""Convolution, ReLU, max pooling, dense layers and sigmoid, with log loss.             paper (35)-(62)

    z1 = x * k1 + b1      a1 = ReLU(z1)      pooled = max_pool(a1)      v = flatten(pooled)
    J: L dense layers on v, ReLU between them and sigmoid at the end, as in Table 4

    v_bar and the gradients of the dense layers as in Table 4
    pooled_bar = v_bar in pooled's shape      a1_bar = pooled_bar at the maxima, 0 elsewhere (49) (50)
    z1_bar = a1_bar where z1 > 0, else 0 (51)      x_bar, k1_bar, b1_bar as in (52)-(62)

x: (n, c, h, w);  y: (n, m), the data, a constant;  k1: (f, c, p, q);  b1: (f,);  then w2, b2, ... of the
dense layers: one as the paper's equations have it, two with the ReLU layer between that its prose adds,
or more. `stride` and `pad` are the convolution's; the pooling window is `pool` x `pool` and moves by
`pool`.
"""

from derivs import convolution, flatten, max_pool, relu
from derivs.networks import deep_relu_sigmoid
from gradproof import Equation


def vjp(x, y, k1, b1, *dense_layers, stride=1, pad=0, pool=2):
    """The loss, and the pullback from its cotangent to a dict of gradients."""
    window = {"p": pool, "q": pool, "stride": pool}
    z1 = convolution.forward(x, k1, b1, stride=stride, pad=pad)
    a1 = relu.forward(z1)
    pooled = max_pool.forward(a1, **window)
    v = flatten.forward(pooled)
    j, dense_pullback = deep_relu_sigmoid.vjp(v, y, *dense_layers)

    def pullback(j_bar, *, x_is_data=False):
        dense = dense_pullback(j_bar)
        pooled_bar = flatten.backward(dense.pop("x"), v, pooled)["x"]
        a1_bar = max_pool.backward(pooled_bar, pooled, a1, **window)["x"]
        z1_bar = relu.backward(a1_bar, a1, z1)["z"]
        if x_is_data:
            first = convolution.parameters_bar(z1_bar, x, k1, stride=stride, pad=pad)
        else:
            first = convolution.backward(z1_bar, z1, x, k1, b1, stride=stride, pad=pad)
        x_bar = {} if x_is_data else {"x": first["x"]}
        later = {f"{name[0]}{int(name[1:]) + 1}": gradient for name, gradient in dense.items()}
        return {**x_bar, "k1": first["k"], "b1": first["b"], **later}

    return j, pullback


def forward(x, y, k1, b1, *dense_layers, stride=1, pad=0, pool=2):
    return vjp(x, y, k1, b1, *dense_layers, stride=stride, pad=pad, pool=pool)[0]


def plain(x, y, k1, b1, *dense_layers, stride=1, pad=0, pool=2):
    a1 = relu.forward(convolution.plain(x, k1, b1, stride=stride, pad=pad))
    v = flatten.forward(max_pool.plain(a1, p=pool, q=pool, stride=pool))
    return deep_relu_sigmoid.plain(v, y, *dense_layers)


def backward(j_bar, j, x, y, k1, b1, *dense_layers, stride=1, pad=0, pool=2):
    return vjp(x, y, k1, b1, *dense_layers, stride=stride, pad=pad, pool=pool)[1](j_bar)


# Entries of v: f maps of the pooled rows by the pooled columns. Any kernel will do. The ones drawn are
# narrow, so that no image is too small both ways: two negative sizes would have a positive product.
V = "f*(((h-p+2*pad)//stride+1)//pool)*(((w-2+2*pad)//stride+1)//pool)"

EQUATION = Equation(
    forward=forward,
    backward=backward,
    paper=("35", "36", "37", "38", "39", "40", "41", "45", "46", "47", "48", "49", "51", "52", "55", "62"),
    shapes=(
        f"x: n c h w, y: n m, k1: f c p 2, b1: f, w2: {V} m, b2: m -> j:",
        f"x: n c h w, y: n m, k1: f c p 2, b1: f, w2: {V} e, b2: e, w3: e m, b3: m -> j:",
    ),
    domain={"y": "probability"},
    constant=("y",),
    static={"stride": (1, 2), "pad": (0, 1), "pool": (2, 3)},
    kinks="ReLU at 0: 0; ties in a pooling window: the first maximum in reading order",
    plain=plain,
)
