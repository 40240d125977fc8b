"""The derivative of <u, f> along a direction, from the finest oracle that the forward allows, with its bound."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from gradproof.calling.subject import Array
from gradproof.judging.rays import LARGEST, Rays
from gradproof.judging.tolerance import KINK
from gradproof.judging.trial import Trial, signs
from gradproof.oracles.differences import IMAGINARY, Estimate, complex_step, derivative, derivatives, joined
from gradproof.sampling.sample import is_float, unit

SPAN = 0.25  # the largest step, in units of a direction whose entries are as large as the input's
# a jump: so much of the way of the longest step, at so small a step, and so far above rounding
NEAR, JUMP_SHARE, JUMP_ROUNDINGS = 2.0**-34, 1e-3, 1e4
# a forward stands still where so many roundings of the outputs should move it, by a step no longer than that
STILL_ROUNDINGS, STILL_MOST = 16.0, 2.0**-20
MOST, ROWS = 64, 18  # directions at once; how often the first steps of each ask the forward
WAYS = 6  # directions whose slopes have to add up where there is a derivative
FEW = 32  # entries whose slopes are asked for by differences at once
SHARP = 2.0**-42  # a slope known to this relative bound needs no refinement


@dataclass(frozen=True)
class Slope:
    """value +- bound along one direction; the slopes on either side; the oracle that spoke."""

    value: float
    bound: float
    right: float
    right_bound: float
    left: float
    left_bound: float
    oracle: str = "differences"

    @property
    def kinked(self) -> bool:
        """Whether the slopes on the two sides plainly differ."""
        gap = abs(self.right - self.left)
        reach = self.right_bound + self.left_bound
        return bool(
            np.isfinite(gap) and np.isfinite(reach) and gap > reach + KINK * max(abs(self.right), abs(self.left))
        )


def directions(trial: Trial, i: int, rng: np.random.Generator, count: int) -> list[Array]:
    """Fresh random signs: of one size in the first direction, of each entry's own size in the second, and so on."""
    x = np.asarray(trial.sample.inputs[i], np.float64)
    size = unit(x)
    found = []
    for k in range(count):
        v = signs(rng, x.shape) * (size if k % 2 == 0 else np.where(x == 0, size, np.abs(x)))
        found.append((v + np.swapaxes(v, -1, -2)) / 2 if one_triangle(trial, i) else v)
    return found


def one_triangle(trial: Trial, i: int) -> bool:
    """Whether the forward reads one triangle of a symmetric matrix: only symmetric directions mean something."""
    known = trial.__dict__.setdefault("one triangle", {})
    if i not in known:
        known[i] = _reads_one_triangle(trial, i)
    return bool(known[i])


def _reads_one_triangle(trial: Trial, i: int) -> bool:
    x = np.asarray(trial.sample.inputs[i])
    if x.ndim < 2 or x.shape[-1] != x.shape[-2] or x.shape[-1] < 2 or not np.array_equal(x, np.swapaxes(x, -1, -2)):
        return False
    for keep in (np.tril, np.triu):
        inputs = trial.inputs()
        inputs = (
            *inputs[:i],
            np.asarray(keep(x) + 1.25 * (x - keep(x)) + 0.5 * (1 - keep(np.ones(x.shape))), x.dtype),
            *inputs[i + 1 :],
        )
        try:
            moved = trial.subject.value(inputs, trial.sample.static)
        except Exception:  # it looks at the whole matrix
            continue
        if all(np.array_equal(a, b) for a, b in zip(moved, trial.values, strict=True)):
            return True
    return False


def level_directions(trial: Trial, rng: np.random.Generator) -> dict[int, Array] | None:
    """One direction for all inputs in which equal values move together and zeros stay: no tie breaks, no zero is left.

    Along it a maximum and a relu are smooth also at ties and zeros, and every valid choice gives the same slope. None
    where no value is repeated.
    """
    points = {i: np.asarray(trial.sample.inputs[i], np.float64) for i in trial.sample.wrt}
    joined = np.concatenate([x.reshape(-1) for x in points.values()])
    values, inverse = np.unique(joined, return_inverse=True)
    if values.size == joined.size:
        return None
    sizes = np.where(
        values == 0,
        0.0,
        signs(rng, values.shape) * np.abs(values) * rng.integers(4, 9, values.shape) / 8,
    )
    moved = sizes[inverse.reshape(-1)]
    found, start = {}, 0
    for i, x in points.items():
        found[i] = moved[start : start + x.size].reshape(x.shape)
        start += x.size
    return found if moved.any() else None


def slope(trial: Trial, v: Mapping[int, Array], refine: bool = True) -> Slope:
    """Differences along v (input position -> direction); refined by the complex step where the forward allows it."""
    return slopes(trial, [v], refine)[0]


def slopes(trial: Trial, vs: Sequence[Mapping[int, Array]], refine: bool = True) -> list[Slope]:
    """`slope` along each direction, all of the same inputs; together they cost less than one after the other."""
    if not vs:
        return []
    entries = sum(np.size(trial.sample.inputs[i]) for i in vs[0]) + sum(y.size for y in trial.values)
    most = max(1, min(MOST, LARGEST // (ROWS * max(entries, 1))))
    return [ray for k in range(0, len(vs), most) for ray in _together(trial, vs[k : k + most], refine)]


def entries(trial: Trial, i: int) -> Array:
    """The gradient by input i, entry by entry; 0 where an entry's slope is not to be had."""
    found = _by_complex_steps(trial, i)
    if found is None:
        found = np.array([ray.value for ray in slopes(trial, [{i: v} for v in _axes(trial, i)])])
    size = unit(np.asarray(trial.sample.inputs[i]))
    return np.where(np.isfinite(found), found / size, 0.0).reshape(np.shape(trial.sample.inputs[i]))


def _axes(trial: Trial, i: int) -> Iterator[Array]:
    """A direction an entry."""
    x = np.asarray(trial.sample.inputs[i])
    size = unit(x)
    return (size * np.eye(1, x.size, k).reshape(x.shape) for k in range(x.size))


def _by_complex_steps(trial: Trial, i: int) -> Array | None:
    """The slope along each axis from one complex step each; None where random directions do not say the same."""
    work, x = trial.work, np.asarray(trial.sample.inputs[i])
    if x.size < FEW or x.dtype.itemsize > 8 or np.asarray(work.sample.inputs[i]).dtype.itemsize > 8:
        return None
    step = complex(0.0, IMAGINARY * SPAN)
    most = max(1, LARGEST // (x.size + sum(y.size for y in trial.values)))
    axes, found = _axes(trial, i), list[Array]()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            while some := list(islice(axes, most)):
                phi = Rays(work, [{i: v} for v in some])
                values = phi.many([step])
                found.append(np.asarray(phi(step) if values is None else values[0]))
        except Exception:  # a forward that takes no complex numbers may raise anything
            return None
    joint = np.concatenate(found)
    if not np.iscomplexobj(joint):
        return None
    along = joint.imag / step.imag
    drawn = directions(trial, i, trial.sample.rng(34), 2)
    for v, ray in zip(drawn, slopes(trial, [{i: v} for v in drawn]), strict=True):
        terms = along * v.reshape(-1) / unit(x)
        if not abs(float(terms.sum()) - ray.value) <= ray.bound + 2.0**-44 * float(np.abs(terms).sum()):
            return None
    return np.asarray(along)


def _together(trial: Trial, vs: Sequence[Mapping[int, Array]], refine: bool) -> list[Slope]:
    work = trial.work
    extended = any(np.asarray(work.sample.inputs[i]).dtype.itemsize > 8 for i in vs[0])
    phi = Rays(work, vs, np.longdouble if extended else np.float64)
    estimates = derivatives(phi, SPAN, precision="longdouble" if extended else "float64")
    for k, estimate in enumerate(estimates):
        if not np.isfinite(estimate.bound[0]) and _inwards(work, vs[k]):
            estimates[k] = derivative(phi.only(k), SPAN, side=1)  # perhaps the end of a domain: step inwards only
    found = [_slope(work, estimate, extended) for estimate in estimates]
    coarse = [k for k, s in enumerate(found) if not s.kinked and s.bound > SHARP * abs(s.value)]
    if not refine or extended or not coarse:
        return found
    exact = complex_step(phi.only(*coarse), SPAN, joined([estimates[k] for k in coarse]))
    for k, value, bound in zip(coarse, *exact, strict=True) if exact else ():
        if bound < found[k].bound:
            found[k] = replace(found[k], value=float(value), bound=float(bound))
    return found


def _slope(work: Trial, estimate: Estimate, extended: bool) -> Slope:
    """An estimate, with what the rounding of the outputs hides."""
    # outputs are rounded to half an ulp each, also where the rounded values happen to stand still
    step = float(estimate.step[0])
    room = 2 * rounding(work, extended) / step if np.isfinite(step) and step > 0 else 0.0
    return Slope(
        float(estimate.value[0]),
        float(estimate.bound[0]) + room,
        float(estimate.right[0]),
        float(estimate.right_bound[0]) + room,
        float(estimate.left[0]),
        float(estimate.left_bound[0]) + room,
    )


def smooth(trial: Trial) -> bool:
    """Whether the forward has a derivative at the point: its slopes along random directions add up, on both sides."""
    if "smooth" not in trial.__dict__:
        rng, work = trial.sample.rng(35), trial.work
        # of unlike sizes: along a line on which values tie a median has no kink
        ways = [
            {i: v * rng.uniform(0.5, 1.0, v.shape) for i in work.sample.wrt for v in directions(work, i, rng, 1)}
            for _ in range(WAYS)
        ]
        *each, both = slopes(trial, [*ways, {i: np.asarray(sum(way[i] for way in ways)) for i in ways[0]}])
        room = both.bound + sum(ray.bound + KINK * abs(ray.value) for ray in each)
        kinked = both.kinked or any(ray.kinked for ray in each)
        trial.__dict__["smooth"] = not kinked and abs(sum(ray.value for ray in each) - both.value) <= room < np.inf
    return bool(trial.__dict__["smooth"])


def _inwards(work: Trial, v: Mapping[int, Array]) -> bool:
    """Whether there are zeros, and every one of them grows along v."""
    zeros = {i: np.asarray(work.sample.inputs[i]) == 0 for i in v}
    return any(z.any() for z in zeros.values()) and all(bool((v[i][z] > 0).all()) for i, z in zeros.items())


def jumps(trial: Trial, v: Mapping[int, Array], share: float = JUMP_SHARE) -> bool:
    """Whether the forward jumps at the very point along v: it has moved by that share of its way before any step."""
    phi = trial.work.ray(v)

    def moved(t: float) -> float:
        try:
            return abs(float(phi(t)[0]))
        except Exception:  # outside what the forward takes
            return float("nan")

    near = [moved(sign * SPAN * NEAR) for sign in (1, -1)]
    far = [moved(sign * SPAN) for sign in (1, -1)]
    least = JUMP_ROUNDINGS * rounding(trial.work, extended=False)
    return bool(np.nanmax([*near, 0.0]) > max(share * np.nanmax([*far, 0.0]), least))


def stands(trial: Trial, v: Mapping[int, Array], value: float) -> bool:
    """Whether the forward stands exactly still beside the point, at steps along v over which a slope of `value` shows.

    floor(1e10 + x) does, before a tread and after: coarse steps see a straight line of many treads.
    """
    least = STILL_ROUNDINGS * rounding(trial.work, extended=False)
    step = max(2.0**-44, least / max(abs(value), 1e-300))
    if step > STILL_MOST:
        return False
    phi = trial.work.ray(v)
    try:
        return all(len({float(phi(sign * share * step)[0]) for share in (1.0, 0.62, 0.31)}) == 1 for sign in (1, -1))
    except Exception:  # outside what the forward takes
        return False


def rounding(work: Trial, extended: bool) -> float:
    """The rounding of <u, f> when every output is off by half an ulp."""
    total = sum(
        float(((np.asarray(u, np.float64) * np.asarray(y, np.float64)) ** 2).sum())
        for u, y in zip(work.cotangents, work.values, strict=True)
        if is_float(y)
    )
    return (2.0**-64 if extended else 2.0**-53) * float(np.sqrt(total))
