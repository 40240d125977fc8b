"""Two baselines beside each other: what got worse, and what other versions brought.

A line that got worse says what was, what is, and what to do. An error is worse when it leaves the class beside
its own, a resolution when it is more than ten times coarser: a figure at the border of two classes is noise.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from gradproof.baseline.record import COST, RESOLUTION, ULPS, Baseline, Claimed, Costed, Entry, Key, Score, released
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
    for name in sorted({*was.costs, *now.costs}):
        if name in now.equations and (equations is None or name in equations):
            found += _cost(was.costs.get(name), now.costs.get(name))
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
    # of a gradient that is wrong not every oracle is asked: that they are silent tells nothing more
    wrong = {entry.gradient for entry in now.values() if entry.word in REFUSED}
    was = {key: entry for key, entry in was.items() if key in now or entry.gradient not in wrong}
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
            text = f"was judged ({verdict(was)}), is no longer checked; bring it back, or gradproof accept"
            yield Regression(1, was.id, text)
        return
    todo = f"see gradproof paper {now.id}, or gradproof accept {now.id}"
    if was is None:
        yield Regression(4, now.id, f"has no line in the baseline, is {verdict(now)}; {todo}")
    elif now.faults > was.faults:
        text = f"its record contradicts what was evaluated; see gradproof paper {now.id}"
        yield Regression(0, now.id, text, frameworks)
    elif (was.verdict, was.convention) != (now.verdict, now.convention):
        yield Regression(0, now.id, f"was {verdict(was)}, is {verdict(now)}; {todo}", frameworks)
    elif was.proved and not now.proved:
        yield Regression(2, now.id, f"was proved, is no longer; {todo}")


def verdict(claim: Claimed) -> str:
    return claim.verdict + (f" ({claim.convention})" if claim.convention else "")


def _cost(was: Costed | None, now: Costed | None) -> Iterator[Regression]:
    if was is None or now is None:
        if was is not None:
            text = "what a call costs was measured, is no longer; see whether it raises at a larger point"
            yield Regression(3, was.equation, text)
        return  # a new equation has no line at all, and that is said
    accept = f"or gradproof accept {now.equation}"
    if _beyond(was.lines, now.lines, COST):
        text = f"ran at most {was.lines} lines of Python a call, runs up to {now.lines}; look for a loop, {accept}"
        yield Regression(3, now.equation, text, ("numpy",))
    if was.memory is not None and now.memory is not None and _beyond(was.memory, now.memory, COST):
        text = f"held at most {was.memory} times its arguments and results, holds up to {now.memory}"
        yield Regression(3, now.equation, f"{text}; look for a copy or a temporary, {accept}", ("numpy",))


def _score(was: Score | None, now: Score) -> Iterator[Regression]:
    # 9 of 10 to 90 of 100 is no fall; survivors that no baseline tells of are
    if now.killed * (was.of if was else 1) < now.of * (was.killed if was else 1):
        text = f"{killed(was)}, now {killed(now)}; see gradproof mutants {now.equation}"
        yield Regression(2, now.equation, text)


def killed(score: Score | None) -> str:
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
    costs = {name: _settled_cost(was.costs.get(name), cost) for name, cost in now.costs.items()}
    return replace(now, entries=entries, costs=costs)


def _settled_cost(was: Costed | None, now: Costed) -> Costed:
    if was is None:
        return now
    lines = was.lines if _near(was.lines, now.lines, COST) else now.lines
    memory = now.memory
    if was.memory is not None and memory is not None and _near(was.memory, memory, COST):
        memory = was.memory
    return replace(now, lines=lines, memory=memory)


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
