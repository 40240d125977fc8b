"""Faults in a call: another function, a reduction or a copy left out, an axis dropped, arguments swapped."""

from __future__ import annotations

import ast
from collections.abc import Iterator

Fault = tuple[str, "ast.AST | None"]
ANOTHER = {
    "maximum": "minimum",
    "minimum": "maximum",
    "max": "min",
    "min": "max",
    "sum": "mean",
    "mean": "sum",
    "zeros": "ones",
    "ones": "zeros",
    "zeros_like": "ones_like",
    "ones_like": "zeros_like",
    "log1p": "log",
    "log": "log1p",
    "expm1": "exp",
    "exp": "expm1",
    "sin": "cos",
    "cos": "sin",
    "tanh": "arctan",
    "argmax": "argmin",
}
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "cumsum")
COPIES = ("copy", "ascontiguousarray", "array")
SYMMETRIC = ("maximum", "minimum", "max", "min", "zip", "ValueError", "result_type", "logaddexp", "hypot")
ELEMENTWISE = ("exp", "log", "log1p", "expm1", "tanh", "abs", "sqrt", "sin", "cos", "square", "sign", "forward")
ARRAYS = ("np", "numpy", "jnp")
MEANT = {"sum": "mean for sum", "mean": "mean for sum"}


def faults(node: ast.Call) -> Iterator[Fault]:
    """(kind, what stands in its place) for every fault of this call."""
    name = _name(node)
    operand = _operand(node)
    if name in ANOTHER and isinstance(node.func, ast.Attribute):
        other = ast.Attribute(node.func.value, ANOTHER[name], node.func.ctx)
        keywords = [k for k in node.keywords if not (ANOTHER[name] == "mean" and k.arg == "initial")]
        yield MEANT.get(name, "another function"), ast.Call(other, node.args, keywords)
    if operand is not None:
        if name in REDUCTIONS and isinstance(node.func, ast.Attribute):
            yield "dropped reduction", operand
        elif name in COPIES:
            yield "missing copy", operand
        elif name in ELEMENTWISE and len(node.args) == 1 and isinstance(node.func, ast.Attribute):
            yield "missing function", operand
        elif name in ("transpose", "swapaxes", "ravel", "reshape", "astype"):
            yield ("transpose" if name in ("transpose", "swapaxes") else "shape"), operand
    if name == "where" and len(node.args) == 3:
        yield "condition", node.args[1]
        yield "condition", node.args[2]
    if name == "range":
        yield from _range(node)
    for at, keyword in enumerate(node.keywords):
        if keyword.arg in ("axis", "dtype"):
            kind = str(keyword.arg)
            yield kind, ast.Call(node.func, node.args, [k for n, k in enumerate(node.keywords) if n != at])
    if name not in SYMMETRIC:
        for listed in _swapped(node.args):
            yield "swapped arguments", ast.Call(node.func, listed, node.keywords)


def _swapped(args: list[ast.expr]) -> Iterator[list[ast.expr]]:
    for at in range(len(args) - 1):
        a, b = args[at], args[at + 1]
        if ast.dump(a) != ast.dump(b) and not isinstance(a, ast.Starred) and not isinstance(b, ast.Starred):
            yield [*args[:at], b, a, *args[at + 2 :]]


def _range(node: ast.Call) -> Iterator[Fault]:
    """One step fewer at the end, one at the start."""
    one = ast.Constant(1)
    if len(node.args) == 1:
        yield "bound", ast.Call(node.func, [ast.BinOp(node.args[0], ast.Sub(), one)], [])
        yield "bound", ast.Call(node.func, [one, node.args[0]], [])
    elif len(node.args) > 1:
        first, last, *rest = node.args
        yield "bound", ast.Call(node.func, [ast.BinOp(first, ast.Sub(), one), last, *rest], [])
        yield "bound", ast.Call(node.func, [first, ast.BinOp(last, ast.Add(), one), *rest], [])


def _name(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _operand(node: ast.Call) -> ast.expr | None:
    """What a call works on: the first argument of np.sum(x), or x of x.sum()."""
    if not isinstance(node.func, ast.Attribute):
        return None
    base = node.func.value
    module = isinstance(base, ast.Name) and (base.id in ARRAYS or node.func.attr == "forward")
    if module:
        return node.args[0] if node.args else None
    return base
