"""Intents, acknowledgements, and the append-only record of what was applied."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import and_, case, func, insert, literal_column, null, or_, select, union, update
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Change, Figure, figure_of, show
from stocksync.ports import BatchResult, Lease, LedgerRow
from stocksync.state import approvals
from stocksync.state.codec import change_of, figure_text, parts_of, parts_text
from stocksync.state.digests import unsettle
from stocksync.state.schema import SKU_KEY_LENGTH, accounts, cells, ledger, products
from stocksync.state.session import Assigned, Row, execute_by_key, execute_many, upsert
from stocksync.state.snapshot_update import new_cell


async def intend(connection: AsyncConnection, account: str, changes: Sequence[Change], now: datetime) -> None:
    """Record what is about to be written; an intent that was open keeps its age."""
    await unsettle(connection, account, {change.product_id for change in changes})
    rows = [
        new_cell(account, change.cell, parts=parts_text(change.parts), intent=show(change.after), intended_at=now)
        for change in sorted(changes, key=lambda change: change.cell)
    ]
    await execute_many(connection, upsert(cells, connection, _opened), rows)


async def acknowledge(
    connection: AsyncConnection, lease: Lease, cycle_id: str, written: BatchResult, now: datetime
) -> None:
    """Record what is there now, with its ledger rows, and close the intents of the rest."""
    await unsettle(connection, lease.account, {change.product_id for change in written.applied})
    if written.applied:
        applied = sorted(written.applied, key=lambda one: one.cell)
        rows = [_acked_row(lease.account, change, written.altered.get(change.cell), now) for change in applied]
        await execute_many(connection, upsert(cells, connection, _acked), rows)
        entries = [_entry(lease, cycle_id, one, written.altered.get(one.cell), now) for one in written.applied]
        await execute_many(connection, insert(ledger), entries)
        await approvals.use_up(connection, lease.account, written.applied)
        await connection.execute(update(accounts).where(accounts.c.account == lease.account).values(last_push=now))
    await _close(connection, lease.account, list(chain(written.skipped, (change for change, _ in written.ambiguous))))


async def history(connection: AsyncConnection, account: str, product_id: int, limit: int) -> list[LedgerRow]:
    """Give the applied changes of a product, newest first."""
    mine = and_(ledger.c.account == account, ledger.c.product_id == product_id)
    query = select(ledger).where(mine).order_by(ledger.c.id.desc()).limit(limit)
    return [_ledger_row(row) for row in (await connection.execute(query)).all()]


async def products_with(connection: AsyncConnection, account: str, sku: str) -> list[int]:
    """Find the products that bear this SKU, or bore it when a change of theirs was applied."""
    bears = select(products.c.product_id).where(products.c.account == account, products.c.sku == sku)
    key = ledger.c.sku_key == sku[:SKU_KEY_LENGTH]
    bore = select(ledger.c.product_id).where(ledger.c.account == account, key, ledger.c.sku == sku)
    held = select(cells.c.product_id).where(
        cells.c.account == account, or_(cells.c.sku == sku, cells.c.former_sku == sku)
    )
    return sorted((await connection.execute(union(bears, bore, held))).scalars())


def _opened(new: Any) -> Assigned:  # noqa: ANN401
    since = case((cells.c.intent.is_(None), new.intended_at), else_=cells.c.intended_at)
    return [("intended_at", since), ("intent", new.intent)]


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


async def _close(connection: AsyncConnection, account: str, changes: Sequence[Change]) -> None:
    # Only the very intent that was tried is closed: a newer one has not been tried yet.
    tried = [(change.product_id, change.place, show(change.after)) for change in changes]
    statement = update(cells).where(cells.c.account == account).values(intent=None, intended_at=None)
    await execute_by_key(connection, statement, (cells.c.product_id, cells.c.place, cells.c.intent), tried)


def _acked_row(account: str, change: Change, altered: Figure | None, now: datetime) -> Row:
    acked, sent = (change.after, None) if altered is None else (altered, change.after)
    figures = {"parts": parts_text(change.parts), "acked": show(acked), "sent": figure_text(sent)}
    return new_cell(account, change.cell, **figures, acked_at=now, sku=change.sku)


def _entry(lease: Lease, cycle_id: str, change: Change, altered: Figure | None, now: datetime) -> Row:
    return {
        "account": lease.account,
        "at": now,
        "cycle_id": cycle_id,
        "epoch": lease.epoch,
        "product_id": change.product_id,
        "place": change.place,
        "sku": change.sku,
        "sku_key": change.sku[:SKU_KEY_LENGTH],
        "before": figure_text(change.before),
        "after": show(change.after),
        "parts": parts_text(change.parts),
        "cause": change.cause,
        "read_back": figure_text(altered),
    }


def change_in(row: ResultRow[Any]) -> Change:
    """Read the change of a ledger row."""
    parts = parts_of(row.parts)
    figures = {"before": row.before, "after": row.after}
    return change_of(row.product_id, row.place, row.sku, **figures, parts=parts, cause=row.cause)


def _ledger_row(row: ResultRow[Any]) -> LedgerRow:
    return LedgerRow(row.at, row.cycle_id, row.epoch, change_in(row), figure_of(row.read_back))
