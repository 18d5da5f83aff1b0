"""Reads of many rows, some of which the database may refuse to show."""

from collections.abc import Awaitable, Callable, Sequence

from stocksync.core.model import Cell, RowLocator, TargetRow
from stocksync.errors import RowsRefused, TargetUnavailable

_HOPELESS = 20
"""Rows refused one by one, with none shown, before it is asked whether the target shows any."""

Read = Callable[[Sequence[RowLocator]], Awaitable[dict[Cell, TargetRow]]]


class BisectedReads:
    """Reads in halves where the database refuses some rows; of one target, as it remembers a row that was shown."""

    def __init__(self) -> None:
        """Begin with nothing shown."""
        self._witness: RowLocator | None = None

    async def rows(self, refs: Sequence[RowLocator], read: Read) -> dict[Cell, TargetRow]:
        """Read rows; those that the database refuses are given as unreadable, with its words.

        Raises:
            TargetUnavailable: it refuses all of them and shows no other, or another transaction keeps them from being
                read.

        """
        found: dict[Cell, TargetRow] = {}
        shown, refused = 0, 0
        left = [refs] if refs else []
        while left:
            some = left.pop()
            try:
                seen = await read(some)
            except RowsRefused as error:
                if len(some) > 1:
                    middle = len(some) // 2
                    left += [some[middle:], some[:middle]]  # the first half comes next
                    continue
                found[some[0].cell] = TargetRow(None, None, 1, unreadable=str(error))
                refused += 1
                if refused == _HOPELESS and not shown:
                    await self._show_one_at_least(refs[-1], read, error)
            else:
                found.update(seen)
                shown += len(some)
                self._witness = next((ref for ref in some if ref.cell in seen), self._witness)
        return found

    async def _show_one_at_least(self, last: RowLocator, read: Read, refusal: RowsRefused) -> None:
        """Tell a target that shows nothing from bad rows: by the last one, and by one that it has shown before.

        Bad rows may come first, and where all others are settled they alone are asked for.
        """
        for ref in (last, *([self._witness] if self._witness else [])):
            try:
                await read([ref])
            except RowsRefused:
                continue
            return
        raise TargetUnavailable(f"the target refuses to show any row: {refusal}") from refusal
