"""One run over many equations: checks in order, progress on stderr, and what there is when interrupted."""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, field

from gradproof.config import Project
from gradproof.equation import Equation
from gradproof.progress import progress
from gradproof.verdict import Result

FRAMEWORKS = ("numpy", "torch", "jax")


@dataclass
class Run:
    """What was checked so far; `complete` is false when it was stopped before its end."""

    results: list[Result] = field(default_factory=list)
    complete: bool = False
    interrupted: bool = False


def versions() -> dict[str, str]:
    """Installed versions of what the verdicts depend on; a framework that is not installed is absent."""
    found = {}
    for name in FRAMEWORKS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def check_all(
    project: Project,
    equations: Sequence[Equation],
    *,
    seed: int,
    examples: int | None,
    oracles: Sequence[str] | None,
    first_failure: bool = False,
    quiet: bool = False,
) -> Run:
    """Check in order, with `first_failure` up to the first that is refused. Ctrl-C keeps what was done."""
    from gradproof.checking import check

    run = Run()
    try:
        with progress(len(equations), quiet) as at:
            for equation in equations:
                at(equation.name)
                result = check(
                    equation,
                    examples=examples,
                    seed=seed,
                    oracles=list(oracles) if oracles else None,
                    references=project.reference(equation.name),
                )
                run.results.append(result)
                if first_failure and result.refused:
                    return run
        run.complete = True
    except KeyboardInterrupt:
        run.interrupted = True
    return run
