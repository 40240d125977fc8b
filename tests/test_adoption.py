"""docs/adopting.md, the pre-commit hooks and the GitHub Action, tried in a scratch repository outside the tree."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gradproof.baseline import read
from gradproof.cli import run

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "adopting.md").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
SOFTPLUS = '''"""Softplus."""
import numpy as np
from gradproof import Equation


def forward(x):
    return np.logaddexp(0.0, x)


def backward(z_bar, z, x):
    return {"x": z_bar * np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x)))}


EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d")
'''


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def commands():
    every = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    return [command for command in every if command]


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """The repository of a stranger, as the page tells him to set it up, committed."""
    (tmp_path / "pyproject.toml").write_text(blocks("toml")[0], encoding="utf-8")
    (tmp_path / "references.py").write_text(blocks("python")[0], encoding="utf-8")
    (tmp_path / "mylayers").mkdir()
    (tmp_path / "mylayers" / "softplus.py").write_text(SOFTPLUS, encoding="utf-8")
    (tmp_path / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("references", None)


def wrong(theirs):
    text = SOFTPLUS.replace('{"x": z_bar', '{"x": 2 * z_bar')
    (theirs / "mylayers" / "softplus.py").write_text(text, encoding="utf-8")


def test_the_page_s_commands_answer_in_the_order_of_the_page(theirs, capsys):
    assert commands()[0] == ["gradproof", "accept"]
    for command in commands():
        if command[0] == "git":
            git(theirs, *command[1:])
            git(theirs, "commit", "-qm", "baseline")
            continue
        assert command[0] == "gradproof"
        if "--wrong" in command:
            wrong(theirs)
            assert run(["accept"]) == 1
            assert run(command[1:]) == 0
            assert list(read(theirs / "baseline.json").wrong) == ["softplus"]
            git(theirs, "checkout", "-q", ".")
            continue
        assert run(command[1:]) == 0, capsys.readouterr()
    assert {entry.oracle for entry in read(theirs / "baseline.json").entries.values()} >= {"jax", "contract", "ball"}
    said = capsys.readouterr().out
    assert f"Judging {theirs / 'mylayers'} against {theirs / 'baseline.json'}" in said
    assert "Changes since HEAD can affect 0 of 1 equations." in said


def test_the_hooks_let_a_right_commit_pass_and_stop_a_wrong_one(theirs, capsys):
    entries = re.findall(r"^  entry: gradproof (.*)$", HOOKS, re.M)
    ids = re.findall(r"^- id: (.*)$", HOOKS, re.M)
    assert len(entries) == len(ids) == 2
    assert set(re.findall(r"- id: ([\w-]+)", blocks("yaml")[0])) == set(ids)
    assert run(["accept", "-q", "--examples", "3"]) == 0
    git(theirs, "add", "-A")
    git(theirs, "commit", "-qm", "baseline")
    for entry in entries:
        assert run(entry.split()) == 0
    (theirs / "README.md").write_text("Words.\n", encoding="utf-8")
    assert run(entries[0].split()) == 0  # a commit without a derivative is no failure
    wrong(theirs)
    git(theirs, "add", "-A")  # as pre-commit finds it: staged
    capsys.readouterr()
    for entry in entries:
        assert run(entry.split()) == 1
        assert "softplus x by " in capsys.readouterr().out


@pytest.mark.parametrize(("changed", "arguments", "spoiled", "code"), [
    ("", "", False, 0),
    ("HEAD", "-q", False, 0),
    ("HEAD", "", True, 1),
    ("no such; exit 0", "", False, 2),
])  # fmt: skip
def test_the_action_s_step_runs_regress(theirs, changed, arguments, spoiled, code):
    assert run(["accept", "-q", "--examples", "2"]) == 0
    if spoiled:
        wrong(theirs)
    step = re.search(r"^      run: (python -m gradproof .*)$", ACTION, re.M)[1]
    here = {**os.environ, "CHANGED": changed, "ARGUMENTS": arguments, "OMP_NUM_THREADS": "1"}
    here["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{here['PATH']}"
    here["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(["bash", "-c", step], env=here, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    if code == 2:
        assert "git knows no revision 'no such; exit 0'" in done.stderr


def test_the_inputs_that_the_page_gives_the_action_are_inputs_of_it():
    given = re.search(r"        with:\n((?:          .*\n)+)$", blocks("yaml")[1])[1]
    inputs = set(re.findall(r"^  ([\w-]+):$", ACTION.partition("inputs:")[2].partition("runs:")[0], re.M))
    assert set(re.findall(r"^ +([\w-]+):", given, re.M)) <= inputs
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION))
    assert used == inputs
