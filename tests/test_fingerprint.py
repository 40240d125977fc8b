"""Functions that compute something else have other fingerprints; what cannot be told has none."""

import functools
import random
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gradproof.oracles.fingerprint import fingerprint

TABLE = np.arange(3.0)


def run(source, name="f", **held):
    """A function of a module of its own, as it is in another process."""
    module = types.ModuleType("theirs")
    module.__file__ = "theirs.py"
    vars(module).update(held)
    exec(compile(source, "theirs.py", "exec"), vars(module))
    return vars(module)[name]


def module_of(**held):
    module = types.ModuleType("layers")
    module.__file__ = "layers.py"
    vars(module).update(held)
    return module


def closed_over(value):
    return lambda x: x * value


SAME = {
    "source": lambda: run("def f(x, k=2):\n    return x * k"),
    "closure": lambda: closed_over((1.0, "a", None)),
    "array": lambda: closed_over(np.arange(4)),
    "jax function": lambda: closed_over(jnp.tanh),
    "custom rule": lambda: rule("x * 2"),
    "partial": lambda: functools.partial(jnp.sum, axis=0),
    "gradient": lambda: jax.grad(closed_over(3.0)),
    "recursive": lambda: run("def f(x, n):\n    return x if n == 0 else f(x * 2, n - 1)"),
    "method": lambda: run("class C:\n    k = 2\n    def go(self, x):\n        return x * self.k\nf = C().go"),
}

OTHER = {
    "constant": ("def f(x):\n    return 2 * x", "def f(x):\n    return 3 * x"),
    "1 and 1.0": ("def f(x):\n    return 1 * x", "def f(x):\n    return 1.0 * x"),
    "zeros": ("def f(x):\n    return 0.0 + x", "def f(x):\n    return -0.0 + x"),
    "operator": ("def f(x):\n    return 2 * x", "def f(x):\n    return 2 + x"),
    "default": ("def f(x, k=1):\n    return k * x", "def f(x, k=2):\n    return k * x"),
    "keyword default": ("def f(x, *, k=1):\n    return k * x", "def f(x, *, k=2):\n    return k * x"),
    "function it calls": (
        "def g(x):\n    return x\ndef f(x):\n    return g(x)",
        "def g(x):\n    return -x\ndef f(x):\n    return g(x)",
    ),
    "function called in a nested one": (
        "def g(x):\n    return x\ndef f(x):\n    return (lambda y: g(y))(x)",
        "def g(x):\n    return -x\ndef f(x):\n    return (lambda y: g(y))(x)",
    ),
    "global": ("K = 1\ndef f(x):\n    return K * x", "K = 2\ndef f(x):\n    return K * x"),
    "attribute of a class": (
        "class C:\n    k = 1\ndef f(x):\n    return C.k * x",
        "class C:\n    k = 2\ndef f(x):\n    return C.k * x",
    ),
    "attribute of an object": (
        "class C:\n    pass\nc = C()\nc.k = 1\ndef f(x):\n    return c.k * x",
        "class C:\n    pass\nc = C()\nc.k = 2\ndef f(x):\n    return c.k * x",
    ),
    "attribute of the function": (
        "def f(x):\n    return f.k * x\nf.k = 1",
        "def f(x):\n    return f.k * x\nf.k = 2",
    ),
    "inherited method": (
        "class B:\n    def go(self, x):\n        return x\nclass C(B):\n    pass\nf = C().go",
        "class B:\n    def go(self, x):\n        return -x\nclass C(B):\n    pass\nf = C().go",
    ),
    "property": (
        "class C:\n    @property\n    def k(self):\n        return 1\nc = C()\ndef f(x):\n    return c.k * x",
        "class C:\n    @property\n    def k(self):\n        return 2\nc = C()\ndef f(x):\n    return c.k * x",
    ),
}


def rule(result):
    return run(
        f"@jax.custom_vjp\ndef f(x):\n    return x\nf.defvjp(lambda x: (x, x), lambda x, u: (u * ({result}),))", jax=jax
    )


@pytest.mark.parametrize("made", SAME.values(), ids=SAME)
def test_made_twice_it_is_the_same(made):
    assert fingerprint(made()) == fingerprint(made()) is not None


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_function_has_another_fingerprint(one, other):
    assert fingerprint(run(one)) == fingerprint(run(one)) is not None
    assert fingerprint(run(one)) != fingerprint(run(other))


def test_what_surrounds_a_function_counts():
    assert fingerprint(closed_over(1.0)) != fingerprint(closed_over(2.0))
    assert fingerprint(closed_over(np.arange(4))) != fingerprint(closed_over(np.arange(4.0)))
    assert fingerprint(closed_over(np.zeros(4))) != fingerprint(closed_over(np.zeros((2, 2))))
    assert fingerprint(closed_over({"a": 1, "b": 2})) != fingerprint(closed_over({"a": 1, "b": 3}))
    assert fingerprint(closed_over(jnp.sin)) != fingerprint(closed_over(jnp.cos))
    assert fingerprint(jax.grad(closed_over(3.0))) != fingerprint(jax.grad(closed_over(4.0)))
    assert fingerprint(rule("x * 2")) != fingerprint(rule("x * 3"))
    assert fingerprint(functools.partial(jnp.sum, axis=0)) != fingerprint(functools.partial(jnp.sum, axis=1))
    text = "def f(x):\n    return layers.dense(x)"
    one, other = (
        run(text, layers=module_of(dense=run(f"def dense(x):\n    return {sign}x", "dense"))) for sign in "+-"
    )
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one, (1,)) != fingerprint(one, (2,))


def test_a_global_array_counts_by_its_values():
    def forward(x):
        return x * TABLE

    before = fingerprint(forward)
    TABLE[1] = 7.0
    try:
        assert fingerprint(forward) != before
    finally:
        TABLE[1] = 1.0
    assert fingerprint(forward) == before


@pytest.mark.parametrize(
    "hidden",
    [
        lambda x: x * random.random(),
        lambda x: x * np.random.normal(),  # noqa: NPY002 - what must not be kept
        lambda x: x * float(open("factor.txt").read()),  # noqa: SIM115 - never run
        lambda x: x * np.load("factor.npy"),  # never run
        lambda x: eval("x * 2"),
        lambda x: getattr(types, "k" + "1") * x,
        lambda x: x * globals()["TABLE"],
        jax.jit(lambda x: x, static_argnums=()),
        closed_over(object()),
        closed_over(np.random.default_rng()),
        closed_over(iter([1.0])),
        closed_over(np.array([1, None], object)),
    ],
    ids=range(12),
)
def test_what_depends_on_more_than_it_names_has_none(hidden):
    assert fingerprint(hidden) is None
