"""Which equations are meant: by name, by the paper's number, or by an expression as for pytest's `-k`."""

import difflib
import re
from collections.abc import Iterable, Mapping

from gradproof.equation import Equation
from gradproof.errors import InputError


class NothingSelected(InputError):
    """A selection that leaves nothing to check: exit code 5, never a silent success."""

    exit_code = 5


def select(
    equations: Mapping[str, Equation], names: Iterable[str] = (), keyword: str = "", kind: str = "equation"
) -> list[Equation]:
    """The equations called `names` (or numbered so by the paper: 13, 20-relu) that match `keyword`.

    Raises InputError for a name that nothing bears, NothingSelected when nothing is left.
    """
    chosen: dict[str, Equation] = {}
    for name in names:
        found = (
            [equations[name]]
            if name in equations
            else [e for e in equations.values() if name.strip("()") in e.paper]
        )
        if not found:
            raise InputError(f"no {kind} is named {name!r}{_nearest(name, equations)}")
        chosen.update((equation.name, equation) for equation in found)
    pool = {name: equation for name, equation in equations.items() if name in chosen} if names else equations
    left = [
        equation
        for name, equation in pool.items()
        if not keyword or matches(keyword, f"{name} {equation.heading}")
    ]
    if not left:
        why = f"no {kind} matches -k {keyword!r}" if keyword else f"there is no {kind} here"
        raise NothingSelected(f"nothing selected: {why}{_nearest(keyword, equations)}")
    return left


def matches(expression: str, text: str) -> bool:
    """Whether `text` satisfies `expression`: substrings, and, or, not, parentheses; any case."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    text = text.lower()

    def alternatives() -> bool:
        value = conjunction()
        while tokens and tokens[0] == "or":
            tokens.pop(0)
            value = conjunction() or value
        return value

    def conjunction() -> bool:
        value = term()
        while tokens and tokens[0] == "and":
            tokens.pop(0)
            value = term() and value
        return value

    def term() -> bool:
        token = tokens.pop(0) if tokens else ")"
        if token == "not":
            return not term()
        if token == "(":
            value = alternatives()
            if not tokens or tokens.pop(0) != ")":
                raise InputError(f"-k {expression!r} lacks a closing parenthesis")
            return value
        if token in (")", "and", "or"):
            raise InputError(f"-k {expression!r} is no expression; expected names joined by and, or, not")
        return token.lower() in text

    value = alternatives()
    if tokens:
        raise InputError(
            f"-k {expression!r} is no expression at {tokens[0]!r}; expected names joined by and, or, not"
        )
    return value


def _nearest(name: str, equations: Mapping[str, Equation]) -> str:
    near = difflib.get_close_matches(name, equations, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(equations) or 'none'}"
