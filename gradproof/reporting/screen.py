"""Lines to stdout: plain text for a program, coloured on a terminal (unless NO_COLOR is set)."""

import os
import sys
from collections.abc import Iterable

import click

Line = tuple[str, str]  # text and colour; "" leaves it as it is


def show(lines: Iterable[Line]) -> None:
    """Print the lines; each may hold line breaks. A reader that has left (`| head`) ends nothing but the printing."""
    try:
        _show(lines)
    except BrokenPipeError:
        nobody_reads()


def counted(number: int, word: str) -> str:
    """1 equation, 2 equations."""
    return f"{number} {word}{'s' * (number != 1)}"


def nobody_reads() -> None:
    """Stdout goes nowhere from here on, so that neither a later line nor the flush at the end stumbles."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _show(lines: Iterable[Line]) -> None:
    if not sys.stdout.isatty():
        for text, _ in lines:
            click.echo(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text, colour in lines:
        console.print(Text(text, style=colour), soft_wrap=True)
