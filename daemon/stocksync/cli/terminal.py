"""Standard output for results, standard error for everything else."""

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NoReturn, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from stocksync.cli.commands_whole import whole
from stocksync.cli.format.csv_rows import Sheet
from stocksync.cli.format.elements import clean
from stocksync.cli.stream import Stream, as_json, told, writable
from stocksync.core.jsonable import dumps, jsonable

_UNBOUNDED = 10_000
"""A pipe has no width: nothing that reads it wants lines broken."""

Report = Callable[[str, int, int], None]
"""Called with (account, done, total) while pages are read."""


def _open_missing() -> None:
    """Give a process that was started without its streams some: else a database may be opened as number 2."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


class _Console(Console):
    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401  Rich's signature
        """Print; a command that a person is to type stays on one line."""
        super().print(*(whole(each) for each in objects), **options)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to whoever runs the program: Rich would end it from within a running event loop."""
        raise BrokenPipeError(32, "nobody reads on")


def _console(*, stderr: bool) -> Console:
    stream = Stream(stderr=stderr)
    # COLUMNS is read by Rich itself; without it, a terminal has its own width.
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdecimal() else _UNBOUNDED
    return _Console(file=cast(IO[str], stream), width=width, highlight=False, markup=False, emoji=False)


_open_missing()
out = _console(stderr=False)
err = _console(stderr=True)


def complain(line: str) -> None:
    """Tell a person what went wrong, on standard error, in one line."""
    err.print(Text.assemble(("error: ", "bold red"), clean(line)), soft_wrap=True)


def note(line: str) -> None:
    """Tell a person something beside the result, on standard error."""
    err.print(Text(clean(line), style="dim"), soft_wrap=True)


def print_csv(sheet: Sheet) -> None:
    """Print a result for spreadsheets; what is not known is empty, and several values stand in one cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if sheet.head:
        writer.writerow(sheet.head)
    writer.writerows([_csv_cell(jsonable(cell)) for cell in row] for row in sheet.rows)
    print_raw(writable(text.getvalue(), sys.stdout.encoding))


def _csv_cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "; ".join(map(str, value)) if isinstance(value, list) else value


def print_json(value: object) -> None:
    """Print a result for machines."""
    print_raw(as_json(dumps(value, indent=2).decode("utf-8"), sys.stdout.encoding) + "\n")


def print_raw(text: str) -> None:
    """Print a result as it stands, at once.

    Raises:
        OutputFailed: it cannot be written.

    """
    with told():
        sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def progress() -> Iterator[Report]:
    """Show a bar per account on standard error while pages are read; nothing where that is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("pages"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def report(account: str, done: int, total: int) -> None:
            if account not in tasks:
                tasks[account] = bars.add_task(account, total=None)
            bars.update(tasks[account], completed=done, total=total or None)

        yield report
