"""A ladder of steps h_0 > h_1 > ..., what each window of it says of the slope at 0, and which is believed.

With  D(h) = (f(h) - f(-h)) / 2h = f' + c h^2 + c' h^4 + ...        the odd part, as a slope
      E(h) = (f(h) + f(-h) - 2 f(0)) / 2h = d h + d' h^3 + ...      the even part, as a slope
a window of m neighbouring steps gives, all linear in D or E and so one matrix product for every window:
      value       sum_j c_j D_j       the polynomial in h^2 through the m slopes, at 0       (Richardson 1911)
      truncation  value - value of the same window without its finest step                   (Ridders 1982)
      jump        what E shows at the finest step and the coarser ones do not foretell, scaled so that a kink
                  of slopes s-, s+ at 0 (E constant) gives (s+ - s-) / 2 exactly; 0 for a smooth f
Truncation and jump both measure the noise of f, once what is smooth has gone from them
(after Moré & Wild 2011).
One-sided windows extrapolate S(h) = (f(h) - f(0)) / h in h; they have no even part.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Long mantissas: no period divides two of these, and a float32 inside rounds x + h anew at each, so that its
# noise is heard; at short steps all would be rounded alike, and f would look exact.
_DENSE = (
    *(0.9539392014, 0.4924098715, 0.2236067977, 0.1190238071),
    *(0.0574456265, 0.0308220700, 0.0143874945, 0.0074535599),
)
_DEEP = (0.3046358979, 0.0959166305, 0.0297489496)  # ratio 3.2, repeated every factor 32
FIRST = len(_DENSE)
CHUNK = 4
LEVELS = FIRST + 6 * CHUNK
STEPS = np.array([*_DENSE, *(_DEEP[i % 3] / 2.0 ** (7 + 5 * (i // 3)) for i in range(LEVELS - FIRST))])
STEPS.flags.writeable = False
PROBE = 1e-3  # one more pair is taken at this part of the finest step

WIDEST = 7  # steps in a window
SAFETY = 4.0  # benchmarks/honesty.py: of 10^5 errors the worst then is about its bound
GRAIN = 1e-3  # scatter above this part of f's own variation is structure, not noise
LOUD = 16.0  # noise above this many half ulps must be seen at the finest steps too, or it is structure


@dataclass(frozen=True)
class Windows:
    """All W windows of 2 to 7 neighbouring steps among the first n; (W, 1) where no shape is said."""

    first: Array  # (W,): coarsest and finest step of each window, as indices
    last: Array
    rows: Array  # (2 W, n): values, then truncations, from the slopes D or S
    jumps: Array  # (W, n): from E; zeros one-sided
    gain: Array  # worst error of a value for errors of 1 in every f, at scale 1
    truncation_noise: Array  # truncation times this: the standard deviation of an f whose noise explains it
    jump_noise: Array
    groups: Array  # (n - 1,): windows are sorted by `last`; where those that end at step 1, 2, ... begin
    inside: Array  # (W, n): 1.0 where the step belongs to the window


def _at_zero(nodes: Array) -> Array:
    """Lagrange weights at 0: sum_j c_j p(nodes_j) = p(0) for every polynomial of degree < len(nodes)."""
    weights = np.ones_like(nodes)
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        weights[j] = np.prod(others / (others - node))
    return weights


def _jump(h: Array) -> Array:
    """E at the finest step less its forecast by h, h^3, ... through the others; 1 where E is 1 throughout."""
    coarse, fine = h[:-1] ** 2, h[-1] ** 2
    forecast = _at_zero(coarse - fine) * h[-1] / h[:-1]
    jump: Array = np.append(-forecast, 1) / (1 - forecast.sum())
    return jump


def _noise(weights: Array, h: Array, centre: float, pairs: float) -> Any:
    """1 over the standard deviation of sum_j w_j slope_j when every f has an independent error of 1."""
    per_value = weights / h
    return 1 / np.sqrt((per_value**2).sum() * pairs + centre * per_value.sum() ** 2)


def grain_of(values: Array) -> Array:
    """The scatter of f on one side of 0, (n, K) -> (K,), without f(0): blind to a kink at 0.

    A kink among the steps spoils some of the windows, luck may quieten one: take the second quietest of five.
    """
    scatter = []
    for end in range(FIRST, FIRST + CHUNK + 1):
        h = STEPS[end - WIDEST : end]
        null = np.array([1 / np.prod(node - np.delete(h, j)) for j, node in enumerate(h)])
        scatter.append(np.abs(null @ values[end - WIDEST : end]) / np.sqrt((null**2).sum()))
    noise: Array = np.sort(scatter, axis=0)[1]
    return noise


@lru_cache(maxsize=64)
def windows(count: int, one_sided: bool, dtype: np.dtype[Any]) -> Windows:
    """The windows of the first `count` steps; computed in extended precision, rounded once to `dtype`."""
    steps = STEPS[:count].astype(np.longdouble)
    where = [(k - m + 1, m) for k in range(1, count) for m in range(2, min(k + 1, WIDEST) + 1)]
    values, truncations, jumps, inside = (np.zeros((len(where), count), np.longdouble) for _ in range(4))
    gain, truncation_noise, jump_noise = (np.zeros((len(where), 1)) for _ in range(3))
    for w, (i, m) in enumerate(where):
        at, h = slice(i, i + m), steps[i : i + m]
        nodes = h if one_sided else h**2
        values[w, at] = _at_zero(nodes)
        truncations[w, at] = values[w, at]
        truncations[w, i : i + m - 1] -= _at_zero(nodes[:-1])
        inside[w, at] = 1
        per_value = values[w, at] / h
        gain[w] = np.abs(per_value).sum() + (abs(per_value.sum()) if one_sided else 0)
        pairs, centre = (1.0, 1.0) if one_sided else (0.5, 0.0)
        truncation_noise[w] = _noise(truncations[w, at], h, centre, pairs)
        if not one_sided:
            jumps[w, at] = _jump(h)
            jump_noise[w] = _noise(jumps[w, at], h, 1.0, 0.5)
    ends = np.array([i + m - 1 for i, m in where])
    return Windows(
        first=np.array([i for i, _ in where]),
        last=ends,
        rows=np.concatenate([values, truncations]).astype(dtype),
        jumps=jumps.astype(dtype),
        gain=gain,
        truncation_noise=truncation_noise,
        jump_noise=jump_noise,
        groups=np.searchsorted(ends, np.arange(1, count)),
        inside=inside.astype(np.float64),
    )


@dataclass(frozen=True)
class Slopes:
    """Slopes of K components at n steps, (n, K), and at the probe, (K,); NaN where f has no value."""

    slopes: Array  # D two-sided, S one-sided
    evens: Array | None  # E; None one-sided
    probe: Array
    probe_even: Array | None
    size: Array  # the largest |f| at this step and finer ones
    spread: Array  # the largest |f - f(0)|, likewise
    scale: float  # steps are STEPS * scale
    roundoff: float  # half an ulp of 1 in the precision of f, and the smallest number of that precision
    tiny: float


@dataclass(frozen=True)
class Reading:
    """The window that is believed, a component an entry of the arrays (K,)."""

    value: Array
    bound: Array
    step: Array  # its finest step
    noise: Array  # of f, measured
    sound: Array  # the probe, far finer, does not contradict it
    settled: Array  # and the rest is noise at every finer step too: nothing is to be gained from them
    disputed: Array  # how far windows reach that contradict `value`, of those with a claim; 0 where none does


def read(seen: Slopes) -> Reading:
    """Believe the window with the least error; say whether it is settled."""
    count = len(seen.slopes)
    slopes, evens, scale = seen.slopes, seen.evens, seen.scale
    win = windows(count, evens is None, slopes.dtype)
    lost = ~np.isfinite(slopes)
    dropped = None
    if lost.any():
        dropped = win.inside @ lost > 0
        slopes = np.where(lost, 0, slopes)
        evens = None if evens is None else np.where(lost, 0, evens)

    both = win.rows @ slopes
    values, error = both[: len(win.first)], np.abs(both[len(win.first) :])
    scatter = error * (win.truncation_noise * scale)
    if evens is not None:
        jump = np.abs(win.jumps @ evens)
        scatter = np.maximum(scatter, jump * (win.jump_noise * scale))
        error = np.maximum(error, jump)
    if dropped is not None:
        scatter[dropped] = np.inf
    # Of the windows that end at a step, the one that shows least has least truncation: the step's noise.
    heard = np.minimum.reduceat(scatter, win.groups, axis=0)
    if dropped is not None:
        heard[~np.isfinite(heard)] = 0
    heard = np.maximum.accumulate(heard[::-1])[::-1]  # at this step or finer
    floor = seen.roundoff * seen.size[win.first] + seen.tiny
    noise = np.maximum(heard[np.maximum(win.last - 2, 0)], floor)  # also as heard one step coarser
    grown = noise * (win.gain / scale)
    bounds = SAFETY * np.maximum(error, grown)
    if dropped is not None:
        bounds[dropped] = np.inf

    pick = bounds.argmin(axis=0)
    cell = (pick, np.arange(pick.size))
    value, bound = values[cell], bounds[cell] + 2 * seen.roundoff * np.abs(values[cell])
    settled = np.isfinite(bound) & ((win.last[pick] < count - 1) | (grown[cell] >= error[cell]))
    chosen = _Chosen(value, bound, noise[cell], floor[cell], win.first[pick], STEPS[win.last[pick]])
    sound, mere_noise = _probed(seen, chosen, heard[-2])
    gap = np.abs(values - value)
    claim = (win.first[:, None] > win.first[pick]) | (noise <= 10 * GRAIN * seen.spread[win.first])
    disputed = np.where(claim & (gap > bounds + bound), gap + bounds, 0).max(axis=0)
    settled &= sound & mere_noise & (disputed == 0)
    return Reading(value, bound, chosen.finest * scale, chosen.noise, sound, settled, disputed)


@dataclass(frozen=True)
class _Chosen:
    """What the believed windows say; arrays (K,)."""

    value: Array
    bound: Array
    noise: Array
    floor: Array  # half an ulp of f
    first: Array
    finest: Array


def _probed(seen: Slopes, chosen: _Chosen, heard: Array) -> tuple[Array, Array]:
    """Whether a probe far finer agrees, and whether what is left over is noise, as loud there, or structure.

    A kink, or a wave shorter than the steps, also leaves something over; but that dies away with the step.
    `heard` is the noise of the two finest steps.
    """
    last = len(seen.slopes) - 1
    step = PROBE * STEPS[last] * seen.scale
    odd = np.abs(seen.probe - chosen.value)
    bend = np.abs(seen.slopes[last] - chosen.value)
    if seen.evens is None or seen.probe_even is None:
        excess = odd - 4 * PROBE * bend
        least = excess
    else:
        smooth = PROBE * seen.evens[last]
        even = np.abs(seen.probe_even - smooth)
        odd = odd - 4 * PROBE**2 * bend
        excess = np.maximum(odd, even - np.abs(smooth) / 4)
        least = np.maximum(odd, even - 4 * np.abs(smooth))
    persists = excess * step >= chosen.noise / 64
    persists |= (chosen.finest > 100 * STEPS[last - 1]) & (heard >= chosen.noise / 8)
    fine_grained = chosen.noise <= GRAIN * seen.spread[chosen.first, np.arange(chosen.noise.size)]
    mere_noise = (chosen.noise <= LOUD * chosen.floor) | (persists & fine_grained)
    known = np.where(mere_noise, chosen.noise, chosen.floor)  # else it explains nothing
    return least <= 4 * known / step + chosen.bound, mere_noise
