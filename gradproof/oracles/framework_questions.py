"""What a framework's rules have to give whichever way they are asked, at one point; a wrong answer is a Fault.

primal: differentiated, a function gives the value that it gives when it is only called. A custom rule computes it anew.
needs_input_grad: tangents for some of the inputs alone count as zeros for the others.
duality: <u, J v> = <J^T u, v>, which holds forward mode against reverse mode without a column for each entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gradproof.calling.subject import Array, Fault
from gradproof.judging.tolerance import eps, shifted
from gradproof.oracles.torch_questions import agree, subsets
from gradproof.sampling.sample import is_float, unit

PRIMAL = "differentiated, the function gives another value than where it is only called"
# the share of the values, and of the inputs, that two programs for one function may differ by; and in ulps' moves
OF_VALUES, OF_INPUTS, WOBBLES = 0.5, 0.75, 64.0
DUAL, MOVED = 0.6, 2.0**-8
POINTS = 3


def primal(value: Callable[..., Any], found: Any, inputs: Sequence[Any]) -> None:
    """Raise Fault where the value that comes with a derivative is not the function's own."""
    plain, derived = _listed(value(*inputs)), _listed(found)
    moved: list[list[Array]] = []
    for k, (y, z) in enumerate(zip(plain, derived, strict=True)):
        if not is_float(y) or y.shape != z.shape or not (np.isfinite(_wide(y)) & np.isfinite(_wide(z))).all():
            continue
        off = np.abs(_wide(y) - _wide(z))
        largest = max((float(np.max(np.abs(_wide(x)), initial=0.0)) for x in inputs if is_float(x)), default=0.0)
        room = eps(y.dtype) ** OF_VALUES * float(np.max(np.abs(_wide(y)), initial=0.0))
        room += eps(y.dtype) ** OF_INPUTS * largest
        if (off <= room).all():
            continue
        moved = moved or [_listed(value(*point)) for point in _ulps(inputs)]
        if (off > room + WOBBLES * sum(np.abs(_wide(m[k]) - _wide(y)) for m in moved)).any():
            which = f" of output {k}" if len(plain) > 1 else ""
            raise Fault("primal", PRIMAL.replace(" value", f" value{which}"))


def partial_gradients(
    vjp: Callable[..., Any], inputs: Sequence[Any], wrt: Sequence[int], names: Sequence[str], expected: Sequence[Array]
) -> None:
    """Raise Fault where the gradients of some inputs alone are others than where all are asked for."""
    for subset in subsets(len(wrt)):
        called = " and ".join(names[wrt[k]] for k in subset)
        said = f"where only {called} {'is' if len(subset) == 1 else 'are'} differentiated"
        try:
            got = vjp(inputs, tuple(wrt[k] for k in subset))[1]
        except Exception as error:  # a stranger's rule may raise anything
            raise Fault("needs_input_grad", f"{said} the rule raised {type(error).__name__}") from error
        for k, g in zip(subset, got, strict=True):
            if not agree([g], [expected[k]]):
                name = names[wrt[k]]
                raise Fault("needs_input_grad", f"{said} the gradient of {name} is another than where all are")


def partial_tangents(
    jvp: Callable[..., Any], inputs: Sequence[Any], wrt: Sequence[int], names: Sequence[str], first: Sequence[Array]
) -> None:
    """Raise Fault where tangents of some inputs alone give another derivative than with zeros for the others."""
    for subset in subsets(len(wrt)):
        called = " and ".join(names[wrt[k]] for k in subset)
        said = f"where only {called} {'has a tangent' if len(subset) == 1 else 'have tangents'}"
        zeros = tuple(t if k in subset else np.zeros_like(t) for k, t in enumerate(first))
        whole = jvp(zeros, inputs, wrt)[1]
        try:
            alone = jvp(tuple(first[k] for k in subset), inputs, tuple(wrt[k] for k in subset))[1]
        except Exception as error:  # a stranger's jvp may raise anything
            raise Fault("needs_input_grad", f"{said} the jvp raised {type(error).__name__}") from error
        if alone is not None and whole is not None and not agree(_listed(alone), _listed(whole)):
            raise Fault("needs_input_grad", f"{said} the derivative is another than with zeros for the other inputs")


def duality(
    vjp: Callable[..., Any], jvp: Callable[..., Any], inputs: Sequence[Any], wrt: Sequence[int]
) -> dict[int, tuple[float, float]]:
    """The inputs by which the two modes contradict each other: position -> (<u, J v>, <J^T u, v>).

    Only where they do at the point and at points beside it: at a kink each mode may choose for itself.
    """
    wrong: dict[int, tuple[float, float]] = {}
    for k, i in enumerate(wrt):
        seen: list[tuple[float, float]] = []
        for rng, point in _beside(inputs, wrt):
            v = tuple(
                np.asarray(rng.normal(size=np.shape(point[j])) * (j == i), np.asarray(point[j]).dtype) for j in wrt
            )
            along = _listed(jvp(v, point, wrt)[1])
            u = [np.asarray(rng.normal(size=y.shape), y.dtype if is_float(y) else np.float64) for y in along]
            g = _wide(vjp(u, point, wrt)[k])
            left, right = [_wide(a) * _wide(b) for a, b in zip(u, along, strict=True)], g * _wide(v[k])
            size = sum(float(np.abs(a).sum()) for a in left) + float(np.abs(right).sum())
            one, other = sum(float(a.sum()) for a in left), float(right.sum())
            room = max(eps(a.dtype) for a in (*v, *along)) ** DUAL * size
            if not (np.isfinite(size) and abs(one - other) > room):
                break
            seen.append((one, other))
        if len(seen) == POINTS:
            wrong[i] = seen[0]
    return wrong


def _beside(inputs: Sequence[Any], wrt: Sequence[int]) -> Iterator[tuple[np.random.Generator, tuple[Any, ...]]]:
    """The point, and others a little beside it, each with a generator of its own."""
    for turn in range(POINTS):
        rng, point = np.random.default_rng((5, turn)), list(inputs)
        for i in wrt if turn else ():
            x = np.asarray(inputs[i])
            point[i] = np.asarray(_wide(x) + MOVED * unit(x) * rng.normal(size=x.shape)).astype(x.dtype)
        yield rng, tuple(point)


def _ulps(inputs: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    for turn in range(2):
        rng = np.random.default_rng((7, turn))
        yield tuple(shifted(x, rng.choice([-1.0, 1.0], np.shape(x))) if is_float(x) else x for x in inputs)


def _wide(x: Any) -> Array:
    return np.asarray(x).astype(np.float64)


def _listed(value: Any) -> list[Array]:
    return [np.asarray(y) for y in (value if isinstance(value, tuple | list) else (value,))]
