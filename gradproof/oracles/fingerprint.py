"""What a function computes, as a key that holds from one process to the next: a hash of all that it can reach.

    fingerprint(f) == fingerprint(g)   only if   f and g run the same code on the same closed-over values

It follows code objects, constants, defaults, closures, the globals and module attributes that the code names, and the
classes and attributes of plain objects. Where that is not all a function can reach (C extensions, files, random
state, names made up at run time, objects of unknown kinds), there is no key: None. Better no key than a wrong one.
"""

from __future__ import annotations

import builtins
import hashlib
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

# packages whose code is told by their version, which is the caller's to put in the key
TOLD = frozenset(
    {"jax", "jaxlib", "numpy", "math", "functools", "operator", "_operator", "itertools", "typing"}
    | {"collections", "dataclasses"}
)
# what makes a function depend on more than it names
HIDDEN = frozenset(
    {"open", "input", "eval", "exec", "compile", "globals", "locals", "vars", "__import__", "import_module", "id"}
    | {"environ", "getenv", "time", "random", "load", "loadtxt", "genfromtxt", "fromfile", "memmap"}
)
DEEP = 200
HEAP = 1 << 9  # the type flag of classes made by Python


class _NoKey(Exception):
    """Something that no key can stand for."""


def fingerprint(*given: Any) -> str | None:
    """A hash of functions and values, None where something in them has no key."""
    try:
        digest = hashlib.sha256()
        for token in _Walk().tokens(given, frozenset()):
            digest.update(token.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()
    except (_NoKey, RecursionError, AttributeError, ValueError):  # an object may refuse to be looked at
        return None


class _Walk:
    """One walk over what can be reached: each function, class and object once."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.alive: list[Any] = []  # an id is only told from another while its object lives

    def tokens(self, x: Any, names: frozenset[str]) -> Iterator[str]:
        """The tokens of one value; `names` are those that code may look up on a module."""
        if x is None or x is Ellipsis or isinstance(x, bool | int | str | bytes | complex):
            yield f"{type(x).__name__} {x!r}"
        elif isinstance(x, float):
            yield f"float {x.hex()}"
        elif isinstance(x, tuple | list):
            yield f"{_plain(x).__name__} {len(x)}"
            for one in x:
                yield from self.tokens(one, names)
        elif isinstance(x, frozenset | set):
            yield f"set {sorted(map(repr, x))}"
            for one in x:
                _atom(one)
        elif isinstance(x, Mapping):
            yield f"{_plain(x).__name__} {len(x)}"
            for key, one in x.items():
                yield from self.tokens(key, names)
                yield from self.tokens(one, names)
        elif isinstance(x, slice):
            yield from self.tokens((x.start, x.stop, x.step), names)
        elif isinstance(x, np.ndarray | np.generic):
            if x.dtype.hasobject:
                raise _NoKey
            yield f"array {x.dtype.str} {x.shape} {hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()}"
        elif isinstance(x, np.dtype):
            yield f"dtype {x.str}"
        elif isinstance(x, CodeType):
            yield from self.code(x)
        else:
            yield from self.reached(x, names)

    def reached(self, x: Any, names: frozenset[str]) -> Iterator[str]:
        """Functions, modules, classes and objects: once each, for they may hold one another."""
        if isinstance(x, ModuleType):
            yield from self.module(x, names)
            return
        if id(x) in self.seen:
            yield f"again {self.seen[id(x)]}"
            return
        self.seen[id(x)] = len(self.seen)
        self.alive.append(x)
        if len(self.seen) > DEEP:
            raise _NoKey
        if _is_where_it_says(x):
            if x.__name__ in HIDDEN:
                raise _NoKey
            yield f"named {x.__module__}.{x.__qualname__}"
        elif isinstance(x, np.ufunc):
            yield f"ufunc {x.__name__}"
        elif isinstance(x, FunctionType):
            yield from self.function(x)
        elif isinstance(x, MethodType):
            yield "method"
            yield from self.tokens((x.__func__, x.__self__), names)
        elif isinstance(x, partial):
            yield "partial"
            yield from self.tokens((x.func, x.args, dict(x.keywords)), names)
        elif isinstance(x, type):
            yield from self.class_of(x)
        else:
            yield from self.object(x)

    def function(self, f: FunctionType) -> Iterator[str]:
        yield "function"
        names = frozenset(_names(f.__code__))
        if names & HIDDEN:
            raise _NoKey
        yield from self.code(f.__code__)
        cells = [cell.cell_contents for cell in f.__closure__ or ()]
        held = {name: f.__globals__[name] for name in sorted(names) if name in f.__globals__}
        # getattr makes names up: harmless on arrays, but not beside something that has code to be looked up
        if "getattr" in names and any(isinstance(x, ModuleType | type) for x in [*held.values(), *cells]):
            raise _NoKey
        yield from self.tokens((f.__defaults__, f.__kwdefaults__, cells, dict(vars(f))), names)
        yield from self.tokens(held, names)
        for name in sorted(names - held.keys()):
            if hasattr(builtins, name):
                yield f"builtin {name}"

    def code(self, code: CodeType) -> Iterator[str]:
        yield f"code {code.co_code.hex()} {code.co_flags} {code.co_argcount} {code.co_posonlyargcount}"
        yield f"{code.co_kwonlyargcount} {code.co_names} {code.co_varnames} {code.co_freevars} {code.co_cellvars}"
        yield f"{code.co_exceptiontable.hex()}"
        yield from self.tokens(code.co_consts, frozenset())

    def module(self, module: ModuleType, names: frozenset[str]) -> Iterator[str]:
        yield f"module {module.__name__}"
        if _told(module.__name__):
            return
        if module.__name__.partition(".")[0] in sys.stdlib_module_names or "__file__" not in vars(module):
            raise _NoKey  # files, clocks, random state: no telling what its functions look at
        for name in sorted(names & vars(module).keys()):
            yield name
            yield from self.tokens(vars(module)[name], names)

    def class_of(self, kind: type) -> Iterator[str]:
        yield f"class {kind.__qualname__}"
        if type(kind) is not type:
            raise _NoKey  # a metaclass may make anything of it
        yield from self.tokens([base for base in kind.__bases__ if base is not object], frozenset())
        for name, value in vars(kind).items():
            if name in ("__dict__", "__weakref__", "__doc__", "__module__") or name.startswith("__annot"):
                continue
            yield name
            if isinstance(value, staticmethod | classmethod):
                yield from self.tokens(value.__func__, frozenset())
            elif isinstance(value, property):
                yield from self.tokens((value.fget, value.fset, value.fdel), frozenset())
            else:
                yield from self.tokens(value, frozenset())

    def object(self, x: Any) -> Iterator[str]:
        kind = type(x)
        # only what Python made has all its state in its attributes; a jitted function keeps some of it in C++
        if not hasattr(x, "__dict__") or not kind.__flags__ & HEAP or kind.__module__.startswith("jaxlib"):
            raise _NoKey
        yield "object"
        yield from self.tokens((kind, dict(vars(x))), frozenset())


def _told(name: str | None) -> bool:
    return name is not None and name.partition(".")[0] in TOLD


def _is_where_it_says(x: Any) -> bool:
    """Whether something is what its package gives under its name; a wrapper may bear another's name."""
    home = getattr(x, "__module__", None)
    if home != "builtins" and not _told(home):
        return False
    found: Any = sys.modules.get(home or "")
    for name in getattr(x, "__qualname__", "?").split("."):
        found = getattr(found, name, None)
    return found is x


def _names(code: CodeType) -> Iterator[str]:
    """Every name that a code object and those inside it look up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _plain(x: Any) -> type:
    """The type of a container, where it is none of somebody's own."""
    if type(x) not in (tuple, list, dict) and not hasattr(x, "_fields"):
        raise _NoKey
    return type(x)


def _atom(x: Any) -> None:
    if not isinstance(x, str | int | bool | bytes | None | tuple):
        raise _NoKey
    if isinstance(x, tuple):
        for one in x:
            _atom(one)
