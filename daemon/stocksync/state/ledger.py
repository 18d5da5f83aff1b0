"""Intents, acknowledgements, and the append-only record of what was applied."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Change, figure_of, show
from stocksync.ports import BatchResult, FiguresRead, Lease, LedgerRow, SnapshotUpdate
from stocksync.sqlrows import Columns, Rows, insert_and_update
from stocksync.state import approvals
from stocksync.state.codec import change_of, figure_text, parts_of, parts_text
from stocksync.state.digests import unsettle
from stocksync.state.schema import SKU_KEY_LENGTH, accounts, cells, ledger, products
from stocksync.state.session import Assign, Assigned, execute_by_key, upsert_rows
from stocksync.state.snapshot_update import NEVER_READ, cell_rows, latest_credible, newer_wins

# Described once: that takes longer than to send them.
_INTO_LEDGER = insert(ledger)
_PUSHED = (
    update(accounts)
    .where(accounts.c.account == bindparam("of"))
    .values(last_push=bindparam("pushed_at", type_=accounts.c.last_push.type))
)


async def intend(
    connection: AsyncConnection,
    lease: Lease,
    cycle_id: str,
    changes: Sequence[Change],
    *,
    read: FiguresRead,
    now: datetime,
) -> None:
    """Record what is about to be written, and what was read of its cells; an intent that was open keeps its age.

    That its products are not settled any more is recorded by `observe`, in the same transaction.
    """
    ordered = sorted(changes, key=attrgetter("cell"))
    figures = [read.get(change.cell, (change.parts, NEVER_READ)) for change in ordered]
    each: Columns = {
        "parts": [parts_text(parts) for parts, _ in figures],
        "source_at": [at for _, at in figures],
        "source_cycle": ["" if at is NEVER_READ else cycle_id for _, at in figures],
        "intent": [show(change.after) for change in ordered],
    }
    rows = cell_rows(lease.account, ordered, each, intended_at=now)
    latest, given = latest_credible(connection, now)
    await upsert_rows(connection, cells, _opened(latest), rows, given)


def read_of(changes: Sequence[Change], seen: SnapshotUpdate) -> tuple[FiguresRead, SnapshotUpdate]:
    """Part what goes into the rows of these changes, with their intents, from what else is to be recorded."""
    products = {change.product_id for change in changes}
    mine = {change.cell for change in changes if change.cell in seen.cells and change.cell not in seen.replacing}
    read = {cell: seen.cells[cell] for cell in mine}
    rest = {cell: figures for cell, figures in seen.cells.items() if cell not in mine}
    return read, replace(seen, cells=rest, unsettled=sorted(products.union(seen.unsettled)))


async def acknowledge(
    connection: AsyncConnection, lease: Lease, cycle_id: str, written: BatchResult, now: datetime
) -> None:
    """Record what is there now, with its ledger rows, and close the intents of the rest."""
    await unsettle(connection, lease.account, {change.product_id for change in written.applied})
    if written.applied:
        applied, altered = sorted(written.applied, key=attrgetter("cell")), written.altered
        each: Columns = {
            "parts": [parts_text(change.parts) for change in applied],
            "acked": [show(altered.get(change.cell, change.after)) for change in applied],
            "sent": [show(change.after) if change.cell in altered else None for change in applied],
            "sku": [change.sku for change in applied],
        }
        rows = cell_rows(lease.account, applied, each, acked_at=now)
        await upsert_rows(connection, cells, _acked, rows)
        pushed = {"of": lease.account, "pushed_at": now}
        entries = _entries(lease, cycle_id, written, now)
        told = connection.dialect.update_returning
        then = _PUSHED.returning(approvals.DECIDED) if told else _PUSHED
        result = await insert_and_update(connection, _INTO_LEDGER, entries, then, pushed)
        if result.scalar_one() if told else await approvals.any_decided(connection, lease.account):
            await approvals.use_up(connection, lease.account, written.applied)
    # Of what was not written only the very intent that was tried is closed: a newer one has not been tried yet.
    rest = chain(written.skipped, (change for change, _ in written.ambiguous))
    tried = [(change.product_id, change.place, show(change.after)) for change in rest]
    statement = update(cells).where(cells.c.account == lease.account).values(intent=None, intended_at=None)
    await execute_by_key(connection, statement, (cells.c.product_id, cells.c.place, cells.c.intent), tried)


async def history(connection: AsyncConnection, account: str, product_id: int, limit: int) -> list[LedgerRow]:
    """Give the applied changes of a product, newest first."""
    mine = and_(ledger.c.account == account, ledger.c.product_id == product_id)
    query = select(ledger).where(mine).order_by(ledger.c.id.desc()).limit(limit)
    return [ledger_row(row) for row in (await connection.execute(query)).all()]


async def products_with(connection: AsyncConnection, account: str, sku: str) -> list[int]:
    """Find the products that bear this SKU, or bore it when a change of theirs was applied; "" is nobody's."""
    if not sku:
        return []
    bears = select(products.c.product_id).where(products.c.account == account, products.c.sku == sku)
    key = ledger.c.sku_key == sku[:SKU_KEY_LENGTH]
    bore = select(ledger.c.product_id).where(ledger.c.account == account, key, ledger.c.sku == sku)
    held = select(cells.c.product_id).where(
        cells.c.account == account, or_(cells.c.sku == sku, cells.c.former_sku == sku)
    )
    return sorted((await connection.execute(union(bears, bore, held))).scalars())


@lru_cache(maxsize=4)  # one and the same object makes one and the same statement
def _opened(latest: ColumnElement[int]) -> Assign:
    read = newer_wins(latest)

    def assign(new: Any) -> Assigned:  # noqa: ANN401
        since = case((cells.c.intent.is_(None), new.intended_at), else_=cells.c.intended_at)
        return [("intended_at", since), ("intent", new.intent), *read(new)]

    return assign


def _acked(new: Any) -> Assigned:  # noqa: ANN401
    # No bound value may stand here: asyncmy's executemany knows only those of the VALUES clause.
    renamed = and_(cells.c.sku != literal_column("''"), cells.c.sku != new.sku)
    closed = cells.c.intent == func.coalesce(new.sent, new.acked)
    return [
        ("former_sku", case((renamed, cells.c.sku), else_=cells.c.former_sku)),
        ("sku", new.sku),
        ("acked", new.acked),
        ("sent", new.sent),
        ("acked_at", new.acked_at),
        ("intended_at", case((closed, null()), else_=cells.c.intended_at)),
        ("intent", case((closed, null()), else_=cells.c.intent)),
    ]


def _entries(lease: Lease, cycle_id: str, written: BatchResult, now: datetime) -> Rows:
    applied, altered = written.applied, written.altered
    each: Columns = {
        "product_id": [change.product_id for change in applied],
        "place": [change.place for change in applied],
        "sku": [change.sku for change in applied],
        "sku_key": [change.sku[:SKU_KEY_LENGTH] for change in applied],
        "before": [figure_text(change.before) for change in applied],
        "after": [show(change.after) for change in applied],
        "parts": [parts_text(change.parts) for change in applied],
        "cause": [change.cause for change in applied],
        "read_back": [figure_text(altered.get(change.cell)) for change in applied],
    }
    return Rows(each, {"account": lease.account, "at": now, "cycle_id": cycle_id, "epoch": lease.epoch})


def change_in(row: ResultRow[Any]) -> Change:
    """Read the change of a ledger row."""
    parts = parts_of(row.parts)
    figures = {"before": row.before, "after": row.after}
    return change_of(row.product_id, row.place, row.sku, **figures, parts=parts, cause=row.cause)


def ledger_row(row: ResultRow[Any]) -> LedgerRow:
    """Read a row of the ledger."""
    return LedgerRow(row.at, row.cycle_id, row.epoch, change_in(row), figure_of(row.read_back), id=row.id)
