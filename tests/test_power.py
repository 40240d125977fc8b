"""The power table: words are checked before anything is measured, columns kept as they come, one process or two."""

import json

import pytest

from benchmarks import power
from benchmarks.tools import TOOLS

SMALL = ("--only", "tanh", "--tools", "central,gradproof", "--calls", "one-point", "--figures", "wrong")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tools", "gradprof"], "--tools: no tool 'gradprof'; choose from gradproof-torch, "),
        (["--tools", "central", "--figures", "wrongs"], "--figures: no figure 'wrongs'; choose from wrong, "),
        (["--tools", "central", "--jobs", "0"], "--jobs: 0 is no number of processes; give 1 or more"),
    ],
)
def test_what_it_does_not_know_it_says_before_it_measures(words, said, capsys):
    with pytest.raises(SystemExit):
        power.main(words)
    assert said in capsys.readouterr().err


def test_a_tool_whose_package_is_not_there_is_told_before_anything_is_measured(monkeypatch, capsys):
    monkeypatch.setattr(type(TOOLS["autograd"]), "needs", ("no_such_package",))
    with pytest.raises(SystemExit):
        power.main(["--tools", "central,autograd"])
    said = capsys.readouterr().err
    assert "autograd needs no_such_package: pip install -e '.[bench]', or --tools central\n" in said


def test_each_column_is_kept_as_soon_as_it_is_measured(tmp_path, monkeypatch):
    file, measure = tmp_path / "power.json", power.measure

    def breaks_off(work):
        if work.tool == "gradproof":
            raise KeyboardInterrupt
        return measure(work)

    monkeypatch.setattr(power, "measure", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        power.main([*SMALL, "--json", str(file)])
    (column,) = json.loads(file.read_text())["one-point"]
    assert column["tool"] == "central difference"
    assert column["wrong"]["total"] > 0


def test_two_processes_measure_what_one_does(tmp_path, capsys):
    said = []
    for jobs in ("1", "2"):
        assert power.main([*SMALL, "--jobs", jobs, "--json", str(tmp_path / jobs)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "| wrong rules refused |" in said[0]
    assert json.loads((tmp_path / "1").read_text()) == json.loads((tmp_path / "2").read_text())
