"""Lines to stdout: plain text for a program, coloured on a terminal (unless NO_COLOR is set)."""

import sys
from collections.abc import Iterable

import click

Line = tuple[str, str]  # text and colour; "" leaves it as it is


def show(lines: Iterable[Line]) -> None:
    """Print the lines; each may hold line breaks."""
    if not sys.stdout.isatty():
        for text, _ in lines:
            click.echo(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text, colour in lines:
        console.print(Text(text, style=colour), soft_wrap=True)
