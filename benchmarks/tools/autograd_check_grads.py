"""autograd.test_util.check_grads (HIPS), the rule given to a `primitive` by `defvjp`."""

from typing import Any

import numpy as np

from benchmarks.corpus.calling import Point
from benchmarks.tools.tool import Outcome, Question, RuleFault, Tool, inside


class AutogradCheckGrads(Tool):
    name = "autograd check_grads"
    needs = ("autograd",)

    def at(self, question: Question, point: Point) -> Outcome:
        from autograd.extend import defvjp, primitive
        from autograd.test_util import check_grads

        keys, forward, rule = inside(question, point)
        varied = [np.array(point[k]) for k in keys]
        single = len(forward(*varied)) == 1
        raised: list[str] = []

        @primitive
        def wrapped(*x: Any) -> Any:
            z = forward(*x)
            return z[0] if single else z

        def of(position: int) -> Any:
            def make(answer: Any, *x: Any) -> Any:
                def back(u: Any) -> Any:
                    try:
                        return rule((u,) if single else tuple(u), *x)[position]
                    except RuleFault as error:
                        raised.append(str(error))
                        raise

                return back

            return make

        defvjp(wrapped, *(of(k) for k in range(len(keys))))
        np.random.seed(question.seed)  # noqa: NPY002 - check_grads draws from NumPy's global state
        try:
            check_grads(wrapped, modes=["rev"], order=1)(*varied)  # order 2 would differentiate the rule
        except AssertionError as error:
            return Outcome("refused", str(error))
        except Exception as error:  # autograd has no space of bfloat16 vectors and says so with a TypeError
            return Outcome("refused" if raised else "unable", f"{type(error).__name__}: {error}")
        return Outcome("passed")
