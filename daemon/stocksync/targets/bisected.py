"""Reads of many rows, some of which the database may refuse to show."""

from collections.abc import Awaitable, Callable, Sequence

from stocksync.core.model import Cell, RowLocator, TargetRow
from stocksync.errors import RowsRefused, TargetUnavailable

_HOPELESS = 20
"""Rows refused one by one, with none shown, before the target itself is called broken."""

Read = Callable[[Sequence[RowLocator]], Awaitable[dict[Cell, TargetRow]]]


async def bisected(refs: Sequence[RowLocator], read: Read) -> dict[Cell, TargetRow]:
    """Read rows in halves where the database refuses some: those are given as unreadable, with its words.

    Raises:
        TargetUnavailable: it refuses all of them, or another transaction keeps them from being read.

    """
    found: dict[Cell, TargetRow] = {}
    shown, refused = 0, 0
    left = [refs] if refs else []
    while left:
        some = left.pop()
        try:
            found.update(await read(some))
            shown += len(some)
        except RowsRefused as error:
            if len(some) > 1:
                middle = len(some) // 2
                left += [some[middle:], some[:middle]]  # the first half comes next
                continue
            found[some[0].cell] = TargetRow(None, None, 1, unreadable=str(error))
            refused += 1
            if refused == _HOPELESS and not shown:
                await _show_one_at_least(refs[-1], read, error)
    return found


async def _show_one_at_least(ref: RowLocator, read: Read, refusal: RowsRefused) -> None:
    """Tell a target that shows nothing from bad rows that happen to come first, by the last one."""
    try:
        await read([ref])
    except RowsRefused:
        raise TargetUnavailable(f"the target refuses to show any row: {refusal}") from refusal
