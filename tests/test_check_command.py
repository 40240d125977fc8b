"""`gradproof check`: a stranger's file, or his functions by name; exit codes, and one line for bad input."""

import subprocess
import sys

import pytest

from gradproof.cli import run

LAYERS = """
import numpy as np

def scale(x, w):
    return x * w

def scale_vjp(u, x, w):
    return u * w, (u * x).sum(0)

def transposed_vjp(u, x, w):
    return u * w, (u * x).sum(1)

def by_name_vjp(u, x, w):
    return {"x": u * w, "w": (u * x).sum(0)}

def log(x):
    return np.log(x)

def log_vjp(u, x):
    return u / x

def entropy(x, y):
    return -(y * np.log(x)).sum()

def entropy_vjp(u, x, y):
    return -u * y / x, None

def pick(x, labels):
    return x[np.arange(len(x)), labels]

def pick_vjp(u, x, labels):
    g = np.zeros_like(x)
    g[np.arange(len(x)), labels] = u
    return g, None

def spiky(x):
    return x * np.floor(1e9 * x)

def same(u, x):
    return u

NUMBER = 3

def half(x):
    return x[: len(x) // 2]
"""

DECLARATION = '''
"""Squares."""
from gradproof import Equation

def forward(x):
    return x * x

def backward(z_bar, z, x):
    return {{"x": {factor} * z_bar * x}}

{name} = Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d")
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of his own, the working folder, that is no package and has no pyproject.toml."""
    (tmp_path / "layers.py").write_text(LAYERS, encoding="utf-8")
    (tmp_path / "right.py").write_text(DECLARATION.format(factor=2, name="EQUATION"), encoding="utf-8")
    (tmp_path / "wrong.py").write_text(DECLARATION.format(factor=3, name="SQUARE"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("layers", None)


def check(*arguments):
    return run(["check", *arguments, "--examples", "8"])


def one_line(capsys):
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("gradproof: ")
    return lines[0]


# ---- files ---------------------------------------------------------------------------------------------


def test_a_right_declaration_is_exit_code_0(folder, capsys):
    assert check("right.py") == 0
    said = capsys.readouterr().out
    assert said.startswith("right.py\nright: agrees")
    assert check("right.py", "-q") == 0
    assert capsys.readouterr().out == ""


def test_a_wrong_declaration_is_exit_code_1_and_explained_under_any_name(folder, capsys):
    assert check("wrong.py") == 1
    said = capsys.readouterr().out
    assert "wrong: the gradient of x is wrong" in said
    assert "1.5 times" in said


def test_every_declaration_of_every_file_is_judged(folder, capsys):
    two = DECLARATION.format(factor=2, name="FIRST") + "\nSECOND = Equation(forward, backward, 'x: n -> z: n')\n"
    (folder / "two.py").write_text(two + "ALIAS = FIRST\n", encoding="utf-8")
    assert check("right.py", "two.py", "wrong.py") == 1
    said = capsys.readouterr().out
    labels = [line for line in said.splitlines() if line.split(":")[0] in ("right.py", "two.py", "wrong.py")]
    assert labels == ["right.py", "two.py: FIRST", "two.py: SECOND", "wrong.py"]


def test_x_stops_at_the_first_wrong_declaration(folder, capsys):
    assert check("-x", "wrong.py", "right.py") == 1
    assert "right.py" not in capsys.readouterr().out


def test_an_undecided_declaration_is_exit_code_4(folder, capsys):
    text = DECLARATION.format(factor="1e-9 +", name="EQUATION").replace("1e-9 + * z_bar * x", "1e-9 * z_bar")
    lost = "np.array([1e8 + 1e-9 * float(v) for v in x])"  # the slope is below the rounding of the value
    text = text.replace("return x * x", f"return {lost}").replace("x: n d -> z: n d", "x: n -> z: n")
    (folder / "lost.py").write_text("import numpy as np\n" + text, encoding="utf-8")
    assert check("lost.py") == 4
    assert "undecided" in capsys.readouterr().out


def test_a_file_may_import_its_neighbours(folder, capsys):
    (folder / "sub").mkdir()
    (folder / "sub" / "rule.py").write_text("def double(u, x):\n    return 2 * u * x\n", encoding="utf-8")
    text = DECLARATION.format(factor=2, name="EQUATION").replace("2 * z_bar * x", "double(z_bar, x)")
    (folder / "sub" / "square.py").write_text("from rule import double\n" + text, encoding="utf-8")
    assert check("sub/square.py") == 0


def test_an_interrupted_run_is_exit_code_130(folder, capsys, monkeypatch):
    import gradproof.named

    right = gradproof.named.check

    def interrupted(equation, **options):
        if equation.name == "wrong":
            raise KeyboardInterrupt
        return right(equation, **options)

    monkeypatch.setattr(gradproof.named, "check", interrupted)
    assert check("right.py", "wrong.py") == 130
    said = capsys.readouterr()
    assert "right: agrees" in said.out
    assert said.err == "gradproof: interrupted after 1 of 2 declarations\n"


NO_MODULE = "given.py cannot be imported: ModuleNotFoundError: No module named 'no_such_thing'"
ENDS = "given.py ends the process when it is imported; guard that with if __name__ == '__main__'"
DECLARES_NOTHING = "given.py declares nothing; end it in EQUATION = gradproof.Equation(...)"
SQUARE = DECLARATION.format(factor=2, name="E")


@pytest.mark.parametrize(("text", "code", "said"), [
    (None, 2, "there is no file given.py"),
    ("x = 3\n", 5, DECLARES_NOTHING),
    ("def broken(:\n", 2, "given.py cannot be imported: SyntaxError"),
    ("import no_such_thing\n", 2, NO_MODULE),
    ("1 / 0\n", 2, "given.py cannot be imported: ZeroDivisionError"),
    ("raise SystemExit\n", 2, ENDS),
    (SQUARE.replace("x: n d ->", "y: n d ->"), 2, "make the two agree"),
    (SQUARE.replace("x * x", "x * float('nan')"), 2, "given.py: the forward of 'given' is nowhere finite"),
])  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_in_one_line(folder, capsys, text, code, said):
    if text is not None:
        (folder / "given.py").write_text(text, encoding="utf-8")
    assert check("given.py") == code
    assert said in one_line(capsys)


def test_a_folder_and_another_kind_of_file_are_told(folder, capsys):
    assert check(str(folder)) == 2
    assert "is a folder; give its files" in one_line(capsys)
    (folder / "notes.txt").write_text("nothing\n", encoding="utf-8")
    assert check("notes.txt") == 2
    assert "notes.txt is no Python file" in one_line(capsys)
    assert check("layers") == 2
    assert "there is no file layers; a function is named MODULE:FUNCTION" in one_line(capsys)


def test_an_option_that_a_declaration_states_itself_is_refused(folder, capsys):
    assert check("right.py", "--constant", "x") == 2
    assert "--constant is for MODULE:FORWARD MODULE:VJP; a declaration states its own" in one_line(capsys)


# ---- functions by name ---------------------------------------------------------------------------------

SCALE = ["--shapes", "x: n d, w: d -> z: n d"]


@pytest.mark.parametrize("vjp", ["scale_vjp", "by_name_vjp"])
def test_functions_are_found_from_the_working_folder(folder, capsys, vjp):
    assert check("layers:scale", f"layers:{vjp}", *SCALE) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{vjp}: agrees")
    assert said.err == ""


def test_a_wrong_vjp_is_explained_with_lines_that_run(folder, capsys):
    assert check("layers:scale", "layers:transposed_vjp", *SCALE) == 1
    said = capsys.readouterr().out
    assert "transposed_vjp" in said
    lines = said.splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("  to reproduce"))
    code = "\n".join(line[4:] for line in lines[start + 1 :])
    assert "from layers import transposed_vjp" in code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_domains_constants_and_references_are_heard(folder, capsys):
    positive = ["--shapes", "x: n d -> y: n d", "--domain", "x=positive", "--torch", "torch:log"]
    assert check("layers:log", "layers:log_vjp", *positive, "--jax", "jax.numpy:log") == 0
    assert "torch" in capsys.readouterr().out
    pair = [
        "--shapes",
        "x: n c, y: n c -> l:",
        "--domain",
        "x=0.1,2",
        "--domain",
        "y = onehot",
        "--constant",
        "y",
    ]
    assert check("layers:entropy", "layers:entropy_vjp", *pair) == 0
    labels = ["--shapes", "x: n c, labels: n -> z: n", "--domain", "labels=labels(c)"]
    assert check("layers:pick", "layers:pick_vjp", *labels) == 0


def test_a_gradient_that_is_left_out_is_missing_until_it_is_constant(folder, capsys):
    pair = ["--shapes", "x: n c, y: n c -> l:", "--domain", "x=positive"]
    assert check("layers:entropy", "layers:entropy_vjp", *pair) == 1
    assert "constant='y'" in capsys.readouterr().out


def test_seed_and_examples_are_heard(folder, capsys):
    for options in (["--seed", "1"], ["--seed", "2"], ["--seed", "1"]):
        assert run(["check", "layers:scale", "layers:transposed_vjp", *SCALE, "--examples", "2", *options]) == 1
    first, other, again = capsys.readouterr().out.split("transposed_vjp: ")[1:]
    assert first == again != other


def test_memory_that_is_shared_is_wrong_with_strict(folder, capsys):
    (folder / "sums.py").write_text("def add(x):\n    return x + 1\n\ndef vjp(u, x):\n    return u\n", encoding="utf-8")
    shapes = ["--shapes", "x: n -> z: n"]
    assert check("sums:add", "sums:vjp", *shapes) == 0
    assert check("sums:add", "sums:vjp", *shapes, "--strict") == 1
    sys.modules.pop("sums")


PAIR = ["layers:scale", "layers:scale_vjp"]


@pytest.mark.parametrize(("arguments", "said"), [
    (["layers:scale"], "1 arguments; expected a forward and its vjp"),
    (PAIR, "no --shapes; points are drawn from one"),
    (["nolayers:scale", "layers:scale_vjp", *SCALE], "there is no module 'nolayers' in "),
    (["layers.deep:scale", "layers:scale_vjp", *SCALE], "layers.deep"),
    (["layers:skale", "layers:scale_vjp", *SCALE], "layers has no 'skale'; did you mean scale?"),
    (["layers:NUMBER", "layers:scale_vjp", *SCALE], "layers:NUMBER is a int; expected a function"),
    (["layers:scale", "scale_vjp", *SCALE], "'scale_vjp' names no function; expected MODULE:FUNCTION"),
    ([*PAIR, "--shapes", "x: n d, w: d"], "expected one '->'"),
    ([*PAIR, "--shapes", "x: n d -> z: n d"], "gives the inputs (x): missing a required argument: 'w'"),
    ([*PAIR, "--shapes", "w: d, x: n d -> z: n d"], "gives (w, x); use one order"),
    ([*PAIR, "--shapes", "x: n d, w: n -> z: n d"], "the forward raised ValueError"),
    ([*PAIR, *SCALE, "--domain", "positive"], "names no input; expected NAME=WORD for one of x, w"),
    ([*PAIR, *SCALE, "--domain", "y=positive"], "names no input"),
    ([*PAIR, *SCALE, "--domain", "x=negative"], "'negative' is unknown; expected one of real, positive"),
    ([*PAIR, *SCALE, "--constant", "y"], "--constant y names no input; the inputs are x, w"),
    ([*PAIR, *SCALE, "--torch", "torch:no_such"], "torch has no 'no_such'"),
    ([*PAIR, *SCALE, "--torch", "torch:add"], "the torch forward is another function"),
    ([*PAIR, *SCALE, "--examples", "0"], "0 is not in the range"),
    ([], "Missing argument"),
])  # fmt: skip
def test_bad_arguments_are_one_line(folder, capsys, arguments, said):
    assert run(["check", *arguments]) == 2
    assert said in one_line(capsys)


def test_help_says_that_it_runs_the_code_and_imports_nothing_large():
    code = (
        "import sys; from gradproof.cli import run; run(['check', '--help']); sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "RUNS THE CODE IT IS GIVEN" in done.stdout
    assert not {"numpy", "torch", "jax"} & set(done.stderr.split())
