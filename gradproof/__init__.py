"""Gradproof tells whether a hand-written derivative is right, how sure that is, and if it is wrong, where and why."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in typing, which takes longer to import than all the rest before Ctrl-C is answered
if TYPE_CHECKING:
    from typing import Any

    from gradproof.checking import (
        assert_grad,
        assert_jvp,
        assert_layer,
        assert_vjp,
        check,
        check_grad,
        check_jvp,
        check_layer,
        check_vjp,
    )
    from gradproof.claims import Claim
    from gradproof.equation import Equation
    from gradproof.errors import DeclarationError, GradproofError, InputError, MissingFramework
    from gradproof.explaining.causes import CAUSES
    from gradproof.frameworks import check_jax, check_torch
    from gradproof.verdict import WORDS, Result, Verdict

# Loaded when first used: a declaration needs the schema only, and the command line answers before the engine is read.
_HOME = {
    "CAUSES": "explaining.causes",
    "Claim": "claims",
    "DeclarationError": "errors",
    "Equation": "equation",
    "GradproofError": "errors",
    "InputError": "errors",
    "MissingFramework": "errors",
    "Result": "verdict",
    "Verdict": "verdict",
    "WORDS": "verdict",
    "assert_grad": "checking",
    "assert_jvp": "checking",
    "assert_layer": "checking",
    "assert_vjp": "checking",
    "check": "checking",
    "check_grad": "checking",
    "check_jax": "frameworks",
    "check_jvp": "checking",
    "check_layer": "checking",
    "check_torch": "frameworks",
    "check_vjp": "checking",
}

__all__ = [
    "CAUSES",
    "WORDS",
    "Claim",
    "DeclarationError",
    "Equation",
    "GradproofError",
    "InputError",
    "MissingFramework",
    "Result",
    "Verdict",
    "assert_grad",
    "assert_jvp",
    "assert_layer",
    "assert_vjp",
    "check",
    "check_grad",
    "check_jax",
    "check_jvp",
    "check_layer",
    "check_torch",
    "check_vjp",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gradproof' has no attribute {name!r}")
    value = getattr(import_module(f"gradproof.{_HOME[name]}"), name)
    globals()[name] = value  # at hand the next time
    return value
