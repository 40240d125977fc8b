"""What git knows: which files are not as they were at a revision, and what stood in them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from gradproof.errors import InputError

WITHOUT = "or check everything: gradproof regress"


@dataclass(frozen=True)
class Repository:
    """A git working tree, and the commit that it is compared with."""

    top: Path
    revision: str  # as it was asked for
    commit: str

    def changed(self) -> list[Path]:
        """The files that differ from the commit, new and deleted ones included, ignored ones not."""
        listed = _git(self.top, "diff", "--name-only", "--no-renames", "-z", self.commit, "--")
        new = _git(self.top, "ls-files", "--others", "--exclude-standard", "--exclude=__pycache__/", "-z")
        return [self.top / name for name in sorted({*listed.split("\0"), *new.split("\0")} - {""})]

    def before(self, path: Path) -> str | None:
        """The text of a file at the commit; None where there was none, or no text."""
        try:
            return _git(self.top, "show", f"{self.commit}:{path.relative_to(self.top).as_posix()}")
        except InputError:
            return None


def repository(folder: Path, revision: str = "HEAD") -> Repository:
    """The working tree that `folder` lies in, and where its branch left `revision`.

    Raises InputError, in one line, without git, outside of a repository, for a revision that there is not, and
    where a shallow checkout does not reach back far enough.
    """
    try:
        top = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    except FileNotFoundError:
        raise InputError(f"--changed asks git what changed, and there is no git; install it, {WITHOUT}") from None
    except InputError as error:
        raise InputError(f"--changed asks git what changed, and {folder} is {error}; see to that, {WITHOUT}") from None
    shallow = _git(top, "rev-parse", "--is-shallow-repository").strip() == "true"
    deeper = "this checkout is shallow, fetch the rest: git fetch --unshallow (actions/checkout: fetch-depth: 0)"
    if not _answers(top, "rev-parse", "--verify", "--quiet", "HEAD"):
        raise InputError(f"{top} has no commit yet, so nothing can have changed since one; commit, {WITHOUT}")
    commit = _answers(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        remedy = deeper if shallow else "name a commit, branch or tag that `git log` knows (equations come before it)"
        raise InputError(f"git knows no revision {revision!r} in {top}; {remedy}, {WITHOUT}")
    base = _answers(top, "merge-base", commit, "HEAD")
    if not base:
        remedy = deeper if shallow else "name a revision of this history"
        raise InputError(f"{revision} and HEAD have no common commit in {top}; {remedy}, {WITHOUT}")
    return Repository(top, revision, base)


def last_commit_of(file: Path) -> str | None:
    """The commit that last wrote `file`, if git knows one and the file is still as it was then."""
    try:
        if _git(file.parent, "status", "--porcelain", "--", file.name):
            return None
        return _git(file.parent, "log", "-1", "--format=%H", "--", file.name).strip() or None
    except (InputError, FileNotFoundError):
        return None


def _answers(top: Path, *arguments: str) -> str:
    """What git says, empty where it says no."""
    try:
        return _git(top, *arguments).strip()
    except InputError:
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise InputError("in no git repository" if "not a git repository" in said else f"not read by git ({said})")
    return done.stdout.decode(errors="surrogateescape")  # a path may be any bytes
