"""Each formula is there, converts whole, and is well-formed."""

from xml.etree import ElementTree

import pytest

from gradproof.claims.load import load
from gradproof.config import find_project
from gradproof.page.formulas import FORMULAS
from gradproof.page.mathml import mathml

LINES = {name: [*formula.map, *formula.derivative] for name, formula in FORMULAS.items()}


def read(latex):
    """The elements of a line's formulas."""
    made = mathml(latex)
    assert "<code>" not in made, latex
    return list(ElementTree.fromstring(f"<p>{made}</p>").iter())


def test_every_equation_of_the_paper_has_a_map_and_a_derivative(monkeypatch):
    monkeypatch.chdir(__file__.rpartition("/tests/")[0])
    assert set(FORMULAS) == set(find_project().equations)
    assert all(formula.map and formula.derivative for formula in FORMULAS.values())


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_converts_whole(name):
    for latex in LINES[name]:
        found = read(latex)
        assert sum(element.tag == "math" for element in found) == latex.count(r" , \qquad ") + 1, latex
        assert not any("\\" in (element.text or "") for element in found), latex


@pytest.mark.parametrize("name", FORMULAS)
def test_a_derivative_names_a_cotangent_for_each_differentiated_letter(name, monkeypatch):
    monkeypatch.chdir(__file__.rpartition("/tests/")[0])
    equation = find_project().equations[name]
    said = " ".join(FORMULAS[name].derivative).lower()
    letters = {other[0] for variant in equation.variants for other in variant.names if other not in equation.constant}
    for letter in letters - {"l"}:  # losses are written l
        symbol = r"\alpha" if letter == "a" and name == "gradient_descent" else letter
        assert rf"\bar{{{symbol}}}" in said or name in ("deep_relu_sigmoid", "deep_relu_softmax", "cnn_sigmoid",
                                                        "cnn_softmax"), letter  # fmt: skip


def test_every_printed_claim_and_its_right_form_converts_whole():
    claims = load().claims
    assert len(claims) == 285
    for claim in claims:
        for latex in filter(None, (claim.printed, claim.right)):
            assert not any("\\" in (element.text or "") for element in read(latex)), latex


@pytest.mark.parametrize(
    "damaged", [r"a &= b & c", r"\left \frac{a}{b} \right", r"\begin{bmatrix} a & b \\ c & d \\ \end{bmatrix}\ & x"]
)
def test_damaged_text_is_well_formed_all_the_same(damaged):
    assert any(element.tag == "math" for element in read(damaged))


def test_words_alone_are_text_and_what_cannot_be_read_is_shown_as_it_is():
    assert mathml(r"\text{``the sign'' <b>}") == "<span>“the sign” &lt;b&gt;</span>"
    assert mathml(r"\nosuchcommand{x}") == r"<code>\nosuchcommand{x}</code>"
