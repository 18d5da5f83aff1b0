"""The state database: ports State, StateQueries and TokenStore in one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stocksync.core.budget import SECOND, Pace, Reservation
from stocksync.core.catalogue import Catalogue
from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import Cell, Change, RowLocator, SnapshotCell
from stocksync.core.report import CycleReport
from stocksync.dsn import parse
from stocksync.dsn.sqlite_file import file_of, obstacle
from stocksync.errors import LeaseLost, SchemaBehind
from stocksync.ports import (
    BatchResult,
    GuardHistory,
    Lease,
    Snapshot,
    SnapshotUpdate,
    Transaction,
)
from stocksync.sqlengine import close_engine, open_engine
from stocksync.state import (
    approvals,
    budgets,
    cells,
    cycles,
    digests,
    duties,
    leases,
    ledger,
    snapshot_update,
    target_identity,
    tokens,
    told,
)
from stocksync.state.commit_count import CommitCount
from stocksync.state.guard_history import guard_history
from stocksync.state.joined import joined
from stocksync.state.leases import Claimant, Fenced, fenced
from stocksync.state.lock_limits import LOCK_SECONDS
from stocksync.state.lockfile import LockFile
from stocksync.state.migrate import migrate_engine, problem_of_engine
from stocksync.state.private import keep_private
from stocksync.state.queries import Queries
from stocksync.state.session import PATIENCE_SECONDS, Session, translated
from stocksync.state.slices import in_slices
from stocksync.threads import off_loop

T = TypeVar("T")

_SWEEP_EVERY = timedelta(hours=1)
_AT_ONCE = 5000
"""Rows of an update in one transaction."""
BRIEF_SECONDS = 10.0
_LEASE_CONNECTIONS, _BUDGET_CONNECTIONS = 2, 3
_CLAIMING_SHARE = 6
"""The part of a lease's time that goes into claiming further ones before those that were got are told."""


class Database(Queries):
    """What is remembered, on SQLite, PostgreSQL or MariaDB.

    Every call may raise StateUnavailable; those that take a lease LeaseLost.
    """

    def __init__(
        self, session: Session, keep_ledger: timedelta, brief: Session | None = None, budget: Session | None = None
    ) -> None:
        """Take open sessions; `open_state` also checks the schema.

        `brief` is for leases, which must not wait for other work, `budget` for the request budgets: of many tenants
        they come in hundreds, and must wait neither for a cycle nor before a lease.
        """
        super().__init__(session, brief or session)
        self.engine = session.engine
        # That a cycle begins waits for no row on PostgreSQL.
        self._attempts = Session(session.engine, session.patience, bounded=True)
        self._budgets = budget or session
        self._keep = keep_ledger
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._swept: dict[str, datetime] = {}
        self._lock: LockFile | None = None
        if file := file_of(session.engine.url):
            self._lock = LockFile(Path(f"{session.engine.url.database}.lock"))
            for engine in {one.engine.sync_engine for one in (session, self._brief, self._budgets)}:
                event.listen(engine, "commit", self._confirm_lock)
                CommitCount(file).watch(engine)

    def lock(self) -> None:
        """Keep other writers off a SQLite state; the operating system gives the lock back at death.

        Raises:
            StateInUse: another process is writing to it.

        """
        if self._lock is not None:
            self._lock.acquire()

    def unlock(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()

    async def claim(
        self, groups: Sequence[Sequence[str]], owner: str, ttl: timedelta, address: str = ""
    ) -> list[Lease]:
        """Take or keep the leases of sync groups; of each group all, or none while another owner's has not run out."""
        # A writer that was killed cannot give its lease back, but the system has given its lock to us.
        claimant = Claimant(owner, ttl, address, alone=self._lock is not None and self._lock.held)
        free = await self._brief.read(lambda connection: leases.free(connection, groups, claimant))
        claimed: list[Lease] = []
        # Told only when this returns, a lease is not renewed before: of many groups the rest is for the next look.
        until = time.monotonic() + ttl.total_seconds() / _CLAIMING_SHARE
        for group in free:
            claimed += await self._claim(group, claimant)
            if time.monotonic() > until:
                break
        return claimed

    async def _claim(self, group: Sequence[str], claimant: Claimant) -> list[Lease]:
        return await self._brief.write(lambda connection: leases.claim(connection, group, claimant))

    async def renew(self, held: Sequence[Lease], ttl: timedelta) -> list[Lease]:
        """Extend all leases of one owner at once; give those that are still ours. Waits for no commit of ours."""
        return await self._brief.write(lambda connection: leases.renew(connection, held, ttl)) if held else []

    async def confirm(self, lease: Lease, margin: timedelta) -> None:
        """Raise LeaseLost unless the lease is ours for at least `margin` more."""
        await self._brief.read(lambda connection: leases.confirm(connection, lease, margin))

    async def release(self, lease: Lease) -> None:
        """End a lease early; without effect where it is no longer ours."""
        await self._brief.write_one(lambda connection: leases.release(connection, lease))

    async def snapshot(self, account: str, product_ids: Sequence[int] | None = None) -> Snapshot:
        """Load what is remembered, of all products or of some."""
        found: dict[Cell, SnapshotCell] = {}

        async def work(connection: AsyncConnection) -> Snapshot:
            known, refused, planned = await cells.load_account(connection, account)
            if product_ids is not None:
                found.update(await cells.load_cells(connection, account, product_ids))
            return Snapshot(
                cells=found,
                products=await cells.load_products(connection, account, product_ids),
                quarantine=await cells.load_quarantine(connection, account, product_ids) if refused else {},
                plans=await approvals.plans(connection, account) if planned else [],
                **known,
            )

        snapshot = await self._session.read(work)
        # Each page has the time that one may wait, in which not all of a large catalogue may come.
        more = product_ids is None
        while more:
            more = await self._session.read(lambda connection: cells.load_page(connection, account, found))
        return snapshot

    async def catalogue(self, account: str) -> Catalogue:
        """Give every known product, with its digest where it is settled."""
        return await self._session.read(lambda connection: digests.load_catalogue(connection, account))

    async def look_alikes(self, account: str, skus: Collection[str]) -> list[int]:
        """Name the products whose SKU is one of these, or may be taken for one."""
        return await self._session.read(lambda connection: digests.look_alikes(connection, account, skus))

    async def guard_history(self, account: str) -> GuardHistory:
        """Give what the guards weigh a look-up with."""
        return await self._session.read(lambda connection: guard_history(connection, account))

    async def meet(self, lease: Lease, target: str) -> int:
        """Make a target the one that acknowledgements belong to; give how many of another's were forgotten."""

        async def work(connection: AsyncConnection, _fence: Fenced) -> int:
            return await target_identity.meet(connection, lease.account, target)

        return await self._fenced(lease, work)

    async def begin(self, lease: Lease, report: CycleReport) -> None:
        """Record that a cycle is attempted."""
        if not await self._attempts.write_one(lambda connection: cycles.begin(connection, lease, report)):
            await self.confirm(lease, timedelta(0))
            raise LeaseLost(f"account {lease.account}: the lease was lost while a cycle began")

    async def observe(self, lease: Lease, cycle_id: str, seen: SnapshotUpdate) -> None:
        """Record what a reading showed; a figure read earlier never replaces a later one."""
        await self._observe(lease, cycle_id, await self._all_but_last(lease, cycle_id, seen))

    async def _all_but_last(self, lease: Lease, cycle_id: str, seen: SnapshotUpdate) -> SnapshotUpdate:
        """Record what is more than one transaction should hold; give the rest."""
        rows = len(seen.cells) + len(seen.products) + len(seen.settled)
        *parts, last = await off_loop(rows, in_slices, seen, _AT_ONCE)
        for part in parts:
            await self._observe(lease, cycle_id, part)
        return last

    async def _observe(self, lease: Lease, cycle_id: str, seen: SnapshotUpdate) -> None:
        async def work(connection: AsyncConnection, fence: Fenced) -> None:
            await snapshot_update.observe(connection, lease.account, cycle_id, seen, fence.now)

        await self._fenced(lease, work)

    async def intend(
        self, lease: Lease, cycle_id: str, changes: Sequence[Change], seen: SnapshotUpdate | None = None
    ) -> None:
        """Commit the intents of a batch, before the target is written, and with them what a reading showed."""
        read, others = await off_loop(len(changes), ledger.read_of, changes, seen or SnapshotUpdate())
        last = await self._all_but_last(lease, cycle_id, others)
        rows = await off_loop(len(changes), ledger.intents, lease, cycle_id, changes, read)

        async def work(connection: AsyncConnection, fence: Fenced) -> None:
            # What is settled is recorded last.
            unsettled = [product_id for product_id in last.unsettled if product_id not in last.settled]
            rest = replace(last, unsettled=[])
            await snapshot_update.observe(connection, lease.account, cycle_id, rest, fence.now)
            await ledger.intend(connection, lease.account, rows, unsettled, fence.now)

        await self._fenced(lease, work)

    async def acknowledge(self, lease: Lease, cycle_id: str, written: BatchResult) -> None:
        """Commit acknowledgements and ledger rows, and close the intents of what was not applied."""
        given = await off_loop(len(written.applied), ledger.acknowledgement, lease, cycle_id, written)

        async def work(connection: AsyncConnection, fence: Fenced) -> None:
            await ledger.acknowledge(connection, lease, given, fence.now)

        await self._fenced(lease, work)

    async def _fenced(self, lease: Lease, work: Callable[[AsyncConnection, Fenced], Awaitable[T]]) -> T:
        async def within(connection: AsyncConnection) -> T:
            async with fenced(connection, lease) as fence:
                return await work(connection, fence)

        # Two of one account would wait for each other in the database, which gives up; here the second makes its rows.
        turn = self._turns.get(lease.account)
        if turn is None:
            turn = self._turns[lease.account] = asyncio.Lock()
        async with turn:
            return await self._session.write(within)

    def transaction(self, lease: Lease) -> AbstractAsyncContextManager[Transaction]:
        """Open the one transaction for a target that is the same database; commits unless its body raises."""
        return joined(self._session, lease)

    async def hold(
        self, lease: Lease, plan: HeldPlan | None, lapsed: Sequence[HeldPlan] = (), cause: str = "poll"
    ) -> None:
        """Make `plan` the one of this cause that waits, or have none; end the decisions that no longer fit."""

        async def work(connection: AsyncConnection, _fence: Fenced) -> None:
            await approvals.hold(connection, lease.account, cause, plan, lapsed)

        await self._fenced(lease, work)

    async def end(self, lease: Lease, report: CycleReport, seen: SnapshotUpdate | None = None) -> None:
        """Record how a cycle ended; once an hour deletes what `keep_ledger` has outlived."""
        last = await self._all_but_last(lease, report.cycle_id, seen or SnapshotUpdate())

        async def work(connection: AsyncConnection, fence: Fenced) -> datetime:
            rest = replace(last, locations=None, checked_up_to=None, settled={})
            await snapshot_update.observe(connection, lease.account, report.cycle_id, rest, fence.now)
            settled = digests.settling(lease.account, last.settled)
            await cycles.end(connection, report, fence, snapshot_update.of_account(last), settled)
            if self._sweeps(lease.account, fence.now):
                await cycles.forget(connection, lease.account, fence.now - self._keep)
            return fence.now

        now = await self._fenced(lease, work)
        if self._sweeps(lease.account, now):
            self._swept[lease.account] = now

    async def record_audit(self, lease: Lease | None, report: AuditReport) -> None:
        """Store the last audit of an account; without a lease one that a person asked for and that healed nothing."""

        async def work(connection: AsyncConnection, _fence: Fenced | None = None) -> None:
            await cycles.record_audit(connection, report)

        await (self._session.write(work) if lease is None else self._fenced(lease, work))

    async def cells_after(self, account: str, after: Cell | None, size: int) -> list[tuple[RowLocator, SnapshotCell]]:
        """Give the next `size` cells in key order, for the audit."""
        return await self._session.read(lambda connection: cells.cells_after(connection, account, after, size))

    async def load(self, account: str) -> str | None:
        """Give the stored refresh token."""
        return await self._session.read(lambda connection: tokens.load(connection, account))

    async def save(self, account: str, token: str) -> None:
        """Store a refresh token; committed when this returns."""
        await self._session.write(lambda connection: tokens.save(connection, account, token))

    async def told(self, accounts: Iterable[str]) -> dict[str, str]:
        """Give what people were told of each account that the state knows."""
        return await self._session.read(lambda connection: told.told(connection, accounts))

    async def tell(self, account: str, before: str, after: str) -> bool:
        """Note what people are told of an account, unless another process did first."""
        return await self._session.write(lambda connection: told.tell(connection, account, before, after))

    async def take_duty(self, duty: str, owner: str, ttl: timedelta) -> bool:
        """Take, or keep, what one process does for all its like; False where another has it."""
        return await self._session.write(lambda connection: duties.take(connection, duty, owner, ttl))

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        """Take the next `count` slots of a request budget."""
        return await self._budgets.write_one(lambda connection: budgets.reserve(connection, budget, pace, count))

    async def forbid(self, budget: str, seconds: float) -> None:
        """Let no request of a budget go for so long, whichever process asks, and slow its pace."""
        duration = int(seconds * SECOND)
        await self._budgets.write_one(lambda connection: budgets.forbid(connection, budget, duration))

    async def close(self) -> None:
        """Give the connections and the lock back."""
        for engine in {self.engine, self._brief.engine, self._budgets.engine}:
            await close_engine(engine)
        self.unlock()

    def _confirm_lock(self, _connection: object) -> None:
        if self._lock is not None:
            self._lock.confirm()

    def _sweeps(self, account: str, now: datetime) -> bool:
        last = self._swept.get(account)
        return last is None or now - last >= _SWEEP_EVERY


async def open_state(
    url: str, keep_ledger: timedelta, *, engine: AsyncEngine | None = None, patience: float = PATIENCE_SECONDS
) -> Database:
    """Open the state and check its schema; SQLite brings its own to head.

    `engine` is used in place of an own one, where state and target are one database.

    Raises:
        SchemaBehind: the schema is not this version's; the message says what to type.
        StateUnavailable: the database cannot be reached.
        ConfigurationError: the URL is unusable.

    """
    opened = engine or open_engine(url, "state.url", wal=True, pinned=True)
    try:
        await _ready(opened)
    except BaseException:
        if engine is None:
            await close_engine(opened)
        raise
    in_memory = opened.dialect.name == "sqlite" and opened.url.database in {None, "", ":memory:"}
    # Connections of their own for what must not wait until a cycle gives one back.
    brief, budget = (
        opened
        if in_memory
        else open_engine(url, "state.url", connections=connections, wal=True, pinned=True, longest=LOCK_SECONDS)
        for connections in (_LEASE_CONNECTIONS, _BUDGET_CONNECTIONS)
    )
    least = min(patience, BRIEF_SECONDS)
    return Database(
        Session(opened, patience),
        keep_ledger,
        Session(brief, least, bounded=True),
        Session(budget, least, bounded=True),
    )


async def open_to_ask(url: str, keep_ledger: timedelta) -> Database:
    """As `open_state`, for who asks for, or decides on, what is there: of a SQLite state that is not, no file is made.

    An empty one in memory stands for it: it holds nothing that could be decided on.
    """
    file = file_of(parse(url, "state.url"))
    missing = file is not None and obstacle(file) is None and not file.exists()
    return await open_state("sqlite://" if missing else url, keep_ledger)


async def _ready(engine: AsyncEngine) -> None:
    problem = await problem_of_engine(engine)
    if problem and engine.dialect.name == "sqlite":
        await migrate_engine(engine)
        problem = None
    if problem:
        raise SchemaBehind(problem)
    with translated():
        await keep_private(engine)
