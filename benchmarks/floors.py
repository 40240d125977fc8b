"""What a NumPy form cannot go below: the passes of NumPy's own functions that the formula needs, and no more.

A pass reads whole arrays and writes one. All write into memory at hand but the last, whose result is the
caller's to keep, in fresh memory. An elementwise operation's passes are counted on its formula as `derivs`
states it; a dense layer, a convolution and a training step have their matrix products instead, each one
call on arrays that lie ready, and max pooling as many maxima, and comparisons, as a window has entries.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contenders import Problem

Array = np.ndarray[Any, np.dtype[Any]]
Pass = Callable[[], Any]

# Forward and backward: the function of each pass, its second operand one number with "1" after it, and
# what a comparison gave with ":"; "<" reduces rows, ":1" compares, "?" chooses between a number and an array.
PASSES = {
    "relu": ("maximum1", ":1 multiply:"),
    "tanh": ("tanh", "negative minimum exp multiply1 multiply add1 divide multiply multiply"),
    "sigmoid": (
        "negative minimum exp :1 maximum: add1 divide",
        "negative minimum exp multiply add1 square divide",
    ),
    "softmax": ("< subtract exp < divide", ":1 multiply: < subtract multiply < subtract multiply"),
    "chain_rule": (
        "multiply add multiply divide1",
        "multiply add multiply multiply1 multiply1 multiply multiply",
    ),
    "gradient_descent": ("multiply1 subtract", "copy multiply1 multiply <"),
    "flatten": ("", "copy"),
    "reduction": ("<", "copy"),
    "log_loss": (
        ":1 ? log multiply :1 ? negative log1p subtract1 multiply add negative",
        ":1 ? divide subtract1 :1 subtract1 ? divide subtract multiply",
    ),
    "sigmoid_log_loss": (
        "negative maximum1 multiply maximum1 subtract1 multiply add negative minimum exp log1p add",
        "negative minimum exp :1 maximum: subtract1 multiply :1 maximum: multiply subtract add1 divide multiply",
    ),
    "cross_entropy": (":1 ? log multiply <", ":1 ? divide negative multiply"),
    "softmax_cross_entropy": (
        "< subtract :1 < exp multiply: < subtract :1 ? multiply <",
        "< subtract exp < divide < multiply subtract :1 < multiply: subtract multiply",
    ),
}


def floor(problem: Problem, what: str) -> tuple[str, Callable[[], None]]:
    """The floor of one task of a problem: what it is in words, and one call that does just that."""
    name = problem.equation.name
    if problem.network:
        passes, words = _products(problem), "its matrix products"
    elif name in PASSES:
        kinds = PASSES[name][what == "backward"].split()
        passes, words = _passes(problem.inputs[0], kinds), f"{len(kinds)} passes"
    elif name == "max_pool":
        passes, words = _pooling(problem, what)
    else:
        passes = _convolution(problem, what) if name == "convolution" else _dense(problem, what)
        words = "its matrix product" + "s" * (len(passes) > 1)

    def run() -> None:
        for one in passes:
            one()

    return words, run


def _passes(x: Array, kinds: list[str]) -> list[Pass]:
    a, b = np.abs(x) / (1 + np.abs(x)) + x.dtype.type(0.1), np.full_like(x, 0.5)
    return [_pass(kind, a, b, fresh=i == len(kinds) - 1) for i, kind in enumerate(kinds)]


def _pass(kind: str, a: Array, b: Array, fresh: bool) -> Pass:
    seconds = {"1": 0.5, ":": a > b}
    name, other = (kind[:-1], seconds[kind[-1]]) if kind[-1] in seconds else (kind, b)
    if name == "<":
        return partial(np.add.reduce, a, axis=-1)
    if name == "?":
        return partial(np.where, a < 0, 1, a)
    if name == "copy":
        return partial(np.copy, a)
    function = np.greater if name == ":" else getattr(np, name)
    operands = (a, other)[: function.nin]
    return partial(function, *operands, out=None if fresh else np.empty_like(a, dtype=bool if name == ":" else None))


def _multiply(a: Array, b: Array) -> Pass:
    return partial(np.matmul, a, b, out=a @ b)


def _dense(problem: Problem, what: str) -> list[Pass]:
    x, w = problem.inputs[:2]
    if problem.equation.name == "dense_column":
        x, w = x.T, w.T
        return [_multiply(w, x.T)] if what == "forward" else _back(problem.cotangent.T, x, w.T)
    return [_multiply(x, w)] if what == "forward" else _back(problem.cotangent, x, w)


def _back(z_bar: Array, x: Array, w: Array) -> list[Pass]:
    return [_multiply(z_bar, w.T), _multiply(x.T, z_bar)]


def _convolution(problem: Problem, what: str) -> list[Pass]:
    ahead, *back = _of_filters(problem.inputs[1], problem.cotangent, both=True)
    return [ahead] if what == "forward" else back


def _of_filters(k: Array, z: Array, both: bool) -> list[Pass]:
    """k X, Z X^T and k^T Z, an image at a time, X being the patches that no floor pays for."""
    filters, maps = k.reshape(len(k), -1), z.reshape(len(z), len(k), -1)
    patches = np.ones((len(z), filters.shape[1], maps.shape[2]), k.dtype)
    made = [_multiply(filters, patches), _multiply(maps, patches.transpose(0, 2, 1))]
    return [*made, _multiply(filters.T, maps)] if both else made


def _pooling(problem: Problem, what: str) -> tuple[list[Pass], str]:
    """Of a window's entries their maxima; or where each is the maximum, and the products with that."""
    p, q, stride, z = *(problem.static[name] for name in ("p", "q", "stride")), problem.cotangent
    rows, columns = (slice(0, stride * size, stride) for size in z.shape[2:])
    entry = problem.inputs[0][:, :, rows, columns]  # as far apart in memory as the windows are
    if what == "forward":
        return [partial(np.maximum, z, entry, out=np.empty_like(z))] * (p * q), f"{p * q} maxima"
    at = np.empty(z.shape, bool)
    compare, give = partial(np.equal, entry, z, out=at), partial(np.multiply, z, z, out=np.empty_like(entry))
    return [compare, give] * (p * q), f"{p * q} comparisons and products"


def _products(problem: Problem) -> list[Pass]:
    """Of a step: forward, and backward to the parameters and to every layer's input but the data."""
    x, made = problem.inputs[0], []
    for first, w in enumerate(problem.inputs[2::2]):
        if w.ndim == 4:
            s, u, pool = problem.static["stride"], problem.static["pad"], problem.static["pool"]
            sides = zip(x.shape[2:], w.shape[2:], strict=True)
            rows, columns = ((side + 2 * u - size) // s + 1 for side, size in sides)
            made += _of_filters(w, np.ones((len(x), len(w), rows, columns), x.dtype), both=first > 0)
            x = np.ones((len(x), len(w), rows // pool, columns // pool), x.dtype)
        else:
            x = x.reshape(len(x), len(w))
            z = np.ones((len(x), w.shape[1]), x.dtype)
            made += [_multiply(x, w), _multiply(x.T, z), *([_multiply(z, w.T)] if first else [])]
            x = z
    return made
