"""Columns that figures were written without: tried again, so that they heal once what was in their way is gone."""

from datetime import datetime
from decimal import Decimal

import structlog

from stocksync.core.diff import waits
from stocksync.core.model import Cell, Change
from stocksync.core.status import Side
from stocksync.errors import TargetError
from stocksync.run.finishing import finish
from stocksync.run.prepared import CyclePlan
from stocksync.run.writer import Writer

log = structlog.get_logger(__name__)

_AT_ONCE = 100
"""Rows tried in one cycle: each costs two statements, and perhaps none will ever do."""


async def retry_columns(writer: Writer, prepared: CyclePlan, now: datetime) -> None:
    """Try again the columns that are due; what the target says to that never ends a cycle."""
    if not prepared.snapshot.quarantine:
        return
    # Rows whose figure stands and needs no writing now, with what was said of their columns.
    found: list[tuple[datetime, Change, str]] = []
    snapshot, planned = prepared.snapshot, set(prepared.found.planned)
    for (product_id, place), entry in snapshot.quarantine.items():
        product = prepared.reading.products.get(product_id)
        if entry.side != Side.COLUMN or place is None or product is None or waits(entry, now):
            continue
        cell = Cell(product_id, place)
        remembered = snapshot.cells.get(cell)
        if remembered is None or remembered.intent is not None or not product.tracked or cell in planned:
            continue
        if isinstance(stands := remembered.acked, Decimal):
            same = Change(product_id, place, product.sku, stands, stands, remembered.parts)
            found.append((entry.retry_at, same, entry.reason))
    due = sorted(found, key=lambda one: one[0])[:_AT_ONCE]
    if not due:
        return
    try:
        await finish(writer.retry_columns([(change, words) for _, change, words in due]))
    except TargetError as error:
        log.info("columns_not_tried", rows=len(due), error=str(error))
