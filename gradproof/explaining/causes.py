"""Why a gradient is wrong: what the failure looks like, best guess first.

Each cause is a test on evidence, not a guess from names: the wrong gradient g is held against what the expected
gradient E, the Jacobian and the rule's answers to other cotangents would give if just this mistake had been made
(`resemblance`, `coarse`, `one_entry`), and where it is wrong was proved by undoing it (`counterfactual`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradproof.explaining.activation import at_activation
from gradproof.explaining.coarse import coarse
from gradproof.explaining.evidence import Evidence
from gradproof.explaining.one_entry import alone
from gradproof.explaining.resemblance import whole
from gradproof.explaining.suspicion import VALUES
from gradproof.judging.bench import Bench, Failure

CAUSES = {
    "sign": "the sign is wrong: it is minus the gradient",
    "factor": "it is a constant multiple of the gradient",
    "mean_for_sum": "a mean stands where a sum should be, or the division by the size is missing",
    "transposed": "its axes are exchanged, or it is J u where J^T u belongs",
    "flipped": "it is the gradient read backwards along an axis: a kernel is flipped, or should be",
    "unbroadcast": "the sum over an axis that was broadcast is missing",
    "cotangent_ignored": "the cotangent is ignored: every cotangent gives the same gradient",
    "cotangent_sign_ignored": "the sign of the cotangent is ignored",
    "diagonal_only": "only the diagonal of the Jacobian is there: the terms between entries are missing",
    "value_for_derivative": "the value of the function stands in place of its derivative",
    "activation_for_preactivation": "the derivative is by the activation, or taken at it, in place of the "
    "pre-activation, or the other way round",
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
    "at_stride": "wrong at some strides alone: where they are not 1, or not the window's size",
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
    "primal": "differentiated, the function gives another value than where it is only called",
    "modes": "forward mode and reverse mode are derivatives of two functions: one of them is wrong",
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
    "primal": "primal",
}


def causes(bench: Bench, failure: Failure, evidence: Evidence, conditions: Sequence[str] = ()) -> tuple[str, ...]:
    """Identifiers of CAUSES for one failure, best first; `conditions` are those that were proved, rarest first."""
    found: dict[str, None] = {}
    for name in _collect(bench, failure, evidence, list(conditions)):
        found.setdefault(name)
    return tuple(found)


def _collect(bench: Bench, failure: Failure, evidence: Evidence, conditions: list[str]) -> Iterator[str]:
    check = failure.check
    if check == "value":
        yield "forward"
    elif check == "raises":
        yield from (*conditions, "raises")
    elif check in FROM_CONTRACT:
        yield FROM_CONTRACT[check]
        yield from (conditions if check not in ("mutated", "aliased", "state", "nondeterministic") else ())
    elif check == "shape":
        yield from _misshapen(failure, evidence)
        yield "shape"
    elif check == "nonfinite":
        yield from (*conditions[:1], "nonfinite", *conditions[1:])
    elif check == "nonlinear":
        yield from _cotangent(evidence)
        yield "nonlinear"
    else:
        yield from _of_values(bench, failure, evidence, conditions)


def _of_values(bench: Bench, failure: Failure, e: Evidence, conditions: list[str]) -> Iterator[str]:
    """Causes of a wrong number: what the contract says plainly, then what it resembles and where it is wrong."""
    if not e.got.any():
        yield "zero"
    else:
        yield from _cotangent(e)
        if coarse(e):
            yield "low_precision"
        if any(f.check == "nonlinear" and f.position in (failure.position, None) for f in bench.failures):
            yield "nonlinear"
        # a condition on the numbers says more than what the numbers look like there
        placed = bool(conditions) and conditions[0] in VALUES
        if placed:
            yield conditions.pop(0)
        if failure.oracle == "kink":
            yield "kink"
        alike = list(whole(e))
        # a mean is a factor too, and right for one row: that says no more
        yield from alike[: 2 if alike[:1] == ["mean_for_sum"] else 1]
        if not placed and alone(bench, failure, e):
            yield "one_entry"
        yield from (*conditions[:1], *alike)
        if e.expected is not None and e.wrong().any() and e.elementwise() and at_activation(e):
            yield "activation_for_preactivation"
    yield from conditions
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
