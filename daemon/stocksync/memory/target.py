"""The target in memory: for simulations, and held to the contract of the real ones."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from stocksync.core.model import Cell, Change, Removal, RowLocator, TargetRow
from stocksync.errors import RowsRefused, TargetUnavailable
from stocksync.memory.store import survive
from stocksync.ports import BatchResult, Capabilities, Fence, Trial

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One row of the integrated system's table."""

    product_id: int
    sku: str
    place: str
    quantity: Decimal | None
    active: bool = True


@dataclass(slots=True)
class MemoryTable:
    """The integrated system: it outlives every crash of ours, and people may edit `rows` too."""

    rows: list[MemoryRow] = field(default_factory=list)
    limit: Decimal | None = None
    """A constraint: quantities must be below."""
    makes: Callable[[Decimal], Decimal] | None = None
    """A trigger: what it makes of a quantity that is written."""
    away: bool = False
    """While true nothing can be read or written."""
    writes: int = 0
    """Committed transactions that changed something."""


class MemoryTarget:
    """A Target over a MemoryTable.

    `crash_points` is called with "before write" and "after write" around each commit; what it raises, the caller gets.
    Nothing is awaited between the fence and the commit, as a real server ends a transaction that idles.
    """

    def __init__(
        self,
        table: MemoryTable,
        *,
        by_sku: bool = False,
        inserts: bool = True,
        crash_points: Callable[[str], None] = survive,
    ) -> None:
        self.table = table
        self.crash_points = crash_points
        self._by_sku = by_sku
        self._inserts = inserts

    async def inspect(self) -> Capabilities:
        self._answer()
        return Capabilities(
            scale=None,
            summed=False,
            by_sku=self._by_sku,
            creates=self._inserts,
            can_deactivate=True,
            can_scan=True,
        )

    async def is_empty(self) -> bool:
        self._answer()
        return not self.table.rows

    async def rehearse(self, sample: Sequence[Change]) -> list[Trial]:
        self._answer()
        plan = _Plan(self.table, self._row_key)
        written = self._arrange(plan, sample)
        trials = [Trial(why, blocks=False) for _, why in written.ambiguous]
        try:
            plan.check(self.table.limit)
        except RowsRefused as error:
            trials.append(Trial(str(error)))
        return trials

    async def stale(self) -> bool | None:
        return None

    async def retry_columns(self, *_given: object) -> dict[Cell, str]:
        return {}

    async def make(self) -> None:
        return

    async def read(self, refs: Sequence[RowLocator]) -> dict[Cell, TargetRow]:
        self._answer()
        rows: dict[Key, list[MemoryRow]] = {}
        for row in self.table.rows:
            rows.setdefault(self._row_key(row), []).append(row)
        return {ref.cell: _live(rows[key]) for ref in refs if (key := self._key(ref)) in rows}

    async def scan(self, size: int) -> AsyncGenerator[list[tuple[str, str, TargetRow]], None]:
        self._answer()
        ordered = sorted(self.table.rows, key=self._order)
        found = [
            (*self._row_key(same[0]), _live(same)) for _, rows in groupby(ordered, self._order) if (same := [*rows])
        ]
        for start in range(0, len(found), size):
            yield found[start : start + size]

    async def write(
        self,
        changes: Sequence[Change],
        fence: Fence,
        transaction: Any = None,  # noqa: ANN401  whatever the state opened
        *,
        patient: bool = True,  # noqa: ARG002  nobody else holds rows in memory
        cycle_id: str = "",  # noqa: ARG002  for a statement of the user's
    ) -> BatchResult:
        if not changes:
            return BatchResult()
        self._answer()
        await fence()
        self._answer()
        plan = _Plan(self.table, self._row_key)
        written = self._arrange(plan, changes)
        plan.check(self.table.limit)
        written.read_back({one.cell: _live(rows) for one in changes if (rows := plan.at(self._key(one.ref)))})
        if transaction is not None:
            transaction.connection.deferred.append(lambda: self._commit(plan))
        else:
            self.crash_points("before write")
            self._commit(plan)
            self.crash_points("after write")
        return written

    async def close(self) -> None:
        return

    def _arrange(self, plan: "_Plan", changes: Sequence[Change]) -> BatchResult:
        written = BatchResult()
        claims = Counter(self._key(change.ref) for change in changes)
        for change in sorted(changes):
            key = self._key(change.ref)
            rows = plan.count(key)
            if not key[0]:
                written.ambiguous.append((change, "the product has no SKU, and rows are matched by SKU"))
            elif rows > 1:
                written.ambiguous.append((change, f"{rows} rows match {key}"))
            elif claims[key] > 1:
                written.ambiguous.append((change, f"{claims[key]} products claim {key}"))
            elif not rows and not self._inserts and not isinstance(change.after, Removal):
                written.skipped.append(change)
            else:
                plan.add(key, change)
                written.applied.append(change)
                written.met += rows == 1 and change.before is None
        return written

    def _commit(self, plan: "_Plan") -> None:
        if plan.new:
            # Over the rows as they are now: somebody may have edited others meanwhile.
            fresh = _Plan(self.table, self._row_key)
            for key, change in plan.new:
                fresh.add(key, change)
            self.table.rows = list(fresh.rows())
            self.table.writes += 1

    def _answer(self) -> None:
        if self.table.away:
            raise TargetUnavailable("the target is away")

    def _key(self, ref: RowLocator) -> Key:
        return (ref.sku if self._by_sku else str(ref.product_id)), ref.place

    def _row_key(self, row: MemoryRow) -> Key:
        return self._key(RowLocator(row.product_id, row.sku, row.place))

    def _order(self, row: MemoryRow) -> tuple[Any, ...]:
        return (row.sku if self._by_sku else row.product_id), row.place


class _Plan:
    """The rows as they would be."""

    def __init__(self, table: MemoryTable, key_of: Callable[[MemoryRow], Key]) -> None:
        self.new: list[tuple[Key, Change]] = []
        self._makes = table.makes
        self._rows: dict[Key, list[MemoryRow]] = {}
        for row in table.rows:
            self._rows.setdefault(key_of(row), []).append(row)

    def at(self, key: Key) -> Sequence[MemoryRow]:
        return self._rows.get(key, ())

    def count(self, key: Key) -> int:
        return len(self.at(key))

    def rows(self) -> Iterable[MemoryRow]:
        return (row for rows in self._rows.values() for row in rows)

    def add(self, key: Key, change: Change) -> None:
        self.new.append((key, change))
        there = self._rows.get(key)
        if change.after is Removal.DELETED:
            self._rows.pop(key, None)
        elif change.after is Removal.DEACTIVATED:
            self._rows[key] = [replace(row, active=False) for row in there or ()]
        elif there:
            active = True if change.before is Removal.DEACTIVATED else there[0].active
            ours = {"product_id": change.product_id, "sku": change.sku, "active": active}
            ours["quantity"] = self._made(change.after)
            self._rows[key] = [replace(there[0], **ours)]  # type: ignore[arg-type]
        else:
            self._rows[key] = [MemoryRow(change.product_id, change.sku, change.place, self._made(change.after))]

    def _made(self, figure: Decimal) -> Decimal:
        return figure if self._makes is None else self._makes(figure)

    def check(self, limit: Decimal | None) -> None:
        for _, change in self.new:
            if limit is not None and isinstance(change.after, Decimal) and change.after >= limit:
                raise RowsRefused(f"{change.after} is not below {limit}")


def _live(rows: Sequence[MemoryRow]) -> TargetRow:
    return TargetRow(rows[0].quantity, rows[0].active, len(rows))
