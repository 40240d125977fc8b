"""`gradproof regress` and `gradproof accept` as commands: what they say, their exit codes, and an untouched file."""

import json
import re
import sys
from pathlib import Path

import pytest

from gradproof import verdict
from gradproof.baseline import read
from gradproof.cli import run
from gradproof.mutants.score import digest

EQUATION = '''"""A row times a number."""
import numpy as np
from gradproof import Equation

def forward(x, c):
    return x * c

def backward(z_bar, z, x, c):
    return {"x": %s, "c": np.sum(z_bar * x, axis=1)[:, None] * np.ones_like(c)}

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d, c: n 1 -> z: n d")
'''
RIGHT, WRONG = "z_bar * c", "2 * z_bar * c"
TESTS = '''
import numpy as np

def sine_vjp(u, x):
    return u * np.cos(x){factor}

def test_sine(assert_vjp):
    assert_vjp(np.sin, sine_vjp, (np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]]),))
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of somebody else with two right derivatives and a baseline."""
    table = '[tool.gradproof]\ndeclarations = ["vjps/*.py"]\n'
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    (tmp_path / "vjps").mkdir()
    for name in ("scale", "stretch"):
        (tmp_path / "vjps" / f"{name}.py").write_text(EQUATION % RIGHT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def accepted(project, capsys):
    """The same, and its baseline."""
    assert run(["accept", "--examples", "3"]) == 0
    capsys.readouterr()
    return project


def spoil(project, formula=WRONG, name="stretch"):
    (project / "vjps" / f"{name}.py").write_text(EQUATION % formula, encoding="utf-8")


def alter(project, change):
    """Write another baseline: `change` edits the data in place."""
    file = project / "baseline.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    change(data)
    file.write_text(json.dumps(data), encoding="utf-8")
    return file.read_bytes()


def said(capsys, arguments, code):
    assert run(arguments) == code
    return capsys.readouterr().out


def told(capsys, arguments, code=2):
    """The one line that a person can act on."""
    assert run(arguments) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("gradproof: ")
    return lines[0]


# ---- what regress says


def test_it_prints_the_folder_uses_the_baseline_s_run_and_finds_nothing_worse(accepted, capsys):
    text = said(capsys, ["regress"], 0)
    assert f"Judging {accepted / 'vjps'} against {accepted / 'baseline.json'}" in text
    assert "Mutation scores" not in text  # there are none in the baseline
    assert "compared: nothing got worse." in text
    assert said(capsys, ["regress", "-q"], 0) == ""


def test_the_seed_and_the_examples_are_the_baseline_s(project, capsys):
    assert run(["accept", "--examples", "2", "--seed", "7"]) == 0
    assert run(["regress"]) == 0
    kept = read(project / "baseline.json")
    assert (kept.seed, kept.examples) == (7, 2)
    assert run(["accept"]) == 0  # and an acceptance keeps them
    assert read(project / "baseline.json") == kept


def test_each_thing_that_got_worse_is_a_line_and_exit_code_1(accepted, capsys):
    spoil(accepted)
    lines = said(capsys, ["regress", "-q"], 1).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("stretch x by ")
    assert "was agrees, is differs; see why: gradproof report stretch" in lines[0]


def test_a_new_equation_and_one_that_is_gone_are_told(accepted, capsys):
    (accepted / "vjps" / "stretch.py").rename(accepted / "vjps" / "wider.py")
    text = said(capsys, ["regress"], 1)
    assert "stretch: was agrees on" in text
    assert "wider: has no line in the baseline, is agrees; once it is right, gradproof accept wider" in text
    assert said(capsys, ["regress", "scale"], 0)  # what was not asked for is not compared


def test_a_coarser_and_a_less_accurate_line_are_told(accepted, capsys):
    def change(data):
        for line in data["checks"]:
            line["resolution"] = 1e-18
            if line["oracle"] == "ball":
                line["ulps"] = 1e-9

    alter(accepted, change)
    text = said(capsys, ["regress"], 1)
    assert "resolved 1e-18, resolves" in text
    assert "was within 1e-09 ulps, is within 4; look for cancellation" in text


def test_a_derivative_that_became_slower_is_told_and_is_not_wrong(accepted, capsys):
    spoil(accepted, "np.array([u * a for u, a in zip(z_bar, c)])")
    (line,) = said(capsys, ["regress", "-q"], 1).splitlines()
    assert re.fullmatch(
        r"stretch: ran at most 16 lines of Python a call, runs up to \d+; look for a loop, or gradproof accept stretch",
        line,
    )
    assert "~ stretch costs: 16 lines a call, 2 times the memory -> " in said(capsys, ["accept", "stretch"], 0)
    assert said(capsys, ["regress", "-q"], 0) == ""


@pytest.mark.parametrize("package", ["numpy", "torch", "gradproof"])
def test_with_other_versions_it_says_what_comes_with_them(accepted, capsys, package):
    def change(data):
        data["versions"][package] = "0.0.1"
        for line in data["checks"]:
            line["resolution"] = 1e-18

    alter(accepted, change)
    text = said(capsys, ["regress"], 1)
    comes = "may come with other versions" in text
    assert comes is (package != "torch")  # no oracle here is torch: it has brought none of it
    assert f"{package} 0.0.1 -> " in text
    assert ("they made nothing worse" in text) is (package == "torch")


def test_with_other_versions_and_nothing_worse_it_says_so(accepted, capsys):
    alter(accepted, lambda data: data["versions"].update(jax="0.0.1"))
    assert "Other versions than the baseline's (jax 0.0.1 -> " in said(capsys, ["regress"], 0)


# ---- what accept writes and refuses


def test_accept_is_stable_and_shows_what_changes_first(accepted, capsys):
    kept = (accepted / "baseline.json").read_bytes()
    assert said(capsys, ["accept"], 0).count("\n") == 1
    assert (accepted / "baseline.json").read_bytes() == kept
    spoil(accepted, RIGHT, "wider")
    text = said(capsys, ["accept", "--dry-run"], 0)
    assert "+ wider x by contract: agrees" in text
    assert "would change" in text
    assert (accepted / "baseline.json").read_bytes() == kept
    assert said(capsys, ["accept"], 0).startswith("+ wider")
    assert run(["regress"]) == 0


def test_accept_by_name_leaves_the_other_lines(accepted, capsys):
    (accepted / "vjps" / "stretch.py").unlink()
    spoil(accepted, RIGHT, "wider")
    assert said(capsys, ["accept", "wider"], 0)
    assert read(accepted / "baseline.json").equations == ("scale", "stretch", "wider")
    assert "the other lines were made otherwise (seed 0 -> 3)" in told(capsys, ["accept", "wider", "--seed", "3"])


def test_what_is_wrong_is_refused_unless_by_name_with_a_reason_that_is_kept(accepted, capsys):
    kept = (accepted / "baseline.json").read_bytes()
    spoil(accepted)
    assert run(["accept"]) == 1
    out = capsys.readouterr()
    assert "stretch refused, so" in out.err
    assert "the gradient of x is wrong" in out.out
    assert (accepted / "baseline.json").read_bytes() == kept
    assert "+ wrong and accepted: the batch is to be summed" in said(
        capsys, ["accept", "--wrong", "stretch", "the batch is  to be summed"], 0
    )
    assert json.loads((accepted / "baseline.json").read_text())["wrong"] == {"stretch": "the batch is to be summed"}
    assert "stretch is wrong, as accepted: the batch is to be summed" in said(capsys, ["regress"], 0)
    assert run(["accept"]) == 0  # no more is wrong than was accepted
    assert read(accepted / "baseline.json").wrong
    spoil(accepted, RIGHT)
    assert "stretch was accepted as wrong and is right now; gradproof accept stretch" in said(capsys, ["regress"], 0)
    assert said(capsys, ["accept", "stretch"], 0)
    assert not read(accepted / "baseline.json").wrong


def test_a_reason_does_not_cover_what_is_wrong_besides(accepted, capsys):
    spoil(accepted)
    assert run(["accept", "--wrong", "stretch", "known"]) == 0
    text = (accepted / "vjps" / "stretch.py").read_text(encoding="utf-8")
    (accepted / "vjps" / "stretch.py").write_text(text.replace("np.sum(", "-np.sum("), encoding="utf-8")
    capsys.readouterr()
    assert "stretch c by" in said(capsys, ["regress"], 1)
    assert run(["accept"]) == 1


@pytest.mark.parametrize(("arguments", "text"), [
    (["--wrong", "stretch", " "], "has an empty reason"),
    (["--wrong", "stretch", "why"], "it is not wrong; leave it out"),
    (["--wrong", "strech", "why"], "it was not checked; leave it out"),
    (["strech"], "no equation is named 'strech'; did you mean stretch?"),
    (["--mutants", "none.json"], "scores none.json cannot be read"),
])  # fmt: skip
def test_bad_input_to_accept_leaves_the_file(accepted, capsys, arguments, text):
    kept = (accepted / "baseline.json").read_bytes()
    assert text in told(capsys, ["accept", *arguments])
    assert (accepted / "baseline.json").read_bytes() == kept


@pytest.mark.parametrize("command", ["accept", "regress"])
@pytest.mark.parametrize("content", ["{", '{"name": "package"}', '{"schema": 99, "versions": {}}'])
def test_a_file_that_is_no_baseline_of_ours_is_left_untouched(project, capsys, command, content):
    (project / "baseline.json").write_text(content, encoding="utf-8")
    assert "baseline" in told(capsys, [command])
    assert (project / "baseline.json").read_text(encoding="utf-8") == content


@pytest.mark.parametrize(("arguments", "text"), [
    (["accept", "stretch"], "there is no baseline"),
    (["regress"], "there is no baseline"),
])  # fmt: skip
def test_without_a_baseline_there_is_nothing_to_compare_or_to_change(project, capsys, arguments, text):
    assert text in told(capsys, arguments)


@pytest.mark.parametrize(("revision", "text"), [("HEAD", "in no git repository"), ("main", "in no git repository")])
def test_changed_without_a_repository_is_one_line(accepted, capsys, revision, text):
    assert run(["regress", "-q", f"--changed={revision}"]) == 2
    assert text in capsys.readouterr().err


def test_an_interrupted_acceptance_leaves_the_file(accepted, capsys, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    kept = (accepted / "baseline.json").read_bytes()
    monkeypatch.setattr("gradproof.checking.check", interrupt)
    assert "interrupted; " in told(capsys, ["accept"], 130)
    assert (accepted / "baseline.json").read_bytes() == kept


# ---- mutation scores


def scores(project, killed, of, name="stretch"):
    file = project / "vjps" / f"{name}.py"
    score = {"killed": killed, "of": of, "equivalent": 0, "complete": True, "source": digest(file.read_text("utf-8"))}
    (project / "mutants.json").write_text(json.dumps({"schema": 1, "equations": {name: score}}), encoding="utf-8")


def test_scores_are_taken_over_and_one_that_fell_is_told(accepted, capsys):
    scores(accepted, 10, 10)
    assert "+ stretch: 10 of 10 mutants killed" in said(capsys, ["accept", "--mutants", "mutants.json"], 0)
    assert "Mutation scores: 1 compared." in said(capsys, ["regress", "--mutants", "mutants.json"], 0)
    assert said(capsys, ["accept"], 0)  # an acceptance without scores keeps those there are
    scores(accepted, 9, 10)
    text = said(capsys, ["regress", "--mutants", "mutants.json"], 1)
    assert "stretch: 10 of 10 mutants killed, now 9 of 10 mutants killed; see gradproof mutants stretch" in text
    assert said(capsys, ["regress"], 1)  # found without being named
    (accepted / "mutants.json").unlink()
    assert "Mutation scores: not measured in this run" in said(capsys, ["regress"], 0)


def test_scores_of_another_text_are_none(accepted, capsys):
    scores(accepted, 10, 10)
    spoil(accepted, "z_bar * c * 1")
    assert "are of no source as it stands" in told(capsys, ["regress", "--mutants", "mutants.json"])
    assert "Mutation scores" not in said(capsys, ["regress"], 0)


# ---- a project that has tests that use the plug-in, and no declarations


@pytest.fixture
def tested(tmp_path, monkeypatch):
    """A project with a test that uses the plug-in, another that does not, and warnings that are errors."""
    strict = "[project]\nname = 'theirs'\n[tool.pytest.ini_options]\nfilterwarnings = ['error']\n"
    (tmp_path / "pyproject.toml").write_text(strict, encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_sine_rule.py").write_text(TESTS.format(factor=""), encoding="utf-8")
    (tmp_path / "tests" / "test_else.py").write_text("def test_no():\n    assert False\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("test_sine_rule", None)


def again(project, factor, text=TESTS):
    """Write the test anew; this process has imported it before."""
    sys.modules.pop("test_sine_rule", None)
    (project / "tests" / "test_sine_rule.py").write_text(text.format(factor=factor), encoding="utf-8")


def test_the_tests_that_use_the_plug_in_have_a_baseline_of_their_own(tested, capsys):
    name = "tests/test_sine_rule.py::test_sine::sine_vjp"
    first = verdict.made()
    assert "there is no baseline" in told(capsys, ["regress"])
    assert f"+ {name}" in said(capsys, ["accept", "--examples", "4"], 0)
    assert read(tested / "baseline.json").equations == (name,)
    assert "nothing got worse" in said(capsys, ["regress"], 0)
    again(tested, " * (1 + 1e-3)")
    text = said(capsys, ["regress"], 1)
    assert f"{name} x by " in text
    assert "see why: pytest tests/test_sine_rule.py::test_sine\n" in text
    assert "test_else" not in text
    assert run(["accept"]) == 1
    capsys.readouterr()
    again(tested, "", text="# it uses gradproof no more\n")
    assert f"{name}: was agrees on 3 lines, is no longer checked" in said(capsys, ["regress"], 1)
    (tested / "tests" / "test_sine_rule.py").unlink()
    assert "nothing to check" in told(capsys, ["regress"], 5)
    assert not [number for number in verdict.unread() if number >= first]


def test_tests_that_cannot_be_collected_are_one_line(tested, capsys):
    again(tested, " +")
    assert "the tests cannot be run: tests/test_sine_rule.py: SyntaxError" in told(capsys, ["accept"])
    assert "no test file that uses gradproof is named 'dense'; there are tests/test_sine_rule.py" in told(
        capsys, ["accept", "dense"]
    )


@pytest.mark.parametrize("command", ["accept", "regress"])
@pytest.mark.parametrize("text", [None, "[project]\nname = 'theirs'\n"])
def test_where_there_is_nothing_to_check_the_exit_code_is_5(tmp_path, capsys, monkeypatch, command, text):
    if text:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    line = told(capsys, [command], 5)
    assert "nothing to check" in line
    assert "[tool.gradproof] declarations" in line
    assert list(tmp_path.iterdir()) == [tmp_path / "pyproject.toml"] * bool(text)


def test_another_checkout_of_the_paper_is_not_judged(tmp_path, capsys, monkeypatch):
    (tmp_path / "derivs").mkdir()
    (tmp_path / "derivs" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'gradproof'\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command in ("regress", "accept"):
        assert f"run: pip install -e {tmp_path}" in told(capsys, [command])


# ---- the paper's own baseline


def test_the_committed_baseline_is_readable_and_of_every_equation_and_claim():
    from gradproof.config import find_project
    from gradproof.found import find

    found = find()
    kept = read(Path(__file__).resolve().parents[1] / "baseline.json")
    assert set(kept.equations) == set(find_project().equations)
    assert set(kept.claims) == set(found.claims())
    assert not kept.refused()
    assert not kept.wrong


def test_some_equations_and_claims_of_the_paper_are_as_they_were(capsys):
    text = said(capsys, ["regress", "relu", "dense", "eq-9"], 0)
    assert "of 2 equations, 2 costs and 1 claim compared: nothing got worse." in text
