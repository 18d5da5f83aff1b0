"""What a reading changes in the snapshot."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    or_,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.desired_state import CLOCK_SKEW
from stocksync.core.model import Cell, Change, SnapshotProduct
from stocksync.ports import FiguresRead, SnapshotUpdate
from stocksync.sqlrows import Columns, Rows
from stocksync.state import digests
from stocksync.state.codec import figure_text, locations_text, parts_text
from stocksync.state.schema import accounts, cells, products, quarantine
from stocksync.state.session import Assign, Assigned, Row, chunks, execute_by_key, replacing, upsert, upsert_rows
from stocksync.state.types import instant, micros

NEVER_READ = instant(0)
"""Source time of a cell that was intended or adopted before any reading showed it: any reading is newer."""
_LATEST = bindparam("latest", type_=BigInteger)
_UNREAD = {"parts": "{}", "source_at": NEVER_READ, "source_cycle": "", "sku": "", "former_sku": ""}


async def observe(
    connection: AsyncConnection, account: str, cycle_id: str, seen: SnapshotUpdate, now: datetime
) -> None:
    """Write all that differs, in one transaction."""
    await digests.unsettle(connection, account, seen.touched)
    mine = update(accounts).where(accounts.c.account == account)
    if seen.layout is not None:
        await connection.execute(mine.values(layout=seen.layout))
        altered = update(cells).where(cells.c.account == account, cells.c.sent.is_not(None))
        await connection.execute(altered.values(sent=None))
    await _write_cells(connection, account, cycle_id, seen, now)
    await _write_target_figures(connection, account, seen, now)
    await _write_without_figure(connection, account, seen)
    await _write_products(connection, account, seen)
    if noted := of_account(seen):
        await connection.execute(mine.values(**noted))
    await _write_quarantine(connection, account, seen)
    await digests.settle(connection, account, seen.rules, seen.settled)


def of_account(seen: SnapshotUpdate) -> Row:
    """Give what of it stands in the account's own row; the layout is recorded before all else."""
    noted: Row = {}
    if seen.locations is not None:
        noted["locations"] = locations_text(seen.locations)
    if seen.checked_up_to is not None:
        noted["checked_up_to"] = seen.checked_up_to
    return noted


async def retry(connection: AsyncConnection, account: str, product_ids: Sequence[int] | None) -> int:
    """Let what waits in quarantine be due, of all products or of some."""
    due = update(quarantine).where(quarantine.c.account == account).values(retry_at=quarantine.c.last_at)
    if product_ids is None:
        return (await connection.execute(due)).rowcount
    parts = [due.where(quarantine.c.product_id.in_(chunk)) for chunk in chunks(product_ids)]
    return sum([(await connection.execute(part)).rowcount for part in parts])


def cell_rows(account: str, keys: Sequence[Cell] | Sequence[Change], each: Columns, **same: object) -> Rows:
    """Give full rows for cells, should they not be there yet."""
    key: Columns = {"product_id": [cell.product_id for cell in keys], "place": [cell.place for cell in keys]}
    common = {"account": account, **_UNREAD, **same}
    return Rows({**key, **each}, {name: value for name, value in common.items() if name not in each})


async def _write_cells(
    connection: AsyncConnection, account: str, cycle_id: str, seen: SnapshotUpdate, now: datetime
) -> None:
    replacing = seen.replacing
    ordinary = (
        {cell: figures for cell, figures in seen.cells.items() if cell not in replacing} if replacing else seen.cells
    )
    latest, given = latest_credible(connection, now)
    rows = _cells_read(account, cycle_id, ordinary)
    await upsert_rows(connection, cells, newer_wins(latest), rows, given)
    rows = _cells_read(account, cycle_id, {cell: seen.cells[cell] for cell in replacing if cell in seen.cells})
    await upsert_rows(connection, cells, _replaces(latest), rows, given)


def _cells_read(account: str, cycle_id: str, figures: FiguresRead) -> Rows:
    found = sorted(figures.items(), key=itemgetter(0))
    each: Columns = {"parts": [parts_text(parts) for _, (parts, _) in found], "source_at": [at for _, (_, at) in found]}
    return cell_rows(account, [cell for cell, _ in found], each, source_cycle=cycle_id)


def latest_credible(connection: AsyncConnection, now: datetime) -> tuple[ColumnElement[int], dict[str, int]]:
    """Give the instant after which only a clock far ahead can have dated a figure, and what is bound for it."""
    latest = micros(now + CLOCK_SKEW)
    # asyncmy's executemany knows only the bound values of the VALUES clause. Elsewhere it is bound: a statement that is
    # another one each time is described, compiled and planned each time.
    if connection.dialect.name in {"mysql", "mariadb"}:
        return literal_column(str(latest), BigInteger), {}
    return _LATEST, {_LATEST.key: latest}


@lru_cache(maxsize=4)  # one and the same object makes one and the same statement
def newer_wins(latest: ColumnElement[int]) -> Assign:
    """Replace raw figures by those that were read later; what no reading showed replaces none."""

    def assign(new: Any) -> Assigned:  # noqa: ANN401
        newer = and_(new.source_cycle != literal_column("''"), _is_newer(new, latest))
        names = ("parts", "source_cycle", "source_at")
        return [(name, case((newer, new[name]), else_=cells.c[name])) for name in names]

    return assign


@lru_cache(maxsize=4)  # as above
def _replaces(latest: ColumnElement[int]) -> Assign:
    def assign(new: Any) -> Assigned:  # noqa: ANN401
        # A writer whose clock is behind has written this figure: only its date is not to be believed.
        dated = case((_is_newer(new, latest), new.source_at), else_=cells.c.source_at)
        return [("parts", new.parts), ("source_cycle", new.source_cycle), ("source_at", dated)]

    return assign


def _is_newer(new: Any, latest: ColumnElement[int]) -> ColumnElement[bool]:  # noqa: ANN401
    # What a clock far ahead has dated is replaced by whatever is read next.
    return or_(new.source_at >= cells.c.source_at, type_coerce(cells.c.source_at, BigInteger) > latest)


async def _write_target_figures(connection: AsyncConnection, account: str, seen: SnapshotUpdate, now: datetime) -> None:
    """Write what was seen in the target: figures that are others than we knew, and those met at first contact."""
    corrected = sorted(seen.corrected.items(), key=itemgetter(0))
    each: Columns = {"acked": [figure_text(figure) for _, figure in corrected]}
    each["acked_at"] = [None if figure is None else now for _, figure in corrected]
    rows = cell_rows(account, [cell for cell, _ in corrected], each)
    await upsert_rows(connection, cells, replacing(cells, "acked", "acked_at", "sent"), rows)
    adopted = sorted(seen.adopted.items(), key=itemgetter(0))
    figures: Columns = {"acked": [figure_text(figure) for _, (figure, _) in adopted]}
    figures["sku"] = [sku for _, (_, sku) in adopted]
    rows = cell_rows(account, [cell for cell, _ in adopted], figures, acked_at=now)
    await upsert_rows(connection, cells, _first_contact, rows)


def _first_contact(new: Any) -> Assigned:  # noqa: ANN401
    first = cells.c.acked.is_(None)
    names = ("sku", "acked_at")
    kept = [(name, case((first, new[name]), else_=cells.c[name])) for name in names]
    return [*kept, ("acked", func.coalesce(cells.c.acked, new.acked))]


async def _write_without_figure(connection: AsyncConnection, account: str, seen: SnapshotUpdate) -> None:
    """Write of which cells Qoyod says nothing, and since when, and which are given up."""
    mine, key = update(cells).where(cells.c.account == account), (cells.c.product_id, cells.c.place)
    by_time: dict[datetime | None, list[Cell]] = defaultdict(list)
    for cell, since in sorted(seen.unknown.items(), key=lambda item: item[0]):
        by_time[since].append(cell)
    for since, found in by_time.items():
        await execute_by_key(connection, mine.values(unknown_since=since), key, found)
    nothing = {"intent": None, "intended_at": None, "acked": None, "sent": None}
    await execute_by_key(connection, mine.values(**nothing), key, seen.given_up)


async def _write_products(connection: AsyncConnection, account: str, seen: SnapshotUpdate) -> None:
    found = sorted(seen.products.items())
    entries = [entry for _, entry in found]
    each: Columns = {"product_id": [product_id for product_id, _ in found]}
    each |= dict(zip(SnapshotProduct._fields, zip(*entries, strict=True), strict=False))
    each["look_alike"] = [digests.look_alike_key(entry.sku) for entry in entries]
    rows = Rows(each, {"account": account, **digests.UNSETTLED})
    await upsert_rows(connection, products, replacing(products), rows)


async def _write_quarantine(connection: AsyncConnection, account: str, seen: SnapshotUpdate) -> None:
    keys = [(product_id, place is None, place or "") for product_id, place in seen.released]
    columns = (quarantine.c.product_id, quarantine.c.whole, quarantine.c.place)
    await execute_by_key(connection, delete(quarantine).where(quarantine.c.account == account), columns, keys)
    latest = {(entry.product_id, entry.place): entry for entry in seen.quarantined}
    rows = [
        {
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
        for entry in latest.values()
    ]
    if rows:
        await connection.execute(upsert(quarantine, connection.dialect.name, replacing(quarantine)), rows)
