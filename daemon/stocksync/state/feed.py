"""The ledger as a feed for those downstream, and as stock at an instant.

One cursor an account is enough: ids are given out before a commit, but all commits of an account hold its lease's row,
so they follow one another. One cursor over several accounts would skip rows.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Cell, Removal, figure_of
from stocksync.errors import BeyondLedger, CursorLost
from stocksync.ports import LedgerRow, Level
from stocksync.state.codec import locations_of
from stocksync.state.ledger import ledger_row
from stocksync.state.schema import accounts, cells, ledger


async def changes_after(connection: AsyncConnection, account: str, after: int, limit: int) -> list[LedgerRow]:
    """Give at most `limit` changes of an account behind the row with the id `after`, the oldest first.

    Raises:
        CursorLost: that row is not in the ledger any more.

    """
    mine = ledger.c.account == account
    if after:
        known = await connection.execute(select(ledger.c.id).where(mine, ledger.c.id == after))
        if known.first() is None:
            raise CursorLost(
                f"{account}: the ledger has no row {after} (any more), so changes behind it may be missing:"
                " read all stock anew, then go on from 0"
            )
    query = select(ledger).where(mine, ledger.c.id > after).order_by(ledger.c.id).limit(limit)
    return [ledger_row(row) for row in (await connection.execute(query)).all()]


async def locations(connection: AsyncConnection, account: str) -> dict[int, str]:
    """Give Qoyod's locations of an account, id to name."""
    query = select(accounts.c.locations).where(accounts.c.account == account)
    return locations_of((await connection.execute(query)).scalar())


async def levels_at(connection: AsyncConnection, account: str, at: datetime | None) -> list[Level]:
    """Give what stood in the target at an instant (None: what stands there now), in key order.

    Raises:
        BeyondLedger: the account was not known then, or what changed since was deleted, as it outlived `keep_ledger`.

    """
    mine = ledger.c.account == account
    columns = accounts.c.ledger_from, accounts.c.last_complete
    known = (await connection.execute(select(*columns).where(accounts.c.account == account))).first()
    if known is not None and at is not None and known.ledger_from is not None and at < known.ledger_from:
        raise BeyondLedger(
            f"{account}: the ledger reaches back to {known.ledger_from:%Y-%m-%d %H:%M:%S} UTC: it begins with the"
            " account's first cycle, and state.keep_ledger says how long it is kept"
        )
    at = at or datetime.max.replace(tzinfo=UTC)
    found: dict[Cell, Level | None] = {}
    now = select(*_of(cells), cells.c.acked, cells.c.acked_at).where(
        cells.c.account == account, cells.c.acked.is_not(None), cells.c.acked_at <= at
    )
    for row in await connection.execute(now):
        found[Cell(row.product_id, row.place)] = _level(row, row.acked, row.acked_at)
    # What was written since is taken back to what stood before the first change, whenever that was written.
    for row in await connection.execute(_of_each_cell(func.min(ledger.c.id), mine, ledger.c.at > at)):
        found[Cell(row.product_id, row.place)] = _level(row, row.before, None)
    for row in await connection.execute(_of_each_cell(func.max(ledger.c.id), mine, ledger.c.at <= at)):
        found[Cell(row.product_id, row.place)] = _level(row, row.read_back or row.after, row.at)
    if not found and (known is None or known.last_complete is None):
        raise BeyondLedger(f"{account}: no poll has read it to its end yet, so nobody knows what stands in its target")
    return [level for _, level in sorted(found.items()) if level is not None]


def _of_each_cell(chosen: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    ids = select(chosen).where(*conditions).group_by(ledger.c.product_id, ledger.c.place)
    figures = (ledger.c.before, ledger.c.after, ledger.c.read_back, ledger.c.at)
    return select(*_of(ledger), *figures).where(ledger.c.id.in_(ids))


def _of(table: Table) -> list[Column[Any]]:
    return [table.c[name] for name in ("account", "product_id", "sku", "place")]


def _level(row: Any, figure: str | None, since: datetime | None) -> Level | None:  # noqa: ANN401  a row of either table
    """Make a level of a row; None where no row stood in the target."""
    stood = figure_of(figure)
    if stood is None or stood is Removal.DELETED:
        return None
    return Level(row.account, row.product_id, row.sku, row.place, stood, since)
