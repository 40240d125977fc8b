"""jax.test_util.check_grads with its defaults, the rule behind a jax.custom_vjp and jax.pure_callback."""

import logging
from typing import Any

import numpy as np

from benchmarks.corpus.calling import Point
from benchmarks.tools.tool import Outcome, Question, RuleFault, Tool, inside


class JaxCheckGrads(Tool):
    name = "jax check_grads"

    def at(self, question: Question, point: Point) -> Outcome:
        import jax
        from jax.test_util import check_grads

        logging.getLogger("jax._src.callback").setLevel(logging.CRITICAL)  # it prints every error a rule raises

        keys, forward, rule = inside(question, point)
        varied = [np.asarray(point[k]) for k in keys]
        raised: list[str] = []
        single = len(forward(*varied)) == 1

        def like(arrays: Any) -> Any:
            return tuple(jax.ShapeDtypeStruct(np.shape(a), np.asarray(a).dtype) for a in arrays)

        def call(*x: Any) -> Any:
            return tuple(np.asarray(z) for z in forward(*(np.asarray(a) for a in x)))

        def call_back(u: Any, *x: Any) -> Any:
            try:
                return tuple(rule(tuple(np.asarray(c) for c in u), *(np.asarray(a) for a in x)))
            except RuleFault as error:
                raised.append(str(error))
                raise

        @jax.custom_vjp
        def wrapped(*x: Any) -> Any:
            z = jax.pure_callback(call, like(forward(*varied)), *x)
            return z[0] if single else z

        def forwards(*x: Any) -> Any:
            return wrapped(*x), x

        def backwards(x: Any, u: Any) -> Any:
            return jax.pure_callback(call_back, like(varied), (u,) if single else u, *x)

        wrapped.defvjp(forwards, backwards)
        with jax.enable_x64(True):
            try:
                check_grads(wrapped, tuple(jax.numpy.asarray(a) for a in varied), order=1, modes=("rev",))
            except AssertionError as error:
                return Outcome("refused", str(error))
            except Exception as error:  # a wrong shape or dtype fails inside the callback
                known = raised or "callback" in str(error).lower() or "shape" in str(error).lower()
                return Outcome("refused" if known else "unable", f"{type(error).__name__}: {error}")
        return Outcome("passed")
