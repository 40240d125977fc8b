r"""LaTeX formulas as plain text that a terminal can show.

\frac{\partial J}{\partial W^{[1]}}     dJ/dW^[1]
\sum_{i=1}^{C} y_i \log(a_i)            sum_{i=1}^C y_i log(a_i)
\begin{cases} Z, & \text{if } Z > 0 \\ 0, & \text{otherwise} \end{cases}      {Z, if Z > 0; 0, otherwise}
"""

import re

TOKEN = re.compile(r"\\begin\{\w+\}|\\end\{\w+\}|\\[A-Za-z]+|\\.|[{}^_&]|[A-Za-z]+|\d+|\s+|.", re.S)
WORDS = {
    r"\partial": "d",
    r"\cdot": " . ",
    r"\times": " x ",
    r"\dots": "...",
    r"\cdots": "...",
    r"\vdots": "...",
    r"\ddots": "...",
    r"\neq": " != ",
    r"\ge": " >= ",
    r"\Rightarrow": " => ",
    r"\rightarrow": " -> ",
    r"\nabla": "grad ",
    r"\int": "int ",
    r"\lfloor": "|",
    r"\rfloor": "|",
    r"\quad": " ",
    r"\qquad": " ",
    r"\left": "",
    r"\right": "",
    r"\big": "",
    r"\,": " ",
    r"\ ": " ",
}
UNWRAPPED = (r"\text", r"\operatorname", r"\mathbf", r"\overline")
OPENERS = {"cases": "{", "bmatrix": "[", "pmatrix": "("}
CLOSERS = {"cases": "}", "bmatrix": "]", "pmatrix": ")"}
JOINED = re.compile(r"[-+= ]|\.")  # what a numerator or denominator needs brackets for


def plain(latex: str) -> str:
    """The formula as one line of plain text."""
    text, _ = _until(TOKEN.findall(latex), 0, None)
    text = text.replace("``", '"').replace("''", '"')
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"\s+([,;)\]}])", r"\1", re.sub(r"([(\[{])\s+", r"\1", text)).strip()


def _until(tokens: list[str], at: int, end: str | None) -> tuple[str, int]:
    """Text up to the token `end`, and the place after it."""
    out = ""
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token == end:
            return out, at
        if token == r"\frac":
            top, at = _argument(tokens, at)
            bottom, at = _argument(tokens, at)
            if out[-1:].isalnum() and not out.endswith("d"):
                out += " "
            out += f"{_bracketed(top)}/{_bracketed(bottom)}"
        elif token in "^_":
            script, at = _argument(tokens, at)
            over_all = re.search(r"(sum|max)(_\S*)?\s*$", out)
            out = f"{out.rstrip()}{token}{_limit(script)} " if over_all else out + token + _script(script)
        elif token.startswith(r"\begin"):
            name = token[7:-1]
            inner, at = _until(tokens, at, rf"\end{{{name}}}")
            out += f"{OPENERS.get(name, '[')}{inner}{CLOSERS.get(name, ']')}"
        elif token == r"\hat":
            inner, at = _argument(tokens, at)
            out += f"{inner}_hat"
        elif token in UNWRAPPED:
            inner, at = _argument(tokens, at)
            out += inner
        elif token == "{":
            inner, at = _until(tokens, at, "}")
            out += inner
        elif token == r"\\":
            out = out.rstrip() + "; "
        elif token == "&":
            out = out.rstrip() + ("" if out.rstrip().endswith((",", ";")) else ",") + " "
        elif token in WORDS:
            out = out.rstrip() + WORDS[token] if WORDS[token].startswith(" ") else out + WORDS[token]
            while token == r"\partial" and at < len(tokens) and tokens[at].isspace():
                at += 1
        elif token.startswith("\\") and token[1:].isalpha():
            out += (" " if out[-1:].isalnum() else "") + token[1:]
        else:
            out += token.removeprefix("\\")
    return out, at


def _argument(tokens: list[str], at: int) -> tuple[str, int]:
    while at < len(tokens) and tokens[at].isspace():
        at += 1
    if at < len(tokens) and tokens[at] == "{":
        inner, after = _until(tokens, at + 1, "}")
        return inner.strip(), after
    inner, _ = _until(tokens[at : at + 1], 0, None)
    return inner, at + 1


def _script(text: str) -> str:
    simple = re.fullmatch(
        r"-?[A-Za-z]\w*|-?\d+|\[[^\]]*\]|\([^)]*\)|\w+\[[^\]]*\]|-?[A-Za-z](\^\w+|_\w+|\^\[\w+\])", text
    )
    return text if simple else f"({text})"


def _limit(text: str) -> str:
    return f"{{{text}}}" if re.search(r"[-+=,]", text) else text


def _bracketed(text: str) -> str:
    text = text.strip()
    simple = not JOINED.search(re.sub(r"\[[^\]]*\]|\{[^}]*\}|\^-?\w+", "", text))
    return text if simple or _wrapped(re.sub(r"\^\w+$", "", text)) else f"({text})"


def _wrapped(text: str) -> bool:
    """Whether one pair of brackets encloses everything."""
    depths, depth = [], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        depths.append(depth)
    return text.startswith("(") and depths[-1] == 0 and 0 not in depths[:-1]
