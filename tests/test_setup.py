"""What each part may know (the KNOWS lines of the design), and that a plain install holds all of it.

gradproof   knows numpy; torch, jax and flint inside the oracles that are them; never derivs or reference
derivs      knows numpy and the declarations of gradproof
reference   knows torch, jax and the engine's two autodiff oracles; never derivs
nobody knows tests or benchmarks
"""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"torch", "jax", "jaxlib", "flint", "sympy", "sklearn", "scipy", "hypothesis", "pytest"}
LIGHT = {"numpy", "click", "rich"}
OURS = {"gradproof", "derivs", "reference", "tests", "benchmarks"}
# What else a file may import, and why.
BESIDES = {
    "gradproof/oracles/torch.py": {"torch", "ml_dtypes"},  # bfloat16 is a NumPy dtype by ml_dtypes only
    "gradproof/oracles/torch_function.py": {"torch", "ml_dtypes"},  # torch's own code, in NumPy terms
    "gradproof/oracles/jax.py": {"jax"},
    "gradproof/frameworks.py": {"torch", "jax"},  # asks first whether the framework is there at all
    "gradproof/pytest_plugin.py": {"pytest"},
    "gradproof/tested.py": {"pytest"},  # runs a project's own tests, when it has nothing else
    "gradproof/oracles/compilation.py": {"jax", "jaxlib"},
    "gradproof/oracles/ball*.py": {"flint"},
    "gradproof/oracles/dual.py": {"flint"},
    "gradproof/oracles/elementary.py": {"flint"},
    "gradproof/symbolic.py": {"sympy"},  # the truth that a printed formula is held against
    "gradproof/digits.py": {"sklearn"},  # the real images, an extra
    "gradproof/page/*.py": {"jinja2", "latex2mathml", "markupsafe", "matplotlib", "pygments"},  # for --html alone
    "reference/paper.py": {
        "numpy",
        "gradproof.claims.record.QUANTITY",
    },  # settings of the paper's claims are arrays
}


def imports(file):
    """(line, module) of each import in the file: modules, names in them, and import_module("...")."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            by_name = re.search(r"\b(import_module|__import__|framework)$", ast.unparse(node.func))
            yield from [(node.lineno, str(node.args[0].value))] if by_name else []


def allowed(path, module):
    """Whether the file at `path`, relative to the root, may import `module`."""
    top, part = module.split(".")[0], path.split("/")[0]
    besides = set().union(*(names for pattern, names in BESIDES.items() if fnmatch(path, pattern)))
    if top in sys.stdlib_module_names or {top, module} & besides:
        return True
    if part == "gradproof":
        return top in LIGHT or top == "gradproof"
    if part == "derivs":
        return top in ("numpy", "derivs") or module in ("gradproof.Equation", "gradproof.Claim")
    assert part == "reference", f"{path} is in no part of the project"
    oracles = ("gradproof.oracles.torch", "gradproof.oracles.jax", "gradproof.oracles.compilation")
    return top in ("torch", "jax", "reference") or module.startswith(oracles)


def trespasses(root):
    """`file:line imports module`, for every import that a KNOWS line forbids."""
    found = []
    for part in ("gradproof", "derivs", "reference"):
        files = sorted((root / part).rglob("*.py"))
        assert files, f"{part} has no files"
        for file in files:
            path = file.relative_to(root).as_posix()
            found += [
                f"{path}:{line} imports {module}"
                for line, module in imports(file)
                if not allowed(path, module)
            ]
    return found


def test_each_part_knows_only_what_it_may():
    assert trespasses(ROOT) == []


@pytest.mark.parametrize(("path", "text"), [
    ("gradproof/a.py", "import derivs.dense"),
    ("gradproof/a.py", "def f():\n    from reference import torch_vjp"),
    ("gradproof/a.py", "import torch"),
    ("gradproof/oracles/jax.py", "import torch"),
    ("gradproof/a.py", "framework('jax')"),
    ("gradproof/a.py", "import importlib\nimportlib.import_module('torch')"),
    ("derivs/a.py", "import jax.numpy as jnp"),
    ("derivs/a.py", "from gradproof import check"),
    ("derivs/a.py", "from gradproof.oracles import torch"),
    ("reference/a.py", "from derivs import dense"),
    ("reference/a.py", "import numpy, gradproof.equation"),
    ("derivs/a.py", "import tests.test_setup"),
])  # fmt: skip
def test_the_walk_finds_a_trespasser(tmp_path, path, text):
    for part in ("gradproof/oracles", "derivs", "reference"):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "innocent.py").write_text("import math\n", encoding="utf-8")
    assert trespasses(tmp_path) == []
    (tmp_path / path).write_text(text, encoding="utf-8")
    assert any(found.startswith(f"{path}:") for found in trespasses(tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "--version",
        "--wrong",
        "report --help",
        "report --wrong",
        "train --help",
        "regress --help",
        "accept --help",
    ],
)
def test_help_version_and_a_wrong_option_import_nothing_large(arguments):
    code = f"import sys; from gradproof.cli import run; run({arguments.split()!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "gradproof.cli" in loaded
    assert not loaded & {*HEAVY, "numpy", "rich"}


def test_importing_gradproof_imports_no_framework():
    code = "import sys; import gradproof; from gradproof import Equation; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


def test_the_wheel_holds_every_file_of_the_three_packages(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [file for part in ("gradproof", "derivs", "reference") for file in (ROOT / part).rglob("*")]
    ours = {f.relative_to(ROOT).as_posix() for f in files if f.is_file() and "__pycache__" not in f.parts}
    assert ours <= names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_constraints_pin_every_requirement_to_one_version():
    pins = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    )
    pins = {name.lower().replace("_", "-"): version for name, version in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    assert {re.match(r"[\w-]+", requirement)[0].lower() for requirement in wanted} <= set(pins)
    assert pins["torch"] == "2.13.0"
    assert "://" not in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_ci_runs_the_readme_s_test_command_and_nothing_else():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert script[-1] == "pip install tox && tox"
    assert f"    {script[-1]}\n" in readme
    assert "    pip install -c constraints.txt . && gradproof report\n" in readme
