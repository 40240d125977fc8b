"""Why a gradient is wrong: what the failure looks like, best guess first.

Each cause is a test on evidence, not a guess from names: the wrong gradient g is held against what the expected
gradient E, the Jacobian and the rule's answers to other cotangents would give if just this mistake had been made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import numpy as np

from gradproof.bench import Bench, Failure
from gradproof.evidence import Evidence, close
from gradproof.subject import Array
from gradproof.trial import Trial

CAUSES = {
    "sign": "the sign is wrong: it is minus the gradient",
    "factor": "it is a constant multiple of the gradient",
    "mean_for_sum": "a mean stands where a sum should be, or the division by the size is missing",
    "transposed": "it is the gradient with its axes exchanged",
    "flipped": "it is the gradient read backwards along an axis: a kernel is flipped, or should be",
    "unbroadcast": "the sum over an axis that was broadcast is missing",
    "cotangent_ignored": "the cotangent is ignored: every cotangent gives the same gradient",
    "cotangent_sign_ignored": "the sign of the cotangent is ignored",
    "diagonal_only": "only the diagonal of the Jacobian is there: the terms between entries are missing",
    "value_for_derivative": "the value of the function stands in place of its derivative",
    "activation_for_preactivation": "the derivative is by the activation, or taken at it, in place of the "
    "pre-activation",
    "swapped": "the gradients of two inputs are exchanged",
    "zero": "the gradient is zero everywhere",
    "one_entry": "one entry alone is wrong",
    "missing_term": "a term of the gradient is missing",
    "at_ties": "right except where two entries are equal",
    "at_zero": "right except where an entry is exactly zero",
    "at_saturation": "right except where entries are large: saturation, overflow or underflow",
    "at_negative": "right except where entries are negative",
    "at_small": "right except where entries are close to zero",
    "at_batch": "right for one row, wrong for more: the first axis is longer than 1",
    "at_batch_one": "wrong where an axis has size 1",
    "at_nonsquare": "right for square shapes, wrong where two axes differ",
    "at_square": "wrong for square shapes alone",
    "at_stride": "right for steps of 1, wrong where a stride or dilation is larger",
    "at_repeated": "right except where an index is repeated",
    "low_precision": "the error is that of a lower precision used inside",
    "second_call": "a second call gives another answer: the rule keeps state or draws random numbers",
    "argument_changed": "the rule changes an argument in place",
    "shared": "what is returned shares memory with an argument or another gradient",
    "layout": "the answer depends on the memory layout of the arguments",
    "shape": "the gradient has another shape than the input",
    "dtype": "the gradient has another dtype than the input",
    "nonfinite": "NaN or infinity where the derivative is finite",
    "missing": "no gradient was returned for a differentiated input",
    "raises": "the rule raises an exception",
    "structure": "what came back is no gradient for each input",
    "needs_input_grad": "right where every input requires a gradient, wrong where only some do",
    "unused_output": "wrong where an output is not used in what follows",
    "nonlinear": "the gradient is not linear in the cotangent",
    "forward": "the forward value itself is another than the reference's",
    "kink": "at a kink, the value lies outside the valid subgradients",
}

FROM_CONTRACT = {
    "mutated": "argument_changed",
    "aliased": "shared",
    "state": "second_call",
    "nondeterministic": "second_call",
    "layout": "layout",
    "dtype": "dtype",
    "missing": "missing",
    "raises": "raises",
    "count": "structure",
    "type": "structure",
    "needs_input_grad": "needs_input_grad",
    "unused_output": "unused_output",
}


def causes(bench: Bench, failure: Failure, evidence: Evidence) -> tuple[str, ...]:
    """Identifiers of CAUSES for one failure, best first."""
    found: dict[str, None] = {}
    for name in _collect(bench, failure, evidence):
        found.setdefault(name)
    return tuple(found)


def _collect(bench: Bench, failure: Failure, evidence: Evidence) -> Iterator[str]:
    check = failure.check
    if check == "value":
        yield "forward"
        return
    if check == "raises":
        yield from _conditions(bench)
        yield "raises"
        return
    if check in FROM_CONTRACT:
        yield FROM_CONTRACT[check]
        yield from (_conditions(bench) if check not in ("mutated", "aliased", "state", "nondeterministic") else ())
        return
    if check == "shape":
        yield from _misshapen(failure, evidence)
        yield "shape"
        return
    if check == "nonfinite":
        yield from _conditions(bench)
        yield from _hard_values(failure)
        yield "nonfinite"
        return
    if check == "nonlinear":
        yield from _cotangent(evidence)
        yield "nonlinear"
        return
    if failure.oracle == "kink":
        yield from _hard(bench, failure)
    conditions = list(_conditions(bench))
    yield from _whole(evidence)
    if any(f.check == "nonlinear" for f in bench.failures):
        yield "nonlinear"
    yield from conditions[:2]
    yield from _parts(evidence)
    yield from conditions[2:]
    if failure.oracle == "kink":
        yield "kink"
    if not conditions:
        yield from _hard(bench, failure)
    yield "missing_term"


def _cotangent(e: Evidence) -> Iterator[str]:
    if e.ignores_cotangent():
        yield "cotangent_ignored"
        if e.ignores_point():
            yield "second_call"
    elif e.even_in_cotangent():
        yield "cotangent_sign_ignored"


def _misshapen(failure: Failure, e: Evidence) -> Iterator[str]:
    g, expected = failure.got, e.expected
    if g is None or expected is None:
        return
    if g.ndim == expected.ndim and g.shape != expected.shape and sorted(g.shape) == sorted(expected.shape):
        yield "transposed"
    if g.size > expected.size or g.shape in [y.shape for y in failure.trial.values]:
        yield "unbroadcast"


def _whole(e: Evidence) -> Iterator[str]:
    """Causes that explain every entry of the gradient."""
    g, expected = e.got, e.expected
    if not g.any():
        yield "zero"
        return
    yield from _cotangent(e)
    if expected is None:
        if e.single():
            yield "one_entry"
        elif e.multiple is not None:
            yield from _named(e.multiple, e)
        return
    if e.of_an_earlier_point():
        yield "second_call"
    if e.explains(-expected):
        yield "sign"
    yield from _multiple(e, expected)
    for other in e.others():
        if other.shape == g.shape and e.explains(other):
            yield "swapped"
    if g.ndim > 1:
        for axes in permutations(range(g.ndim)):
            if (
                axes != tuple(range(g.ndim))
                and expected.transpose(axes).shape == g.shape
                and e.explains(expected.transpose(axes))
            ):
                yield "transposed"
        if any(
            expected.size == g.size and e.explains(np.moveaxis(expected, a, b).reshape(g.shape))
            for a, b in permutations(range(g.ndim), 2)
        ):
            yield "transposed"
    for count in range(1, g.ndim + 1):
        for axes in combinations(range(g.ndim), count):
            if e.explains(np.flip(expected, axes)):
                yield "flipped"
    yield from _low_precision(g, expected)
    if e.forwards():
        yield "transposed"
    if e.kernel_flipped():
        yield "flipped"
    if e.elementwise() is False and e.diagonal() is not None and e.explains(e.diagonal()):
        yield "diagonal_only"
    yield from _values(e)
    if e.one_slice():
        yield "unbroadcast"


def _multiple(e: Evidence, expected: Array) -> Iterator[str]:
    g = e.got
    square = float((expected * expected).sum())
    if not square:
        return
    ratio = float((g * expected).sum()) / square
    if abs(ratio - 1) < 1e-12 or not e.explains(ratio * expected):
        return
    yield from _named(ratio, e)


def _named(ratio: float, e: Evidence) -> Iterator[str]:
    """What a constant factor is: a sign, a size that was divided by or should be, or just a factor."""
    if abs(ratio + 1) < 1e-6:
        yield "sign"
        return
    for n in _products(e.sizes):
        if n > 1 and min(abs(ratio * n - 1), abs(ratio / n - 1), abs(ratio * n + 1), abs(ratio / n + 1)) < 1e-6:
            yield "mean_for_sum"
            break
    if e.got.size > 1 or round(ratio, 6) in (0.5, 2.0):
        yield "factor"


def _products(sizes: Sequence[int]) -> list[int]:
    longer = [s for s in sizes if s > 1][:8]
    return sorted({int(np.prod(c)) for k in (1, 2, 3, 4) for c in combinations(longer, k)})


def _low_precision(g: Array, expected: Array) -> Iterator[str]:
    size = np.abs(expected)
    typical = float(np.median(size[size > 0])) if (size > 0).any() else 0.0
    if not typical:
        return
    error = np.abs(g - expected)
    relative = error / np.maximum(size, typical)
    worst = float(relative.max())
    for unit, most in ((2.0**-24, 60), (2.0**-11, 30), (2.0**-8, 8)):
        if (
            0.02 * unit < worst < most * unit
            and np.median(relative) < 8 * unit
            and (relative > 1e-3 * unit).mean() > 0.3
        ):
            ratio = float((g * expected).sum()) / float((expected * expected).sum())
            if not close(g, ratio * expected, 1e-3 * unit):
                yield "low_precision"
            return


def _values(e: Evidence) -> Iterator[str]:
    g = e.got
    for y in e.trial.work.values:
        for u in (np.ones(()), *(c for c in e.cotangents if c.shape == y.shape)):
            value = np.asarray(u * np.asarray(y, np.float64))
            # a reduced axis comes back with size 1
            forms = (
                [value.reshape(())]
                if value.size == 1
                else [value, *(np.expand_dims(value, a) for a in range(value.ndim + 1))]
            )
            if any(f.ndim <= g.ndim and _fits(f, g) and e.explains(np.broadcast_to(f, g.shape)) for f in forms):
                yield "value_for_derivative"
    if e.wrong().all() and e.at_activation():
        yield "activation_for_preactivation"
    if e.by_activation():
        yield "activation_for_preactivation"


def _fits(a: Array, g: Array) -> bool:
    return all(m in (1, n) for m, n in zip(a.shape[::-1], g.shape[::-1], strict=False))


def _parts(e: Evidence) -> Iterator[str]:
    """Causes that concern some entries."""
    if e.expected is None:
        return
    wrong = e.wrong()
    if wrong.sum() == 1 and wrong.size > 1:
        yield "one_entry"
    rows = np.asarray(np.atleast_1d(wrong).reshape(max(len(np.atleast_1d(wrong)), 1), -1).any(1))
    if rows.size > 1 and not rows.flat[0] and rows.any():
        yield "at_batch"
    if wrong.sum() and e.elementwise():
        x = e.point
        if (x[wrong] == 0).all() and (x != 0).any():
            yield "at_zero"
        right = ~wrong
        if (x[wrong] < 0).all() and right.any() and (x[right] >= 0).mean() > 0.9:
            yield "at_negative"
        if right.any() and np.abs(x[wrong]).min() > np.abs(x[right]).max():
            yield "at_saturation"
        if e.at_activation():
            yield "activation_for_preactivation"


def _hard(bench: Bench, failure: Failure) -> Iterator[str]:
    """Hard values at the failure, of which every other failing sample has some too."""
    failing = {id(f.trial): f.trial for f in bench.failures if f.trial.sample.kind not in ("turned", "beside")}
    shared = [_properties(t) for t in failing.values()]
    yield from (name for name in _hard_values(failure) if all(p[name] for p in shared))


def _hard_values(failure: Failure) -> Iterator[str]:
    trial = failure.trial
    floats = [np.asarray(trial.sample.inputs[i], np.float64) for i in trial.sample.wrt]
    if (
        failure.position is not None
        and failure.got is not None
        and failure.expected is not None
        and failure.got.shape == failure.expected.shape
    ):
        x = np.asarray(trial.sample.inputs[failure.position], np.float64)
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(failure.got - failure.expected) <= 1e-9 * np.maximum(np.abs(failure.expected), 1e-300))
        if x.shape == wrong.shape and wrong.any():
            if (np.abs(x[wrong]) >= 10).all():
                yield "at_saturation"
            if (x[wrong] == 0).all():
                yield "at_zero"
            if all(int((x == v).sum()) > 1 for v in np.unique(x[wrong])):
                yield "at_ties"
    if any((np.abs(x) >= 15).any() for x in floats):
        yield "at_saturation"
    if trial.sample.kind != "ties" and any((x == 0).any() for x in floats):
        yield "at_zero"
    if any(x.size > 1 and np.unique(x).size < x.size for x in floats) or _equal_across(floats):
        yield "at_ties"


def _equal_across(floats: Sequence[Array]) -> bool:
    return any(a.shape == b.shape and bool((a == b).any()) for a, b in combinations(floats, 2))


def _first_axis(trial: Trial) -> int:
    shaped = [np.shape(x) for x in trial.sample.inputs if np.ndim(x) > 0]
    return shaped[0][0] if shaped else 1


def _properties(trial: Trial) -> dict[str, bool]:
    sample = trial.sample
    floats = [np.asarray(sample.inputs[i], np.float64) for i in sample.wrt]
    whole = [np.asarray(x) for x in sample.inputs if isinstance(x, np.ndarray) and x.dtype.kind in "iu"]
    sizes = [n for x in sample.inputs for n in np.shape(x)]
    matrices = [np.shape(x)[-2:] for x in sample.inputs if np.ndim(x) >= 2]
    named = {**dict(zip(sample.names, sample.inputs, strict=True)), **sample.static}
    strides = [
        v
        for k, v in named.items()
        if any(w in k for w in ("stride", "step", "dilation")) and isinstance(v, int | tuple)
    ]
    return {
        "at_repeated": any(x.size > 1 and np.unique(x).size < x.size for x in whole),
        "at_zero": any((x == 0).any() for x in floats),
        "at_ties": any(x.size > 1 and np.unique(x).size < x.size for x in floats) or _equal_across(floats),
        "at_saturation": any((np.abs(x) >= 15).any() for x in floats),
        "at_small": any(((np.abs(x) < 1e-2) & (x != 0)).any() for x in floats),
        "at_negative": any((x < 0).any() for x in floats),
        "at_batch": _first_axis(trial) > 1,
        "at_batch_one": 1 in sizes,
        "at_nonsquare": any(a != b for a, b in matrices),
        "at_square": any(a == b for a, b in matrices),
        "at_stride": any(v not in (1, (1, 1)) for v in strides),
    }


def _conditions(bench: Bench) -> Iterator[str]:
    """Properties that every failing sample has and hardly any passing one."""
    failing = {id(f.trial): f.trial for f in bench.failures}
    passing = {id(t): t for t, _ in bench.passed if id(t) not in failing}
    if not failing or len(passing) < 2:
        return
    fails = [_properties(t) for t in failing.values()]
    passes = [_properties(t) for t in passing.values()]
    scored = []
    for name in fails[0]:
        share = sum(p[name] for p in fails) / len(fails)
        among = sum(p[name] for p in passes) / len(passes)
        if share == 1 and among < 0.5:
            scored.append((among, name))
    first, other = [_first_axis(t) for t in failing.values()], [_first_axis(t) for t in passing.values()]
    if min(first) > max(other) >= 1:
        scored.append((0.0, "at_batch"))
    scored.sort(key=lambda pair: pair[0])
    for _, name in scored:
        yield name
