"""CONTRIBUTING is executed: its two steps and each of its commands, in a scratch copy of a part of the project.

The copy has three operations and no printed claims, which is what makes it quick; the commands are run as they stand,
those of gradproof and pytest one after the other in one process that imports the copy, as after an editable install.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True) for line in re.findall(r"^    (\S.*)$", PAGE, re.M)]
KEPT = [
    *("README.md", "LICENSE", "pyproject.toml", "constraints.txt", "conftest.py", "tests/test_properties.py"),
    *(f"derivs/{name}.py" for name in ("__init__", "dense", "relu", "sigmoid")),
    *(f"derivs/paper/{name}.py" for name in ("__init__", "notation", "settings", "settings_tables", "groups")),
]
# what each command is to answer: softplus has no line in the baseline until it is accepted
CODES = {"regress --changed": 1}
# a process that runs one command after the other: the frameworks are imported once, the project's files each time anew
WORKER = """
import contextlib, io, json, sys
import pytest
from gradproof.cli import run
answer = sys.stdout
quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # gradproof is imported already, in this process
for line in sys.stdin:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("derivs", "reference")]:
        del sys.modules[name]
    program, *arguments = json.loads(line)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(arguments) if program == "gradproof" else pytest.main([*arguments, *quiet])
    print(json.dumps([int(code), said.getvalue()]), file=answer, flush=True)
"""


def fenced(part):
    """The Python block of README that holds `part`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", readme, re.DOTALL | re.MULTILINE)
    (found,) = [textwrap.dedent(block) for block in blocks if part in block]
    return found


def environment(copy):
    return {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}


def call(copy, *command, **variables):
    here = {**environment(copy), **variables}
    done = subprocess.run(command, cwd=copy, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines(text):
    """The lines of a baseline, without the comma that the last of a list lacks."""
    return [line.rstrip(",") for line in text.splitlines()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The scratch copy of three operations, and nothing committed."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in KEPT:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for package in ("gradproof", "reference"):
        shutil.copytree(ROOT / package, copy / package)  # with what Python has compiled of it
    (copy / "derivs" / "paper" / "claims.json").write_text("[]", encoding="utf-8")
    (copy / ".gitignore").write_text("__pycache__/\n.hypothesis/\n.pytest_cache/\n", encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def ask(copy):
    """Runs a command of the page in the copy: exit code and words."""
    command = [sys.executable, "-c", WORKER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
    with subprocess.Popen(command, cwd=copy, env=environment(copy), **pipes) as worker:

        def ask(command):
            print(json.dumps(command), file=worker.stdin, flush=True)
            return json.loads(worker.stdout.readline())

        yield ask
        worker.kill()  # it has nothing left to say, and two frameworks to take down


@pytest.fixture(scope="module")
def extended(copy, ask):
    """The copy with a committed baseline, and then softplus in two steps."""
    code, said = ask(["gradproof", "accept", "-q", "--examples", "6"])
    assert code == 0, said
    for command in ("init -q", "add -A", "-c user.name=A -c user.email=a@example.org commit -qm one"):
        call(copy, "git", *command.split())
    (copy / "derivs" / "softplus.py").write_text(fenced("EQUATION = Equation("), encoding="utf-8")
    table = copy / "reference" / "operations.py"
    start = "OPERATIONS: dict[str, Entry] = {\n"
    text = table.read_text(encoding="utf-8")
    assert start in text
    table.write_text(text.replace(start, start + fenced('"softplus": Entry(')), encoding="utf-8")
    return copy


def test_every_command_is_one_of_those_that_are_executed_here():
    programs = [command[0] for command in COMMANDS]
    assert set(programs) == {"pip", "gradproof", "pytest", "git"}
    assert programs.index("pip") == 0


def test_the_install_makes_the_copy_what_is_imported(copy, tmp_path):
    (install,) = [command for command in COMMANDS if command[0] == "pip"]
    # no network: what the copy needs is there already, and goes on being what it is
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1", "PIP_TARGET": str(tmp_path)}
    assert "Successfully installed gradproof-" in call(copy, sys.executable, "-m", *install, **offline)
    assert list((tmp_path / "bin").glob("gradproof*"))
    code = "import site; site.addsitedir('.'); import gradproof, importlib.metadata as m; print(gradproof.__file__)"
    code += "; print(*[e.value for e in m.distribution('gradproof').entry_points])"
    # in an interpreter that has the temporary folder and no other packages
    alone = [sys.executable, "-I", "-S", "-c", code]
    found, entries = subprocess.run(alone, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == str(copy / "gradproof" / "__init__.py")
    assert set(entries.split()) == {"gradproof.__main__:main", "gradproof.pytest_plugin"}


def test_the_commands_of_gradproof_answer_as_the_page_says(extended, ask):
    every = [command for command in COMMANDS if command[0] == "gradproof"]
    assert len(every) >= 6
    before = (extended / "baseline.json").read_text(encoding="utf-8")
    said = {" ".join(command[1:]): ask(command) for command in every}
    for command, (code, text) in said.items():
        allowed = {0, 1} if command.startswith("mutants") else {CODES.get(command, 0)}  # a survivor is an answer
        assert code in allowed, f"{command}: {text}"
    assert "  d/dx" in said["report softplus"][1]
    assert "softplus: has no line in the baseline" in said["regress --changed"][1]
    assert "checked, softplus.py: new; operations.py: OPERATIONS: softplus" in said["regress --changed"][1]
    assert re.search(r"\d+ of +\d+ killed", said["mutants softplus"][1])
    assert "+ softplus x by torch: agrees" in said["accept --dry-run softplus"][1]
    assert "nothing got worse" in said["regress"][1]
    after = lines((extended / "baseline.json").read_text(encoding="utf-8"))
    new = [line for line in after if line not in lines(before)]
    assert new
    assert all("softplus" in line for line in new)
    assert len(after) == len(lines(before)) + len(new)
    # and what it adds to git is there
    for command in [command for command in COMMANDS if command[0] == "git"]:
        call(extended, *command)
    assert call(extended, "git", "diff", "--cached", "--name-only").split() == ["baseline.json"]


def test_its_tests_are_found_and_pass(extended, ask):
    (command,) = [command for command in COMMANDS if command[0] == "pytest"]
    code, said = ask([*command, "-q", "-p", "no:cacheprovider"])
    assert code == 0, said
    assert re.search(r"^\d+ passed, \d+ deselected", said, re.M)
