"""What became of the mutants: killed, survived, equivalent or not reached; counts an equation, and the same as JSON.

`gradproof mutants --json mutants.json` writes the file; `read` gives the scores back. `of` counts what can be killed,
the equivalent ones and those that no declaration reaches left out; `source` is a digest of the file that was mutated,
so that a reader can tell scores of an earlier text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gradproof.errors import InputError

SCHEMA = 1
NAME = "mutants.json"
STATES = ("killed", "survived", "equivalent", "unreached")


@dataclass(frozen=True)
class Outcome:
    """One mutant and what became of it. `by`: the oracle and check that refused it; `why`: in words."""

    function: str
    kind: str
    line: int
    was: str
    now: str
    state: str
    by: str = ""
    sample: str = ""
    why: str = ""


@dataclass
class Score:
    """The mutants of one equation, in the order of their lines."""

    equation: str
    file: str
    source: str
    outcomes: list[Outcome] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)  # marks that fit no mutant
    wrong: list[str] = field(default_factory=list)  # marks of mutants that were killed
    complete: bool = True

    def count(self, state: str) -> int:
        return sum(outcome.state == state for outcome in self.outcomes)

    @property
    def killed(self) -> int:
        return self.count("killed")

    @property
    def of(self) -> int:
        """Those that are faults and run: killed or not."""
        return self.killed + self.count("survived")

    @property
    def survivors(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.state == "survived"]

    def as_json(self) -> dict[str, Any]:
        return {
            "equation": self.equation,
            "killed": self.killed,
            "of": self.of,
            "equivalent": self.count("equivalent"),
            "unreached": self.count("unreached"),
            "complete": self.complete,
            "file": self.file,
            "source": self.source,
            "mutants": [asdict(outcome) for outcome in self.outcomes],
        }


def digest(text: str) -> str:
    """What tells one text of a source from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def dump(scores: Iterable[Score], **facts: Any) -> str:
    """The file: facts of the run (seed, examples, versions), then an equation each."""
    data = {"schema": SCHEMA, **facts, "equations": {score.equation: score.as_json() for score in scores}}
    return json.dumps(data, indent=1) + "\n"


def read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """equation -> {"killed", "of", "equivalent", "unreached", "complete", "source", ...} of a file that `dump` wrote.

    Raises InputError where it is missing, damaged, foreign or of another schema.
    """
    remedy = f"write a new one with 'gradproof mutants --json {path}'"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"scores {path} cannot be read: {error.strerror}; {remedy}") from None
    except ValueError as error:
        raise InputError(f"scores {path} are damaged: {error}; {remedy}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("equations"), dict):
        raise InputError(f"{path} holds no scores of schema {SCHEMA}; {remedy}")
    for name, score in data["equations"].items():
        counts = [score.get(key) for key in ("killed", "of", "equivalent")] if isinstance(score, dict) else [None]
        whole = [count for count in counts if isinstance(count, int) and count >= 0]
        if len(whole) < len(counts) or whole[0] > whole[1]:
            raise InputError(f"scores {path} are damaged at {name!r}; {remedy}")
    found: dict[str, dict[str, Any]] = data["equations"]
    return found
