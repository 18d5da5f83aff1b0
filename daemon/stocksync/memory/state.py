"""The state in memory, by a given clock: for simulations, and held to the contract of the real ones."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal

from stocksync.core import budget as budgeting
from stocksync.core.budget import SECOND, Pace, Reservation
from stocksync.core.catalogue import Catalogue
from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import HeldPlan
from stocksync.core.look_alike import folded
from stocksync.core.model import (
    Cell,
    Change,
    RowLocator,
    SnapshotCell,
)
from stocksync.core.report import CycleReport
from stocksync.errors import LeaseLost
from stocksync.memory import changes as effects
from stocksync.memory.queries import MemoryQueries, locator_of
from stocksync.memory.status import by_start
from stocksync.memory.store import (
    LONG_AGO,
    MemoryAccount,
    MemoryCell,
    MemoryConnection,
    MemoryStore,
    MemoryTransaction,
    survive,
)
from stocksync.ports import (
    BatchResult,
    Clock,
    GuardHistory,
    Lease,
    LedgerRow,
    Snapshot,
    SnapshotUpdate,
    Transaction,
)

_SWEEP_EVERY = timedelta(hours=1)


class MemoryState(MemoryQueries):
    """One process's view of a MemoryStore; implements State, StateQueries and TokenStore.

    `crash_points` is called with "before NAME" and "after NAME" around each commit, NAME being claim, renew, release,
    begin, observe, intend, acknowledge, transaction, hold, end, audit, decide, save, reserve or forbid; what it raises,
    the caller gets.
    """

    def __init__(
        self,
        clock: Clock,
        store: MemoryStore | None = None,
        crash_points: Callable[[str], None] = survive,
        keep_ledger: timedelta = timedelta(days=90),
    ) -> None:
        super().__init__(clock, store if store is not None else MemoryStore(), crash_points)
        self._keep = keep_ledger
        self._swept: dict[str, datetime] = {}

    async def claim(
        self, groups: Sequence[Sequence[str]], owner: str, ttl: timedelta, address: str = ""
    ) -> list[Lease]:
        now = self.clock.now()
        claimed: list[Lease] = []
        for group in groups:
            rows = {account: self.store.of(account) for account in sorted(group)}
            held = {account: now < mine.expires_at <= now + ttl for account, mine in rows.items()}
            if any(held[account] and mine.owner != owner for account, mine in rows.items()):
                continue
            self.crash_points("before claim")
            for account, mine in rows.items():
                mine.epoch += 0 if held[account] else 1
                mine.owner, mine.expires_at, mine.address = owner, now + ttl, address
                claimed.append(Lease(account, owner, mine.epoch, ttl))
            self.crash_points("after claim")
        return claimed

    async def renew(self, held: Sequence[Lease], ttl: timedelta) -> list[Lease]:
        now = self.clock.now()
        rows = {lease: self.store.of(lease.account) for lease in held}
        kept = [
            lease
            for lease, mine in rows.items()
            if (mine.owner, mine.epoch) == (lease.owner, lease.epoch) and mine.expires_at > now
        ]
        self.crash_points("before renew")
        for lease in kept:
            rows[lease].expires_at = now + ttl
        self.crash_points("after renew")
        return kept

    async def confirm(self, lease: Lease, margin: timedelta) -> None:
        self._fenced(lease, margin)

    async def release(self, lease: Lease) -> None:
        mine = self.store.of(lease.account)
        if (mine.owner, mine.epoch) == (lease.owner, lease.epoch):
            self.crash_points("before release")
            mine.owner, mine.expires_at = "", LONG_AGO
            self.crash_points("after release")

    async def snapshot(self, account: str, product_ids: Sequence[int] | None = None) -> Snapshot:
        mine = self.store.of(account)
        wanted = None if product_ids is None else set(product_ids)
        totals = [total for r in by_start(mine) if (total := r.usual_total) is not None]
        return Snapshot(
            cells={cell: row.remembered() for cell, row in mine.cells.items() if _in(cell.product_id, wanted)},
            products={key: known for key, known in mine.products.items() if _in(key, wanted)},
            quarantine={key: entry for key, entry in mine.quarantine.items() if _in(key[0], wanted)},
            recent_totals=totals[-10:],
            plans=list(mine.plans),
            layout=mine.layout,
            target=mine.target,
            locations=dict(mine.locations),
            last_complete=mine.last_complete,
            checked_up_to=mine.checked_up_to,
        )

    async def catalogue(self, account: str) -> Catalogue:
        mine = self.store.of(account)
        known = {product_id: mine.settled.get(product_id) for product_id in mine.products}
        done = [cycle for cycle in mine.cycles.values() if cycle.verdict is not None]
        unread = max(done, key=lambda cycle: cycle.started_at).unread if done else ()
        return Catalogue.of(mine.rules, known, mine.checked_up_to, unread)

    async def look_alikes(self, account: str, skus: Collection[str]) -> list[int]:
        wanted = {folded(sku) for sku in skus}
        return [key for key, known in self.store.of(account).products.items() if folded(known.sku) in wanted]

    async def guard_history(self, account: str) -> GuardHistory:
        mine = self.store.of(account)
        managed = sum(isinstance(row.acked, Decimal) for row in mine.cells.values())
        return GuardHistory(managed, list(mine.looked_up), mine.weighed)

    async def meet(self, lease: Lease, target: str) -> int:
        mine = self._fenced(lease)
        self.crash_points("before meet")
        forgotten = 0
        if mine.target not in {None, target}:
            forgotten = effects.forget(mine)
        mine.target = target
        self.crash_points("after meet")
        return forgotten

    async def begin(self, lease: Lease, report: CycleReport) -> None:
        mine = self._fenced(lease)
        self.crash_points("before begin")
        mine.cycles[report.cycle_id] = deepcopy(report)
        self.crash_points("after begin")

    async def observe(self, lease: Lease, cycle_id: str, seen: SnapshotUpdate) -> None:  # noqa: ARG002
        mine, now = self._fenced(lease), self.clock.now()
        self.crash_points("before observe")
        effects.observe(mine, seen, now)
        self.crash_points("after observe")

    async def intend(
        self,
        lease: Lease,
        cycle_id: str,  # noqa: ARG002
        changes: Sequence[Change],
        seen: SnapshotUpdate | None = None,
    ) -> None:
        mine, now = self._fenced(lease), self.clock.now()
        self.crash_points("before intend")
        effects.observe(mine, seen or SnapshotUpdate(), now)
        for change in changes:
            mine.settled.pop(change.product_id, None)
            row = mine.cells.setdefault(change.cell, MemoryCell(change.parts))
            row.intended_at = now if row.intent is None else row.intended_at
            row.intent = change.after
        self.crash_points("after intend")

    async def acknowledge(self, lease: Lease, cycle_id: str, written: BatchResult) -> None:
        mine = self._fenced(lease)
        self.crash_points("before acknowledge")
        self._acknowledge(mine, lease, cycle_id, written)
        self.crash_points("after acknowledge")

    @asynccontextmanager
    async def transaction(self, lease: Lease) -> AsyncIterator[Transaction]:
        mine = self._fenced(lease)
        opened = MemoryTransaction(MemoryConnection())
        yield opened
        # A real database keeps the lease's row locked meanwhile, or has ended a transaction that idled too long.
        if (mine.owner, mine.epoch) != (lease.owner, lease.epoch):
            raise LeaseLost(f"account {lease.account}: another writer took over")
        self.crash_points("before transaction")
        for write in opened.connection.deferred:
            write()
        for cycle_id, written in opened.acknowledged:
            self._acknowledge(mine, lease, cycle_id, written)
        self.crash_points("after transaction")

    async def hold(
        self, lease: Lease, plan: HeldPlan | None, lapsed: Sequence[HeldPlan] = (), cause: str = "poll"
    ) -> None:
        mine = self._fenced(lease)
        self.crash_points("before hold")
        effects.hold(mine, plan, lapsed, cause)
        self.crash_points("after hold")

    async def end(self, lease: Lease, report: CycleReport, seen: SnapshotUpdate | None = None) -> None:
        mine, now = self._fenced(lease), self.clock.now()
        self.crash_points("before end")
        effects.observe(mine, seen or SnapshotUpdate(), now)
        mine.cycles[report.cycle_id] = deepcopy(report)
        mine.failures = report.failures_after(mine.failures)
        mine.unauthorized_since = report.unauthorized_since(mine.unauthorized_since)
        mine.target_contact = report.target_contact or mine.target_contact
        if report.complete:
            mine.last_complete = report.ended_at or now
            mine.weighed = True
            mine.looked_up.clear()
        self._sweep(lease.account, mine, now)
        self.crash_points("after end")

    async def record_audit(self, lease: Lease | None, report: AuditReport) -> None:
        mine = self.store.of(report.account) if lease is None else self._fenced(lease)
        self.crash_points("before audit")
        mine.audit = deepcopy(report)
        self.crash_points("after audit")

    async def cells_after(self, account: str, after: Cell | None, size: int) -> list[tuple[RowLocator, SnapshotCell]]:
        mine = self.store.of(account)
        following = sorted(cell for cell in mine.cells if after is None or cell > after)[:size]
        return [(locator_of(mine, cell), mine.cells[cell].remembered()) for cell in following]

    async def close(self) -> None:
        """Nothing is open."""

    async def load(self, account: str) -> str | None:
        return self.store.of(account).token

    async def save(self, account: str, token: str) -> None:
        self.crash_points("before save")
        self.store.of(account).token = token
        self.crash_points("after save")

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        self.crash_points("before reserve")
        row, reserved = budgeting.reserve(self.store.budgets.get(budget), self._micros(), pace, count)
        self.store.budgets[budget] = row
        self.crash_points("after reserve")
        return reserved

    async def forbid(self, budget: str, seconds: float) -> None:
        self.crash_points("before forbid")
        row = budgeting.forbid(self.store.budgets.get(budget), self._micros(), int(seconds * SECOND))
        self.store.budgets[budget] = row
        self.crash_points("after forbid")

    def _micros(self) -> int:
        return (self.clock.now() - LONG_AGO) // timedelta(microseconds=1)

    def _fenced(self, lease: Lease, margin: timedelta = timedelta(0)) -> MemoryAccount:
        mine = self.store.of(lease.account)
        ours = (mine.owner, mine.epoch) == (lease.owner, lease.epoch)
        if not ours or mine.expires_at <= self.clock.now() + margin:
            raise LeaseLost(f"account {lease.account}: another writer took over, or the lease has run out")
        return mine

    def _acknowledge(self, mine: MemoryAccount, lease: Lease, cycle_id: str, written: BatchResult) -> None:
        now = self.clock.now()
        for change in written.applied:
            mine.settled.pop(change.product_id, None)
            row = mine.cells.setdefault(change.cell, MemoryCell(change.parts))
            row.former_sku = row.sku if row.sku not in {"", change.sku} else row.former_sku
            altered = written.altered.get(change.cell)
            row.acked, row.sent = (change.after, None) if altered is None else (altered, change.after)
            row.sku = change.sku
            mine.ledger.append(LedgerRow(now, cycle_id, lease.epoch, change, altered))
            mine.looked_up += [change] if cycle_id.startswith("lookup-") else []
            effects.use_up(mine, change)
            mine.last_push = now
        for change in (*written.applied, *written.skipped, *(change for change, _ in written.ambiguous)):
            closing = mine.cells.get(change.cell)
            if closing is not None and closing.intent == change.after:
                closing.intent = closing.intended_at = None

    def _sweep(self, account: str, mine: MemoryAccount, now: datetime) -> None:
        last = self._swept.get(account)
        if last is not None and now - last < _SWEEP_EVERY:
            return
        self._swept[account] = now
        mine.ledger = [row for row in mine.ledger if row.at >= now - self._keep]
        mine.cycles = {key: report for key, report in mine.cycles.items() if report.started_at >= now - self._keep}


def _in(product_id: int, wanted: set[int] | None) -> bool:
    return wanted is None or product_id in wanted
