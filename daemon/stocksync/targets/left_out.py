"""Columns that rows were written without, as the target refused them: tried again, as what was in the way may be gone.

Two rows that hold each other's value in a unique column exchange them, where the column takes a NULL meanwhile.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Cell, Change, Removal
from stocksync.errors import RowsRefused
from stocksync.targets import dialects, rows
from stocksync.targets.batch import Batch, BatchStatements, RowChange, arrange, in_words, left_out_by
from stocksync.targets.faults import Objection, Taken, TransactionGone, attempt
from stocksync.targets.layout import Layout
from stocksync.targets.settings import MatchBy


def batch_of(layout: Layout, match_by: MatchBy, left_out: Iterable[tuple[Change, str]], now: datetime) -> Batch:
    """Give what is to be set in each row: nothing but the columns that its words name."""
    words = {change.cell: said for change, said in left_out}
    # Of a row that was put to sleep every column is set that can go along.
    batch = arrange(layout, match_by, (replace(change, before=Removal.DEACTIVATED) for change, _ in left_out), now)
    for at, order in enumerate(batch.orders):
        names = left_out_by(layout, words[order.change.cell])
        batch.orders[at] = order._replace(sets={name: order.sets[name] for name in names if name in order.sets})
    return batch


@dataclass(slots=True)
class ColumnRetry:
    """One transaction in which columns are tried again."""

    connection: AsyncConnection
    layout: Layout
    where: str
    refused: dict[Cell, str] = field(default_factory=dict)
    """What is refused still, with the target's words."""

    async def run(self, batch: Batch) -> None:
        """Try each row by itself, then those together that another row's value keeps out."""
        self.refused = {change.cell: why for change, why in batch.misfits}
        found = await rows.lock(self.connection, self.layout, batch, patient=False)
        taken = []
        for order in batch.orders:
            if found.count[order.key] != 1 or order.key in found.held:
                self.refused[order.change.cell] = "the row is not there, or is another transaction's"
            elif order.left_out:
                self.refused[order.change.cell] = in_words(self.layout, order.left_out)
            elif await self._tried(order):
                taken.append(order)
        while len(taken) > 1 and self.layout.other_nullable and (loser := await self._exchanged(taken)) is not None:
            taken.remove(loser)

    async def _tried(self, order: RowChange) -> bool:
        """Set one row; whether a unique index alone refuses it."""
        try:
            async with self._attempt():
                await self._set(order)
        except TransactionGone:
            raise
        except (RowsRefused, Objection) as error:
            self.refused[order.change.cell] = in_words(self.layout, dict.fromkeys(order.sets, str(error)))
            return isinstance(error, Taken)
        return False

    async def _exchanged(self, orders: Sequence[RowChange]) -> RowChange | None:
        """Empty the column in all of these rows, then fill it; give the row that even then is refused."""
        order: RowChange | None = None
        try:
            async with self._attempt():
                for one in orders:
                    await self._set(one._replace(sets={"v_other": None}))
                for order in orders:  # where this one is refused, it is the one to name
                    await self._set(order)
        except TransactionGone:
            raise
        except (RowsRefused, Objection):
            return order
        for one in orders:
            del self.refused[one.change.cell]
        return None

    async def _set(self, order: RowChange) -> None:
        if order.sets:
            updates = {tuple(order.sets): [order.finds | order.sets]}
            await rows.execute(self.connection, self.layout, BatchStatements(updates=updates))
        await dialects.check_now(self.connection)

    def _attempt(self) -> AbstractAsyncContextManager[None]:
        return attempt(self.connection, self.where, [rows.no_update(self.layout)])
