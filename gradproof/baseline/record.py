"""The lines of a baseline: one an equation, gradient and oracle, one a printed claim, one an equation's cost, one
its mutants.

Figures are kept in classes, so that noise between machines and seeds does not move a line: an error in ulps
is rounded up to a power of four (4 at least), a resolution up to a power of ten, a cost to a power of two.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gradproof.claims.judge import Finding
from gradproof.cost import Cost
from gradproof.reporting.rows import Cell, Row, rows
from gradproof.verdict import REFUSED, Result, worst

ULPS, RESOLUTION, COST = 4.0, 10.0, 2.0  # the ratio of one class to the next
LEAST_LINES, LEAST_MEMORY = 16.0, 2.0
# Oracles whose answer is a word, or whose error is their own: between seeds that of finite differences moves by
# factors of 64, those of PyTorch, JAX and balls by less than a class.
UNMEASURED = ("contract", "kink", "differences")
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """What one oracle said of one gradient; `= z` is the forward value of the output z.

    word: the worst on all samples; ulps: no error is larger, in units in the last place of the gradient's scale;
    resolution: the relative error that would have been refused on the median sample; both None where there is none.
    kinds: of samples that the oracle had a verdict on.
    """

    equation: str
    gradient: str
    oracle: str
    word: str
    ulps: float | None
    resolution: float | None
    samples: int
    kinds: tuple[str, ...]

    @property
    def key(self) -> Key:
        return (self.equation, self.gradient, self.oracle)

    def __str__(self) -> str:
        return f"{self.equation} {self.gradient} by {self.oracle}"


@dataclass(frozen=True)
class Claimed:
    """The verdict on one printed claim; `faults` counts what contradicts the evaluation in its record."""

    id: str
    verdict: str
    convention: str | None
    proved: bool
    faults: int = 0


@dataclass(frozen=True)
class Costed:
    """What a call of an equation costs at most (`gradproof.cost`); memory is None where its arrays are small."""

    equation: str
    lines: int
    memory: int | None


@dataclass(frozen=True)
class Score:
    """How many of an equation's mutants the checks kill, of those that are not equivalent."""

    equation: str
    killed: int
    of: int


@dataclass(frozen=True)
class Baseline:
    """All lines in the order of their keys, the run they come from, and the reasons for what is wrong in them."""

    entries: Mapping[Key, Entry]
    seed: int
    examples: int | None
    versions: Mapping[str, str]
    claims: Mapping[str, Claimed] = field(default_factory=dict)
    costs: Mapping[str, Costed] = field(default_factory=dict)
    mutants: Mapping[str, Score] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)  # equation or claim -> why it was accepted all the same

    @property
    def equations(self) -> tuple[str, ...]:
        """The names of all equations, in order, each once."""
        return tuple(dict.fromkeys(entry.equation for entry in self.entries.values()))

    def word(self, equation: str) -> str:
        """The worst word of the equation's lines."""
        return worst([entry.word for entry in self.entries.values() if entry.equation == equation])

    def refused(self) -> dict[str, tuple[str, ...]]:
        """What is wrong: equation or claim -> its lines, in words."""
        found: dict[str, tuple[str, ...]] = {}
        for entry in self.entries.values():
            if entry.word in REFUSED:
                said = f"{entry.gradient} by {entry.oracle}: {entry.word}"
                found[entry.equation] = (*found.get(entry.equation, ()), said)
        for claim in self.claims.values():
            if claim.faults:
                found[claim.id] = (f"{claim.faults} statements of its record contradict what was evaluated",)
        return found

    def but(self, **changed: object) -> "Baseline":
        """The same with some fields changed."""
        return replace(self, **changed)  # type: ignore[arg-type]  # the names are the fields'


def of_results(
    results: Iterable[Result],
    *,
    seed: int,
    examples: int | None,
    versions: Mapping[str, str],
    findings: Iterable[Finding] = (),
    costs: Mapping[str, Cost] | None = None,
) -> Baseline:
    """The baseline that these results, findings and costs of equations make."""
    entries = [
        _entry(result, row, cell) for result in results for row in rows(result) for cell in row.cells.values()
    ]
    claims = [
        Claimed(found.claim.id, found.verdict, found.convention, found.proved, len(found.faults))
        for found in findings
    ]
    return Baseline(
        {entry.key: entry for entry in sorted(entries, key=lambda entry: entry.key)},
        seed,
        examples,
        released(versions),
        {claim.id: claim for claim in sorted(claims, key=lambda claim: claim.id)},
        {name: _costed(name, cost) for name, cost in sorted((costs or {}).items())},
    )


def released(versions: Mapping[str, str]) -> dict[str, str]:
    """Versions without the build: 2.13.0+cpu computes what 2.13.0 does."""
    return {name: version.partition("+")[0] for name, version in versions.items()}


def _entry(result: Result, row: Row, cell: Cell) -> Entry:
    measured = cell.word not in REFUSED and cell.oracle not in UNMEASURED
    return Entry(
        row.equation,
        f"= {row.input}" if row.value else row.input,
        cell.oracle,
        cell.word,
        up(cell.ulps, ULPS, least=ULPS) if measured else None,
        None if math.isinf(cell.resolution) else up(cell.resolution, RESOLUTION),
        cell.samples,
        _kinds(result, row, cell),
    )


def _costed(name: str, cost: Cost) -> Costed:
    memory = None if cost.memory is None else int(up(cost.memory, COST, least=LEAST_MEMORY))
    return Costed(name, int(up(cost.lines, COST, least=LEAST_LINES)), memory)


def _kinds(result: Result, row: Row, cell: Cell) -> tuple[str, ...]:
    """The kinds of samples behind a cell: a sample's label is `3:zeros n=3 d=3`."""
    labels = {
        verdict.sample
        for verdict in result.verdicts
        if (verdict.check == "value", verdict.input, verdict.oracle) == (row.value, row.input, cell.oracle)
    }
    return tuple(sorted({label.partition(" ")[0].rpartition(":")[2] for label in labels}))


def up(value: float, base: float, least: float = 0.0) -> float:
    """The smallest power of `base` that is not below `value`, and not below `least`; 0 and NaN as they are."""
    if not math.isfinite(value) or value <= least:
        return value if not math.isfinite(value) else least
    return float(f"{base ** math.ceil(round(math.log(value, base), 9)):.6g}")
