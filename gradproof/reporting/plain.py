"""The report as plain data for JSON; docs/report.schema.json says what is in it, docs/report.md in words.

A change that adds a field leaves SCHEMA as it is; one that a reader of the old could stumble over raises it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from gradproof.equation import Equation
from gradproof.reporting.origin import origin
from gradproof.reporting.outcome import Outcome
from gradproof.reporting.rows import rows
from gradproof.verdict import Result, jsonable

SCHEMA = 1


def render(outcome: Outcome) -> str:
    """The text of the file."""
    return json.dumps(as_json(outcome), indent=1, allow_nan=False) + "\n"


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Plain data: non-finite floats are strings, everything else reads back as it was."""
    summary = outcome.summary
    facts: dict[str, Any] = jsonable(
        {
            "schema": SCHEMA,
            "complete": outcome.complete,
            "seed": outcome.seed,
            "examples": outcome.examples,
            "oracles": outcome.oracles,
            "seconds": round(outcome.seconds, 1),
            "folder": str(outcome.project.folder),
            "versions": dict(outcome.versions),
            "command": outcome.command,
            "claims": dict(outcome.claims),
            "summary": {**asdict(summary), "uncovered": summary.uncovered},
            "equations": [_equation(result, outcome.chosen[result.name], outcome) for result in outcome.results],
        }
    )
    return facts


def _equation(result: Result, equation: Equation, outcome: Outcome) -> dict[str, Any]:
    place = origin(equation)
    table = []
    for row in rows(result, equation.paper):
        fields = asdict(row)
        fields["cells"] = list(fields["cells"].values())
        found = origin(equation, row.input)
        plain = {key: value for key, value in fields.items() if key not in ("equation", "paper")}
        table.append({**plain, "line": found[1] if found else None})
    return {
        "name": result.name,
        "title": equation.heading,
        "file": outcome.path(place[0]) if place else None,
        "paper": equation.paper,
        "tables": equation.tables,
        "kinks": equation.kinks,
        "word": result.word,
        "ok": result.ok,
        "samples": result.samples,
        "evaluations": result.evaluations,
        "rows": table,
        "where": {
            name: {"index": index, "got": got, "expected": expected}
            for name, (index, got, expected) in result.where.items()
        },
        "causes": result.causes,
        "warnings": result.warnings,
        "reproduce": result.reproduce,
        "explanation": str(result) if result.refused else "",
    }
