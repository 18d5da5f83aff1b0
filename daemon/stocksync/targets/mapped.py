"""A table of the user's, by column mapping."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import Update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stocksync.core.model import Cell, Change, Removal, RowLocator, TargetRow
from stocksync.errors import ConfigurationError, RowsRefused, TargetUnavailable
from stocksync.ports import BatchResult, Capabilities, Fence, Trial
from stocksync.sqlengine import close_engine, rehearsing, writing
from stocksync.targets import dialects, rows
from stocksync.targets.after_batch import AfterBatch
from stocksync.targets.batch import Batch, Row, arrange, lesser, row_key, sort_out
from stocksync.targets.bisected import BisectedReads
from stocksync.targets.codecs import UnsuitableValue
from stocksync.targets.faults import Taken, TransactionGone, attempt, attempt_to_read, patiently
from stocksync.targets.layout import Layout, RowKey
from stocksync.targets.left_out import ColumnRetry, batch_of
from stocksync.targets.own_table import unmade
from stocksync.targets.reflect import NoTable, column_types, create, reflect
from stocksync.targets.refused_columns import RefusedColumns
from stocksync.targets.rehearsal import rehearse_table
from stocksync.targets.settings import MatchBy, Missing, TargetSettings, rehearsed
from stocksync.targets.transaction import fenced, written
from stocksync.threads import off_loop

log = structlog.get_logger(__name__)


class MappedTarget:
    """Keeps one table's quantities; see the port for what each call promises."""

    def __init__(self, settings: TargetSettings, engine: AsyncEngine, *, owned: bool) -> None:
        """Take the engine; nothing is connected yet. `close` gives back only an engine that is `owned`."""
        self._settings = settings
        self._engine = engine
        self._owned = owned
        self._known: Layout | None = None
        self._refused_columns = RefusedColumns()
        self._reads = BisectedReads()
        self._after_batch = AfterBatch(settings, self._live)

    async def inspect(self) -> Capabilities:
        """Reflect the table anew and check the mapping."""
        layout = await self._reflect()
        if layout is None:
            return unmade(self._settings)
        for note in layout.notes:
            log.warning("target_noted", account=self._settings.account, note=note)
        return Capabilities(
            scale=layout.quantity.scale,
            summed=layout.place is None,
            by_sku=self._settings.match_by is MatchBy.SKU,
            creates=self._settings.missing is Missing.INSERT,
            can_deactivate=layout.active is not None,
            can_scan=True,
            layout=layout.types[layout.quantity.column.name],
            notes=layout.notes,
        )

    async def stale(self) -> bool | None:
        """Look at the columns' types again, with one question."""
        known = self._known
        if known is None:
            return None
        async with self._patiently(), dialects.reading_within(self._engine, self._settings.patience.lock) as connection:
            return await connection.run_sync(column_types, known.table) != known.types

    async def rehearse(self, sample: Sequence[Change]) -> list[Trial]:
        """Do what a cycle does with such changes, in a transaction that is rolled back."""
        async with self._patiently(), rehearsing(self._engine) as connection:
            patience = rehearsed(self._settings.patience)
            await dialects.guard(connection, patience, patience.lock)
            trials = await rehearse_table(connection, self._settings, sample)
        async with self._patiently():
            return trials + await self._after_batch.rehearse(self._engine, sample)

    async def make(self) -> None:
        """Make our own table, where it is asked for and not there."""
        if await self._layout() is not None:
            return
        async with self._patiently(), writing(self._engine) as connection:
            await connection.run_sync(create, self._settings)

    async def read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        """Look cells up, many per statement."""
        layout = await self._layout()
        if layout is None:
            return {}
        finds = self._findable(layout, refs)

        async def look_up(some: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
            known = finds if some[0] in finds else self._findable(layout, some)  # a row that was shown before
            return await self._look_up(layout, {ref.cell: known[ref] for ref in some if ref in known})

        return await self._reads.rows(list(finds), look_up)

    async def _look_up(self, layout: Layout, wanted: dict[Cell, tuple[RowKey, Row]]) -> dict[Cell, TargetRow]:
        async with (
            self._patiently() as go_on,
            dialects.reading_within(self._engine, self._settings.patience.lock) as connection,
            attempt_to_read(connection, self._settings.where, [rows.no_row(layout)]),
        ):
            found = await rows.look_up(connection, layout, [finds for _, finds in wanted.values()], go_on)
        return {cell: found[key] for cell, (key, _) in wanted.items() if key in found}

    async def is_empty(self) -> bool:
        """Look for one row, be it seen or not."""
        layout = await self._layout()
        if layout is None:
            return True
        async with (
            self._patiently(),
            dialects.reading_within(self._engine, self._settings.patience.lock) as connection,
            attempt_to_read(connection, self._settings.where, [rows.no_row(layout)]),
        ):
            return (await connection.execute(rows.any_row(layout))).first() is None

    async def scan(self, size: int) -> AsyncGenerator[list[tuple[str, str, TargetRow]], None]:
        """Walk the table in key order; each page is a transaction of its own."""
        layout = await self._layout()
        after: Row = {}
        while layout is not None:
            async with (
                self._patiently(),
                dialects.reading_within(self._engine, self._settings.patience.lock) as connection,
            ):
                page, after = await rows.page_after(connection, layout, after, size)
            if page:
                yield page
            if not after:
                return

    async def write(
        self,
        changes: Sequence[Change],
        fence: Fence,
        transaction: Any = None,  # noqa: ANN401  opaque to the port
        *,
        patient: bool = True,
        cycle_id: str = "",
    ) -> BatchResult:
        """Write a batch in one transaction."""
        if not changes:
            return BatchResult()

        async def write() -> BatchResult:
            async with fenced(self._settings, self._engine, fence, transaction, patient=patient) as connection:
                result = await self._apply(connection, changes, patient=patient)
                await self._after_batch.run(connection, cycle_id, result)
                return result

        joins = transaction is not None
        with self._known_anew():
            return await written(self._settings, self._engine, changes, write, self._with_no_row, joins=joins)

    async def retry_columns(
        self,
        left_out: Sequence[tuple[Change, str]],
        fence: Fence,
        transaction: Any = None,  # noqa: ANN401  opaque to the port
    ) -> dict[Cell, str]:
        """Set again what rows were written without, and no figure."""
        layout = await self._layout()
        if layout is None or not left_out:
            return {}
        batch = batch_of(layout, self._settings.match_by, left_out, datetime.now(UTC))
        async with fenced(self._settings, self._engine, fence, transaction, patient=False) as connection:
            retry = ColumnRetry(connection, layout, self._settings.where)
            await retry.run(batch)
        self._refused_columns.forget({change.cell for change, _ in left_out} - retry.refused.keys())
        return retry.refused

    async def close(self) -> None:
        """Give the connections back, where they are ours alone."""
        if self._owned:
            await close_engine(self._engine)

    def _with_no_row(self) -> list[Update]:
        return [] if self._known is None else [rows.no_update(self._known)]

    async def _apply(self, connection: AsyncConnection, changes: Sequence[Change], *, patient: bool) -> BatchResult:
        layout = self._known or await self._reflect_over(connection)
        if layout is None:
            raise TargetUnavailable(f"{self._settings.where}.table: {self._settings.table} is not there to be written")
        now, match_by = datetime.now(UTC), self._settings.match_by
        batch = await off_loop(len(changes), arrange, layout, match_by, changes, now)
        if not batch.orders:
            return BatchResult(ambiguous=batch.misfits)
        batch.orders = self._refused_columns.spare(batch.orders)
        try:
            return await self._once(connection, layout, batch, patient=patient)
        except TransactionGone:
            raise
        except RowsRefused as refused:
            if len(batch.orders) > 1:  # which of them it is nobody knows yet: nothing of the batch may stay
                raise
            refusal = refused
        # One row alone is refused. Where somebody inserted it since we looked, the second look finds it.
        again = [batch] if isinstance(refusal, Taken) else []
        lessened = [Batch([order], batch.misfits) for order in lesser(batch.orders[0], str(refusal))]
        for other in (*again, *lessened):
            try:
                written = await self._once(connection, layout, other, patient=patient)
            except TransactionGone:
                raise
            except RowsRefused:
                continue
            self._refused_columns.learn(other.orders)
            return written
        raise refusal

    async def _once(self, connection: AsyncConnection, layout: Layout, batch: Batch, *, patient: bool) -> BatchResult:
        alone = attempt(connection, self._settings.where, self._with_no_row())
        async with alone if len(batch.orders) == 1 else nullcontext():
            found = await rows.lock(connection, layout, batch, patient=patient)
            work = await off_loop(len(batch.orders), sort_out, layout, self._settings.missing, batch, found)
            await rows.execute(connection, layout, work)
            await dialects.check_now(connection)
            finds = [order.finds for order in work.touched]
            live = await rows.look_up(connection, layout, finds, lambda: None)
            # Rows that are not to be seen once they are written are taken back: each cycle would insert them again.
            unlike = "; it does not meet target.live" if layout.conditions else ""
            if any(order.key not in live for order in work.made):
                raise RowsRefused("the target took the new row, but it is not to be seen there afterwards" + unlike)
            # One that no longer meets `live` stays: what the shop made of its figure may be the reason.
            kept = [order for order in work.touched if order.sets and not isinstance(order.change.after, Removal)]
            if not layout.conditions and any(order.key not in live for order in kept):
                raise RowsRefused(
                    "the target took the figure, but no such row is there afterwards: a trigger gave it another key"
                )
            work.written.read_back({order.change.cell: live[order.key] for order in work.touched if order.key in live})
            return work.written

    async def _live(self, connection: AsyncConnection, changes: Sequence[Change]) -> dict[Cell, TargetRow]:
        if self._known is None:
            return {}
        wanted = self._findable(self._known, [change.ref for change in changes])
        found = await rows.look_up(connection, self._known, [finds for _, finds in wanted.values()], lambda: None)
        return {ref.cell: found[key] for ref, (key, _) in wanted.items() if key in found}

    def _findable(self, layout: Layout, refs: Sequence[RowLocator]) -> dict[RowLocator, tuple[RowKey, Row]]:
        findable = {}
        for ref in refs:
            try:
                findable[ref] = row_key(layout, self._settings.match_by, ref)
            except UnsuitableValue:
                continue  # no row can hold it; a write says why
        return findable

    @contextmanager
    def _known_anew(self) -> Iterator[None]:
        try:
            yield
        except ConfigurationError:
            self._known = None  # the table is not what it was: look at it anew next time
            raise

    @asynccontextmanager
    async def _patiently(self) -> AsyncIterator[Callable[[], None]]:
        with self._known_anew():
            async with patiently(self._settings.where, self._settings.patience) as go_on:
                yield go_on

    async def _layout(self) -> Layout | None:
        return self._known or await self._reflect()

    async def _reflect(self) -> Layout | None:
        """Look at the table; None where it is still to be made."""
        async with self._patiently(), dialects.reading_within(self._engine, self._settings.patience.lock) as connection:
            return await self._reflect_over(connection)

    async def _reflect_over(self, connection: AsyncConnection) -> Layout | None:
        """Look at the table over a connection at hand: a pooler may have no other."""
        try:
            self._known = await connection.run_sync(reflect, self._settings)
        except NoTable:
            if not self._settings.create_table:
                raise
            self._known = None
        return self._known
