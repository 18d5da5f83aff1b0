"""Intents, acknowledgements, and the append-only record of what was applied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Update,
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
from stocksync.sqlrows import NOTHING, Columns, Rows, as_arrays, insert_and_update, insert_rows, takes_arrays
from stocksync.state import approvals
from stocksync.state.codec import change_of, figure_text, parts_of, parts_text
from stocksync.state.digests import unsettle, unsettling
from stocksync.state.schema import SKU_KEY_LENGTH, accounts, cells, ledger, products
from stocksync.state.session import Assign, Assigned, execute_by_key, upsert
from stocksync.state.snapshot_update import NEVER_READ, cell_rows, latest_credible, newer_wins

# Described once: that takes longer than to send them.
_INTO_LEDGER = insert(ledger)
_PUSHED = (
    update(accounts)
    .where(accounts.c.account == bindparam("of"))
    .values(last_push=bindparam("pushed_at", type_=accounts.c.last_push.type))
)


def intents(lease: Lease, cycle_id: str, changes: Sequence[Change], read: FiguresRead) -> Rows:
    """Give the rows of what is about to be written, and of what was read of its cells."""
    ordered = sorted(changes, key=attrgetter("cell"))
    figures = [read.get(change.cell) or (change.parts, NEVER_READ) for change in ordered]
    each: Columns = {
        "parts": [parts_text(parts) for parts, _ in figures],
        "source_at": [at for _, at in figures],
        "source_cycle": ["" if at is NEVER_READ else cycle_id for _, at in figures],
        "intent": [show(change.after) for change in ordered],
    }
    return cell_rows(lease.account, ordered, each)


async def intend(
    connection: AsyncConnection, account: str, rows: Rows, unsettled: Sequence[int], now: datetime
) -> None:
    """Record intents, and that their products are not settled any more; an intent that was open keeps its age."""
    latest, given = latest_credible(connection, now)
    await _write_unsettled(
        connection, account, _opened(latest), rows.with_same(intended_at=now), unsettled, given=given
    )


def read_of(changes: Sequence[Change], seen: SnapshotUpdate) -> tuple[FiguresRead, SnapshotUpdate]:
    """Part what goes into the rows of these changes, with their intents, from what else is to be recorded."""
    products = {change.product_id for change in changes}
    mine = {change.cell for change in changes if change.cell in seen.cells and change.cell not in seen.replacing}
    read = {cell: seen.cells[cell] for cell in mine}
    rest = {cell: figures for cell, figures in seen.cells.items() if cell not in mine}
    return read, replace(seen, cells=rest, unsettled=sorted(products.union(seen.unsettled)))


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What an acknowledgement writes, as rows: a batch's are made before the lease's row is locked."""

    applied: Sequence[Change]
    figures: Rows
    """What is there now, a row for each cell."""
    entries: Rows
    """The ledger's."""
    tried: Sequence[tuple[int, str, str]]
    """Product, place and intent of what was not written."""


def acknowledgement(lease: Lease, cycle_id: str, written: BatchResult) -> Acknowledgement:
    """Give the rows that acknowledge a batch."""
    applied, altered = sorted(written.applied, key=attrgetter("cell")), written.altered
    parts, after = [parts_text(change.parts) for change in applied], [show(change.after) for change in applied]
    skus = [change.sku for change in applied]
    seen = [figure_text(altered.get(change.cell)) for change in applied] if altered else [None] * len(applied)
    each: Columns = {
        "parts": parts,
        "acked": [figure or shown for figure, shown in zip(seen, after, strict=True)],
        "sent": [figure and shown for figure, shown in zip(seen, after, strict=True)],
        "sku": skus,
    }
    entries: Columns = {
        "product_id": [change.product_id for change in applied],
        "place": [change.place for change in applied],
        "sku": skus,
        "sku_key": [sku[:SKU_KEY_LENGTH] for sku in skus],
        "before": [figure_text(change.before) for change in applied],
        "after": after,
        "parts": parts,
        "cause": [change.cause for change in applied],
        "read_back": seen,
    }
    # Of what was not written only the very intent that was tried is closed: a newer one has not been tried yet.
    rest = chain(written.skipped, (change for change, _ in written.ambiguous))
    return Acknowledgement(
        applied,
        cell_rows(lease.account, applied, each),
        Rows(entries, {"account": lease.account, "cycle_id": cycle_id, "epoch": lease.epoch}),
        [(change.product_id, change.place, show(change.after)) for change in rest],
    )


async def acknowledge(connection: AsyncConnection, lease: Lease, given: Acknowledgement, now: datetime) -> None:
    """Record what is there now, with its ledger rows, and close the intents of the rest."""
    if given.applied and await _acknowledge(connection, lease.account, given, now):
        await approvals.use_up(connection, lease.account, given.applied)
    statement = update(cells).where(cells.c.account == lease.account).values(intent=None, intended_at=None)
    await execute_by_key(connection, statement, (cells.c.product_id, cells.c.place, cells.c.intent), given.tried)


async def _acknowledge(connection: AsyncConnection, account: str, given: Acknowledgement, now: datetime) -> bool:
    """Record what was applied; give whether anything of the account is decided and not done."""
    unsettled = sorted({change.product_id for change in given.applied})
    figures, entries = given.figures.with_same(acked_at=now), given.entries.with_same(at=now)
    values: dict[str, Any] = {"of": account, "pushed_at": now}
    also: list[Insert | Update] = []
    if takes_arrays(connection):
        into, each = as_arrays(upsert(cells, connection.dialect.name, _acked), figures, "cell_")
        unsettle_them, named = unsettling(account, unsettled)
        also, values = [into, unsettle_them], {**values, **each, **named}
    else:
        await _write_unsettled(connection, account, _acked, figures, unsettled)
    told = connection.dialect.update_returning
    then = _PUSHED.returning(approvals.DECIDED) if told else _PUSHED
    result = await insert_and_update(connection, _INTO_LEDGER, entries, then, values, also=also)
    return bool(result.scalar_one()) if told else await approvals.any_decided(connection, account)


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


async def _write_unsettled(
    connection: AsyncConnection,
    account: str,
    assign: Assign,
    rows: Rows,
    unsettled: Sequence[int],
    *,
    given: Mapping[str, Any] = NOTHING,
) -> None:
    """Write rows of cells whose products the next cycle has to look at, in one message where the database can."""
    into = upsert(cells, connection.dialect.name, assign)
    if takes_arrays(connection) and len(rows) and unsettled:
        then, named = unsettling(account, unsettled)
        await insert_and_update(connection, into, rows, then, {**given, **named})
    else:
        await unsettle(connection, account, unsettled)
        await insert_rows(connection, into, rows, given)


def change_in(row: ResultRow[Any]) -> Change:
    """Read the change of a ledger row."""
    parts = parts_of(row.parts)
    figures = {"before": row.before, "after": row.after}
    return change_of(row.product_id, row.place, row.sku, **figures, parts=parts, cause=row.cause)


def ledger_row(row: ResultRow[Any]) -> LedgerRow:
    """Read a row of the ledger."""
    return LedgerRow(row.at, row.cycle_id, row.epoch, change_in(row), figure_of(row.read_back), id=row.id)
