"""Compiled JAX programs are kept in a folder, and a folder or an XLA that will not have it breaks nothing."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import reference
from gradproof.oracles import compilation, store
from gradproof.oracles import jax as jax_oracle


@pytest.fixture(autouse=True)
def settings():
    """The folder and the options in use before, afterwards."""
    before = {name: getattr(compilation, name) for name in ("_store", "_chosen", "_options", "_probed")}
    yield
    for name, setting in before.items():
        setattr(compilation, name, setting)


def gradient(forward):
    return jax_oracle.vjp(forward, np.ones(2), (np.array([0.5, 2.0]),), (0,))[1][0].tolist()


def test_programs_are_kept_in_the_folder_and_only_ours(tmp_path):
    folder = jax_oracle.use_cache(tmp_path / "deep" / "er")
    assert folder is not None
    assert folder.parent == tmp_path / "deep" / "er"
    assert gradient(lambda x: x**2) == [1.0, 4.0]
    kept = sorted(folder.iterdir())
    assert kept
    assert gradient(lambda x: x**2) == [1.0, 4.0]  # another function, the same program: read back
    assert sorted(folder.iterdir()) == kept
    # JAX's own compilations afterwards are none of ours
    jax.block_until_ready(jax.jit(lambda x: jnp.sin(x) * 17)(np.ones(3, np.float32)))
    assert sorted(folder.iterdir()) == kept


def test_a_program_of_an_earlier_process_is_not_traced_again(tmp_path, monkeypatch):
    jax_oracle.use_cache(tmp_path)
    traced = []

    def made(power):
        def forward(x):
            return x**power

        return forward

    monkeypatch.setattr(
        jax_oracle, "check_outputs", lambda *given, real=jax_oracle.check_outputs: traced.append(1) or real(*given)
    )
    assert gradient(made(2)) == [1.0, 4.0]
    once = len(traced)
    assert gradient(made(2)) == [1.0, 4.0]  # another function of the same code: as in another process
    assert len(traced) == once
    assert gradient(made(3)) == [0.75, 12.0]
    assert len(traced) == 2 * once


def test_a_function_without_a_fingerprint_is_told_by_its_program(tmp_path):
    folder = jax_oracle.use_cache(tmp_path)
    factor = [3.0]

    def forward(x):
        return globals()["factor_of"](x, factor)

    globals()["factor_of"] = lambda x, factor: factor[0] * x
    try:
        assert gradient(forward) == [3.0, 3.0]
        kept = len(list(folder.iterdir()))
        globals()["factor_of"] = lambda x, factor: 2 * factor[0] * x
        assert gradient(lambda x: forward(x)) == [6.0, 6.0]
        assert len(list(folder.iterdir())) == kept + 1
    finally:
        del globals()["factor_of"]


def test_a_convolution_with_a_kernel_a_point_agrees_with_one_point_at_a_time():
    rng = np.random.default_rng(0)
    x, k, u = (rng.standard_normal((3, *shape)) for shape in ((2, 1, 5, 4), (2, 1, 2, 3), (2, 2, 4, 2)))

    def forward(x, k):
        return jax.lax.conv_general_dilated(x, k, (1, 1), "VALID")

    got = jax_oracle.Batched(forward, (0, 1))((x, k), u, (x, k))
    for point in range(3):
        value, gradients = jax_oracle.vjp(forward, u[point], (x[point], k[point]), (0, 1))
        np.testing.assert_allclose(got.value[point], value, rtol=1e-13, atol=1e-13)
        for ours, alone in zip(got.vjp, gradients, strict=True):
            np.testing.assert_allclose(ours[point], alone, rtol=1e-13, atol=1e-13)


def test_a_damaged_program_is_compiled_again(tmp_path):
    folder = jax_oracle.use_cache(tmp_path)
    gradient(lambda x: x**3)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    assert gradient(lambda x: x**3) == [0.75, 12.0]


def test_a_folder_that_cannot_be_written_breaks_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert jax_oracle.use_cache(tmp_path / "file") is None
    assert gradient(lambda x: 3 * x**2) == [3.0, 12.0]
    assert jax_oracle.use_cache(None) is None
    assert gradient(lambda x: 4 * x**2) == [4.0, 16.0]
    # and as the folder nobody chose
    monkeypatch.setattr(compilation, "_chosen", False)
    monkeypatch.setattr(compilation, "default_folder", lambda: tmp_path / "file" / "below")
    assert gradient(lambda x: 5 * x**2) == [5.0, 20.0]
    assert compilation._store is None


def test_the_callers_own_cache_is_used_as_it_is(tmp_path):
    folder = jax_oracle.use_cache(tmp_path / "ours")
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    try:
        gradient(lambda x: 6 * x**2)
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "theirs")
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the other platforms' folders have no such variable")
def test_default_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert compilation.default_folder() == Path("/somewhere/gradproof/jax")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert compilation.default_folder() == Path("/home/ada/.cache/gradproof/jax")

    def homeless():
        raise RuntimeError("no home directory")

    monkeypatch.setattr(Path, "home", homeless)
    assert compilation.default_folder() is None


def test_the_oldest_programs_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_LIMIT", 3)
    folder = jax_oracle.use_cache(tmp_path)
    for age in range(5):
        (folder / str(age)).write_bytes(b"")
        os.utime(folder / str(age), (1000 - age, 1000 - age))
    jax_oracle.use_cache(tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["0", "1", "2"]


def test_an_option_xla_does_not_know_is_dropped(monkeypatch):
    jax_oracle.use_cache(None)
    options = {"xla_backend_optimization_level": 0, "xla_no_such_option": True}
    monkeypatch.setattr(compilation, "_CHEAP", options)
    monkeypatch.setattr(compilation, "_options", dict(options))
    monkeypatch.setattr(compilation, "_probed", False)
    assert gradient(lambda x: 7 * x**2) == [7.0, 28.0]
    assert compilation._options == {"xla_backend_optimization_level": 0}


def test_gradient_at_which_the_simplifier_of_xla_ends_the_process():
    rng = np.random.default_rng(0)
    x, k = rng.integers(-3, 4, (2, 1, 11, 4)) * 1.0, rng.integers(-3, 4, (3, 1, 8, 2)) * 1.0
    u = rng.integers(-3, 4, (2, 3, 3, 3)) * 1.0
    static = {"stride": 2, "pad": 1}
    got = reference.jax_vjp("convolution", u, x, k, np.zeros(3), **static)
    expected = reference.torch_vjp("convolution", u, x, k, np.zeros(3), **static)
    assert [one.tolist() for one in got] == [one.tolist() for one in expected]


def test_cheap_compilation_agrees_with_the_default_one():
    rng = np.random.default_rng(0)
    x, w, u = rng.standard_normal((4, 3)), rng.standard_normal((3, 5)), rng.standard_normal((4, 5))

    def forward(x, w):
        return jax.nn.log_softmax(jnp.tanh(x @ w))

    _, got = jax_oracle.vjp(forward, u, (x, w), (0, 1))
    with jax.enable_x64(True):
        expected = jax.jit(lambda x, w, u: jax.vjp(forward, x, w)[1](u))(x, w, u)
    for ours, default in zip(got, expected, strict=True):
        # a few ulps of the largest entry: the products are summed in another order
        assert np.abs(ours - np.asarray(default)).max() <= 1e-15 * np.abs(ours).max()


def test_the_oracles_import_no_framework():
    code = """if True:
        import sys, gradproof.oracles.torch, gradproof.oracles.jax, reference
        print({"torch", "jax"} & set(sys.modules))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.stdout.strip(), done.returncode) == ("set()", 0), done.stderr


def test_a_gradient_that_does_not_compile_without_the_simplifier():
    jax_oracle.use_cache(None)
    assert gradient(jnp.cumprod) == [3.0, 0.5]  # of x1 + x1 x2; its padding is negative
