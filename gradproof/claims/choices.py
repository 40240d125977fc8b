"""Choices on which frameworks and texts differ: the question, and what each of them answers when it is
asked now.

A subject states QUESTIONS (key -> words) and ANSWERS (key -> a function without arguments); the
frameworks' ANSWERS are {"torch": {...}, "jax": {...}}. Nothing is remembered: each cell of the table is
the value of a call.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.claims.load import CHOICES, MEASURED
from gradproof.claims.report import number
from gradproof.errors import InputError

UNSAID = "not said"
Answers = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Choice:
    """One question with the answers of the two frameworks and of the paper, measured."""

    question: str
    torch: str
    jax: str
    paper: str

    @property
    def differ(self) -> bool:
        """Whether those that answer do not all say the same."""
        return len({answer for answer in (self.torch, self.jax, self.paper) if answer != UNSAID}) > 1


def measure(subject: str = CHOICES, truths: str = MEASURED) -> list[Choice]:
    """Ask every question of PyTorch, of JAX and of the paper's formulas.

    Raises InputError where somebody answers a question that is not asked.
    """
    paper, frameworks = importlib.import_module(subject), importlib.import_module(truths)
    questions: Mapping[str, str] = paper.QUESTIONS
    tables: dict[str, Answers] = {**frameworks.ANSWERS, "paper": paper.ANSWERS}
    for name, table in tables.items():
        if unasked := sorted(set(table) - set(questions)):
            raise InputError(
                f"{name} answers {', '.join(unasked)}, which {subject} does not ask; add the question"
            )
    return [
        Choice(words, *(_answer(tables[name], key) for name in ("torch", "jax", "paper")))
        for key, words in questions.items()
    ]


def _answer(table: Answers, key: str) -> str:
    if key not in table:
        return UNSAID
    with np.errstate(all="ignore"):
        value = table[key]()
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else number(value)
