"""What a cycle does with a table, done in a transaction that its caller rolls back."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Change, Removal
from stocksync.ports import Trial
from stocksync.targets import rows
from stocksync.targets.batch import Batch, RowChange, arrange, sort_out
from stocksync.targets.codecs import UnsuitableValue
from stocksync.targets.layout import Layout
from stocksync.targets.own_table import own_table
from stocksync.targets.reflect import NoTable, create, reflect
from stocksync.targets.rights import missing_rights
from stocksync.targets.settings import Missing, TargetSettings
from stocksync.targets.trials import CREATE, LOCK, Attempts, is_expected

MADE_UP = "made up"
"""The cause of a change whose product is not Qoyod's."""
_UPDATES = 4
_INSERTS = 50


async def rehearse_table(
    connection: AsyncConnection, settings: TargetSettings, sample: Sequence[Change]
) -> list[Trial]:
    """Make the table where it is to be made; look up, lock, update and insert rows as the sample asks."""
    attempts = Attempts(connection, settings)
    try:
        layout = await connection.run_sync(reflect, settings)
    except NoTable:
        if not settings.create_table:
            raise
        made = await _made(connection, settings, attempts)
        if made is None:
            return attempts.found()
        layout = made
    attempts.lacking = layout.lacking
    if not await connection.run_sync(_rolls_back, layout):
        return await connection.run_sync(missing_rights, layout, settings)
    return await _Rehearsal(connection, settings, layout, attempts).run(sample)


async def _made(connection: AsyncConnection, settings: TargetSettings, attempts: Attempts) -> Layout | None:
    """Make the table; None where that is refused, or cannot be undone and so was only asked for."""
    if connection.dialect.name in {"mysql", "mariadb"}:
        await attempts.run(CREATE, lambda: _create_in_vain(connection, settings))
        return None
    if not await attempts.run(CREATE, lambda: connection.run_sync(create, settings)):
        return None
    return await connection.run_sync(reflect, settings)


async def _create_in_vain(connection: AsyncConnection, settings: TargetSettings) -> None:
    # MySQL commits a CREATE at once. It judges the rights first and the columns after them: with one column named
    # twice nothing is made, and the number of the error tells which of the two was wrong.
    name = connection.dialect.identifier_preparer.format_table(own_table(settings, connection.dialect))
    try:
        await connection.exec_driver_sql(f"CREATE TABLE {name} (a INTEGER, a INTEGER)".replace("%", "%%"))
    except DBAPIError as error:
        if not is_expected(error):
            raise


def _rolls_back(connection: Connection, layout: Layout) -> bool:
    """Whether the table keeps nothing of a transaction that is rolled back; a view over others may."""
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return True
    inspector = inspect(connection)
    if layout.table.name in inspector.get_view_names(layout.table.schema):
        return False
    options = inspector.get_table_options(layout.table.name, layout.table.schema)
    return str(options.get("mysql_engine") or options.get("mariadb_engine") or "").casefold() == "innodb"


@dataclass(slots=True)
class _Rehearsal:
    connection: AsyncConnection
    settings: TargetSettings
    layout: Layout
    attempts: Attempts

    async def run(self, sample: Sequence[Change]) -> list[Trial]:
        trials = self._places(sample)
        figures = [change for change in sample if isinstance(change.after, Decimal)]
        batch = arrange(self.layout, self.settings.match_by, figures, datetime.now(UTC))
        trials += self._misfits(figures, batch) if not trials else []
        there = await self._looked_up(batch)
        if there is not None:
            await self._written(batch, there)
            await self._removed([change for change in sample if isinstance(change.after, Removal)])
        return [*trials, *self.attempts.found()]

    def _places(self, sample: Iterable[Change]) -> list[Trial]:
        column = self.layout.place
        refused: dict[str, list[str]] = {}
        for place in sorted({change.place for change in sample}) if column is not None else ():
            try:
                column.encode(place) if column is not None else None
            except UnsuitableValue as error:
                refused.setdefault(str(error), []).append(place)
        cure = f"correct accounts.{self.settings.account}.locations.map, or map location to another column"
        name = "" if column is None else column.column.name
        return [
            Trial(f"no figure of {_listed(places)} can be written: column {name!r}: {why}", cure)
            for why, places in refused.items()
        ]

    def _misfits(self, figures: Sequence[Change], batch: Batch) -> list[Trial]:
        if not batch.misfits:
            return []
        reasons = Counter(why for change, why in batch.misfits if change.cause != MADE_UP)
        tried = sum(change.cause != MADE_UP for change in figures)
        return [
            Trial(f"{times} of {tried} figures tried would be set aside: {why}", blocks=times == tried)
            for why, times in reasons.most_common(3)
        ]

    async def _looked_up(self, batch: Batch) -> Counter[tuple[str, str]] | None:
        found: rows.Found = {}

        async def look_up() -> None:
            found.update(
                await rows.look_up(self.connection, self.layout, [order.finds for order in batch.orders], lambda: None)
            )

        if not await self.attempts.run("SELECT", look_up):
            return None
        return Counter({key: row.rows for key, row in found.items()})

    async def _written(self, batch: Batch, there: Counter[tuple[str, str]]) -> None:
        updates = _spread([order for order in batch.orders if there[order.key] == 1], _UPDATES)
        await self._locked(updates or batch.orders[:1])
        for order in updates:
            await self._executed("UPDATE", order, there=1)
        for order in self._new(batch, there):
            made_up = order.change.cause == MADE_UP
            inserted = await self._executed("INSERT", order, there=0, made_up=made_up)
            if inserted and not updates:
                updates = [order]
                await self._executed("UPDATE", order, there=1, made_up=made_up)
        if not updates and batch.orders:
            await self._executed("UPDATE", batch.orders[0], there=1, made_up=True)

    async def _locked(self, orders: Sequence[RowChange]) -> None:
        if orders:
            await self.attempts.run(LOCK, lambda: rows.lock(self.connection, self.layout, Batch(list(orders))))

    def _new(self, batch: Batch, there: Counter[tuple[str, str]]) -> list[RowChange]:
        """Choose what to insert: for each place a product of Qoyod's, and a made-up one only where all have rows."""
        if self.settings.missing is not Missing.INSERT:
            return []
        chosen: dict[str, RowChange] = {}
        for order in batch.orders:
            known = chosen.get(order.change.place)
            if not there[order.key] and (known is None or known.change.cause == MADE_UP != order.change.cause):
                chosen[order.change.place] = order
        return list(chosen.values())[:_INSERTS]

    async def _executed(self, step: str, order: RowChange, *, there: int, made_up: bool = False) -> bool:
        work = sort_out(self.layout, self.settings.missing, Batch([order]), Counter({order.key: there}))
        return await self.attempts.run(
            step, lambda: rows.execute(self.connection, self.layout, work), made_up=made_up
        )

    async def _removed(self, changes: Sequence[Change]) -> None:
        batch = arrange(self.layout, self.settings.match_by, changes, datetime.now(UTC))
        for order in batch.orders:
            deletes = order.change.after is Removal.DELETED
            await self._executed("DELETE" if deletes else "UPDATE", order, there=1, made_up=True)


def _spread(orders: Sequence[RowChange], most: int) -> list[RowChange]:
    """Choose rows whose figures are as different as can be: a constraint may refuse some."""
    if len(orders) <= most:
        return list(orders)
    ordered = sorted(orders, key=lambda order: order.change.after if isinstance(order.change.after, Decimal) else 0)
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def _listed(places: Sequence[str]) -> str:
    return ", ".join(repr(place) for place in places[:5]) + (", …" if len(places) > 5 else "")  # noqa: PLR2004
