"""Walks a package of claims: every module's CLAIMS, joined to the package's own list of what was printed,
`claims.json`.

A claim of the list without an entry, an entry that is not on the list, and an id given twice are errors:
nothing is dropped.
"""

import importlib
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

from gradproof.claims.record import Claim
from gradproof.claims.setting import Setting
from gradproof.errors import InputError

PAPER, TRUTHS = (
    "derivs.paper",
    "reference.paper",
)  # by name: the engine imports no subject, it is pointed at one
CHOICES, MEASURED = "derivs.paper.choices", "reference.choices"


@dataclass(frozen=True)
class Paper:
    """Claims in the order of the list; the title of the section each stands in; settings and error groups
    by name.
    """

    claims: tuple[Claim, ...]
    titles: Mapping[str, str]
    settings: Mapping[str, Setting]
    groups: Mapping[str, str] = field(default_factory=dict)

    def select(self, ids: tuple[str, ...]) -> tuple[Claim, ...]:
        """The claims with these ids, or whose id begins with one of them and goes on with "/" or "-"; all
        without any.

        Raises InputError for an id that no claim has.
        """
        for wanted in ids:
            if not any(_matches(claim.id, wanted) for claim in self.claims):
                near = [claim.id for claim in self.claims if wanted in claim.id][:3]
                hint = f"; did you mean {', '.join(near)}?" if near else "; `gradproof paper` lists all ids"
                raise InputError(f"no claim has the id {wanted!r}{hint}")
        return tuple(
            claim for claim in self.claims if not ids or any(_matches(claim.id, wanted) for wanted in ids)
        )


def load(package: str = PAPER) -> Paper:
    """Import the package's modules and join their claims to its `claims.json`.

    Raises InputError, in one line, where list and entries do not match one to one.
    """
    root = importlib.import_module(package)
    listed: list[dict[str, Any]] = json.loads((files(package) / "claims.json").read_text(encoding="utf-8"))
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(root.__path__, prefix=f"{package}.")
    ]
    entries: dict[str, Claim] = {}
    titles: dict[str, str] = {}
    settings: dict[str, Setting] = {}
    groups: dict[str, str] = {}
    for module in modules:
        settings.update(getattr(module, "SETTINGS", {}))
        groups.update(getattr(module, "GROUPS", {}))
        for claim in getattr(module, "CLAIMS", ()):
            if claim.id in entries:
                raise InputError(
                    f"two entries have the id {claim.id!r}; {module.__name__} gives it a second time"
                )
            entries[claim.id], titles[claim.id] = claim, module.TITLE
    printed = {str(item["id"]): str(item["printed"]) for item in listed}
    missing, unlisted = [name for name in printed if name not in entries], sorted(set(entries) - set(printed))
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(printed)} listed claims have no entry: {', '.join(missing[:5])}; "
            f"add them to {package}"
        )
    if unlisted:
        raise InputError(
            f"{package} has entries that its claims.json does not list: {', '.join(unlisted[:5])}; "
            "correct the ids"
        )
    for claim in entries.values():
        if claim.group and claim.group not in groups:
            raise InputError(
                f"claim {claim.id!r} is in the group {claim.group!r}; there are {', '.join(groups)}"
            )
        if claim.twin and claim.twin not in printed:
            raise InputError(
                f"claim {claim.id!r} is repaired from {claim.twin!r}, which is not a listed claim"
            )
    claims = tuple(replace(entries[name], printed=text) for name, text in printed.items())
    return Paper(claims, titles, settings, groups)


def _matches(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith((f"{wanted}/", f"{wanted}-"))
