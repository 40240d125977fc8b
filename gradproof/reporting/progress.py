"""Live progress: a bar on a terminal with what is at work, and nothing at all where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(total: int, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields `at(name)`: the one before is done, and `name` is at work now.

    The bar is on stderr, where that is a terminal; elsewhere there is none, so that a log has no control codes. rich
    obeys NO_COLOR, and draws nothing where TERM is dumb.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    # 26 + 24 + 9 + 7 and the gaps: 80 columns are not exceeded, and a long name is cut, not folded
    name_column = TextColumn("{task.description}", markup=False, table_column=Column(width=26, no_wrap=True))
    columns = (name_column, BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=total)
        started = False

        def at(name: str) -> None:
            nonlocal started
            bar.update(task, description=name, advance=int(started))
            started = True

        yield at
