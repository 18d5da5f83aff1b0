"""How both databases, the state's and the target's, are opened, and what their errors mean."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from itertools import count
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

from stocksync.dsn import DRIVERS, connect_args, cured, parse
from stocksync.dsn.sqlite_file import file_of
from stocksync.errors import ConfigurationError, DriverMissing
from stocksync.file_identity import FileIdentity

_FAREWELL_SECONDS = 5.0
READ_ONLY = "stocksync_read_only"
"""The execution option of transactions that write nothing."""
_STATEMENTS = 100
"""Prepared statements that one connection keeps: SQLAlchemy's own figure."""
_TRUSTED_SECONDS = 1.0
"""A connection to PostgreSQL that was used so lately is not asked whether it lives: that takes three messages."""
_USED_AT, _OWN_SESSION = "stocksync_used_at", "stocksync_own_session"
_AUTOCOMMIT = "AUTOCOMMIT"


class Fault(Enum):
    """What a database error calls for."""

    AWAY = "away"
    """Connection refused or lost, disk full: it may work later."""
    BUSY = "busy"
    """Another holds the whole SQLite file: it may work later."""
    LOCKED = "locked"
    """Another holds a row or a table for longer than we wait."""
    CANCELLED = "cancelled"
    """The server ended a statement that took too long, or a person did."""
    READ_ONLY = "read_only"
    """The server takes no writes, as after a fail-over: the connection is dropped, another one may lead elsewhere."""
    CONFLICT = "conflict"
    """Deadlock or serialization failure: the same transaction may work at once."""
    MISSING = "missing"
    """No such table, column, schema or database: a person must act."""
    DATA = "data"
    """What else the database says no to: these rows will not go in as they are."""
    REFUSED = "refused"
    """Rights, syntax, what it cannot do: of these rows alone or of all, which only a trial can tell."""

    @property
    def passes(self) -> bool:
        """Whether it may work later without anybody's doing."""
        return self not in {Fault.MISSING, Fault.DATA, Fault.REFUSED}


def open_engine(
    url: str, where: str, *, connections: int | None = None, wal: bool = False, pinned: bool = False
) -> AsyncEngine:
    """Open an engine, of `connections` at most; nothing is connected yet.

    `wal` turns a SQLite file's journal to write-ahead, for good: for files that are ours alone, as people who may only
    read the file could no longer do so. `pinned`: a SQLite file that is replaced by another is not followed to.

    Raises:
        ConfigurationError: the URL is unusable or its driver is not installed.

    """
    parsed = parse(url, where)
    backend = parsed.get_backend_name()
    # What the query asks for is in the arguments, in the driver's words; the dialect would pass it on as it stands.
    plain = parsed if backend == "sqlite" else parsed.set(query={})
    try:
        limits = {} if connections is None else {"pool_size": connections, "max_overflow": 0}
        asked = backend in {"mysql", "mariadb"}
        engine = create_async_engine(
            plain, connect_args=connect_args(parsed), pool_pre_ping=asked, hide_parameters=True, **limits
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        extra = DRIVERS[backend][1]
        raise DriverMissing(f"{where}: no driver for {backend}; pip install 'stocksync[{extra}]'") from error
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    engine.sync_engine.url = parsed  # whole, to be compared with others
    if backend == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        if wal:
            event.listen(engine.sync_engine, "connect", _write_ahead)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        if file := file_of(parsed):
            FileIdentity(file, pinned=pinned).watch(engine.sync_engine)
    else:
        event.listen(engine.sync_engine, "invalidate", _cut)
    if backend == "postgresql":
        event.listen(engine.sync_engine, "connect", _keep_statements_of_an_own_session)
        _ask_whether_it_lives(engine)
    if backend in {"mysql", "mariadb"}:
        event.listen(engine.sync_engine, "handle_error", _tell_a_signal_from_what_it_says)
    event.listen(engine.sync_engine, "handle_error", _drop_where_nothing_can_be_written)
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
    is a transaction all the same: nothing promises that both messages of a statement go to one session.
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


def fault_of(error: BaseException) -> Fault:
    """Say what an error raised by SQLAlchemy or a driver calls for."""
    if isinstance(error, PoolTimeout | OSError | TimeoutError):
        return Fault.AWAY
    if not isinstance(error, DBAPIError):
        return Fault.REFUSED
    fault = _fault_of_driver(error.orig)
    return Fault.AWAY if error.connection_invalidated and fault is not Fault.READ_ONLY else fault


def reason(error: BaseException) -> str:
    """Give the database's own words in one line, without statement, parameters or URL."""
    original: Any = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    numbered = len(arguments) == 2 and isinstance(arguments[0], int)  # noqa: PLR2004  MySQL's drivers: number, words
    text = str(arguments[1] if numbered else original)
    return cured(" ".join(text.replace("<class '", "").replace("'>:", ":").split())[:300])


def _sync(connection: AsyncConnection) -> Connection:
    assert connection.sync_connection is not None  # noqa: S101  for the type checker: it has begun
    return connection.sync_connection


def _keep_statements_of_an_own_session(connection: Any, record: Any) -> None:  # noqa: ANN401  as below
    """Prepare each statement once where no pooler stands between: its session would be another's at the next one.

    A statement that is prepared anew each time takes two round trips, and a process that is frozen between them holds
    its locks for good: the server counts that neither as idle nor as a statement. A pooler shows another process id
    than the session behind it.
    """
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (session,) = cursor.fetchone()
    cursor.close()
    connection.rollback()
    record.info[_OWN_SESSION] = own = session == connection.driver_connection.get_server_pid()
    if own:
        names = count(1)
        connection._prepared_statement_cache = LRUCache(_STATEMENTS)  # noqa: SLF001  chosen per connection, not per engine
        connection._prepared_statement_name_func = lambda: f"stocksync_{next(names)}"  # noqa: SLF001


def _ask_whether_it_lives(engine: AsyncEngine) -> None:
    """Have a connection asked when it leaves the pool, as `pool_pre_ping` does, but only after it was idle."""
    dialect: Any = engine.sync_engine.dialect

    def used(_connection: object, record: Any) -> None:  # noqa: ANN401  the pool's own record
        record.info[_USED_AT] = time.monotonic()

    def check(connection: Any, record: Any, _lent: object) -> None:  # noqa: ANN401  as above
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError("the server has closed this connection")
        if time.monotonic() - record.info.get(_USED_AT, float("-inf")) < _TRUSTED_SECONDS:
            return
        try:
            connection.ping()
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("this connection does not answer") from error

    event.listen(engine.sync_engine, "connect", used)
    event.listen(engine.sync_engine, "checkin", used)
    event.listen(engine.sync_engine, "checkout", check)


def _cut(connection: Any, _record: object, _error: BaseException | None) -> None:  # noqa: ANN401  as below
    # Both drivers' polite farewells can wait for a dead server: asyncmy's until it has taken what was sent to it.
    driver = connection.driver_connection
    getattr(driver, "terminate", driver.close)()


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  SQLAlchemy's DBAPI adapter is untyped
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(connection: Any, _record: object) -> None:  # noqa: ANN401  as above
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred BEGIN that is later upgraded fails with "database is locked" at once, whatever the busy timeout.
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _drop_where_nothing_can_be_written(context: ExceptionContext) -> None:
    # The server is well and stays connected; all that were connected before are dropped with this connection.
    if _fault_of_driver(context.original_exception) is Fault.READ_ONLY:
        context.is_disconnect = True


def _tell_a_signal_from_what_it_says(context: ExceptionContext) -> None:
    """Give what a trigger's SIGNAL raised the number of a SIGNAL, whatever number it bears: the error is its row's.

    The driver hides the SQLSTATE, so the server is asked for it. One that still answers is not lost.
    https://mariadb.com/kb/en/signal/, https://mariadb.com/kb/en/get-diagnostics/
    """
    original: Any = context.original_exception
    number, *words = original.args or (None,)
    if number not in _MY_CODES or context.connection is None or _fault_of_driver(original) is Fault.REFUSED:
        return
    try:
        cursor = context.connection.connection.cursor()
        cursor.execute("GET DIAGNOSTICS CONDITION 1 @stocksync_no = MYSQL_ERRNO, @stocksync_state = RETURNED_SQLSTATE")
        cursor.execute("SELECT @stocksync_no, @stocksync_state")
        row = cursor.fetchone()
        cursor.close()
    except Exception:  # noqa: BLE001  whatever it is, the first error is the one to be told
        return
    if row is None or None in row or int(row[0]) != number:
        return
    if number in _MY_LOST or str(row[1]).startswith(_MY_MADE_UP):
        original.args = (_MY_SIGNAL, *words)
        context.is_disconnect = False


_PG_CODES = {
    "40001": Fault.CONFLICT,
    "40P01": Fault.CONFLICT,
    "40003": Fault.AWAY,
    "25006": Fault.READ_ONLY,
    "55P03": Fault.LOCKED,
    "42P01": Fault.MISSING,
    "42703": Fault.MISSING,
    "3D000": Fault.MISSING,
    "3F000": Fault.MISSING,
    "57014": Fault.CANCELLED,
}
_PG_CLASSES = {
    **dict.fromkeys(("08", "25", "53", "57", "58"), Fault.AWAY),
    **dict.fromkeys(("0A", "28", "42", "55", "HV", "XX"), Fault.REFUSED),
}
"""A code that is in neither, one that a trigger made up too, is the row's."""
_RAISED_BY = {"pl_exec.c", "plpy_elog.c", "plperl.c", "pltcl.c"}
"""Source files of PostgreSQL that raise what somebody's own function asked for, with a code of that one's choice.

https://www.postgresql.org/docs/current/protocol-error-fields.html
"""
_MY_CODES = {
    **dict.fromkeys((1020, 1213), Fault.CONFLICT),
    **dict.fromkeys((1205, 3572), Fault.LOCKED),
    **dict.fromkeys((1317, 1969, 3024), Fault.CANCELLED),
    **dict.fromkeys((1290, 1792, 1836), Fault.READ_ONLY),
    **dict.fromkeys((1049, 1054, 1146), Fault.MISSING),
    **dict.fromkeys((0, 1021, 1037, 1040, 1041, 1042, 1043, 1047, 1053, 1077, 1079, 1114), Fault.AWAY),
    **dict.fromkeys((1129, 1158, 1159, 1160, 1161, 1203, 1206, 1226, 1637, 1927), Fault.AWAY),
    **dict.fromkeys((2002, 2003, 2006, 2013, 2014, 2055, 4031), Fault.AWAY),
    **dict.fromkeys((1044, 1045, 1064, 1130, 1142, 1143, 1227, 1288, 1305, 1370, 1471, 1698), Fault.REFUSED),
}
"""As above, a trigger's own SIGNAL apart."""
_MY_LOST = {1053, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2014, 2055, 4031}
_MY_SIGNAL = 1644
_MY_MADE_UP = "45"
"""The class of SQLSTATE that the standard leaves to users."""
_LITE_WORDS = {
    "readonly": Fault.READ_ONLY,
    "locked": Fault.BUSY,
    "busy": Fault.BUSY,
    "disk I/O": Fault.AWAY,
    "full": Fault.AWAY,
    "unable to open": Fault.AWAY,
    "no such table": Fault.MISSING,
    "no such column": Fault.MISSING,
    "syntax error": Fault.REFUSED,
    "no such function": Fault.REFUSED,
    "ambiguous column": Fault.REFUSED,
}


def _fault_of_driver(original: Any) -> Fault:  # noqa: ANN401  each driver has its own
    arguments = getattr(original, "args", ())
    # MySQL's own number first: it says HY000 (anything) as SQLSTATE of lock time-outs and of missing values.
    if arguments and isinstance(arguments[0], int):
        return _MY_CODES.get(arguments[0], Fault.DATA)
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        told = original.__cause__  # the driver's own error, which has all that PostgreSQL tells
        if getattr(told, "server_source_filename", None) in _RAISED_BY:
            return Fault.DATA  # a trigger may say "connection failure": the connection is as well as it was
        fault = _PG_CODES.get(state) or _PG_CLASSES.get(state[:2], Fault.DATA)
        within_a_function = fault is Fault.MISSING and getattr(told, "context", None)
        return Fault.REFUSED if within_a_function else fault
    # SQLite: a constraint and a trigger's words may say anything.
    text, name = str(original), getattr(original, "sqlite_errorname", None) or ""
    if name.startswith("SQLITE_CONSTRAINT") or "constraint failed" in text:
        return Fault.DATA
    return next((fault for words, fault in _LITE_WORDS.items() if words in text), Fault.DATA)
