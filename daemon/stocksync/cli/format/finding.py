"""The lines of `check`."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from stocksync.cli.format.words import BAD, FAILS, GOOD, WARN, WELL, clean
from stocksync.core.answers import CheckResult

_PART_WIDTH = 22


def finding(value: CheckResult) -> Table:
    """Show one part: well or not, and what to do."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=1)
    grid.add_column(min_width=_PART_WIDTH, no_wrap=True)
    grid.add_column(overflow="fold")
    mark = Text(WELL, style=GOOD) if value.well else Text(FAILS, style=BAD)
    grid.add_row(mark, Text(clean(value.part), style="bold"), Text(clean(value.what), style="" if value.well else BAD))
    if value.todo:
        grid.add_row("", "", Text(f"→ {clean(value.todo)}", style=WARN))
    return grid


def verdict(values: Sequence[CheckResult]) -> Text:
    """Sum up."""
    bad = sum(not value.well for value in values)
    if bad:
        return Text(f"{bad} of {len(values)} need{'s' if bad == 1 else ''} you", style=f"bold {BAD}")
    return Text("all is well; `stocksync plan` shows what would be written", style=f"bold {GOOD}")
