"""The lines that make a failing call again when they are pasted: imports, arrays, what is wrong, the call.

Small arrays are written out. Of a large point the numbers matter seldom: it is drawn anew, from a seed that stands in
the lines, and kept where the rule fails on it in the same way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gradproof.calling.subject import Array
from gradproof.explaining import again
from gradproof.explaining.locate import Place, locate
from gradproof.judging.bench import Bench, Failure
from gradproof.sampling.sample import Sample, is_float
from gradproof.sampling.variation import structure

# entries of a point that are written out gladly, and at most
WRITTEN_OUT, AT_MOST = 200, 2000
# a cotangent of more entries, all but one of them zero, is made in a word
SPARSE = 16
# a point of more entries is not judged once more to be drawn from a seed
DRAWN = 100_000
SEED = "rng = np.random.default_rng(0)"


def material(failure: Failure, place: Place) -> bool:
    """Whether what stands at a place is off by more than rounding: evidence that shows nothing is none."""
    _, got, expected = place
    if not (np.isfinite(got) and np.isfinite(expected)):
        return True
    largest = max(float(np.max(np.abs(np.asarray(a, np.float64)))) for a in (failure.got, expected) if a is not None)
    return bool(abs(got - expected) > 1e-13 * largest)


def reproduce(bench: Bench, failure: Failure | None, count: int) -> str:
    """Lines that, pasted where forward and rule are known, make the failing call."""
    if failure is None:
        return ""
    recipes: dict[str, str] = {}
    sample = failure.trial.sample
    if _entries(sample) > WRITTEN_OUT:
        found = _drawn(bench, failure)
        if found is not None:
            failure, recipes = found
        elif _entries(sample) > AT_MOST:
            return f"# sample {sample.label}: check again with seed={sample.seed}, examples={count}"
    sample, trial = failure.trial.sample, failure.trial
    u = trial.cotangents
    lines = ["import numpy as np"]
    if any(np.asarray(x).dtype.name == "bfloat16" for x in (*sample.inputs, *u) if is_float(x)):
        lines.append("import ml_dtypes")
    lines += [SEED] if recipes else []
    lines += [f"{name} = {recipes.get(name) or array(x)}" for name, x in zip(sample.names, sample.inputs, strict=True)]
    given = [recipes.get(f"cotangent {k}") or _sparse(c) for k, c in enumerate(u)]
    lines.append(f"cotangent = {'(' + ', '.join(given) + ',)' if trial.packing[1] else given[0]}")
    static = "".join(f", {k}={v!r}" for k, v in sample.static.items())
    lines.append(f"# {_wrong(failure)}")
    name = bench.subject.name if bench.subject.name.isidentifier() else "vjp"
    differentiated = ", ".join(sample.names[i] for i in sample.wrt)
    arguments = ", ".join(sample.names) + static
    call = bench.subject.replay.format(name=name, arguments=arguments, differentiated=differentiated).splitlines()
    imports = [line for line in call if line.startswith("from ")]
    return "\n".join([lines[0], *imports, *lines[1:], *(line for line in call if line not in imports)])


def _wrong(failure: Failure) -> str:
    """What is wrong with the answer, for the comment above the call."""
    sample = failure.trial.sample
    name = "" if failure.position is None else sample.names[failure.position]
    if failure.check == "shape" and failure.got is not None and failure.position is not None:
        return f"returns {np.shape(failure.got)} for {name}, should be {np.shape(sample.inputs[failure.position])}"
    place = locate(failure) if failure.check in ("vjp", "nonfinite") else None
    if place is None or not material(failure, place):
        return " ".join(failure.note.split()) or "the gradient is wrong"
    index, got, expected = place
    return f"{name}{list(index)} is {got!r}, should be {expected!r}" + (
        ", or another subgradient" if many(failure) else ""
    )


def many(failure: Failure) -> bool:
    """Whether other values would be right as well: at a kink."""
    return failure.oracle == "kink"


def _entries(sample: Sample) -> int:
    return sum(int(np.size(x)) for x in sample.inputs)


def array(x: Any) -> str:
    """An input as Python writes it."""
    if isinstance(x, np.ndarray):
        if x.size == 0:
            return f"np.zeros({x.shape}, np.{x.dtype.name})"
        # NumPy parts the blocks of more axes by blank lines
        flat = x.ndim > 2
        printed = x.reshape(-1) if flat else x
        text = np.array2string(printed, separator=", ", threshold=AT_MOST + 1, floatmode="unique", max_line_width=90)
        suffix = "" if x.dtype in (np.float64, np.int64) else f", '{x.dtype.name}'"
        return f"np.array({text}{suffix})" + (f".reshape({x.shape})" if flat else "")
    if isinstance(x, np.generic):
        return f"np.{x.dtype.name}({x.item()!r})"
    return repr(x)


def _sparse(u: Array) -> str:
    """A large cotangent that is 1 at one place, in a line."""
    if u.size <= SPARSE or np.count_nonzero(u) != 1 or u.dtype != np.float64:
        return array(u)
    (k,) = np.flatnonzero(u)
    return f"{float(u.reshape(-1)[k])!r} * (np.arange({u.size}) == {k}).reshape({u.shape})"


def _drawn(bench: Bench, failure: Failure) -> tuple[Failure, dict[str, str]] | None:
    """The failure at a point of its shape that a seed makes, and how; None where the rule does not fail there."""
    sample = failure.trial.sample
    if _entries(sample) > DRAWN:
        return None
    names = {name: _recipe(x) for name, x in zip(sample.names, sample.inputs, strict=True) if np.size(x) > 1}
    names |= {f"cotangent {k}": _recipe(u) for k, u in enumerate(failure.trial.cotangents) if np.size(u) > 1}
    recipes = {k: text for k, text in names.items() if text}
    if sum(np.size(x) for k, x in zip(sample.names, sample.inputs, strict=True) if k not in recipes) > WRITTEN_OUT:
        return None
    known: dict[str, Any] = {"np": np, "rng": np.random.default_rng(0)}
    made = {k: eval(text, known) for k, text in recipes.items()}  # our own few words, as they are pasted
    inputs = tuple(made.get(k, x) for k, x in zip(sample.names, sample.inputs, strict=True))
    cotangents = tuple(made.get(f"cotangent {k}", u) for k, u in enumerate(failure.trial.cotangents))
    found = again.judge(bench, replace(sample, inputs=inputs), cotangents)
    same = [] if found is None else [f for f in found.failures if _like(f, failure) and f.trial is found.trial]
    return (same[0], recipes) if same else None


def _like(a: Failure, b: Failure) -> bool:
    return a.check == b.check and a.position == b.position


def _recipe(x: Any) -> str:
    """How to draw an array of the shape that has what this one has; "" where that takes more than a word."""
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiu":
        return ""
    has = structure(x)
    shape = ", ".join(str(n) for n in x.shape) + ("," if x.ndim == 1 else "")
    dtype = "" if x.dtype == np.float64 else f".astype('{x.dtype.name}')"
    if has & {"rows summing to 1", "symmetric", "sorted", "a permutation"}:
        return ""
    if x.dtype.kind in "iu" or has & {"values 0/1", "integers"}:
        low, high = int(x.min()), int(x.max())
        return f"rng.integers({low}, {high + 1}, ({shape})).astype('{x.dtype.name}')"
    unit = float(np.max(np.abs(x.astype(np.float64)))) <= 1  # perhaps the ends of a domain
    if "all >= 0" in has:
        return f"(rng.integers(1, {16 if unit else 9}, ({shape})) / {16 if unit else 4}){dtype}"
    return f"(rng.integers({'-15, 16' if unit else '-8, 9'}, ({shape})) / {16 if unit else 4}){dtype}"
