"""Faults in a statement: one left out, an accumulation that overwrites, a branch never or always taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from gradproof.mutants.expressions import OTHER, Fault, Scope


def faults(node: ast.AST, scope: Scope) -> Iterator[Fault]:
    """(kind, what stands in its place) for every fault of a statement; None leaves it out."""
    if isinstance(node, ast.AugAssign):
        yield "missing term", None
        if type(node.op) in OTHER:
            yield "operator", ast.AugAssign(node.target, OTHER[type(node.op)](), node.value)
        yield "missing sum", ast.Assign([node.target], node.value)
    elif isinstance(node, ast.Expr):
        yield "missing term", None
        added = _scattered(node.value)
        if added is not None:
            yield "repeated index", added
    elif isinstance(node, ast.If):
        yield "condition", ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        yield "condition", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "condition", ast.If(ast.Constant(False), node.body, node.orelse)


def _scattered(call: ast.expr) -> ast.stmt | None:
    """`np.add.at(a, i, v)` as `a[i] += v`, which counts a repeated index once."""
    if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith("add.at") and len(call.args) == 3):
        return None
    array, index, values = call.args
    return ast.AugAssign(ast.Subscript(array, index, ast.Store()), ast.Add(), values)
