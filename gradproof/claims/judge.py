"""The judge of printed claims: evaluates the printed formula, then the conventions, then the right form, and says what it found.

    holds       every printed member equals the truth on every sample
    convention  it fails as printed, and equals the truth under a named convention
    refuted     it fails, under every convention too, on a small example; the right form equals the truth
    unreadable  the text is damaged and has no legible twin, or the readings that the damage leaves open differ

The truth is what PyTorch and JAX both say. A record that contradicts the evaluation (a correction of what holds, a wrong
correction, an example that shows nothing) is at fault, and the fault is reported beside the verdict.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.claims.evidence import Evidence
from gradproof.claims.record import Claim, Reading, as_members
from gradproof.claims.sample import Sample, Undefined

VERDICTS = ("holds", "convention", "refuted", "unreadable")
TOLERANCE = 1e-10  # of the largest entry of the truth, or of one: samples are of order one, both sides are float64


@dataclass(frozen=True)
class Counterexample:
    """One sample on which the printed formula fails: the inputs, what it gives there (or why it gives nothing), and the truth."""

    inputs: dict[str, Any]
    printed: Any
    true: Any
    problem: str


@dataclass(frozen=True)
class Finding:
    """What the judge found of one claim."""

    claim: Claim
    verdict: str
    convention: str | None
    counterexample: Counterexample | None
    proved: bool
    faults: tuple[str, ...]
    samples: int


def judge(claim: Claim, evidence: Evidence, prove: bool = True) -> Finding:
    """Evaluate the claim and find its verdict; with `prove`, also by computer algebra where the claim asks for it."""
    free, given, example = evidence.free(claim), evidence.given(claim), evidence.example(claim)
    faults = [fault for sample in (*free, *given, example) if (fault := _oracles_differ(claim, evidence, sample))]
    if claim.literal is None or (claim.damage and not claim.twin and not claim.open):
        return Finding(claim, "unreadable", None, None, False, tuple(dict.fromkeys(faults)), 0)

    def fails(readings: Iterable[Reading], samples: Sequence[Sample]) -> str:
        return next((problem for sample in samples if (problem := problem_of(claim, evidence, readings, sample))), "")

    everywhere = [*free, example]
    printed = fails(claim.members, everywhere)
    for words, reading in claim.open.items():
        if bool(fails([reading], everywhere)) != bool(printed):
            return Finding(claim, "unreadable", None, None, False, tuple(dict.fromkeys(faults)), len(everywhere))
        faults.append(f"the readings {words!r} and the printed one are judged alike; they leave nothing open")
    shown: Counterexample | None = None
    convention: str | None = None
    in_force: tuple[Reading, ...] | None = claim.members
    if not printed:
        verdict = "holds"
        faults += [f"{name} is given for a claim that holds as printed"
                   for name, there in (("a convention", claim.under or claim.given), ("a right form", claim.right)) if there]
    else:
        kept = {words: as_members(reading) for words, reading in _conventions(claim).items()}
        passed = [words for words, reading in kept.items() if not fails(reading, given)]
        shown = _counterexample(claim, evidence, [example, *free, *given])
        if passed:
            verdict, convention, in_force = "convention", passed[0], kept[passed[0]]
            if claim.right:
                faults.append(f"a right form is given for a claim that holds under the convention {convention!r}")
            faults += [f"the convention {words!r} does not hold" for words in kept if words not in passed]
        else:
            verdict = "refuted"
            in_force = as_members(claim.corrected) if claim.corrected is not None else None
            if in_force is None:
                faults.append("it is refuted and has no right form" + "".join(f"; {words!r} fails too" for words in kept))
            elif problem := fails(in_force, everywhere):
                faults.append(f"the right form is wrong: {problem}")
            if not problem_of(claim, evidence, claim.members, example):
                faults.append("the printed formula is right on the example, which therefore refutes nothing")
            elif any(not problem_of(claim, evidence, reading, example) for reading in kept.values()):
                faults.append("a convention holds on the example, which therefore refutes nothing")
    proved = False
    if claim.prove and prove and in_force is not None:
        from gradproof import symbolic

        proved = symbolic.proved(claim, evidence.setting(claim), in_force, claim.given if convention else "")
        if not proved:
            faults.append("the form that holds could not be proved")
        if verdict == "refuted" and symbolic.proved(claim, evidence.setting(claim), claim.members, ""):
            faults.append("computer algebra proves the printed formula, which the example refutes")
    return Finding(claim, verdict, convention, shown, proved, tuple(dict.fromkeys(faults)), len({*everywhere, *given}))


def problem_of(claim: Claim, evidence: Evidence, readings: Iterable[Reading], sample: Sample) -> str:
    """Why these members are not the truth on this sample, in a line; empty where they are."""
    truth = evidence.truth(claim, sample)["torch"]
    for reading in readings:
        value, problem = evaluate(reading, sample)
        problem = problem or difference(value, truth)
        if problem:
            return problem
    return ""


def evaluate(reading: Reading, sample: Sample) -> tuple[Any, str]:
    """The value of a printed formula, or why it has none: shapes that do not conform, an index or a name that does not exist."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(reading(sample), dtype=np.float64), ""
    except Undefined as error:
        return None, str(error)
    except IndexError as error:
        return None, f"an index is out of range ({error})"
    except ValueError as error:
        if "matmul" in str(error) or "broadcast" in str(error):
            return None, f"the shapes do not conform ({_shapes(str(error))})"
        raise


def difference(value: Any, truth: Any) -> str:
    """How `value` is not `truth`; empty where it is, to TOLERANCE."""
    if value.shape != truth.shape:
        return f"the shape is {value.shape}, not {truth.shape}"
    scale = max(1.0, float(np.max(np.abs(truth), initial=0.0)))
    wrong = ~(np.abs(value - truth) <= TOLERANCE * scale)  # NaN is wrong
    if not wrong.any():
        return ""
    place = tuple(int(number) for number in np.argwhere(wrong)[0])
    where = f" at {list(place)}" if place else ""
    return f"it gives {value[place]:.6g}{where}, not {truth[place]:.6g}"


def _conventions(claim: Claim) -> dict[str, Reading | tuple[Reading, ...]]:
    if claim.given and not claim.under:
        return {claim.given: claim.members}
    return {"; ".join(filter(None, (words, claim.given))): reading for words, reading in claim.under.items()}


def _counterexample(claim: Claim, evidence: Evidence, samples: Sequence[Sample]) -> Counterexample | None:
    for sample in samples:
        problem = problem_of(claim, evidence, claim.members, sample)
        if problem:
            values = [evaluate(reading, sample) for reading in claim.members]
            true = evidence.truth(claim, sample)["torch"]
            value, wrong = next((value, text) for value, text in values if text or difference(value, true))
            return Counterexample(sample.inputs, wrong if value is None else value, true, problem)
    return None


def _oracles_differ(claim: Claim, evidence: Evidence, sample: Sample) -> str:
    both = evidence.truth(claim, sample)
    problem = difference(both["jax"], both["torch"])
    return f"the oracles differ: JAX against PyTorch, {problem}" if problem else ""


def _shapes(text: str) -> str:
    """NumPy's message without the signature of its gufunc."""
    if "matmul" in text and "size" in text:
        sizes = text[text.rindex("(size") + 1 : text.rindex(")")].replace("size ", "")
        left, _, right = sizes.partition(" is different from ")
        return f"matrix product, inner sizes {right} and {left}"
    return text
