"""The judge: holds a rule's gradients against every oracle at a sample, and says a word for each.

Order at a sample: the contract; then autodiff where there is a reference; then differences along random directions, or
balls and extended precision where they are finer. A mismatch is not yet a verdict: slopes at one entry, and the
gradients around the point, tell a wrong value from another valid choice at a kink.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradproof.calling.subject import Array, Fault, Gradients, Subject
from gradproof.judging import along, entrywise, kinks, nonfinite
from gradproof.judging.bench import REGULAR, Bench, Failure, Figures, Settings
from gradproof.judging.references import ask
from gradproof.judging.tolerance import allowed, eps, name_of
from gradproof.judging.trial import Trial
from gradproof.oracles.autodiff import Autodiff
from gradproof.oracles.contract import Breach, Contract
from gradproof.verdict import Verdict

# how many samples meet the costlier points of the contract
LINEAR, STATE, LAYOUT, TURNED = 8, 6, 4, 3
# directions a sample where differences are the only oracle; and beside a reference, on so many samples
ALONE, BESIDE, BESIDE_SAMPLES = 2, 1, 4


def bench_for(subject: Subject, settings: Settings) -> Bench:
    """A fresh bench, with an oracle for each reference that the settings want."""
    wanted = {k: f for k, f in subject.references.items() if f is not None and settings.wants(k)}
    return Bench(subject, settings, {k: Autodiff(k, f) for k, f in wanted.items()})


def prepare(bench: Bench, trials: Sequence[Trial]) -> list[Trial]:
    """Ask the frameworks about all trials and learn the gradients' scale; returns the trials that can be judged."""
    kept = ask(bench, trials)
    for trial in kept:
        bench.learn(trial)
    return kept


def examine(bench: Bench, trial: Trial) -> None:
    """All verdicts on one sample."""
    sample = trial.sample
    bench.seen += 1
    contract = Contract(trial, bench.settings.strict, {i: bench.scale(trial, i) for i in sample.wrt})
    try:
        breaches = contract.first()
    except Fault as fault:
        _faulty(bench, trial, fault)
        return
    g = contract.gradients
    if bench.settings.judge_value:
        _values(bench, trial)
    ready = _present(bench, trial, g, breaches)
    if bench.settings.wants("contract"):
        breaches += _contract(bench, contract)
    _breaches(bench, trial, breaches)
    before = len(bench.failures)
    for i in ready:
        _gradient(bench, trial, i, g)
    whole = len(bench.failures) == before and len(ready) == len(sample.wrt)
    if whole and bench.settings.wants("kink"):
        kinks.judge_level(bench, trial, g)
    if len(bench.failures) == before and bench.seen <= TURNED:
        along.beside(bench, trial, "turned")


def _faulty(bench: Bench, trial: Trial, fault: Fault) -> None:
    """The first call failed: nothing else can be asked."""
    if trial.sample.kind not in REGULAR and isinstance(fault.__cause__, np.linalg.LinAlgError):
        # a planted point may be singular for the rule's linear algebra alone: said, not blamed
        bench.subject.warn(f"at sample {trial.sample.label} {fault}: a singular matrix")
        return
    word = "error" if fault.check in ("raises", "count", "type") else "differs"
    for i in trial.sample.wrt:
        bench.say(trial, i, "contract", fault.check, word, note=str(fault))
    bench.failures.append(Failure(trial, None, "contract", fault.check, str(fault)))


def _contract(bench: Bench, contract: Contract) -> list[Breach]:
    breaches: list[Breach] = []
    shape_kind = contract.trial.sample.shape_kind
    try:
        if bench.seen <= LINEAR or shape_kind != "given":
            breaches += contract.linear()
        if bench.seen <= STATE:
            breaches += contract.state()
        if bench.seen <= LAYOUT or shape_kind in ("ones", "square"):
            breaches += contract.layout()
    except Fault as fault:
        breaches.append(Breach(fault.check, None, f"a further call: {fault}"))
    return breaches


def _present(bench: Bench, trial: Trial, g: Gradients, breaches: list[Breach]) -> list[int]:
    """The inputs whose gradient can be compared with the truth; says `missing` of those that have none."""
    shaped = {b.position for b in breaches if b.check == "shape"}
    for i in trial.sample.wrt:
        if g[i] is None:
            name = trial.sample.names[i]
            note = f"no gradient for {name!r}; return one, or pass constant={name!r} if it has none"
            bench.say(trial, i, "contract", "missing", "missing", note=note)
            bench.failures.append(Failure(trial, i, "contract", "missing", note))
    return [i for i in trial.sample.wrt if g[i] is not None and i not in shaped]


def _breaches(bench: Bench, trial: Trial, breaches: list[Breach]) -> None:
    broken: set[int | None] = set()
    for breach in breaches:
        if breach.check == "aliased" and not bench.settings.strict:
            bench.subject.warn(
                f"{breach.note}; a caller that updates one in place changes the other (wrong with strict=True)"
            )
            continue
        broken.add(breach.position)
        error = _largest_difference(breach.got, breach.expected)
        word = "error" if breach.check in ("raises", "count", "type") else "differs"
        for i in trial.sample.wrt if breach.position is None else (breach.position,):
            bench.say(trial, i, "contract", breach.check, word, Figures(error), breach.note)
        bench.failures.append(
            Failure(
                trial, breach.position, "contract", breach.check, breach.note, breach.got, breach.expected, error=error
            )
        )
    for i in trial.sample.wrt:
        if i not in broken and None not in broken and bench.settings.wants("contract"):
            bench.say(trial, i, "contract", "contract", "agrees")


def _values(bench: Bench, trial: Trial) -> None:
    """The forward value against each framework's."""
    for framework, truth in trial.truths.items():
        for k, (mine, theirs) in enumerate(zip(trial.work.values, truth.answer.values, strict=True)):
            scale = max(float(np.max(np.abs(theirs), initial=0.0)), bench.stretched(trial, f"output {k}"), 1e-300)
            bound = allowed(np.asarray(theirs, np.float64), truth.value_movement[k], scale, mine.dtype)
            error = np.abs(mine - theirs)
            worst, most = float(np.max(error, initial=0.0)), float(np.max(bound, initial=0.0))
            right = bool((error <= bound).all())
            name = f"output {k}" if len(trial.values) > 1 else "output"
            ulps = worst / (eps(mine.dtype) * scale)
            word = "agrees" if right else "differs"
            bench.verdicts.append(
                Verdict(name, framework, "value", trial.sample.label, word, worst, most, most / scale, ulps)
            )
            if not right:
                note = f"the forward value differs from {framework}'s"
                bench.failures.append(
                    Failure(trial, None, framework, "value", note, mine, np.asarray(theirs), error=worst)
                )


def _gradient(bench: Bench, trial: Trial, i: int, gradients: Gradients) -> None:
    """One input's gradient against every oracle that has an opinion."""
    g = gradients[i]
    assert g is not None
    if g.size == 0:
        bench.say(trial, i, "contract", "shape", "agrees", Figures(resolution=0.0))
        return
    got = g if name_of(g.dtype) == "longdouble" else np.asarray(g, np.float64)
    if not np.isfinite(got).all():
        nonfinite.judge(bench, trial, i, got)
        return
    truths = trial.truths
    words = [entrywise.judge(bench, trial, i, got, f, truth, gradients) for f, truth in truths.items()]
    if "differs" in words:
        return
    settled = any(word in ("agrees", "subgradient") for word in words)
    # with a reference every entry has been seen; directions then only confirm the reference, on the first samples
    count = ALONE if not truths else (BESIDE if bench.seen <= BESIDE_SAMPLES else 0)
    if bench.settings.wants("differences") and count:
        settled |= along.judge(bench, trial, i, got, gradients, count, quiet=settled)
    if bench.failed(trial, i):
        return
    if settled:
        bench.passed.append((trial, i))
    elif not truths:
        note = "no oracle resolves the gradient here; a torch= or jax= reference would"
        bench.say(trial, i, "differences", "vjp", "undecided", note=note)


def _largest_difference(a: Array | None, b: Array | None) -> float:
    if a is None or b is None or a.shape != b.shape or a.size == 0:
        return 0.0
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))))
