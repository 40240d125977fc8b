"""The baseline reads back what it wrote, tells what got worse and only that, and refuses what is none."""

import dataclasses
import json
import math

import pytest

from gradproof import InputError, Result, Verdict
from gradproof.baseline import Baseline, changes, moved, of_results, read, regressions

VERSIONS = {"numpy": "2.4.6", "torch": "2.13.0", "jax": "0.10.2"}


def made(word="agrees", ulps=3.0, resolution=4e-13, samples=3, inputs=("x", "w"), equation="dense"):
    found = [
        Verdict(name, oracle, "vjp", f"{n}:random", word, 1e-16, 1e-14, resolution, ulps)
        for name in inputs
        for oracle in ("torch", "jax")
        for n in range(samples)
    ]
    return of_results([Result(equation, tuple(found), inputs)], seed=0, examples=None, versions=VERSIONS)


def test_it_reads_back_what_it_wrote_one_line_an_entry_in_stable_order(tmp_path):
    file = tmp_path / "baseline.json"
    file.write_text(made().dump(), encoding="utf-8")
    assert read(file) == made()
    lines = [json.loads(line.rstrip(",")) for line in file.read_text(encoding="utf-8").splitlines()[1:-1]]
    assert [(line["gradient"], line["oracle"]) for line in lines] == [
        ("w", "jax"),
        ("w", "torch"),
        ("x", "jax"),
        ("x", "torch"),
    ]


def test_figures_that_are_not_finite_read_back(tmp_path):
    file = tmp_path / "baseline.json"
    kept = made(word="undecided", ulps=math.inf)
    file.write_text(kept.dump(), encoding="utf-8")
    assert read(file) == kept


@pytest.mark.parametrize(("ulps", "resolution"), [(1.0, 1.5e-13), (3.9, 9.9e-13), (0.0, 1e-12)])
def test_noise_does_not_move_a_line(ulps, resolution):
    assert made(ulps=ulps, resolution=resolution).dump() == made().dump()


def test_the_same_again_is_no_regression_and_no_change():
    assert regressions(made(), made()) == []
    assert changes(made(), made()) == []


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"word": "differs"}, "was agrees, is differs"),
        ({"word": "undecided"}, "was agrees, is undecided"),
        ({"ulps": 40.0}, "was within 4 ulps, is within 64"),
        ({"ulps": math.nan}, "is within nan"),
        ({"resolution": 4e-9}, "resolved 1e-12, resolves 1e-08"),
        ({"samples": 2}, "was checked on 3 samples, is on 2"),
        ({"inputs": ("x",)}, "is no longer checked"),
    ],
)
def test_each_way_to_get_worse_is_a_line_that_says_what_was_and_is(worse, said):
    lines = regressions(made(), made(**worse))
    assert lines
    assert all(said in line for line in lines)


@pytest.mark.parametrize("better", [{"ulps": 0.0}, {"resolution": 1e-15}, {"samples": 9}])
def test_better_is_no_regression(better):
    assert regressions(made(), made(**better)) == []
    assert regressions(made(word="undecided"), made()) == []


def test_a_new_equation_without_a_line_is_told():
    assert "has no line in the baseline" in regressions(made(), made(inputs=("x", "w", "b")))[0]


def test_an_oracle_that_fell_silent_is_told():
    now = made()
    silent = dataclasses.replace(
        now, entries={key: entry for key, entry in now.entries.items() if key[2] != "jax"}
    )
    assert [line.split(":")[0] for line in regressions(made(), silent)] == [
        "dense w by jax",
        "dense x by jax",
    ]


def test_what_was_not_run_is_not_compared():
    both = Baseline({**made().entries, **made(equation="relu").entries}, 0, None, VERSIONS)
    assert regressions(both, made(), ["dense"]) == []
    assert regressions(both, made()) != []


def test_changes_show_new_gone_and_other():
    marks = {line[0] for line in changes(made(ulps=40.0), made(inputs=("x", "b")))}
    assert marks == {"+", "-", "~"}
    assert all(line.startswith("+") for line in changes(None, made()))


def test_versions_that_moved():
    assert moved(VERSIONS, {**VERSIONS, "torch": "2.14.0"}) == ["torch 2.13.0 -> 2.14.0"]
    assert moved(VERSIONS, {**VERSIONS, "torch": "2.13.0+cpu"}) == []


GOOD = json.loads(made().dump())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is damaged"),
        ("[1]", "is no baseline of gradproof"),
        ('{"name": "package"}', "is no baseline of gradproof"),
        (json.dumps({**GOOD, "schema": 99}), "has schema 99"),
        (json.dumps({**GOOD, "entries": []}), "has no entries"),
        (json.dumps({**GOOD, "entries": [{"equation": "dense"}]}), "is damaged"),
        (json.dumps({**GOOD, "entries": [*GOOD["entries"], GOOD["entries"][0]]}), "an entry twice"),
        (
            json.dumps({**GOOD, "entries": [{**GOOD["entries"][0], "word": "fine"}]}),
            "'fine' is none of agrees",
        ),
        (json.dumps({**GOOD, "seed": None}), "is damaged"),
        ("\x00\xff", "is damaged"),
    ],
)
def test_what_is_no_baseline_is_refused_in_one_line_with_a_remedy(tmp_path, content, said):
    file = tmp_path / "baseline.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(InputError) as refused:
        read(file)
    message = str(refused.value)
    assert said in message
    assert "gradproof accept" in message
    assert "\n" not in message


def test_a_missing_baseline_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no baseline"):
        read(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)
