"""The lines that replay a failure run as they are; a stranger's project is left alone."""

import importlib
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest

import gradproof
from gradproof import Equation
from gradproof.config import import_file

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
W = np.array([1.25, 0.5, -2.5])
SHAPES = "x: n d, w: d -> z: n d"


def scale(x, w):
    return x * w


def scale_vjp(u, x, w):
    return u * w, (u * x).sum(0)


def wrong_vjp(u, x, w):
    return u * w, (u * x).mean(0)


def sine(x):
    return np.sin(x)


def check(forward, vjp, inputs, **options):
    return gradproof.check_vjp(forward, vjp, inputs, **{"examples": 8, **options})


# ---- lines that replay -----------------------------------------------------------------------------------------------


class Factor:
    """A rule that is an object."""

    def __call__(self, u, x):
        return 1.5 * u * np.cos(x)


def raising(u, x, w):
    raise KeyError("a name that is not there")


def layer_forward(x, w):
    return x * w, (x, w)


def layer_backward(dout, cache):
    x, w = cache
    return dout * w, (dout * x).mean(0)


def total(x):
    return (x**2).sum()


def total_grad(x):
    return x


def scale_jvp(tangents, x, w):
    return tangents[0] * w - x * tangents[1]


def pair(x, mode, nothing):
    return x * 2, np.sin(x)


def pair_vjp(u, x, mode, nothing):
    return u[0] + u[1] * np.cos(x)


REPLAYED = {
    "vjp": (gradproof.check_vjp, scale, wrong_vjp, (X, W), {}),
    "narrow": (gradproof.check_vjp, scale, wrong_vjp, (X.astype(np.float32), W.astype(np.float16)), {}),
    "bfloat16": (gradproof.check_vjp, sine, lambda u, x: u, (X.astype(ml_dtypes.bfloat16),), {}),
    "lambda": (gradproof.check_vjp, sine, lambda u, x: u, (X,), {}),
    "callable": (gradproof.check_vjp, sine, Factor(), (X,), {}),
    "outputs": (gradproof.check_vjp, pair, pair_vjp, (X, "sum", None), {}),
    "scalar": (gradproof.check_vjp, scale, wrong_vjp, (X, np.float32(0.5)), {}),
    "raises": (gradproof.check_vjp, scale, raising, (X, W), {}),
    "shapes": (gradproof.check_vjp, scale, wrong_vjp, (X, W), {"shapes": SHAPES}),
    "large": (gradproof.check_vjp, sine, lambda u, x: u, (np.linspace(-1, 1, 3000),), {}),
    "grad": (gradproof.check_grad, total, total_grad, (X,), {}),
    "jvp": (gradproof.check_jvp, scale, scale_jvp, (X, W), {}),
    "layer": (gradproof.check_layer, layer_forward, layer_backward, (X, W), {}),
}


@pytest.mark.parametrize("kind", REPLAYED)
def test_the_lines_that_reproduce_run_when_pasted(kind):
    run, forward, rule, inputs, options = REPLAYED[kind]
    result = run(forward, rule, inputs, examples=6, **options)
    assert result.refused
    calls = []

    def watched(*given):
        calls.append(given)
        return rule(*given)

    name = getattr(rule, "__name__", type(rule).__name__)
    known = {"forward": forward, forward.__name__: forward, "vjp": watched, "rule": watched, name: watched}
    known |= {"backward": watched} if kind != "layer" else {}
    known |= {"jvp": watched, "grad": watched} if kind in ("jvp", "grad") else {}
    # the rule that is imported would not be the one that is watched
    lines = [line for line in result.reproduce.splitlines() if not line.startswith(f"from {__name__} import")]
    code = compile("\n".join(lines), "reproduce", "exec")
    if kind == "raises":
        with pytest.raises(KeyError):
            exec(code, known)
    else:
        exec(code, known)
    assert calls or kind == "large"
    indented = "\n".join("    " + line for line in result.reproduce.splitlines())
    assert indented in str(result)


def test_the_lines_of_a_declaration_run_when_pasted():
    def forward(x, *, power):
        return x**power

    def backward(z_bar, z, x, *, power):
        return {"x": z_bar * x ** (power - 1)}

    equation = Equation(forward=forward, backward=backward, shapes="x: n -> z: n", static={"power": (2, 3)})
    result = gradproof.check(equation, examples=6)
    assert result.refused
    exec(compile(result.reproduce, "reproduce", "exec"), {"forward": forward, "backward": backward})


def test_the_lines_of_a_declaration_in_a_file_run_when_pasted_into_another_program(tmp_path, monkeypatch):
    source = """
import numpy as np
from gradproof import Equation

def forward(x):
    return x**2

def backward(z_bar, z, x):
    return {"x": z_bar * x}

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n -> z: n")
"""
    file = tmp_path / "a {folder}" / "square.py"
    file.parent.mkdir()
    (tmp_path / "other").mkdir()
    file.write_text(source, encoding="utf-8")
    seen = {tmp_path: "a {folder}/square.py", file.parent: "square.py", tmp_path / "other": str(file)}
    for folder, shown in seen.items():
        monkeypatch.chdir(folder)
        result = gradproof.check(import_file(file).EQUATION, examples=4)
        assert result.refused
        assert f"square_py = run_path('{shown}')" in result.reproduce
        exec(compile(result.reproduce, "reproduce", "exec"), {})
        said = "\n".join([*result.reproduce.splitlines()[:-1], f"print({result.reproduce.splitlines()[-1]})"])
        done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# ---- the stranger's road ---------------------------------------------------------------------------------------------


STRANGER = """
import sys
import numpy as np
import gradproof
from gradproof import Equation

def left_alone():
    found = {name.partition(".")[0] for name in sys.modules} & {"derivs", "reference", "tests", "benchmarks"}
    assert not found, found

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
assert gradproof.check_vjp(np.sin, lambda u, x: u * np.cos(x), (X,), shapes="x: n d -> z: n d", examples=4).ok
assert gradproof.check_grad(lambda x: (x**2).sum(), lambda x: 2 * x, (X,), examples=4).ok
equation = Equation(forward=lambda x: x**2, backward=lambda z_bar, z, x: {"x": 2 * z_bar * x}, shapes="x: n -> z: n")
assert gradproof.check(equation, examples=4).ok
assert gradproof.CAUSES
assert "torch" not in sys.modules and "jax" not in sys.modules
left_alone()
import torch, jax
references = {"torch": torch.sin, "jax": jax.numpy.sin}
assert gradproof.check_vjp(np.sin, lambda u, x: u * np.cos(x), (X,), **references, examples=4).ok
assert gradproof.check_torch(torch.sin, (X,), examples=4).ok
assert gradproof.check_jax(jax.numpy.sin, (X,), examples=4).ok
left_alone()
import derivs, reference
assert derivs.MINE and reference.MINE
"""


def test_a_project_with_folders_of_our_names_is_not_disturbed(tmp_path):
    for name in ("derivs", "reference"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n", encoding="utf-8")
    (tmp_path / "stranger.py").write_text(STRANGER, encoding="utf-8")
    command = [sys.executable, "stranger.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_check_leaves_the_callers_arrays_and_numpys_settings_alone():
    x, w = X.copy(), W.copy()
    before = np.geterr()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that the global generator is left alone is what is tested
    assert check(scale, scale_vjp, (x, w)).ok
    assert (x == X).all()
    assert (w == W).all()
    assert np.geterr() == before
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002 - as above


def test_the_lines_import_what_can_be_imported(tmp_path, monkeypatch):
    source = """
import numpy as np
def forward(x): return x**2
def wrong(u, x): return u * x
def wrong_grad(x): return x
def layer(x): return x**2, x
def backward(u, cache): return u * cache
"""
    (tmp_path / "replayed_layers.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("replayed_layers")
    point = (np.array([1.5, -0.5]),)
    results = {
        "wrong": gradproof.check_vjp(made.forward, made.wrong, point),
        "wrong_grad": gradproof.check_grad(lambda x: (x**2).sum(), made.wrong_grad, point),
        "backward, layer": gradproof.check_layer(made.layer, made.backward, point),
    }
    for names, result in results.items():
        assert result.refused
        assert result.reproduce.count(f"from replayed_layers import {names}\n") == 1
        exec(compile(result.reproduce, "reproduce", "exec"), {})
    elsewhere = gradproof.check_vjp(made.forward, lambda u, x: u * x, point)
    assert elsewhere.refused
    assert "import replayed" not in elsewhere.reproduce
