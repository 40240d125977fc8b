"""The checkers compared, by the name their column has on the command line."""

from benchmarks.tools.autograd_check_grads import AutogradCheckGrads
from benchmarks.tools.central_difference import CentralDifference
from benchmarks.tools.jax_check_grads import JaxCheckGrads
from benchmarks.tools.ours import Gradproof
from benchmarks.tools.tool import Outcome, Question, Tool, base_point
from benchmarks.tools.torch_gradcheck import Gradcheck

TOOLS: dict[str, Tool] = {
    "gradproof-torch": Gradproof("torch"),
    "gradproof-jax": Gradproof("jax"),
    "gradproof": Gradproof(),
    "gradcheck-slow": Gradcheck(fast=False),
    "gradcheck-fast": Gradcheck(fast=True),
    "jax": JaxCheckGrads(),
    "autograd": AutogradCheckGrads(),
    "central": CentralDifference(),
}
DEFAULT = tuple(name for name in TOOLS if name != "gradproof-jax")

__all__ = ["DEFAULT", "TOOLS", "Outcome", "Question", "Tool", "base_point"]
