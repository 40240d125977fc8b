"""What a printed formula is evaluated on: values by name, their derivatives, and the functions it may use.

A reading is written once, `lambda t: t.exp(-t.Z) / (1 + t.exp(-t.Z)) ** 2`, and runs on numbers here and
on symbols in `gradproof.symbolic`. The derivatives it is handed are autograd's, so that each line is
judged for itself.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradproof.claims.setting import Setting

STEP = 1e-200  # of the complex step (Squire and Trapp 1998): no difference is formed, so nothing cancels


class Undefined(Exception):
    """The printed formula names something that does not exist in its setting; the message says what."""


class Sample:
    """One point: `t.W` is an input or a value of the forward pass, `t.d("J", "W")` a derivative."""

    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    tanh = staticmethod(np.tanh)

    def __init__(self, setting: Setting, inputs: Mapping[str, Any], truth: Callable[[str], Any]) -> None:
        self.setting = setting
        self.inputs = {name: frozen(value) for name, value in inputs.items()}
        self.truth = truth
        self.answers: dict[str, dict[str, Any]] = {}  # oracle -> quantity -> value, filled by the evidence

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.inputs[name] if name in self.inputs else self.truth(name)

    def d(self, of: str, wrt: str) -> Any:
        """The derivative of `of` with respect to `wrt`, everything that does not depend on `wrt` held
        fixed.
        """
        return self.truth(f"d{of}/d{wrt}")

    def diff(self, function: Callable[[Any], Any], x: Any, *index: int) -> Any:
        """The derivative of an analytic `function` of the array `x` with respect to its entry `index`."""
        point = np.array(x, dtype=np.complex128)
        point[index] += 1j * STEP
        return np.imag(function(point)) / STEP

    def absent(self, words: str) -> Any:
        """Say that the printed formula names something that does not exist."""
        raise Undefined(words)


class Traced:
    """A sample that remembers in `read` which values and derivatives a reading took from it."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self.read: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._sample, name)
        if not callable(value):
            self.read[name] = value
        return value

    def d(self, of: str, wrt: str) -> Any:
        """The derivative of `of` with respect to `wrt`."""
        value = self.read[f"d{of}/d{wrt}"] = self._sample.d(of, wrt)
        return value


def frozen(value: Any) -> Any:
    """An int (a static parameter) as it is; anything else as a float64 array that cannot be written to."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    array = np.array(value, dtype=np.float64)
    array.flags.writeable = False
    return array
