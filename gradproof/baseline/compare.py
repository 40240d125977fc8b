"""Two baselines beside each other: what got worse, what other versions brought, what accepting would change.

A line that got worse says what was, what is, and what to do. An error is worse when it leaves the class beside
its own, a resolution when it is more than ten times coarser: a figure at the border of two classes is noise.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gradproof.baseline.record import RESOLUTION, ULPS, Baseline, Claimed, Entry, Key, Score, released
from gradproof.verdict import REFUSED, WORDS

# the packages that an oracle's answer comes from: numpy and the judge always, and what it is itself
ALWAYS = ("numpy", "gradproof")
OWN = {"torch": ("torch",), "jax": ("jax",), "kink": ("torch", "jax")}
CLAIM_ORACLES = ("torch", "jax")
CLAIM_WORDS = ("holds", "convention", "refuted", "unreadable")


@dataclass(frozen=True)
class Regression:
    """One thing that got worse; `frameworks` are those whose other version could have brought it."""

    rank: int
    subject: str  # the equation or the claim
    said: str
    frameworks: tuple[str, ...] = ()
    gradient: str = ""
    oracle: str = ""

    def __str__(self) -> str:
        by = f" {self.gradient} by {self.oracle}" if self.gradient else ""
        return f"{self.subject}{by}: {self.said}"


def regressions(
    was: Baseline,
    now: Baseline,
    equations: Collection[str] | None = None,
    claims: Collection[str] | None = None,
) -> list[Regression]:
    """What got worse, a line each, the worst first; `equations` and `claims` are what was checked (default all)."""
    found: list[Regression] = []
    for name in sorted({*was.equations, *now.equations}):
        if equations is None or name in equations:
            before = {key: entry for key, entry in was.entries.items() if entry.equation == name}
            after = {key: entry for key, entry in now.entries.items() if entry.equation == name}
            found += _equation(name, before, after)
    for name in sorted({*was.claims, *now.claims}):
        if claims is None or name in claims:
            found += _claim(was.claims.get(name), now.claims.get(name))
    found += [line for name in now.mutants for line in _score(was.mutants.get(name), now.mutants[name])]
    return sorted(found, key=lambda line: line.rank)


def told(lines: Iterable[Regression]) -> list[str]:
    """Each regression as a line; one that befell several gradients and oracles of an equation is one line."""
    same: dict[tuple[int, str, str], dict[str, set[str]]] = {}
    for line in lines:
        gradients = same.setdefault((line.rank, line.subject, line.said), {})
        gradients.setdefault(line.gradient, set()).add(line.oracle)
    found = []
    for (rank, subject, said), gradients in same.items():
        alike: dict[str, list[str]] = {}
        for gradient, oracles in gradients.items():
            alike.setdefault(", ".join(sorted(oracles)), []).append(gradient)
        for oracle, names in alike.items():
            found.append(Regression(rank, subject, said, (), ", ".join(names), oracle))
    return [str(line) for line in found]


def _equation(name: str, was: Mapping[Key, Entry], now: Mapping[Key, Entry]) -> Iterator[Regression]:
    if not now:
        text = f"was {_worst(was.values())} on {len(was)} lines, is no longer checked; "
        yield Regression(1, name, text + "bring it back, or gradproof accept")
        return
    if not was:
        text = f"has no line in the baseline, is {_worst(now.values())}; "
        yield Regression(4, name, text + f"once it is right, gradproof accept {name}")
        return
    silent = {key[2] for key in was} - {key[2] for key in now}
    for oracle in sorted(silent):
        count = sum(key[2] == oracle for key in was)
        text = f"was checked by {oracle} ({count} lines), is no longer; bring it back, or gradproof accept {name}"
        yield Regression(1, name, text, _frameworks(oracle))
    for key in sorted({*was, *now}):
        if key[2] not in silent:
            yield from _entry(was.get(key), now.get(key))


def _worst(entries: Iterable[Entry]) -> str:
    return max((entry.word for entry in entries), key=WORDS.index)


def _frameworks(oracle: str) -> tuple[str, ...]:
    return (*ALWAYS, *OWN.get(oracle, ()))


def _entry(was: Entry | None, now: Entry | None) -> Iterator[Regression]:
    entry = now or was
    if entry is None:
        return
    name = entry.equation
    accept = f"or gradproof accept {name}"

    def line(rank: int, said: str, frameworks: tuple[str, ...] = _frameworks(entry.oracle)) -> Regression:
        return Regression(rank, name, said, frameworks, entry.gradient, entry.oracle)

    if was is None or now is None:
        if now is None:
            text = f"was {entry.word} on {entry.samples} samples, is no longer checked; bring it back, {accept}"
            yield line(1, text, ())
        else:
            text = f"has no line in the baseline, is {entry.word}; once it is right, gradproof accept {name}"
            yield line(4, text, ())
        return
    if WORDS.index(now.word) > WORDS.index(was.word):
        yield line(0, f"was {was.word}, is {now.word}; see why: {_look(name)}")
        return
    if was.ulps is not None and now.ulps is not None and _beyond(was.ulps, now.ulps, ULPS):
        yield line(2, f"was within {was.ulps:g} ulps, is within {now.ulps:g}; look for cancellation, {accept}")
    if was.resolution is not None and _beyond(was.resolution, now.resolution or math.inf, RESOLUTION):
        said = f"resolved {_figure(was.resolution)}, resolves {_figure(now.resolution)}"
        yield line(3, f"{said}; see which samples went, {accept}")
    if gone := sorted(set(was.kinds) - set(now.kinds)):
        yield line(3, f"was checked on samples of the kind {', '.join(gone)}, is not; bring them back, {accept}")
    elif now.samples < was.samples:
        yield line(3, f"was checked on {was.samples} samples, is on {now.samples}; bring them back, {accept}")


def _look(name: str) -> str:
    """What shows why an equation, or a test's, is refused."""
    return f"pytest {name.rpartition('::')[0]}" if "::" in name else f"gradproof report {name}"


def _beyond(was: float, now: float, ratio: float) -> bool:
    """Whether `now` is above the class next to that of `was`; NaN is above all."""
    return (math.isnan(now) and not math.isnan(was)) or now > ratio * was * (1 + 1e-9)


def _figure(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.0e}"


def _claim(was: Claimed | None, now: Claimed | None) -> Iterator[Regression]:
    frameworks = (*ALWAYS, *CLAIM_ORACLES)
    if now is None:
        if was is not None:
            text = f"was judged ({_verdict(was)}), is no longer checked; bring it back, or gradproof accept"
            yield Regression(1, was.id, text)
        return
    todo = f"see gradproof paper {now.id}, or gradproof accept {now.id}"
    if was is None:
        yield Regression(4, now.id, f"has no line in the baseline, is {_verdict(now)}; {todo}")
    elif now.faults > was.faults:
        text = f"its record contradicts what was evaluated; see gradproof paper {now.id}"
        yield Regression(0, now.id, text, frameworks)
    elif (was.verdict, was.convention) != (now.verdict, now.convention):
        yield Regression(0, now.id, f"was {_verdict(was)}, is {_verdict(now)}; {todo}", frameworks)
    elif was.proved and not now.proved:
        yield Regression(2, now.id, f"was proved, is no longer; {todo}")


def _verdict(claim: Claimed) -> str:
    return claim.verdict + (f" ({claim.convention})" if claim.convention else "")


def _score(was: Score | None, now: Score) -> Iterator[Regression]:
    # 9 of 10 to 90 of 100 is no fall; survivors that no baseline tells of are
    if now.killed * (was.of if was else 1) < now.of * (was.killed if was else 1):
        text = f"{_killed(was)}, now {_killed(now)}; see gradproof mutants {now.equation}"
        yield Regression(2, now.equation, text)


def _killed(score: Score | None) -> str:
    return "no mutants were measured" if score is None else f"{score.killed} of {score.of} mutants killed"


def by_versions(
    found: Iterable[Regression], moved: Collection[str], unchanged: Collection[str] | None
) -> tuple[list[Regression], list[Regression]]:
    """(those that stay the contributor's, those that come with the frameworks that `moved`).

    A line comes with a framework when its oracle is or uses that framework, and the sources of its equation are
    `unchanged` since the baseline; None where that is not known: then it may.
    """
    mine: list[Regression] = []
    theirs: list[Regression] = []
    for line in found:
        comes = bool(set(line.frameworks) & set(moved)) and (unchanged is None or line.subject in unchanged)
        (theirs if comes else mine).append(line)
    return mine, theirs


def moved(was: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The packages whose version is another than the baseline's: {"torch": "2.12.0 -> 2.13.0"}."""
    now = released(now)
    return {
        name: f"{was.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    }


def settled(was: Baseline, now: Baseline) -> Baseline:
    """`now` with the figures of `was` wherever they differ by noise alone: one class up or down.

    So a line does not move from one machine to the next, and no error creeps up a class with each acceptance.
    """
    entries = {key: _settled(was.entries.get(key), entry) for key, entry in now.entries.items()}
    return replace(now, entries=entries)


def _settled(was: Entry | None, now: Entry) -> Entry:
    if was is None or (was.word in REFUSED) != (now.word in REFUSED):
        return now
    ulps, resolution = now.ulps, now.resolution
    if was.ulps is not None and ulps is not None and _near(was.ulps, ulps, ULPS):
        ulps = was.ulps
    if was.resolution is not None and resolution is not None and _near(was.resolution, resolution, RESOLUTION):
        resolution = was.resolution
    return replace(now, ulps=ulps, resolution=resolution)


def _near(was: float, now: float, ratio: float) -> bool:
    return not _beyond(was, now, ratio) and not _beyond(now, was, ratio)


def changes(was: Baseline | None, now: Baseline) -> list[str]:
    """Every line that accepting would change: `+` new, `-` gone, `~` other."""
    found = _pairs(was.entries if was else {}, now.entries, str, _said)
    found += _pairs(was.claims if was else {}, now.claims, lambda claim: f"claim {claim.id}", _claim_said)
    found += _pairs(was.mutants if was else {}, now.mutants, lambda score: score.equation, _killed)
    found += _pairs(was.wrong if was else {}, now.wrong, lambda why: "wrong and accepted", str)
    if was:
        found += [f"~ {name} {change}" for name, change in moved(was.versions, now.versions).items()]
        head = {"seed": (was.seed, now.seed), "examples": (was.examples, now.examples)}
        found += [f"~ {name} {old} -> {new}" for name, (old, new) in head.items() if old != new]
    return found


def _pairs(
    was: Mapping[Any, Any], now: Mapping[Any, Any], name: Callable[[Any], str], said: Callable[[Any], str]
) -> list[str]:
    lines = []
    for key in sorted({*was, *now}):
        before, after = was.get(key), now.get(key)
        if before == after:
            continue
        if before is None:
            lines.append(f"+ {name(after)}: {said(after)}")
        elif after is None:
            lines.append(f"- {name(before)}: {said(before)}")
        else:
            lines.append(f"~ {name(after)}: {_became(before, after, said)}")
    return lines


def _became(before: Any, after: Any, said: Callable[[Any], str]) -> str:
    """What changed of a line, and that alone."""
    if not isinstance(after, Entry):
        return f"{said(before)} -> {said(after)}"
    parts = []
    for field in fields(Entry):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "kinds":
            parts += [f"- {kind} samples" for kind in old if kind not in new]
            parts += [f"+ {kind} samples" for kind in new if kind not in old]
        elif old != new:
            parts.append(f"{field.name} {'none' if old is None else old} -> {'none' if new is None else new}")
    return ", ".join(parts)


def _said(entry: Entry) -> str:
    figures = [entry.word]
    figures += [f"{entry.ulps:g} ulps"] if entry.ulps is not None else []
    figures += [f"resolution {entry.resolution:.0e}"] if entry.resolution is not None else []
    return ", ".join([*figures, f"{entry.samples} samples", *([" ".join(entry.kinds)] if entry.kinds else [])])


def _claim_said(claim: Claimed) -> str:
    return _verdict(claim) + (", proved" if claim.proved else "")
