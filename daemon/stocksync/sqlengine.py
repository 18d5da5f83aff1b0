"""How both databases, the state's and the target's, are opened, and their transactions."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InvalidatePoolError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache, await_

from stocksync.dsn import DRIVERS, connect_args, parse
from stocksync.dsn.sqlite_file import file_of
from stocksync.errors import ConfigurationError, DriverMissing
from stocksync.file_identity import FileIdentity
from stocksync.sqlfaults import watch_faults

_FAREWELL_SECONDS = 5.0
READ_ONLY = "stocksync_read_only"
"""The execution option of transactions that write nothing."""
_STATEMENTS = 100
"""Prepared statements that one connection keeps: SQLAlchemy's own figure."""
_TRUSTED_SECONDS = 1.0
"""A connection to PostgreSQL that was used so lately is not asked whether it lives: that takes three messages."""
_USED_AT = "stocksync_used_at"
_OWN_SESSION = "stocksync_own_session"
"""True in the pool's notes on a connection that no pooler stands before."""
_AUTOCOMMIT = "AUTOCOMMIT"
_PAUSES = (0.01, 0.05, 0.2, 1.0, 0.0)
"""Seconds between tries to turn a SQLite file's write-ahead log on; after the last try there is none."""


def open_engine(
    url: str, where: str, *, connections: int | None = None, wal: bool = False, pinned: bool = False, longest: int = 0
) -> AsyncEngine:
    """Open an engine, of `connections` at most; nothing is connected yet.

    `wal` turns a SQLite file's journal to write-ahead, for good: for files that are ours alone, as people who may only
    read the file could no longer do so. `pinned`: a SQLite file that is replaced by another is not followed to.
    `longest`: after so many seconds PostgreSQL ends a statement, and a transaction that idles, where no pooler stands
    before it; 0 for never.

    Raises:
        ConfigurationError: the URL is unusable or its driver is not installed.

    """
    parsed = parse(url, where)
    backend = parsed.get_backend_name()
    # What the query asks for is in the arguments, in the driver's words; the dialect would pass it on as it stands.
    plain = parsed if backend == "sqlite" else parsed.set(query={})
    try:
        limits = {} if connections is None else {"pool_size": connections, "max_overflow": 0}
        manners: dict[str, Any] = {"pool_pre_ping": backend in {"mysql", "mariadb"}, "hide_parameters": True}
        if backend == "postgresql":
            manners["isolation_level"] = "READ COMMITTED"  # whatever the server's own is
        arguments = connect_args(parsed)
        if backend == "sqlite":
            arguments["factory"] = _SqliteConnection
        engine = create_async_engine(plain, connect_args=arguments, **manners, **limits)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        extra = DRIVERS[backend][1]
        raise DriverMissing(f"{where}: no driver for {backend}; pip install 'stocksync[{extra}]'") from error
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    engine.sync_engine.url = parsed  # whole, to be compared with others
    if backend == "sqlite":
        _watch_sqlite(engine, wal=wal, pinned=pinned)
    else:
        event.listen(engine.sync_engine, "invalidate", _cut)
    if backend == "postgresql":
        event.listen(engine.sync_engine, "connect", partial(_prepare_postgresql, longest))
        _ask_whether_it_lives(engine)
    watch_faults(engine)
    return engine


async def close_engine(engine: AsyncEngine) -> None:
    """Give the connections back; a server that does not answer is not waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await engine.dispose()


@asynccontextmanager
async def by_statement(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Let each statement commit by itself, without the messages that begin and end a transaction.

    Only on PostgreSQL, whose transactions show each statement what was committed before it as well. Behind a pooler it
    is a transaction all the same: nothing promises that a statement is executed by the session that prepared it.
    """
    async with engine.connect() as connection:
        if _sync(connection).info.get(_OWN_SESSION):
            await connection.execution_options(isolation_level=_AUTOCOMMIT)
            async with _dropped_when_cancelled(connection):
                yield connection
        else:
            async with connection.begin(), _dropped_when_cancelled(connection):
                yield connection


def commits_each(connection: AsyncConnection) -> bool:
    """Whether each statement commits by itself here."""
    return _sync(connection).get_execution_options().get("isolation_level") == _AUTOCOMMIT


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that only reads: it takes no lock on SQLite."""
    async with engine.connect() as connection:
        await connection.execution_options(**{READ_ONLY: True})
        async with connection.begin(), _dropped_when_cancelled(connection):
            yield connection


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that writes: it holds SQLite's write lock from the first instruction."""
    async with engine.begin() as connection, _dropped_when_cancelled(connection):
        yield connection


@asynccontextmanager
async def rehearsing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that writes and is rolled back at its end, whatever happened in it."""
    async with engine.connect() as connection, connection.begin() as transaction, _dropped_when_cancelled(connection):
        yield connection
        await transaction.rollback()


@asynccontextmanager
async def _dropped_when_cancelled(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        # The rollback that follows would wait, without end, for a server that perhaps answers nothing any more.
        if connection.dialect.name != "sqlite":
            await connection.invalidate()
        raise


def _sync(connection: AsyncConnection) -> Connection:
    assert connection.sync_connection is not None  # noqa: S101  for the type checker: it has begun
    return connection.sync_connection


def _prepare_postgresql(longest: int, connection: Any, record: Any) -> None:  # noqa: ANN401  as below
    """Prepare each statement once where no pooler stands between: its session would be another's at the next one.

    A statement that is prepared anew each time takes two round trips, and a process that is frozen between them holds
    its locks for good: the server counts that neither as idle nor as a statement. A pooler shows another process id
    than the session behind it.
    """
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (session,) = cursor.fetchone()
    record.info[_OWN_SESSION] = own = session == connection.driver_connection.get_server_pid()
    if own:
        names = count(1)
        connection._prepared_statement_cache = LRUCache(_STATEMENTS)  # noqa: SLF001  chosen per connection, not per engine
        connection._prepared_statement_name_func = lambda: f"stocksync_{next(names)}"  # noqa: SLF001
        if longest:
            cursor.execute(f"SET statement_timeout = '{longest}s'")
            # Who is frozen between two statements keeps what it has locked no longer than its statements may take.
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{longest}s'")
    cursor.close()
    connection.commit()


def _ask_whether_it_lives(engine: AsyncEngine) -> None:
    """Have a connection asked when it leaves the pool, as `pool_pre_ping` does, but only after it was idle."""
    dialect: Any = engine.sync_engine.dialect

    def used(_connection: object, record: Any) -> None:  # noqa: ANN401  the pool's own record
        record.info[_USED_AT] = time.monotonic()

    def check(connection: Any, record: Any, _lent: object) -> None:  # noqa: ANN401  as above
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - record.info.get(_USED_AT, float("-inf")) < _TRUSTED_SECONDS:
            return
        try:
            connection.ping()
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine.sync_engine, "connect", used)
    event.listen(engine.sync_engine, "checkin", used)
    event.listen(engine.sync_engine, "checkout", check)


def _cut(connection: Any, _record: object, _error: BaseException | None) -> None:  # noqa: ANN401  as below
    # Both drivers' polite farewells can wait for a dead server: asyncmy's until it has taken what was sent to it.
    driver = connection.driver_connection
    getattr(driver, "terminate", driver.close)()


class _SqliteConnection(sqlite3.Connection):
    """Ends its cursors with itself.

    A cursor that was read halfway keeps the file's lock until Python lets go of it, even if its connection is closed.
    Of a question that was cancelled, that is when the collector comes by.
    """

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401  as sqlite3.connect() was given
        super().__init__(*given, **named)
        self._cursors = WeakSet[sqlite3.Cursor]()

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:  # noqa: ANN401  as the one it stands for
        cursor = super().cursor(factory)
        self._cursors.add(cursor)
        return cursor

    def close(self) -> None:
        for cursor in list(self._cursors):
            cursor.close()
        super().close()


def _watch_sqlite(engine: AsyncEngine, *, wal: bool, pinned: bool) -> None:
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    if wal:
        event.listen(engine.sync_engine, "connect", _write_ahead)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    if file := file_of(engine.sync_engine.url):
        FileIdentity(file, pinned=pinned).watch(engine.sync_engine)


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  SQLAlchemy's DBAPI adapter is untyped
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(connection: Any, _record: object) -> None:  # noqa: ANN401  as above
    cursor = connection.cursor()
    for pause in _PAUSES:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            # Where several make one file at the same moment, SQLite does not wait for its busy timeout.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not pause:
                raise
            await_(asyncio.sleep(pause))
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that is later upgraded fails with "database is locked" at once, whatever the busy timeout.
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
