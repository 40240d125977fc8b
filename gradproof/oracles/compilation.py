"""How a JAX function is compiled cheaply and kept: little optimisation, and a folder of programs.

A two-layer network's value, vjp and jvp in one program: 0.18 s by default, 0.05 s with these options, and tracing,
0.05 s, on top of both. From the folder it takes 0.01 s, tracing spared, where the function has a fingerprint; where it
has none it is traced and told by its lowered text. No setting of JAX is changed for longer than a compilation.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradproof.oracles.arguments import framework
from gradproof.oracles.fingerprint import fingerprint
from gradproof.oracles.store import Store, default_folder, open_store

SIMPLIFIER = "xla_disable_hlo_passes"
_CHEAP: dict[str, Any] = {
    # Tiny programs cost what their compilation costs. Results differ by a few ulps.
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    # XLA's simplifier ends the process (jaxlib 0.10) at the gradient of a convolution of stride 2, padding
    # 1, a kernel of 8 x 2 and an image of 11 x 4; and an oracle is to compute what is written.
    SIMPLIFIER: "algsimp",
}

_lock = threading.RLock()
_store: Store | None = None
_chosen = False
_options: dict[str, Any] = dict(_CHEAP)
_probed = False


def use_cache(folder: str | Path | None) -> Path | None:
    """Keep compiled programs, and proofs, in `folder` from now on, nowhere with None. Returns the folder in use.

    That is a subfolder for this JAX and this processor, and None where it cannot be written: then nothing is
    kept, and nothing fails. Without a call it is `gradproof/jax` in the platform's cache folder. A cache
    that is configured in JAX itself is used as it is. Compiled programs are code: give no folder that others
    may write to.
    """
    global _store, _chosen
    with _lock:
        _store = None if folder is None else open_store(Path(folder) / f"jax-{framework('jax').__version__}")
        _chosen = True
        return None if _store is None else _store.folder


def compiled(build: Callable[[], Callable[..., Any]], operands: Any, about: Any = None) -> Callable[..., Any]:
    """The function that `build` makes, compiled for operands of these shapes; what tracing it raises passes through.

    about: functions and values that tell what `build` makes, and for which operands; None where nothing does.
    """
    jax = framework("jax")
    store = _kept_in(jax)
    if store is None:
        return _compile(jax, jax.jit(build()).lower(*operands))
    told = None if about is None else fingerprint(about)
    key = None if told is None else _key(jax, told)
    program = None if key is None else _read(jax, store, key)
    if program is not None:
        return program
    lowered = jax.jit(build()).lower(*operands)
    if key is None:
        key = _key(jax, lowered.as_text())
        program = _read(jax, store, key)
        if program is not None:
            return program
    program = _compile(jax, lowered)
    _write(store, key, program)
    return program


def _compile(jax: Any, lowered: Any) -> Callable[..., Any]:
    """The program; with the simplifier where it does not compile without: negative paddings, as in cumprod, need it."""
    failed = None
    for options in _attempts(jax):
        try:
            program: Callable[..., Any] = lowered.compile(compiler_options=options)
        except jax.errors.JaxRuntimeError as error:
            failed = error
        else:
            return program
    assert failed is not None
    raise failed


def _attempts(jax: Any) -> Iterator[dict[str, Any]]:
    yield dict(_options)
    if not _probed:
        _probe(jax)
        yield dict(_options)
    yield {name: setting for name, setting in _options.items() if name != SIMPLIFIER}


def store_in_use() -> Store | None:
    """Where things are kept; None where nothing is."""
    with _lock:
        if not _chosen:
            use_cache(default_folder())
        return _store


def _kept_in(jax: Any) -> Store | None:
    """Where programs are kept: nowhere of ours where JAX keeps them itself, for it hands out what cannot be kept."""
    return None if jax.config.jax_compilation_cache_dir is not None else store_in_use()


def _key(jax: Any, told: str) -> str:
    """What else a program depends on: interpreter, JAX's settings and devices, our options."""
    settings = sorted((name, repr(value)) for name, value in jax.config.values.items())
    context = (sys.version_info[:3], settings, repr(jax.devices()), sorted(_options.items()), jax.config.jax_enable_x64)
    return hashlib.sha256(repr((told, context)).encode("utf-8", "surrogatepass")).hexdigest()


def _read(jax: Any, store: Store, key: str) -> Callable[..., Any] | None:
    kept = store.read(key)
    if kept is None:
        return None
    try:
        engine = framework("jax.experimental.serialize_executable")
        program: Callable[..., Any] = engine.deserialize_and_load(*pickle.loads(kept))
    except Exception:  # half a file, another JAX's: it is compiled again
        return None
    return program


def _write(store: Store, key: str, program: Any) -> None:
    try:
        blob = pickle.dumps(framework("jax.experimental.serialize_executable").serialize(program))
    except Exception:  # calls back into Python, or holds constants that are no part of it: not to be kept
        return
    store.write(key, blob)


@contextmanager
def kept() -> Iterator[None]:
    """While it lasts, JAX itself keeps what it compiles in the folder: for what runs op by op."""
    jax = framework("jax")
    with _lock:
        store = _kept_in(jax)
        if store is None:
            yield
            return
        cache = framework("jax.experimental.compilation_cache.compilation_cache")
        settings = {
            "jax_compilation_cache_dir": str(store.folder),
            "jax_persistent_cache_min_compile_time_secs": 0.0,
        }
        before = {name: getattr(jax.config, name) for name in settings}
        try:
            for name, setting in settings.items():
                jax.config.update(name, setting)
            cache.reset_cache()
            with warnings.catch_warnings():
                # A program half-written by a process beside this one is compiled again, and nobody need know.
                warnings.filterwarnings(
                    "ignore", "Error (reading|writing) persistent compilation cache", UserWarning
                )
                yield
        finally:
            for name, setting in before.items():
                jax.config.update(name, setting)
            cache.reset_cache()


def _probe(jax: Any) -> None:
    """Keep those options that this JAX knows: later ones drop some."""
    global _options, _probed
    known = {}
    for name, setting in _CHEAP.items():
        try:
            jax.jit(lambda x: x).lower(0.0).compile(compiler_options={name: setting})
        except jax.errors.JaxRuntimeError:
            continue
        known[name] = setting
    _options, _probed = known, True
