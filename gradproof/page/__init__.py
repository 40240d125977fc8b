"""The report as one page that needs nothing but itself: `gradproof report --html FILE`.

    measures, losses -> figures -> pictures      numbers, SVG, and the sentence that reads each
    formulas -> mathml                           LaTeX to MathML
    cards -> templates                           what is said, and how it looks

Imported for a page alone: it needs jinja2, latex2mathml, matplotlib and pygments.
"""

import base64
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gradproof.page import cards
from gradproof.reporting.outcome import Outcome, headline, tally
from gradproof.reporting.rows import ORACLES

HEADS = {"differences": "finite differences", "ball": "ball arithmetic", "torch": "PyTorch", "jax": "JAX"}


def render(outcome: Outcome) -> str:
    """The text of the page; its pictures are the outcome's."""
    made = cards.cards(outcome, dict(outcome.pictures))
    rows = list(cards.claim_rows(outcome))
    template = _environment().get_template("page.html.jinja")
    covered = {number: card.name for card in reversed(made) for number in card.numbers}
    text = template.render(
        outcome=outcome,
        headline=headline(outcome),
        counts=tally(outcome),
        wrongs=cards.wrongs(outcome),
        cards=made,
        claims=rows,
        mistakes=cards.mistakes(outcome),
        covered=covered,
        resolutions=cards.resolutions(made),
        again=cards.again(outcome),
        oracles=ORACLES,
        heads=HEADS,
        style=_part("style.css").replace("FONT", _font()),
        script=_part("script.js"),
    )
    return str(text)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gradproof.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["ulps"] = _ulps
    return environment


def _font() -> str:
    """The mathematical font in base64: a subset of Noto Sans Math with the signs that formulas here need."""
    return base64.b64encode((files("gradproof.page") / "templates" / "math.woff").read_bytes()).decode()


def _part(name: str) -> Markup:
    return Markup((files("gradproof.page") / "templates" / name).read_text(encoding="utf-8"))


def _figure(value: float) -> str:
    """Two digits; a power of ten as ten to the power."""
    if value == 0 or not abs(value) < float("inf"):
        return f"{value:g}"
    return f"{value:.1e}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.3g}"


def _ulps(value: float) -> str:
    return "0" if value == 0 else f"{value:.1f}" if 0.05 <= value < 1000 else f"{value:.0e}"
