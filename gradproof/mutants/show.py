"""A run over mutants in lines: one an equation, and every survivor as a diff with the sample nearest to telling it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from gradproof.mutants.faults import Mutant
from gradproof.mutants.score import Outcome, Score
from gradproof.reporting.screen import Line, counted

WIDTH = 100


def table(scores: Iterable[Score]) -> Iterator[Line]:
    """`dense  33 of 33 killed`, and what else there is to say of each."""
    for score in scores:
        rest = [f"{score.count(state)} {word}" for state, word in OTHERS if score.count(state)]
        rest += [] if score.complete else ["not all were judged"]
        text = f"{score.equation:<22} {score.killed:>4} of {score.of:>4} killed"
        yield text + (f"; {', '.join(rest)}" if rest else ""), "red" if score.survivors else ""


OTHERS = (("survived", "survived"), ("equivalent", "equivalent"), ("unreached", "in functions that nothing calls"))


def survivor(score: Score, outcome: Outcome, mutant: Mutant) -> Iterator[Line]:
    """The fault as a diff, and what should have noticed it."""
    yield "", ""
    yield f"{score.equation}: {outcome.kind} survives in {outcome.function}", "bold"
    yield f"--- {score.file}:{outcome.line}", ""
    yield from ((f"-{line}", "red") for line in mutant.before)
    yield from ((f"+{line}", "green") for line in mutant.after)
    if outcome.sample:
        text = f"should have been refused on {outcome.sample}: {outcome.why}"
    else:
        text = (
            f"no sample tells it: {outcome.why}; if it is no fault, mark it in equivalent_mutants.toml, with a reason"
        )
    yield textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False), ""


def marks(scores: Sequence[Score], file: str) -> Iterator[Line]:
    """Marks that are wrong, and marks of what is no longer there."""
    for score in scores:
        for text in score.wrong:
            yield f"{file}: [[{score.equation}]] is marked equivalent and was killed; remove the mark: {text}", "red"
        for text in score.stale:
            yield f"{file}: [[{score.equation}]] fits no mutant any more; remove or mend the mark: {text}", "yellow"


def closing(scores: Sequence[Score], seconds: float, seed: int) -> Iterator[Line]:
    killed, of = sum(s.killed for s in scores), sum(s.of for s in scores)
    equivalent, unreached = (sum(s.count(word) for s in scores) for word in ("equivalent", "unreached"))
    yield "", ""
    text = f"{counted(len(scores), 'equation')}, {killed} of {of} mutants killed, {of - killed} survived"
    text += f", {equivalent} equivalent" if equivalent else ""
    text += f", {unreached} in functions that nothing calls" if unreached else ""
    yield f"{text}; {seconds:.0f} s, seed {seed}.", "" if killed == of else "red"
