"""Mutants: what is planted, what kills it, what is marked, and what the command says and returns."""

import ast
import json
import signal
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from click.testing import CliRunner

from gradproof.commands.mutants import command
from gradproof.config import find_project
from gradproof.errors import InputError
from gradproof.mutants import equivalent, limits, score
from gradproof.mutants.faults import plant_in
from gradproof.mutants.judged import Judged, silent
from gradproof.mutants.plant import Sources, same_program
from gradproof.mutants.session import Session

# ---- what is planted -------------------------------------------------------------------------------------------------

EVERYTHING = '''
"""Words."""
import numpy as np

def forward(x, w, *, stride=1):
    """Not 1, and not x + w."""
    if stride < 1:
        raise ValueError("a stride of 0 + 1")
    return np.maximum(x @ w, 0) + 1.5

def backward(z_bar, z, x, w, *, stride=1):
    g = (z_bar * (z > 0)).sum(axis=0, keepdims=True)
    for a in range(len(x)):
        g += x[a : a + stride].mean() - 2
    np.add.at(g, z, z_bar)
    first = {"x": g, "w": g}
    h1, h2 = np.where(x == 0, first["x"], w), -x if stride and w else x.copy()
    return {"x": -z_bar @ w.T, "w": first["w"] * h1}
'''
KINDS = {
    "operator": "(z_bar / (z > 0)).sum",
    "sign": "x if stride and w",
    "transpose": '"x": -z_bar @ w, "w"',
    "axis": "sum(axis=1, keepdims=True)",
    "keepdims": "keepdims=False",
    "index": "x[a + 1:a + stride]",
    "bound": "range(len(x) - 1)",
    "missing term": "return np.maximum(x @ w, 0)",
    "missing factor": "(z_bar).sum",
    "missing copy": "stride and w else x",
    "missing sum": "g = x[a:a + stride].mean() - 2",
    "missing gradient": "return {'x': -z_bar @ w.T}",
    "mean for sum": "(z_bar * (z > 0)).mean(axis=0",
    "dropped reduction": "g = z_bar * (z > 0)",
    "comparison": "z >= 0",
    "condition": "-x if stride or w",
    "swapped arguments": "np.maximum(w @ x, 0)",
    "swapped indices": "h2, h1 =",
    "swapped gradients": "{'x': first['w'] * h1, 'w': -z_bar @ w.T}",
    "another gradient": "first['x'] * h1",
    "another function": "np.minimum(x @ w, 0)",
    "another variable": "-z @ w.T",
    "repeated index": "g[z] += z_bar",
    "constant": "+ 3.0",
}


@pytest.fixture(scope="module")
def everything():
    return plant_in(EVERYTHING)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_fault_is_planted(everything, kind):
    lines = ["\n".join(mutant.after) for mutant in everything]
    assert any(KINDS[kind] in line for line in lines), "\n".join(lines)
    if kind != "index":  # which is a bound where it is in a slice
        assert kind in {mutant.kind for mutant in everything}


def test_no_two_mutants_are_the_same_and_none_is_the_original(everything):
    module = ast.parse(EVERYTHING)
    programs = [ast.dump(mutant.tree(module)) for mutant in everything]
    assert len(set(programs)) == len(programs) > 60
    assert ast.dump(module) not in programs
    assert ast.unparse(module) == ast.unparse(ast.parse(EVERYTHING))  # and planting changes nothing


def test_a_mutant_reads_as_it_is_shown(everything):
    """The lines of the diff, put in the source, are the mutated program."""
    module, lines = ast.parse(EVERYTHING), EVERYTHING.splitlines()
    for mutant in everything:
        above, below = lines[: mutant.line - 1], lines[mutant.line - 1 + len(mutant.before) :]
        assert ast.dump(ast.parse("\n".join([*above, *mutant.after, *below]))) == ast.dump(mutant.tree(module))


def test_words_defaults_and_guards_are_left_alone(everything):
    changed = {mutant.line for mutant in everything}
    lines = EVERYTHING.splitlines()
    for number, line in enumerate(lines, 1):
        if '"""' in line or "def " in line or "raise" in line or "stride < 1" in line:
            assert number not in changed, line


# ---- mutated modules and those that import them ----------------------------------------------------------------------

HALVES = '''
"""Half of x."""
from gradproof import Equation

def forward(x):
    return x / 2

def backward(z_bar, z, x):
    return {"x": z_bar / 2}

def scale(x):
    return 1 * x

def spare(x):
    return x + 1

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d")
'''
QUARTERS = '''
"""A quarter of x, of two halves."""
import halves
from halves import forward as half
from halves import scale
from gradproof import Equation

def forward(x):
    return scale(half(half(x)))

def backward(z_bar, z, x):
    return {"x": halves.backward(halves.backward(z_bar, z, x)["x"], z, x)["x"]}

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d")
'''
REFERENCES = """
REFERENCES = {"halves": {"torch": lambda x: x / 2}, "quarters": {"torch": lambda x: x / 4}}
"""
TABLE = '[tool.gradproof]\ndeclarations = ["halves.py", "quarters.py"]\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A stranger's project: two declarations, one of which imports the other."""
    # a file is rewritten here within a second, which bytecode cannot tell where its length stays
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in (("halves", HALVES), ("quarters", QUARTERS)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(TABLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path

    for name in ("halves", "quarters"):
        sys.modules.pop(name, None)


def test_a_fault_reaches_the_declarations_that_import_it(folder):

    project = find_project()
    sources = Sources(project.equations, project.files)
    assert sources.built_on("halves") == ["quarters"]
    assert sources.built_on("quarters") == []
    before = set(sys.modules)
    mutant = next(m for m in sources.all["halves"].mutants() if m.now == "return x * 2")
    with sources.planted("halves", mutant) as halves, sources.planted("halves", mutant, "quarters") as quarters:
        assert halves.forward(3.0) == 6.0
        assert quarters.forward(3.0) == 12.0
        assert (halves.name, quarters.name) == ("halves", "quarters")
    assert project.equations["quarters"].forward(3.0) == 0.75  # nothing that was imported is touched
    assert set(sys.modules) == before
    backward = next(m for m in sources.all["halves"].mutants() if m.now == 'return {"x": z_bar * 2}')
    with sources.planted("halves", backward, "quarters") as quarters:
        assert quarters.backward(1.0, None, 1.0) == {"x": 4.0}


def test_functions_that_nothing_calls_are_told_apart(folder):
    project = find_project()
    assert Sources(project.equations, project.files).reached("halves") == {"forward", "backward", "scale"}


def test_the_same_bytecode_is_the_same_program(folder):
    project = find_project()
    source = Sources(project.equations, project.files).all["halves"]
    assert not any(same_program(source, mutant) for mutant in source.mutants())
    text = "def more(x):\n    while 1:\n        return x\n"
    source = replace(source, text=text, tree=ast.parse(text), code=compile(text, "", "exec"))
    assert [m.now for m in source.mutants() if same_program(source, m)] == ["while 2:"]


# ---- verdicts --------------------------------------------------------------------------------------------------------


def test_a_session_kills_and_what_a_declaration_misses_one_that_imports_it_may_notice(folder):
    session = Session(folder, 0, 4)
    session.open("halves")
    told = {m.now: session.answer(n)[:2] for n, m in enumerate(session.mutants("halves")) if m.function != "spare"}
    assert told["return x * 2"][0] == "killed"
    assert told["return {'x': -(z_bar / 2)}"][0] == "killed"
    # `scale` is run by the other file alone
    assert told["return 2 * x"][1].startswith("quarters: ")
    assert told["return x"][0] == "survived"


def test_a_rule_that_float32_refuses_as_it_stands_is_held_to_float64_alone(folder):
    """Otherwise float32 would refuse every mutant, and none could survive."""
    wide = (
        textwrap.dedent(HALVES)
        .replace("z_bar / 2}", "np.float64(z_bar) / 2}")
        .replace("\nfrom", "\nimport numpy as np\nfrom", 1)
    )
    (folder / "halves.py").write_text(wide, encoding="utf-8")
    session = Session(folder, 0, 4)
    session.open("halves")
    assert session.judged("halves").narrow is None
    assert session.judged("quarters").narrow is None
    told = {m.now: session.answer(n)[0] for n, m in enumerate(session.mutants("halves")) if m.function != "spare"}
    assert told["return x * 2"] == "killed"
    assert told["return x"] == "survived"


def test_what_the_screen_kills_a_whole_check_refuses(folder):
    """The screen is as strict as a check, and no stricter."""
    project = find_project()
    sources = Sources(project.equations, project.files)
    judged = Judged(project.equations["halves"], {}, examples=3)
    told = set()
    for mutant in sources.all["halves"].mutants():
        with sources.planted("halves", mutant) as equation, silent():
            screened, whole = judged.screen(equation), judged.whole(equation)
        assert (screened is None) == (whole is None), mutant.now
        told.add(screened is None)
    assert told == {True, False}


def test_a_mark_is_believed_only_where_nothing_refuses(folder):
    (folder / equivalent.NAME).write_text(
        textwrap.dedent("""
        [[halves]]
        function = "scale"
        was = "return 1 * x"
        now = ["return x", "return x * 1"]
        reason = "one times x"

        [[halves]]
        function = "forward"
        was = "return x / 2"
        now = "return x * 2"
        reason = "not so"
        """),
        encoding="utf-8",
    )
    session = Session(folder, 0, 4)
    session.open("halves")
    told = {m.now: session.answer(n) for n, m in enumerate(session.mutants("halves")) if m.function != "spare"}
    assert told["return x"] == ("equivalent", "", "", "one times x")
    assert told["return x * 2"][0] == "killed"
    assert session.marks.stale("halves", session.mutants("halves")) == [("scale", "return 1 * x", "return x * 1")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[halves]]\nfunction = 'f'\n", "has function; expected function, now, reason, was"),
        ("halves = 3\n", "has 3; expected"),
        ("[[halves]]\nfunction='f'\nwas='a'\nnow=[]\nreason='r'\n", "has an empty word"),
        ("[[halves]]\nfunction='f'\nwas='a'\nnow='b'\nreason=' '\n", "has an empty word"),
        ("[[halves\n", "cannot be read as TOML"),
    ],
)
def test_a_damaged_file_of_marks_is_one_line(tmp_path, text, message):
    (tmp_path / equivalent.NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        equivalent.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_marks_are_looked_for_beside_the_declarations_then_at_the_root(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    assert equivalent.read(inner, tmp_path).reasons == {}
    assert equivalent.read(inner, tmp_path).file == inner / equivalent.NAME
    (tmp_path / equivalent.NAME).write_text("", encoding="utf-8")
    assert equivalent.read(inner, tmp_path).file == tmp_path / equivalent.NAME


# ---- the command -----------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def test_the_command_shows_survivors_and_writes_scores(folder):
    """Both equations in one worker, which one mutant ends: survivors as diffs, exit code 1, the scores in a file."""
    deadly = HALVES.replace("    return x / 2", "    if x is None:\n        os._exit(1)\n    return x / 2")
    (folder / "halves.py").write_text(textwrap.dedent(deadly).replace("from", "import os\nfrom", 1), encoding="utf-8")
    result = run("-j", "1", "--examples", "3", "--json", "scores.json")
    assert result.exception is None, result.exception
    assert result.return_value == 1
    assert "-    return 1 * x\n+    return x\n" in result.stdout
    assert "no sample tells it: the same numbers on all 3 samples" in result.stdout
    assert "in functions that nothing calls" in result.stdout
    assert "halves: missing factor survives in scale" in result.stdout
    scores = score.read(folder / "scores.json")
    assert set(scores) == {"halves", "quarters"}
    halves = scores["halves"]
    assert halves["complete"]
    assert halves["killed"] < halves["of"] == len(halves["mutants"]) - halves["unreached"] - halves["equivalent"]
    assert halves["source"] == score.digest((folder / "halves.py").read_text(encoding="utf-8"))
    assert {m["state"] for m in halves["mutants"]} <= set(score.STATES)
    assert all(m["by"] for m in halves["mutants"] if m["state"] == "killed")
    dead = [m for m in halves["mutants"] if m["by"] == "process"]
    assert {m["now"] for m in dead} >= {"if x is not None:"}
    assert all(m["why"] == "the process died" for m in dead)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the parent's clock has to do on this system")
def test_a_mutant_that_loops_is_ended():
    def loop():
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue  # it is no Exception: a rule that catches them all does not live on

    with pytest.raises(limits.TimedOut), limits.limited(0.05):
        loop()
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer of processor time on this system")
def test_a_limit_holds_where_python_drops_what_is_raised(capsys):
    class Slow:
        def __del__(self):
            until = time.process_time() + 0.3
            while time.process_time() < until:
                pass

    def work():
        Slow()
        until = time.monotonic() + 60
        while time.monotonic() < until:
            pass

    with pytest.raises(limits.TimedOut), limits.limited(0.1):
        work()
    assert capsys.readouterr().err == ""


def test_the_wrong_and_the_absent_are_one_line(folder, capsys):
    from gradproof import cli

    assert cli.run(["mutants", "thirds"]) == 2
    assert "no equation is named 'thirds'" in capsys.readouterr().err
    assert cli.run(["mutants", "-k", "thirds"]) == 5
    assert "nothing selected" in capsys.readouterr().err
    wrong = HALVES.replace('"x": z_bar / 2', '"x": z_bar / 3.5')
    (folder / "halves.py").write_text(textwrap.dedent(wrong), encoding="utf-8")
    assert cli.run(["mutants", "halves", "-j", "1", "--examples", "3", "--json", "s.json"]) == 2
    said = capsys.readouterr()
    assert "halves is refused as it stands" in said.err
    assert said.err.count("\n") == 1
    assert not (folder / "s.json").exists()


# ---- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "are damaged"),
        ("[]", "holds no scores"),
        ('{"schema": 99, "equations": {}}', "holds no scores"),
        ('{"schema": 1, "equations": {"a": {"killed": 2, "of": 1, "equivalent": 0}}}', "damaged at 'a'"),
        ('{"schema": 1, "equations": {"a": {"killed": "2", "of": 1, "equivalent": 0}}}', "damaged at 'a'"),
        ('{"schema": 1, "equations": {"a": 3}}', "damaged at 'a'"),
        (None, "cannot be read"),
    ],
)
def test_damaged_scores_are_one_line(tmp_path, text, message):
    file = tmp_path / "scores.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        score.read(file)


def test_scores_count_what_can_be_killed():
    one = score.Score("a", "a.py", "0")
    for state in ("killed", "killed", "survived", "equivalent", "unreached"):
        one.outcomes.append(score.Outcome("f", "sign", 1, "x", "-x", state))
    assert (one.killed, one.of, one.count("equivalent"), len(one.survivors)) == (2, 3, 1, 1)
    assert json.loads(score.dump([one], seed=0))["equations"]["a"]["of"] == 3
