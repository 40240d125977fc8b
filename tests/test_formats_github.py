"""In GitHub Actions: annotations on the lines that are wrong, and the step's summary, without being asked."""

import pytest
from test_formats import QUICK, RIGHT, WRONG, told, verdict

from gradproof.cli import run
from gradproof.reporting.github import announce


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A wrong derivative in a repository's folder `code`, as a runner would see it."""
    root = tmp_path / "code"
    (root / "vjps").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.gradproof]\ndeclarations = ["vjps/*.py"]\n', encoding="utf-8")
    (root / "vjps" / "right.py").write_text(RIGHT, encoding="utf-8")
    (root / "vjps" / "wrong.py").write_text(WRONG, encoding="utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def runner(project, monkeypatch):
    """The environment of a step; the file of its summary."""
    summary = project.parent / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    return summary


def test_the_wrong_line_is_annotated_and_the_summary_is_added_to(runner, capsys):
    assert run(["report", *QUICK]) == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("::error file=code/vjps/wrong.py,line=11,title=wrong%3A d/dx is wrong::wrong: the gradient")
    assert "%0A  oracle differences" in line
    assert "::error" not in said.out
    text = runner.read_text(encoding="utf-8")
    assert text.startswith("before\n## Gradproof: 1 of 4 derivatives is wrong\n")


def test_what_is_right_is_not_annotated(runner, capsys):
    assert run(["report", "right", *QUICK]) == 0
    assert capsys.readouterr().err == ""
    assert "All 2 derivatives are right" in runner.read_text(encoding="utf-8")


def test_elsewhere_nothing_is_said(project, capsys):
    assert run(["report", *QUICK]) == 1
    assert capsys.readouterr().err == ""


def test_a_summary_that_cannot_be_written_is_a_line_and_changes_no_exit_code(runner, project, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project))
    assert run(["report", "right", *QUICK]) == 0
    assert capsys.readouterr().err.startswith(f"gradproof: no step summary: {project} cannot be written")


def test_what_a_runner_would_read_is_escaped(project, capsys):
    made = told(project, verdict("differs"), explanation="100% wrong\r\n::error::x", complete=False, interrupted=True)
    announce(made, {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(project / "vjps, old")})
    error, warning = capsys.readouterr().err.splitlines()
    assert error.endswith("title=wrong%3A d/dx is wrong::100%25 wrong%0D%0A::error::x")
    assert warning == "::warning title=gradproof::interrupted after 1 of 1 equations, before the rest of the report"


def test_undecided_is_a_warning_with_its_reason(project, capsys):
    announce(told(project, verdict("undecided", note="a staircase")), {"GITHUB_ACTIONS": "true"})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "::warning file=vjps/wrong.py,line=11,title=wrong%3A d/dx is undecided::a staircase"
