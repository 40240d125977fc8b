"""Where a derivative is written: the file, and the line of one input's gradient."""

import ast
import inspect
import textwrap
from pathlib import Path

from gradproof.equation import Equation


def origin(equation: Equation, name: str = "") -> tuple[Path, int] | None:
    """File and line of the gradient of the input `name` in `backward`, of its `def` where no line names the input.

    None where there is no source, as for what was typed into a prompt.
    """
    function = inspect.unwrap(equation.backward)
    try:
        file = inspect.getsourcefile(function)
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    if file is None:
        return None
    # the last dict that has the key: what is returned stands at the end
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    named = [key.lineno for key in keys if isinstance(key, ast.Constant) and key.value == name]
    definition = next((n.lineno for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda)), 1)
    return Path(file), first + max(named, default=definition) - 1
