"""LaTeX to MathML, so that any browser lays a formula out without a script or a network."""

import re
from functools import cache
from html import escape
from xml.etree import ElementTree

from latex2mathml.converter import convert

TEXT = re.compile(r"\\text\{[^{}]*\}")
WORDS = re.compile(r"\\text\{([^{}]*)\}")
IN_TEXT = {r"\dots": "…", "``": "“", "''": "”"}
STRAY = re.compile(r"&(?!#|amp;|lt;|gt;)")


def mathml(latex: str) -> str:
    """The formulas of one line, which stand apart by `, \\qquad`, each an element of its own that a phone can fold."""
    return "".join(_formula(part) for part in re.split(r" ?, \\qquad ", latex))


@cache
def _formula(latex: str) -> str:
    """One well-formed <math>; words alone as text; what cannot be converted as it is written, in <code>.

    Damaged text, of which the paper has some, may hold \\left without a bracket and & outside of an array.
    """
    text = TEXT.sub(_plain_text, latex)
    words = WORDS.fullmatch(text)
    if words:
        return f"<span>{escape(words[1])}</span>"
    for attempt in (text, re.sub(r"\\(left|right)(?![a-z])", "", text)):
        try:
            made = convert(attempt, display="block")
            made = STRAY.sub("&amp;", re.sub(r' xmlns="[^"]*"', "", made))
            read = ElementTree.fromstring(made)
        except Exception:  # the converter raises whatever it stumbles over
            continue
        if not any("\\" in (element.text or "") for element in read.iter()):
            return made
    return f"<code>{escape(latex)}</code>"


def _plain_text(found: re.Match[str]) -> str:
    text = found[0]
    for old, new in IN_TEXT.items():
        text = text.replace(old, new)
    return text
