"""The pictures of each card with the sentence that reads them: taken and drawn only for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib import rc_context

from gradproof.equation import Equation
from gradproof.page import figures
from gradproof.page.losses import losses
from gradproof.page.measures import EPS, Ladder, heat, ladder, worst_sample
from gradproof.reporting.outcome import Outcome, Picture
from gradproof.verdict import Result

SHOWN = ("torch", "jax", "differences", "ball")  # the oracles that measure an error
NAMES = {"differences": "finite d."}
CHECKS = ("vjp", "jvp")


def draw(outcome: Outcome, at: Callable[[str], None]) -> Iterator[tuple[str, list[Picture]]]:
    """Name and pictures of one equation after the other; `at` is told what is at work."""
    for result in outcome.results:
        at(f"pictures of {result.name}")
        equation = outcome.chosen[result.name]
        with rc_context(figures.SETTINGS):
            found = list(_of_result(outcome, equation, result))
        yield result.name, found


def _of_result(outcome: Outcome, equation: Equation, result: Result) -> Iterator[Picture]:
    for part in (_loss, _steps, _errors, _heat):
        try:
            yield from part(outcome, equation, result)
        except Exception as error:  # a stranger's functions are called anew: a picture less, and the report stays whole
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Picture("No picture", "", f"{TITLES[part.__name__]} could not be drawn: {said}")


TITLES = {
    "_loss": "The loss",
    "_steps": "Steps and remainder",
    "_errors": "Errors in ulps",
    "_heat": "|got - expected|",
}


def _loss(outcome: Outcome, equation: Equation, result: Result) -> Iterator[Picture]:
    references = outcome.project.reference(result.name)
    trained = losses(equation, references, outcome.seed) if result.name in outcome.project.networks else None
    if trained:
        apart = ", ".join(f"{name} {_figure(value)}" for name, value in trained.difference.items())
        text = (
            f"{trained.parameters} parameters, one start, the same {len(trained.losses['numpy'])} batches of made "
            "images. NumPy is the wide line, PyTorch the narrow, JAX the dashes. At the end the parameters are "
            f"apart by, relatively: {apart}."
        )
        yield Picture("Loss while training", figures.loss_figure(trained), text)


def _steps(outcome: Outcome, equation: Equation, result: Result) -> Iterator[Picture]:
    name = _input_of(result)
    found = ladder(equation, result, outcome.seed, name) if name else None
    if found:
        yield Picture("Error against step size", figures.steps_figure(found), _read_steps(found))
        yield Picture("Taylor remainder", figures.taylor_figure(found), _read_taylor(found))


def _errors(outcome: Outcome, equation: Equation, result: Result) -> Iterator[Picture]:
    by_oracle = {
        NAMES.get(oracle, oracle): ulps
        for oracle in SHOWN
        if (ulps := [v.ulps for v in result.verdicts if v.oracle == oracle and v.check in CHECKS])
    }
    if by_oracle:
        yield Picture("Errors in ulps", figures.ulps_figure(by_oracle), _read_ulps(by_oracle))


def _heat(outcome: Outcome, equation: Equation, result: Result) -> Iterator[Picture]:
    found = heat(equation, result, outcome.seed, outcome.project.reference(result.name))
    if found:
        size = " x ".join(str(n) for n in found.shape) or "one number"
        where = f", at [{', '.join(str(n) for n in found.at)}]" if found.shape else ""
        text = (
            f"d/d{found.name} ({size}) on its worst sample, {found.label}, against {found.oracle}: at most "
            f"{_figure(float(np.nanmax(found.error)))}, {_figure(float(np.nanmax(found.ulps)))} ulps of its largest "
            f"entry{where}. Darker is larger; what is equal to the last bit stays blank."
        )
        yield Picture("|got - expected|", figures.heat_figure(found), text)


def _input_of(result: Result) -> str:
    """The input that is pictured: the wrong one, else the first."""
    refused = result.refused
    worst = worst_sample(result) if refused else None
    return worst[0] if worst else next(iter(result.inputs), "")


def _read_steps(found: Ladder) -> str:
    reached = f"extrapolated, at a finest step of {_figure(found.step)}, it is off by {_figure(found.error)}"
    bound = f" and claims no more than {_figure(found.bound)} (the line)" if np.isfinite(found.bound) else ""
    if found.error > found.bound:
        return (
            f"d/d{found.name} along one direction, sample {found.label}. The difference quotient does not come near "
            f"the hand-written slope at any step: {reached}{bound}."
        )
    return (
        f"d/d{found.name} along one direction, sample {found.label}: how far the difference quotient is from the "
        f"hand-written slope, truncation on the right, rounding on the left. Ours (the dot), {reached}{bound}."
    )


def _read_taylor(found: Ladder) -> str:
    start = "The grey line is |φ(h)|, which falls as h. The coloured one takes h times the hand-written slope away"
    if not np.isfinite(found.order):
        return f"{start}: nothing but rounding is left, because the map is linear along this direction."
    verdict = "it falls as it should for a right derivative" if found.order > 1.5 else "a right derivative would give 2"
    return f"{start}: it falls as h to the power of {found.order:.2f}; {verdict}."


def _read_ulps(by_oracle: dict[str, list[float]]) -> str:
    said = "; ".join(f"{name} {len(ulps)}, worst {_figure(_worst(ulps))}" for name, ulps in by_oracle.items())
    return f"All gradients and samples. Verdicts and worst error by oracle: {said}. One ulp is {EPS:.1e} of the scale."


def _worst(ulps: Sequence[float]) -> float:
    return float(np.max(ulps))  # np.max passes a NaN on


def _figure(value: float) -> str:
    return f"{value:.2g}"
