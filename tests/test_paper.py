"""The paper's claims: each is evaluated, no entry contradicts that, and the judge catches what is planted."""

import json
import subprocess
import sys
from dataclasses import replace
from math import exp, log
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import reference.paper as truths
from derivs.paper.notation import ROWS, WINDOWS
from derivs.paper.rows import Cells
from gradproof import Claim
from gradproof.claims import proofs, report
from gradproof.claims.check import check_paper
from gradproof.claims.choices import measure
from gradproof.claims.errata import page
from gradproof.claims.evidence import Evidence
from gradproof.claims.judge import VERDICTS, judge
from gradproof.claims.latex import plain
from gradproof.claims.load import load
from gradproof.claims.sample import Sample, Undefined
from gradproof.cli import run
from gradproof.errors import DeclarationError, InputError
from gradproof.oracles import compilation
from reference.paper_maps import maps

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def judged():
    """The paper and its 285 findings."""
    return check_paper()


@pytest.fixture(scope="session")
def found(judged):
    """The findings by id."""
    return {finding.claim.id: finding for finding in judged[1]}


def verdict(claim, use=truths, prove=True):
    """What the judge says of one claim of our own, on the paper's settings."""
    return judge(claim, Evidence([claim], load().settings, use), prove)


# ---- the samples


def test_no_sigmoid_of_the_tables_saturates():
    """There 1 - A is rounding, and PyTorch's quotients by it are not JAX's: no claim was at fault."""
    settings = load().settings
    for name, count in (("table 2", 2), ("table 3", 2), ("table 4", 4)):
        for seed in range(100):
            t = SimpleNamespace(**settings[name].draw(np.random.default_rng(seed), settings[name].shapes[0]))
            z = t.X
            for layer in range(1, count + 1):
                z = np.maximum(z, 0.0) if layer > 1 else z
                z = z @ getattr(t, f"W{layer}") + getattr(t, f"b{layer}")
            assert np.max(np.abs(z)) < 12, (name, seed)


def test_no_window_of_table_6_has_a_tie_where_none_is_wanted():
    """ReLU makes two zeros of two negative numbers: the maps stay above it."""

    def filtered(maps, kernel, bias):
        windows = np.lib.stride_tricks.sliding_window_view(maps, kernel.shape, axis=(1, 2))
        return np.tensordot(windows, kernel, 2) + bias

    setting = load().settings["table 6"]
    for seed in range(100):
        t = SimpleNamespace(**setting.draw(np.random.default_rng(seed), setting.givens[WINDOWS][0], WINDOWS))
        first = filtered(t.X, t.K1, t.b1)
        n, rows, columns = (size // s * s for size, s in zip(first.shape, (1, t.p, t.p), strict=True))
        cut = first[:, :rows, :columns].reshape(n, rows // t.p, t.p, columns // t.p, t.p)
        assert min(first.min(), filtered(cut.max((2, 4)), t.K2, t.b2).min()) > 0, seed


# ---- the 285 claims


def test_every_listed_claim_has_a_verdict_and_no_entry_contradicts_it(judged):
    listed = json.loads((ROOT / "derivs/paper/claims.json").read_text(encoding="utf-8"))
    _, findings = judged
    assert [finding.claim.id for finding in findings] == [item["id"] for item in listed]
    assert len(findings) == 285
    assert {finding.verdict for finding in findings} == set(VERDICTS)
    assert not [(finding.claim.id, finding.faults) for finding in findings if finding.faults]


def test_a_refuted_claim_has_a_counterexample_a_right_form_and_a_group(judged):
    paper, findings = judged
    refuted = [finding for finding in findings if finding.verdict == "refuted"]
    assert refuted
    for finding in refuted:
        assert finding.counterexample is not None
        assert finding.counterexample.inputs is finding.shown.inputs  # the small one, not a random sample
        assert finding.claim.right
        assert finding.claim.group in paper.groups
    assert {finding.claim.group for finding in refuted} == set(paper.groups)


def test_the_small_examples_are_small(found):
    for finding in found.values():
        if finding.verdict == "refuted":
            sizes = [np.size(value) for value in finding.counterexample.inputs.values()]
            assert max(sizes) <= 16, finding.claim.id


def test_a_convention_names_itself_and_shows_the_literal_reading_failing(found):
    for finding in found.values():
        assert (finding.convention is not None) == (finding.verdict == "convention")
        if finding.convention:
            assert finding.counterexample.problem


def test_what_is_damaged_names_a_legible_twin(found):
    damaged = [finding.claim for finding in found.values() if finding.claim.damage]
    assert damaged
    for claim in damaged:
        assert claim.twin in found
        assert not found[claim.twin].claim.damage, f"{claim.id}: its twin {claim.twin} is damaged itself"


def test_verdicts_do_not_depend_on_the_seed(found):
    for finding in check_paper(["eq-29", "eq-18", "eq-30", "table-2"], seed=7)[1]:
        assert (finding.verdict, finding.faults) == (found[finding.claim.id].verdict, ())


def test_a_parameter_whose_row_does_not_close_does_not_hold():
    for claim in Cells("table-2", "layer-2", 2).parameters("A1"):
        assert verdict(claim).verdict == "holds"
    for claim in Cells("table-2", "layer-2", 2).parameters("X"):
        assert verdict(claim).verdict == "refuted"


def test_identities_are_proved(found):
    proved = {name for name, finding in found.items() if finding.proved}
    wanted = [
        name for name in found if name.startswith(("eq-12/", "eq-18/", "eq-28", "eq-29/", "eq-35-expansion"))
    ]
    assert set(wanted) <= proved


# ---- recomputed with pen and paper


def test_by_hand_61(found):
    """X is 1..16 in rows, K = [[1, 2], [3, 4]], dJ/dZ_1 all ones: dJ/dx[1,1] adds up the kernel."""
    shown = found["eq-61/final"].counterexample
    assert shown.printed == pytest.approx(2 + 1)
    assert shown.true == pytest.approx(4 + 3 + 2 + 1)


def test_by_hand_softmax_27(found):
    """e^z = (1, 2): a_2 = 2/3, its slope 2/3 . 1/3; the printed line is e^z_2 . 3^2 / 3^2."""
    shown = found["eq-27/line-3"].counterexample
    assert shown.printed == pytest.approx(2)
    assert shown.true == pytest.approx(2 / 9)


def test_by_hand_table_4(found):
    """X = 2, A1 = 2, A2 = 1, A3 = 3, A4 = 1/2, Y = 1: every dJ/dZ is A4 - Y = -1/2."""
    shown = found["table-4/layer-2/dW"].counterexample
    assert shown.printed == pytest.approx(np.array([[-0.5 * 1]]))
    assert shown.true == pytest.approx(np.array([[2 * -0.5]]))


def test_by_hand_tanh_18(found):
    """e^Z = 2: (4 + 1/4 - (4 - 1/4)) / (4 + 1/4) as printed, 1 - (3/5)^2 in truth."""
    shown = found["eq-18/line-2"].counterexample
    assert shown.printed == pytest.approx(np.array([[0.5 / 4.25]]))
    assert shown.true == pytest.approx(np.array([[1 - 0.36]]))


# ---- the judge on the guilty

RIGHT = {"right": "A - Y", "why": "planted", "group": "wording"}
A_MINUS_Y = Claim("planted", "softmax", "dJ/dZ", lambda t: t.A - t.Y, given=ROWS)
SLOPE = Claim("planted", "softmax", "dJ/dA", lambda t: -t.Y / t.A, prove=True)


def test_a_true_claim_holds_and_is_proved():
    finding = verdict(SLOPE)
    assert (finding.verdict, finding.proved, finding.faults) == ("holds", True, ())


def test_a_false_claim_is_refuted_and_its_missing_right_form_is_a_fault():
    finding = verdict(replace(SLOPE, literal=lambda t: t.Y / t.A, prove=False))
    assert finding.verdict == "refuted"
    assert "no right form" in finding.faults[0]


@pytest.mark.parametrize("factor", [1.001, 1 + 1e-8, -1.0, 0.0, np.nan, np.inf])
def test_a_factor_is_caught_in_the_claim_and_in_the_correction(factor):
    wrong, truth = (lambda t: -t.Y / t.A * factor), (lambda t: -t.Y / t.A)
    put_right = verdict(replace(SLOPE, literal=wrong, corrected=truth, prove=False, **RIGHT))
    assert (put_right.verdict, put_right.faults) == ("refuted", ())
    put_wrong = verdict(replace(SLOPE, literal=lambda t: t.Y, corrected=wrong, prove=False, **RIGHT))
    assert put_wrong.verdict == "refuted"
    assert "the right form is wrong" in put_wrong.faults[0]


def test_a_correction_of_what_holds_is_a_fault_and_does_not_refute():
    finding = verdict(replace(SLOPE, corrected=lambda t: t.Y, **RIGHT))
    assert finding.verdict == "holds"
    assert "a right form is given for a claim that holds" in finding.faults[0]


def test_a_convention_for_what_holds_is_a_fault():
    finding = verdict(replace(SLOPE, under={"a sign left out": lambda t: t.Y / t.A}))
    assert finding.verdict == "holds"
    assert "a convention is given for a claim that holds" in finding.faults[0]


def test_a_convention_that_does_not_hold_saves_nothing():
    finding = verdict(replace(SLOPE, literal=lambda t: t.Y, under={"none": lambda t: t.A}, prove=False))
    assert finding.verdict == "refuted"
    assert "the convention 'none' fails too" in finding.faults[0]


def test_a_second_convention_that_does_not_hold_is_a_fault():
    false = {"none": lambda t: t.A}
    finding = verdict(
        replace(SLOPE, literal=lambda t: t.Y, under={"ok": SLOPE.literal, **false}, prove=False)
    )
    assert finding.convention == "ok"
    assert "the convention 'none' does not hold" in finding.faults[0]


def test_a_correction_of_what_holds_under_a_convention_is_a_fault():
    finding = verdict(replace(A_MINUS_Y, corrected=lambda t: t.A * t.Y.sum() - t.Y, **RIGHT))
    assert finding.convention == ROWS
    assert "holds under the convention" in finding.faults[0]


def test_an_example_that_refutes_nothing_is_a_fault():
    """Zero is a wrong gradient, but for the row of zeros that the example has."""
    literal, corrected = (lambda t: t.Y * 0), (lambda t: -t.Y / t.A)
    example = {"Y": [0.0, 0.0]}
    finding = verdict(
        replace(SLOPE, literal=literal, corrected=corrected, example=example, prove=False, **RIGHT)
    )
    assert finding.verdict == "refuted"
    assert "refutes nothing" in finding.faults[0]


def test_one_wrong_entry_of_many_is_caught():
    def literal(t):
        out = np.array(-t.Y / t.A)
        out[-1] *= 1.01
        return out

    assert verdict(replace(SLOPE, literal=literal, prove=False)).verdict == "refuted"


def test_every_printed_member_must_be_true():
    finding = verdict(replace(SLOPE, literal=(lambda t: -t.Y / t.A, lambda t: t.Y), prove=False))
    assert finding.verdict == "refuted"


def test_a_wrong_shape_is_not_forgiven():
    finding = verdict(replace(SLOPE, literal=lambda t: (-t.Y / t.A)[None], prove=False))
    assert "the shape is (1, 2), not (2,)" in finding.counterexample.problem


def test_a_name_that_is_misspelt_refutes_nothing():
    with pytest.raises(InputError, match="setting 'softmax' has no 'Q'"):
        verdict(replace(SLOPE, literal=lambda t: t.Q, prove=False))


def test_damaged_text_without_a_twin_is_unreadable():
    assert verdict(replace(SLOPE, damage="all of it")).verdict == "unreadable"
    assert verdict(replace(SLOPE, literal=None, damage="all of it", twin="eq-22")).verdict == "unreadable"


def test_readings_that_differ_leave_it_unreadable_and_readings_alike_are_a_fault():
    torn = replace(SLOPE, damage="the sign", twin="eq-22", open={"with a plus sign": lambda t: t.Y / t.A})
    assert verdict(torn).verdict == "unreadable"
    alike = verdict(replace(torn, open={"the same": lambda t: -(t.Y / t.A)}))
    assert alike.verdict == "holds"
    assert "leave nothing open" in alike.faults[0]


def test_oracles_that_differ_are_a_fault():
    def jax_answer(setting, batch, quantities):
        answers = truths.jax_answer(setting, batch, quantities)
        return [{key: value * (1 + 1e-6) for key, value in answer.items()} for answer in answers]

    finding = verdict(SLOPE, SimpleNamespace(torch_answers=truths.torch_answers, jax_answer=jax_answer))
    assert "the oracles differ: JAX against PyTorch" in finding.faults[0]


def test_a_reading_cannot_write_to_the_sample():
    def literal(t):
        t.Y[0] = 3.0
        return t.Y

    with pytest.raises(ValueError, match="read-only"):
        verdict(replace(SLOPE, literal=literal, prove=False))


def test_computer_algebra_refuses_a_false_identity():
    from gradproof import symbolic

    setting = load().settings["softmax"]
    samples = symbolic.samples(setting)
    assert symbolic.proved(SLOPE, samples, (lambda t: -t.Y / t.A,))
    assert not symbolic.proved(SLOPE, samples, (lambda t: -t.Y / t.A + t.exp(t.Z) / 1000,))
    assert not symbolic.proved(SLOPE, samples, (lambda t: -t.Y / t.A, lambda t: t.Y))
    assert not symbolic.proved(SLOPE, samples, (lambda t: (t.Y / t.A).sum(),))
    assert not symbolic.proved(SLOPE, [], (lambda t: -t.Y / t.A,))


@pytest.fixture
def folder(tmp_path):
    """A folder in which proofs are kept."""
    before = compilation.store_in_use()
    yield compilation.use_cache(tmp_path)
    compilation._store = before


def proves(readings):
    return proofs.proved(SLOPE, load().settings["softmax"], "", readings)


def test_a_proof_is_kept_and_so_is_that_there_is_none(folder, monkeypatch):
    from gradproof import symbolic

    right, wrong, other = (lambda t: -t.Y / t.A,), (lambda t: t.Y / t.A,), (lambda t: -t.Y / t.A + 0 * t.Y,)
    assert [proves(right), proves(wrong)] == [True, False]
    assert {file.read_bytes() for file in folder.iterdir()} == {b"proved", b"not proved"}
    asked = []
    monkeypatch.setattr(symbolic, "proved", lambda *given: asked.append(given) or True)
    assert [proves(right), proves(wrong)] == [True, False]
    assert not asked
    proves(other)
    assert len(asked) == 1  # another formula is another proof


@pytest.mark.parametrize("changed", ["source", "version", "stages", "assume"])
def test_a_kept_proof_is_of_this_source_these_versions_and_this_setting(folder, monkeypatch, tmp_path, changed):
    setting = load().settings["softmax"]
    before = proofs._key(SLOPE, setting, "", SLOPE.members)
    if changed == "source":
        (tmp_path / "other.py").write_text("proved = None\n", encoding="utf-8")
        monkeypatch.setattr(proofs, "ALGEBRA", tmp_path / "other.py")
    elif changed == "version":
        monkeypatch.setattr(proofs, "version", lambda name: "0")
        monkeypatch.setattr(proofs, "_versions", proofs._versions.__wrapped__)  # what is known of them forgotten
    elif changed == "stages":
        setting = replace(setting, stages=setting.stages[:-1])
    else:
        monkeypatch.setattr(type(setting), "assume", lambda self, values, given: {**values, "Y": values["A"]})
    after = proofs._key(SLOPE, setting, "", SLOPE.members)
    assert None not in (before, after)
    assert before != after


def test_every_proof_of_the_paper_can_be_kept():
    paper = load()
    keys = {
        proofs._key(claim, paper.settings[claim.setting], claim.given, claim.members)
        for claim in paper.claims
        if claim.prove and claim.literal
    }
    assert None not in keys
    assert len(keys) > 80


def test_without_a_cache_every_proof_is_made_anew(folder, monkeypatch):
    from gradproof import symbolic

    compilation.use_cache(None)
    proves(SLOPE.members)
    monkeypatch.setattr(symbolic, "proved", lambda *given: False)
    assert not proves(SLOPE.members)


# ---- numbers and symbols say the same


def _settings_with_symbols():
    return [name for name, setting in load().settings.items() if setting.symbols]


@pytest.mark.parametrize("name", _settings_with_symbols())
def test_the_symbolic_form_equals_the_numeric_one(name):
    """Every proved formula, and the forward pass it is proved from, with numbers put in for the symbols."""
    from sympy import Float

    from gradproof import symbolic
    from gradproof.claims.record import parts

    paper = load()
    setting = paper.settings[name]
    point = setting.draw(np.random.default_rng(3), setting.symbols[0], "")
    point = {key: np.abs(value) + 0.1 if key == "Y" else value for key, value in point.items()}
    sample = Sample(setting, point, lambda words: truths.torch_answers(name, sample.inputs)(parts(words)))
    unknown = symbolic.samples(setting)[0]
    put = {}
    for key, value in sample.inputs.items():
        if not isinstance(value, int):
            pairs = zip(np.ravel(getattr(unknown, key)), np.ravel(value), strict=True)
            put |= {symbol: Float(number) for symbol, number in pairs}

    def numbers(array):
        return [float(entry.xreplace(put) if hasattr(entry, "xreplace") else entry) for entry in np.ravel(array)]

    claims = [claim for claim in paper.claims if claim.setting == name and claim.prove]
    assert claims
    for claim in claims:
        truth = np.ravel(truths.torch_answers(name, sample.inputs)(parts(claim.of)))
        assert numbers(symbolic.quantity(unknown, claim.of)) == pytest.approx(truth), claim.id
        for member in claim.members:
            try:
                on_numbers = np.ravel(member(sample))
            except (ValueError, IndexError, Undefined) as reason:  # to the letter it has no value
                with pytest.raises(type(reason)):
                    member(unknown)
                continue
            assert numbers(member(unknown)) == pytest.approx(on_numbers, abs=1e-12), claim.id


def test_settings_and_maps_match_one_to_one():
    assert set(load().settings) == set(maps())
    used = {claim.setting for claim in load().claims}
    assert used == set(maps())


# ---- records and lists


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"of": "dJ over dZ"}, "names no quantity; expected"),
        ({"literal": None}, "`literal` is None and `damage` is empty"),
        ({"right": "x"}, "`right` and `corrected` go together"),
        ({"right": "x", "corrected": abs}, "needs `why`"),
        ({"twin": "eq-1"}, "say in `damage` what was lost"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(fields, message):
    with pytest.raises(DeclarationError, match=message.replace("`", "`")):
        Claim(**{"id": "x", "setting": "softmax", "of": "J", "literal": abs, **fields})


PACKAGE = """
from gradproof import Claim
TITLE = "t"
GROUPS = {"g": "G"}
CLAIMS = (%s)
"""


@pytest.mark.parametrize(
    ("number", "claims", "message"),
    [
        (0, 'Claim("a", "s", "J", abs),', "1 of the 2 listed claims have no entry: b"),
        (1, "*[Claim(x, 's', 'J', abs) for x in 'abc'],", "does not list: c"),
        (2, "*[Claim(x, 's', 'J', abs) for x in 'aab'],", "two entries have the id 'a'"),
        (3, "*[Claim(x, 's', 'J', abs, damage='d', twin='z') for x in 'ab'],", "repaired from 'z'"),
        (4, "*[Claim(x, 's', 'J', abs, group='h') for x in 'ab'],", "in the group 'h'"),
    ],
)
def test_a_list_that_does_not_match_its_entries_is_refused(tmp_path, monkeypatch, number, claims, message):
    folder = tmp_path / f"planted{number}"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "one.py").write_text(PACKAGE % claims, encoding="utf-8")
    listed = [{"id": name, "printed": name} for name in "ab"]
    (folder / "claims.json").write_text(json.dumps(listed), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=message):
        load(folder.name)


def test_an_unknown_setting_restriction_or_example_is_refused():
    for fields, message in (
        ({"setting": "nowhere"}, "names the setting 'nowhere'"),
        ({"given": "the moon is full"}, "has no samples given 'the moon is full'; it has rows of Y"),
        ({"example": {"Q": 1.0}}, "the example sets Q; the setting has Z, Y"),
    ):
        with pytest.raises(InputError, match=message):
            Evidence([replace(SLOPE, **fields)], load().settings, truths)


def test_the_declaration_imports_no_framework():
    code = (
        "import sys, pkgutil, importlib, derivs.paper\n"
        "for found in pkgutil.iter_modules(derivs.paper.__path__, 'derivs.paper.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(sorted({'torch', 'jax', 'sympy', 'flint', 'reference'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# ---- what is shown


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{\partial J}{\partial W^{[1]}}", "dJ/dW^[1]"),
        (r"-\sum_{i=1}^{C} Y_i \log(A_i)", "-sum_{i=1}^C Y_i log(A_i)"),
        (
            r"\begin{cases} Z, & \text{if } Z > 0\\ 0, & \text{otherwise} \end{cases}",
            "{Z, if Z > 0; 0, otherwise}",
        ),
        (r"-\frac{Y}{A} + \frac{1-Y}{1-A}", "-Y/A + (1-Y)/(1-A)"),
        (r"(1+e^{-Z})^{-2}(-e^{-Z})", "(1+e^-Z)^-2(-e^-Z)"),
        (r"e^{2Z}", "e^(2Z)"),
        (r"\hat{Y}", "Y_hat"),
    ],
)
def test_latex_reads_as_plain_text(latex, text):
    assert plain(latex) == text


def test_no_formula_is_left_with_latex_in_it(found):
    for finding in found.values():
        for latex in (finding.claim.printed, finding.claim.right):
            assert "\\" not in plain(latex), finding.claim.id


def test_the_table_is_plain_and_eighty_columns_wide(judged):
    paper, findings = judged
    lines = [text for line, _ in report.table(paper, findings) for text in line.split("\n")]
    lines += report.summary(paper, findings)
    assert max(map(len, lines)) <= 80
    assert all(text.isascii() for text in lines)
    for finding in findings:
        assert any(line.startswith(f"  {finding.claim.id} ") for line in lines)
    quiet = "\n".join(line for line, _ in report.table(paper, findings, quiet=True))
    assert "\n  eq-10 " not in quiet
    assert "\n  eq-9 " in quiet


def test_the_summary_counts_each_verdict(judged):
    paper, findings = judged
    counts = report.figures(findings)
    assert counts["claims"] == sum(counts[name] for name in VERDICTS) == 285
    text = " ".join(report.summary(paper, findings))
    assert f"{counts['holds']} hold, {counts['convention']} hold under a convention" in text
    assert text.index(paper.groups["loss sign"][:40]) < text.index(paper.groups["wording"][:40])


def test_the_json_is_plain_and_not_finite_is_a_string(judged):
    facts = report.as_json(judged[1])
    json.dumps(facts, allow_nan=False)
    keys = ["id", "verdict", "convention", "counterexample", "corrected", "proved"]
    assert all(list(fact) == keys for fact in facts)
    infinite = verdict(replace(SLOPE, literal=lambda t: t.Y / 0, prove=False))
    assert report.as_json([infinite])[0]["counterexample"]["printed"] == ["inf", "nan"]


def test_a_derivation_is_shown_line_by_line(capsys, tmp_path):
    assert run(["paper", "eq-29", "--json", str(tmp_path / "f.json")]) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("eq-29/")] == [
        f"eq-29/line-{name}" for name in ("1", "2a", "2b", "3", "4", "5a", "5b", "6", "7")
    ]
    first, last = shown.index("eq-29/line-5a"), shown.index("eq-29/line-5b")
    block = shown[first:last]
    assert "gives    [-0.3333, 0]" in block
    assert "right    = sum_{i=1}^C y_i a_j - y_j" in block
    assert "true     dJ/dZ = [-0.6667, 0.6667]" in block
    assert "9 claims: 1 hold, 1 hold under a convention, 7 refuted, 0 unreadable; 9 proved." in " ".join(
        shown.split()
    )
    assert len(json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))) == 9


def test_ids_are_prefixes_up_to_a_slash_or_a_dash():
    select = load().select
    assert [claim.id for claim in select(("eq-1",))] == ["eq-1"]
    assert {claim.id for claim in select(("eq-20",))} == {"eq-20-softmax", "eq-20-relu-derivative"}
    assert len(select(("table-6",))) > len(select(("table-6/conv-1",))) == 10
    assert len(select(())) == 285


def test_an_unknown_id_is_one_clear_line(capsys):
    assert run(["paper", "eq-63"]) == 2
    told = capsys.readouterr().err.strip()
    assert told == "gradproof: no claim has the id 'eq-63'; `gradproof paper` lists all ids"
    assert run(["paper", "line-5a"]) == 2
    assert "did you mean eq-29/line-5a?" in capsys.readouterr().err


def test_errata_of_a_part_are_refused(capsys, tmp_path):
    assert run(["paper", "eq-1", "--errata", str(tmp_path / "e.md")]) == 2
    assert "leave out the ids" in capsys.readouterr().err


def test_an_entry_at_fault_is_exit_code_1(capsys, monkeypatch):
    finding = verdict(replace(SLOPE, corrected=lambda t: t.Y, **RIGHT))
    paper = replace(load(), titles={"planted": "Planted"})
    monkeypatch.setattr("gradproof.claims.check.check_paper", lambda ids, seed: (paper, [finding]))
    assert run(["paper"]) == 1
    assert "! a right form is given for a claim that holds as printed" in capsys.readouterr().out


# ---- errata and choices


def test_the_errata_page_is_current(judged):
    written = (ROOT / "docs/errata.md").read_text(encoding="utf-8")
    assert written == page(*judged, measure()), "run `gradproof paper --errata docs/errata.md`"


def test_choices_are_measured():
    choices = {choice.question: choice for choice in measure()}
    relu = choices["Slope of ReLU at 0"]
    assert (relu.torch, relu.jax, relu.paper, relu.differ) == ("0", "0", "0", False)
    sign = choices["Log loss at A = 1/2, Y = 1"]
    assert float(sign.torch) == pytest.approx(log(2), abs=1e-4)
    assert float(sign.paper) == pytest.approx(-log(2), abs=1e-4)
    assert sign.differ
    assert choices["tanh(1000) in float64"].paper == "nan"


def test_an_answer_to_no_question_is_refused(monkeypatch):
    monkeypatch.setattr("reference.choices.ANSWERS", {"torch": {"the moon": exp}, "jax": {}})
    with pytest.raises(InputError, match="torch answers the moon"):
        measure()
