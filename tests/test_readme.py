"""README is executed: its sample output is the report's, and its two steps add a derivative that is right."""

import json
import re
import sys
import textwrap

import pytest

import gradproof
from benchmarks import readme
from benchmarks.readme import FIGURES, README, SHOWN, block, excerpt, shape, shown
from gradproof.cli import run

FENCED = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def code(part):
    """The Python block of README that holds `part`."""
    every = [textwrap.dedent(text) for text in FENCED.findall(README.read_text(encoding="utf-8"))]
    (found,) = [text for text in every if part in text]
    return found


def declaration():
    return code("EQUATION = Equation(")


def test_the_report_it_shows_is_the_report_but_for_the_figures(capsys):
    some = ("dense", "relu", "softmax")
    assert set(some) <= set(SHOWN)
    assert run(["report", *some]) == 0
    lines = {shape(line) for line in excerpt(capsys.readouterr().out).splitlines()}
    table = {line for line in lines if line.startswith(("  =", "  d/d", *some))}
    assert len(table) >= 9
    assert table <= {shape(line) for line in shown().splitlines()}


def test_its_two_steps_add_a_derivative(tmp_path, monkeypatch, capsys):
    (tmp_path / "softplus.py").write_text(declaration(), encoding="utf-8")
    said = re.fullmatch(r'"softplus": Entry\((.*)\),\n', code('"softplus": Entry('), re.DOTALL)[1]
    head = "import torch\nimport jax.numpy as jnp\n"
    (tmp_path / "entry.py").write_text(f'{head}REFERENCES = {{"softplus": dict({said})}}\n', encoding="utf-8")
    table = '[tool.gradproof]\ndeclarations = ["softplus.py"]\nreferences = ["entry.py"]\n'
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["report", "softplus"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  d/dx"))
    assert len(re.findall(r"\bok\b", row)) >= 4  # the contract, PyTorch, JAX and differences


@pytest.mark.parametrize("wrong", ["z_bar * np.exp(x)", "z_bar * np.exp(-np.maximum(x, 0.0))"])
def test_and_one_that_is_wrong_is_refused(tmp_path, monkeypatch, wrong):
    right = "z_bar * np.exp(np.minimum(x, 0.0)) / (1.0 + np.exp(-np.abs(x)))"
    assert right in declaration()
    (tmp_path / "softplus.py").write_text(declaration().replace(right, wrong), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.gradproof]\ndeclarations = ["softplus.py"]\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert run(["report", "softplus"]) == 1


# ---- a derivative of one's own


def test_the_refusal_it_shows_is_what_the_command_says():
    assert shape(block("own", README.read_text(encoding="utf-8"))) == shape(readme.own())


def test_its_lines_for_a_derivative_of_ones_own_run_as_they_stand(tmp_path, monkeypatch, capsys):
    (tmp_path / "layers.py").write_text(code("def dense_vjp("), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "layers", raising=False)
    names = {}
    exec(code("import gradproof\n"), names)
    assert capsys.readouterr().out == "False mean_for_sum\n"
    assert set(names["result"].where) == {"b"}
    monkeypatch.delitem(sys.modules, "layers")


def test_every_call_it_names_exists():
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"\b((?:check|assert)_\w+)\(", text)) | set(re.findall(r"`(assert_\w+)`", text))
    assert len(named) >= 7
    assert named <= set(gradproof.__all__)


# ---- generated blocks


def test_it_counts_the_claims_as_the_errata_do():
    counted = re.findall(r"\d+", block("claims", README.read_text(encoding="utf-8")).split("\n\n")[0])
    page = (README.parent / "docs" / "errata.md").read_text(encoding="utf-8")
    told = re.findall(r"\d+", page.split("was\nevaluated as printed", 1)[1].split("\n\n", 1)[0])
    assert counted[1:] == told
    assert counted[0] == "285"


def test_its_figures_of_power_are_those_of_the_file():
    assert FIGURES.is_file()
    assert block("power", README.read_text(encoding="utf-8")) == readme.power()


def test_figures_of_several_runs_are_joined_tool_by_tool(tmp_path, monkeypatch):
    count = {"good": 1, "total": 2, "undecided": 0, "unable": 0, "failures": ["said /somewhere"]}
    column = {"wrong": count, "reachable": count, "cause": count, "right": count, "located": count}
    for name in ("one", "two"):
        found = {"varied": [{"tool": name, **column, "smallest": 1e-10, "seconds": "nan"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
    monkeypatch.setattr(readme, "FIGURES", tmp_path / "power.json")
    readme.take([tmp_path / "one.json", tmp_path / "two.json"])
    assert "somewhere" not in readme.FIGURES.read_text(encoding="utf-8")
    lines = readme.power().splitlines()
    assert "| figure | one | two |" in lines
    assert "| wrong rules refused | 50.0% of 2 | 50.0% of 2 |" in lines
    assert not [line for line in lines if "median time" in line]
