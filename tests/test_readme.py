"""README is executed: its sample output is the report's, and its two steps add a derivative that is right."""

import re
import textwrap

import pytest

from benchmarks.readme import README, SHOWN, excerpt, shape, shown
from gradproof.cli import run

FENCED = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks():
    return [textwrap.dedent(block) for block in FENCED.findall(README.read_text(encoding="utf-8"))]


def test_the_report_it_shows_is_the_report_but_for_the_figures(capsys):
    some = ("dense", "relu", "softmax")
    assert set(some) <= set(SHOWN)
    assert run(["report", *some]) == 0
    lines = {shape(line) for line in excerpt(capsys.readouterr().out).splitlines()}
    table = {line for line in lines if line.startswith(("  =", "  d/d", *some))}
    assert len(table) >= 9
    assert table <= {shape(line) for line in shown().splitlines()}


def test_its_two_steps_add_a_derivative(tmp_path, monkeypatch, capsys):
    declaration, entry, *_ = blocks()
    (tmp_path / "softplus.py").write_text(declaration, encoding="utf-8")
    said = re.fullmatch(r'"softplus": Entry\((.*)\),\n', entry, re.DOTALL)[1]
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
    assert right in blocks()[0]
    (tmp_path / "softplus.py").write_text(blocks()[0].replace(right, wrong), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.gradproof]\ndeclarations = ["softplus.py"]\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    assert run(["report", "softplus"]) == 1
