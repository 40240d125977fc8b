"""Faults in an expression: operators, signs, transposes, axes, indices, bounds, terms, arguments, constants."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from gradproof.mutants import calls

Fault = tuple[str, "ast.AST | None"]
OTHER: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
# the first is the kink: the same comparison with the equal case on the other side
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}


@dataclass(frozen=True)
class Scope:
    """Where a node stands: its function, that function's parameters and names, and the nodes above it."""

    function: str
    parameters: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)  # variable -> the string keys it is read by
    parents: tuple[ast.AST, ...] = ()

    @classmethod
    def of(cls, function: ast.FunctionDef) -> Scope:
        taken = function.args
        parameters = tuple(a.arg for a in (*taken.posonlyargs, *taken.args))
        stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        keys: dict[str, dict[str, None]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and _text(node.slice):
                keys.setdefault(node.value.id, {})[_text(node.slice)] = None
        listed = {name: tuple(found) for name, found in keys.items()}
        return cls(function.name, parameters, frozenset(stored | set(parameters)), listed)

    def within(self, parents: tuple[ast.AST, ...]) -> Scope:
        return replace(self, parents=parents)

    @property
    def parent(self) -> ast.AST:
        return self.parents[-1]


def faults(node: ast.AST, scope: Scope) -> Iterator[Fault]:
    """(kind, what stands in its place) for every fault that this node can have."""
    if isinstance(node, ast.BinOp):
        yield from _operation(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Invert | ast.Not):
        if not isinstance(node.operand, ast.Constant):
            yield ("sign" if isinstance(node.op, ast.USub) else "condition"), node.operand
        elif isinstance(node.operand.value, int) and not _axis(scope):
            yield _number(scope), _constant(-node.operand.value + 1)
            yield _number(scope), _constant(-node.operand.value - 1)
        elif _axis(scope):
            yield "axis", _constant(-int(str(node.operand.value)) - 1)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield "comparison", ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield "condition", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        yield from (("condition", value) for value in node.values)
    elif isinstance(node, ast.IfExp):
        yield "condition", node.body
        yield "condition", node.orelse
    elif isinstance(node, ast.Constant):
        yield from _literal(node, scope)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transpose", node.value
    elif isinstance(node, ast.Call):
        yield from calls.faults(node)
    elif isinstance(node, ast.Slice):
        yield from _slice(node)
    elif isinstance(node, ast.Tuple):
        yield from _order(node, scope)
    elif isinstance(node, ast.Dict):
        yield from _gradients(node)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from _variable(node, scope)
    if isinstance(node, ast.Subscript):
        yield from _subscript(node, scope)


def _operation(node: ast.BinOp) -> Iterator[Fault]:
    op = type(node.op)
    if op in OTHER and not isinstance(node.left, ast.JoinedStr):
        yield "operator", ast.BinOp(node.left, OTHER[op](), node.right)
    if op in (ast.Sub, ast.Div, ast.MatMult):
        yield "swapped arguments", ast.BinOp(node.right, node.op, node.left)
    if op is ast.FloorDiv:
        down = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)
        yield "bound", ast.UnaryOp(ast.USub(), down)
    missing = "missing term" if op in (ast.Add, ast.Sub) else "missing factor"
    yield missing, node.left
    if op is ast.Sub:
        yield missing, ast.UnaryOp(ast.USub(), node.right)
    elif op not in (ast.Div, ast.FloorDiv, ast.Pow):
        yield missing, node.right


def _literal(node: ast.Constant, scope: Scope) -> Iterator[Fault]:
    value = node.value
    if isinstance(scope.parent, ast.UnaryOp) and isinstance(scope.parent.op, ast.USub):
        return  # the negative number is one constant
    if isinstance(value, bool):
        if isinstance(scope.parent, ast.keyword) and scope.parent.arg == "keepdims":
            yield "keepdims", _constant(not value)
    elif isinstance(value, int):
        kind = "axis" if _axis(scope) else _number(scope)
        yield kind, _constant(value + 1)
        if kind != "axis" or value > 0:
            yield kind, _constant(value - 1)
    elif isinstance(value, float):
        yield "constant", _constant(2 * value)
        yield "constant", _constant(value / 2)


def _number(scope: Scope) -> str:
    """What a whole number is: an index, a bound, or a constant."""
    if any(isinstance(p, ast.Slice) for p in scope.parents[-3:]) or _called(scope, "range"):
        return "bound"
    return "index" if isinstance(scope.parent, ast.Subscript) else "constant"


def _called(scope: Scope, name: str) -> bool:
    return any(isinstance(p, ast.Call) and isinstance(p.func, ast.Name) and p.func.id == name for p in scope.parents)


def _axis(scope: Scope) -> bool:
    near = scope.parents[-3:]
    return any(isinstance(p, ast.keyword) and p.arg in ("axis", "axes") for p in near)


def _slice(node: ast.Slice) -> Iterator[Fault]:
    one = ast.Constant(1)
    if node.lower is None and node.upper is None and node.step is None:
        return
    lower = one if node.lower is None else ast.BinOp(node.lower, ast.Add(), one)
    yield "bound", ast.Slice(lower, node.upper, node.step)
    if node.lower is not None:
        yield "bound", ast.Slice(None, node.upper, node.step)
    if node.upper is not None:
        yield "bound", ast.Slice(node.lower, ast.BinOp(node.upper, ast.Sub(), one), node.step)
        yield "bound", ast.Slice(node.lower, None, node.step)
    if node.step is not None:
        yield "index", ast.Slice(node.lower, node.upper, None)


def _order(node: ast.Tuple, scope: Scope) -> Iterator[Fault]:
    """Neighbours the other way round: indices, the axes of a shape, the names that a shape is unpacked into."""
    axes = _axis(scope)
    if axes and len(node.elts) > 1:
        yield from (("axis", ast.Tuple([e for e in node.elts if e is not left], node.ctx)) for left in node.elts)
        return
    if isinstance(scope.parent, ast.Return | ast.Compare):
        return
    yield from (("swapped indices", ast.Tuple(listed, node.ctx)) for listed in neighbours(node.elts))


def _gradients(node: ast.Dict) -> Iterator[Fault]:
    """A dict of gradients: each with the other sign, left out, or under its neighbour's name."""
    if not node.keys or not all(_text(key) or key is None for key in node.keys):
        return
    for at, value in enumerate(node.values):
        if node.keys[at] is None:
            continue  # ** of another dict
        rest = [v for k, v in enumerate(node.values) if k != at]
        yield "missing gradient", ast.Dict([k for n, k in enumerate(node.keys) if n != at], rest)
        if not isinstance(value, ast.UnaryOp | ast.Constant | ast.Dict | ast.Name) or _bar(value):
            listed = list(node.values)
            listed[at] = ast.UnaryOp(ast.USub(), value)
            yield "sign", ast.Dict(node.keys, listed)
    plain = [value for key, value in zip(node.keys, node.values, strict=True) if key is not None]
    if len(plain) == len(node.values):
        yield from (("swapped gradients", ast.Dict(node.keys, listed)) for listed in neighbours(node.values))


def _bar(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id.endswith("_bar")


def _variable(node: ast.Name, scope: Scope) -> Iterator[Fault]:
    """The primal for its cotangent, the output for the input, one layer's variable for its neighbour's."""
    name, taken = node.id, scope.parameters
    if name.endswith("_bar") and name.removesuffix("_bar") in scope.names:
        yield "another variable", ast.Name(name.removesuffix("_bar"), ast.Load())
    if scope.function == "backward" and len(taken) > 2 and name in taken[1:3]:
        yield "another variable", ast.Name(taken[2] if name == taken[1] else taken[1], ast.Load())
    number = re.search(r"\d+", name)
    if number:
        for other in (int(number[0]) + 1, int(number[0]) - 1):
            near = name[: number.start()] + str(other) + name[number.end() :]
            if near in scope.names:
                yield "another variable", ast.Name(near, ast.Load())


def _subscript(node: ast.Subscript, scope: Scope) -> Iterator[Fault]:
    """Another key of a dict; whatever a long index picks, without it."""
    key = _text(node.slice)
    if key and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
        for other in scope.keys.get(node.value.id, ()):
            if other != key:
                yield "another gradient", ast.Subscript(node.value, ast.Constant(other), node.ctx)


def neighbours(listed: list[ast.expr]) -> Iterator[list[ast.expr]]:
    """The list with two neighbours swapped, for each pair that differs."""
    for at in range(len(listed) - 1):
        a, b = listed[at], listed[at + 1]
        if ast.dump(a) != ast.dump(b) and not isinstance(a, ast.Starred) and not isinstance(b, ast.Starred):
            yield [*listed[:at], b, a, *listed[at + 2 :]]


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _constant(value: object) -> ast.expr:
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(copy.copy(value))  # type: ignore[arg-type]  # a number or a bool
