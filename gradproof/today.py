"""Today's state of what there is to check, as a baseline: derivatives, printed claims, tests that use the plug-in."""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gradproof import run
from gradproof.baseline.record import Baseline, Score, of_results, released
from gradproof.claims.judge import Finding
from gradproof.cost import Cost, cost_of
from gradproof.equation import Equation
from gradproof.errors import InputError
from gradproof.found import Found
from gradproof.selection import NothingSelected, matches, select
from gradproof.verdict import Result


@dataclass(frozen=True)
class Selected:
    """What is to be checked: equations, claims by id, and tests by file or node id; `whole` when all of it is."""

    equations: Sequence[Equation]
    claims: Sequence[str]
    tests: Sequence[str]
    whole: bool


@dataclass(frozen=True)
class Today:
    """What was found; `complete` is false when it was stopped before its end."""

    baseline: Baseline
    results: Sequence[Result]
    complete: bool
    interrupted: bool

    @property
    def checked(self) -> list[str]:
        """The names of what was checked: equations, or tests with the names of their derivatives."""
        return [result.name for result in self.results]


def measure(
    found: Found,
    selected: Selected,
    *,
    seed: int,
    examples: int | None,
    first_failure: bool = False,
    quiet: bool = False,
) -> Today:
    """Check what is selected. Ctrl-C keeps what was done."""
    findings: list[Finding] = []
    costs: dict[str, Cost] = {}
    if found.project is None:
        from gradproof.tested import run_tests

        done = run_tests(
            found.root, selected.tests, seed=seed, examples=examples, first_failure=first_failure
        )
    else:
        done = run.check_all(
            found.project,
            selected.equations,
            seed=seed,
            examples=examples,
            oracles=None,
            first_failure=first_failure,
            quiet=quiet,
        )
        ran = {result.name for result in done.results}
        measured = {e.name: cost_of(e) for e in selected.equations if e.name in ran}
        costs = {name: cost for name, cost in measured.items() if cost is not None}
        if done.complete and selected.claims:
            try:
                findings = _claims(selected.claims, seed, quiet)
            except KeyboardInterrupt:
                done.complete, done.interrupted = False, True
    baseline = of_results(
        done.results, seed=seed, examples=examples, versions=versions(found), findings=findings, costs=costs
    )
    return Today(baseline, done.results, done.complete, done.interrupted)


def versions(found: Found) -> dict[str, str]:
    """Versions of what the verdicts depend on; in a project of one's own that is gradproof as well."""
    installed = run.versions()
    if found.project is None or not found.project.numbered:
        installed["gradproof"] = importlib.metadata.version("gradproof")
    return released(installed)


def mutation_scores(found: Found, file: Path | None) -> dict[str, Score]:
    """The scores in a file of `gradproof mutants --json`, without those of another text of the sources.

    Without a file it is `mutants.json` beside the baseline, if there is one. Raises InputError, in one line, where a
    file that was named is missing or of no equation as it stands, and where any is damaged.
    """
    from gradproof.mutants.score import NAME, digest, read

    place = file or found.root / NAME
    if file is None and not place.exists():
        return {}
    files = found.project.files if found.project else {}
    fresh = {
        name: Score(name, int(score["killed"]), int(score["of"]))
        for name, score in read(place).items()
        if name in files
        and score.get("complete")
        and score.get("source") == digest(files[name].read_text(encoding="utf-8"))
    }
    if file is not None and not fresh:
        raise InputError(
            f"scores {file} are of no source as it stands; measure anew: gradproof mutants --json {file}"
        )
    return fresh


def _claims(ids: Sequence[str], seed: int, quiet: bool) -> list[Finding]:
    from gradproof.claims.check import check_paper
    from gradproof.reporting.progress import progress

    with progress(len(ids), quiet) as at:
        return check_paper(ids, seed=seed, progress=lambda claim: at(claim.id))[1]


def select_here(found: Found, names: Sequence[str], keyword: str = "") -> Selected:
    """Equations, claims and tests by name; all of them without any.

    A claim is named by its id or the beginning of it (eq-29), a test by its file or by what its line is called.
    Raises InputError for a name that nothing bears, NothingSelected where nothing is left.
    """
    if found.project is None:
        return Selected((), (), _tests(found, names, keyword), not (names or keyword))
    printed = tuple(found.claims())
    claims = {
        name: [claim for claim in printed if claim == name or claim.startswith((f"{name}/", f"{name}-"))]
        for name in names
        if name not in found.project.equations
    }
    rest = [name for name in names if not claims.get(name)]
    chosen: Sequence[Equation] = ()
    if rest or not names:
        chosen = select(found.project.equations, rest, keyword)
    if names or keyword:
        return Selected(chosen, [claim for listed in claims.values() for claim in listed], (), False)
    return Selected(chosen, printed, (), True)


def _tests(found: Found, names: Sequence[str], keyword: str) -> list[str]:
    files = [file.relative_to(found.root).as_posix() for file in found.tests]
    wanted = list(dict.fromkeys(name.partition("::")[0] for name in names))
    for name in wanted:
        if name not in files:
            raise InputError(f"no test file that uses gradproof is named {name!r}; there are {', '.join(files)}")
    left = [file for file in wanted or files if not keyword or matches(keyword, file)]
    if not left:
        raise NothingSelected(f"nothing selected: no test file matches -k {keyword!r}")
    return left
