"""The report that README shows: `python -m benchmarks.readme` runs `gradproof report` and puts its lines in.

An excerpt of the table, then the summary; time and folder are left out, which differ on every machine.
"""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
SHOWN = ("dense", "relu", "softmax", "convolution", "max_pool", "cnn_softmax")
BLOCK = re.compile(r"(<!-- report:.*?-->\n).*?(<!-- /report -->)", re.DOTALL)


def excerpt(report):
    """The head of the table, the equations SHOWN, and the summary of a report's text."""
    head, table = report.split("\n\n", 1)
    columns, *rest = table.split("\n")
    groups, tail, group = {}, [], None
    for line in rest:
        name = re.match(r"(\w+): ", line)
        if not line and groups:
            group = tail
        elif name and group is not tail:
            group = groups.setdefault(name[1], [])
        if group is not None:
            group.append(line)
    shown = [line for name in SHOWN for line in groups.get(name, [])]
    left = f"... {len(groups) - len(set(SHOWN) & set(groups))} more equations ..."
    summary = [re.sub(r" in \d+ s:", ":", line) for line in tail if line and not line.startswith("Judged:")]
    return "\n".join([head, "", columns, *shown, left, "", *summary])


def shape(text):
    """A report's text without its figures: what must not change unseen."""
    return re.sub(r"\b\d+(\.\d+)?(e-?\d+)?\b", "#", re.sub(r"(ok) \S+", r"\1", text))


def shown():
    """The report in README."""
    return re.search(r"```text\n(.*?)\n```", BLOCK.search(README.read_text(encoding="utf-8"))[0], re.DOTALL)[
        1
    ]


def main():
    report = subprocess.run(
        [sys.executable, "-m", "gradproof", "report"], capture_output=True, text=True, check=False
    )
    if report.returncode not in (0, 4):
        sys.exit(
            f"gradproof report ended with {report.returncode}; README shows only a report of what is right"
        )
    block = f"```text\n$ gradproof report\n{excerpt(report.stdout)}\n```\n"
    readme = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda m: m[1] + block + m[2], readme), encoding="utf-8")


if __name__ == "__main__":
    main()
