"""The pytest plug-in: what a stranger's test suite shows, in each way of running it."""

import re
import subprocess
import sys

import numpy as np
import pytest

import gradproof
import gradproof.checking  # loaded here: a run inside the run must not load numpy anew
from gradproof import defaults, verdict

pytest_plugins = ["pytester"]

RULES = """
import gradproof
import numpy as np

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])

def sine(x):
    return np.sin(x)

def sine_vjp(u, x):
    return u * np.cos(x)

def wrong_vjp(u, x):
    return u * np.cos(x) * (1 + 1e-3)
"""


@pytest.fixture
def suite(pytester):
    """Write a test module after the rules above; the plug-in is there, installed or not."""
    pytester.makeconftest("""
        import importlib

        def pytest_addoption(pluginmanager):
            if not pluginmanager.hasplugin("gradproof"):
                pluginmanager.register(importlib.import_module("gradproof.pytest_plugin"), "gradproof")
    """)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")

    def write(tests, **more):
        pytester.makepyfile(test_rules=RULES + tests, **more)
        return pytester

    return write


def run(pytester, *options):
    """A run inside this one; a result that it leaves unread is none of the outer test's."""
    first = verdict.made()
    outcome = pytester.runpytest_inprocess(*options)
    for number in [n for n in verdict.unread() if n >= first]:
        del verdict.unread()[number]
    return outcome


def test_the_fixture_passes_a_right_rule_and_explains_a_wrong_one(suite):
    outcome = run(
        suite("""
def test_right(assert_vjp):
    assert_vjp(sine, sine_vjp, (X,))

def test_wrong(assert_vjp):
    assert_vjp(sine, wrong_vjp, (X,))
""")
    )
    outcome.assert_outcomes(passed=1, failed=1)
    text = outcome.stdout.str()
    assert "wrong_vjp: the gradient of x is wrong" in text
    assert "1.001 times" in text
    assert "to reproduce" in text
    assert "assert_vjp(sine, wrong_vjp, (X,))" in text  # the test's own line
    assert "gradproof/checking.py" not in text
    assert "pytest_plugin.py" not in text


def test_the_callers_mistake_shows_no_traceback_through_the_engine(suite):
    tests = """
def forward(x):
    raise ArithmeticError("a fault of the forward")

def test_mistake(assert_vjp):
    assert_vjp(sine, sine_vjp, [X])

def test_raising(assert_vjp):
    assert_vjp(forward, sine_vjp, (X,))

def test_direct():
    gradproof.check_vjp(sine, sine_vjp, ())
"""
    outcome = run(suite(tests))
    outcome.assert_outcomes(failed=3)
    text = outcome.stdout.str()
    assert "InputError: inputs is a list; expected a tuple" in text
    assert "InputError: the forward raised ArithmeticError at the given point" in text
    assert 'raise ArithmeticError("a fault of the forward")' in text  # the stranger's own line is shown
    assert "gradproof/" not in text.replace("gradproof/pytest_plugin.py:", "", 0).split("short test summary")[0]
    full = run(suite(tests), "--full-trace")
    assert "checking.py" in full.stdout.str()


def test_a_fault_of_the_engine_keeps_its_traceback(suite):
    outcome = run(
        suite("""
def test_fault(monkeypatch):
    def broken(*given):
        raise RuntimeError("a fault of ours")
    monkeypatch.setattr("gradproof.checking.conduct", broken)
    gradproof.check_vjp(sine, sine_vjp, (X,))
""")
    )
    outcome.assert_outcomes(failed=1)
    assert "checking.py" in outcome.stdout.str()


@pytest.mark.parametrize(
    "check",
    [
        "check_vjp(sine, wrong_vjp, (X,))",
        "check_vjp(sine, sine_vjp, (X,))",
        "check_grad(lambda x: np.sum(np.sin(x)), lambda x: np.cos(x), (X,))",
        "check_jvp(sine, lambda t, x: t * np.cos(x), (X,))",
        "check_layer(lambda x: (np.sin(x), x), sine_vjp, (X,))",
    ],
)
def test_a_result_that_nobody_read_fails_its_test(suite, check):
    outcome = run(suite(f"\ndef test_dropped():\n    result = gradproof.{check}\n    repr(result)\n"))
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*1 gradproof result made here and never read: *"])
    text = outcome.stdout.str()
    assert "use the fixture assert_vjp" in text
    if "vjp" in check.split("(")[0]:
        assert check.split(", ")[1] in text  # by name


def test_a_dropped_result_does_not_hide_behind_a_later_one_that_is_read(suite):
    outcome = run(
        suite("""
def test_two():
    gradproof.check_vjp(sine, wrong_vjp, (X,))
    assert gradproof.check_vjp(sine, sine_vjp, (X,)).ok

def test_again():
    for k in range(3):
        gradproof.check_vjp(sine, wrong_vjp, (X,), examples=1)
""")
    )
    outcome.assert_outcomes(failed=2)
    text = outcome.stdout.str()
    assert "1 gradproof result made here and never read: wrong_vjp" in text
    assert "3 gradproof results made here and never read: wrong_vjp" in text


@pytest.mark.parametrize("read", ["ok", "word", "refused", "verdicts", "where", "causes"])
def test_each_way_of_reading_counts(suite, read):
    outcome = run(suite(f"\ndef test_read():\n    gradproof.check_vjp(sine, sine_vjp, (X,), examples=1).{read}\n"))
    outcome.assert_outcomes(passed=1)


def test_a_test_that_fails_anyway_is_not_blamed_for_what_it_did_not_read(suite):
    outcome = run(
        suite("""
def test_other():
    result = gradproof.check_vjp(sine, sine_vjp, (X,), examples=1)
    raise KeyError("another fault")
""")
    )
    outcome.assert_outcomes(failed=1)
    assert "never read" not in outcome.stdout.str()


def test_an_expected_failure_and_a_fixtures_result_are_left_alone(suite):
    outcome = run(
        suite("""
import pytest

@pytest.fixture(scope="module")
def result():
    return gradproof.check_vjp(sine, sine_vjp, (X,), examples=1)

def test_first(result):
    pass

def test_second(result):
    assert result.ok

@pytest.mark.xfail(strict=True)
def test_known():
    assert gradproof.check_vjp(sine, wrong_vjp, (X,)).ok
""")
    )
    outcome.assert_outcomes(passed=2, xfailed=1)


def test_a_bare_assertion_on_a_result_shows_the_explanation_too(suite):
    outcome = run(
        suite("""
def test_wrong():
    assert gradproof.check_vjp(sine, wrong_vjp, (X,)).ok

def test_truth():
    assert gradproof.check_vjp(sine, sine_vjp, (X,))
""")
    )
    outcome.assert_outcomes(failed=2)
    text = outcome.stdout.str()
    assert "wrong_vjp: the gradient of x is wrong" in text
    assert "a result has no truth value; read result.ok, or use assert_vjp" in text
    assert "verdict.py" not in text


SEEDED = """
def test_seed(record_property):
    samples = []
    def sampler(rng):
        point = rng.normal(size=3)
        samples.append(point)
        return (point,)
    result = gradproof.check_vjp(sine, sine_vjp, sampler)
    assert result.ok
    with open("points.txt", "a") as file:
        print("POINT", samples[0][0], "COUNT", len(result.samples), file=file)

def test_fixture(assert_vjp):
    samples = []
    def sampler(rng):
        point = rng.normal(size=3)
        samples.append(point)
        return (point,)
    assert_vjp(sine, sine_vjp, sampler)
    with open("points.txt", "a") as file:
        print("POINT", samples[0][0], "COUNT", len(samples), file=file)
"""


def points(pytester, *options):
    """(first number of the first point, count of points) of each test of a run with these options."""
    run(pytester, "-q", *options).assert_outcomes(passed=2)
    path = pytester.path / "points.txt"
    said = path.read_text(encoding="utf-8")
    path.unlink()
    return re.findall(r"POINT (\S+) COUNT (\d+)", said)


def test_seed_and_examples_of_the_run_are_the_defaults(suite):
    pytester = suite(SEEDED)
    plain = points(pytester)
    same = points(pytester, "--gradproof-seed=0")
    other = points(pytester, "--gradproof-seed=7", "--gradproof-examples=5")
    assert plain == same
    assert plain[0][0] == plain[1][0] == str(np.random.default_rng((0, 0)).normal(size=3)[0])
    assert other[0][0] == other[1][0] == str(np.random.default_rng((7, 0)).normal(size=3)[0])
    assert plain[0][1] == "20"
    assert other[0][1] == "5"
    assert int(plain[1][1]) - int(other[1][1]) == 15


def test_an_explicit_seed_wins_over_the_runs(suite):
    tests = SEEDED.replace("sine_vjp, sampler)", "sine_vjp, sampler, seed=0, examples=3)")
    found = points(suite(tests), "--gradproof-seed=7", "--gradproof-examples=5")
    assert found[0][0] == found[1][0] == str(np.random.default_rng((0, 0)).normal(size=3)[0])
    assert found[0][1] == "3"
    assert len(found) == 2


@pytest.mark.parametrize("option", ["--gradproof-seed=-1", "--gradproof-examples=0", "--gradproof-examples=x"])
def test_a_bad_number_is_a_usage_error_in_one_line(suite, option):
    outcome = run(suite(""), option)
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    assert "expected a whole number of at least" in outcome.stderr.str()


def test_a_run_inside_a_run_leaves_the_defaults_as_they_were(suite):
    before = defaults.chosen_seed(), defaults.chosen_examples()
    run(suite("\ndef test_nothing(): pass\n"), "--gradproof-seed=11", "--gradproof-examples=2")
    assert (defaults.chosen_seed(), defaults.chosen_examples()) == before


MANY = """
import pytest
from pathlib import Path

FACTORS = (1.0, 1 + 1e-9, 1.0, 1 + 1e-5, 1.0, -1.0)

@pytest.mark.parametrize("k", range(len(FACTORS)))
def test_rule(k):
    def scaled_vjp(u, x):
        return FACTORS[k] * u * np.cos(x)
    result = gradproof.check_vjp(sine, scaled_vjp, (X,), shapes="x: n d -> z: n d", examples=8)
    said = "\\n".join(map(repr, result.verdicts)) + result.explanation
    Path(f"said-{k}.txt").write_text(said, encoding="utf-8")
    assert result.ok
"""
BACKWARDS = """
def pytest_collection_modifyitems(items):
    items.reverse()
    items[1], items[3] = items[3], items[1]
"""


DROPPED = """
def test_dropped():
    gradproof.check_vjp(sine, sine_vjp, (X,))
"""


def test_verdicts_are_the_same_on_two_workers_and_in_any_order(suite):
    def said():
        return {path.name: path.read_text(encoding="utf-8") for path in pytester.path.glob("said-*.txt")}

    pytester = suite(MANY + DROPPED)
    run(pytester, "-q").assert_outcomes(passed=3, failed=4)
    alone = said()
    assert len(alone) == 6
    outcome = pytester.runpytest_subprocess("-q", "-n", "2")  # a dropped result fails on a worker too
    outcome.assert_outcomes(passed=3, failed=4)
    assert "never read: sine_vjp" in outcome.stdout.str()
    assert said() == alone
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text(encoding="utf-8") + BACKWARDS, encoding="utf-8")
    outcome = run(pytester, "-v")
    outcome.assert_outcomes(passed=3, failed=4)
    assert outcome.stdout.str().index("test_dropped FAILED") < outcome.stdout.str().index("test_rule[0]")
    assert said() == alone


def test_the_plug_in_imports_nothing_large():
    code = "import sys, gradproof.pytest_plugin; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "torch", "jax", "hypothesis", "flint", "sympy", "click"} & set(loaded)


def test_numbers_of_results_are_never_given_again():
    first = verdict.made()
    point = (np.ones(1),)
    results = [gradproof.check_vjp(np.sin, lambda u, x: u * np.cos(x), point, examples=1) for _ in range(2)]
    assert verdict.made() == first + 2
    assert {first, first + 1} <= set(verdict.unread())
    assert all(result.ok for result in results)
    assert not {first, first + 1} & set(verdict.unread())
