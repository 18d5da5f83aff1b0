"""A table of the user's, by column mapping."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import stamina
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stocksync.core.model import Cell, Change, RowLocator, TargetRow
from stocksync.errors import ConfigurationError, RowsRefused, TargetUnavailable
from stocksync.ports import BatchResult, Capabilities, Fence, Trial
from stocksync.sqlengine import close_engine, reading, rehearsing, writing
from stocksync.targets import dialects, rows
from stocksync.targets.batch import Batch, Row, arrange, row_key, sort_out
from stocksync.targets.codecs import UnsuitableValue
from stocksync.targets.faults import Conflict, Objection, Taken, is_of_rows, patiently
from stocksync.targets.layout import Layout, RowKey
from stocksync.targets.own_table import unmade
from stocksync.targets.reflect import NoTable, column_types, create, reflect
from stocksync.targets.rehearsal import rehearse_table
from stocksync.targets.settings import MatchBy, Missing, TargetSettings, rehearsed

log = structlog.get_logger(__name__)


class MappedTarget:
    """Keeps one table's quantities; see the port for what each call promises."""

    def __init__(self, settings: TargetSettings, engine: AsyncEngine, *, owned: bool) -> None:
        """Take the engine; nothing is connected yet. `close` gives back only an engine that is `owned`."""
        self._settings = settings
        self._engine = engine
        self._owned = owned
        self._known: Layout | None = None

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

    async def stale(self) -> bool:
        """Look at the columns' types again, with one question."""
        known = self._known
        if known is None:
            return False
        async with self._patiently(), reading(self._engine) as connection:
            return await connection.run_sync(column_types, self._settings) != known.types

    async def rehearse(self, sample: Sequence[Change]) -> list[Trial]:
        """Do what a cycle does with such changes, in a transaction that is rolled back."""
        async with self._patiently(), rehearsing(self._engine) as connection:
            await dialects.guard(connection, rehearsed(self._settings.patience))
            return await rehearse_table(connection, self._settings, sample)

    async def make(self) -> None:
        """Make our own table, where it is asked for and not there."""
        if await self._layout() is not None:
            return
        async with self._patiently(), writing(self._engine) as connection:
            await connection.run_sync(create, self._settings)

    async def read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        """Look cells up, many per statement."""
        layout = await self._layout()
        wanted = dict(self._findable(layout, refs)) if layout is not None else {}
        if layout is None or not wanted:
            return {}
        async with self._patiently() as go_on, reading(self._engine) as connection:
            found = await rows.look_up(connection, layout, [finds for _, finds in wanted.values()], go_on)
        return {cell: found[key] for cell, (key, _) in wanted.items() if key in found}

    async def scan(self, size: int) -> AsyncGenerator[list[tuple[str, str, TargetRow]], None]:
        """Walk the table in key order; each page is a transaction of its own."""
        layout = await self._layout()
        after: Row = {}
        while layout is not None:
            async with self._patiently(), reading(self._engine) as connection:
                page, after = await rows.page_after(connection, layout, after, size)
            if page:
                yield page
            if not after:
                return

    async def write(self, changes: Sequence[Change], fence: Fence, transaction: Any = None) -> BatchResult:  # noqa: ANN401  opaque to the port
        """Write a batch in one transaction; deadlocks are tried again, up to three times."""
        if not changes:
            return BatchResult()
        layout = await self._layout()
        if layout is None:
            raise TargetUnavailable(f"{self._settings.where}.table: {self._settings.table} is not there to be written")
        batch = arrange(layout, self._settings.match_by, changes, datetime.now(UTC))
        if not batch.orders:
            return BatchResult(ambiguous=batch.misfits)
        try:
            if transaction is None:
                return await self._commit(layout, batch, fence)
            async with self._patiently():
                await fence()
                return await self._apply(transaction.connection, layout, batch)
        except Objection as objection:
            if await is_of_rows(objection, self._engine, self._settings.where, [rows.no_update(layout)]):
                raise RowsRefused(objection.words) from objection
            raise

    async def close(self) -> None:
        """Give the connections back, where they are ours alone."""
        if self._owned:
            await close_engine(self._engine)

    async def _commit(self, layout: Layout, batch: Batch, fence: Fence) -> BatchResult:
        try:
            return await self._persist(layout, batch, fence)
        except Taken:
            # Where somebody inserted a row since we looked, the second look finds it; else it is refused again.
            return await self._persist(layout, batch, fence)

    async def _persist(self, layout: Layout, batch: Batch, fence: Fence) -> BatchResult:
        attempts = stamina.retry_context(on=Conflict, attempts=3, timeout=None, wait_initial=0.02, wait_jitter=0.1)
        async for attempt in attempts:
            with attempt:
                return await self._once(layout, batch, fence)
        raise AssertionError  # pragma: no cover  the last attempt returns or raises

    async def _once(self, layout: Layout, batch: Batch, fence: Fence) -> BatchResult:
        patience = self._settings.patience
        async with self._patiently(), writing(self._engine) as connection:
            await dialects.guard(connection, patience)
            started = time.monotonic()
            await fence()
            written = await self._apply(connection, layout, batch)
            if time.monotonic() - started > patience.pause.total_seconds() / 2:
                await fence()
            return written

    async def _apply(self, connection: AsyncConnection, layout: Layout, batch: Batch) -> BatchResult:
        found = await rows.lock(connection, layout, batch)
        work = sort_out(layout, self._settings.missing, batch, found)
        await rows.execute(connection, layout, work)
        finds = [order.finds for order in work.touched]
        live = await rows.look_up(connection, layout, finds, lambda: None)
        work.written.read_back({order.change.cell: live[order.key] for order in work.touched if order.key in live})
        return work.written

    def _findable(self, layout: Layout, refs: Sequence[RowLocator]) -> list[tuple[Cell, tuple[RowKey, Row]]]:
        findable = []
        for ref in refs:
            try:
                findable.append((ref.cell, row_key(layout, self._settings.match_by, ref)))
            except UnsuitableValue:
                continue  # no row can hold it; a write says why
        return findable

    @asynccontextmanager
    async def _patiently(self) -> AsyncIterator[Callable[[], None]]:
        try:
            async with patiently(self._settings.where, self._settings.patience) as go_on:
                yield go_on
        except ConfigurationError:
            self._known = None  # the table is not what it was: look at it anew next time
            raise

    async def _layout(self) -> Layout | None:
        return self._known or await self._reflect()

    async def _reflect(self) -> Layout | None:
        """Look at the table; None where it is still to be made."""
        async with self._patiently():
            try:
                async with reading(self._engine) as connection:
                    self._known = await connection.run_sync(reflect, self._settings)
            except NoTable:
                if not self._settings.create_table:
                    raise
                self._known = None
        return self._known
