"""The judge of printed claims: evaluates the printed formula, then the conventions, then the right form,
and says what it found.

    holds       every printed member equals the truth on every sample
    convention  it fails as printed, and equals the truth under a named convention
    refuted     it fails, under every convention too, on a small example; the right form equals the truth
    unreadable  the text is damaged and has no legible twin, or the readings that it leaves open differ

The truth is what PyTorch and JAX both say. A record that contradicts the evaluation (a correction of what
holds, a wrong correction, an example that shows nothing) is at fault, and the fault is reported beside
the verdict.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradproof.claims import proofs
from gradproof.claims.evidence import Evidence
from gradproof.claims.record import Claim, Reading, as_members
from gradproof.claims.sample import Sample, Traced, Undefined

VERDICTS = ("holds", "convention", "refuted", "unreadable")
TOLERANCE = (
    1e-10  # of the largest entry of the truth, or of one: samples are of order one, both sides are float64
)


@dataclass(frozen=True)
class Counterexample:
    """One sample on which the printed formula fails: the inputs, what it gives there (or why it gives
    nothing), and the truth.
    """

    inputs: dict[str, Any]
    printed: Any
    true: Any
    problem: str
    read: dict[str, Any]  # what the printed and the right form take from the sample


@dataclass(frozen=True)
class Shown:
    """The small example, line by line: what each printed member gives there (or why nothing), the form
    that holds, the truth.
    """

    inputs: dict[str, Any]
    printed: tuple[Any, ...]
    right: Any
    true: Any
    read: dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What the judge found of one claim; `shown` is its example, `counterexample` a sample on which the
    printed form fails.
    """

    claim: Claim
    verdict: str
    convention: str | None
    counterexample: Counterexample | None
    proved: bool
    faults: tuple[str, ...]
    samples: int
    shown: Shown | None = None


def judge(claim: Claim, evidence: Evidence, prove: bool = True) -> Finding:
    """Evaluate the claim and find its verdict; with `prove`, also by computer algebra where the claim
    asks for it.
    """
    free, given, example = evidence.free(claim), evidence.given(claim), evidence.example(claim)
    everywhere = [*free, example]
    samples = list(dict.fromkeys([*everywhere, *given]))
    faults = [fault for sample in samples if (fault := _oracles_differ(claim, evidence, sample))]

    def fails(readings: Iterable[Reading], where: Sequence[Sample]) -> str:
        return next((text for sample in where if (text := problem_of(claim, evidence, readings, sample))), "")

    printed = fails(claim.members, everywhere)
    if _illegible(claim) or any(
        bool(fails([other], everywhere)) != bool(printed) for other in claim.open.values()
    ):
        return Finding(claim, "unreadable", None, None, False, tuple(dict.fromkeys(faults)), len(everywhere))
    if claim.open:
        faults.append("the readings that the damage leaves open are judged alike; they leave nothing open")
    convention, in_force = None, claim.members
    if not printed:
        verdict = "holds"
        needless = {"a convention": claim.under or claim.given, "a right form": claim.right}
        faults += [
            f"{name} is given for a claim that holds as printed" for name, there in needless.items() if there
        ]
    else:
        readings = _conventions(claim)
        passed = [words for words, reading in readings.items() if not fails(reading, given)]
        if passed:
            verdict, convention, in_force = "convention", passed[0], readings[passed[0]]
            if claim.right:
                faults.append(
                    f"a right form is given for a claim that holds under the convention {convention!r}"
                )
            faults += [f"the convention {words!r} does not hold" for words in readings if words not in passed]
        else:
            verdict = "refuted"
            in_force = () if claim.corrected is None else as_members(claim.corrected)
            wrong = fails(in_force, everywhere)
            if not in_force:
                tried = "".join(f"; the convention {words!r} fails too" for words in readings)
                faults.append(f"it is refuted and has no right form{tried}")
            elif wrong:
                faults.append(f"the right form is wrong: {wrong}")
            if any(not fails(reading, [example]) for reading in (claim.members, *readings.values())):
                faults.append("the printed formula is right on the example, which therefore refutes nothing")
    proved = False
    if claim.prove and prove and in_force:
        proved, more = _prove(claim, evidence, verdict, in_force)
        faults += more
    shown = _counterexample(claim, evidence, in_force, [example, *samples]) if printed else None
    on_example = _on(claim, evidence, in_force, example)
    return Finding(
        claim, verdict, convention, shown, proved, tuple(dict.fromkeys(faults)), len(samples), on_example
    )


def _illegible(claim: Claim) -> bool:
    return claim.literal is None or (bool(claim.damage) and not claim.twin and not claim.open)


def _prove(
    claim: Claim, evidence: Evidence, verdict: str, in_force: tuple[Reading, ...]
) -> tuple[bool, list[str]]:
    """Whether the form in force is proved, and what contradicts the verdict."""
    setting = evidence.setting(claim)
    proved = proofs.proved(claim, setting, claim.given if verdict == "convention" else "", in_force)
    faults = [] if proved else ["the form that holds could not be proved"]
    if verdict == "refuted" and proofs.proved(claim, setting, "", claim.members):
        faults.append("computer algebra proves the printed formula, which the example refutes")
    return proved, faults


def problem_of(claim: Claim, evidence: Evidence, readings: Iterable[Reading], sample: Sample) -> str:
    """Why these members are not the truth on this sample, in a line; empty where they are."""
    truth = evidence.truth(claim, sample)["torch"]
    for reading in readings:
        value, problem = evaluate(reading, sample)
        problem = problem or difference(value, truth)
        if problem:
            return problem
    return ""


def evaluate(reading: Reading, sample: Sample | Traced) -> tuple[Any, str]:
    """The value of a printed formula, or why it has none: shapes that do not conform, an index or a name
    that does not exist.
    """
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


def _conventions(claim: Claim) -> dict[str, tuple[Reading, ...]]:
    """Each convention's name, the restriction of the samples included, and its reading."""
    if claim.given and not claim.under:
        return {claim.given: claim.members}
    return {
        "; ".join(filter(None, (words, claim.given))): as_members(reading)
        for words, reading in claim.under.items()
    }


def _counterexample(
    claim: Claim, evidence: Evidence, in_force: tuple[Reading, ...], samples: Sequence[Sample]
) -> Counterexample | None:
    """The first sample on which the printed formula fails, and its first member that does."""
    for sample in samples:
        problem = problem_of(claim, evidence, claim.members, sample)
        if problem:
            shown = _on(claim, evidence, in_force, sample)
            wrong = next(
                value for value in shown.printed if isinstance(value, str) or difference(value, shown.true)
            )
            return Counterexample(sample.inputs, wrong, shown.true, problem, shown.read)
    return None


def _on(claim: Claim, evidence: Evidence, in_force: tuple[Reading, ...], sample: Sample) -> Shown:
    """The printed members, the form in force and the truth on one sample, and what they read from it."""
    traced = Traced(sample)
    printed = tuple(text if text else value for value, text in (evaluate(r, traced) for r in claim.members))
    right = evaluate(in_force[-1], traced)[0] if in_force else None
    return Shown(sample.inputs, printed, right, evidence.truth(claim, sample)["torch"], traced.read)


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
