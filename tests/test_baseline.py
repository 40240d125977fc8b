"""The baseline reads back what it wrote, tells what got worse and only that, and refuses what is none."""

import dataclasses
import json
import math

import pytest

from gradproof import InputError, Result, Verdict
from gradproof.baseline import (
    Baseline,
    Claimed,
    Costed,
    Score,
    by_versions,
    changes,
    dump,
    moved,
    of_results,
    read,
    regressions,
    settled,
    told,
)

VERSIONS = {"numpy": "2.4.6", "torch": "2.13.0", "jax": "0.10.2"}
KINDS = ("random", "zeros", "ties")


def made(
    word="agrees",
    ulps=3.0,
    resolution=4e-13,
    kinds=KINDS,
    inputs=("x", "w"),
    equation="dense",
    oracles=("torch", "jax"),
):
    found = [
        Verdict(name, oracle, "vjp", f"{n}:{kind} n=3", word, 1e-16, 1e-14, resolution, ulps)
        for name in inputs
        for oracle in oracles
        for n, kind in enumerate(kinds)
    ]
    return of_results([Result(equation, tuple(found), inputs)], seed=0, examples=None, versions=VERSIONS)


def whole(**fields):
    """A baseline with a line of every sort."""
    return made().but(
        **{
            "claims": {
                "eq-9": Claimed("eq-9", "holds", None, True),
                "eq-29": Claimed("eq-29", "convention", "a sum", False),
            },
            "costs": {"dense": Costed("dense", 32, 4)},
            "mutants": {"dense": Score("dense", 9, 10)},
            "wrong": {},
            **fields,
        }
    )


def said(was, now, *checked):
    return [str(line) for line in regressions(was, now, *checked)]


# ---- the file


@pytest.mark.parametrize("kept", [
    made(),
    whole(),
    whole(wrong={"dense": "the bias \"of\" row\n0 is a known fault"}, examples=7, seed=3),
    made(word="undecided", ulps=math.inf),
    made(word="differs"),
    made(resolution=math.inf),
    made(ulps=0.0, resolution=0.0),
])  # fmt: skip
def test_it_reads_back_what_it_wrote(tmp_path, kept):
    file = tmp_path / "baseline.json"
    file.write_text(dump(kept), encoding="utf-8")
    assert read(file) == kept


def test_it_has_one_line_an_entry_in_stable_order():
    entries = {**made(equation="relu").entries, **made(inputs=("w", "x")).entries}
    text = dump(whole(entries=dict(reversed(entries.items()))))
    assert text == dump(whole(entries=entries))
    data = json.loads(text)
    for line in (*data["checks"], *data["claims"], *data["mutants"]):
        assert text.count(f"\n{json.dumps(line)}") == 1
    assert [(line["equation"], line["gradient"], line["oracle"]) for line in data["checks"]] == sorted(entries)
    assert data["checks"][0]["kinds"] == "random ties zeros"


def test_an_oracle_without_a_figure_has_none():
    (entry,) = [e for e in made(inputs=("x",), oracles=("contract",)).entries.values()]
    assert entry.ulps is None
    assert '"ulps"' not in dump(made(oracles=("contract",), resolution=math.inf))


@pytest.mark.parametrize(("ulps", "resolution"), [(1.0, 1.5e-13), (3.9, 9.9e-13), (0.0, 1e-12)])
def test_noise_does_not_move_a_line(ulps, resolution):
    assert dump(made(ulps=ulps, resolution=resolution)) == dump(made())


@pytest.mark.parametrize(("ulps", "resolution"), [(4.1, 1.1e-12), (15.0, 9e-12), (3.0, 0.9e-13)])
def test_nor_does_noise_across_the_border_of_two_classes(ulps, resolution):
    now = made(ulps=ulps, resolution=resolution)
    assert now != made()
    assert settled(made(), now) == made()
    assert said(made(), now) == []


def test_but_an_error_that_creeps_a_class_at_a_time_is_noticed_at_the_second():
    first = settled(made(ulps=3.0), made(ulps=10.0))
    assert any("was within 4 ulps, is within 64" in line for line in said(first, made(ulps=40.0)))


def test_a_figure_that_really_moved_is_taken_over():
    assert settled(made(ulps=1000.0), made()) == made()
    assert settled(made(word="differs"), made()) == made()


# ---- what got worse


def test_the_same_again_is_no_regression_and_no_change():
    assert said(whole(), whole()) == []
    assert changes(whole(), whole()) == []


@pytest.mark.parametrize(("worse", "text"), [
    ({"word": "differs"}, "was agrees, is differs; see why: gradproof report dense"),
    ({"word": "undecided"}, "was agrees, is undecided"),
    ({"ulps": 40.0}, "was within 4 ulps, is within 64; look for cancellation"),
    ({"ulps": math.nan}, "is within nan"),
    ({"resolution": 4e-9}, "resolved 1e-12, resolves 1e-08"),
    ({"resolution": math.inf}, "resolved 1e-12, resolves nothing"),
    ({"kinds": ("random", "zeros")}, "was checked on samples of the kind ties, is not"),
    ({"inputs": ("x",)}, "dense w by jax: was agrees on 3 samples, is no longer checked"),
    ({"oracles": ("torch",)}, "dense: was checked by jax (2 lines), is no longer"),
])  # fmt: skip
def test_each_way_to_get_worse_is_a_line_that_says_what_was_what_is_and_what_to_do(worse, text):
    lines = said(made(), made(**worse))
    assert any(text in line for line in lines), lines
    assert all("gradproof" in line and "\n" not in line for line in lines)


def test_that_a_wrong_gradient_is_not_asked_of_every_oracle_is_no_line_of_its_own():
    lines = said(made(), made(oracles=("torch",), word="differs"))
    assert [line.partition(";")[0] for line in lines] == [f"dense {x} by torch: was agrees, is differs" for x in "wx"]


def test_what_befell_several_gradients_and_oracles_is_one_line():
    lines = regressions(made(), made(kinds=("random", "ties")))
    assert len(lines) == 4
    assert [line.partition(": ")[0] for line in told(lines)] == ["dense w, x by jax, torch"]
    mixed = [line for line in lines if (line.gradient, line.oracle) != ("w", "jax")]
    assert [line.partition(": ")[0] for line in told(mixed)] == ["dense w by torch", "dense x by jax, torch"]


def test_finite_differences_have_an_error_of_their_own():
    assert said(made(oracles=("differences",)), made(oracles=("differences",), ulps=1e6)) == []


def test_fewer_samples_of_the_same_kinds_are_told():
    lines = said(made(kinds=(*KINDS, "ties")), made())
    assert len(lines) == 4
    assert all("was checked on 4 samples, is on 3" in line for line in lines)


def test_an_equation_that_is_gone_or_new_is_one_line():
    (gone, new) = said(made(), made(equation="affine"))
    assert "dense: was agrees on 4 lines, is no longer checked" in gone
    assert "affine: has no line in the baseline, is agrees; once it is right, gradproof accept affine" in new


def test_a_new_gradient_of_a_known_equation_is_told():
    lines = said(made(), made(inputs=("x", "w", "b")))
    assert [line.split(":")[0] for line in lines] == ["dense b by jax", "dense b by torch"]


@pytest.mark.parametrize("better", [{"ulps": 0.0}, {"resolution": 1e-15}, {"kinds": (*KINDS, "edge", "small")}])
def test_better_is_no_regression(better):
    assert said(made(), made(**better)) == []
    assert said(made(word="undecided"), made()) == []


@pytest.mark.parametrize(("now", "text"), [
    ({"eq-9": Claimed("eq-9", "refuted", None, True)}, "eq-9: was holds, is refuted; see gradproof paper eq-9"),
    ({"eq-9": Claimed("eq-9", "holds", None, False)}, "eq-9: was proved, is no longer"),
    ({"eq-9": Claimed("eq-9", "holds", None, True, 2)}, "eq-9: its record contradicts"),
    ({"eq-29": Claimed("eq-29", "convention", "a mean", False)}, "was convention (a sum), is convention (a mean)"),
    ({"eq-9": None}, "eq-9: was judged (holds), is no longer checked"),
    ({"eq-10": Claimed("eq-10", "holds", None, True)}, "eq-10: has no line in the baseline, is holds"),
])  # fmt: skip
def test_a_claim_that_changed_is_one_line(now, text):
    claims = {name: claim for name, claim in {**whole().claims, **now}.items() if claim}
    (line,) = said(whole(), whole(claims=claims))
    assert text in line


@pytest.mark.parametrize(("score", "fell"), [
    (Score("dense", 8, 10), True),
    (Score("dense", 9, 11), True),
    (Score("dense", 18, 20), False),
    (Score("dense", 10, 10), False),
])  # fmt: skip
def test_a_mutation_score_is_compared_as_a_share(score, fell):
    lines = said(whole(), whole(mutants={"dense": score}))
    assert bool(lines) is fell
    assert all("9 of 10 mutants killed, now" in line for line in lines)


def test_scores_that_were_not_measured_are_not_compared_and_survivors_of_the_unmeasured_are():
    assert said(whole(), whole(mutants={})) == []
    assert said(whole(mutants={}), whole(mutants={"dense": Score("dense", 4, 4)})) == []
    (line,) = said(whole(mutants={}), whole(mutants={"dense": Score("dense", 3, 4)}))
    assert "no mutants were measured, now 3 of 4 mutants killed" in line


@pytest.mark.parametrize(("cost", "text"), [
    (Costed("dense", 64, 8), None),  # the class beside its own is noise
    (Costed("dense", 16, 2), None),
    (Costed("dense", 128, 4), "ran at most 32 lines of Python a call, runs up to 128; look for a loop"),
    (Costed("dense", 32, 16), "held at most 4 times its arguments and results, holds up to 16; look for a copy"),
    (Costed("dense", 32, None), None),
])  # fmt: skip
def test_a_cost_beyond_the_class_next_to_its_own_is_told(cost, text):
    lines = said(whole(), whole(costs={"dense": cost}))
    assert [text in line for line in lines] == ([True] if text else [])
    kept = settled(whole(), whole(costs={"dense": cost})).costs == whole().costs
    assert kept is (text is None and cost.memory is not None)


def test_a_cost_that_is_not_measured_any_more_is_told():
    (line,) = said(whole(), whole(costs={}))
    assert line == "dense: what a call costs was measured, is no longer; see whether it raises at a larger point"
    assert said(whole(costs={}), whole()) == []
    assert said(whole(), whole(costs={}), ["relu"], []) == []


def test_what_was_not_run_is_not_compared():
    both = Baseline({**made().entries, **made(equation="relu").entries}, 0, None, VERSIONS, whole().claims)
    assert said(both, made(), ["dense"], []) == []
    assert len(said(both, made())) == 3


# ---- other versions, and what accepting changes


def test_versions_that_moved():
    assert moved(VERSIONS, {**VERSIONS, "torch": "2.14.0"}) == {"torch": "2.13.0 -> 2.14.0"}
    assert moved(VERSIONS, {**VERSIONS, "torch": "2.13.0+cpu"}) == {}


@pytest.mark.parametrize(("framework", "unchanged", "theirs"), [
    ("torch", {"dense"}, {"torch"}),
    ("jax", {"dense"}, {"jax"}),
    ("numpy", {"dense"}, {"torch", "jax"}),
    ("torch", {"relu"}, set()),
    ("torch", None, {"torch"}),
])  # fmt: skip
def test_a_difference_comes_with_the_framework_that_its_oracle_is(framework, unchanged, theirs):
    found = regressions(made(), made(word="differs"))
    mine, other = by_versions(found, {framework}, unchanged)
    assert {line.oracle for line in other} == theirs
    assert len(mine) + len(other) == 4


def test_what_is_no_longer_checked_is_no_framework_s_doing():
    found = regressions(made(), made(inputs=("x",)))
    assert by_versions(found, set(VERSIONS), {"dense"}) == (found, [])


def test_changes_show_new_gone_and_other():
    marks = {line[0] for line in changes(made(ulps=40.0), made(inputs=("x", "b")))}
    assert marks == {"+", "-", "~"}
    assert all(line.startswith("+") for line in changes(None, whole()))
    assert changes(whole(), whole(seed=1, wrong={"dense": "why"})) == ["+ wrong and accepted: why", "~ seed 0 -> 1"]


# ---- what is no baseline

GOOD = json.loads(dump(whole()))
LINE = GOOD["checks"][0]


@pytest.mark.parametrize(("content", "text"), [
    ("{", "is damaged"),
    ("\x00\xff", "is damaged"),
    ("[" * 100_000, "is damaged"),
    ("[1]", "is no baseline of gradproof"),
    ('{"name": "package"}', "is no baseline of gradproof"),
    ({**GOOD, "schema": 99}, "has schema 99, this gradproof reads 3; upgrade gradproof"),
    ({**GOOD, "schema": 1}, "has schema 1, this gradproof reads 3; remove it"),
    ({**GOOD, "schema": "two"}, "has schema 'two'"),
    ({**GOOD, "checks": [], "claims": []}, "has no lines"),
    ({**GOOD, "checks": {}, "claims": 3}, "is damaged"),
    ({**GOOD, "checks": [{"equation": "dense"}]}, "has not the fields equation, gradient"),
    ({**GOOD, "checks": [*GOOD["checks"], LINE]}, "twice"),
    ({**GOOD, "checks": [{**LINE, "word": "fine"}]}, "'fine' is none of agrees"),
    ({**GOOD, "checks": [{**LINE, "samples": -1}]}, "samples is -1"),
    ({**GOOD, "checks": [{**LINE, "samples": True}]}, "samples is True"),
    ({**GOOD, "checks": [{**LINE, "ulps": "small"}]}, "could not convert string to float"),
    ({**GOOD, "checks": [{**LINE, "ulps": [4]}]}, "is damaged"),
    ({**GOOD, "claims": [{**GOOD["claims"][0], "verdict": "fine"}]}, "'fine' is none of holds"),
    ({**GOOD, "mutants": [{"equation": "dense", "killed": 3, "of": 2}]}, "3 of 2 mutants"),
    ({**GOOD, "seed": None}, "its seed is None"),
    ({**GOOD, "examples": 0}, "its examples are 0"),
    ({**GOOD, "versions": ["2.4"]}, "its versions are ['2.4']"),
    ({**GOOD, "more": 1}, "'more' is no part of a baseline"),
    ({name: GOOD[name] for name in GOOD if name != "wrong"}, "it has no 'wrong'"),
])  # fmt: skip
def test_what_is_no_baseline_is_refused_in_one_line_with_a_remedy(tmp_path, content, text):
    file = tmp_path / "baseline.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="latin-1")
    kept = file.read_bytes()
    with pytest.raises(InputError) as refused:
        read(file)
    message = str(refused.value)
    assert text in message
    assert "gradproof" in message.rpartition("; ")[2]
    assert "\n" not in message
    assert file.read_bytes() == kept


def test_a_missing_baseline_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no baseline"):
        read(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)


def test_the_words_of_a_line_are_those_of_the_record():
    assert set(LINE) == {field.name for field in dataclasses.fields(next(iter(made().entries.values())))}
