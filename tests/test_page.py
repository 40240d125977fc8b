"""The page: whole, self-contained, what is wrong first, nothing of a stranger's text taken for markup."""

import html
import html.parser
import json
import re
import sys
from pathlib import Path

import pytest

from gradproof.cli import run

ROOT = Path(__file__).parents[1]
QUICK = ["--examples", "4"]
HOSTILE = '''"""A <script>alert(1)</script> & "map"."""
import numpy as np
from gradproof import Equation

def forward(x):
    return np.sin(x)  # </script></pre><b>

def backward(z_bar, z, x):
    return {"x": z_bar * np.cos(x) * %s}

EQUATION = Equation(forward=forward, backward=backward, shapes="x: n d -> z: n d", kinks="</details>", paper=("1<2",))
'''
VOID = {"meta", "input", "br", "hr", "img", "link"}


class Reader(html.parser.HTMLParser):
    """Tags that are opened and closed in order; attributes, ids, and the text by the tag that it stands in."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.handlers, self.text = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "action", "data", "poster") if name in found]
        self.handlers += [name for name in found if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append((self.open[-1] if self.open else "", data))


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """The page of three of the paper's derivatives, one of them a network."""
    file = tmp_path_factory.mktemp("paper") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.delenv("GITHUB_ACTIONS", raising=False)
        assert run(["report", "relu", "tanh", "single_layer", *QUICK, "--html", str(file), "-q"]) == 0
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """The page of a stranger's two derivatives, the second one wrong, with texts that look like markup."""
    root = tmp_path_factory.mktemp("wrong")
    (root / "pyproject.toml").write_text('[tool.gradproof]\ndeclarations = ["vjps/*.py"]\n', encoding="utf-8")
    (root / "vjps").mkdir()
    (root / "vjps" / "right.py").write_text(HOSTILE % "1", encoding="utf-8")
    (root / "vjps" / "softmax.py").write_text(HOSTILE % "3", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("GITHUB_ACTIONS", raising=False)
        assert run(["report", *QUICK, "--html", "r.html", "-q"]) == 1
    return (root / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("which", ["paper", "wrong"])
def test_the_page_is_well_formed_and_needs_nothing_but_itself(which, request):
    page = request.getfixturevalue(which)
    found = Reader(page)
    assert len(found.ids) == len(set(found.ids))
    assert all(link.startswith(("#", "data:")) for link in found.links)
    assert all(link[1:] in found.ids for link in found.links if link.startswith("#"))
    assert found.handlers == []
    assert re.findall(r"url\((?!\"data:)", page) == []
    assert "default-src 'none'" in page


def test_a_card_has_formula_source_verdicts_shapes_and_pictures(paper):
    cards = dict(re.findall(r'<details class="card \w+" id="e-(\w+)"(.*?)\n  </div>\n</details>', paper, re.DOTALL))
    assert list(cards) == ["tanh", "relu", "single_layer"]  # in the report's order
    for name, card in cards.items():
        assert card.count("<math") >= 2, name
        assert "EQUATION" in card
        assert "d/d" in card
        assert "0:random n=" in card
        assert card.count("<figure>") == (5 if name == "single_layer" else 4), name
    assert "Loss while training" in cards["single_layer"]
    assert 'data-kind="kink"' in cards["relu"]


def test_the_source_on_the_page_is_the_file_line_by_line(paper):
    shown = re.search(r'aria-label="Source of tanh">(.*?)</pre>', paper, re.DOTALL)[1]
    text = html.unescape(re.sub(r"<[^>]*>", "", shown))
    assert text == (ROOT / "derivs" / "tanh.py").read_text(encoding="utf-8").rstrip()


def test_the_top_says_the_answer_the_seed_and_how_to_run_it_again(paper):
    head = paper[paper.index("<header") : paper.index("</header>")]
    assert "<h1>All 5 derivatives are right</h1>" in head
    assert "seed 0" in head
    assert "gradproof report relu tanh single_layer --seed 0 --examples 4" in head
    for name in ("numpy", "torch", "jax"):
        assert re.search(rf"{name} \d+\.", head)


def test_what_is_wrong_comes_first_with_its_reason_and_its_replay(wrong):
    assert "<h1>1 of 2 derivatives is wrong</h1>" in wrong
    assert wrong.index('id="wrong"') < wrong.index('id="derivatives"')
    first = wrong[wrong.index('id="wrong"') : wrong.index('id="derivatives"')]
    assert "softmax: the gradient of x is wrong" in first
    assert "it is a constant multiple of the gradient: 3 times the gradient" in first
    assert "vjps/softmax.py:9" in first
    assert "cotangent" in first
    assert wrong.index('id="e-softmax"') < wrong.index('id="e-right"')
    assert re.search(r'id="e-softmax"[^>]* open>', wrong)
    assert "does not come near the hand-written slope" in " ".join(wrong.split())


def test_a_strangers_text_is_text_and_his_softmax_is_not_the_papers(wrong):
    found = Reader(wrong)
    assert next(text for tag, text in found.text if tag == "script").lstrip().startswith('"use strict"')
    assert sum(tag == "script" for tag, _ in found.text) == 1
    assert any("<script>alert(1)</script>" in text for tag, text in found.text if tag == "pre")
    assert "<math" not in wrong


def test_the_papers_claims_stand_as_printed_beside_put_right(tmp_path, monkeypatch):
    from gradproof.claims import check as claims

    whole = claims.check_paper
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("gradproof.selection.select", lambda equations, *rest: [equations["tanh"]])
    monkeypatch.setattr(claims, "check_paper", lambda **options: whole(("eq-8", "eq-9"), **options))
    run(["report", "--oracle", "contract", "--examples", "1", "--html", str(tmp_path / "r.html"), "-q"])
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    Reader(page)
    (held,) = re.findall(r'<article class="claim holds" id="c-eq-8".*?</article>', page, re.DOTALL)
    (refuted,) = re.findall(r'<article class="claim refuted" id="c-eq-9".*?</article>', page, re.DOTALL)
    assert (held.count("<math"), refuted.count("<math")) == (1, 2)
    assert "Put right" in refuted
    assert "the minus sign is missing" in refuted
    assert "printed gives -0.6931; true is 0.6931" in refuted
    errors = page[page.index("The genuine errors") : page.index('data-for="claim"')]
    assert "The loss is printed without its minus sign" in errors
    assert re.findall('href="#(.*?)"', errors) == ["c-eq-9"]


def test_ctrl_c_among_the_pictures_keeps_those_that_were_drawn(tmp_path, monkeypatch, capsys):
    from gradproof.page import pictures

    def interrupted(outcome, at):
        yield "sigmoid", [pictures.Picture("Drawn before", "<svg></svg>", "a sentence")]
        raise KeyboardInterrupt

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(pictures, "draw", interrupted)
    files = [str(tmp_path / "r.html"), str(tmp_path / "r.json")]
    arguments = ["report", "sigmoid", "tanh", "--oracle", "contract", "--examples", "1"]
    assert run([*arguments, "--html", files[0], "--json", files[1]]) == 130
    page = Path(files[0]).read_text(encoding="utf-8")
    assert "Drawn before" in page
    assert "<strong>Incomplete:</strong> interrupted after 2 of 2 equations" in page
    assert json.loads(Path(files[1]).read_text(encoding="utf-8"))["complete"] is False


def test_a_picture_that_cannot_be_drawn_is_said_and_costs_no_report(tmp_path, monkeypatch, capsys):
    """A folder called networks, with what no lesson fits: it is no network with a loss."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.gradproof]\ndeclarations = ["networks/*.py"]\nreferences = ["refs.py"]\n', encoding="utf-8"
    )
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "sine.py").write_text(HOSTILE % "1", encoding="utf-8")
    text = "import torch\nREFERENCES = {'sine': {'torch': torch.sin}}\n"
    (tmp_path / "refs.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run(["report", *QUICK, "--html", "r.html", "-q"]) == 0
    page = Path("r.html").read_text(encoding="utf-8")
    Reader(page)
    assert "The loss could not be drawn: IndexError" in page
    assert "Taylor remainder" in page


def test_only_the_page_needs_what_draws_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    for name in [name for name in sys.modules if name.startswith("gradproof.page")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("jinja2", "latex2mathml", "latex2mathml.converter", "matplotlib", "pygments"):
        monkeypatch.setitem(sys.modules, name, None)
    few = ["report", "tanh", "--oracle", "differences", "--examples", "1", "-q"]
    assert run([*few, "--json", str(tmp_path / "r.json")]) == 0
    capsys.readouterr()
    assert run([*few, "--html", str(tmp_path / "r.html")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"gradproof: --html needs '(\S+)', which is not installed; pip install \1", line)
    assert not (tmp_path / "r.html").exists()
