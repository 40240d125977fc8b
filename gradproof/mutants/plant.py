"""A module with one fault in it, run under a fresh name, and the declarations that are built on it.

Nothing that is imported is touched: the mutated source runs in a module of its own, and where another declaration
imports the mutated one (`from derivs.reduction import share`), that one runs anew as well, with an `__import__` of its
own that hands it the mutated module. So many mutants live in one process, each with its own chain of modules.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from gradproof.equation import Equation
from gradproof.mutants.faults import Mutant, functions, plant_in

_count = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Source:
    """The file of one declaration: its module, text and tree, and its mutants."""

    name: str
    module: ModuleType
    file: Path
    text: str
    tree: ast.Module = field(repr=False)
    code: CodeType = field(repr=False)

    @cached_property
    def program(self) -> Any:
        return _program(self.code)

    @classmethod
    def of(cls, equation: Equation, file: Path) -> Source:
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text, str(file))
        module = sys.modules[equation.forward.__module__]
        return cls(equation.name, module, file, text, tree, compile(tree, str(file), "exec", dont_inherit=True))

    def compiled(self, mutant: Mutant | None) -> CodeType:
        """The module with the fault in it; None: as it stands."""
        return self.code if mutant is None else _compiled(self, mutant)

    def mutants(self) -> list[Mutant]:
        return plant_in(self.text)

    def imported(self) -> Iterator[str]:
        """The full names of what the file imports, modules and what is taken from them."""
        package = str(self.module.__package__ or "")
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    base = importlib.util.resolve_name("." * node.level + base, package)
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


class Sources:
    """The files of all declarations of a project, and which of them import which."""

    def __init__(self, equations: Mapping[str, Equation], files: Mapping[str, Path]) -> None:
        self.all = {name: Source.of(equation, files[name]) for name, equation in equations.items()}
        by_file = {source.file.resolve(): name for name, source in self.all.items()}
        self.uses: dict[str, dict[str, str]] = {}  # name -> {module that it imports: name of that declaration}
        for name, source in self.all.items():
            used = {}
            for full in source.imported():
                file = getattr(sys.modules.get(full), "__file__", None)
                found = by_file.get(Path(file).resolve()) if file else None
                if found is not None and found != name:
                    used[full] = found
            self.uses[name] = used

    def built_on(self, name: str) -> list[str]:
        """The declarations that import `name`, directly or through others, the nearest first."""
        found: list[str] = []
        level = [name]
        while level:
            level = [
                n for n, used in self.uses.items() if n not in found and n != name and set(used.values()) & {*level}
            ]
            found += level
        return found

    def reached(self, name: str) -> frozenset[str]:
        """The functions of a file that its declaration runs, or one that is built on it."""
        source = self.all[name]
        known = functions(source.tree)
        begin: set[str] = set()
        for node in source.tree.body:
            if not isinstance(node, ast.FunctionDef):
                begin |= _named(node) & set(known)
        for other in self.built_on(name):
            taken = self.all[other].tree
            begin |= {n.attr for n in ast.walk(taken) if isinstance(n, ast.Attribute)} & set(known)
            begin |= {a.name for n in ast.walk(taken) if isinstance(n, ast.ImportFrom) for a in n.names} & set(known)
        found: set[str] = set()
        while begin:
            function = begin.pop()
            found.add(function)
            begin |= (_named(known[function]) & set(known)) - found
        return frozenset(found)

    @contextmanager
    def planted(self, name: str, mutant: Mutant | None, wanted: str | None = None) -> Iterator[Equation]:
        """The declaration `wanted` (default: `name` itself) with the fault in the file of `name`; None plants nothing.

        Whatever the mutated module raises while it runs, DeclarationError included, goes through.
        """
        chain = {name, *self.built_on(name)}
        number, built = next(_count), dict[str, ModuleType]()
        code = self.all[name].compiled(mutant)

        def build(which: str) -> ModuleType:
            if which not in built:
                source = self.all[which]
                module = ModuleType(f"gradproof_mutant_{number}.{which}")
                module.__file__, module.__package__ = str(source.file), source.module.__package__
                module.__dict__["__builtins__"] = {**vars(builtins), "__import__": importer(which)}
                built[which] = sys.modules[module.__name__] = module
                exec(code if which == name else source.code, module.__dict__)
            return built[which]

        def importer(which: str) -> Any:
            fresh = {full: found for full, found in self.uses[which].items() if found in chain}

            def importing(
                full: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
            ) -> Any:
                made = builtins.__import__(full, globals, locals, fromlist, level)
                whole = importlib.util.resolve_name("." * level + full, globals["__package__"]) if level else full
                if not fromlist:
                    return _dotted(made, whole, fresh, build)
                if whole in fresh:
                    return build(fresh[whole])
                ours = {item: build(fresh[f"{whole}.{item}"]) for item in fromlist if f"{whole}.{item}" in fresh}
                return _with(made, ours)

            return importing

        try:
            module = build(wanted or name)
            yield module.EQUATION
        finally:
            for module in built.values():
                sys.modules.pop(module.__name__, None)


def same_program(source: Source, mutant: Mutant) -> bool:
    """Whether the mutant compiles to the same bytecode: then it is the same program, whatever its text says."""
    return bool(_program(source.compiled(mutant)) == source.program)


@lru_cache(maxsize=1)
def _compiled(source: Source, mutant: Mutant) -> CodeType:
    """A mutant is compared, run, and run once more below the declarations that import it."""
    return compile(mutant.tree(source.tree), str(source.file), "exec", dont_inherit=True)


def _program(code: CodeType) -> Any:
    constants = tuple(_program(c) if isinstance(c, CodeType) else (type(c), repr(c)) for c in code.co_consts)
    return (code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)


def _named(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _with(module: ModuleType, ours: Mapping[str, ModuleType]) -> ModuleType:
    """The module, with some of its attributes being others; itself where there are none."""
    if not ours:
        return module
    made = ModuleType(module.__name__)
    made.__dict__.update({**vars(module), **ours})
    return made


def _dotted(top: ModuleType, full: str, fresh: Mapping[str, str], build: Any) -> ModuleType:
    """What `import a.b` gives: a, whose b is the fresh one."""
    if full not in fresh:
        return top
    parts = full.split(".")
    made: ModuleType = build(fresh[full])
    for depth in range(len(parts) - 1, 0, -1):
        made = _with(sys.modules[".".join(parts[:depth])], {parts[depth]: made})
    return made
