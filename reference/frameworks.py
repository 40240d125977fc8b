"""PyTorch and JAX by their usual short names, each imported when an attribute of it is first read.

An entry of the reference states its torch and its jax line side by side; with one framework absent the other
still works.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    """A module that is not imported yet."""

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self.__name__), attribute)


torch: Any = _Lazy("torch")
F: Any = _Lazy("torch.nn.functional")
jax: Any = _Lazy("jax")
jnp: Any = _Lazy("jax.numpy")
lax: Any = _Lazy("jax.lax")
