"""What only torch can ask of a backward, at one point; each wrong answer is a Fault that names the question.

needs_input_grad: each subset of the inputs requiring a gradient gives the same gradients as all of them.
state: a second backward through one graph (retain_graph=True), its cotangent another, and another forward before the
backward change nothing.
unused_output: an output that nothing uses counts as one with a cotangent of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.judging.tolerance import ROUNDINGS, eps, name_of

Arrays = Sequence[Array | None]


class Differentiable(Protocol):
    """A torch function that can be run and pulled back; a gradient is a tensor, or None."""

    def tensors(self, arrays: Sequence[Any]) -> list[Any]: ...
    def arrays(self, gradients: Sequence[Any]) -> list[Array | None]: ...
    def outputs(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], bool]: ...
    def back(
        self, outputs: Sequence[Any], leaves: Sequence[Any], cotangents: Sequence[Any], retain: bool = False
    ) -> list[Any]: ...


class Questions:
    """The questions about a function at one point, whose gradients by all of `wrt` are `expected`."""

    def __init__(
        self,
        function: Differentiable,
        inputs: Sequence[Any],
        names: Sequence[str],
        wrt: Sequence[int],
        cotangents: Sequence[Any],
        expected: Arrays,
    ) -> None:
        self.function, self.inputs, self.wrt, self.given = function, inputs, tuple(wrt), cotangents
        self.called = [names[i] for i in wrt]
        self.expected = [None if g is None else np.array(g) for g in expected]

    def ask(self) -> None:
        """Raise Fault for the first wrong answer."""
        if not agree(self._gradients(self.wrt), self.expected):
            return  # not even repeatable: the contract says so
        self._twice()
        self._interleaved()
        self._unused()
        for subset in subsets(len(self.wrt)):
            self._only(subset)

    def _run(self, wrt: Sequence[int]) -> tuple[tuple[Any, ...], list[Any], list[Any], list[Any]]:
        """Fresh outputs, leaves, cotangents and tensors, with the inputs at `wrt` requiring a gradient."""
        tensors = self.function.tensors(self.inputs)
        leaves = [tensors[i].requires_grad_() for i in wrt]
        return self.function.outputs(tensors)[0], leaves, self.function.tensors(self.given), tensors

    def _gradients(self, wrt: Sequence[int]) -> list[Array | None]:
        outputs, leaves, cotangents, _ = self._run(wrt)
        return self.function.arrays(self.function.back(outputs, leaves, cotangents))

    def _twice(self) -> None:
        """A second backward, of the negated cotangents, gives what it gives on a fresh graph."""
        outputs, leaves, cotangents, _ = self._run(self.wrt)
        back, said = self.function.back, "a second backward through the same graph (retain_graph=True)"
        back(outputs, leaves, cotangents, retain=True)
        try:
            second = self.function.arrays(back(outputs, leaves, [-u for u in self.function.tensors(self.given)]))
        except Exception as error:  # a stranger's backward may raise anything
            raise Fault("state", f"{said} raised {_line(error)}") from error
        outputs, leaves, cotangents, _ = self._run(self.wrt)
        first = self.function.arrays(back(outputs, leaves, [-u for u in cotangents]))
        if not agree(second, first):
            name = self._differing(second, first)
            raise Fault("state", f"{said} gives another gradient of {name}: what was saved was changed")

    def _interleaved(self) -> None:
        outputs, leaves, cotangents, _ = self._run(self.wrt)
        others = self.function.tensors(self.inputs)
        for i in self.wrt:
            others[i] = (others[i].flip(tuple(range(others[i].ndim))) * 0.875).requires_grad_()
        try:
            self.function.outputs(others)
        except Exception:  # the other point may lie outside what the forward takes
            return
        got = self.function.arrays(self.function.back(outputs, leaves, cotangents))
        if not agree(got, self.expected):
            name, said = self._differing(got, self.expected), "after another forward in between"
            raise Fault("state", f"{said} the gradient of {name} is another: state is kept outside ctx")

    def _unused(self) -> None:
        for k in range(len(self.given) if len(self.given) > 1 else 0):
            outputs, leaves, cotangents, _ = self._run(self.wrt)
            if not outputs[k].requires_grad:
                continue
            zeros = [u if j == k else u * 0 for j, u in enumerate(cotangents)]
            whole = self.function.arrays(self.function.back(outputs, leaves, zeros, retain=True))
            said = f"where only output {k} is used"
            try:
                alone = self.function.arrays(self.function.back([outputs[k]], leaves, [cotangents[k]]))
            except Exception as error:  # as in _twice
                raise Fault("unused_output", f"{said} the backward raised {_line(error)}") from error
            shapes = [leaf.shape for leaf in leaves]
            if not agree(_filled(alone, shapes), _filled(whole, shapes)):
                name = self._differing(_filled(alone, shapes), _filled(whole, shapes))
                raise Fault(
                    "unused_output",
                    f"{said} the gradient of {name} is another than with zeros for the other outputs",
                )

    def _only(self, subset: Sequence[int]) -> None:
        names = " and ".join(self.called[k] for k in subset)
        said = f"where only {names} require{'s' if len(subset) == 1 else ''} a gradient"
        try:
            got = self._gradients([self.wrt[k] for k in subset])
        except Exception as error:  # as in _twice
            raise Fault("needs_input_grad", f"{said} the backward raised {_line(error)}") from error
        for k, g in zip(subset, got, strict=True):
            e, name = self.expected[k], self.called[k]
            if (g is None) != (e is None):
                here, there = ("None", "an array") if g is None else ("an array", "None")
                raise Fault("needs_input_grad", f"{said} the gradient of {name} is {here}; where all do it is {there}")
            if not agree([g], [e]):
                raise Fault("needs_input_grad", f"{said} the gradient of {name} is another than where all do")

    def _differing(self, got: Arrays, expected: Arrays) -> str:
        pairs = zip(got, expected, self.called, strict=True)
        return next((name for g, e, name in pairs if not agree([g], [e])), self.called[0])


def subsets(count: int) -> Iterator[tuple[int, ...]]:
    """Proper non-empty subsets of the differentiated inputs; beyond three, each alone and each left out."""
    for size in range(1, count) if count <= 3 else (1, count - 1):
        yield from combinations(range(count), size)


def agree(got: Arrays, expected: Arrays) -> bool:
    """The same gradients up to what another order of summation may do in their dtype."""
    for g, e in zip(got, expected, strict=True):
        if g is None or e is None:
            if g is not e:
                return False
            continue
        if g.shape != e.shape:
            return False
        a, b = np.asarray(g, np.float64), np.asarray(e, np.float64)
        known = np.isfinite(a) & np.isfinite(b)
        room = ROUNDINGS[name_of(e.dtype)] * eps(e.dtype) * float(np.max(np.abs(b[known]), initial=0.0))
        if (np.isfinite(a) != np.isfinite(b)).any() or (np.abs(a[known] - b[known]) > room).any():
            return False
    return True


def _filled(gradients: Arrays, shapes: Sequence[Any]) -> list[Array | None]:
    return [np.zeros(tuple(shape)) if g is None else g for g, shape in zip(gradients, shapes, strict=True)]


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
