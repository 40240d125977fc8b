"""The baseline: what was true when it was last accepted, a line an equation, gradient and oracle.

Figures are kept in classes, so that noise between machines and seeds does not move a line: an error in ulps
is rounded up to a power of four (4 at least), a resolution up to a power of ten. A regression is one line:
what was, what is, what to do.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradproof.errors import InputError
from gradproof.rows import Cell, Row, rows
from gradproof.verdict import REFUSED, WORDS, Result

SCHEMA = 1
NAME = "baseline.json"
FIELDS = ("equation", "gradient", "oracle", "word", "ulps", "resolution", "samples")
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Entry:
    """One line: what one oracle said of one gradient (`= z` is the forward value of the output z)."""

    equation: str
    gradient: str
    oracle: str
    word: str
    ulps: float
    resolution: float
    samples: int

    @property
    def key(self) -> Key:
        return (self.equation, self.gradient, self.oracle)

    def __str__(self) -> str:
        return f"{self.equation} {self.gradient} by {self.oracle}"


@dataclass(frozen=True)
class Baseline:
    """The entries in the order of their keys, and the run that they come from."""

    entries: Mapping[Key, Entry]
    seed: int
    examples: int | None
    versions: Mapping[str, str]

    def dump(self) -> str:
        """The file: one entry a line, so that a change is a readable diff."""
        head = {
            "schema": SCHEMA,
            "seed": self.seed,
            "examples": self.examples,
            "versions": dict(sorted(self.versions.items())),
        }
        lines = [
            json.dumps({name: _plain(getattr(entry, name)) for name in FIELDS})
            for entry in self.entries.values()
        ]
        return json.dumps(head)[:-1] + ', "entries": [\n' + ",\n".join(lines) + "\n]}\n"


def of_results(
    results: Iterable[Result], *, seed: int, examples: int | None, versions: Mapping[str, str]
) -> Baseline:
    """The baseline that these results make."""
    entries = [_entry(row, cell) for result in results for row in rows(result) for cell in row.cells.values()]
    return Baseline(
        {entry.key: entry for entry in sorted(entries, key=lambda entry: entry.key)},
        seed,
        examples,
        _released(versions),
    )


def _released(versions: Mapping[str, str]) -> dict[str, str]:
    """Versions without the build: 2.13.0+cpu computes what 2.13.0 does."""
    return {name: version.partition("+")[0] for name, version in versions.items()}


def _entry(row: Row, cell: Cell) -> Entry:
    ulps = cell.ulps if cell.word not in REFUSED and cell.oracle not in ("contract", "kink") else 0.0
    return Entry(
        row.equation,
        f"= {row.input}" if row.value else row.input,
        cell.oracle,
        cell.word,
        _up(ulps, 4.0),
        _up(cell.resolution, 10.0, least=0.0),
        cell.samples,
    )


def _up(value: float, base: float, least: float | None = None) -> float:
    """The smallest power of `base` that is not below `value`; `least` (default: `base`) below the first."""
    floor = base if least is None else least
    if not math.isfinite(value) or value <= floor:
        return value if not math.isfinite(value) else floor
    power = math.ceil(round(math.log(value, base), 9))
    return float(f"{base**power:.6g}")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return (
            str(value)
            if not math.isfinite(value)
            else int(value)
            if value.is_integer() and value < 2**53
            else value
        )
    return value


def read(path: Path) -> Baseline:
    """Read a baseline file; raises InputError where it is missing, damaged, foreign or of a newer schema."""
    remedy = "write a new one with 'gradproof accept'"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no baseline {path}; {remedy}") from None
    except OSError as error:
        raise InputError(f"baseline {path} cannot be read: {error.strerror}; {remedy}") from None
    except ValueError as error:
        raise InputError(f"baseline {path} is damaged: {error}; restore it, or {remedy}") from None
    if not isinstance(data, dict) or "schema" not in data or "entries" not in data:
        raise InputError(
            f"{path} is no baseline of gradproof: expected an object with schema and entries; {remedy}"
        )
    if data["schema"] != SCHEMA:
        raise InputError(
            f"baseline {path} has schema {data['schema']!r}, this gradproof reads {SCHEMA}; "
            f"upgrade gradproof, or {remedy}"
        )
    try:
        entries = [_read_entry(item) for item in data["entries"]]
        seed, examples, versions = int(data["seed"]), data["examples"], dict(data["versions"])
        if examples is not None:
            examples = int(examples)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"baseline {path} is damaged: {type(error).__name__}: {error}; restore it, or {remedy}"
        ) from None
    if not entries:
        raise InputError(f"baseline {path} has no entries, so nothing could get worse; {remedy}")
    if len({entry.key for entry in entries}) < len(entries):
        raise InputError(f"baseline {path} has an entry twice; restore it, or {remedy}")
    return Baseline({entry.key: entry for entry in entries}, seed, examples, versions)


def _read_entry(item: Mapping[str, Any]) -> Entry:
    if set(item) != set(FIELDS):
        raise ValueError(f"an entry has the fields {', '.join(sorted(item))}, expected {', '.join(FIELDS)}")
    if item["word"] not in WORDS:
        raise ValueError(f"the word {item['word']!r} is none of {', '.join(WORDS)}")
    return Entry(
        str(item["equation"]),
        str(item["gradient"]),
        str(item["oracle"]),
        item["word"],
        float(item["ulps"]),
        float(item["resolution"]),
        int(item["samples"]),
    )


def regressions(was: Baseline, now: Baseline, equations: Sequence[str] | None = None) -> list[str]:
    """What got worse, a line each, worst first; `equations` are those that were checked (default: all)."""
    lines = []
    for key in sorted({*was.entries, *now.entries}):
        if equations is not None and key[0] not in equations:
            continue
        lines += list(_compare(was.entries.get(key), now.entries.get(key)))
    return [text for _, text in sorted(lines, key=lambda item: item[0])]


def _compare(was: Entry | None, now: Entry | None) -> Iterator[tuple[int, str]]:
    if now is None:
        if was is not None:
            yield (
                1,
                f"{was}: was {was.word} on {was.samples} samples, is no longer checked; "
                "bring it back, or gradproof accept",
            )
        return
    if was is None:
        yield 4, f"{now}: has no line in the baseline, is {now.word}; gradproof accept once it is right"
        return
    if WORDS.index(now.word) > WORDS.index(was.word):
        yield 0, f"{now}: was {was.word}, is {now.word}; gradproof report {now.equation}"
        return
    if now.ulps > 4 * was.ulps or (math.isnan(now.ulps) and not math.isnan(was.ulps)):
        yield (
            2,
            f"{now}: was within {was.ulps:g} ulps, is within {now.ulps:g}; "
            "look for cancellation, or gradproof accept",
        )
    if now.resolution > 10 * was.resolution:
        yield (
            3,
            f"{now}: resolved {was.resolution:.0e}, resolves {now.resolution:.0e}; "
            "see which samples went, or gradproof accept",
        )
    if now.samples < was.samples:
        yield (
            3,
            f"{now}: was checked on {was.samples} samples, is on {now.samples}; "
            "bring them back, or gradproof accept",
        )


def changes(was: Baseline | None, now: Baseline) -> list[str]:
    """Every line that accepting would change: `+` new, `-` gone, `~` other."""
    old: Mapping[Key, Entry] = was.entries if was else {}
    lines = []
    for key in sorted({*old, *now.entries}):
        before, after = old.get(key), now.entries.get(key)
        if before == after:
            continue
        if before is None:
            lines.append(f"+ {after}: {_said(after)}")
        elif after is None:
            lines.append(f"- {before}: {_said(before)}")
        else:
            lines.append(f"~ {after}: {_said(before)} -> {_said(after)}")
    return lines


def _said(entry: Entry | None) -> str:
    return (
        ""
        if entry is None
        else f"{entry.word}, {entry.ulps:g} ulps, resolution {entry.resolution:.0e}, {entry.samples} samples"
    )


def moved(was: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The frameworks whose version is another than the baseline's: `torch 2.12.0 -> 2.13.0`."""
    now = _released(now)
    return [
        f"{name} {was.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]
