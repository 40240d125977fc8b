"""What a piece of source uses: the top-level names of a project's modules and the names each of them is built on,
read from the syntax and never run.

A dict display with string keys falls into its entries: the entry `"relu"` of a table is used by the equation relu
alone. Two things are taken on trust: an assignment has no effect but on its name, and a name is not reached by a
string (`getattr`, `globals`). A bare module that is handed on counts as all of it.
"""

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

EFFECTS, WHOLE = "", "*"  # the statements of a module that bind no name; all of a module
# statements that do nothing but bind a name
QUIET = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AugAssign)
Node = tuple[Path, str]  # a module and a name of it, with the attributes that are asked of that
Part = tuple[str, str]  # a name of a module and the entry of a table, "" for the rest of it


@dataclass
class Source:
    """One module: for each name and table entry the statements behind it and the dotted names they use."""

    path: Path
    statements: dict[Part, list[str]] = field(default_factory=dict)  # as syntax, without docstrings and positions
    uses: dict[Part, set[str]] = field(default_factory=dict)
    imports: dict[str, set[tuple[int, str]]] = field(default_factory=dict)  # local name -> (level, dotted target)
    modules: set[tuple[int, str]] = field(default_factory=set)  # what is imported at all, whatever its name here

    @classmethod
    def of(cls, path: Path, text: str) -> "Source":
        """Read the text of a module; raises SyntaxError and ValueError as `ast.parse` does."""
        source = cls(path)
        tree = ast.parse(text)
        for node in ast.walk(tree):
            source._import(node)
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom) or _is_docstring(statement):
                continue
            for name in _bound(statement) | (set() if isinstance(statement, QUIET) else {EFFECTS}):
                for entry, part in _entries(statement):
                    source.statements.setdefault((name, entry), []).append(_syntax(part))
                    source.uses.setdefault((name, entry), set()).update(_dotted(part))
        return source

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.statements} | set(self.imports)

    def _import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                local = alias.asname or alias.name.partition(".")[0]
                self.imports.setdefault(local, set()).add((0, alias.name if alias.asname else local))
                self.modules.add((0, alias.name))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                target = (node.level, ".".join(filter(None, (node.module, alias.name))))
                self.imports.setdefault(alias.asname or alias.name, set()).add(target)
                self.modules.add(target)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [a.value for a in node.args[:1] if isinstance(a, ast.Constant)]
            self.modules |= {(0, name) for name in names if isinstance(name, str)}

    def differs(self, other: "Source") -> set[Part]:
        """The names and entries that are not the same in both, what is imported under a name included.

        Another module that is imported runs for whoever imports this one; those of Python itself do nothing there.
        """
        parts = {p for p in {*self.statements, *other.statements} if self.statements.get(p) != other.statements.get(p)}
        names = {*self.imports, *other.imports}
        parts |= {(name, "") for name in names if self.imports.get(name) != other.imports.get(name)}
        modules = {target.partition(".")[0] for _, target in self.modules ^ other.modules}
        return parts | ({(EFFECTS, "")} if modules - sys.stdlib_module_names else set())


class Sources:
    """The modules below some folders, read when they are asked for; `closed` folders are not looked into."""

    def __init__(self, roots: Iterable[Path], closed: Iterable[Path] = ()) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self.closed = tuple(closed)
        self.read = cache(self._read)
        self._module = cache(self._find)

    def _read(self, path: Path) -> Source:
        try:
            return Source.of(path, path.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            return Source(path)  # what cannot be read is not what an equation was made of: that was imported

    def reach(self, start: Iterable[Node], equation: str = "", others: Collection[str] = ()) -> set[Node]:
        """All names that `start` is built on; of a table with entries for `others`, the one of `equation` alone."""
        seen: set[Node] = set()
        todo = list(start)
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += self._next(*node, equation, others)
        return {(path, dotted.partition(".")[0]) for path, dotted in seen}

    def _next(self, path: Path, dotted: str, equation: str, others: Collection[str]) -> Iterator[Node]:
        """What a name of a module, with the attributes that are asked of it, is built on directly."""
        if any(folder in path.parents for folder in self.closed):
            return
        source = self.read(path)
        name, _, attributes = dotted.partition(".")
        yield path, EFFECTS
        if name == WHOLE:
            yield from ((path, each) for each in source.names)
        if name == EFFECTS:
            yield from ((package, EFFECTS) for package in self._packages(path))
            for level, target in source.modules:
                if (found := self._resolve(path, level, target)) is not None:
                    yield found[0], EFFECTS
        for level, target in source.imports.get(name, ()):
            yield from self._target(path, level, f"{target}.{attributes}" if attributes else target)
        for (bound, entry), uses in source.uses.items():
            if bound == name and (entry in ("", equation) or entry not in others):
                # what is bound by nothing is a builtin, until something hides that
                yield from ((path, use) for use in uses)

    def _target(self, path: Path, level: int, target: str) -> Iterator[Node]:
        found = self._resolve(path, level, target)
        if found is not None:
            module, rest = found
            yield module, (".".join(rest) or WHOLE)
            if not rest and module.name == "__init__.py":
                yield from ((inner, WHOLE) for inner in module.parent.rglob("*.py"))

    def _resolve(self, path: Path, level: int, target: str) -> tuple[Path, list[str]] | None:
        """The module that a dotted name leads to, and what is left of the name; None outside of the folders."""
        parts = target.split(".")
        folders = self.roots if level == 0 else (path.parents[level - 1],)
        for length in range(len(parts), 0, -1):
            for folder in folders:
                module = self._module(folder, tuple(parts[:length]))
                if module is not None:
                    return module, [part for part in parts[length:] if part != WHOLE]
        if level and (init := folders[0] / "__init__.py").is_file():
            return init, parts
        return None

    def _find(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        place = folder.joinpath(*parts)
        if place.with_name(place.name + ".py").is_file():
            return place.with_name(place.name + ".py")
        return place / "__init__.py" if (place / "__init__.py").is_file() else None

    def _packages(self, path: Path) -> Iterator[Path]:
        """The `__init__.py` of the packages that a module lies in: importing it runs them."""
        for folder in path.parents:
            if folder in self.roots or not (folder / "__init__.py").is_file():
                return
            yield folder / "__init__.py"


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds at the top level, or writes into (`table["x"] = f`)."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            base: ast.expr = node
            while isinstance(base, ast.Subscript | ast.Attribute):
                base = base.value
            found |= {base.id} if isinstance(base, ast.Name) else set()
    return found


def _entries(statement: ast.stmt) -> list[tuple[str, ast.AST]]:
    """("", the statement), and where it is a table with string keys, each entry apart and the rest of it."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if not isinstance(value, ast.Dict):
        return [("", statement)]
    keyed = [
        (key.value, entry)
        for key, entry in zip(value.keys, value.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]
    rest: list[ast.expr] = []
    for key, entry in zip(value.keys, value.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
            rest += [entry] if key is None else [key, entry]
    return [*keyed, ("", ast.List(rest, ast.Load()))]


def _syntax(node: ast.AST) -> str:
    """The tree as text, without positions, and without the docstrings in it."""
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and body and _is_docstring(body[0]):
            body[:] = body[1:] or [ast.Pass()]
    return ast.dump(node)


def _dotted(node: ast.AST) -> Iterator[str]:
    """Every name in it, with the attributes that follow: `np.exp`, `dense.forward`, `x`."""
    parts: list[str] = []
    base = node
    while isinstance(base, ast.Attribute):
        parts.append(base.attr)
        base = base.value
    if isinstance(base, ast.Name):
        yield ".".join([base.id, *reversed(parts)])
        return
    for inner in ast.iter_child_nodes(base):
        yield from _dotted(inner)
