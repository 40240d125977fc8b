"""The report as JUnit XML: a test suite an equation, a test case a gradient (or the value) and oracle.

    agrees, subgradient    passes
    differs, missing       a failure
    error                  an error
    undecided              skipped, with the reason: JUnit has no word for "nobody knows"
"""

import re
from xml.etree import ElementTree as xml

from gradproof.reporting.origin import origin
from gradproof.reporting.outcome import Outcome
from gradproof.reporting.rows import Cell, Row, rows
from gradproof.verdict import Result

# what XML 1.0 has no way to write, whatever an exception of a stranger's code says
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
TAGS = {"differs": "failure", "missing": "failure", "error": "error", "undecided": "skipped"}


def render(outcome: Outcome) -> str:
    """The XML, with a declaration. What was not reached because of Ctrl-C is one more suite, with an error."""
    root = xml.Element("testsuites", name="gradproof", time=f"{outcome.seconds:.1f}")
    for result in outcome.results:
        _suite(root, result, outcome)
    if outcome.stopped:
        _case(_named(root, "run"), "gradproof", "every equation is checked", "error", outcome.stopped)
    if outcome.claims:
        suite, faults = _named(root, "paper"), outcome.claims.get("faults", 0)
        text = f"{faults} entries contradict what was evaluated; `gradproof paper` marks them"
        _case(suite, "gradproof.paper", "printed claims are evaluated", "failure" if faults else "", text)
    for element in (*root, root):
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            element.set(count, str(len(element.findall(f".//{tag}"))))
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(root: xml.Element, result: Result, outcome: Outcome) -> None:
    suite = _named(root, result.name)
    facts = {"seed": outcome.seed, "complete": str(outcome.complete).lower(), **outcome.versions}
    properties = xml.SubElement(suite, "properties")
    for name, value in facts.items():
        xml.SubElement(properties, "property", name=name, value=str(value))
    table = rows(result)
    for row in table:
        for cell in row.cells.values():
            _cell(suite, result, row, cell, outcome)
    if not table:
        _case(suite, f"gradproof.{result.name}", "something is checked", "error", "no oracle spoke")


def _cell(suite: xml.Element, result: Result, row: Row, cell: Cell, outcome: Outcome) -> None:
    tag = TAGS.get(cell.word, "")
    found = [v for v in result.verdicts if v.word == cell.word and (v.input, v.oracle) == (row.input, cell.oracle)]
    checks = f" ({', '.join(cell.points)})" if cell.points else ""
    note = next((f": {verdict.note}" for verdict in found if verdict.note), "")
    case = _case(
        suite,
        f"gradproof.{result.name}",
        f"{'value of ' if row.value else 'd/d'}{row.input} by {cell.oracle}",
        tag,
        f"{cell.word}{checks}{note}" if tag else "",
        str(result) if tag in ("failure", "error") else "",
    )
    place = origin(outcome.chosen[result.name], row.input)
    if place:
        case.set("file", outcome.path(place[0]))
        case.set("line", str(place[1]))


def _named(root: xml.Element, name: str) -> xml.Element:
    return xml.SubElement(root, "testsuite", name=_clean(name))


def _case(suite: xml.Element, group: str, name: str, tag: str = "", message: str = "", text: str = "") -> xml.Element:
    case = xml.SubElement(suite, "testcase", classname=_clean(group), name=_clean(name))
    if tag:
        xml.SubElement(case, tag, message=_clean(message)).text = _clean(text) or None
    return case


def _clean(text: str) -> str:
    return FORBIDDEN.sub("?", text)
