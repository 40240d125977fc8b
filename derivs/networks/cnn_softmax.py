"""Blocks of convolution, ReLU and max pooling, dense layers and softmax, with cross-entropy.   paper, Table 6

    m_0 = x      z_l = m_(l-1) * k_l + b_l      a_l = ReLU(z_l)      m_l = max_pool(a_l)      for each block l
    J: dense layers on flatten(m of the last block), ReLU between them and softmax at the end, as in Table 5

    a_l_bar = m_l_bar at the maxima, 0 elsewhere      z_l_bar = a_l_bar where z_l > 0, else 0
    k_l_bar, b_l_bar and m_(l-1)_bar as in (52)-(62)

x: (n, c, h, w);  y: (n, r), the data, a constant, each row any distribution over the r classes;  then the
parameters in order: k1, b1, ... of the blocks, whose kernels have four axes, and after them w, b of the
dense layers, numbered on. `stride` and `pad` are every convolution's; every pooling window is `pool` x
`pool` and moves by `pool`.
"""

from derivs import convolution, flatten, max_pool, relu
from derivs.networks import deep_relu_softmax
from gradproof import Equation


def split(parameters):
    """The (kernel, bias) of each block, and the flat rest."""
    blocks = [(k, b) for k, b in zip(parameters[::2], parameters[1::2], strict=True) if k.ndim == 4]
    return blocks, parameters[2 * len(blocks) :]


def vjp(x, y, *parameters, stride=1, pad=0, pool=2):
    """The loss, and the pullback from its cotangent to a dict of gradients."""
    window = {"p": pool, "q": pool, "stride": pool}
    blocks, dense_layers = split(parameters)
    tape, m = [], x
    for k, b in blocks:
        z = convolution.forward(m, k, b, stride=stride, pad=pad)
        a = relu.forward(z)
        below, m = m, max_pool.forward(a, **window)
        tape.append((below, z, a, m))
    v = flatten.forward(m)
    j, dense_pullback = deep_relu_softmax.vjp(v, y, *dense_layers)

    def pullback(j_bar, *, x_is_data=False):
        dense = dense_pullback(j_bar)
        m_bar = flatten.backward(dense.pop("x"), v, m)["x"]
        gradients = {f"{name[0]}{int(name[1:]) + len(blocks)}": gradient for name, gradient in dense.items()}
        for number in range(len(blocks), 0, -1):
            below, z, a, pooled = tape[number - 1]
            a_bar = max_pool.backward(m_bar, pooled, a, **window)["x"]
            z_bar = relu.backward(a_bar, a, z)["z"]
            k, b = blocks[number - 1]
            if number == 1 and x_is_data:
                block = convolution.parameters_bar(z_bar, below, k, stride=stride, pad=pad)
            else:
                block = convolution.backward(z_bar, z, below, k, b, stride=stride, pad=pad)
                m_bar = block["x"]
            gradients = {f"k{number}": block["k"], f"b{number}": block["b"], **gradients}
        return gradients if x_is_data else {"x": m_bar, **gradients}

    return j, pullback


def forward(x, y, *parameters, stride=1, pad=0, pool=2):
    return vjp(x, y, *parameters, stride=stride, pad=pad, pool=pool)[0]


def plain(x, y, *parameters, stride=1, pad=0, pool=2):
    blocks, dense_layers = split(parameters)
    m = x
    for k, b in blocks:
        a = relu.forward(convolution.plain(m, k, b, stride=stride, pad=pad))
        m = max_pool.plain(a, p=pool, q=pool, stride=pool)
    return deep_relu_softmax.plain(flatten.forward(m), y, *dense_layers)


def backward(j_bar, j, x, y, *parameters, stride=1, pad=0, pool=2):
    return vjp(x, y, *parameters, stride=stride, pad=pad, pool=pool)[1](j_bar)


def after(axis, kernel):
    """An axis of the feature maps after a block with a kernel of that size, in the language of shapes."""
    return f"((({axis}-{kernel}+2*pad)//stride+1)//pool)"


# Any kernel will do. The ones drawn are narrow, so that no image is too small both ways: two negative sizes
# would have a positive product.
ONE = f"f*{after('h', 'p')}*{after('w', 2)}"  # entries of v after one block
TWO = f"g*{after(after('h', 3), 'p')}*{after(after('w', 2), 1)}"  # after two

EQUATION = Equation(
    forward=forward,
    backward=backward,
    tables=("6",),
    shapes=(
        f"x: n c h w, y: n r, k1: f c p 2, b1: f, w2: {ONE} e, b2: e, w3: e r, b3: r -> j:",
        (
            "x: n c h w, y: n r, k1: f c 3 2, b1: f, k2: g f p 1, b2: g, "
            f"w3: {TWO} e, b3: e, w4: e r, b4: r -> j:",
            {"pad": 0},  # padding would make a second image out of an empty first one
        ),
    ),
    domain={"y": "simplex"},
    constant=("y",),
    static={"stride": (1,), "pad": (0, 1), "pool": (2, 1, 2)},  # three, so as not to keep step with two shapes
    kinks="ReLU at 0: 0; ties in a pooling window: the first maximum in reading order",
    plain=plain,
)
