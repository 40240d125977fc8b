"""torch.autograd.gradcheck with its defaults, slow and fast, the rule inside a torch.autograd.Function."""

import warnings
from typing import Any

import numpy as np

from benchmarks.corpus.calling import Point
from benchmarks.tools.tool import Outcome, Question, RuleFault, Tool, inside


def to_torch(array: np.ndarray) -> Any:
    import torch

    array = np.array(array, order="C")  # torch takes no negative strides
    if array.dtype.name == "bfloat16":
        return torch.tensor(array.astype(np.float32)).to(torch.bfloat16)
    return torch.tensor(array)


def to_numpy(tensor: Any) -> np.ndarray:
    import torch

    if tensor.dtype == torch.bfloat16:
        import ml_dtypes

        return tensor.detach().float().numpy().astype(ml_dtypes.bfloat16)
    return tensor.detach().numpy()


class Gradcheck(Tool):
    def __init__(self, fast: bool) -> None:
        self.fast = fast
        self.name = f"torch gradcheck, {'fast' if fast else 'slow'}"

    def at(self, question: Question, point: Point) -> Outcome:
        import torch
        from torch.autograd.gradcheck import GradcheckError

        torch.set_num_threads(1)
        keys, forward, rule = inside(question, point)
        raised: list[str] = []

        class Wrapped(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *varied: Any) -> Any:
                ctx.save_for_backward(*varied)
                found = tuple(to_torch(z) for z in forward(*(to_numpy(x) for x in varied)))
                return found if len(found) > 1 else found[0]

            @staticmethod
            def backward(ctx: Any, *cotangents: Any) -> Any:
                varied = tuple(to_numpy(x) for x in ctx.saved_tensors)
                try:
                    return tuple(to_torch(g) for g in rule(tuple(to_numpy(u) for u in cotangents), *varied))
                except RuleFault as error:
                    raised.append(str(error))
                    raise

        leaves = [to_torch(point[k]).requires_grad_() for k in keys]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # gradcheck warns that float32 is too coarse for its defaults
                torch.autograd.gradcheck(Wrapped.apply, leaves, fast_mode=self.fast)
        except GradcheckError as error:
            return Outcome("refused", str(error))
        except Exception as error:  # torch refuses wrong shapes and counts with a RuntimeError of its own
            word = "refused" if raised or isinstance(error, RuntimeError) else "unable"
            return Outcome(word, f"{type(error).__name__}: {error}")
        return Outcome("passed")
