"""Mutants that are no fault: marked so, each with a reason, in one file beside the declarations.

    [[softmax]]                                     the equation
    function = "forward"
    was = "return e / e.sum(axis=-1)"               the source line, comments and indentation left out
    now = ["return e / np.sum(e, axis=-1)"]         what it became, as `gradproof mutants` shows it; one or several
    reason = "the same sum"

`now = "*"` stands for every change of the line that nothing refuses: for a line that decides how something is computed
and not what, such as the size of a block. A mutant is known by these words and not by the number of its line, so that a
mark outlives changes around it. A mark is not believed: the mutant is judged all the same, and one that is killed is
reported with the mark that was wrong.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradproof.errors import InputError
from gradproof.mutants.faults import Mutant

NAME = "equivalent_mutants.toml"
ANY = "*"
FIELDS = {"function", "was", "now", "reason"}
Identity = tuple[str, str, str]


@dataclass(frozen=True)
class Marks:
    """The marks of a project: equation -> (function, was, now) -> reason."""

    file: Path
    reasons: Mapping[str, Mapping[Identity, str]]

    def of(self, equation: str, mutant: Mutant) -> str:
        """Why a mutant counts as equivalent; "" where nobody says so."""
        known = self.reasons.get(equation, {})
        return known.get(mutant.identity, "") or known.get((mutant.function, mutant.was, ANY), "")

    def named(self, equation: str, mutant: Mutant) -> bool:
        """Whether a mark is of this very mutant, and not of any change of its line."""
        return mutant.identity in self.reasons.get(equation, {})

    def stale(self, equation: str, mutants: list[Mutant]) -> list[Identity]:
        """The marks of an equation that fit none of its mutants any more."""
        known = {mutant.identity for mutant in mutants} | {(m.function, m.was, ANY) for m in mutants}
        return [identity for identity in self.reasons.get(equation, {}) if identity not in known]


def read(*folders: Path) -> Marks:
    """The marks in the first of the folders that has the file; none where there is no file.

    Raises InputError for a file that cannot be read, or a mark without one of its four words.
    """
    file = next((folder / NAME for folder in folders if (folder / NAME).is_file()), folders[0] / NAME)
    if not file.is_file():
        return Marks(file, {})
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{file} cannot be read as TOML ({error}); put it right, or remove it") from None
    reasons: dict[str, dict[Identity, str]] = {}
    for equation, listed in data.items():
        for mark in listed if isinstance(listed, list) else [listed]:
            for identity in _identities(file, equation, mark):
                reasons.setdefault(equation, {})[identity] = mark["reason"]
    return Marks(file, reasons)


def _identities(file: Path, equation: str, mark: Any) -> list[Identity]:
    if not isinstance(mark, dict) or set(mark) != FIELDS:
        has = ", ".join(sorted(mark)) if isinstance(mark, dict) else repr(mark)
        raise InputError(f"{file}: a mark of [[{equation}]] has {has}; expected {', '.join(sorted(FIELDS))}")
    now = mark["now"] if isinstance(mark["now"], list) else [mark["now"]]
    words = [mark["function"], mark["was"], mark["reason"], *now]
    if not now or not all(isinstance(word, str) and word.strip() for word in words):
        raise InputError(f"{file}: a mark of [[{equation}]] has an empty word; give function, was, now and reason")
    return [(mark["function"], mark["was"], one) for one in now]
