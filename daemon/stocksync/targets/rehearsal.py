"""What a cycle does with a table, done in a transaction that its caller rolls back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Change, Removal, show
from stocksync.ports import MADE_UP, Trial
from stocksync.sqlfaults import Fault, fault_of, reason
from stocksync.targets import rows
from stocksync.targets.batch import (
    Batch,
    BatchStatements,
    RowChange,
    RowsThere,
    arrange,
    column_of_part,
    lesser,
    sort_out,
)
from stocksync.targets.codecs import UnsuitableValue
from stocksync.targets.layout import Layout, RowKey
from stocksync.targets.own_table import own_table
from stocksync.targets.reflect import NoTable, create, reflect
from stocksync.targets.rights import keeps_what_is_rolled_back, missing_rights
from stocksync.targets.settings import MatchBy, Missing, TargetSettings
from stocksync.targets.trials import CREATE, LOCK, Attempts, is_expected

_UPDATES = 3
_INSERTS = 12
_OF_ONE_PLACE = 2
_ENOUGH = 2
"""Rows that tell a refusal of every row from one of theirs."""
_LISTED = 5


async def rehearse_table(
    connection: AsyncConnection, settings: TargetSettings, sample: Sequence[Change]
) -> list[Trial]:
    """Make the table where it is to be made; look up, lock, update and insert rows as the sample asks."""
    attempts = Attempts(connection, settings)
    layout = await _layout(connection, settings, attempts)
    if layout is None:
        return attempts.found()
    attempts.lacking = layout.lacking
    batch = arrange(layout, settings.match_by, sample, datetime.now(UTC))
    unfit = [*_unfit(layout, settings, sample, batch)]
    if not await connection.run_sync(_rolls_back, layout):
        return [*unfit, *await connection.run_sync(missing_rights, layout, settings)]
    return [*unfit, *await _Rehearsal(connection, settings, layout, attempts).run(batch)]


async def _layout(connection: AsyncConnection, settings: TargetSettings, attempts: Attempts) -> Layout | None:
    """Find the table, or make it; None where that is refused, or cannot be undone and so was only asked for."""
    try:
        return await connection.run_sync(reflect, settings)
    except NoTable:
        if not settings.create_table:
            raise
    if connection.dialect.name in {"mysql", "mariadb"}:
        await attempts.run(CREATE, lambda: _create_in_vain(connection, settings), savepoint=False)
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
    """Whether nothing stays of what is rolled back: MySQL keeps it in some tables, a trigger's or a view's too."""
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return True
    inspector = inspect(connection)
    name, schema = layout.table.name, layout.table.schema
    if name in inspector.get_view_names(schema):
        return False
    options = inspector.get_table_options(name, schema)
    engine = str(options.get("mysql_engine") or options.get("mariadb_engine") or "")
    triggers = text(
        "SELECT COUNT(*) FROM information_schema.triggers"
        " WHERE event_object_table = :name AND event_object_schema = COALESCE(:schema, DATABASE())"
    )
    fires = connection.execute(triggers, {"name": name, "schema": schema}).scalar_one()
    return engine.casefold() == "innodb" and not (fires and keeps_what_is_rolled_back(connection))


def _unfit(layout: Layout, settings: TargetSettings, sample: Iterable[Change], batch: Batch) -> Iterator[Trial]:
    """Hold each place against its column; where all of them fit, tell of the figures that do not."""
    column, refused = layout.place, dict[str, list[str]]()
    for place in sorted({change.place for change in sample}) if column is not None else ():
        try:
            column.encode(place) if column is not None else None
        except UnsuitableValue as error:
            refused.setdefault(str(error), []).append(place)
    cure = f"correct accounts.{settings.account}.locations.map, or map location to another column"
    name = "" if column is None else column.column.name
    for why, places in refused.items():
        named = ", ".join(map(repr, places[:_LISTED])) + (", …" if len(places) > _LISTED else "")
        yield Trial(
            f"no figure of {named} can be written: column {name!r}: {why}", cure, places=tuple(places[:_LISTED])
        )
    if refused:
        return
    reasons = Counter(why for change, why in batch.misfits if change.cause != MADE_UP)
    fit = sum(order.change.cause != MADE_UP for order in batch.orders)
    tried = fit + reasons.total()
    for why, times in reasons.most_common(3):
        yield Trial(f"{times} of {tried} figures tried would be set aside: {why}", blocks=not fit)


@dataclass(slots=True)
class _Rehearsal:
    connection: AsyncConnection
    settings: TargetSettings
    layout: Layout
    attempts: Attempts
    altered: dict[str, None] = field(default_factory=dict)
    """What the target does to a figure that it takes."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that rows were written without, with the database's words."""

    async def run(self, batch: Batch) -> list[Trial]:
        figures = [order for order in batch.orders if isinstance(order.change.after, Decimal)]
        removals = [order for order in batch.orders if isinstance(order.change.after, Removal)]
        found: rows.Found = {}

        async def look_up() -> None:
            finds = [order.finds for order in figures]
            found.update(await rows.look_up(self.connection, self.layout, finds, lambda: None))

        if not await self.attempts.run("SELECT", look_up):
            return self.attempts.found()
        there = {key: row.rows for key, row in found.items()}
        updated = await self._updated(figures, there)
        inserted = await self._inserted([order for order in figures if order.key not in there])
        if updated < _ENOUGH:
            await self._updated_anew(inserted[:_ENOUGH])
        for order in removals:
            await self._executed("UPDATE" if order.sets else "DELETE", order, 1, made_up=True)
        left_out = [
            Trial(f"column {name!r} would be left out of some rows: {words}", blocks=False)
            for name, words in self.left_out.items()
        ]
        return [*self.attempts.found(), *self._of_rows(figures, there), *left_out]

    async def _updated(self, figures: Sequence[RowChange], there: dict[RowKey, int]) -> int:
        """Lock and update rows that are there, and count them; without any, the statements say what is allowed."""
        single = [order for order in figures if there.get(order.key) == 1]
        if len(single) > _UPDATES:
            # Those whose figures are as different as can be: a constraint may refuse some.
            single.sort(key=lambda order: order.change.after if isinstance(order.change.after, Decimal) else 0)
            single = [single[0], single[len(single) // 2], single[-1]]
        chosen = single or figures[:1]
        batch = Batch(list(chosen))
        await self.attempts.run(LOCK, lambda: rows.lock(self.connection, self.layout, batch, patient=True))
        for order in chosen:
            await self._executed("UPDATE", order, 1, made_up=not there.get(order.key))
        return sum(order.key in there for order in chosen)

    async def _inserted(self, new: Sequence[RowChange]) -> list[RowChange]:
        """Insert rows for each place, and give those that were taken.

        They are of products of Qoyod's, and one is made up only where all of those have rows.
        """
        if self.settings.missing is not Missing.INSERT:
            return []
        chosen: dict[str, list[RowChange]] = {}
        for order in sorted(new, key=_is_made_up):
            of_place = chosen.setdefault(order.change.place, [])
            if len(of_place) < _OF_ONE_PLACE and not (of_place and _is_made_up(order)):
                of_place.append(order)
        tried = [order for of_place in chosen.values() for order in of_place][:_INSERTS]
        return [order for order in tried if await self._executed("INSERT", order, 0, made_up=_is_made_up(order))]

    async def _updated_anew(self, inserted: Sequence[RowChange]) -> None:
        """Update rows that were just inserted: a trigger refuses no UPDATE that meets no row."""
        # To another figure, as a trigger may mind only what changes: the last one's, which is known to be taken.
        changes = [replace(order.change, after=inserted[-1].change.after) for order in inserted]
        anew = arrange(self.layout, self.settings.match_by, changes, datetime.now(UTC))
        for first, then in zip(inserted, anew.orders, strict=True):

            async def insert_and_update(first: RowChange = first, then: RowChange = then) -> None:
                await self._execute(first, 0)
                await self._write_and_read(then, 1, made_up=_is_made_up(then))

            await self.attempts.run("UPDATE", insert_and_update, made_up=_is_made_up(first))

    async def _executed(self, step: str, order: RowChange, there: int, *, made_up: bool) -> bool:
        write = partial(self._write_and_read, order, there, made_up=made_up)
        return await self.attempts.run(step, write, made_up=made_up)

    async def _write_and_read(self, order: RowChange, there: int, *, made_up: bool) -> None:
        work = await self._execute(order, there)
        if made_up:
            return
        live = await rows.look_up(self.connection, self.layout, [order.finds], lambda: None)
        work.written.read_back({order.change.cell: live[order.key]} if order.key in live else {})
        self.altered |= {why: None for _, why in work.written.ambiguous}
        for stands in work.written.altered.values():
            self.altered[f"{order.change}: the target makes {show(stands)} of it"] = None

    async def _execute(self, order: RowChange, there: int) -> BatchStatements:
        """Write the row as the cycle does: where a column is refused that only goes along, without it."""
        refusal: DBAPIError | None = None
        for one in (order, *lesser(order, "")):
            work = sort_out(self.layout, self.settings.missing, Batch([one]), RowsThere(Counter({one.key: there})))
            try:
                async with self.connection.begin_nested():
                    await rows.execute(self.connection, self.layout, work)
            except DBAPIError as error:
                if fault_of(error) not in {Fault.DATA, Fault.REFUSED}:
                    raise
                refusal = refusal or error
                continue
            for name, words in one.left_out.items():
                self.left_out.setdefault(
                    column_of_part(self.layout, name), words or (reason(refusal) if refusal else "")
                )
            return work
        assert refusal is not None  # noqa: S101  for the type checker: something was tried
        raise refusal

    def _of_rows(self, figures: Sequence[RowChange], there: dict[RowKey, int]) -> Iterator[Trial]:
        real = [order for order in figures if order.change.cause != MADE_UP]
        for what in self.altered:
            yield Trial(what, "see the table's triggers and policies and the quantity's type", blocks=False)
        several = sum(there.get(order.key, 0) > 1 for order in real)
        if several:
            what = f"{several} of {len(real)} figures tried would be set aside: several rows match"
            yield Trial(what, "leave one row of each product and location, under a unique index", blocks=False)
        if real and self.settings.missing is Missing.SKIP and not any(order.key in there for order in real):
            what = f'the table has no row for any of the {len(real)} figures tried, and missing = "skip" makes none'
            by = "sku" if self.settings.match_by is MatchBy.PRODUCT_ID else "product_id"
            yield Trial(what, f'is match_by = "{by}" meant, or missing = "insert"?', blocks=False)


def _is_made_up(order: RowChange) -> bool:
    return order.change.cause == MADE_UP
