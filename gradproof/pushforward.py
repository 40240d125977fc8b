"""A jvp judged by the road of the vjp: its columns, weighted by the cotangent, are the gradient.

    (J^T u)_j = <u, J e_j>

so that one judge serves both modes. What the columns cannot show is asked on a random tangent beside them: linearity,
the shape and dtype of what comes back, and whether the arguments were changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradproof.errors import InputError
from gradproof.oracles.contract import same
from gradproof.sample import is_float
from gradproof.subject import Array, Fault, outputs, parameter_names


def as_vjp(forward: Callable[..., Any], jvp: Any, constant: Sequence[str | int]) -> Callable[..., Any]:
    """The vjp that a jvp implies. Its faults (raises, wrong shape, not linear) are raised as `Fault`."""
    if not callable(jvp):
        return jvp  # type: ignore[no-any-return]  # the caller's check says that it is no function

    def rule(cotangent: Any, *inputs: Any) -> tuple[Any, ...]:
        names = parameter_names(forward, len(inputs))
        fixed = {names.index(c) if isinstance(c, str) else c % len(inputs) for c in constant}
        wrt = [i for i, x in enumerate(inputs) if is_float(x) and i not in fixed]
        values, _ = outputs(forward(*inputs))
        cotangents = cotangent if isinstance(cotangent, tuple) else (cotangent,)

        def push(tangents: list[Array]) -> list[Array]:
            kept = [np.array(t) for t in tangents]
            answer = jvp(tangents[0] if len(wrt) == 1 else tuple(tangents), *inputs)
            try:
                got = outputs(answer)[0]
            except InputError:
                said = f"the jvp returned a {type(answer).__name__}; expected the tangent of the output, or a tuple"
                raise Fault("type", said) from None
            if any(a.tobytes() != b.tobytes() for a, b in zip(kept, tangents, strict=True)):
                raise Fault("mutated", "the jvp changed its tangent")
            if len(got) != len(values):
                raise Fault("count", f"the jvp returned {len(got)} tangents for {len(values)} outputs")
            for g, y in zip(got, values, strict=True):
                if g.shape != y.shape:
                    raise Fault("shape", f"the tangent has shape {g.shape}, the output has {y.shape}")
                if g.dtype != y.dtype:
                    raise Fault("dtype", f"the tangent has dtype {g.dtype}, the output has {y.dtype}")
            return [np.array(g) for g in got]

        zeros = [np.zeros(np.shape(inputs[i]), np.asarray(inputs[i]).dtype) for i in wrt]
        rng = np.random.default_rng(5)
        random = [np.asarray(rng.integers(-8, 9, z.shape) / 4, z.dtype) for z in zeros]
        total = [np.zeros(y.shape) for y in values]
        gradients: list[Any] = [None] * len(inputs)
        for k, i in enumerate(wrt):
            g = np.zeros(zeros[k].shape)
            for index in np.ndindex(zeros[k].shape):
                tangents = [np.array(z) for z in zeros]
                tangents[k][index] = 1
                columns = push(tangents)
                g[index] = sum(
                    float((np.asarray(u, np.float64) * np.asarray(c, np.float64)).sum())
                    for u, c in zip(cotangents, columns, strict=True)
                )
                total = [
                    t + float(random[k][index]) * np.asarray(c, np.float64) for t, c in zip(total, columns, strict=True)
                ]
            gradients[i] = g.astype(zeros[k].dtype)
        for t, got in zip(total, push(random), strict=True):
            if not same(np.asarray(t, got.dtype), got, float(np.max(np.abs(t), initial=0.0))):
                raise Fault(
                    "nonlinear",
                    "the jvp of a random tangent is not the sum of its columns: it is not linear in the tangent",
                )
        return tuple(gradients)

    return rule
