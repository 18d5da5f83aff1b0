"""What a reading changes in the snapshot."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, delete, func, literal_column, or_, type_coerce, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.desired_state import CLOCK_SKEW
from stocksync.core.model import Cell
from stocksync.ports import Quarantined, SnapshotUpdate
from stocksync.state import digests
from stocksync.state.codec import figure_text, locations_text, parts_text
from stocksync.state.schema import accounts, cells, products, quarantine
from stocksync.state.session import Assigned, Row, chunks, execute_by_key, execute_many, replacing, upsert
from stocksync.state.types import instant, micros

NEVER_READ = instant(0)
"""Source time of a cell that was intended or adopted before any reading showed it: any reading is newer."""


async def observe(
    connection: AsyncConnection, account: str, cycle_id: str, seen: SnapshotUpdate, now: datetime
) -> None:
    """Write all that differs, in one transaction."""
    await digests.unsettle(connection, account, _touched(seen))
    await _write_layout(connection, account, seen.layout)
    await _write_cells(connection, account, cycle_id, seen, now)
    await _write_corrected(connection, account, seen, now)
    await _write_adopted(connection, account, seen, now)
    await _write_unknown(connection, account, seen)
    await _give_up(connection, account, seen.given_up)
    await _write_products(connection, account, seen)
    await _write_account(connection, account, seen)
    await _release(connection, account, seen.released)
    await _write_quarantine(connection, account, seen.quarantined)
    await digests.settle(connection, account, seen.rules, seen.settled)


def _touched(seen: SnapshotUpdate) -> set[int]:
    cells_of = chain(seen.cells, seen.corrected, seen.adopted, seen.unknown, seen.given_up)
    entries = chain((entry.product_id for entry in seen.quarantined), (product_id for product_id, _ in seen.released))
    return {*seen.unsettled, *seen.products, *entries, *(cell.product_id for cell in cells_of)}


async def retry(connection: AsyncConnection, account: str, product_ids: Sequence[int] | None) -> int:
    """Let what waits in quarantine be due, of all products or of some."""
    due = update(quarantine).where(quarantine.c.account == account).values(retry_at=quarantine.c.last_at)
    if product_ids is None:
        return (await connection.execute(due)).rowcount
    parts = [due.where(quarantine.c.product_id.in_(chunk)) for chunk in chunks(product_ids)]
    return sum([(await connection.execute(part)).rowcount for part in parts])


def new_cell(account: str, cell: Cell, **values: object) -> Row:
    """Give a full row for a cell, should it not be there yet."""
    row: Row = {"account": account, "product_id": cell.product_id, "place": cell.place, "parts": "{}"}
    row |= {"source_at": NEVER_READ, "source_cycle": "", "sku": "", "former_sku": ""}
    return row | values


async def _write_layout(connection: AsyncConnection, account: str, layout: str | None) -> None:
    if layout is not None:
        await connection.execute(update(accounts).where(accounts.c.account == account).values(layout=layout))
        altered = update(cells).where(cells.c.account == account, cells.c.sent.is_not(None))
        await connection.execute(altered.values(sent=None))


async def _write_account(connection: AsyncConnection, account: str, seen: SnapshotUpdate) -> None:
    values: Row = {}
    if seen.locations is not None:
        values["locations"] = locations_text(seen.locations)
    if seen.checked_up_to is not None:
        values["checked_up_to"] = seen.checked_up_to
    if values:
        await connection.execute(update(accounts).where(accounts.c.account == account).values(**values))


async def _write_cells(
    connection: AsyncConnection, account: str, cycle_id: str, seen: SnapshotUpdate, now: datetime
) -> None:
    rows = {
        cell: new_cell(account, cell, parts=parts_text(parts), source_at=at, source_cycle=cycle_id)
        for cell, (parts, at) in sorted(seen.cells.items())
    }
    ordinary = [row for cell, row in rows.items() if cell not in seen.replacing]
    replacing = [row for cell, row in rows.items() if cell in seen.replacing]
    await execute_many(connection, upsert(cells, connection, lambda new: _newer_wins(new, now)), ordinary)
    await execute_many(connection, upsert(cells, connection, lambda new: _replaces(new, now)), replacing)


def _newer_wins(new: Any, now: datetime) -> Assigned:  # noqa: ANN401
    newer = _is_newer(new, now)
    names = ("parts", "source_cycle", "source_at")
    return [(name, case((newer, new[name]), else_=cells.c[name])) for name in names]


def _replaces(new: Any, now: datetime) -> Assigned:  # noqa: ANN401
    # A writer whose clock is behind has written this figure: only its date is not to be believed.
    dated = case((_is_newer(new, now), new.source_at), else_=cells.c.source_at)
    return [("parts", new.parts), ("source_cycle", new.source_cycle), ("source_at", dated)]


def _is_newer(new: Any, now: datetime) -> ColumnElement[bool]:  # noqa: ANN401
    # What a clock far ahead has dated is replaced by whatever is read next. No bound value may stand here: asyncmy's
    # executemany knows only those of the VALUES clause.
    latest = literal_column(str(micros(now + CLOCK_SKEW)), BigInteger)
    return or_(new.source_at >= cells.c.source_at, type_coerce(cells.c.source_at, BigInteger) > latest)


async def _write_corrected(connection: AsyncConnection, account: str, seen: SnapshotUpdate, now: datetime) -> None:
    rows = [
        new_cell(account, cell, acked=figure_text(figure), acked_at=None if figure is None else now)
        for cell, figure in sorted(seen.corrected.items())
    ]
    await execute_many(connection, upsert(cells, connection, _read_back), rows)


def _read_back(new: Any) -> Assigned:  # noqa: ANN401
    return [(name, new[name]) for name in ("acked", "acked_at", "sent")]


async def _write_adopted(connection: AsyncConnection, account: str, seen: SnapshotUpdate, now: datetime) -> None:
    rows = [
        new_cell(account, cell, acked=figure_text(figure), sku=sku, acked_at=now)
        for cell, (figure, sku) in sorted(seen.adopted.items(), key=lambda item: item[0])
    ]
    await execute_many(connection, upsert(cells, connection, _first_contact), rows)


def _first_contact(new: Any) -> Assigned:  # noqa: ANN401
    first = cells.c.acked.is_(None)
    names = ("sku", "acked_at")
    kept = [(name, case((first, new[name]), else_=cells.c[name])) for name in names]
    return [*kept, ("acked", func.coalesce(cells.c.acked, new.acked))]


async def _give_up(connection: AsyncConnection, account: str, given_up: Sequence[Cell]) -> None:
    nothing = {"intent": None, "intended_at": None, "acked": None, "sent": None}
    statement = update(cells).where(cells.c.account == account).values(**nothing)
    await execute_by_key(connection, statement, (cells.c.product_id, cells.c.place), given_up)


async def _write_unknown(connection: AsyncConnection, account: str, seen: SnapshotUpdate) -> None:
    by_time: dict[datetime | None, list[Cell]] = defaultdict(list)
    for cell, since in sorted(seen.unknown.items(), key=lambda item: item[0]):
        by_time[since].append(cell)
    for since, found in by_time.items():
        statement = update(cells).where(cells.c.account == account).values(unknown_since=since)
        await execute_by_key(connection, statement, (cells.c.product_id, cells.c.place), found)


async def _write_products(connection: AsyncConnection, account: str, seen: SnapshotUpdate) -> None:
    rows = [
        {
            "account": account,
            "product_id": product_id,
            **known._asdict(),
            "look_alike": digests.look_alike_key(known.sku),
        }
        | digests.UNSETTLED
        for product_id, known in sorted(seen.products.items())
    ]
    await execute_many(connection, upsert(products, connection, replacing(products)), rows)


async def _write_quarantine(connection: AsyncConnection, account: str, entries: Iterable[Quarantined]) -> None:
    latest = {(entry.product_id, entry.place): entry for entry in entries}
    rows = [_quarantine_row(account, entry) for entry in latest.values()]
    await execute_many(connection, upsert(quarantine, connection, replacing(quarantine)), rows)


async def _release(connection: AsyncConnection, account: str, released: list[tuple[int, str | None]]) -> None:
    keys = [(product_id, place is None, place or "") for product_id, place in released]
    columns = (quarantine.c.product_id, quarantine.c.whole, quarantine.c.place)
    await execute_by_key(connection, delete(quarantine).where(quarantine.c.account == account), columns, keys)


def _quarantine_row(account: str, entry: Quarantined) -> Row:
    return {
        "account": account,
        "product_id": entry.product_id,
        "whole": entry.place is None,
        "place": entry.place or "",
        "side": entry.side,
        "reason": entry.reason,
        "figure": figure_text(entry.figure),
        "attempts": entry.attempts,
        "first_at": entry.first_at,
        "last_at": entry.last_at,
        "retry_at": entry.retry_at,
    }
