"""What is timed: every operation and network, at LeNet's sizes with 1 to 32 samples, and at large ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One operation or network at one size: the variant of its declaration, sizes by symbol, static values."""

    name: str
    size: str  # small or large
    sizes: dict[str, int]
    variant: int = 0
    static: dict[str, Any] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ()  # of the inputs, where the declaration draws narrower ones


ROWS = {"n": 32, "m": 120}  # the units of LeNet's first dense layer
MANY = {"n": 1024, "m": 1024}
LENET_1 = {"c": 1, "h": 28, "w": 28, "f": 6, "p": 5, "q": 5}
LENET_2 = {"c": 6, "h": 12, "w": 12, "f": 16, "p": 5, "q": 5}
MAPS = {"n": 32, "c": 32, "h": 64, "w": 64}
PLAIN, SAME, HALF = {"stride": 1, "pad": 0}, {"stride": 1, "pad": 1}, {"p": 2, "q": 2, "stride": 2}
BLOCK = {"stride": 1, "pad": 0, "pool": 2}
KERNEL_1, KERNEL_2 = (6, 1, 5, 5), (16, 6, 5, 5)
DEEP = {"d": 400, "e": 120, "f": 84}


def _net(
    x: tuple[int, ...], outputs: int, kernels: Sequence[tuple[int, ...]], entries: int, units: int
) -> tuple[tuple[int, ...], ...]:
    """Shapes of x, y and the parameters: blocks with these kernels, their entries, two dense layers."""
    blocks = [shape for kernel in kernels for shape in (kernel, kernel[:1])]
    return x, (x[0], outputs), *blocks, (entries, units), (units,), (units, outputs), (outputs,)


def _cases() -> list[Case]:
    made = []
    for name in ("relu", "sigmoid", "tanh", "log_loss", "sigmoid_log_loss", "gradient_descent"):
        names = {"d": 32, "m": 120} if name == "gradient_descent" else ROWS
        made.append(Case(name, "small", names))
        made.append(Case(name, "large", dict.fromkeys(names, 1024)))
    for variant, name in ((1, "chain_rule"), (2, "reduction")):
        small = {"n": 32 * 120} if name == "chain_rule" else ROWS
        made += [
            Case(name, "small", small, variant),
            Case(name, "large", {"n": 1024 * 1024} if name == "chain_rule" else MANY, variant),
        ]
    for name in ("softmax", "cross_entropy", "softmax_cross_entropy"):
        made += [Case(name, "small", {"n": 32, "c": 10}), Case(name, "large", {"n": 1024, "c": 1000})]
    for name in ("dense", "dense_column"):
        made += [Case(name, "small", {"n": n, "d": 400, "m": 120}) for n in (1, 32)]
        made.append(Case(name, "large", {"n": 1024, "d": 1024, "m": 1024}))
    for name, static in (("flatten", {}), ("max_pool", HALF)):
        made += [Case(name, "small", {"n": n, "c": 6, "h": 24, "w": 24}, static=static) for n in (1, 32)]
        made.append(Case(name, "large", MAPS, static=static))
    for n in (1, 32):
        made += [Case("convolution", "small", {"n": n, **layer}, static=PLAIN) for layer in (LENET_1, LENET_2)]
    made.append(Case("convolution", "large", {**MAPS, "f": 32, "p": 3, "q": 3}, static=SAME))
    for n in (1, 32):
        made += [
            Case("single_layer", "small", {"n": n, "d": 64, "m": 1}),
            Case("tanh_sigmoid", "small", {"n": n, "d": 64, "e": 32, "m": 1}),
            Case("relu_sigmoid", "small", {"n": n, "d": 64, "e": 32, "m": 1}),
            Case("deep_relu_sigmoid", "small", {"n": n, **DEEP, "m": 1}, 2),
            Case("deep_relu_softmax", "small", {"n": n, **DEEP, "c": 10}, 2),
            Case("cnn_sigmoid", "small", {}, 1, BLOCK, _net((n, 1, 28, 28), 1, [KERNEL_1], 864, 84)),
            Case("cnn_softmax", "small", {}, 1, BLOCK, _net((n, 1, 28, 28), 10, [KERNEL_1, KERNEL_2], 256, 84)),
        ]
    large = _net((32, 32, 64, 64), 10, [(32, 32, 3, 3)], 32 * 32 * 32, 128)
    made.append(Case("deep_relu_softmax", "large", {"n": 1024, "d": 1024, "e": 1024, "f": 1024, "c": 10}, 2))
    made.append(Case("cnn_softmax", "large", {}, 0, {**BLOCK, "pad": 1}, large))
    return made


CASES = tuple(_cases())
NAMES = tuple(dict.fromkeys(case.name for case in CASES))
