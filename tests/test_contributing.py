"""CONTRIBUTING is executed: its two steps and each of its commands, in a scratch copy of a part of the project.

The copy has three operations and no printed claims, which is what makes it quick; the commands are run as they stand,
those of gradproof in one process that imports the copy, as after an editable install of it.
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
WORKER = """
import contextlib, io, json, sys
sys.dont_write_bytecode = True
from gradproof.cli import run
for arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(arguments)
    print(json.dumps([code, said.getvalue()]))
"""


def fenced(part):
    """The Python block of README that holds `part`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", readme, re.DOTALL | re.MULTILINE)
    (found,) = [textwrap.dedent(block) for block in blocks if part in block]
    return found


def call(copy, *command, code=0, **variables):
    here = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **variables}
    done = subprocess.run(command, cwd=copy, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def gradproof(copy, *every):
    """Exit code and words of each command, run one after the other in one process."""
    said = call(copy, sys.executable, "-c", WORKER, json.dumps(every))
    return [json.loads(line) for line in said.splitlines()]


def lines(text):
    """The lines of a baseline, without the comma that the last of a list lacks."""
    return [line.rstrip(",") for line in text.splitlines()]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The scratch copy with a committed baseline, and then softplus in two steps."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in KEPT:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for package in ("gradproof", "reference"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "derivs" / "paper" / "claims.json").write_text("[]", encoding="utf-8")
    (copy / ".gitignore").write_text("__pycache__/\n.hypothesis/\n", encoding="utf-8")
    assert gradproof(copy, ["accept", "-q"])[0][0] == 0
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
    assert set(programs) == {"pip", "gradproof", "pytest", "git", "tox"}
    assert programs.index("pip") == 0
    assert COMMANDS[-1] == ["tox"]
    # tox would run this very test: it is what CI runs, and a test of the setup holds that
    assert "tox" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").split()


def test_the_install_is_what_pip_would_install(copy):
    (install,) = [command for command in COMMANDS if command[0] == "pip"]
    offline = {"PIP_DRY_RUN": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_DEPS": "1"}
    said = call(copy, sys.executable, "-m", *install, **offline)
    assert "Would install gradproof-" in said


def test_the_commands_of_gradproof_answer_as_the_page_says(copy):
    every = [command[1:] for command in COMMANDS if command[0] == "gradproof"]
    assert len(every) >= 6
    before = (copy / "baseline.json").read_text(encoding="utf-8")
    said = {" ".join(command): answer for command, answer in zip(every, gradproof(copy, *every), strict=True)}
    for command, (code, text) in said.items():
        allowed = {0, 1} if command.startswith("mutants") else {CODES.get(command, 0)}  # a survivor is an answer
        assert code in allowed, f"{command}: {text}"
    assert "  d/dx" in said["report softplus"][1]
    assert "softplus: has no line in the baseline" in said["regress --changed"][1]
    assert "checked, softplus.py: new; operations.py: OPERATIONS: softplus" in said["regress --changed"][1]
    assert re.search(r"\d+ of +\d+ killed", said["mutants softplus"][1])
    assert "+ softplus x by torch: agrees" in said["accept --dry-run softplus"][1]
    assert "nothing got worse" in said["regress"][1]
    after = lines((copy / "baseline.json").read_text(encoding="utf-8"))
    new = [line for line in after if line not in lines(before)]
    assert new
    assert all("softplus" in line for line in new)
    assert len(after) == len(lines(before)) + len(new)


def test_its_tests_are_found_and_pass(copy):
    (command,) = [command for command in COMMANDS if command[0] == "pytest"]
    said = call(copy, sys.executable, "-m", *command, "-q", "-p", "no:cacheprovider")
    assert re.search(r"^\d+ passed, \d+ deselected", said, re.M)


def test_what_it_adds_to_git_is_there(copy):
    for command in [command for command in COMMANDS if command[0] == "git"]:
        call(copy, *command)
    assert call(copy, "git", "diff", "--cached", "--name-only").split() == ["baseline.json"]
