"""One process's work: declarations judged as they stand, once each, and the verdict on a mutant by its number."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from gradproof.config import Project, find_project
from gradproof.equation import Equation
from gradproof.mutants import equivalent
from gradproof.mutants.faults import Mutant
from gradproof.mutants.judged import Judged, Kill, silent
from gradproof.mutants.limits import LEAST, TIMES, TimedOut, limited
from gradproof.mutants.plant import Sources, same_program

# how many declarations that import a mutated one are asked too, where its own survived
USERS = 2
# a whole check asks the frameworks as well, and compiles
WHOLE = 10.0
Verdict = tuple[str, str, str, str]  # state, by, sample, why


class Session:
    """Verdicts on the mutants of a project's declarations."""

    def __init__(self, start: Path, seed: int, examples: int) -> None:
        project: Project = find_project(start)
        self._references: Callable[[str], Mapping[str, Callable[..., Any]]] = project.reference
        self.equations: Mapping[str, Equation] = project.equations
        self.sources = Sources(project.equations, project.files)
        self.marks = equivalent.read(project.folder, project.root)
        self.seed, self.examples = seed, examples
        self._judged: dict[str, Judged] = {}
        self.mutants = cache(lambda name: self.sources.all[name].mutants())
        self.seconds = cache(self._seconds)
        self.name = ""

    def open(self, name: str) -> None:
        """Judge the declaration as it stands; raises InputError where it is refused."""
        self.judged(name)
        self.name = name

    def _seconds(self, name: str) -> float:
        """What the screen of a declaration takes as it stands."""
        start = time.process_time()
        with silent():
            self.judged(name).screen(self.equations[name])
        return time.process_time() - start

    def judged(self, name: str) -> Judged:
        if name not in self._judged:
            self._judged[name] = Judged(
                self.equations[name], self._references(name), seed=self.seed, examples=self.examples
            )
        return self._judged[name]

    def answer(self, number: int) -> Verdict:
        """What becomes of a mutant of the open declaration."""
        mutant: Mutant = self.mutants(self.name)[number]
        source = self.sources.all[self.name]
        if same_program(source, mutant):
            return "equivalent", "", "", "the same bytecode"
        reason = self.marks.of(self.name, mutant)
        kill = self.verdict(self.name, mutant, marked=bool(reason))
        if kill is not None:
            return "killed", f"{kill.oracle} {kill.check}", kill.sample, kill.note
        if reason:
            return "equivalent", "", "", reason
        for user in self.sources.built_on(self.name)[:USERS]:
            kill = self.verdict(user, mutant)
            if kill is not None:
                return "killed", f"{user}: {kill.oracle} {kill.check}", kill.sample, kill.note
        sample, why = self.nearest(mutant)
        return "survived", "", sample, why

    def verdict(self, name: str, mutant: Mutant, marked: bool = False) -> Kill | None:
        """What kills a mutant of the open file where the declaration `name`, which may be built on it, is checked."""
        judged = self.judged(name)
        with ExitStack() as stack:
            try:
                equation = stack.enter_context(self.sources.planted(self.name, mutant, name))
            except Exception as error:  # a file may call its functions when it is imported
                return Kill("declaration", "raises", "", note=f"{type(error).__name__}: {error}")
            stack.enter_context(silent())
            limit = max(LEAST, TIMES * self.seconds(name))
            try:
                with limited(limit):
                    kill = judged.marked(equation) if marked else judged.screen(equation)
                if kill is not None or marked:
                    return kill
                with limited(WHOLE * limit):
                    return judged.whole(equation)
            except TimedOut:
                return Kill("time", "limit", "", note=f"no end after {limit:.0f} s of processor time")

    def nearest(self, mutant: Mutant) -> tuple[str, str]:
        """The sample on which a survivor differs most from the rule as it stands, and by how much."""
        with self.sources.planted(self.name, mutant) as equation, silent():
            return self.judged(self.name).nearest(equation)
