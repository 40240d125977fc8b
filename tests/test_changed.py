"""What a change can affect: from the source of an equation and all it calls, found by name and never by running."""

import subprocess
import sys
from pathlib import Path

import pytest

from gradproof.changed import Changed, affected, affected_tests
from gradproof.cli import run
from gradproof.config import find_project
from gradproof.errors import InputError
from gradproof.git import repository
from gradproof.sources import Source, Sources

EQUATION = '''"""A map."""
from gradproof import Equation
{head}

def forward(x):
    return {forward}

def backward(z_bar, z, x):
    return {{"x": {backward}}}

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d")
'''
PARTS = """
SLOPE = 3.0
OTHER = 1.0

def steep(x):
    return SLOPE * x

def flat(x):
    return OTHER * x
"""
ANSWERS = """
import tables

REFERENCES = {
    "steep": {"jax": lambda x: tables.three() * x},
    "flat": {"jax": lambda x: x},
}
"""
BY_PARTS, BY_NAME, BY_EQUATION = "from kit import parts", "from .parts import flat", "from kit import steep as once"
ONCE = 'once.backward(z_bar, z, x)["x"]'
FILES = {
    "pyproject.toml": '[tool.gradproof]\ndeclarations = ["kit"]\nreferences = ["answers"]\n',
    "README.md": "Words.\n",
    "kit/__init__.py": "",
    "kit/parts.py": PARTS,
    "kit/steep.py": EQUATION.format(head=BY_PARTS, forward="parts.steep(x)", backward="parts.steep(z_bar)"),
    "kit/flat.py": EQUATION.format(head=BY_NAME, forward="flat(x)", backward="flat(z_bar)"),
    "kit/twice.py": EQUATION.format(head=BY_EQUATION, forward="2 * once.forward(x)", backward=f"2 * {ONCE}"),
    "answers.py": ANSWERS,
    "tables.py": "def three():\n    return 3.0\n",
}
ALL = {"steep", "flat", "twice"}


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A committed project of three equations; two are built on parts, one on another equation."""
    # a file is rewritten here within a second, which bytecode cannot tell where its length stays
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    forget()


def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] in ("kit", "answers", "tables")]:
        del sys.modules[name]


def edit(checkout, name, old, new):
    file = checkout / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def touched(checkout, revision="HEAD") -> Changed:
    forget()
    return affected(find_project(), repository(checkout, revision), {}, checkout / "baseline.json")


@pytest.mark.parametrize(("name", "old", "new", "hit"), [
    ("kit/steep.py", "parts.steep(z_bar)", "1 * parts.steep(z_bar)", {"steep", "twice"}),  # its callers too
    ("kit/twice.py", "2 * once.forward", "once.forward(x) + once.forward", {"twice"}),
    ("kit/flat.py", "x: n d -> z: n d", "x: n e -> z: n e", {"flat"}),
    ("kit/parts.py", "SLOPE = 3.0", "SLOPE = 4.0", {"steep", "twice"}),  # a constant that a function reads
    ("kit/parts.py", "return OTHER * x", "return x * OTHER", {"flat"}),  # by a relative import
    ("kit/parts.py", "SLOPE = 3.0", "import math\nSLOPE = math.e", {"steep", "twice"}),
    ("kit/parts.py", "SLOPE = 3.0", "SLOPE = 3.0\nprint('hi')", ALL),  # a statement runs for whoever imports
    ("kit/__init__.py", "", "VERSION = 1\n", set()),
    ("answers.py", '{"jax": lambda x: x}', '{"jax": lambda x: 1 * x}', {"flat"}),  # an entry of a table
    ("tables.py", "return 3.0", "return 4.0", {"steep"}),  # what an entry calls
    ("kit/steep.py", '"""A map."""', '"""The map."""', set()),
    ("kit/steep.py", "def forward(x):", "def forward(x):\n    # a comment", set()),
    ("kit/steep.py", "def forward(x):", 'def forward(x):\n    """Words."""', set()),
    ("README.md", "Words", "More words", set()),
    ("pyproject.toml", 'references = ["answers"]', "", ALL),
    ("pyproject.toml", "[tool.gradproof]", "[tool.other]\nx = 1\n[tool.gradproof]", set()),
])  # fmt: skip
def test_a_change_touches_what_is_built_on_it_and_nothing_else(checkout, name, old, new, hit):
    if old:
        edit(checkout, name, old, new)
    else:
        (checkout / name).write_text(new, encoding="utf-8")
    assert set(touched(checkout).equations) == hit


def test_a_new_entry_in_a_table_touches_its_equation_alone(checkout):
    edit(checkout, "answers.py", "REFERENCES = {", 'REFERENCES = {\n    "twice": {"jax": lambda x: 6.0 * x},')
    assert set(touched(checkout).equations) == {"twice"}


def test_a_new_equation_is_touched_and_a_deleted_name_touches_its_users(checkout):
    (checkout / "kit" / "new.py").write_text(FILES["kit/flat.py"], encoding="utf-8")
    assert touched(checkout).equations == {"new": "new.py: new"}
    edit(checkout, "kit/parts.py", "OTHER = 1.0\n", "from math import pi as OTHER\n")
    assert set(touched(checkout).equations) == {"new", "flat"}


def test_data_beside_a_declaration_touches_its_folder(checkout):
    (checkout / "kit" / "weights.bin").write_bytes(b"\x00\xff")
    found = touched(checkout)
    assert set(found.equations) == ALL
    assert set(found.equations.values()) == {"weights.bin: a file beside it"}


def test_the_reason_and_what_has_no_effect_are_told(checkout):
    edit(checkout, "kit/parts.py", "OTHER = 1.0", "OTHER = 1.5")
    edit(checkout, "README.md", "Words", "More words")
    edit(checkout, "kit/twice.py", "A map", "The map")
    found = touched(checkout)
    assert found.equations == {"flat": "parts.py: OTHER"}
    assert found.idle == ("README.md", "kit/twice.py (words alone)")


def test_lines_of_the_baseline_that_changed_are_checked(checkout):
    file = checkout / "baseline.json"
    file.write_text('{\n{"equation": "flat", "ulps": 4},\n{"equation": "steep", "ulps": 4}\n', encoding="utf-8")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "two")
    file.write_text('{\n{"equation": "flat", "ulps": 64},\n{"equation": "steep", "ulps": 4}\n', encoding="utf-8")
    assert touched(checkout).equations == {"flat": "baseline.json: its lines"}


def test_a_change_in_the_judge_means_everything_and_one_beside_it_nothing(checkout, monkeypatch):
    engine = checkout / "engine"
    (engine / "oracles").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "checking.py": "def check():\n    from engine.oracles import ball\n    return ball.ask()\n",
        "oracles/__init__.py": "",
        "oracles/ball.py": "def ask():\n    return 1\n",
        "page.py": "def show():\n    return 1\n",
    }.items():
        (engine / name).write_text(text, encoding="utf-8")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "two")
    monkeypatch.setattr("gradproof.changed.ENGINE", engine)
    monkeypatch.setattr("gradproof.changed.JUDGE", ("checking.py",))
    edit(checkout, "engine/page.py", "return 1", "return 2")
    assert touched(checkout).equations == {}
    edit(checkout, "engine/oracles/ball.py", "def ask():\n", 'def ask():\n    """Ask."""\n')
    assert touched(checkout).equations == {}
    edit(checkout, "engine/oracles/ball.py", "return 1", "return 2")
    found = touched(checkout)
    assert set(found.equations) == ALL
    assert found.everything == "the judge changed (engine/oracles/ball.py)"


def test_the_heads_of_the_judge_are_files_and_reach_its_oracles():
    from gradproof.changed import CLAIM_JUDGE, ENGINE, JUDGE, LINES
    from gradproof.sources import WHOLE

    assert all((ENGINE / head).is_file() for head in (*JUDGE, *CLAIM_JUDGE, *LINES))
    reached = {path for path, _ in Sources([ENGINE.parent]).reach([(ENGINE / head, WHOLE) for head in JUDGE])}
    oracles = {file for file in (ENGINE / "oracles").glob("*.py") if file.name != "__init__.py"}
    assert oracles <= reached
    judge = ("judging/judge.py", "judging/tolerance.py", "sampling/sample.py", "reporting/rows.py", "verdict.py")
    assert {ENGINE / name for name in judge} <= reached
    assert not {ENGINE / name for name in ("reporting/report.py", "claims/judge.py", "mutants/score.py")} & reached
    claims = {path for path, _ in Sources([ENGINE.parent]).reach([(ENGINE / head, WHOLE) for head in CLAIM_JUDGE])}
    assert {ENGINE / name for name in ("claims/judge.py", "claims/evidence.py", "symbolic.py")} <= claims


def test_a_file_with_any_name_is_no_stumbling_block(checkout):
    import os

    with open(os.fsencode(checkout) + b"/\xff\n.py", "wb") as file:
        file.write(b"\xff")
    edit(checkout, "kit/flat.py", "flat(z_bar)", "1 * flat(z_bar)")
    found = touched(checkout)
    assert set(found.equations) == {"flat"}
    assert found.idle == ("\\udcff\\n.py",)


def test_of_the_paper_a_network_is_touched_by_its_operations(monkeypatch):
    root = Path(__file__).resolve().parents[1]
    names = ("relu", "sigmoid", "cnn_softmax", "tanh_sigmoid")
    start = [(root / "reference" / "__init__.py", name) for name in ("forwards", "names")]
    sources = Sources([root], closed=[root / "gradproof"])
    files = {name: next((root / "derivs").rglob(f"{name}.py")) for name in names}
    reached = {name: sources.reach([(file, "EQUATION"), *start], name, names) for name, file in files.items()}
    users = {name for name in names if (root / "derivs" / "relu.py", "backward") in reached[name]}
    assert users == {"relu", "cnn_softmax"}
    assert not [name for name in names if any(path.parent.name == "paper" for path, _ in reached[name])]


@pytest.mark.parametrize(("text", "uses"), [
    ("f = lambda x: a.b.c(x)[d]", {"a.b.c", "x", "d"}),
    ("def f(x):\n    import q\n    return [g(y) for y in x.z]", {"g", "x.z"}),
    ("class F(Base):\n    n = size()", {"Base", "size"}),
    ("@wrap(1)\ndef f(): pass", {"wrap"}),
    ("f = {}\nf['k'] = g", {"g"}),
    ("f = 1\nf += h", {"h"}),
    ("if c:\n    f = g", {"c", "g"}),
])  # fmt: skip
def test_a_name_uses_what_its_statements_use(text, uses):
    source = Source.of(Path("m.py"), text)
    found = set().union(*(used for (name, _), used in source.uses.items() if name in ("f", "F")))
    assert uses <= found


# ---- tests in place of declarations


def test_a_test_file_is_touched_by_what_it_imports_and_by_its_fixtures(tmp_path):
    for name, text in {
        "layers.py": "def f(x): return x\ndef g(x): return x\n",
        "tests/conftest.py": "POINT = 1\n",
        "tests/test_f.py": "from layers import f\ndef test_f(assert_vjp): f(1)\n",
        "other/test_g.py": "import layers\ndef test_g(assert_vjp): layers.g(1)\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    tests = [tmp_path / "tests" / "test_f.py", tmp_path / "other" / "test_g.py"]

    def hit():
        return set(affected_tests(tmp_path, tests, repository(tmp_path)).equations)

    assert hit() == set()
    edit(tmp_path, "layers.py", "def g(x): return x", "def g(x): return 2 * x")
    assert hit() == {"other/test_g.py"}
    edit(tmp_path, "tests/conftest.py", "1", "2")
    assert hit() == {"other/test_g.py", "tests/test_f.py"}


# ---- git


def test_the_changes_of_a_branch_are_those_since_it_left_the_revision(checkout):
    git(checkout, "checkout", "-qb", "topic")
    edit(checkout, "kit/flat.py", "flat(z_bar)", "1 * flat(z_bar)")
    git(checkout, "commit", "-qam", "mine")
    git(checkout, "checkout", "-q", "main")
    edit(checkout, "kit/steep.py", "parts.steep(z_bar)", "1 * parts.steep(z_bar)")
    git(checkout, "commit", "-qam", "theirs")
    git(checkout, "checkout", "-q", "topic")
    assert set(touched(checkout).equations) == set()
    assert set(touched(checkout, "main").equations) == {"flat"}


def test_a_detached_head_is_as_good_as_a_branch(checkout):
    git(checkout, "checkout", "-q", "--detach")
    edit(checkout, "kit/flat.py", "flat(z_bar)", "1 * flat(z_bar)")
    assert set(touched(checkout).equations) == {"flat"}


@pytest.mark.parametrize("revision", ["no-such", "HEAD~7", "--help", "", "dense"])
def test_an_unknown_revision_is_told(checkout, revision):
    with pytest.raises(InputError, match="git knows no revision"):
        repository(checkout, revision)


def test_no_git_no_repository_no_commit_and_another_history_are_told(checkout, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with pytest.raises(InputError, match="in no git repository; see to that, or check everything"):
        repository(elsewhere)
    git(elsewhere, "init", "-q")
    with pytest.raises(InputError, match="has no commit yet"):
        repository(elsewhere)
    git(checkout, "checkout", "-q", "--orphan", "strange")
    git(checkout, "commit", "-qm", "strange")
    with pytest.raises(InputError, match="have no common commit"):
        repository(checkout, "main")
    monkeypatch.setenv("PATH", str(elsewhere))
    with pytest.raises(InputError, match="there is no git; install it"):
        repository(checkout)


def test_a_shallow_checkout_says_how_to_fetch_the_rest(checkout, tmp_path_factory):
    edit(checkout, "README.md", "Words", "More words")
    git(checkout, "commit", "-qam", "two")
    shallow = tmp_path_factory.mktemp("shallow") / "clone"
    git(checkout, "clone", "-q", "--depth=1", checkout.as_uri(), str(shallow))
    assert repository(shallow).changed() == []
    with pytest.raises(InputError, match="shallow, fetch the rest: git fetch --unshallow"):
        repository(shallow, "HEAD~1")


def test_declarations_outside_of_the_repository_are_told(checkout, tmp_path_factory):
    inner = tmp_path_factory.mktemp("inner")
    git(inner, "init", "-q")
    git(inner, "commit", "-q", "--allow-empty", "-m", "one")
    with pytest.raises(InputError, match="lies outside of the git repository"):
        affected(find_project(), repository(inner), {}, inner / "baseline.json")


def test_the_command_says_what_it_left_out_and_why(checkout, capsys):
    assert run(["accept", "-q", "--examples", "3"]) == 0
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "baseline")
    forget()
    edit(checkout, "kit/flat.py", "flat(z_bar)", "1 * flat(z_bar)")
    capsys.readouterr()
    assert run(["regress", "--changed"]) == 0
    said = capsys.readouterr().out
    assert "Changes since HEAD can affect 1 of 3 equations." in said
    assert "checked, flat.py: backward: flat\n" in said
    assert "left out, nothing that they are built on changed: steep, twice\n" in said
    forget()
    edit(checkout, "kit/flat.py", "1 * flat(z_bar)", "2 * flat(z_bar)")
    assert run(["regress", "--changed", "HEAD"]) == 1
    assert "flat x by contract" not in capsys.readouterr().out
    (checkout / "kit" / "flat.py").unlink()
    forget()
    assert run(["regress", "--changed"]) == 1
    assert "flat: was agrees on" in capsys.readouterr().out
