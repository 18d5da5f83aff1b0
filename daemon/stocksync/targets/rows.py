"""Rows looked up, locked, written and walked, in as few statements as there can be."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    Column,
    Insert,
    Select,
    Update,
    bindparam,
    delete,
    false,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import TargetRow
from stocksync.sqlrows import execute_each, takes_arrays
from stocksync.targets import dialects
from stocksync.targets.batch import Batch, BatchStatements, Row, RowChange, RowsThere, chunks
from stocksync.targets.bulk import insert_at_once, update_at_once
from stocksync.targets.codecs import truth
from stocksync.targets.given import KEYS, joined, names_rows, packed
from stocksync.targets.layout import Layout, RowKey
from stocksync.threads import off_loop

_CHUNK = 1000
"""Keys per look-up: far below every database's limit of bound parameters."""
_ARRAY = 10_000
"""The same where they are sent as arrays, which no limit binds: a batch is one look-up."""

Found = dict[RowKey, TargetRow]
Statement = TypeVar("Statement", Insert, Update)


async def look_up(
    connection: AsyncConnection, layout: Layout, finds: Sequence[Row], go_on: Callable[[], None]
) -> Found:
    """Read the rows of many keys; those of near keys may be among them. `go_on` hears of each step."""
    found: Found = {}
    distinct = list({tuple(find.values()): find for find in finds}.values())
    for chunk in chunks(distinct, _ARRAY if takes_arrays(connection) else _CHUNK):
        statement, values = _wanted(connection, layout, _figures(layout), chunk)
        seen = (await connection.execute(statement, values)).all()
        # The rows of one key may answer several chunks: they are counted within one.
        found.update(await off_loop(len(seen), _counted, layout, seen))
        go_on()
    return found


async def lock(connection: AsyncConnection, layout: Layout, batch: Batch, *, patient: bool) -> RowsThere:
    """Count the rows of each key and keep others from changing them until the transaction ends.

    PostgreSQL's FOR NO KEY UPDATE lets those pass whose foreign key only holds a row. What another transaction holds
    is passed over and named, where the database can do so and we are not `patient`.
    """
    skips = dialects.skips_locked(connection) and layout.lockable and not patient
    found, keys = RowsThere(), [key.column for key in layout.keys]
    ours_alone = layout.table if connection.dialect.name == "postgresql" else None
    orders: Sequence[RowChange] = batch.orders
    if takes_arrays(connection) and (new := [order for order in orders if order.change.before is None]):
        # Whose row was not there before and is not now has nothing to lock, and nobody to wait for.
        statement, values = _wanted(connection, layout, keys, [order.finds for order in new])
        there = {_key(layout, row) for row in await connection.execute(statement, values)}
        orders = [order for order in orders if order.change.before is not None or order.key in there]
    for chunk in chunks(orders, _ARRAY if takes_arrays(connection) else _CHUNK):
        statement, values = _wanted(connection, layout, keys, [order.finds for order in chunk])
        statement = statement.order_by(*keys)
        if layout.lockable:
            statement = statement.with_for_update(key_share=True, skip_locked=skips, of=ours_alone)
        ours = Counter(_key(layout, row) for row in await connection.execute(statement, values))
        found.count |= ours
        # What was passed over is known by its count: there are more rows of a key than we could lock.
        if skips and (doubtful := [order for order in chunk if not (layout.unique and ours[order.key])]):
            statement, values = _wanted(connection, layout, keys, [order.finds for order in doubtful])
            all_there = Counter(_key(layout, row) for row in await connection.execute(statement, values))
            found.held |= {order.key for order in doubtful if all_there[order.key] > ours[order.key]}
    return found


def _wanted(
    connection: AsyncConnection, layout: Layout, columns: Sequence[Column[Any]], finds: Sequence[Row]
) -> tuple[Select[Any], dict[str, Any]]:
    """Select from these rows, and from no others where the database can be told so."""
    if not names_rows(connection, layout):
        statement = select(*columns).where(*layout.conditions)
        for key, name in zip(layout.keys, KEYS, strict=False):
            statement = statement.where(dialects.among(key, list(dict.fromkeys(row[name] for row in finds)), name))
        return statement, {}
    names = KEYS[: len(list(layout.keys))]
    _, join = joined(connection, layout, names)
    return select(*columns).select_from(join), packed(connection, finds, names)


async def execute(connection: AsyncConnection, layout: Layout, work: BatchStatements) -> None:
    """Send the rows, all of one shape in one statement."""
    for fields, rows in work.updates.items():
        values = _values(layout, fields)
        if not await update_at_once(connection, layout, values, rows):
            statement = _refusing(update(layout.table), layout).where(*_exactly(layout)).values(values)
            await execute_each(connection, statement, rows)
    for fields, rows in work.inserts.items():
        if not await insert_at_once(connection, layout, rows):
            into = _refusing(insert(layout.table), layout).values(_values(layout, fields))
            await execute_each(connection, into, rows)
    if work.deletes:
        await execute_each(connection, delete(layout.table).where(*_exactly(layout)), work.deletes)


def _refusing(statement: Statement, layout: Layout) -> Statement:
    """Have a row refused that would delete another one, whatever its table says."""
    # Only there: it binds the statements of triggers as well. https://www.sqlite.org/lang_createtrigger.html
    return statement.prefix_with("OR ABORT") if layout.yields else statement


def _values(layout: Layout, fields: Collection[str]) -> dict[Column[Any], BindParameter[Any]]:
    return {column: bindparam(field, type_=column.type) for field, column in layout.fields if field in fields}


def no_update(layout: Layout) -> Update:
    """Give the update of a figure in no row: what refuses it refuses them all."""
    quantity = layout.quantity.column
    return update(layout.table).where(false()).values({quantity: quantity})


def no_row(layout: Layout) -> Select[Any]:
    """Give the look-up of no row: what refuses it refuses them all."""
    return select(*_figures(layout)).where(false())


def any_row(layout: Layout) -> Select[Any]:
    """Give the look-up of one row, whichever it is."""
    return select(layout.match.column).limit(1)


async def page_after(
    connection: AsyncConnection, layout: Layout, after: Row, size: int
) -> tuple[list[tuple[str, str, TargetRow]], Row]:
    """Give the next page in key order, and what comes after it; empty: nothing does.

    Rows with one key stay on one page, so that duplicates are counted.
    """
    columns = [dialects.ordered(key, layout.dialect) for key in layout.keys]
    there = [key.column.is_not(None) for key in layout.keys]
    statement = select(*_figures(layout)).where(*there, *layout.conditions)
    if after:
        last = [
            dialects.comparable(key, after[name], layout.dialect) for key, name in zip(layout.keys, KEYS, strict=False)
        ]
        beyond = [columns[0] > last[0]]
        if layout.place is not None:
            # Two plain conditions, because MariaDB finds no index range in a row comparison.
            beyond = [columns[0] >= last[0], (columns[0] > last[0]) | (columns[1] > last[1])]
        statement = statement.where(*beyond)
    rows: list[Any] = list(await connection.execute(statement.order_by(*columns).limit(size)))
    if len(rows) < size:
        return _page(layout, rows), {}
    end = dict(zip(KEYS, rows[-1], strict=False))
    if not layout.unique:
        # The page may end amid rows that the database holds to be equal: take all of those instead of some.
        values = [dialects.comparable(key, at, layout.dialect) for key, at in zip(layout.keys, rows[-1], strict=False)]
        equal = [column == value for column, value in zip(columns, values, strict=True)]
        twins: list[Any] = list(await connection.execute(select(*_figures(layout)).where(*equal, *layout.conditions)))
        theirs = {_key(layout, row) for row in twins}
        rows = [row for row in rows if _key(layout, row) not in theirs] + twins
    return _page(layout, rows), end


def _page(layout: Layout, rows: Sequence[Any]) -> list[tuple[str, str, TargetRow]]:
    return [(match, place, live) for (match, place), live in _counted(layout, rows).items()]


def _counted(layout: Layout, rows: Sequence[Sequence[Any]]) -> Found:
    """Read rows, and count those of one key."""
    found: Found = {}
    at = 1 if layout.place is None else 2
    for row in rows:
        key = _key(layout, row)
        if key in found:
            found[key] = found[key]._replace(rows=found[key].rows + 1)
        else:
            active = None if layout.active is None else truth(row[at + 1])
            found[key] = TargetRow(layout.quantity.decode(row[at]), active, 1)
    return found


def _key(layout: Layout, row: Sequence[Any]) -> RowKey:
    place = "" if layout.place is None else layout.place.decode(row[1])
    return layout.match.decode(row[0]), place


def _figures(layout: Layout) -> list[Column[Any]]:
    columns = [*(key.column for key in layout.keys), layout.quantity.column]
    return columns if layout.active is None else [*columns, layout.active.column]


def _exactly(layout: Layout) -> list[Any]:
    same = [
        dialects.same(key, bindparam(name, type_=key.column.type), layout.dialect)
        for key, name in zip(layout.keys, KEYS, strict=False)
    ]
    return [*same, *layout.conditions]
