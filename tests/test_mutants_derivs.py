"""Mutants of the functions in `derivs` that no declaration runs: what stands for the checks there kills each."""

import itertools
import sys

import numpy as np
import pytest

from gradproof.config import find_project
from gradproof.mutants.faults import functions
from gradproof.mutants.plant import Sources

RNG = np.random.default_rng(3)


def jacobian(module):
    """The rows of the Jacobian are what `backward` makes of unit cotangents, in the dtype of z."""
    from derivs import softmax

    z = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    found = module.jacobian(z)
    a = softmax.forward(z)
    rows = [softmax.backward(np.broadcast_to(unit, z.shape), a, z)["z"] for unit in np.eye(4, dtype=z.dtype)]
    return found.dtype == z.dtype and found.shape == (2, 3, 4, 4) and np.allclose(found, np.stack(rows, -2), atol=1e-6)


def derivative(module):
    """The derivative of every node of the graph by every other, at a point."""
    a, b, c = RNG.normal(size=(3, 5))
    w, one = a * b + c, np.ones(5)
    known = {("j", "w"): w, ("j", "g"): w, ("j", "c"): w, ("j", "a"): w * b, ("j", "b"): w * a}
    known |= {("w", "g"): one, ("w", "c"): one, ("w", "a"): b, ("w", "b"): a, ("g", "a"): b, ("g", "b"): a}
    known |= {(node, node): one for node in "jwgabc"}
    return all(
        np.allclose(module.derivative(of, by, a, b, c), known.get((of, by), 0 * one))
        and np.shape(module.derivative(of, by, a, b, c)) == (5,)
        for of, by in itertools.product("jwgabc", repeat=2)
    )


IDENTITIES = {("softmax", "jacobian"): jacobian, ("chain_rule", "derivative"): derivative}
# a stands in all axes but the new one either way
EQUIVALENT = {"return a[:, ..., None] * (np.eye(z.shape[-1], dtype=a.dtype) - a[..., None, :])"}


@pytest.fixture(scope="module")
def sources():
    project = find_project()
    return Sources(project.equations, project.files)


def test_every_function_that_no_declaration_runs_has_an_identity(sources):
    lost = {
        (name, f)
        for name, source in sources.all.items()
        for f in functions(source.tree)
        if f not in sources.reached(name)
    }
    assert lost == set(IDENTITIES)


@pytest.mark.parametrize("equation", [name for name, _ in IDENTITIES])
def test_each_of_their_mutants_is_killed(sources, equation):
    function = next(f for name, f in IDENTITIES if name == equation)
    holds = IDENTITIES[equation, function]
    mutants = [m for m in sources.all[equation].mutants() if m.function == function]
    assert len(mutants) > 10
    with sources.planted(equation, None) as right:
        assert holds(sys.modules[right.forward.__module__])
    survived = []
    for mutant in mutants:
        with sources.planted(equation, mutant) as mutated, np.errstate(all="ignore"):
            try:
                alive = holds(sys.modules[mutated.forward.__module__])
            except Exception:  # a mutant may raise anything
                alive = False
        survived += [mutant.now] if alive else []
    assert set(survived) <= EQUIVALENT
