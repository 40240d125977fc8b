"""One run over many equations: checks in order, progress on stderr, and what there is when interrupted."""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradproof.config import Project
from gradproof.crew import crew, share, workers_for
from gradproof.equation import Equation
from gradproof.reporting.progress import progress
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
    jobs: int | None = None,
    cache: bool = True,
    meanwhile: Callable[[], None] | None = None,
) -> Run:
    """Check in order, with `first_failure` one by one up to the first that is refused. Ctrl-C keeps what was done.

    jobs: processes to use, this one among them (default: as many as are worth while); cache: whether compiled programs
    are kept; meanwhile: what else this process has to do, which the others need not wait for.
    """
    from gradproof.checking import check

    run = Run()
    found: dict[str, Result] = {}
    options: dict[str, Any] = {"examples": examples, "seed": seed, "oracles": list(oracles) if oracles else None}

    def own(equation: Equation) -> Result:
        at(equation.name)
        return check(equation, references=project.reference(equation.name), **options)

    def done(name: str, result: Result, here: bool) -> None:
        found[name] = result
        if not here:
            at(name)

    def besides() -> None:
        if meanwhile is not None:
            at("the rest")
            meanwhile()

    workers = 0 if first_failure else (workers_for(len(equations)) if jobs is None else jobs) - 1
    try:
        with progress(len(equations) + (meanwhile is not None), quiet) as at:
            if workers:
                with crew(project.root, workers, options, cache) as hand:
                    share(equations, hand, workers, own, done, besides)
            else:
                for equation in equations:
                    found[equation.name] = own(equation)
                    if first_failure and found[equation.name].refused:
                        return run
                besides()
        run.complete = True
    except KeyboardInterrupt:
        run.interrupted = True
    finally:
        run.results += [found[equation.name] for equation in equations if equation.name in found]
    return run
