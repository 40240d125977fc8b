"""Proofs by computer algebra, kept from one run to the next.

What was found stays as it is while nothing that it is made of changes: the formula, the setting, the engine's algebra
and the versions of what it runs on. SymPy is imported only for what is not known.
"""

import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gradproof.claims.record import Claim, Reading
from gradproof.claims.setting import Setting
from gradproof.oracles.compilation import store_in_use
from gradproof.oracles.fingerprint import fingerprint

ALGEBRA = Path(__file__).parents[1] / "symbolic.py"
RUNS_ON = ("sympy", "mpmath", "python-flint", "gmpy2", "numpy")


def proved(claim: Claim, setting: Setting, given: str, readings: tuple[Reading, ...]) -> bool:
    """Whether the readings are identically the claim's quantity: `gradproof.symbolic.proved`, asked once."""
    store, key = store_in_use(), _key(claim, setting, given, readings)
    kept = store.read(key) if store and key else None
    if kept in (b"proved", b"not proved"):
        return kept == b"proved"
    from gradproof import symbolic

    found = symbolic.proved(claim, symbolic.samples(setting, given), readings)
    if store and key:
        store.write(key, b"proved" if found else b"not proved")
    return found


def _key(claim: Claim, setting: Setting, given: str, readings: tuple[Reading, ...]) -> str | None:
    """What a proof is made of; None where something in it has no key."""
    shapes = [dict(setting.unknowns(sizes, given)) for sizes in setting.symbols]
    told = fingerprint(claim.of, claim.at, given, readings, shapes, [*setting.stages], *_assumed(setting))
    if told is None:
        return None
    context = (ALGEBRA.read_bytes(), _versions(), sys.version_info[:3])
    return hashlib.sha256(repr((told, context)).encode()).hexdigest()


def _assumed(setting: Setting) -> list[Any]:
    """How a setting restricts its symbols: that method, and what it names of the setting.

    Not the whole setting: how it draws points has no key and is no part of a proof.
    """
    method = getattr(setting.assume, "__func__", setting.assume)
    names = sorted({*method.__code__.co_names} & {*dir(setting)})
    return [method, *((name, getattr(setting, name)) for name in names)]


@cache
def _versions() -> tuple[str, ...]:
    found = []
    for name in RUNS_ON:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return tuple(found)
