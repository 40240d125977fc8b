"""Realistic faults on the syntax tree of a function: each is one expression or statement put in another's place.

What is looked for is what people get wrong in a derivative: an operator, a sign, a transpose, an axis, an index, a
bound by one, a term or factor left out, a comparison at a kink, arguments or indices in another order, a constant, a
copy or a reduction left out, keepdims, a mean for a sum, a repeated index, the primal for its cotangent.

Left alone are words: docstrings, strings, annotations, defaults and decorators; `raise`, and an `if` that only
raises: what a function says of arguments that its declaration does not draw is no part of the derivative.
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gradproof.mutants import expressions, statements

Path = tuple[tuple[str, int | None], ...]  # from the module down to a node: (field, position in a list or None)


@dataclass(frozen=True)
class Mutant:
    """One fault. `was` and `now` are the source lines it changes, without their indentation: its identity."""

    function: str
    kind: str
    line: int
    was: str
    now: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    path: Path
    node: ast.AST | None  # None: the statement is left out

    @property
    def identity(self) -> tuple[str, str, str]:
        return (self.function, self.was, self.now)

    def tree(self, module: ast.Module) -> ast.Module:
        """The module with the fault in it; `module` is left as it is."""
        return _replaced(module, self.path, self.node)


def plant_in(source: str) -> list[Mutant]:
    """Every mutant of a module's functions, in the order of its lines; no two are the same program."""
    module = ast.parse(source)
    lines = source.splitlines()
    found: list[Mutant] = []
    seen: set[tuple[Path, str]] = set()
    for path, node, scope in _sites(module):
        # what can be the same is one statement of one function: no need to look at all of it
        place, rest = path[:2], path[2:]
        statement = _at(module, place)
        if not rest:
            seen.add((place, ast.dump(statement)))
        for kind, new in itertools.chain(expressions.faults(node, scope), statements.faults(node, scope)):
            printed = ast.dump(_copied(statement, rest, new) if rest else _placed(new, statement))
            if (place, printed) not in seen:
                seen.add((place, printed))
                found.append(_mutant(lines, statement, printed, path, node, new, kind, scope))
    return sorted(found, key=lambda m: (m.line, m.function))


def functions(module: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions at the top of a module, by name."""
    return {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}


def _sites(module: ast.Module) -> Iterator[tuple[Path, ast.AST, expressions.Scope]]:
    for position, node in enumerate(module.body):
        if isinstance(node, ast.FunctionDef):
            scope = expressions.Scope.of(node)
            for at, statement in enumerate(node.body):
                if at == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    continue  # the docstring
                yield from _inside((("body", position), ("body", at)), statement, (node,), scope)


def _inside(
    path: Path, node: ast.AST, parents: tuple[ast.AST, ...], scope: expressions.Scope
) -> Iterator[tuple[Path, ast.AST, expressions.Scope]]:
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.expr_context) or _guard(node):
        return
    yield path, node, scope.within(parents)
    for field, value in ast.iter_fields(node):
        if field in ("decorator_list", "annotation", "returns", "args") and isinstance(node, ast.FunctionDef):
            continue
        listed: list[tuple[int | None, object]] = [(None, value)]
        for position, child in enumerate(value) if isinstance(value, list) else listed:
            documented = isinstance(node, ast.FunctionDef) and position == 0 and isinstance(child, ast.Expr)
            if isinstance(child, ast.AST) and not documented:
                yield from _inside((*path, (field, position)), child, (*parents, node), scope)


def _guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and not node.orelse and all(isinstance(s, ast.Raise) for s in node.body)


def _at(node: Any, path: Path) -> ast.stmt:
    for field, position in path:
        node = getattr(node, field) if position is None else getattr(node, field)[position]
    assert isinstance(node, ast.stmt)
    return node


def _replaced(module: ast.Module, path: Path, new: ast.AST | None) -> ast.Module:
    """A copy along the path only: what lies beside it is shared, and nobody changes it."""
    return _copied(module, path, new)  # type: ignore[return-value]  # a copy of a Module is one


def _copied(node: ast.AST, path: Path, new: ast.AST | None) -> ast.AST:
    (field, position), rest = path[0], path[1:]
    parent = copy.copy(node)
    value = getattr(node, field)
    child = value if position is None else value[position]
    made = _copied(child, rest, new) if rest else _placed(new, child)
    if position is None:
        setattr(parent, field, made)
    else:
        kept = list(value)
        kept[position : position + 1] = [made]
        setattr(parent, field, kept)
    return parent


def _placed(new: ast.AST | None, old: ast.AST) -> ast.AST:
    made = ast.Pass() if new is None else copy.deepcopy(new)
    return ast.fix_missing_locations(ast.copy_location(made, old))


def _mutant(
    lines: list[str],
    statement: ast.stmt,
    printed: str,
    path: Path,
    node: ast.AST,
    new: ast.AST | None,
    kind: str,
    scope: expressions.Scope,
) -> Mutant:
    first, last = int(getattr(node, "lineno", 1)), int(getattr(node, "end_lineno", 1))
    before = tuple(lines[first - 1 : last])
    after = _spliced(lines, statement, printed, node, new)
    return Mutant(scope.function, kind, first, _one(before), _one(after), before, after, path, new)


def _spliced(
    lines: list[str], statement: ast.stmt, printed: str, node: ast.AST, new: ast.AST | None
) -> tuple[str, ...]:
    """The changed lines as they would be typed: the new text in the old one's place, if that reads back the same."""
    first, last = int(getattr(node, "lineno", 1)), int(getattr(node, "end_lineno", 1))
    start, end = int(getattr(node, "col_offset", 0)), int(getattr(node, "end_col_offset", 0))
    head, tail = lines[first - 1].encode()[:start].decode(), lines[last - 1].encode()[end:].decode()
    text = "pass" if new is None else ast.unparse(ast.fix_missing_locations(copy.deepcopy(new)))
    above, below = lines[statement.lineno - 1 : first - 1], lines[last : statement.end_lineno]
    bare = (text[1:-1],) if isinstance(new, ast.Tuple) else ()
    for shown in (*bare, text, f"({text})"):
        changed = (head + shown.replace("\n", "\n" + " " * start) + tail).split("\n")
        try:
            read = ast.parse("\n".join(["if True:", *above, *changed, *below]))
        except SyntaxError:
            continue
        if any(ast.dump(found) == printed for found in getattr(read.body[0], "body", ())):
            return tuple(changed)
    return (" " * start + text,)  # inside an f-string the columns are not to be had before Python 3.12


def _one(lines: tuple[str, ...]) -> str:
    return re.sub(r"\s+", " ", " ".join(line.split("  #")[0] for line in lines)).strip()
