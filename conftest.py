"""How much the tests draw (Hypothesis profiles quick, ci, thorough), and a header that says what was tested.

pytest                                      quick (GRADPROOF_PROFILE names another)
pytest --hypothesis-profile=thorough        free shapes for JAX too, fresh seeds
pytest --gradproof-seed=7                   another seed for everything that is drawn by seed
"""

import importlib
import importlib.metadata
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

SLOW = (HealthCheck.too_slow,)  # the first example of a shape pays for JAX's compilation
PHASES = (
    Phase.explicit,
    Phase.reuse,
    Phase.generate,
    Phase.target,
    Phase.shrink,
)  # no Phase.explain: it traces every line

# test files that make something dear once, which all their tests read; the longest first
DEAR = ("test_contributing.py", "test_paper.py", "test_differences.py", "test_explain.py")

settings.register_profile(
    "quick",
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=SLOW,
    phases=PHASES,
)
settings.register_profile(
    "ci",
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=SLOW,
    phases=PHASES,
)
settings.register_profile(
    "thorough", max_examples=500, deadline=None, print_blob=True, suppress_health_check=SLOW, phases=PHASES
)
settings.load_profile(os.environ.get("GRADPROOF_PROFILE", "quick"))


def pytest_addoption(pluginmanager):
    if not pluginmanager.hasplugin("gradproof"):  # a checkout that is not installed has no entry points
        pluginmanager.register(importlib.import_module("gradproof.pytest_plugin"), "gradproof")


def pytest_report_header(config):
    versions = []
    for name in ("numpy", "torch", "jax"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    return f"gradproof: {', '.join(versions)}, seed {config.getoption('--gradproof-seed')}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Workers take a function with all its parameters at a time, and the files whose fixture is dear as a whole."""
    if config.option.dist != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if Path(file).name in DEAR else nodeid.partition("[")[0]

    config.option.loadscopereorder = False  # the order below is better than that by number of tests
    return Together(config, log)


def pytest_collection_modifyitems(items):
    """What takes longest first: the workers end together."""
    items.sort(key=lambda item: DEAR.index(item.path.name) if item.path.name in DEAR else len(DEAR))


@pytest.fixture(autouse=True)
def _no_runner(monkeypatch):
    """A report made in a test says nothing to the runner that runs the tests."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.fixture(scope="session")
def seed(request):
    """The seed of the run."""
    return request.config.getoption("--gradproof-seed")


@pytest.fixture(scope="session")
def thorough():
    """Whether the profile draws JAX's shapes freely: each is compiled anew, which costs minutes."""
    return settings.get_current_profile_name() == "thorough"
