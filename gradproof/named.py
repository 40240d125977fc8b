"""Code named on a command line: the declarations of a file, and functions called module:function.

Points for a forward and a vjp come from their shape string and domains alone: no line of Python is needed.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gradproof.checking import check, check_vjp
from gradproof.config import import_file
from gradproof.equation import Equation
from gradproof.errors import GradproofError, InputError
from gradproof.sampling.domain import Domain
from gradproof.sampling.shapes import Shapes, draw_sizes
from gradproof.selection import NothingSelected
from gradproof.verdict import Result


def declarations(files: Sequence[Path]) -> list[tuple[str, Equation]]:
    """(label, declaration) of every Equation that a file holds, in the order of the files.

    Raises InputError for a file that cannot be used, NothingSelected for one that declares nothing.
    """
    found: list[tuple[str, Equation]] = []
    for file in files:
        if file.is_dir():
            raise InputError(f"{file} is a folder; give its files, such as {file / '*.py'}")
        if not file.is_file():
            hint = "" if file.suffix else "; a function is named MODULE:FUNCTION"
            raise InputError(f"there is no file {file}{hint}")
        if file.suffix != ".py":
            raise InputError(f"{file} is no Python file; give one that declares an Equation")
        with _importing(str(file), file.resolve().parent):
            module = import_file(file.resolve())
        here: dict[int, tuple[str, Equation]] = {}
        for name, value in vars(module).items():
            if isinstance(value, Equation):
                here.setdefault(id(value), (name, value))  # another name for it is no other declaration
        if not here:
            raise NothingSelected(f"{file} declares nothing; end it in EQUATION = gradproof.Equation(...)")
        alone = len(here) == 1
        found += [(str(file) if alone else f"{file}: {name}", equation) for name, equation in here.values()]
    return found


def check_declaration(label: str, equation: Equation, *, seed: int, examples: int | None) -> Result:
    """`gradproof.check`, with the file named in whatever the caller has to put right."""
    try:
        result = check(equation, seed=seed, examples=examples)
    except InputError as error:
        raise InputError(f"{label}: {error}") from error
    result.explanation = f"{label}\n{result.explanation}"
    return result


def check_functions(
    forward: str,
    vjp: str,
    *,
    shapes: str,
    domains: Sequence[str] = (),
    constant: Sequence[str] = (),
    torch: str | None = None,
    jax: str | None = None,
    strict: bool = False,
    seed: int = 0,
    examples: int | None = None,
) -> Result:
    """`gradproof.check_vjp` of functions named module:function; every input is drawn, in float64."""
    parsed = Shapes.parse(shapes)
    names = [slot.name for slot in parsed.inputs]
    words = {**dict.fromkeys(names, "real"), **_domains(domains, names)}
    for name in constant:
        if name not in names:
            raise InputError(f"--constant {name} names no input; the inputs are {', '.join(names)}")
    function, rule = load(forward), load(vjp)
    _fits(forward, function, names, parsed.text)
    result = check_vjp(
        function,
        rule,
        _point(parsed, words, seed),
        torch=None if torch is None else load(torch),
        jax=None if jax is None else load(jax),
        shapes=shapes,
        domain=words,
        constant=constant,
        strict=strict,
        seed=seed,
        examples=examples,
    )
    module, _, called = vjp.partition(":")
    if getattr(rule, "__name__", "") == called and f"from {module} import {called}\n" not in result.reproduce:
        plain, whole = "import numpy as np", f"import numpy as np\nfrom {module} import {called}"
        result.reproduce = result.reproduce.replace(plain, whole, 1)
        result.explanation = result.explanation.replace(plain, whole.replace("\n", "\n    "), 1)
    return result


def load(name: str) -> Callable[..., Any]:
    """The function that `module:function` names, the module found from the working folder first."""
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise InputError(f"{name!r} names no function; expected MODULE:FUNCTION, such as layers:silu")
    with _importing(module_name, Path.cwd()):
        found: Any = _module(module_name)
    for part in path.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"{name}: {getattr(found, '__name__', module_name)} has no {part!r}{meant}")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(f"{name} is a {type(found).__name__}; expected a function")
    return found  # type: ignore[no-any-return]  # whatever can be called


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise InputError(f"there is no module {name!r} in {os.getcwd()} or installed") from None
        raise


@contextmanager
def _importing(what: str, folder: Path) -> Iterator[None]:
    """Modules in `folder` come first; whatever an import raises is the caller's, in one line."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        yield
    except (GradproofError, KeyboardInterrupt):
        raise
    except SystemExit:
        raise InputError(
            f"{what} ends the process when it is imported; guard that with if __name__ == '__main__'"
        ) from None
    except BaseException as error:  # a stranger's module may raise anything
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{what} cannot be imported: {said}; put it right first") from error


def _domains(given: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    words: dict[str, Any] = {}
    for text in given:
        name, equals, word = (part.strip() for part in text.partition("="))
        if not equals or name not in names:
            raise InputError(f"--domain {text!r} names no input; expected NAME=WORD for one of {', '.join(names)}")
        try:
            low, high = map(float, word.strip("()").split(","))
            words[name] = (low, high)
        except ValueError:
            words[name] = word
        Domain.of(words[name], repr(name))
    return words


def _point(shapes: Shapes, words: dict[str, Any], seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    sizes = draw_sizes(shapes, "distinct", {}, rng)
    if sizes is None:
        raise InputError(f"shape string {shapes.text!r}: no sizes up to 13 give every axis an entry")
    drawn = zip(shapes.inputs, shapes.input_shapes(sizes), strict=True)
    return tuple(Domain.of(words[slot.name]).draw(rng, shape, "random", sizes) for slot, shape in drawn)


def _fits(name: str, function: Callable[..., Any], names: Sequence[str], text: str) -> None:
    """The forward takes as many inputs as the shape string names, and none of them in another's place."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # functions in C have none
        return
    listed = ", ".join(names)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = [p.name for p in signature.parameters.values() if p.kind in kinds][: len(names)]
    try:
        signature.bind(*names)
    except TypeError as error:
        raise InputError(
            f"{name} takes {signature}, the shape string {text!r} gives the inputs ({listed}): {error}"
        ) from None
    if sorted(own) == sorted(names) and own != list(names):
        raise InputError(f"{name} takes ({', '.join(own)}), the shape string {text!r} gives ({listed}); use one order")
