"""The report in rows and words, from results made by hand: every word of the judge, and 80 columns."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gradproof import Equation, Result, Verdict
from gradproof.claims import check as claims
from gradproof.cli import run
from gradproof.reporting.report import body, closing, exit_code, heading, spans, summarize
from gradproof.reporting.rows import ORACLES, rows
from gradproof.verdict import WORDS


def forward(x, w):
    return x @ w


def backward(z_bar, z, x, w):
    return {"x": z_bar @ w.T, "w": x.T @ z_bar}


def equation(**facts):
    return Equation(
        **{
            "forward": forward,
            "backward": backward,
            "shapes": "x: n d, w: d m -> z: n m",
            "title": "Product",
            "paper": ("7", "46", "47", "48", "20-relu"),
            **facts,
        }
    )


DECLARED = equation()


def result(*verdicts, **facts):
    found = (Verdict("z", "torch", "value", "1:random", "agrees", 1e-16, 1e-14, 1e-13, 2.0), *verdicts)
    return Result(facts.pop("name", DECLARED.name), found, ("x", "w"), **facts)


def verdict(word, input="x", oracle="torch", **facts):
    return Verdict(
        input,
        oracle,
        "vjp",
        **{"sample": "1:random", "word": word, "error": 1e-16, "resolution": 1e-12, "ulps": 2.0, **facts},
    )


def settled():
    return [verdict("agrees", name, oracle) for name in "xw" for oracle in ORACLES]


def text(*results, **options):
    return "\n".join(line for line, _ in body(results, {DECLARED.name: DECLARED}, **options))


def test_a_row_for_the_value_and_for_each_gradient_in_the_order_of_the_inputs():
    table = rows(result(verdict("agrees", "w"), verdict("agrees", "x")))
    assert [(row.input, row.value) for row in table] == [("z", True), ("x", False), ("w", False)]


@pytest.mark.parametrize("word", WORDS)
def test_a_cell_says_the_worst_word_of_its_samples(word):
    row = rows(result(verdict("agrees"), verdict(word, sample="2:zeros")))[1]
    assert (row.cells["torch"].word, row.word, row.samples) == (word, word, 2)


def test_a_cell_says_the_worst_error_and_the_median_resolution_that_agreed():
    found = [
        verdict("agrees", ulps=2.0, resolution=1e-9),
        verdict("agrees", ulps=8.0, resolution=1e-12, sample="2:zeros"),
        verdict("agrees", ulps=0.0, resolution=1e-15, sample="3:random"),
        verdict("agrees", ulps=0.0, resolution=0.0, sample="4:empty"),
        verdict("undecided", ulps=1.0, resolution=1e-16, sample="5:ties"),
    ]
    cell = rows(result(*found))[1].cells["torch"]
    assert (cell.ulps, cell.resolution, cell.samples) == (8.0, 1e-12, 5)


def test_a_row_resolves_as_its_finest_oracle_does_on_the_median_sample():
    found = [verdict("agrees", oracle=o, resolution=r) for o, r in (("torch", 1e-14), ("differences", 1e-9))]
    assert rows(result(*found))[1].resolution == 1e-14


def test_an_error_that_is_not_a_number_is_the_worst():
    assert math.isnan(
        rows(result(verdict("differs", ulps=math.nan), verdict("agrees", ulps=9.0)))[1].cells["torch"].ulps
    )


@pytest.mark.parametrize("word", WORDS)
def test_every_line_of_the_table_fits_80_columns(word):
    found = [verdict(word, name, oracle, ulps=1.2e300) for name in "xw" for oracle in ORACLES]
    lines = text(result(*found)).splitlines()
    assert max(map(len, lines)) <= 80


def test_a_long_heading_is_folded_into_80_columns_and_keeps_every_number():
    long = equation(
        title="A title " * 20, paper=tuple(str(number) for number in range(1, 60, 2)), tables=("2", "3")
    )
    lines = heading(long).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(f"({number})" in heading(long) for number in range(1, 60, 2))


def test_what_was_refused_is_explained_after_the_table():
    bad = result(*settled(), verdict("differs"), explanation="x differs: 2 times too large")
    assert text(bad).rstrip().endswith("x differs: 2 times too large")
    assert "DIFFERS" in text(bad)


def test_quiet_leaves_out_what_is_right_and_keeps_what_is_wrong():
    assert text(result(*settled()), quiet=True) == ""
    assert "DIFFERS" in text(result(*settled(), verdict("differs")), quiet=True)
    assert "open" in text(result(*settled(), verdict("undecided")), quiet=True)


@pytest.mark.parametrize(
    ("word", "code"),
    [("agrees", 0), ("subgradient", 0), ("undecided", 4), ("missing", 1), ("differs", 1), ("error", 1)],
)
def test_the_exit_code_of_each_word(word, code):
    assert exit_code([result(*settled()), result(*settled(), verdict(word))]) == code


def test_wrong_weighs_more_than_undecided_and_nothing_checked_is_wrong():
    assert exit_code([result(*settled(), verdict("undecided")), result(*settled(), verdict("differs"))]) == 1
    assert exit_code([Result("empty", (), ("x",))]) == 1
    assert exit_code([result(verdict("agrees", "x"))]) == 4  # nobody spoke of w


def test_the_summary_counts_what_the_paper_numbers_and_names_what_is_left():
    summary = summarize([result(*settled())], {DECLARED.name: DECLARED}, ("1", "7", "20-relu", "46"))
    assert summary.covered == ("7", "20-relu", "46")
    assert summary.uncovered == ("1",)
    assert (summary.equations, summary.gradients, summary.words) == (1, 2, {"agrees": 3})
    lines = closing(summary, "/somewhere/derivs", 1.2, {"numpy": "2.4"}, 7)
    assert "3 of the paper's 4 numbered equations are covered; not: 1." in lines
    assert lines[-2:] == ["Judged: /somewhere/derivs", "numpy 2.4; seed 7."]
    many = summarize([result(*settled())], {DECLARED.name: DECLARED}, ("1", "2", "3", "4", "7", "20-relu", "46"))
    assert any("numbered equations are covered." in line for line in closing(many, "/d", 1.2, {}, 7))


def test_numbers_in_a_row_are_drawn_together():
    assert spans(("48", "7", "46", "47", "20-relu", "13", "14")) == ["7", "13", "14", "20-relu", "46-48"]


def test_the_summary_of_a_part_fits_80_columns_and_names_every_missing_number():
    numbered = tuple(str(n) for n in range(1, 63))
    summary = summarize([result(*settled())], {DECLARED.name: DECLARED}, numbered)
    summary = replace(summary, covered=numbered[:31])
    lines = closing(summary, "derivs", 1.2, {"numpy": "2.4"}, 7)
    assert max(map(len, lines)) <= 80
    assert all(re.search(rf"\b{number}\b", " ".join(lines)) for number in summary.uncovered)


# ---- what the paper prints


@pytest.fixture
def some_claims(monkeypatch, tmp_path):
    """A report of the paper in which every equation takes no time, and three claims are all."""
    whole = claims.check_paper
    monkeypatch.chdir(Path(__file__).parents[1])
    monkeypatch.setattr("gradproof.selection.select", lambda equations, *rest: [equations["dense"]])
    monkeypatch.setattr("gradproof.checking.check", lambda *a, **k: result(*settled(), name="dense"))
    monkeypatch.setattr(claims, "check_paper", lambda **options: whole(("eq-8", "eq-9", "eq-10"), **options))
    return tmp_path / "report.json"


def test_the_papers_report_ends_with_what_its_claims_came_to(some_claims, capsys):
    assert run(["report", "--json", str(some_claims)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "The paper prints 3 claims: 2 hold, 0 hold under a convention, 1 refuted, 0" in said
    counts = json.loads(some_claims.read_text(encoding="utf-8"))["claims"]
    assert (counts["claims"], counts["holds"], counts["refuted"], counts["faults"]) == (3, 2, 1, 0)


@pytest.mark.parametrize("selection", [["dense"], ["-k", "dense"]])
def test_a_report_of_some_equations_says_nothing_of_the_claims(some_claims, capsys, selection):
    assert run(["report", *selection, "--json", str(some_claims)]) == 0
    assert "The paper prints" not in capsys.readouterr().out
    assert json.loads(some_claims.read_text(encoding="utf-8"))["claims"] == {}


def test_a_claim_that_contradicts_its_entry_fails_the_report(some_claims, capsys, monkeypatch):
    right = claims.check_paper

    def spoiled(**options):
        paper, (first, *others) = right(**options)
        return paper, [replace(first, faults=("planted",)), *others]

    monkeypatch.setattr(claims, "check_paper", spoiled)
    assert run(["report"]) == 1
    assert "1 entries are at fault" in " ".join(capsys.readouterr().out.split())


def test_ctrl_c_among_the_claims_keeps_the_report(some_claims, capsys, monkeypatch):
    def interrupted(**options):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "check_paper", interrupted)
    assert run(["report", "--json", str(some_claims)]) == 130
    assert json.loads(some_claims.read_text(encoding="utf-8"))["complete"] is False
    assert "interrupted" in capsys.readouterr().err
