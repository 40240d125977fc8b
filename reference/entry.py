"""One equation's forward in both frameworks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Forward = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One equation's torch line and its jax line: the same inputs, in the same order."""

    torch: Forward
    jax: Forward
