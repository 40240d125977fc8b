"""What the judge says: a verdict for each gradient and oracle, and the result that holds them.

    agrees < subgradient < undecided < missing < differs < error          (the worst is the result's word)

A verdict and a result have no truth value: neither can be dropped by accident in an `assert` or an `if`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

WORDS = ("agrees", "subgradient", "undecided", "missing", "differs", "error")
REFUSED = frozenset({"missing", "differs", "error"})
REMEMBERED = 16

# Results by number, in the order they were made (an id() is given again once a result is dropped): those not yet read,
# and what the last ones read as refused had to say; for the pytest plug-in.
_unread: dict[int, str] = {}
_refusals: OrderedDict[int, str] = OrderedDict()
_made = 0
_watchers: list[Callable[[Result], object]] = []


def worst(words: list[str]) -> str:
    """The most severe of the words; nothing checked is an error, never a pass."""
    return max(words, key=WORDS.index) if words else "error"


@dataclass(frozen=True)
class Verdict:
    """One judgement: of the gradient of `input`, by `oracle`, on `sample`.

    check: `value`, `vjp`, `jvp` or a point of the contract. error: |got - expected| at the worst element or direction;
    bound: what was allowed there; resolution: the smallest error, relative to the gradient's typical entry, that would
    have been refused; ulps: error in units in the last place of the gradient's scale.
    """

    input: str
    oracle: str
    check: str
    sample: str
    word: str
    error: float = 0.0
    bound: float = 0.0
    resolution: float = float("inf")
    ulps: float = 0.0
    note: str = ""

    def __bool__(self) -> NoReturn:
        __tracebackhide__ = True
        raise TypeError("a verdict has no truth value; compare verdict.word with 'agrees'")


@dataclass
class Result:
    """All that a check found; read `ok`, `word` or `verdicts`, or print it for the explanation."""

    name: str
    found: tuple[Verdict, ...]
    inputs: tuple[str, ...]
    where_found: dict[str, tuple[tuple[int, ...], float, float]] = field(default_factory=dict)
    causes_found: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reproduce: str = ""
    samples: tuple[str, ...] = ()
    evaluations: dict[str, int] = field(default_factory=dict)
    explanation: str = ""
    kept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        global _made
        self._number, _made = _made, _made + 1
        _unread[self._number] = self.name
        for watch in _watchers:
            watch(self)

    def _read(self) -> None:
        _unread.pop(self._number, None)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        self._read()
        return self.found

    @property
    def word(self) -> str:
        """The worst word of all verdicts."""
        self._read()
        return worst([v.word for v in self.found])

    @property
    def refused(self) -> bool:
        """Whether some verdict is differs, missing or error."""
        self._read()
        answer = not self.found or any(v.word in REFUSED for v in self.found)
        if answer:
            self._remember()
        return answer

    def _remember(self) -> None:
        _refusals[self._number] = self.explanation
        while len(_refusals) > REMEMBERED:
            _refusals.popitem(last=False)

    @property
    def ok(self) -> bool:
        """Nothing refused, and every differentiated input has at least one verdict of agrees or subgradient."""
        settled = {v.input for v in self.found if v.word in ("agrees", "subgradient") and v.oracle != "contract"}
        answer = not self.refused and all(name in settled for name in self.inputs)
        if not answer:
            self._remember()
        return answer

    @property
    def where(self) -> dict[str, tuple[tuple[int, ...], float, float]]:
        """input -> (index, got, expected) of the worst element found."""
        self._read()
        return self.where_found

    @property
    def causes(self) -> tuple[str, ...]:
        """What the failure looks like: identifiers of gradproof.CAUSES, best first."""
        self._read()
        return self.causes_found

    def of(self, input: str) -> Iterator[Verdict]:
        """The verdicts on one input's gradient."""
        return (v for v in self.verdicts if v.input == input)

    def __bool__(self) -> NoReturn:
        __tracebackhide__ = True
        raise TypeError("a result has no truth value; read result.ok, or use assert_vjp")

    def __str__(self) -> str:
        self._read()
        return self.explanation

    def __repr__(self) -> str:
        words: dict[str, int] = {}
        for verdict in self.found:
            words[verdict.word] = words.get(verdict.word, 0) + 1
        counts = ", ".join(f"{n} {w}" for w, n in words.items())
        return f"<gradproof.Result {self.name}: {counts or 'nothing checked'}>"


def unread() -> dict[int, str]:
    """Results nobody has read so far: number, in the order they were made -> name. The plug-in's business."""
    return _unread


@contextmanager
def watched(watch: Callable[[Result], object]) -> Iterator[None]:
    """Call `watch` with every result that is made meanwhile."""
    _watchers.append(watch)
    try:
        yield
    finally:
        _watchers.remove(watch)


def made() -> int:
    """How many results were made so far: the number of the next one."""
    return _made


def refusals() -> list[tuple[int, str]]:
    """Number and explanation of the last results that somebody read as not ok."""
    return list(_refusals.items())


def jsonable(value: Any) -> Any:
    """Non-finite floats as strings, for JSON that any reader can read back."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, dict):
        return {k: jsonable(v) for k, v in value.items()}
    return [jsonable(v) for v in value] if isinstance(value, list | tuple) else value
