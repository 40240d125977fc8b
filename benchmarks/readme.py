"""What README shows of the program, made by the program: `python -m benchmarks.readme [BLOCK ...]` puts it in.

report   an excerpt of `gradproof report`: some equations and the summary, without time and folder, which differ
own      `gradproof check` of the functions that README shows above the block
claims   how the paper's claims came out, and its genuine errors in groups
power    the tables of benchmarks/power.json
bench    the tables of benchmarks/bench.json

`python -m benchmarks.readme power --power FILE ...` first takes the figures of FILE, which `python -m benchmarks.power
--json FILE` wrote, into benchmarks/power.json: several files of one and the same corpus are joined, tool by tool.
`bench --bench FILE ...` takes those of `gradproof bench --json FILE` into benchmarks/bench.json, in the same way.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FIGURES = Path(__file__).with_name("power.json")
TIMES = Path(__file__).with_name("bench.json")  # of `gradproof bench --json`
SHOWN = ("dense", "relu", "softmax", "convolution", "max_pool", "cnn_softmax")
OWN = 'gradproof check layers:dense layers:dense_vjp --shapes "x: n d, w: d m, b: m -> y: n m"'
TITLES = {
    "kernels": "A derivative, over the best framework's",
    "checks": "A check, beside the field's checkers",
    "commands": "Whole commands",
}


def block(name: str, text: str) -> str:
    """What README holds in the block `name` of `text`, between its two marks."""
    return _marked(name).search(text)[2]  # type: ignore[index]  # a README without the block fails here, loudly


def _marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}:.*?-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


def _command(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(folder)])
    return subprocess.run(
        [sys.executable, "-m", "gradproof", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
    )


# ---- report


def report() -> str:
    done = _command("report")
    if done.returncode not in (0, 4):
        sys.exit(f"gradproof report ended with {done.returncode}; README shows only a report of what is right")
    return f"```text\n$ gradproof report\n{excerpt(done.stdout)}\n```\n"


def excerpt(text: str) -> str:
    """The head of the table, the equations SHOWN, and the summary of a report's text."""
    head, table = text.split("\n\n", 1)
    columns, *rest = table.split("\n")
    groups: dict[str, list[str]] = {}
    tail: list[str] = []
    group: list[str] | None = None
    for line in rest:
        name = re.match(r"(\w+): ", line)
        if not line and groups:
            group = tail
        elif name and group is not tail:
            group = groups.setdefault(name[1], [])
        if group is not None:
            group.append(line)
    some = [line for name in SHOWN for line in groups.get(name, [])]
    left = f"... {len(groups) - len(set(SHOWN) & set(groups))} more equations ..."
    summary = [re.sub(r" in \d+ s:", ":", line) for line in tail if line and not line.startswith("Judged:")]
    return "\n".join([head, "", columns, *some, left, "", *summary])


def shape(text: str) -> str:
    """A report's text without its figures: what must not change unseen."""
    return re.sub(r"\b\d+(\.\d+)?(e-?\d+)?\b", "#", re.sub(r"(ok) \S+", r"\1", text))


def shown() -> str:
    """The report in README."""
    fenced = re.search(r"```text\n(.*?)\n```", block("report", README.read_text(encoding="utf-8")), re.DOTALL)
    assert fenced, "README's block `report` is empty; run: python -m benchmarks.readme report"
    return fenced[1]


# ---- own


def layers(text: str) -> str:
    """The file layers.py that README shows."""
    return next(code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def dense_vjp(" in code)


def own() -> str:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "layers.py").write_text(layers(README.read_text(encoding="utf-8")), encoding="utf-8")
        arguments = re.findall(r'"([^"]*)"|(\S+)', OWN)
        done = _command(*("".join(pair) for pair in arguments[1:]), folder=Path(folder))
    if done.returncode != 1:
        sys.exit(f"gradproof check ended with {done.returncode} on README's wrong derivative: {done.stderr}")
    return f"```text\n$ {OWN}\n{done.stdout}```\n"


# ---- claims


def claims() -> str:
    from gradproof.claims.check import check_paper
    from gradproof.claims.report import errors, figures

    paper, findings = check_paper()
    count = figures(findings)
    head = (
        f"Of {count['claims']} claims {count['holds']} hold, {count['convention']} hold under a convention that the "
        f"text leaves unsaid, {count['refuted']} are refuted by an example, and {count['unreadable']} cannot be read "
        f"in our copy. For {count['proved']} the form that holds is proved by computer algebra as well. What is wrong, "
        "the most serious first:"
    )
    head = textwrap.fill(head, 120) + "\n\n"
    return head + "".join(f"- {title} ({len(found)}).\n" for title, found in errors(paper, findings))


# ---- power


def take(files: list[Path], note: str = "") -> None:
    """Join the figures of these files, tool by tool, without the lists of what each tool got wrong."""
    joined: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        for call, columns in json.loads(file.read_text(encoding="utf-8")).items():
            joined.setdefault(call, []).extend(_slim(column) for column in columns)
    FIGURES.write_text(json.dumps({"note": note, **joined}, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _slim(value: Any) -> Any:
    return {k: _slim(v) for k, v in value.items() if k != "failures"} if isinstance(value, dict) else value


def power() -> str:
    if not FIGURES.is_file():
        sys.exit(f"no {FIGURES.name}; run: python -m benchmarks.power --json FILE, then this with --power FILE")
    read = json.loads(FIGURES.read_text(encoding="utf-8"))
    note = read.pop("note", "")
    return "\n\n".join([*([note] if note else []), *tables(read)]) + "\n"


def tables(read: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A Markdown table a way of calling, a tool a column."""
    from benchmarks.measures import Count
    from benchmarks.power import CALLS, Column, table

    kinds = {field.name: field.type for field in fields(Column)}

    def value(name: str, found: Any) -> Any:
        if isinstance(found, dict):
            return Count(**found)
        return float(found) if kinds[name] is float else found

    return [
        table(title, [Column(**{k: value(k, v) for k, v in column.items()}) for column in read[call]])
        for call, title in CALLS.items()
        if read.get(call)
    ]


# ---- bench


def take_times(files: list[Path]) -> None:
    """Join the figures of these files; where two have the same, the later file's. A record a line."""
    kept: dict[str, Any] = {}
    joined: dict[str, dict[str, Any]] = {}
    for file in files:
        for part, found in json.loads(file.read_text(encoding="utf-8")).items():
            if isinstance(found, list) and part != "settings":
                joined.setdefault(part, {}).update((_which(record), _rounded(record)) for record in found)
            elif part == "machine":
                kept[part] = found
    lines = [f'"{part}": {json.dumps(found)}' for part, found in kept.items()]
    for part, records in joined.items():
        rows = ",\n ".join(json.dumps(record, allow_nan=False) for record in records.values())
        lines.append(f'"{part}": [\n {rows}\n]')
    TIMES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _which(record: dict[str, Any]) -> str:
    """What a record is of: all of it that is no figure."""
    return json.dumps({k: v for k, v in record.items() if isinstance(v, str | int) and k != "floor"})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def bench() -> str:
    """The tables of the kept figures: the first of each benchmark as it is, the others folded."""
    from benchmarks.__main__ import shown as tables_of
    from benchmarks.race import told

    figures = json.loads(TIMES.read_text(encoding="utf-8"))
    parts = [textwrap.fill(told(figures["machine"]), 120)]
    for name, (first, *others) in tables_of(figures).items():
        folded = "\n\n".join(others)
        parts += [f"### {TITLES[name]}", first, f"<details>\n<summary>Every figure</summary>\n\n{folded}\n\n</details>"]
    return "\n\n".join(parts) + "\n"


BLOCKS: dict[str, Callable[[], str]] = {
    "report": report,
    "own": own,
    "claims": claims,
    "power": power,
    "bench": bench,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("blocks", nargs="*", metavar="BLOCK", help=f"of {', '.join(BLOCKS)} (default: all)")
    parser.add_argument("--power", nargs="+", type=Path, default=[], metavar="FILE", help="take these figures first")
    parser.add_argument("--bench", nargs="+", type=Path, default=[], metavar="FILE", help="take these times first")
    parser.add_argument("--note", default="", help="a sentence to stand above these figures")
    arguments = parser.parse_args()
    if unknown := set(arguments.blocks) - set(BLOCKS):
        parser.error(f"no block is named {', '.join(sorted(unknown))}; choose from {', '.join(BLOCKS)}")
    if arguments.power:
        take(arguments.power, arguments.note)
    if arguments.bench:
        take_times(arguments.bench)
    taken = [*["power"] * bool(arguments.power), *["bench"] * bool(arguments.bench)]
    for name in arguments.blocks or taken or BLOCKS:
        made = BLOCKS[name]()
        readme = README.read_text(encoding="utf-8")
        README.write_text(_marked(name).sub(lambda m, made=made: m[1] + made + m[3], readme), encoding="utf-8")


if __name__ == "__main__":
    main()
