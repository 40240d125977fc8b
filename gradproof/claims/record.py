"""The record of one printed claim: what it is about, the printed formula as a function, and, where it
needs one, its right form.

    CLAIM = Claim("eq-46", "head", "dJ/dW", (chain("J", "Z2", "W"), lambda t: dot(t.d("J", "Z2"), t.P_row)),
                  under={"a transpose left out": lambda t: dot(t.d("J", "Z2"), t.P_row.T)})

No field holds a verdict: `gradproof.claims.judge` evaluates the functions and finds it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradproof.errors import DeclarationError

Reading = Callable[[Any], Any]  # of a sample: its values by name, t.d(of, wrt), t.exp ...; returns an array
QUANTITY = re.compile(r"d(?P<of>\w+)/d(?P<wrt>\w+)|(?P<step>step) (?P<name>\w+)|(?P<value>\w+)")


@dataclass(frozen=True)
class Claim:
    """One printed formula.

    setting     name of the samples it is evaluated on
    of, at      the quantity that is its truth: a value "Z", a derivative "dJ/dW" (shape of J, then of W), or
                "step W", W after one step of gradient descent; and the entry of it that is meant
    literal     the printed right-hand side as a function of a sample, or one for each member of "= ... =";
                None where it is illegible
    under       convention -> the reading (one, or one a member) that holds under it
    given       a restriction of the samples, by name, that the convention needs
    right, corrected    the right form, as LaTeX and as a function
    example     small inputs, in place of those of the setting's example, on which the printed form fails
    why, group  what is wrong, in a line; the key of the error's group
    damage, twin        what the text lost; the id of the legible claim it was repaired from
    open        words -> another reading that the damage leaves possible
    prove       prove the form that holds by computer algebra as well
    note        a remark
    printed     the LaTeX, put in from the list of claims

    Raises DeclarationError, in one line, where the record contradicts itself.
    """

    id: str
    setting: str
    of: str
    literal: Reading | tuple[Reading, ...] | None
    at: tuple[int, ...] | None = None
    under: Mapping[str, Reading | tuple[Reading, ...]] = field(default_factory=dict)
    given: str = ""
    right: str = ""
    corrected: Reading | tuple[Reading, ...] | None = None
    example: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    group: str = ""
    damage: str = ""
    twin: str = ""
    open: Mapping[str, Reading] = field(default_factory=dict)
    prove: bool = False
    note: str = ""
    printed: str = ""

    def __post_init__(self) -> None:
        parts(self.of)
        if self.literal is None and not self.damage:
            raise self._wrong(
                "`literal` is None and `damage` is empty; say what cannot be read, or write the printed "
                "formula"
            )
        if bool(self.right) != (self.corrected is not None):
            raise self._wrong(
                "`right` and `corrected` go together: the right form in LaTeX and as a function"
            )
        if self.right and not (self.why and self.group):
            raise self._wrong("a right form needs `why`, what is wrong in a line, and `group`")
        if (self.twin or self.open) and not self.damage:
            raise self._wrong("`twin` and `open` are for damaged text; say in `damage` what was lost")

    @property
    def members(self) -> tuple[Reading, ...]:
        """The printed members, one function each."""
        return () if self.literal is None else as_members(self.literal)

    def _wrong(self, text: str) -> DeclarationError:
        return DeclarationError(f"claim {self.id!r}: {text}")


def parts(words: str) -> tuple[str, str]:
    """The quantity that `words` names: "Z" is ("Z", ""), "dJ/dW" is ("J", "W"), "step W" is ("step", "W")."""
    found = QUANTITY.fullmatch(words)
    if found is None:
        raise DeclarationError(
            f'{words!r} names no quantity; expected a value "Z", a derivative "dJ/dW" or "step W"'
        )
    return found["of"] or found["step"] or found["value"], found["wrt"] or found["name"] or ""


def as_members(readings: Reading | tuple[Reading, ...]) -> tuple[Reading, ...]:
    """One reading or several, as a tuple."""
    return readings if isinstance(readings, tuple) else (readings,)
