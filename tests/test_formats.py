"""What a machine reads of the report (JSON, JUnit, Markdown): one run, every word of the judge, whole files."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from gradproof import Result, Verdict, check
from gradproof.cli import run
from gradproof.config import find_project
from gradproof.reporting.junit import render as junit
from gradproof.reporting.markdown import LIMIT
from gradproof.reporting.markdown import render as markdown
from gradproof.reporting.origin import origin
from gradproof.reporting.outcome import Outcome, headline
from gradproof.reporting.plain import as_json
from gradproof.reporting.report import summarize
from gradproof.reporting.rows import rows
from gradproof.verdict import WORDS

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
RIGHT = '''"""Rows times a number."""
import numpy as np
from gradproof import Equation

def forward(x, c):
    return x * c

def backward(z_bar, z, x, c):
    c_bar = (z_bar * x).sum(axis=1, keepdims=True)
    return {
        "x": z_bar * c,
        "c": c_bar,
    }

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d, c: n 1 -> z: n d")
'''
WRONG = RIGHT.replace("z_bar * c,", "2 * z_bar * c,")
QUICK = ["--oracle", "contract", "--oracle", "differences", "--examples", "3"]
OPTIONS = ["--json", "r.json", "--junit", "r.xml", "--markdown", "r.md"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A right and a wrong derivative, judged from their root."""
    (tmp_path / "pyproject.toml").write_text('[tool.gradproof]\ndeclarations = ["vjps/*.py"]\n', encoding="utf-8")
    (tmp_path / "vjps").mkdir()
    (tmp_path / "vjps" / "right.py").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "vjps" / "wrong.py").write_text(WRONG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(results, chosen, **facts):
    """A run that came to these results."""
    given = {
        "complete": True,
        "interrupted": False,
        "seed": 3,
        "examples": None,
        "oracles": (),
        "seconds": 1.25,
        "versions": {"numpy": "2.4"},
        "command": ("report",),
        **facts,
    }
    return Outcome(results, chosen, facts.pop("project", find_project()), summarize(results, chosen), **given)


def told(project, *verdicts, **facts):
    """One equation of the project about which these verdicts were reached."""
    equation = find_project().equations["wrong"]
    settled = [Verdict(name, "torch", "vjp", "0:random", "agrees", 1e-16, 1e-14, 1e-13, 2.0) for name in "xc"]
    options = {k: facts.pop(k) for k in ("explanation", "where_found") if k in facts}
    result = Result("wrong", (*settled, *verdicts), ("x", "c"), **options)
    return outcome([result], {"wrong": equation}, **facts)


def verdict(word, oracle="jax", **facts):
    return Verdict("x", oracle, "vjp", "1:zeros", word, **{"error": 1.0, "bound": 1e-9, "ulps": 3.0, **facts})


# ---- all in one run


def test_every_format_is_written_in_one_run(project, capsys):
    assert run(["report", *QUICK, *OPTIONS]) == 1
    data = json.loads(Path("r.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, SCHEMA)
    wrong = data["equations"][1]
    assert (wrong["file"], wrong["rows"][0]["line"], wrong["rows"][1]["line"]) == ("vjps/wrong.py", 11, 12)
    suites = {suite.name: suite for suite in JUnitXml.fromfile("r.xml")}
    assert (suites["right"].failures, suites["wrong"].failures) == (0, 1)
    text = Path("r.md").read_text(encoding="utf-8")
    assert text.startswith("## Gradproof: 1 of 4 derivatives is wrong\n")
    assert "`vjps/wrong.py:11`" in text
    assert "to reproduce, on the smallest counterexample found" in text


def test_a_format_that_nobody_asked_for_is_not_written(project, capsys):
    assert run(["report", *QUICK, "--markdown", "r.md"]) == 1
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml", "r.md", "vjps"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json", "a", "--junit", "a"], "--json and --junit both name a, expected a file each"),
        (["--markdown", "vjps/../a", "--junit", "./a"], "expected a file each"),
        (["--junit", "vjps"], "vjps is a folder, expected a file"),
        (["--json", "a", "--markdown", "nowhere/b"], "there is no folder nowhere"),
        (["--pdf", "a"], "No such option --pdf"),
        (["--junit"], "requires an argument"),
    ],
)
def test_bad_files_are_one_line_and_leave_nothing(project, capsys, options, said):
    before = sorted(path for path in project.rglob("*") if "__pycache__" not in str(path))
    assert run(["report", *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0].replace("'", "")
    assert sorted(path for path in project.rglob("*") if "__pycache__" not in str(path)) == before


def test_ctrl_c_writes_what_was_done_so_far_to_every_file(project, capsys, monkeypatch):
    def interrupted(equation, **options):
        if equation.name == "wrong":
            raise KeyboardInterrupt
        return check(equation, **options)

    monkeypatch.setattr("gradproof.checking.check", interrupted)
    assert run(["report", *QUICK, *OPTIONS]) == 130
    assert capsys.readouterr().err == "gradproof: interrupted after 1 of 2 equations\n"
    data = json.loads(Path("r.json").read_text(encoding="utf-8"))
    jsonschema.validate(data, SCHEMA)
    assert data["complete"] is False
    assert [equation["name"] for equation in data["equations"]] == ["right"]
    assert JUnitXml.fromfile("r.xml").errors == 1
    assert "**Incomplete: interrupted after 1 of 2 equations.**" in Path("r.md").read_text(encoding="utf-8")


# ---- JSON


@pytest.mark.parametrize("word", WORDS)
def test_every_word_keeps_the_schema(project, word):
    jsonschema.validate(as_json(told(project, verdict(word))), SCHEMA)


def test_json_reads_back_as_it_was_and_holds_no_bare_infinity(project):
    nan, inf = float("nan"), float("inf")
    made = told(project, verdict("differs", ulps=nan, resolution=inf), where_found={"x": ((0, 1), nan, 2.0)})
    back = json.loads(json.dumps(as_json(made), allow_nan=False))
    jsonschema.validate(back, SCHEMA)
    (found,) = back["equations"]
    assert back["seed"] == 3
    assert found["where"]["x"] == {"index": [0, 1], "got": "nan", "expected": 2.0}
    assert found["rows"][0]["cells"][1]["ulps"] == "nan"
    assert back["summary"]["words"] == {"agrees": 1, "differs": 1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("complete"),
        lambda data: data.update(schema=2),
        lambda data: data.update(surplus=1),
        lambda data: data["equations"][0].update(word="fine"),
        lambda data: data["equations"][0]["rows"][0]["cells"][0].update(ulps="many"),
    ],
)
def test_the_schema_refuses_what_is_not_a_report(project, spoil):
    data = as_json(told(project, verdict("agrees")))
    data = json.loads(json.dumps(data))
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)


# ---- JUnit


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("agrees", None),
        ("subgradient", None),
        ("differs", Failure),
        ("missing", Failure),
        ("error", Error),
        ("undecided", Skipped),
    ],
)
def test_a_test_case_a_gradient_and_oracle_says_the_word(project, word, kind):
    text = junit(told(project, verdict(word, note="because"), explanation="2 times too large"))
    (suite,) = JUnitXml.fromstring(text.encode())
    cases = {case.name: case for case in suite}
    assert sorted(cases) == ["d/dc by torch", "d/dx by jax", "d/dx by torch"]
    assert not cases["d/dx by torch"].result
    case = cases["d/dx by jax"]
    assert [type(found) for found in case.result] == ([kind] if kind else [])
    assert (case._elem.get("file"), case._elem.get("line")) == ("vjps/wrong.py", "11")
    assert suite.tests == 3
    assert (suite.failures, suite.errors, suite.skipped) == tuple(int(kind is k) for k in (Failure, Error, Skipped))
    if kind:
        assert case.result[0].message.startswith(word)
        assert "because" in case.result[0].message
    if kind in (Failure, Error):
        assert case.result[0].text == "2 times too large"


def test_what_xml_cannot_write_is_replaced(project):
    text = junit(told(project, verdict("error", note="<b>&\x1b[31m\x00"), explanation="]]> \x08 <x>"))
    (suite,) = JUnitXml.fromstring(text.encode())
    found = [case.result[0] for case in suite if case.result]
    assert found[0].message == "error (vjp): <b>&?[31m?"
    assert found[0].text == "]]> ? <x>"


def test_nothing_checked_is_an_error(project):
    made = outcome([Result("wrong", (), ("x",))], {"wrong": find_project().equations["wrong"]})
    assert JUnitXml.fromstring(junit(made).encode()).errors == 1
    assert headline(made) == "1 of 1 equations could not be judged"
    assert "nothing was checked" in markdown(made)


def test_claims_at_fault_fail_their_case(project):
    for faults in (0, 2):
        found = JUnitXml.fromstring(junit(told(project, claims={"claims": 5, "faults": faults})).encode())
        assert found.failures == int(faults > 0)


# ---- Markdown


def test_markdown_of_many_failures_fits_a_comment(project):
    equation = find_project().equations["wrong"]
    long = "x" * 3000 + "\n" + "```\n" * 50
    results = [Result(f"e{n}", (verdict("differs"),), ("x",), explanation=long) for n in range(400)]
    text = markdown(outcome(results, {result.name: equation for result in results}))
    assert LIMIT * 0.8 < len(text) <= LIMIT
    shown = text.count("### e")
    assert f"... and {400 - shown} more wrong derivatives, in the whole report." in text
    assert len(re.findall("^````text$", text, re.MULTILINE)) == shown  # a longer fence than any inside
    assert text.count("<details>") == text.count("</details>")


def test_what_markdown_would_read_is_escaped(project):
    made = told(project, verdict("differs"))
    made.results[0].name = "a|b_<c>"
    made.chosen["a|b_<c>"] = made.chosen["wrong"]
    assert r"| a\|b\_\<c\> | d/dx |" in markdown(made)


def test_the_table_has_every_row_and_every_oracle(project):
    made = told(project, verdict("undecided"), verdict("subgradient", "kink"))
    lines = [line for line in markdown(made).splitlines() if line.startswith("| wrong")]
    assert len(lines) == len(rows(made.results[0])) == 2
    assert [cell.strip() for cell in lines[0].split("|")][4:11] == ["", "ok 4e-16", "open", "", "", "kink", "1e-13"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "All 2 derivatives are right"),
        ([verdict("subgradient", "kink")], "All 2 derivatives are right"),
        ([verdict("differs")], "1 of 2 derivatives is wrong"),
        ([verdict("undecided")], "1 of 2 derivatives are right, 1 undecided"),
        ([Verdict("output", "torch", "value", "0", "differs")], "1 forward value is wrong"),
        ([verdict("missing"), Verdict("output", "torch", "value", "0", "error")],
         "1 of 2 derivatives is wrong and 1 forward value is wrong"),
    ],
)  # fmt: skip
def test_the_headline_says_the_answer(project, found, said):
    assert headline(told(project, *found)) == said


def test_the_headline_of_an_unfinished_run_says_so(project):
    assert headline(told(project, complete=False, interrupted=True)) == "All 2 derivatives are right so far"


# ---- where it is written


def test_the_line_of_a_gradient_is_where_its_name_is_returned(project):
    equation = find_project().equations["wrong"]
    assert origin(equation, "x") == (project / "vjps" / "wrong.py", 11)
    assert origin(equation, "output") == (project / "vjps" / "wrong.py", 8)  # the def


def test_what_was_typed_at_a_prompt_has_no_line():
    from gradproof import Equation

    scope = {}
    exec("def forward(x): return x\ndef backward(z_bar, z, x): return {'x': z_bar}", scope)
    typed = Equation(forward=scope["forward"], backward=scope["backward"], shapes="x: n -> z: n")
    assert origin(typed, "x") is None
