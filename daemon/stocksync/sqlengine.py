"""How both databases, the state's and the target's, are opened, and what their errors mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from stocksync.errors import ConfigurationError, DriverMissing

_DRIVERS = {
    "sqlite": ("aiosqlite", ""),
    "postgresql": ("asyncpg", "postgresql"),
    "mysql": ("asyncmy", "mysql"),
    "mariadb": ("asyncmy", "mysql"),
}
_BUSY_SECONDS = 5
_CONNECT_SECONDS = 10
_FAREWELL_SECONDS = 5.0
_READ_ONLY = "stocksync_read_only"
# Without strictness MySQL clips what does not fit, and says nothing; its TIMESTAMPs are of the session's time zone.
_STRICT_IN_UTC = (
    "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'STRICT_ALL_TABLES'), time_zone = '+00:00'"
)


class Fault(Enum):
    """What a database error calls for."""

    AWAY = "away"
    """Connection refused or lost, disk full, locked too long: it may work later."""
    CONFLICT = "conflict"
    """Deadlock or serialization failure: the same transaction may work at once."""
    DATA = "data"
    """Constraint, type or length: these rows will not go in as they are."""
    OTHER = "other"
    """Rights, syntax, a missing table: a person must act."""


def parse(url: str, where: str) -> URL:
    """Make a plain URL one for SQLAlchemy with the async driver named.

    Raises:
        ConfigurationError: `where` names the key that holds the URL; the password is never shown.

    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"{where}: not a database URL; write sqlite:///file.db or postgresql://…") from error
    backend = parsed.get_backend_name()
    if backend not in _DRIVERS:
        raise ConfigurationError(f"{where}: {backend} is not supported; use {', '.join(_DRIVERS)}")
    return parsed.set(drivername=f"{backend}+{_DRIVERS[backend][0]}")


def open_engine(url: str, where: str, *, wal: bool = False) -> AsyncEngine:
    """Open an engine; nothing is connected yet.

    `wal` turns a SQLite file's journal to write-ahead, for good: for files that are ours alone, as people who may only
    read the file could no longer do so.

    Raises:
        ConfigurationError: the URL is unusable or its driver is not installed.

    """
    parsed = parse(url, where)
    backend = parsed.get_backend_name()
    try:
        engine = create_async_engine(
            parsed, connect_args=_connect_args(backend), pool_pre_ping=backend != "sqlite", hide_parameters=True
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        extra = _DRIVERS[backend][1]
        raise DriverMissing(f"{where}: no driver for {backend}; pip install 'stocksync[{extra}]'") from error
    if backend == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        if wal:
            event.listen(engine.sync_engine, "connect", _write_ahead)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    else:
        event.listen(engine.sync_engine, "invalidate", _cut)
    return engine


async def close_engine(engine: AsyncEngine) -> None:
    """Give the connections back; a server that does not answer is not waited for."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await engine.dispose()


def same_database(one: URL, other: URL) -> bool:
    """Whether two parsed URLs lead to one database as one user, so that one transaction can span both uses.

    Any difference tells them apart: another user has other rights, and a query may name another server or schema.
    """
    in_memory = one.get_backend_name() == "sqlite" and one.database in {None, "", ":memory:"}
    return one == other and not in_memory


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that only reads: it takes no lock on SQLite."""
    async with engine.connect() as connection:
        await connection.execution_options(**{_READ_ONLY: True})
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
        return Fault.OTHER
    if error.connection_invalidated:
        return Fault.AWAY
    return _fault_of_driver(error)


def reason(error: BaseException) -> str:
    """Give the database's own words in one line, without statement, parameters or URL."""
    original: Any = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    arguments: tuple[Any, ...] = getattr(original, "args", ())
    numbered = len(arguments) == 2 and isinstance(arguments[0], int)  # noqa: PLR2004  MySQL's drivers: number, words
    text = str(arguments[1] if numbered else original)
    return " ".join(text.replace("<class '", "").replace("'>:", ":").split())[:300]


def _connect_args(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"timeout": _BUSY_SECONDS}
    if backend == "postgresql":
        return {"timeout": _CONNECT_SECONDS, "server_settings": {"application_name": "stocksync"}}
    return {"connect_timeout": _CONNECT_SECONDS, "charset": "utf8mb4", "init_command": _STRICT_IN_UTC}


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
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


_PG_CONFLICTS = {"40001", "40P01"}
_PG_AWAY_CLASSES = {"08", "53", "57", "58", "55", "25"}
_PG_DATA_CLASSES = {"22", "23", "44", "P0"}
_MY_CONFLICTS = {1213}
_MY_AWAY = {1021, 1040, 1041, 1053, 1077, 1079, 1114, 1158, 1159, 1160, 1161, 1205, 1290, 1317, 1836, 1927, 1969}
_MY_AWAY |= {2002, 2003, 2006, 2013, 2014, 2055, 3024, 4031}
_MY_DATA = {1048, 1062, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1644, 3819, 4025}


def _fault_of_driver(error: DBAPIError) -> Fault:
    original: Any = error.orig
    arguments = getattr(original, "args", ())
    # MySQL's own number first: it says HY000 (anything) as SQLSTATE of lock time-outs and of missing values.
    if arguments and isinstance(arguments[0], int):
        return _fault_of_mysql(arguments[0])
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        return _fault_of_sqlstate(state)
    return _fault_of_sqlite(str(original), getattr(original, "sqlite_errorname", ""))


def _fault_of_sqlstate(state: str) -> Fault:
    if state in _PG_CONFLICTS:
        return Fault.CONFLICT
    if state[:2] in _PG_AWAY_CLASSES:
        return Fault.AWAY
    return Fault.DATA if state[:2] in _PG_DATA_CLASSES else Fault.OTHER


def _fault_of_mysql(code: int) -> Fault:
    if code in _MY_CONFLICTS:
        return Fault.CONFLICT
    if code in _MY_AWAY:
        return Fault.AWAY
    return Fault.DATA if code in _MY_DATA else Fault.OTHER


def _fault_of_sqlite(text: str, name: str) -> Fault:
    if name.startswith("SQLITE_CONSTRAINT") or "constraint failed" in text or "datatype mismatch" in text:
        return Fault.DATA
    away = ("locked", "busy", "disk I/O", "full", "unable to open", "readonly")
    return Fault.AWAY if any(word in text for word in away) else Fault.OTHER
