"""The snapshot as a cycle loads it: fast for 100,000 cells."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from sys import intern
from typing import Any

from sqlalchemy import BigInteger, BindParameter, Column, Select, and_, bindparam, exists, or_, select, type_coerce
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Cell, Presence, RowLocator, SnapshotCell, SnapshotProduct, figure_of
from stocksync.ports import Quarantined
from stocksync.state.codec import locations_of, parts_of, totals_of
from stocksync.state.schema import accounts, cells, decided_cells, products, quarantine, waiting_plans
from stocksync.state.session import select_by_id
from stocksync.state.types import instant

_PAGE = 20_000
"""Cells loaded by one statement: a million at once is half a gigabyte, and takes longer than one may wait for it."""
_SLICE = 2500
_instant = lru_cache(maxsize=4096)(instant)  # one page of a reading gives hundreds of cells one and the same instant
_REMEMBERED = (
    cells.c.product_id,
    cells.c.place,
    cells.c.parts,
    type_coerce(cells.c.source_at, BigInteger),
    cells.c.acked,
    cells.c.intent,
    cells.c.sku,
    type_coerce(cells.c.unknown_since, BigInteger),
    cells.c.sent,
)
_OF_ACCOUNT = ("layout", "target", "locations", "last_complete", "checked_up_to", "recent_totals")
# Described once: that takes longer than to send them.
_OF: BindParameter[str] = bindparam("of")
_CELLS = select(*_REMEMBERED).where(cells.c.account == _OF)
_PRODUCTS = select(*(products.c[name] for name in ("product_id", *SnapshotProduct._fields))).where(
    products.c.account == _OF
)
_QUARANTINE = select(quarantine).where(quarantine.c.account == _OF)
_ACCOUNT = select(
    *(accounts.c[name] for name in _OF_ACCOUNT),
    exists().where(quarantine.c.account == _OF).label("refused"),
    or_(exists().where(waiting_plans.c.account == _OF), exists().where(decided_cells.c.account == _OF)).label(
        "planned"
    ),
).where(accounts.c.account == _OF)


async def load_cells(
    connection: AsyncConnection, account: str, product_ids: Sequence[int] | None
) -> dict[Cell, SnapshotCell]:
    """Load what is known of an account's cells over one connection, of all products or of some."""
    found: dict[Cell, SnapshotCell] = {}
    if product_ids is None:
        while await load_page(connection, account, found):
            continue
        return found
    async for rows in select_by_id(connection, _CELLS, cells.c.product_id, product_ids, {"of": account}):
        await _remember(rows, found)
    return found


async def load_page(connection: AsyncConnection, account: str, known: dict[Cell, SnapshotCell]) -> bool:
    """Load the cells that come after those that are `known`, and add them; give whether there may be more."""
    last = next(reversed(known), None)
    query = _behind(_CELLS.order_by(cells.c.product_id, cells.c.place), last).limit(_PAGE)
    rows = (await connection.execute(query, {"of": account})).all()
    await _remember(rows, known)
    return len(rows) == _PAGE


async def _remember(rows: Sequence[Row[Any]], found: dict[Cell, SnapshotCell]) -> None:
    for start in range(0, len(rows), _SLICE):
        await asyncio.sleep(0)  # lets heartbeats through, also between the rows' coming and this
        found.update(map(_remembered, rows[start : start + _SLICE]))


async def load_products(
    connection: AsyncConnection, account: str, product_ids: Sequence[int] | None
) -> dict[int, SnapshotProduct]:
    """Load what is known of an account's products."""
    return {
        row[0]: SnapshotProduct._make((*row[1:-1], Presence(row[-1])))
        async for rows in _chosen(connection, _PRODUCTS, products.c.product_id, account, product_ids)
        for row in rows
    }


async def load_account(connection: AsyncConnection, account: str) -> tuple[dict[str, Any], bool, bool]:
    """Load what is known of the account as a whole: those fields of a `Snapshot`.

    With it, whether anything of it is in quarantine, and whether any plan waits or was decided: mostly nothing is, and
    need not be asked for.
    """
    row = (await connection.execute(_ACCOUNT, {"of": account})).first()
    if row is None:
        return {}, True, True
    known = {name: getattr(row, name) for name in _OF_ACCOUNT}
    known["locations"], known["recent_totals"] = locations_of(row.locations), totals_of(row.recent_totals)
    known["checked_up_to"] = row.checked_up_to or 0
    return known, bool(row.refused), bool(row.planned)


async def load_quarantine(
    connection: AsyncConnection, account: str, product_ids: Sequence[int] | None = None
) -> dict[tuple[int, str | None], Quarantined]:
    """Load an account's quarantine."""
    return {
        (entry.product_id, entry.place): entry
        async for rows in _chosen(connection, _QUARANTINE, quarantine.c.product_id, account, product_ids)
        for entry in map(quarantined_of, rows)
    }


async def cells_after(
    connection: AsyncConnection, account: str, after: Cell | None, size: int
) -> list[tuple[RowLocator, SnapshotCell]]:
    """Give the next cells in key order, with the SKU that each product has now."""
    rows = (await connection.execute(_behind(_in_key_order(account, size), after))).all()
    return [_with_ref(row) for row in rows]


async def altered(connection: AsyncConnection, account: str, size: int) -> list[tuple[RowLocator, SnapshotCell]]:
    """Give the first cells of which the target made another figure than was written."""
    rows = (await connection.execute(_in_key_order(account, size).where(cells.c.sent.is_not(None)))).all()
    return [_with_ref(row) for row in rows]


def quarantined_of(row: Row[Any]) -> Quarantined:
    """Read a quarantine entry."""
    return Quarantined(
        product_id=row.product_id,
        place=None if row.whole else row.place,
        side=row.side,
        reason=row.reason,
        figure=figure_of(row.figure),
        attempts=row.attempts,
        first_at=row.first_at,
        last_at=row.last_at,
        retry_at=row.retry_at,
    )


def _behind(query: Select[Any], after: Cell | None) -> Select[Any]:
    if after is None:
        return query
    same = and_(cells.c.product_id == after.product_id, cells.c.place > after.place)
    return query.where(cells.c.product_id >= after.product_id, or_(cells.c.product_id > after.product_id, same))


def _in_key_order(account: str, size: int) -> Select[Any]:
    now = and_(products.c.account == cells.c.account, products.c.product_id == cells.c.product_id)
    return (
        select(*_REMEMBERED, products.c.sku)
        .select_from(cells.outerjoin(products, now))
        .where(cells.c.account == account)
        .order_by(cells.c.product_id, cells.c.place)
        .limit(size)
    )


async def _chosen(
    connection: AsyncConnection,
    query: Select[Any],
    column: Column[int],
    account: str,
    product_ids: Sequence[int] | None,
) -> AsyncIterator[Sequence[Row[Any]]]:
    mine = {"of": account}
    if product_ids is None:
        yield (await connection.execute(query, mine)).all()
        return
    async for rows in select_by_id(connection, query, column, product_ids, mine):
        yield rows


def _remembered(row: Sequence[Any]) -> tuple[Cell, SnapshotCell]:
    product_id, place, parts, source_at, acked, intent, sku, unknown, sent = row
    since = None if unknown is None else _instant(unknown)
    figures = figure_of(acked), figure_of(intent)
    # One and the same text stands in a product's cells, and in all cells of a place: of a million that is 0.1 GB.
    remembered = SnapshotCell(parts_of(parts), _instant(source_at), *figures, intern(sku), since, figure_of(sent))
    return Cell(product_id, intern(place)), remembered


def _with_ref(row: Sequence[Any]) -> tuple[RowLocator, SnapshotCell]:
    cell, remembered = _remembered(row[:-1])
    sku = remembered.sku if row[-1] is None else row[-1]
    return RowLocator(cell.product_id, sku, cell.place), remembered
