"""What one run of a forward along a line on balls has met: ties, refusals, and the cost so far."""

from __future__ import annotations

from types import CodeType
from typing import Any, NoReturn


class Refusal(Exception):
    """The forward cannot be followed on balls. reason: undecided, nonfinite, unsupported, or budget."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Line:
    """What one run has met. side: the side of t = 0 on which ties are decided; kink: a tie was met.

    final: the float that the forward returns at once, and its Dual; caller: the code that runs the forward.
    """

    __slots__ = ("budget", "caller", "final", "kink", "refused", "side")

    def __init__(self) -> None:
        self.start(0)

    def start(self, side: int, budget: float = float("inf")) -> None:
        self.side = side
        self.budget = budget
        self.kink = False
        self.final: tuple[float, Any] | None = None
        self.caller: CodeType | None = None
        self.refused: Refusal | None = None

    def refuse(self, reason: str, message: str) -> NoReturn:
        """Raise, and remember it: a forward that catches the exception is refused all the same."""
        self.refused = Refusal(reason, message)
        raise self.refused

    def spend(self, operations: float) -> None:
        """Count elementary operations; refuse beyond the budget."""
        self.budget -= operations
        if self.budget < 0:
            self.refuse("budget", "more elementary operations than the budget: use a smaller sample")


line = Line()
