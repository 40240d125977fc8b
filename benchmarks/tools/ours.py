"""gradproof.check_vjp, with a framework's reference or without."""

import time
import traceback
from typing import Any

from benchmarks.corpus import in_dtype
from benchmarks.corpus.calling import copied, differentiated, parameters
from benchmarks.tools.tool import Outcome, Question, Tool, base_point


class Gradproof(Tool):
    """reference: "torch", "jax" or "" for none."""

    locates = True
    explains = True

    def __init__(self, reference: str = "") -> None:
        self.reference = reference
        self.name = f"gradproof, {reference}" if reference else "gradproof alone"

    def check(self, question: Question) -> Outcome:
        import gradproof

        operation = question.operation
        options: dict[str, Any] = {
            "strict": question.strict,
            "seed": question.seed,
            "constant": operation.constant,
        }
        options["examples"] = question.examples
        if self.reference:
            options[self.reference] = getattr(operation, self.reference)
        if question.point is not None:
            inputs: Any = in_dtype(copied(question.point), question.dtype)
        elif operation.shapes and question.shapes:
            inputs = in_dtype(base_point(operation), question.dtype)
            options["shapes"] = operation.shapes
        else:

            def inputs(rng: Any) -> Any:
                return in_dtype(operation.sampler(rng), question.dtype)

        if operation.domain is not None and ("shapes" in options or "(" not in str(operation.domain)):
            options["domain"] = operation.domain
        started = time.perf_counter()
        try:
            result = gradproof.check_vjp(operation.forward, question.rule, inputs, **options)
        except gradproof.InputError as error:
            return Outcome("unable", f"InputError: {error}", seconds=time.perf_counter() - started)
        except (
            Exception
        ):  # a checker that falls over has not refused: the run goes on, and the failure is listed
            return Outcome(
                "unable", f"crashed:\n{traceback.format_exc()}", seconds=time.perf_counter() - started
            )
        seconds = time.perf_counter() - started
        word = "refused" if result.refused else "passed" if result.ok else "undecided"
        return Outcome(word, str(result), result.causes, self._where(question, inputs, result.where), seconds)

    def _where(self, question: Question, inputs: Any, where: Any) -> tuple[int, tuple[int, ...]] | None:
        if callable(inputs) or not where:
            return None
        names = parameters(question.operation.forward, len(inputs))
        name, found = next(iter(where.items()))
        position = names.index(name) if name in names else differentiated(question.operation, inputs)[0]
        return position, tuple(int(k) for k in found[0])
