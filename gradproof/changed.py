"""What a change can affect: the equations and claims that are built on the names that changed, and why the rest
is left out.

A change is compared name by name, as syntax: a comment or a docstring changes nothing. The judge, and what it
imports, is beneath every verdict: a change there means everything.
"""

import re
import sys
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gradproof.claims.load import TRUTHS
from gradproof.config import Project
from gradproof.errors import InputError
from gradproof.git import Repository
from gradproof.sources import WHOLE, Node, Part, Source, Sources

ENGINE = Path(__file__).parent
# the judge of derivatives, and that of printed claims: what they import, directly or not, is the engine
JUDGE = ("config.py", "run.py", "checking.py", "reporting/rows.py")
CLAIM_JUDGE = ("claims/check.py",)
LINES = ("baseline/record.py", "baseline/compare.py", "today.py")  # they make lines of what either says
TEXT = (".py", ".md", ".rst", ".toml", ".cfg", ".ini", ".yml", ".yaml", "")  # files that hold no data beside a module
LINE = re.compile(r'{"(?:equation|id)": "([^"]+)"')  # of a baseline
REFERENCE_NAMES = ("REFERENCES", "forwards", "names")  # what is read of a module of references


@dataclass(frozen=True)
class Changed:
    """The equations and claims to check, each with the reason, and what changed without touching any."""

    equations: Mapping[str, str]
    claims: Mapping[str, str]
    idle: tuple[str, ...] = ()  # changed files that no equation and no claim is built on
    everything: str = ""  # why all of it has to be checked


@dataclass(frozen=True)
class Difference:
    """One changed file: the names that are not as they were, or None where all of it may be another."""

    path: Path
    parts: frozenset[Part] | None = None
    new: bool = False

    def touches(self, reached: Collection[Node], equation: str, others: Collection[str]) -> list[str]:
        """The changed names among those that are reached, in words; empty where there are none."""
        if self.parts is None:
            return ["all of it"] if any(path == self.path for path, _ in reached) else []
        names = {
            name or "a statement"
            for name, entry in self.parts
            if (self.path, name) in reached and (entry in ("", equation) or entry not in others)
        }
        return ["new"] if names and self.new else sorted(names)


def differences(repository: Repository) -> list[Difference]:
    """The changed files of the working tree; a Python file that differs in words alone has no changed names."""
    found = []
    for path in repository.changed():
        if path.suffix != ".py":
            found.append(Difference(path))
            continue
        try:
            now = Source.of(path, path.read_text(encoding="utf-8") if path.exists() else "")
            text = repository.before(path)
            before = Source.of(path, text or "")
        except (SyntaxError, ValueError):
            found.append(Difference(path))
            continue
        found.append(Difference(path, frozenset(now.differs(before)), new=text is None))
    return found


def _idle(found: list[Difference], touched: set[Path], top: Path) -> tuple[str, ...]:
    """The changed files that touch nothing, in words."""
    return tuple(
        _printable(d.path.relative_to(top).as_posix()) + (" (words alone)" if d.parts == frozenset() else "")
        for d in found
        if d.path not in touched
    )


def _printable(name: str) -> str:
    """A path in a line that any terminal takes, whatever its bytes are."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")


def affected(project: Project, repository: Repository, claims: Mapping[str, Path], baseline: Path) -> Changed:
    """What has to be checked again; `claims`: the id of each claim -> the module that has it.

    Raises InputError where what is declared does not lie in the repository.
    """
    names = tuple(project.equations)
    files = {name: project.files[name].resolve() for name in names}
    outside = [name for name in names if repository.top not in files[name].parents]
    if outside:
        raise InputError(
            f"{files[outside[0]]} lies outside of the git repository {repository.top}, which knows nothing of it; "
            "run in the repository that has it, or check everything: gradproof regress"
        )
    found = [difference for difference in differences(repository) if difference.path != baseline.resolve()]
    sources = _sources(project.root, [*files.values(), *project.reference_files], repository)
    if reason := _everything(project, repository, found):
        return Changed(dict.fromkeys(names, reason), dict.fromkeys(claims, reason), (), reason)
    start = [(file.resolve(), name) for file in project.reference_files for name in REFERENCE_NAMES]
    equations: dict[str, str] = {}
    judged: dict[str, str] = {}
    touched: set[Path] = set()
    for name in names:
        reached = sources.reach([(files[name], "EQUATION"), *start], name, names)
        equations |= _why(name, reached, found, names, touched)
    for line in _lines(repository, baseline.resolve()):
        reason = f"{baseline.name}: its lines"
        equations |= {line: reason} if line in names and line not in equations else {}
        judged |= {line: reason} if line in claims else {}
    shared = _shared(sources, found, claims, touched)
    for module in set(claims.values()):
        reached = sources.reach([(module, WHOLE)])
        why = shared or "".join(_why("", reached, found, (), touched).values())
        judged |= {claim: why for claim, place in claims.items() if place == module and why}
    return Changed(equations, judged, _idle(found, touched, repository.top))


def _why(
    name: str, reached: set[Node], found: list[Difference], others: Collection[str], touched: set[Path]
) -> dict[str, str]:
    """{name: the reason} where a change touches what is reached, its files added to `touched`."""
    reasons = []
    folders = {path.parent for path, _ in reached}
    for difference in found:
        said = difference.touches(reached, name, others)
        if difference.path.suffix not in TEXT and difference.path.parent in folders:
            said = ["a file beside it"]  # data or a compiled module: nothing says who reads it
        if said:
            touched.add(difference.path)
            reasons.append(f"{_printable(difference.path.name)}: {', '.join(said)}")
    return {name: "; ".join(reasons)} if reasons else {}


def _everything(project: Project, repository: Repository, found: list[Difference]) -> str:
    """Why everything has to be checked, or nothing."""
    paths = {difference.path for difference in found}
    if project.root / "pyproject.toml" in paths and _table(project, repository):
        return "[tool.gradproof] of pyproject.toml changed"
    changed = _engine(found, JUDGE)
    return f"the judge changed ({', '.join(changed)})" if changed else ""


def _table(project: Project, repository: Repository) -> bool:
    file = project.root / "pyproject.toml"
    try:
        was = tomllib.loads(repository.before(file) or "").get("tool", {}).get("gradproof")
        return bool(was != tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("gradproof"))
    except (tomllib.TOMLDecodeError, AttributeError):
        return True


def _engine(found: list[Difference], heads: Collection[str]) -> list[str]:
    """The changed files of the engine that its `heads` are built on."""
    inside = [d for d in found if ENGINE in d.path.parents and d.parts != frozenset()]
    if not inside:
        return []
    reached = Sources([ENGINE.parent]).reach([(ENGINE / head, WHOLE) for head in heads])
    files = {path for path, _ in reached} | {ENGINE / name for name in LINES}
    return sorted(d.path.relative_to(ENGINE.parent).as_posix() for d in inside if d.path in files)


def _shared(
    sources: Sources, found: list[Difference], claims: Mapping[str, Path], touched: set[Path]
) -> str:
    """The reason where something changed that all claims are evaluated with: judge, samples, truths, the list."""
    if not claims:
        return ""
    if changed := _engine(found, CLAIM_JUDGE):
        touched |= {ENGINE.parent / name for name in changed}
        return f"the judge of claims changed ({', '.join(changed)})"
    start: list[Node] = [(Path(str(spec.origin)), WHOLE) for name in (TRUTHS,) if (spec := find_spec(name))]
    for module in {file for place in set(claims.values()) for file in place.parent.glob("*.py")}:
        start += [(module, "SETTINGS"), (module, "GROUPS")]
    return "".join(_why("claims", sources.reach(start), found, (), touched).values())


def affected_tests(root: Path, tests: Collection[Path], repository: Repository) -> Changed:
    """The test files to run again, by their path below `root`: a file is run whole."""
    found = differences(repository)
    sources = _sources(root, tests, repository)
    touched: set[Path] = set()
    equations: dict[str, str] = {}
    for test in tests:
        fixtures = [folder / "conftest.py" for folder in test.parents if repository.top in (folder, *folder.parents)]
        start = [(file.resolve(), WHOLE) for file in (test, *fixtures)]
        equations |= _why(test.relative_to(root).as_posix(), sources.reach(start), found, (), touched)
    return Changed(equations, {}, _idle(found, touched, repository.top))


def _lines(repository: Repository, baseline: Path) -> set[str]:
    """The equations and claims whose lines in the baseline are not as they were."""
    if repository.top not in baseline.parents or (before := repository.before(baseline)) is None:
        return set()
    was, now = set(before.splitlines()), set(baseline.read_text(encoding="utf-8").splitlines())
    lines = {line.rstrip(",") for line in was ^ now}
    return {found[1] for line in lines if (found := LINE.match(line))}


def _sources(root: Path, files: Collection[Path], repository: Repository) -> Sources:
    """Modules are looked for where Python found them, as far as that is in the repository."""
    roots = [root, root / "src", *(Path(entry or ".").resolve() for entry in sys.path)]
    roots += [package.parent for package in _tops(files)]
    roots += [file.resolve().parent for file in files if not (file.parent / "__init__.py").is_file()]
    inside = [root for root in roots if root == repository.top or repository.top in root.parents]
    return Sources([root for root in inside if root.is_dir()], closed=[ENGINE])


def _tops(files: Collection[Path]) -> list[Path]:
    """The outermost package of each file that lies in one."""
    found = []
    for file in files:
        packages = [folder for folder in file.resolve().parents if (folder / "__init__.py").is_file()]
        found += packages[-1:]
    return list(dict.fromkeys(found))
