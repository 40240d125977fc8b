"""Differences: the bound holds and is of use, a kink is known, and each guard is missed when it is gone."""

import dataclasses

import numpy as np
import pytest

import gradproof
from benchmarks import honesty
from gradproof.errors import InputError
from gradproof.oracles import differences, ladder
from gradproof.oracles.analytic import Analytic
from gradproof.oracles.differences import complex_step, derivative, extended

DRAWS = 1000


def one(f, scale=1.0, **options):
    return derivative(lambda t: np.array([f(t)]), scale, **options)


@pytest.fixture(scope="module")
def figures():
    return {name: honesty.measure(case, DRAWS, seed=1, together=20) for name, case in honesty.CASES.items()}


@pytest.mark.parametrize("name", honesty.CASES)
def test_at_most_one_error_in_a_thousand_exceeds_its_bound(figures, name):
    assert figures[name].exceeded <= DRAWS // 1000


@pytest.mark.parametrize("name", honesty.CASES)
def test_the_median_bound_is_at_most_a_thousand_times_the_median_error(figures, name):
    assert figures[name].width <= 1000
    assert figures[name].undecided == 0


@pytest.mark.parametrize("name", [name for name, case in honesty.CASES.items() if case.named])
def test_a_bound_that_is_too_small_would_be_noticed(figures, name):
    weak = dataclasses.replace(figures[name], bound=figures[name].bound / 50)
    assert weak.exceeded > DRAWS // 1000


@pytest.mark.parametrize("name", honesty.CASES)
def test_a_derivative_that_is_three_bounds_off_is_refused(name):
    case, x = honesty.CASES[name], honesty.CASES[name].draw(np.random.default_rng(5), 10)
    found = derivative(lambda t: case.f(x + t), 0.3, precision=case.precision)
    wrong = found.value + 3 * found.bound
    assert (np.abs(wrong - case.df(x.astype(honesty.Wide))) > found.bound).all()


def without(*parts):
    """The ladder's windows with some of their parts put to zero."""
    whole = ladder.windows

    def windows(*key):
        win = whole(*key)
        return dataclasses.replace(win, **{part: np.zeros_like(getattr(win, part)) for part in parts})

    return windows


def believed(seen, chosen, heard):
    """A probe that hears nothing."""
    return (np.ones(chosen.value.shape, bool),) * 2


@pytest.mark.parametrize(
    ("guard", "name", "off"),
    [
        ("probe", "_probed", believed),
        ("jump", "windows", without("jumps")),
        ("noise", "windows", without("truncation_noise", "jump_noise")),
        ("safety", "SAFETY", 0.05),
    ],
)
def test_bounds_are_false_or_useless_without_each_guard(monkeypatch, guard, name, off):
    monkeypatch.setattr(ladder, name, off)
    case = {"probe": "x exp(-(1000x)^2)", "jump": "exp |x| near 0"}.get(guard, "(1e8 + sin x) - 1e8")
    got = honesty.measure(honesty.CASES[case], 200, seed=1, together=20)
    assert got.exceeded > 1 or np.median(got.bound) > 0.1


@pytest.mark.parametrize(
    ("f", "slope"),
    [(np.exp, 1.0), (lambda t: np.sin(1 + t), np.cos(1.0)), (lambda t: 3 * t + 2, 3.0), (np.square, 0.0)],
)
def test_a_smooth_function_takes_few_evaluations_and_reaches_thirteen_digits(f, slope):
    found = one(f, 0.5)
    assert abs(found.value[0] - slope) <= found.bound[0] < 2e-13
    assert found.evaluations <= 19
    assert found.settled.all()
    assert not found.kink.any()


def test_components_answer_as_they_do_alone():
    fs = [np.sin, np.exp, lambda t: 1e8 + t, lambda t: np.sin(1000 * t), lambda t: np.sqrt(t + 1e-6)]
    together = derivative(lambda t: np.array([f(t) for f in fs]), 1.0)
    for k, f in enumerate(fs):
        alone = one(f)
        assert alone.value[0] == pytest.approx(together.value[k], rel=1e-12)
        assert alone.bound[0] == pytest.approx(together.bound[k], rel=0.01)


KINKS = {
    "|t|": (abs, -1.0, 1.0),
    "1 + relu": (lambda t: 1 + max(t, 0), 0.0, 1.0),
    "1e8 + relu": (lambda t: 1e8 + max(t, 0), 0.0, 1.0),
    "exp |t|": (lambda t: np.exp(abs(t)), -1.0, 1.0),
    "tie": (lambda t: max(np.sin(t), 2 * t), 1.0, 2.0),
    "float32 inside": (lambda t: float(np.float32(1.3) + np.float32(abs(t))), -1.0, 1.0),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_at_zero_is_known_by_its_slopes_and_its_bound_reaches_them(name):
    f, left, right = KINKS[name]
    found = one(f)
    assert found.kink.all()
    assert abs(found.left[0] - left) <= found.left_bound[0] < 1e-4
    assert abs(found.right[0] - right) <= found.right_bound[0] < 1e-4
    assert found.bound[0] >= abs(found.value[0] - right)
    assert found.bound[0] >= abs(found.value[0] - left)
    assert found.evaluations < 60


@pytest.mark.parametrize("at", [1e-3, -1e-5, 1e-8, -1e-11])
def test_a_kink_beside_zero_is_no_kink(at):
    found = one(lambda t: abs(t - at))
    assert not found.kink.any()
    assert abs(found.value[0] + np.sign(at)) <= found.bound[0] < 1e-9


@pytest.mark.parametrize(("f", "least"), [(lambda t: t * abs(t), 1e-20), (lambda t: abs(t) ** 1.5, 1e-5)])
def test_a_power_above_one_at_zero_has_slope_zero_from_both_sides(f, least):
    found = one(f)
    assert not found.kink.any()
    for value, bound in ((found.value, found.bound), (found.right, found.right_bound)):
        assert abs(value[0]) <= bound[0] < least


@pytest.mark.parametrize(
    "f", [np.cbrt, lambda t: abs(t) ** 0.5, lambda t: float(t > 0), lambda t: np.nan, np.sqrt, np.log]
)
def test_where_there_is_no_derivative_there_is_no_bound(f):
    assert np.isinf(one(f).bound).all()


def test_noise_alone_is_no_derivative():
    rng = np.random.default_rng(0)
    assert np.isinf(one(lambda t: rng.normal()).bound).all()


def test_steps_outside_the_domain_are_dropped_whether_nan_or_raised():
    def narrow(t):
        if t < -1e-3:
            raise ValueError("below the domain")
        return 1.0 / 0 if t > 0.3 else np.sqrt(1 + t)

    for f in (narrow, lambda t: np.sqrt(1 + t) if -1e-3 < t < 0.3 else np.nan):
        found = one(f)
        assert abs(found.value[0] - 0.5) <= found.bound[0] < 1e-9


@pytest.mark.parametrize("side", [1, -1])
def test_one_side_only_asks_for_no_point_on_the_other(side):
    asked = []

    def phi(t):
        asked.append(t)
        return np.array([np.exp(t)])

    found = derivative(phi, 0.5, side=side)
    assert min(np.array(asked) * side) == 0
    assert abs(found.value[0] - 1) <= found.bound[0] < 1e-10


def test_an_error_at_the_point_itself_is_the_callers():
    with pytest.raises(ZeroDivisionError):
        one(lambda t: 1 / 0.0 / t)


def test_extended_precision_is_detected_and_reaches_sixteen_digits():
    x = np.array([0.5], np.longdouble)
    found = extended(lambda t: np.sin(x + t), 1.0)
    assert abs(found.value - np.cos(x))[0] <= found.bound[0] < 1e-16


@pytest.mark.parametrize(
    "phi",
    [
        lambda t: np.sin(np.array([0.5 + float(t)])),
        lambda t: np.sin(0.5 + np.array([t], float)).astype(np.longdouble),
        lambda t: np.array([np.longdouble(float(np.sin(t + np.longdouble(0.5))))]),
    ],
)
def test_extended_precision_is_refused_where_float64_is_inside(phi):
    assert extended(phi, 1.0) is None


@pytest.mark.parametrize("f", [np.sin, lambda x: (1e8 + np.sin(x)) - 1e8])
def test_complex_step_is_exact_to_rounding_where_differences_are_not(f):
    phi = lambda t: f(np.array([0.5]) + t)  # noqa: E731  the shortest way to say it
    value, bound = complex_step(phi, 1.0, derivative(phi, 1.0))
    assert abs(value[0] - np.cos(0.5)) <= bound[0] < 1e-14


@pytest.mark.parametrize(
    "lie",
    [
        lambda x: np.abs(x) * x,
        lambda x: np.conj(x) * x,
        lambda x: np.real(x) * x,
        lambda x: np.sin(x).astype(np.float32),
        lambda x: np.sin(x) + 1e-6 * np.abs(x),
    ],
)
def test_complex_step_is_refused_where_the_forward_is_not_analytic(lie):
    phi = lambda t: lie(np.array([0.5]) + t)  # noqa: E731  the shortest way to say it
    assert complex_step(phi, 1.0, derivative(phi, 1.0)) is None


def test_complex_step_knows_a_complex64_inside():
    def phi(t):
        kind = np.complex64 if isinstance(t, complex) else np.float32
        return np.sin((np.array([0.5]) + t).astype(kind)).astype(np.result_type(kind, np.float64))

    answer = complex_step(phi, 1.0, derivative(phi, 1.0))
    assert answer is None or abs(answer[0][0] - np.cos(0.5)) <= answer[1][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0: expected a finite number above 0"),
        ({"scale": np.inf}, "scale is inf: expected a finite number above 0"),
        ({"precision": "float80"}, "precision is 'float80': expected one of bfloat16, float16, float32"),
        ({"side": 2}, "side is 2: expected 1"),
    ],
)
def test_a_bad_argument_is_one_clear_line(options, message):
    with pytest.raises(InputError, match=message):
        one(np.sin, **{"scale": 1.0, **options})


def test_phi_must_return_one_axis():
    with pytest.raises(InputError, match=r"phi\(0\) has shape \(\): expected one axis"):
        derivative(np.sin, 1.0)


def test_windows_are_exact_for_the_polynomials_they_promise():
    win = ladder.windows(10, False, np.dtype(np.float64))
    h = ladder.STEPS[:10]
    count = len(win.first)
    for w, m in enumerate(win.last - win.first + 1):
        assert win.rows[w] @ (2 + h ** (2 * m - 2)) == pytest.approx(2, abs=1e-12)
        assert win.rows[count + w] @ np.full(10, 2.0) == pytest.approx(0, abs=1e-12)
        assert win.jumps[w] @ (h + (h ** (2 * m - 3) if m > 2 else 0)) == pytest.approx(0, abs=1e-12)
        assert win.jumps[w] @ np.ones(10) == pytest.approx(1)


def test_precisions_are_those_of_numpy():
    for name in ("float16", "float32", "float64"):
        info = np.finfo(name)
        assert differences.PRECISIONS[name] == (float(info.eps) / 2, float(info.smallest_subnormal))


def test_what_is_not_analytic_says_so_however_small_it_is():
    """|x| inside a term of 1e-13 beside one of 1e3: no difference sees that the complex step drops its slope."""

    def losses(x, y):
        return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))

    def slope(u, x, y):
        s = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
        return u * (s - y) / x.size, None

    x, y = np.array([324.0, 997.0, -29.0]), np.array([0.375, 0.3125, 2.0**-22])
    assert gradproof.check_vjp(lambda x, y: losses(x, y).mean(), slope, (x, y), constant="y").word == "agrees"


@pytest.mark.parametrize(
    "lie",
    [
        np.abs,
        np.real,
        np.imag,
        np.conj,
        np.sign,
        np.angle,
        np.linalg.norm,
        lambda z: z.real,
        lambda z: z.conj(),
        lambda z: abs(z.sum()),
        lambda z: np.where(z > 0, z, 0 * z).real,
        lambda z: np.concatenate([z, z]).imag,
        lambda z: np.vdot(z, z),
        lambda z: z.var(),
    ],
)
def test_a_function_that_is_not_analytic_is_refused(lie):
    z = np.array([1.0 + 1e-30j, 2.0]).view(Analytic)
    with pytest.raises(TypeError, match="not analytic"):
        lie(z)


def test_what_is_analytic_keeps_its_value():
    z = np.array([[1.0 + 1e-30j, 2.0], [3.0, 5.0]])
    for f in (
        np.exp,
        np.sum,
        np.linalg.inv,
        lambda z: z @ z,
        lambda z: np.where(z > 1, z, 0),
        lambda z: z.mean(0),
        np.einsum,
    ):
        given = ("ij,ij->i", z, z) if f is np.einsum else (z,)
        wrapped = tuple(x.view(Analytic) if isinstance(x, np.ndarray) else x for x in given)
        assert np.array_equal(np.asarray(f(*wrapped)), f(*given))
        assert isinstance(f(*wrapped), Analytic)
