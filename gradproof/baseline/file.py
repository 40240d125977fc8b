"""The file of a baseline: JSON, one line a thing that was checked and in stable order, so that a change is a
readable diff; read with suspicion, since what is not compared cannot get worse.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from gradproof.baseline.record import Baseline, Claimed, Costed, Entry, Score
from gradproof.claims.judge import VERDICTS
from gradproof.errors import InputError
from gradproof.verdict import WORDS

SCHEMA = 3
NAME = "baseline.json"
ENTRY = {"equation": str, "gradient": str, "oracle": str, "word": str, "samples": int, "kinds": str}
FIGURES = ("ulps", "resolution")
CLAIM = {"id": str, "verdict": str, "proved": bool}
COSTS = {"equation": str, "lines": int}
MUTANTS = {"equation": str, "killed": int, "of": int}
HEAD = ("seed", "examples", "versions", "wrong", "checks", "claims", "costs", "mutants")
REMEDY = "restore it, or remove it and write a new one with 'gradproof accept'"
Line = TypeVar("Line")


def dump(baseline: Baseline) -> str:
    """The text of the file."""
    head = {
        "schema": SCHEMA,
        "seed": baseline.seed,
        "examples": baseline.examples,
        "versions": dict(sorted(baseline.versions.items())),
    }
    wrong = [f"{json.dumps(name)}: {json.dumps(why)}" for name, why in sorted(baseline.wrong.items())]
    blocks = {
        "checks": [_entry(entry) for _, entry in sorted(baseline.entries.items())],
        "claims": [_claim(claim) for _, claim in sorted(baseline.claims.items())],
        "costs": [_costed(cost) for _, cost in sorted(baseline.costs.items())],
        "mutants": [asdict(score) for _, score in sorted(baseline.mutants.items())],
    }
    parts = [json.dumps(head)[:-1], f'"wrong": {_lines("{", wrong, "}")}']
    parts += [
        f'"{name}": {_lines("[", [json.dumps(line) for line in lines], "]")}'
        for name, lines in blocks.items()
    ]
    return ",\n".join(parts) + "}\n"


def _lines(opening: str, lines: list[str], closing: str) -> str:
    return opening + "\n" + ",\n".join(lines) + "\n" + closing if lines else opening + closing


def _entry(entry: Entry) -> dict[str, Any]:
    line: dict[str, Any] = {
        "equation": entry.equation,
        "gradient": entry.gradient,
        "oracle": entry.oracle,
        "word": entry.word,
    }
    line |= {name: _plain(getattr(entry, name)) for name in FIGURES if getattr(entry, name) is not None}
    return line | {"samples": entry.samples, "kinds": " ".join(entry.kinds)}


def _claim(claim: Claimed) -> dict[str, Any]:
    line: dict[str, Any] = {"id": claim.id, "verdict": claim.verdict, "proved": claim.proved}
    line |= {"convention": claim.convention} if claim.convention else {}
    return line | ({"faults": claim.faults} if claim.faults else {})


def _costed(cost: Costed) -> dict[str, Any]:
    return {name: value for name, value in asdict(cost).items() if value is not None}


def _plain(value: float) -> float | int | str:
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() and value < 2**53 else value


def read(path: Path) -> Baseline:
    """Read a baseline file; raises InputError where it is missing, damaged, foreign or of another schema."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no baseline {path}; write one with 'gradproof accept'") from None
    except OSError as error:
        raise InputError(f"baseline {path} cannot be read: {error.strerror}; {REMEDY}") from None
    except RecursionError:
        raise InputError(f"baseline {path} is damaged: it is nested without end; {REMEDY}") from None
    except ValueError as error:
        raise InputError(f"baseline {path} is damaged: {error}; {REMEDY}") from None
    if not isinstance(data, dict) or "schema" not in data or "versions" not in data:
        raise InputError(
            f"{path} is no baseline of gradproof: expected an object with schema and versions; name another "
            "file with --baseline, and write it with 'gradproof accept'"
        )
    _same_schema(path, data["schema"])
    try:
        baseline = _baseline(data)
    except (KeyError, TypeError, ValueError) as error:
        said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"baseline {path} is damaged: {said}; {REMEDY}") from None
    if not (baseline.entries or baseline.claims):
        raise InputError(f"baseline {path} has no lines, so nothing could get worse; {REMEDY}")
    return baseline


def _same_schema(path: Path, schema: object) -> None:
    if schema == SCHEMA and not isinstance(schema, bool):
        return
    newer = isinstance(schema, int) and schema > SCHEMA
    remedy = "upgrade gradproof" if newer else "remove it and write a new one with 'gradproof accept'"
    raise InputError(f"baseline {path} has schema {schema!r}, this gradproof reads {SCHEMA}; {remedy}")


def _baseline(data: Mapping[str, Any]) -> Baseline:
    if unknown := sorted(set(data) - {"schema", *HEAD}):
        raise ValueError(f"{unknown[0]!r} is no part of a baseline")
    seed, examples = data["seed"], data["examples"]
    if not _whole(seed, 0):
        raise ValueError(f"its seed is {seed!r}, expected a whole number")
    if examples is not None and not _whole(examples, 1):
        raise ValueError(f"its examples are {examples!r}, expected a whole number of at least 1, or null")
    return Baseline(
        _keyed(data["checks"], _read_entry, lambda entry: entry.key),
        seed,
        examples,
        _words(data["versions"], "versions"),
        _keyed(data["claims"], _read_claim, lambda claim: claim.id),
        _keyed(data["costs"], _read_cost, lambda cost: cost.equation),
        _keyed(data["mutants"], _read_score, lambda score: score.equation),
        _words(data["wrong"], "wrong"),
    )


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _words(value: object, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"its {name} are {value!r}, expected an object of strings")
    return dict(value)


def _keyed(lines: Iterable[Any], one: Callable[[Any], Line], key: Callable[[Line], Any]) -> dict[Any, Line]:
    found: dict[Any, Line] = {}
    for line in lines:
        made = one(line)
        if key(made) in found:
            raise ValueError(f"it has the line {line!r} twice")
        found[key(made)] = made
    return found


def _fields(line: object, needed: Mapping[str, type], optional: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(line, dict) or not set(needed) <= set(line) <= {*needed, *optional}:
        raise ValueError(f"the line {line!r} has not the fields {', '.join(needed)}")
    for name, kind in needed.items():
        if type(line[name]) is not kind or (kind is int and line[name] < 0):
            raise ValueError(f"{name} is {line[name]!r} in the line {line!r}")
    return line


def _read_entry(line: object) -> Entry:
    read = _fields(line, ENTRY, FIGURES)
    if read["word"] not in WORDS:
        raise ValueError(f"the word {read['word']!r} is none of {', '.join(WORDS)}")
    ulps, resolution = (float(read[name]) if name in read else None for name in FIGURES)
    plain = {name: read[name] for name in ENTRY if name != "kinds"}
    return Entry(**plain, ulps=ulps, resolution=resolution, kinds=tuple(read["kinds"].split()))


def _read_claim(line: object) -> Claimed:
    read = _fields(line, CLAIM, ("convention", "faults"))
    if read["verdict"] not in VERDICTS:
        raise ValueError(f"the verdict {read['verdict']!r} is none of {', '.join(VERDICTS)}")
    return Claimed(
        read["id"], read["verdict"], read.get("convention"), read["proved"], int(read.get("faults", 0))
    )


def _read_cost(line: object) -> Costed:
    read = _fields(line, COSTS, ("memory",))
    memory = read.get("memory")
    if memory is not None and not _whole(memory, 1):
        raise ValueError(f"memory is {memory!r} in the line {line!r}")
    return Costed(read["equation"], read["lines"], memory)


def _read_score(line: object) -> Score:
    score = Score(**_fields(line, MUTANTS))
    if score.killed > score.of:
        raise ValueError(f"{score.killed} of {score.of} mutants of {score.equation!r} are killed")
    return score
