"""Every equation at points that Hypothesis draws, and every gradient of every equation made wrong on purpose.

A point is drawn as (shape, seed, scale, bits): few bits put exact zeros and ties on the kinks, and all
of it shrinks to a small point. PyTorch and the differences get free shapes; JAX, which compiles each
anew, gets those of the report's pool, and free ones in the profile `thorough`.
"""

import dataclasses
import inspect
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, note, strategies, target

from gradproof.checking import check
from gradproof.config import find_project
from gradproof.sampling.declared import Declared
from gradproof.verdict import REFUSED

PROJECT = find_project()
EQUATIONS = list(PROJECT.equations.values())
named = pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.name)
SCALES = (1.0, 2.0**-10, 2.0**4, 2.0**9)  # the last two saturate whatever saturates
POOL = 8  # shapes of the pool


@dataclass
class Point:
    """A drawn point of an equation, its shape string with sizes in it, and a regular point of that shape."""

    shape: str
    static: dict
    inputs: tuple
    names: tuple
    regular: tuple

    def __repr__(self):
        values = "".join(f"\n{name} = {value!r}" for name, value in zip(self.names, self.inputs, strict=True))
        return f"{self.shape} {self.static}{values}"


@strategies.composite
def free_sizes(draw, equation):
    """A variant, static parameters and sizes from 1 to 6 that fit it."""
    variant = draw(strategies.sampled_from(equation.variants))
    for _ in range(30):
        static = {
            name: draw(strategies.sampled_from(tuple(values))) for name, values in equation.static.items()
        }
        static.update(variant.pinned)
        sizes = {symbol: draw(strategies.integers(1, 6)) for symbol in variant.shapes.symbols}
        sizes.update({name: value for name, value in static.items() if isinstance(value, int)})
        if variant.shapes.fits(sizes):
            return variant, static, sizes
    assume(False)


@strategies.composite
def pool_sizes(draw, equation):
    """A variant, static parameters and sizes that the report's own pool has."""
    index = draw(strategies.integers(0, POOL - 1))
    sample = Declared(equation, 0).draw(index)
    assume(sample is not None)
    sizes = {
        **sample.sizes,
        **{name: value for name, value in sample.static.items() if isinstance(value, int)},
    }
    return equation.variants[index % len(equation.variants)], sample.static, sizes


@strategies.composite
def points(draw, equation, sizes_of=free_sizes):
    """A point of the equation's domain where its forward is finite, and a regular one of the same shapes."""
    variant, static, sizes = draw(sizes_of(equation))
    rng = np.random.default_rng(draw(strategies.integers(0, 2**16)))
    scale, bits = draw(strategies.sampled_from(SCALES)), draw(strategies.integers(1, 12))
    kind = draw(strategies.sampled_from(("random", "zeros", "ties", "edge")))
    regular, inputs = [], []
    for name, shape in zip(variant.names, variant.shapes.input_shapes(sizes), strict=True):
        domain = equation.domain_of(name)
        regular.append(domain.draw(rng, shape, "random", sizes))
        if domain.word == "real":
            inputs.append(np.asarray(rng.integers(-(2**bits), 2**bits + 1, shape) * (scale / 2**bits)))
        else:
            inputs.append(domain.draw(rng, shape, kind, sizes))
    with np.errstate(all="ignore"):
        values = equation.forward(*inputs, **static)
    assume(all(np.isfinite(value).all() for value in (values if isinstance(values, tuple) else (values,))))
    slots = [*variant.shapes.inputs, *variant.shapes.outputs]
    shapes = [*variant.shapes.input_shapes(sizes), *variant.shapes.output_shapes(sizes)]
    texts = [f"{slot.name}: {' '.join(map(str, shape))}" for slot, shape in zip(slots, shapes, strict=True)]
    count = len(inputs)
    shape = f"{', '.join(texts[:count])} -> {', '.join(texts[count:])}"
    return Point(shape, static, tuple(inputs), variant.names, tuple(regular))


def judged(equation, point, *oracles, **references):
    """The verdict on the point; the regular one before it says how large the gradients of this shape are."""

    def replayed(place):
        drawn = iter((point.regular[place], point.inputs[place]))
        return lambda rng, shape: next(drawn)

    domain = {name: replayed(place) for place, name in enumerate(point.names)}
    constant = tuple(name for name in equation.constant if name in point.names)
    here = dataclasses.replace(
        equation, shapes=((point.shape, point.static),), static={}, domain=domain, constant=constant
    )
    return check(here, examples=2, oracles=("contract", "kink", *oracles), references=references)


def assert_right(result, point):
    note(str(point))
    worst = max((verdict.ulps for verdict in result.verdicts if np.isfinite(verdict.ulps)), default=0.0)
    target(worst, label="error in ulps")
    assert not result.refused, str(result)


@named
def test_every_equation_has_its_line_in_pytorch_and_in_jax(equation):
    found = set(PROJECT.reference(equation.name))
    assert found == {"torch", "jax"}, f"add {equation.name} to reference/operations.py"


@named
def test_values_and_gradients_are_pytorch_s(equation):
    @given(points(equation))
    def holds(point):
        forward = PROJECT.reference(equation.name)["torch"]
        assert_right(judged(equation, point, "torch", torch=forward), point)

    holds()


@named
def test_gradients_are_the_limit_of_differences(equation):
    @given(points(equation))
    def holds(point):
        assert_right(judged(equation, point, "differences"), point)

    holds()


@named
def test_values_and_gradients_are_jax_s(equation, thorough):
    @given(points(equation, free_sizes if thorough else pool_sizes))
    def holds(point):
        assert_right(judged(equation, point, "jax", jax=PROJECT.reference(equation.name)["jax"]), point)

    holds()


def spoiled(gradient):
    """One entry off by a hundredth of the largest."""
    wrong = np.array(gradient)
    if wrong.size:
        wrong.reshape(-1)[-1] += 0.01 * (np.max(np.abs(gradient)) or 1.0)
    return wrong


FAULTS = {
    "negated": lambda gradient: -gradient,
    "doubled": lambda gradient: 2.0 * gradient,
    "bent by 1e-6": lambda gradient: gradient * (1.0 + 1e-6),
    "zeroed": np.zeros_like,
    "not a number": lambda gradient: np.full_like(gradient, np.nan),
    "one entry spoiled": spoiled,
    "transposed": lambda gradient: np.ascontiguousarray(gradient.T),
}


def gradients(equation):
    """Input -> with how many axes at most, of every input that has a gradient."""
    axes = {}
    for variant in equation.variants:
        for slot in variant.shapes.inputs:
            axes[slot.name] = max(len(slot.axes), axes.get(slot.name, 0))
    return {name: count for name, count in axes.items() if name not in equation.constant}


def plans():
    """(equation, input -> fault): every fault of every gradient once, in every second gradient at a time.

    The others are right and must not be refused: a check for all of them costs what a check for one does.
    """
    for equation in EQUATIONS:
        for turn in range(2 * len(FAULTS)):
            plan = {}
            for place, (name, axes) in enumerate(gradients(equation).items()):
                fault = list(FAULTS)[(turn + place) % len(FAULTS)]
                if (place + turn // len(FAULTS)) % 2 == 0 and (fault != "transposed" or axes >= 2):
                    plan[name] = fault  # of one axis or none, the transpose is the gradient
            if plan:
                yield equation, plan


PLANS = [
    pytest.param(equation, plan, id=f"{equation.name}-{', '.join(map(' '.join, plan.items()))}")
    for equation, plan in plans()
]


def checked(equation, examples):
    """A check as the report makes it, with fewer samples and without JAX and balls."""
    forward = PROJECT.reference(equation.name)["torch"]
    oracles = ("contract", "torch", "differences", "kink")
    return check(equation, examples=examples, oracles=oracles, references={"torch": forward}, explain=False)


@named
def test_the_judge_lets_the_right_derivative_pass(equation):
    result = checked(equation, 6)
    assert not result.refused, str(result)


def test_the_plans_hold_every_fault_of_every_gradient():
    planned = [(e.name, name, fault) for e, plan in plans() for name, fault in plan.items()]
    wanted = {
        (e.name, name, fault)
        for e in EQUATIONS
        for name, axes in gradients(e).items()
        for fault in FAULTS
        if fault != "transposed" or axes >= 2
    }
    assert set(planned) == wanted
    assert len(planned) == len(wanted)


@pytest.mark.parametrize(("equation", "plan"), PLANS)
def test_a_wrong_gradient_is_refused_and_only_it(equation, plan):
    def backward(*arguments, **static):
        found = dict(equation.backward(*arguments, **static))
        return {name: FAULTS[plan[name]](g) if name in plan else g for name, g in found.items()}

    backward.__signature__ = inspect.signature(equation.backward)
    wrong = dataclasses.replace(equation, backward=backward)
    # a sample of each form shows nearly every fault; six where the gradient itself is zero on those
    for examples in (max(2, len(equation.variants)), 6):
        refused = {verdict.input for verdict in checked(wrong, examples).verdicts if verdict.word in REFUSED}
        assert refused <= set(plan)
        if refused == set(plan):
            return
    assert refused == set(plan)
