"""Which derivatives: what `[tool.gradproof]` of pyproject.toml names, or the paper that is installed.

    [tool.gradproof]
    declarations = ["mylayers", "models/**/*_vjp.py"]   # packages to walk, or globs from that folder
    references = ["myreferences"]     # modules with REFERENCES = {name: {"torch": forward, "jax": forward}}

Every module is imported and its `EQUATION` taken. A module that has a `backward` and no `EQUATION` is an
error: a derivative that is never checked must not look like one that agrees.
"""

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from gradproof.equation import Equation
from gradproof.errors import GradproofError, InputError, MissingFramework

PAPER = ("derivs",)  # by name: the engine imports none of it
PAPER_REFERENCES = ("reference",)
KEYS = ("declarations", "references")
BY_PATH = "gradproof_declaration_"  # how a module's name begins that was read from a file, not imported
# The paper's numbers: it has no (6), (56), (57), and three of them label two displays.
_TWICE = {20: ("20-relu", "20-softmax"), 28: ("28-cases", "28-matrix"), 35: ("35", "35-duplicate")}
PAPER_NUMBERS = tuple(
    number for n in range(1, 63) if n not in (6, 56, 57) for number in _TWICE.get(n, (str(n),))
)


@dataclass(frozen=True)
class Project:
    """What is judged: `folder` is where it lies, `root` where its baseline is kept."""

    folder: Path
    root: Path
    equations: Mapping[str, Equation]
    networks: Mapping[str, Equation]
    files: Mapping[str, Path]
    numbered: tuple[str, ...] = ()
    references: Mapping[str, Mapping[str, Callable[..., Any]]] = field(default_factory=dict)
    reference_files: tuple[Path, ...] = ()

    def reference(self, name: str) -> dict[str, Callable[..., Any]]:
        """The forwards that speak for the equation `name`: {"torch": forward, "jax": forward}."""
        return dict(self.references.get(name, {}))


def project_file(start: Path | None = None) -> Path | None:
    """The nearest `pyproject.toml` at or above `start` (default: the working folder), or None."""
    here = (start or Path.cwd()).resolve()
    return next(
        (path / "pyproject.toml" for path in (here, *here.parents) if (path / "pyproject.toml").is_file()),
        None,
    )


def find_project(start: Path | None = None) -> Project:
    """What `[tool.gradproof]` names; without one, the installed paper.

    Raises InputError for a table that names nothing, or something that cannot be imported.
    """
    file = project_file(start)
    table = _table(file) if file else None
    if file is None or table is None:
        project = file.parent if file else Path.cwd()
        return _load(project, PAPER, PAPER_REFERENCES, PAPER_NUMBERS)
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))  # a project's own files import one another from its root
    return _load(
        file.parent, _strings(file, table, "declarations"), _strings(file, table, "references", needed=False)
    )


def same_checkout(start: Path | None = None) -> None:
    """Raise InputError where the working folder is a checkout of the paper, and another copy is imported.

    A regression check must judge the files that were changed, not a copy that was installed before.
    """
    file = project_file(start)
    for name in PAPER:
        here = file.parent / name / "__init__.py" if file else None
        spec = importlib.util.find_spec(name)
        if (
            file
            and here
            and here.is_file()
            and not (_table(file) or (spec and here.samefile(str(spec.origin))))
        ):
            imported = Path(str(spec.origin)).parent if spec else "nothing"
            raise InputError(
                f"{imported} is imported, not {here.parent} of this checkout; "
                f"run: pip install -e {file.parent}"
            )


def _table(file: Path) -> dict[str, Any] | None:
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file} cannot be read as TOML ({error}); put it right, or run elsewhere") from None
    table = tool.get("gradproof")
    if table is not None and not isinstance(table, dict):
        raise InputError(f"{file}: tool.gradproof is {table!r}, expected a table [tool.gradproof]")
    if unknown := sorted(set(table or {}) - set(KEYS)):
        raise InputError(f"{file}: [tool.gradproof] has no {unknown[0]!r}; expected {' and '.join(KEYS)}")
    return table


def _strings(file: Path, table: dict[str, Any], key: str, needed: bool = True) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise InputError(f"{file}: [tool.gradproof] {key} is {value!r}, expected a list of packages or globs")
    if needed and not value:
        raise InputError(f'{file}: [tool.gradproof] names no {key}; add {key} = ["package or glob"]')
    return tuple(value)


def _load(
    root: Path, declarations: Iterable[str], references: Iterable[str], numbered: tuple[str, ...] = ()
) -> Project:
    modules = [module for name in declarations for module in _modules(root, name)]
    equations: dict[str, Equation] = {}
    networks: dict[str, Equation] = {}
    files: dict[str, Path] = {}
    for module in modules:
        equation, file = getattr(module, "EQUATION", None), Path(str(module.__file__))
        if equation is None:
            if callable(getattr(module, "backward", None)) and module.backward.__module__ == module.__name__:
                raise InputError(
                    f"{file} has a backward and no EQUATION, so nothing would check it; end it in one"
                )
            continue
        if not isinstance(equation, Equation):
            raise InputError(
                f"{file}: EQUATION is a {type(equation).__name__}, expected a gradproof.Equation"
            )
        if equation.name in files and files[equation.name] != file:
            raise InputError(
                f"two equations are named {equation.name!r}: {files[equation.name]} and {file}; rename one"
            )
        files[equation.name] = file
        (networks if file.parent.name == "networks" else equations)[equation.name] = equation
    ordered = dict(sorted(equations.items(), key=lambda item: (_first(item[1].paper), item[0])))
    networks = dict(sorted(networks.items(), key=lambda item: _rank(item[1])))
    table, reference_files = _references(root, references)
    return Project(
        _folder(modules, root),
        root,
        {**ordered, **networks},
        networks,
        files,
        numbered,
        table,
        reference_files,
    )


def _modules(root: Path, name: str) -> list[ModuleType]:
    """The modules of a package, itself first, or of the files that a glob finds."""
    if any(mark in name for mark in "*?[/") or name.endswith(".py"):
        try:
            found = sorted(path for path in root.glob(name) if path.is_file())
        except (ValueError, NotImplementedError) as error:  # "a**", or a path from the root of the disk
            said = f"[tool.gradproof] of {root} names {name!r}, which is no glob from that folder: {error}"
            raise InputError(f'{said}; expected one such as "mylayers/*.py"') from None
        if not found:
            raise InputError(
                f"[tool.gradproof] of {root} names {name!r}, and no file there is called so; put the glob right, or "
                "leave it out"
            )
        return [import_file(path) for path in found]
    top = _import(name)
    inner = pkgutil.walk_packages(getattr(top, "__path__", []), prefix=f"{name}.", onerror=_import)
    return [top, *(_import(found.name) for found in inner)]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.split(".")[0] == name.split(".")[0] and missing not in (name, name.split(".")[0]):
            raise InputError(f"{name} cannot be imported: {error}; put it right first") from error
        if missing in (name, name.split(".")[0]):
            raise InputError(
                f"no package {name!r} can be imported; install it, or name another in [tool.gradproof]"
            ) from None
        raise MissingFramework(
            f"{name} needs {missing!r}, which is not installed; pip install {missing}"
        ) from None
    except GradproofError:
        raise  # a declaration that contradicts itself says so in words of its own
    except Exception as error:
        raise InputError(f"{name} cannot be imported: {_said(error)}; put it right first") from error


def import_file(path: Path) -> ModuleType:
    digest = hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest()[:12]
    name = f"{BY_PATH}{digest}.{path.stem}"  # an equation is called as the last part says
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file; name .py files in [tool.gradproof] declarations")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except GradproofError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be imported: {_said(error)}; put it right first") from error
    return module


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _references(
    root: Path, names: Iterable[str]
) -> tuple[dict[str, dict[str, Callable[..., Any]]], tuple[Path, ...]]:
    """name of an equation -> {"torch": forward, "jax": forward}, from what each module says; and their files."""
    table: dict[str, dict[str, Callable[..., Any]]] = {}
    found: list[Path] = []
    for name in names:
        is_file = any(mark in name for mark in "*?[/") or name.endswith(".py")
        for module in _modules(root, name) if is_file else [_import(name)]:
            found.append(Path(str(module.__file__)))
            listed = getattr(module, "REFERENCES", None)
            if listed is None and callable(getattr(module, "names", None)):
                listed = {equation: module.forwards(equation) for equation in module.names()}
            if not isinstance(listed, Mapping):
                raise InputError(
                    f"references {name!r} has no REFERENCES; expected a dict "
                    '{equation: {"torch": forward, "jax": forward}}'
                )
            table.update({equation: dict(forwards) for equation, forwards in listed.items()})
    return table, tuple(found)


def _folder(modules: list[ModuleType], root: Path) -> Path:
    files = [Path(module.__file__) for module in modules if module.__file__]
    return files[0].parent if files else root


def _rank(network: Equation) -> tuple[int, tuple[int, str], str]:
    """Networks on rows before those on images, then by table, those that the paper has no table for first."""
    axes = len(network.variants[0].shapes.inputs[0].axes)
    return (axes, _first(network.tables or ("0",)), network.name)


def _first(numbers: tuple[str, ...]) -> tuple[int, str]:
    """Sort key of what a paper numbers: "20-relu" after "19", a thing without a number last."""
    if not numbers:
        return (10**6, "")
    digits, _, rest = numbers[0].partition("-")
    return (int(digits), rest) if digits.isdigit() else (10**6, numbers[0])
