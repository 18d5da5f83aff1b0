"""One batch through the user's own statements: what each of them did, and what stands there afterwards."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import CursorResult, Text, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Cell, Change, Removal, RowLocator, TargetRow
from stocksync.ports import BatchResult
from stocksync.targets import dialects
from stocksync.targets.codecs import lossless, number, truth
from stocksync.targets.open_transaction import execute_within

_PLAIN = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:insert|update|delete|replace)\b", re.IGNORECASE | re.DOTALL)
"""What counts its rows by itself: a MERGE's count does not reach us, nor does that of a function or a WITH."""
_CALL = re.compile(r"\s*call\b", re.IGNORECASE)
_EQUAL = text("SELECT CASE WHEN :ours = :theirs THEN 1 ELSE 0 END").bindparams(
    bindparam("ours", type_=Text()), bindparam("theirs", type_=Text())
)


class StatementBatch:
    """Writes changes one by one within an open transaction."""

    def __init__(self, connection: AsyncConnection, where: str, texts: Mapping[str, TextClause]) -> None:
        """Take the transaction, and the statements of the target at `where` by name."""
        self._connection = connection
        self._where = where
        self._texts = texts
        self._written = BatchResult()
        self._merged: set[tuple[Cell, Cell]] = set()
        """Pairs of cells that the target has been seen to keep in one row."""

    async def write(self, changes: Sequence[Change]) -> BatchResult:
        """Write all that can be told apart, then read back what stands there."""
        for change in sorted(changes):
            name = statement_for(change)
            if name not in self._texts:
                self._written.ambiguous.append((change, f"no `{name}` statement is configured"))
            elif rival := await self._write_apart(change, name):
                self._set_aside(change, rival)
        await dialects.check_now(self._connection)
        written = self._written
        if "read" not in self._texts:
            return written
        # What `read` shows decides: no row is a skipped change, whatever the `write` said it did.
        tried, untouched = sorted([*written.applied, *written.skipped]), {one.cell for one in written.skipped}
        found = {change.cell: await self.read_one(change.ref) for change in tried}
        live = {cell: row for cell, row in found.items() if row is not None}
        written.applied, written.skipped = [], []
        for change in tried:
            stands = live.get(change.cell)
            there = stands is not None and (change.cell not in untouched or stands.holds(change.after))
            (written.applied if there or isinstance(change.after, Removal) else written.skipped).append(change)
        written.read_back(live)
        return written

    async def read_one(self, ref: RowLocator) -> TargetRow | None:
        """Ask for one cell by the `read` statement."""
        rows: list[Any] = list(await self._execute("read", ref, None))
        if not rows:
            return None
        first, differing = rows[0], len({tuple(row[:2]) for row in rows})
        return TargetRow(number(first[0]), truth(first[1]) if len(first) > 1 else None, differing)

    async def _write_apart(self, change: Change, name: str) -> RowLocator | None:
        """Write one change; give the product whose row it changes too, if any: then it is taken back."""
        for rival in change.rivals:
            if (rival.cell, change.cell) in self._merged:
                return rival
            # Where no `read` shows what a write does, only the database itself can tell.
            asked = {"ours": change.sku, "theirs": rival.sku}
            if "read" not in self._texts and (await self._connection.execute(_EQUAL, asked)).scalar():
                return rival
        before = [await self.read_one(rival) for rival in change.rivals] if "read" in self._texts else []
        if not before:
            await self._write_one(change, name, self._written)
            return None
        alone = BatchResult()
        async with self._connection.begin_nested() as savepoint:
            await self._write_one(change, name, alone)
            for rival, held in zip(change.rivals, before, strict=True):
                if await self.read_one(rival) != held:
                    await savepoint.rollback()
                    return rival
        self._written.applied += alone.applied
        self._written.skipped += alone.skipped
        return None

    async def _write_one(self, change: Change, name: str, written: BatchResult) -> None:
        figure = change.after if isinstance(change.after, Decimal) else None
        counts = name == "write" and "read" not in self._texts and not _PLAIN.match(self._texts[name].text)
        before = await dialects.rows_changed(self._connection) if counts else None
        result = await self._execute(name, change.ref, figure)
        if result.returns_rows:
            rows = list(result)
            # One value is a function's answer, unless it is a row that was changed; a procedure need show none.
            shows = not _CALL.match(self._texts[name].text)
            there = bool(rows) and (not counts or (shows and bool(rows[0][0])))
        else:
            there = result.rowcount != 0
        # MySQL counts a row that gets the figure it has as found, and not as changed: there a statement's word is good.
        if before is not None and not (there and self._connection.dialect.name in {"mysql", "mariadb"}):
            there = await dialects.rows_changed(self._connection) != before
        (written.applied if there or name != "write" else written.skipped).append(change)

    def _set_aside(self, change: Change, rival: RowLocator) -> None:
        """Set a change aside, and with it the rival's, if that came first and changed nothing."""
        self._merged.add((change.cell, rival.cell))
        both = f"{change.sku!r} and {rival.sku!r} (products {change.product_id} and {rival.product_id})"
        reason = f"the target takes {both} for one row; give one of them another SKU"
        for other in [one for one in self._written.applied if one.cell == rival.cell]:
            self._written.applied.remove(other)
            self._written.ambiguous.append((other, reason))
        self._written.ambiguous.append((change, reason))

    async def _execute(self, name: str, ref: RowLocator, figure: Decimal | None) -> CursorResult[Any]:
        sqlite = self._connection.dialect.name == "sqlite"
        quantity = None if figure is None else lossless(figure) if sqlite else figure
        every = {"product_id": ref.product_id, "sku": ref.sku, "location": ref.place, "quantity": quantity}
        given = {bound: every[bound] for bound in self._texts[name].compile().params}
        return await execute_within(self._connection, f"{self._where}.statements.{name}", self._texts[name], given)


def statement_for(change: Change) -> str:
    """Name the statement that a change is made by."""
    if isinstance(change.after, Removal):
        return "delete" if change.after is Removal.DELETED else "deactivate"
    return "write"
