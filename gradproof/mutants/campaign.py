"""The mutants of some equations from their sources to their scores."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from gradproof.config import Project
from gradproof.mutants import equivalent
from gradproof.mutants.faults import Mutant
from gradproof.mutants.plant import Sources
from gradproof.mutants.score import Outcome, Score, digest
from gradproof.mutants.work import judge_all
from gradproof.reporting.progress import progress

Result = tuple[str, str, str, str]  # state, by, sample, why


class Campaign:
    """Every mutant of the chosen equations; `run` judges them, `scores` says what became of them."""

    def __init__(self, project: Project, chosen: list[str], *, seed: int, examples: int) -> None:
        self.start, self.root, self.seed, self.examples = Path.cwd(), project.root, seed, examples
        self.sources = Sources(project.equations, project.files)
        self.marks = equivalent.read(project.folder, project.root)
        self.mutants = {name: self.sources.all[name].mutants() for name in chosen}
        self.interrupted = False
        self._results: dict[str, dict[int, Result]] = {}
        self._tasks: dict[str, list[int]] = {}
        for name, planted in self.mutants.items():
            reached = self.sources.reached(name)
            self._tasks[name] = [n for n, mutant in enumerate(planted) if mutant.function in reached]
            lost = {n: ("unreached", "", "", "") for n, mutant in enumerate(planted) if mutant.function not in reached}
            self._results[name] = {**lost}

    @property
    def done(self) -> tuple[int, int]:
        """How many mutants were judged, of how many."""
        total = sum(map(len, self._tasks.values()))
        judged = sum(number in self._results[name] for name, numbers in self._tasks.items() for number in numbers)
        return judged, total

    def run(self, workers: int, *, first_failure: bool = False, quiet: bool = False) -> None:
        """Judge them; Ctrl-C keeps what was done, `first_failure` stops at a survivor."""
        try:
            with progress(self.done[1], quiet) as at:
                answers = judge_all(self.start, self._tasks, workers, self.seed, self.examples)
                with closing(answers):  # type: ignore[type-var]  # a generator has a close
                    for name, number, *result in answers:
                        state, by, sample, why = result
                        self._results[name][number] = (state, by, sample, why)
                        at(name)
                        if first_failure and state == "survived":
                            return
        except KeyboardInterrupt:
            self.interrupted = True

    def scores(self) -> list[Score]:
        """A score for each equation of which something was judged."""
        return [self._score(name) for name in self.mutants]

    def survivors(self, score: Score) -> list[tuple[Outcome, Mutant]]:
        """The survivors of an equation, each with its source lines."""
        found = {(mutant.identity, mutant.line): mutant for mutant in self.mutants[score.equation]}
        return [(o, found[(o.function, o.was, o.now), o.line]) for o in score.survivors]

    def _score(self, name: str) -> Score:
        source, planted = self.sources.all[name], self.mutants[name]
        file = source.file
        shown = str(file.relative_to(self.root)) if file.is_relative_to(self.root) else str(file)
        score = Score(name, shown, digest(source.text))
        for number, (state, by, sample, why) in sorted(self._results[name].items()):
            m = planted[number]
            score.outcomes.append(Outcome(m.function, m.kind, m.line, m.was, m.now, state, by, sample, why))
            if state == "killed" and self.marks.named(name, m):
                score.wrong.append(f"{m.function}: {m.was} => {m.now} (by {by}{' on ' + sample if sample else ''})")
        score.stale = [f"{f}: {was} => {now}" for f, was, now in self.marks.stale(name, planted)]
        score.complete = len(self._results[name]) == len(planted)
        return score
