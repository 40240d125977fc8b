"""What is truly wrong with a rule, found by brute force: the corpus answers for itself with this, and no judge is asked.

Truth is the first right rule, which `tests/test_corpus.py` holds against PyTorch. At a point named hard, where a map may
have a kink, a gradient is wrong when it lies outside the convex hull of the gradients around that point: some direction
along which it is larger than each of them (Clarke 1983, theorem 2.5.1).
"""

# ruff: noqa: E501 - a wrong rule takes one line, so that the list of them reads as a table

from collections.abc import Iterator

import numpy as np

from benchmarks.corpus.calling import Fault, Point, copied, differentiated, draw_cotangent, gradients, outputs
from benchmarks.corpus.record import Operation, Rule, Wrong, in_dtype, is_float

DRAWS = 30
SMALLEST = (
    1e-9  # of the largest entry: an error this small in float64 is wrong, and rounding is 1,000 times smaller
)


def points(operation: Operation, dtype: str = "float64", draws: int = DRAWS) -> Iterator[tuple[bool, Point]]:
    """(hard, point) for the sampler's draws and the hard points, where the forward is finite in `dtype`."""
    drawn = [(False, operation.sampler(np.random.default_rng((7, k)))) for k in range(draws)]
    for hard, point in [*drawn, *((True, p) for p in operation.hard)]:
        point = in_dtype(copied(point), dtype)
        if _defined(operation, point):
            yield hard, point


def _defined(operation: Operation, point: Point) -> bool:
    """The forward is finite there; a singular matrix raises."""
    with np.errstate(all="ignore"):
        try:
            values = outputs(operation.forward, copied(point))
        except np.linalg.LinAlgError:
            return False
        return all(np.isfinite(np.asarray(z, float)).all() for z in values)


def layouts(point: Point) -> Iterator[Point]:
    """The same values in Fortran order, and as every second entry of a larger array."""
    yield tuple(np.array(v, order="F") if is_float(v) else v for v in point)
    yield tuple(_strided(v) if is_float(v) and np.ndim(v) else v for v in point)


def _strided(value: np.ndarray) -> np.ndarray:
    wide = np.zeros((*value.shape[:-1], 2 * value.shape[-1]), value.dtype)
    wide[..., ::2] = value
    return wide[..., ::2]


def fault(
    operation: Operation,
    rule: Rule,
    dtype: str = "float64",
    sharing: bool = True,
    draws: int = DRAWS,
    found: list[tuple[bool, Point]] | None = None,
) -> str | None:
    """The first fault at `found` (default: `points`), in words, or None. `sharing=False`: shared memory is none."""
    rng = np.random.default_rng(11)
    found = list(points(operation, dtype, draws)) if found is None else found
    with np.errstate(all="ignore"):
        for hard, point in found:
            u = draw_cotangent(rng, operation, point)
            reason = _contract(operation, rule, point, u, sharing)
            reason = reason or _value(operation, rule, point, u, hard, dtype)
            if reason:
                return reason
        return _state(operation, rule, [p for hard, p in found if not hard], rng)


def at_one_shape(operation: Operation, point: Point) -> list[tuple[bool, Point]]:
    """(hard, point) of the same shapes: the point, its entries in other orders, rounded, zero, large, all equal."""
    rng = np.random.default_rng(13)
    changes = [lambda v: v, *[lambda v: rng.permutation(np.ravel(v)).reshape(np.shape(v))] * 4]
    if operation.domain is None:
        changes += [
            np.round,
            lambda v: 0 * v,
            lambda v: 50 * v,
            lambda v: 900 * v,
            np.abs,
            lambda v: -np.abs(v),
        ]
    found = []
    for k, change in enumerate(changes):
        moved = tuple(np.asarray(change(v), v.dtype) if is_float(v) else v for v in point)
        if _defined(operation, moved):
            found.append((k > 4, moved))
    return found


def wrong_is_wrong(operation: Operation, wrong: Wrong) -> str | None:
    """The fault of a wrong rule as it is declared: shared memory counts where `strict` is said, and only there."""
    return fault(operation, wrong.fresh(), wrong.dtype, sharing=wrong.strict)


def _contract(operation: Operation, rule: Rule, point: Point, u: object, sharing: bool) -> str | None:
    given, cotangent = copied(point), copied(u)
    try:
        found = gradients(operation, given, rule(cotangent, *given))
    except Fault as error:
        return str(error)
    except Exception as error:  # a wrong rule may raise anything; whatever it is, it is its fault
        return f"raises {type(error).__name__}"
    before = [*_arrays(point), *_arrays(u)]
    after = [*_arrays(given), *_arrays(cotangent)]
    if any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)):
        return "changes an argument"
    for k, g in found.items():
        if g.shape != np.shape(given[k]):
            return f"shape {g.shape} for {np.shape(given[k])}"
        if g.dtype != given[k].dtype:
            return f"dtype {g.dtype} for {given[k].dtype}"
    results = list(found.values())
    if sharing:
        pairs = [(g, a) for g in results for a in after] + [
            (g, h) for k, g in enumerate(results) for h in results[:k]
        ]
        if any(np.shares_memory(a, b) for a, b in pairs):
            return "shares memory"
    return None


def _arrays(values: object) -> list[np.ndarray]:
    return [v for v in (values if isinstance(values, tuple) else (values,)) if isinstance(v, np.ndarray)]


def _value(operation: Operation, rule: Rule, point: Point, u: object, hard: bool, dtype: str) -> str | None:
    if dtype != "float64":
        return None
    right = next(iter(operation.right.values()))
    truth = gradients(operation, point, right(copied(u), *copied(point)))
    variants = [(copied(u), copied(point))] if hard else [(copied(u), copied(point)), *_laid_out(u, point)]
    for cotangent, given in variants:
        try:
            found = gradients(operation, given, rule(cotangent, *given))
        except Exception as error:  # as above: only for strided or Fortran-ordered arguments
            return f"raises {type(error).__name__} for a layout"
        if _far(found, truth):
            return "value" if not hard or outside(operation, point, u, found) else None
    return None


def _laid_out(u: object, point: Point) -> Iterator[tuple[object, Point]]:
    for given, cotangent in zip(layouts(point), layouts(u if isinstance(u, tuple) else (u,)), strict=True):
        yield (cotangent if isinstance(u, tuple) else cotangent[0]), given


def _far(found: dict[int, np.ndarray], truth: dict[int, np.ndarray]) -> bool:
    for k, g in truth.items():
        allowed = SMALLEST * max(np.abs(g).max(initial=0), 1e-12)
        if g.size and not (np.abs(found[k] - g).max() <= allowed):
            return True
    return False


def outside(operation: Operation, point: Point, u: object, found: dict[int, np.ndarray]) -> bool:
    """True when some direction separates `found` from the gradients around the point."""
    rng = np.random.default_rng(5)
    right = next(iter(operation.right.values()))
    keys = differentiated(operation, point)
    flat = np.concatenate([np.ravel(found[k]) for k in keys])
    if not np.isfinite(flat).all():
        return True
    around = []
    for _ in range(60):
        moved = list(copied(point))
        for k in keys:
            moved[k] = moved[k] + 1e-8 * (1 + np.abs(moved[k])) * rng.standard_normal(np.shape(moved[k]))
        near = gradients(operation, tuple(moved), right(copied(u), *moved))
        around.append(np.concatenate([np.ravel(near[k]) for k in keys]))
    near = np.array(around)
    size = max(np.abs(near).max(initial=0), 1e-9)
    count = flat.size
    directions = np.concatenate((np.eye(count), -np.eye(count), rng.choice([-1.0, 1.0], (200, count))))
    return bool((directions @ flat > (directions @ near.T).max(1) + 1e-5 * size).any())


def _state(operation: Operation, rule: Rule, found: list[Point], rng: np.random.Generator) -> str | None:
    """Another point of the same shapes in between must change nothing, neither the answer nor the array held."""
    for point in found[:6]:
        u = draw_cotangent(rng, operation, point)
        other = tuple(v + 0.25 * rng.random(np.shape(v)).astype(v.dtype) if is_float(v) else v for v in point)
        w = draw_cotangent(rng, operation, other)
        try:
            held = gradients(operation, point, rule(copied(u), *copied(point)))
            kept = {k: np.array(g) for k, g in held.items()}
            fresh = next(iter(operation.right.values()))
            second = gradients(operation, other, rule(copied(w), *copied(other)))
            truth = gradients(operation, other, fresh(copied(w), *copied(other)))
        except Exception as error:  # as in _contract
            return f"raises {type(error).__name__} at the second call"
        if any(not np.array_equal(kept[k], held[k], equal_nan=True) for k in kept):
            return "changes what it returned before"
        if kept[next(iter(kept))].dtype == np.float64 and _far(second, truth):
            return "second call"
    return None
