"""The command line: exit codes, one clear line for bad input, and nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradproof import __name__ as gradproof_name
from gradproof.cli import run

DECLARATION = '''
"""A row times a number. paper (1)"""
import numpy as np
from gradproof import Equation

def forward(x, c):
    return x * c

def backward(z_bar, z, x, c):
    return {"x": %s, "c": np.sum(z_bar * x, axis=1)[:, None] * np.ones_like(c)}

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d, c: n 1 -> z: n d")
'''
QUICK = ["--oracle", "contract", "--oracle", "differences", "--examples", "3"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of somebody else: two right derivatives, judged from its root."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.gradproof]\ndeclarations = ["vjps/*.py"]\n', encoding="utf-8"
    )
    (tmp_path / "vjps").mkdir()
    for name in ("scale_rows", "stretch"):
        (tmp_path / "vjps" / f"{name}.py").write_text(DECLARATION % "z_bar * c", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spoil(project, name="stretch", formula="2 * z_bar * c"):
    (project / "vjps" / f"{name}.py").write_text(DECLARATION % formula, encoding="utf-8")


def one_line(capsys):
    """What was said to stderr: one line, that a person can act on."""
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.strip()]
    assert len(lines) == 1, said.err
    assert lines[0].startswith("gradproof: ")
    assert "Traceback" not in said.err + said.out
    return lines[0]


def test_right_derivatives_are_reported_with_exit_code_0(project, capsys):
    assert run(["report", *QUICK]) == 0
    said = capsys.readouterr()
    assert "scale_rows" in said.out
    assert "d/dx" in said.out
    assert str(project / "vjps") in said.out
    assert said.err == ""
    assert "\x1b" not in said.out


def test_a_wrong_derivative_is_exit_code_1_and_explained(project, capsys):
    spoil(project)
    assert run(["report", *QUICK]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_x_stops_at_the_first_wrong_derivative(project, capsys):
    spoil(project, "scale_rows")
    assert run(["report", "-x", *QUICK]) == 1
    assert "stretch" not in capsys.readouterr().out


def test_q_says_only_the_summary_when_all_is_right(project, capsys):
    assert run(["report", "-q", *QUICK]) == 0
    assert "d/dx" not in capsys.readouterr().out


def test_k_and_names_choose(project, capsys):
    assert run(["report", "-k", "not stretch", *QUICK]) == 0
    assert "stretch" not in capsys.readouterr().out
    assert run(["report", "stretch", *QUICK]) == 0
    assert "scale_rows" not in capsys.readouterr().out


def test_json_is_written_whole_and_reads_back(project, capsys):
    assert run(["report", *QUICK, "--json", "out.json"]) == 0
    data = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert data["complete"] is True
    assert [equation["name"] for equation in data["equations"]] == ["scale_rows", "stretch"]
    assert data["equations"][0]["rows"][0]["cells"]


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["report", "strech"], 2, "no equation is named 'strech'; did you mean stretch?"),
    (["report", "-k", "nothing"], 5, "no equation matches -k 'nothing'"),
    (["report", "-k", "a and"], 2, "is no expression"),
    (["report", "-k", "(a"], 2, "lacks a closing parenthesis"),
    (["report", "--oracle", "tensorflow"], 2, "'tensorflow' is not one of 'contract'"),
    (["report", "--examples", "0"], 2, "0 is not in the range"),
    (["report", "--seed", "-1"], 2, "-1 is not in the range"),
    (["report", "--json", "nowhere/out.json"], 2, "there is no folder nowhere"),
    (["report", "--json", "vjps"], 2, "vjps is a folder"),
    (["report", "--wrong"], 2, "No such option"),
    (["reprot"], 2, "No such command"),
    (["regress"], 2, "there is no baseline"),
    (["accept", "--baseline", "nowhere/baseline.json"], 2, "there is no folder nowhere"),
    (["train", "resnet"], 2, "resnet"),
])  # fmt: skip
def test_bad_input_is_one_line_with_a_remedy(project, capsys, arguments, code, said):
    before = sorted(project.rglob("*"))
    assert run(arguments) == code
    assert said in one_line(capsys)
    assert [path for path in sorted(project.rglob("*")) if "__pycache__" not in str(path)] == before


@pytest.mark.parametrize(("text", "said"), [
    ("[tool.gradproof\n", "cannot be read as TOML"),
    ("[tool]\ngradproof = 3\n", "expected a table"),
    ("[tool.gradproof]\n", "names no declarations"),
    ("[tool.gradproof]\ndeclarations = 'vjps'\n", "expected a list"),
    ("[tool.gradproof]\ndeclarations = ['none/*.py']\n", "no file there is called so"),
    ("[tool.gradproof]\ndeclarations = ['/vjps/*.py']\n", "is no glob from that folder"),
    ("[tool.gradproof]\ndeclarations = ['vjps**/*.py']\n", "is no glob from that folder"),
    ("[tool.gradproof]\ndeclarations = ['vjps/*.py']\nreference = ['r.py']\n", "has no 'reference'; expected decl"),
    ("[tool.gradproof]\ndeclarations = ['no_such_package']\n", "no package 'no_such_package'"),
    ("[tool.gradproof]\ndeclarations = ['vjps']\nreferences = ['vjps/stretch.py']\n", "has no REFERENCES"),
])  # fmt: skip
def test_a_configuration_that_names_nothing_is_told(project, capsys, text, said):
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    assert run(["report"]) == 2
    assert said in one_line(capsys)


@pytest.mark.parametrize(("text", "said"), [
    ("def backward(z_bar, z, x): ...\n", "has a backward and no EQUATION"),
    ("EQUATION = 3\n", "EQUATION is a int"),
    ("import no_such_thing\n", "no_such_thing"),
    ("1 / 0\n", "ZeroDivisionError"),
    ("def broken(:\n", "SyntaxError"),
    ((DECLARATION % "z_bar").replace("c: n 1 ->", "c: n 1, c: n ->"), "'c' is declared twice"),
])  # fmt: skip
def test_a_declaration_that_cannot_be_used_is_told(project, capsys, text, said):
    (project / "vjps" / "stretch.py").write_text(text, encoding="utf-8")
    assert run(["report"]) == 2
    assert said in one_line(capsys)


def test_two_equations_of_one_name_are_told(project, capsys):
    (project / "vjps" / "more").mkdir()
    (project / "vjps" / "more" / "stretch.py").write_text(DECLARATION % "z_bar * c", encoding="utf-8")
    (project / "pyproject.toml").write_text(
        '[tool.gradproof]\ndeclarations = ["vjps/**/*.py"]\n', encoding="utf-8"
    )
    assert run(["report"]) == 2
    assert "two equations are named 'stretch'" in one_line(capsys)


def test_our_own_fault_is_exit_code_3_with_a_traceback(project, capsys, monkeypatch):
    monkeypatch.setattr("gradproof.run.check_all", lambda *a, **k: 1 / 0)
    assert run(["report"]) == 3
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "internal error: ZeroDivisionError" in said


def test_an_interrupted_report_writes_what_was_done_and_is_exit_code_130(project, capsys, monkeypatch):
    import gradproof.checking

    right = gradproof.checking.check

    def interrupted(equation, **options):
        if equation.name == "stretch":
            raise KeyboardInterrupt
        return right(equation, **options)

    monkeypatch.setattr(gradproof.checking, "check", interrupted)
    assert run(["report", *QUICK, "--json", "out.json"]) == 130
    data = json.loads(Path("out.json").read_text(encoding="utf-8"))
    assert data["complete"] is False
    assert [equation["name"] for equation in data["equations"]] == ["scale_rows"]
    assert "interrupted after 1 of 2" in one_line(capsys)


def test_python_m_is_the_console_script():
    done = subprocess.run(
        [sys.executable, "-m", gradproof_name, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("gradproof ")


def test_a_reader_that_left_is_no_error():
    code = "import sys; from gradproof.__main__ import main; sys.argv = ['gradproof', 'report', '--help']; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert b"Traceback" not in said


def test_a_reader_that_leaves_keeps_no_file_and_no_verdict_from_anybody(project):
    spoil(project)
    code = f"import sys; from gradproof.cli import run; sys.exit(run({['report', *QUICK, '--json', 'out.json']!r}))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, b"")
    assert json.loads(Path("out.json").read_text(encoding="utf-8"))["complete"] is True


def test_a_command_that_nobody_reads_any_more_ends_without_a_verdict(capfd, project, monkeypatch):
    def left(*a, **k):
        raise BrokenPipeError

    monkeypatch.setattr("gradproof.cli.nobody_reads", lambda: None)
    monkeypatch.setattr("gradproof.run.check_all", left)
    assert run(["report"]) == 141
    assert capfd.readouterr().err == ""


def test_stdout_on_a_full_disk_is_one_line_and_the_files_are_written(project):
    code = f"import sys; from gradproof.cli import run; sys.exit(run({['report', *QUICK, '--json', 'out.json']!r}))"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=buffered
        )
    assert done.returncode == 2
    assert done.stderr == (
        "gradproof: the output cannot be written: No space left on device; make room, or send it elsewhere\n"
    )
    assert Path("out.json").exists()


@pytest.mark.parametrize(("name", "near"), [("repot", "report"), ("chek", "check"), ("mutant", "mutants")])
def test_a_misspelt_command_has_its_neighbour_named(capsys, name, near):
    assert run([name]) == 2
    assert f"No such command '{name}', did you mean {near}?" in one_line(capsys)


def test_each_command_is_told_in_a_whole_sentence_and_in_the_readme(capsys):
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
    assert len(listed) == 8
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    for line in listed:
        name, words = line.split(maxsplit=1)
        assert words.endswith(".")
        assert not words.endswith("...")
        assert f"| `gradproof {name}` |" in readme
