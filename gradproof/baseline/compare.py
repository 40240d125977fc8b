"""Two baselines beside each other: what got worse, what other versions brought, what accepting would change.

A line that got worse says what was, what is, and what to do. An error is worse when it leaves the class beside
its own, a resolution when it is more than ten times coarser: a figure at the border of two classes is noise.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gradproof.baseline.record import RESOLUTION, ULPS, Baseline, Claimed, Entry, Score, released
from gradproof.verdict import REFUSED, WORDS

# the frameworks that an oracle's answer comes from, besides the derivative's own numpy
OWN = {"torch": ("torch",), "jax": ("jax",), "kink": ("torch", "jax")}
CLAIM_ORACLES = ("torch", "jax")
CLAIM_WORDS = ("holds", "convention", "refuted", "unreadable")


@dataclass(frozen=True)
class Regression:
    """One thing that got worse; `frameworks` are those whose other version could have brought it."""

    rank: int
    subject: str  # the equation or the claim
    text: str
    frameworks: tuple[str, ...]

    def __str__(self) -> str:
        return self.text


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


def _equation(
    name: str, was: Mapping[tuple[str, str, str], Entry], now: Mapping[tuple[str, str, str], Entry]
) -> Iterator[Regression]:
    if not now:
        yield Regression(
            1,
            name,
            f"{name}: was {_worst(was.values())} on {len(was)} lines, is no longer checked; "
            "bring it back, or gradproof accept",
            (),
        )
        return
    if not was:
        text = f"{name}: has no line in the baseline, is {_worst(now.values())}; "
        yield Regression(4, name, text + f"gradproof accept {name} once it is right", ())
        return
    silent = {key[2] for key in was} - {key[2] for key in now}
    for oracle in sorted(silent):
        count = sum(key[2] == oracle for key in was)
        text = f"{name} by {oracle}: spoke of {count} gradients or values, is silent; "
        yield Regression(1, name, text + f"bring it back, or gradproof accept {name}", _frameworks(oracle))
    for key in sorted({*was, *now}):
        if key[2] not in silent:
            yield from _entry(was.get(key), now.get(key))


def _worst(entries: Iterable[Entry]) -> str:
    return max((entry.word for entry in entries), key=WORDS.index)


def _frameworks(oracle: str) -> tuple[str, ...]:
    return ("numpy", *OWN.get(oracle, ()))


def _entry(was: Entry | None, now: Entry | None) -> Iterator[Regression]:
    if now is None:
        if was is not None:
            text = f"{was}: was {was.word} on {was.samples} samples, is no longer checked; "
            yield Regression(1, was.equation, text + f"bring it back, or gradproof accept {was.equation}", ())
        return
    accept = f"or gradproof accept {now.equation}"

    def line(rank: int, said: str) -> Regression:
        return Regression(rank, now.equation, f"{now}: {said}", _frameworks(now.oracle))

    if was is None:
        yield Regression(
            4, now.equation, f"{now}: has no line in the baseline, is {now.word}; gradproof accept {now.equation}", ()
        )
        return
    if WORDS.index(now.word) > WORDS.index(was.word):
        yield line(0, f"was {was.word}, is {now.word}; see why: gradproof report {now.equation}")
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


def _beyond(was: float, now: float, ratio: float) -> bool:
    """Whether `now` is above the class next to that of `was`; NaN is above all."""
    return (math.isnan(now) and not math.isnan(was)) or now > ratio * was * (1 + 1e-9)


def _figure(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.0e}"


def _claim(was: Claimed | None, now: Claimed | None) -> Iterator[Regression]:
    frameworks = ("numpy", *CLAIM_ORACLES)
    if now is None:
        if was is not None:
            text = f"claim {was.id}: was judged ({_verdict(was)}), is no longer checked; "
            yield Regression(1, was.id, text + "bring it back, or gradproof accept", ())
        return
    accept = f"see gradproof paper {now.id}, or gradproof accept {now.id}"
    if was is None:
        yield Regression(4, now.id, f"claim {now.id}: has no line in the baseline, is {_verdict(now)}; {accept}", ())
    elif now.faults > was.faults:
        text = f"claim {now.id}: its record now contradicts what was evaluated; see gradproof paper {now.id}"
        yield Regression(0, now.id, text, frameworks)
    elif (was.verdict, was.convention) != (now.verdict, now.convention):
        yield Regression(0, now.id, f"claim {now.id}: was {_verdict(was)}, is {_verdict(now)}; {accept}", frameworks)
    elif was.proved and not now.proved:
        yield Regression(2, now.id, f"claim {now.id}: was proved, is no longer; {accept}", ())


def _verdict(claim: Claimed) -> str:
    return claim.verdict + (f" ({claim.convention})" if claim.convention else "")


def _score(was: Score | None, now: Score) -> Iterator[Regression]:
    # 9 of 10 to 90 of 100 is no fall; survivors that no baseline tells of are
    if now.killed * (was.of if was else 1) < now.of * (was.killed if was else 1):
        text = f"{now.equation}: {_killed(was)}, now {_killed(now)}; see gradproof mutants {now.equation}"
        yield Regression(2, now.equation, text, ())


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
            lines.append(f"~ {name(after)}: {said(before)} -> {said(after)}")
    return lines


def _said(entry: Entry) -> str:
    figures = [entry.word]
    figures += [f"{entry.ulps:g} ulps"] if entry.ulps is not None else []
    figures += [f"resolution {entry.resolution:.0e}"] if entry.resolution is not None else []
    return ", ".join([*figures, f"{entry.samples} samples", *([" ".join(entry.kinds)] if entry.kinds else [])])


def _claim_said(claim: Claimed) -> str:
    return _verdict(claim) + (", proved" if claim.proved else "")
