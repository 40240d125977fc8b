"""How lines that are pasted elsewhere get at the functions that they call: by an import, or out of a file."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from gradproof.config import BY_PATH


def imports(*functions: Any) -> str:
    """The lines that make functions known, of those that another program can get at; each ends in a line break."""
    homes: dict[str, list[str]] = {}
    files: dict[str, None] = {}
    for function in functions:
        module, name = str(getattr(function, "__module__", "")), name_of(function)
        if getattr(sys.modules.get(module), name, None) is not function:
            continue
        if module.startswith(BY_PATH):
            files[_file(module)] = None
        elif not module.startswith(("__main__", "builtins")):  # the program itself nobody else can import
            homes.setdefault(module, []).append(name)
    lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in homes.items()]
    lines += ["from runpy import run_path"] * bool(files)
    # what comes of it is formatted: a brace in a path is none
    lines += [f"{_variable(file)} = run_path({file!r})".replace("{", "{{").replace("}", "}}") for file in files]
    return "".join(line + "\n" for line in lines)


def called(function: Any, role: str) -> str:
    """What calls a function of a declaration after these lines; its role where they do not know it."""
    if not imports(function):
        return role
    module, name = str(function.__module__), name_of(function)
    return f'{_variable(_file(module))}["{name}"]' if module.startswith(BY_PATH) else name


def name_of(function: Any) -> str:
    """What a function is called, or what it is."""
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _file(module: str) -> str:
    file = Path(str(sys.modules[module].__file__))
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)


def _variable(file: str) -> str:
    stem = Path(file).stem
    return f"{stem}_py" if stem.isidentifier() else "file_py"
