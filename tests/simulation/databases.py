"""Where a world keeps state and target, and how it looks at them beside the code under test.

Most worlds keep both in memory. A share keeps them in SQLite, through our own SQL: its driver's thread is left out, and
who waits for a lock waits in virtual time, so that a seed is one life there too.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from unittest.mock import patch

from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool
from virtual_time import EPOCH, LoopClock

from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import Cell, Change, SnapshotCell, figure_of
from stocksync.memory import MemoryCell, MemoryRow, MemoryState, MemoryStore, MemoryTable, MemoryTarget
from stocksync.ports import BatchResult, Fence, Lease, LedgerRow
from stocksync.sqlengine import close_engine, open_engine
from stocksync.state import approvals, cells
from stocksync.state.database import Database
from stocksync.state.ledger import change_in
from stocksync.state.migrate import migrate
from stocksync.state.schema import accounts, ledger
from stocksync.state.session import Session
from stocksync.targets import MatchBy, TargetSettings, open_target

Crash = Callable[[str], None]
KEPT = timedelta(days=90)
_BUSY_SECONDS, _RETRY_SECONDS = 5.0, 0.05
_COMMITS = {
    "claim", "renew", "release", "meet", "begin", "observe", "intend", "acknowledge", "hold", "end", "decide",
    "record_audit",
}  # fmt: skip


class Databases(Protocol):
    """State and target of a world: to be worked with by processes, and looked at by the oracle."""

    def open(self, crash: Crash) -> tuple[Any, Any]:
        """Give state and target to one process, which `crash` may end around each commit."""

    async def leave(self, state: Any, /) -> None:
        """Give back what a process that has ended had open."""

    def cells(self) -> Mapping[Cell, MemoryCell | SnapshotCell]: ...

    def totals(self) -> list[int]:
        """Give the usual sizes of the catalogue, oldest first."""

    def ledger(self) -> list[LedgerRow]: ...

    def plans(self) -> Iterable[HeldPlan]: ...

    def lease(self) -> tuple[str, datetime]:
        """Give owner and end."""

    def rows(self) -> list[MemoryRow]:
        """Give the target's table."""

    def edit(self, row: MemoryRow, quantity: Decimal | None) -> None:
        """Let a person edit a row, or delete it."""


class InMemory:
    """What most worlds have."""

    def __init__(self, clock: LoopClock, store: MemoryStore, table: MemoryTable, *, by_sku: bool) -> None:
        self._clock, self._store, self._table, self._by_sku = clock, store, table, by_sku

    def open(self, crash: Crash) -> tuple[Any, Any]:
        target = MemoryTarget(self._table, by_sku=self._by_sku, crash_points=crash)
        return MemoryState(self._clock, self._store, crash_points=crash), target

    async def leave(self, _state: Any) -> None:
        return

    def cells(self) -> Mapping[Cell, MemoryCell | SnapshotCell]:
        return self._store.of("main").cells

    def totals(self) -> list[int]:
        reports = sorted(self._store.of("main").cycles.values(), key=lambda report: report.started_at)
        return [total for report in reports if (total := report.usual_total) is not None][-10:]

    def ledger(self) -> list[LedgerRow]:
        return self._store.of("main").ledger

    def plans(self) -> Iterable[HeldPlan]:
        return self._store.of("main").plans

    def lease(self) -> tuple[str, datetime]:
        mine = self._store.of("main")
        return mine.owner, mine.expires_at

    def rows(self) -> list[MemoryRow]:
        return self._table.rows

    def edit(self, row: MemoryRow, quantity: Decimal | None) -> None:
        at = self._table.rows.index(row)
        if quantity is None:
            del self._table.rows[at]
        else:
            self._table.rows[at] = MemoryRow(row.product_id, row.sku, row.place, quantity, row.active)


class InSqlite:
    """Our own SQL: files of SQLite, in one or in two."""

    def __init__(self, folder: Path, *, shared: bool, by_sku: bool) -> None:
        state = folder / "state.db"
        copyfile(_migrated(), state)
        self._state = f"sqlite:///{state}"
        self._target = self._state if shared else f"sqlite:///{folder / 'shop.db'}"
        match_by = MatchBy.SKU if by_sku else MatchBy.PRODUCT_ID
        self._settings = TargetSettings("main", match_by=match_by, create_table=True)
        self._looking, self._shop = (
            create_engine(url, poolclass=NullPool, connect_args={"timeout": 0}) for url in (self._state, self._target)
        )
        self._engines: dict[int, list[AsyncEngine]] = {}

    def open(self, crash: Crash) -> tuple[Any, Any]:
        engine = open_engine(self._state, "simulation")
        shop = engine if self._state == self._target else open_engine(self._target, "simulation")
        state = CrashingState(Database(Session(engine), KEPT), crash)
        self._engines[id(state)] = [engine, shop]
        return state, CrashingTarget(open_target(self._settings, shop, owned=False), crash)

    async def leave(self, state: Any) -> None:
        for engine in self._engines.pop(id(state), ()):
            await close_engine(engine)

    async def close(self) -> None:
        """End what is open."""
        for engine in [one for own in self._engines.values() for one in own]:
            await close_engine(engine)

    def cells(self) -> Mapping[Cell, MemoryCell | SnapshotCell]:
        return self._look(lambda connection: cells.load_cells(connection, "main", None))

    def totals(self) -> list[int]:
        known, *_ = self._look(lambda connection: cells.load_account(connection, "main"))
        return list(known.get("recent_totals", ()))

    def ledger(self) -> list[LedgerRow]:
        async def work(connection: AsyncConnection) -> list[LedgerRow]:
            found = await connection.execute(select(ledger).order_by(ledger.c.id))
            return [LedgerRow(r.at, r.cycle_id, r.epoch, change_in(r), figure_of(r.read_back)) for r in found]

        return self._look(work)

    def plans(self) -> Iterable[HeldPlan]:
        return self._look(lambda connection: approvals.plans(connection, "main"))

    def lease(self) -> tuple[str, datetime]:
        async def work(connection: AsyncConnection) -> tuple[str, datetime]:
            row = (await connection.execute(select(accounts.c.owner, accounts.c.expires_at))).one()
            return row.owner, row.expires_at

        return self._look(work)

    def rows(self) -> list[MemoryRow]:
        with self._shop.connect() as connection:
            if not connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'stock_levels'")).first():
                return []
            query = "SELECT product_id, sku, location_id, quantity, active FROM stock_levels ORDER BY 1, 2, 3"
            found = connection.execute(text(query))
            return [MemoryRow(i, sku, place, Decimal(str(q)), bool(on)) for i, sku, place, q, on in found]

    def edit(self, row: MemoryRow, quantity: Decimal | None) -> None:
        what = "DELETE FROM stock_levels" if quantity is None else f"UPDATE stock_levels SET quantity = {quantity}"
        where = "WHERE product_id = :product_id AND location_id = :place"
        named = {"product_id": row.product_id, "place": row.place}
        with suppress(OperationalError), self._shop.begin() as connection:  # a process may be writing
            connection.execute(text(f"{what} {where}"), named)

    def _look(self, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        with self._looking.connect() as connection:
            return at_once(work(_Ready(connection)))


class _Ready:
    """A connection that answers at once, for what awaits it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, *what: Any) -> Any:
        return self._connection.execute(*what)


class CrashingState:
    """The state's database, in a process that may die around each commit."""

    def __init__(self, inner: Database, crash: Crash) -> None:
        self._inner, self._crash = inner, crash

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in _COMMITS:
            return attribute

        async def crashing(*args: Any, **kwargs: Any) -> Any:
            self._crash(f"before {name}")
            result = await attribute(*args, **kwargs)
            self._crash(f"after {name}")
            return result

        return crashing

    @asynccontextmanager
    async def transaction(self, lease: Lease) -> AsyncIterator[Any]:
        async with self._inner.transaction(lease) as transaction:
            yield transaction
            self._crash("before transaction")
        self._crash("after transaction")


class CrashingTarget:
    """The target's table, in a process that may die in a transaction and after it."""

    def __init__(self, inner: Any, crash: Crash) -> None:
        self._inner, self._crash = inner, crash

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, changes: Iterable[Change], fence: Fence, transaction: Any = None, **how: Any) -> BatchResult:
        async def fence_and_crash() -> None:
            await fence()
            if transaction is None:
                self._crash("before write")

        written: BatchResult = await self._inner.write(changes, fence_and_crash, transaction, **how)
        if transaction is None:
            self._crash("after write")
        return written


@contextmanager
def in_sqlite(*, shared: bool, by_sku: bool) -> Iterator[InSqlite]:
    """Have a world's databases in SQLite for as long as it lives."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    _migrated()
    with TemporaryDirectory(prefix="stocksync-", dir=where) as folder, _without_threads():
        yield InSqlite(Path(folder), shared=shared, by_sku=by_sku)


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what has nothing to wait for."""
    try:
        while work.send(None) is None:  # it only lets others go first
            pass
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")


class _Inline:
    """In place of the queue to the driver's thread: what is put there is done at once."""

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = item
        self._do(future, function, asyncio.get_running_loop().time() + _BUSY_SECONDS)

    def _do(self, future: asyncio.Future[Any] | None, function: Callable[[], Any], until: float) -> None:
        if future is not None and future.done():
            return
        try:
            result = function()
        except sqlite3.Error as error:
            loop = asyncio.get_running_loop()
            if "locked" in str(error) and loop.time() < until:
                loop.call_later(_RETRY_SECONDS, self._do, future, function, until)
            elif future is not None:
                future.set_exception(error)
            return
        if isinstance(result, sqlite3.Connection):
            result.execute("PRAGMA busy_timeout = 0")
            result.create_function("strftime", 2, _strftime)
        if future is not None:
            future.set_result(result)


def _strftime(form: str, when: str) -> str:
    """Tell the time of the world: the state's clock is its database's."""
    assert when == "now"
    now = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
    return str(int(now.timestamp())) if form == "%s" else f"{now:%S}.{now.microsecond // 1000:03}"


class _NoThread:
    daemon = True

    def __init__(self, **_how: Any) -> None:
        """Take what a thread takes."""

    def start(self) -> None:
        """Nothing runs beside the loop."""


@contextmanager
def _without_threads() -> Iterator[None]:
    with patch("aiosqlite.core.SimpleQueue", _Inline), patch("aiosqlite.core.Thread", _NoThread):
        yield


_made: list[tuple[TemporaryDirectory[str], Path]] = []


def _migrated() -> Path:
    """Give an empty state at head, made once."""
    if not _made:
        folder = TemporaryDirectory(prefix="stocksync-")
        path = Path(folder.name) / "state.db"
        asyncio.run(migrate(f"sqlite:///{path}"))
        _made.append((folder, path))
    return _made[0][1]
