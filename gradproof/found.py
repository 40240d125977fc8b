"""What there is to check in a repository: the declarations that it names, the tests that use the plug-in, or, in
its own checkout, the paper.
"""

import os
import pkgutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from gradproof.config import PAPER, Project, find_project, project_file, same_checkout
from gradproof.errors import InputError
from gradproof.selection import NothingSelected

MARKS = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", ".git")
NOT_OURS = ("node_modules", "__pycache__", "build", "dist")


@dataclass(frozen=True)
class Found:
    """Declarations in `project`, or else `tests`; the baseline lies in `root`."""

    root: Path
    project: Project | None
    tests: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        """Where what is judged lies."""
        return self.project.folder if self.project else self.root

    def claims(self) -> dict[str, Path]:
        """The id of each printed claim and the module that has its entry; a project of one's own has none."""
        if self.project is None or not self.project.numbered:
            return {}
        from gradproof.claims.load import PAPER as PRINTED

        package = import_module(PRINTED)
        modules = [
            import_module(f"{PRINTED}.{module.name}") for module in pkgutil.iter_modules(package.__path__)
        ]
        return {
            claim.id: Path(str(module.__file__)).resolve()
            for module in modules
            for claim in getattr(module, "CLAIMS", ())
        }


def find() -> Found:
    """What there is to check at or above the working folder.

    Raises NothingSelected (exit code 5) where there is nothing, InputError for a configuration that cannot be used, and
    in a checkout of the paper that is not the one imported.
    """
    same_checkout()
    root = _root()
    if _declares(root) or _is_paper(root):
        project = find_project()
        return Found(project.root, project)
    tests = tuple(sorted(_tests(root)))
    if not tests:
        raise NothingSelected(
            f"nothing to check in {root}: its pyproject.toml has no [tool.gradproof], and no test file there speaks of "
            'gradproof; add [tool.gradproof] declarations = ["package or glob"], or a test with assert_vjp'
        )
    return Found(root, None, tests)


def _root() -> Path:
    file = project_file()
    if file is not None:
        return file.parent
    here = Path.cwd().resolve()
    return next((p for p in (here, *here.parents) if any((p / mark).exists() for mark in MARKS)), here)


def _pyproject(root: Path) -> dict[str, object]:
    file = root / "pyproject.toml"
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}) if file.is_file() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file} cannot be read as TOML ({error}); put it right, or run elsewhere") from None
    return tool if isinstance(tool, dict) else {}


def _declares(root: Path) -> bool:
    return "gradproof" in _pyproject(root)


def _is_paper(root: Path) -> bool:
    return all((root / name / "__init__.py").is_file() for name in PAPER)


def _tests(root: Path) -> Iterator[Path]:
    """The test files below the folders that pytest looks in which speak of gradproof."""
    options = _pyproject(root).get("pytest", {})
    listed = options.get("ini_options", {}) if isinstance(options, dict) else {}
    places = listed.get("testpaths", ["."]) if isinstance(listed, dict) else ["."]
    for place in [places] if isinstance(places, str) else places:
        for top, inner, files in os.walk(root / place):
            folder = Path(top)
            inner[:] = [
                name
                for name in inner
                if not (name.startswith(".") or name in NOT_OURS or (folder / name / "pyvenv.cfg").is_file())
            ]
            for name in files:
                if name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py")):
                    text = (folder / name).read_text(encoding="utf-8", errors="replace")
                    if "gradproof" in text or "assert_vjp" in text:
                        yield folder / name
