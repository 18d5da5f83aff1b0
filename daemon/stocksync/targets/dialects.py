"""What the databases do differently: guarding a write transaction, comparing exactly, updating many rows at once."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, cast, collate, func, literal_column, text, types
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stocksync.sqlengine import reading
from stocksync.targets.keys import Key
from stocksync.targets.settings import Timeouts

_POSTGRESQL = text(
    "SELECT pg_backend_pid(), set_config('idle_in_transaction_session_timeout', :pause, true),"
    " set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true)"
)
# Two limits for locks: innodb_lock_wait_timeout is for rows alone, the other one, usually a day, for an ALTER TABLE.
_MARIADB = text(
    "SET SESSION idle_transaction_timeout = :pause, innodb_lock_wait_timeout = :lock, lock_wait_timeout = :lock,"
    " max_statement_time = :statement"
)
_CHANGED = {
    "postgresql": text(
        "SELECT COALESCE(SUM(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_xact_user_tables"
    ),
    "sqlite": text("SELECT total_changes()"),
    # What a function or a procedure changes is in no row count; a row that gets the values it has is not counted here.
    "mariadb": text(
        "SELECT SUM(variable_value) FROM information_schema.session_status"
        " WHERE variable_name IN ('HANDLER_UPDATE', 'HANDLER_WRITE', 'HANDLER_DELETE')"
    ),
}
_START = text("START TRANSACTION")
_CHECK_NOW = text("SET CONSTRAINTS ALL IMMEDIATE")
_POSTGRESQL_LOCK = text("SELECT pg_backend_pid(), set_config('lock_timeout', :lock, true)")
_MYSQL_LOCK = text("SET SESSION innodb_lock_wait_timeout = :lock, lock_wait_timeout = :lock")
_MYSQL_LOCK_AS_BEFORE = text("SET SESSION innodb_lock_wait_timeout = DEFAULT, lock_wait_timeout = DEFAULT")
_MYSQL_LOCK_TO_READ = text("SET SESSION lock_wait_timeout = :lock")
_MYSQL = text("SET SESSION wait_timeout = :pause, innodb_lock_wait_timeout = :lock, lock_wait_timeout = :lock")


async def guard(connection: AsyncConnection, patience: Timeouts, lock: timedelta) -> int | None:
    """Have the server roll this transaction back when we fall silent in it: a paused process may never wake.

    `lock` is how long it waits for another transaction. Gives the session's number. SQLite has neither, and needs no
    limits: its writer holds the only write lock.
    """
    dialect = connection.dialect
    if dialect.name == "postgresql":
        limits = {"pause": patience.pause, "lock": lock, "statement": patience.statement}
        given = {name: str(_milliseconds(limit)) for name, limit in limits.items()}
        return int((await connection.execute(_POSTGRESQL, given)).scalar_one())
    if getattr(dialect, "is_mariadb", False):
        statement = patience.statement.total_seconds()
        await connection.execute(_MARIADB, {**_seconds(patience.pause, lock), "statement": statement})
        # Without autocommit a transaction begins with the first table touched: until then nothing would be timed.
        await connection.execute(_START)
    elif dialect.name in {"mysql", "mariadb"}:
        await connection.execute(_MYSQL, _seconds(patience.pause, lock))
    return await _number_at_mysql(connection)


@asynccontextmanager
async def reading_within(engine: AsyncEngine, lock: timedelta) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that only reads, and waits no longer than this for who alters the table."""
    async with reading(engine) as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(_POSTGRESQL_LOCK, {"lock": str(_milliseconds(lock))})
        elif connection.dialect.name != "sqlite":
            await connection.execute(_MYSQL_LOCK_TO_READ, {"lock": _whole_seconds(lock)})
        yield connection


async def _number_at_mysql(connection: AsyncConnection) -> int | None:
    if connection.dialect.name not in {"mysql", "mariadb"}:
        return None
    driver: Any = (await connection.get_raw_connection()).driver_connection
    return int(driver.thread_id())


@asynccontextmanager
async def lock_limit(connection: AsyncConnection, lock: timedelta) -> AsyncIterator[int | None]:
    """Wait no longer than this for another transaction, in a transaction that is the state's too; as `guard`."""
    if connection.dialect.name == "sqlite":
        yield None
    elif connection.dialect.name == "postgresql":
        yield int((await connection.execute(_POSTGRESQL_LOCK, {"lock": str(_milliseconds(lock))})).scalar_one())
    else:
        # Here the limit is the session's, which the state goes on using.
        await connection.execute(_MYSQL_LOCK, {"lock": _whole_seconds(lock)})
        try:
            yield await _number_at_mysql(connection)
        finally:
            await connection.execute(_MYSQL_LOCK_AS_BEFORE)


async def check_now(connection: AsyncConnection) -> None:
    """Have PostgreSQL do now what it would leave to the COMMIT: deferred constraints, and triggers that alter rows."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_CHECK_NOW)


def skips_locked(connection: AsyncConnection) -> bool:
    """Whether a SELECT … FOR UPDATE can pass over what another transaction holds."""
    dialect: Any = connection.dialect
    if dialect.name == "postgresql":
        return True
    since = (10, 6) if getattr(dialect, "is_mariadb", False) else (8, 0, 1)
    return dialect.name in {"mysql", "mariadb"} and dialect.server_version_info >= since


async def rows_changed(connection: AsyncConnection) -> int | None:
    """Count the rows that this transaction has changed so far; None where the database does not tell."""
    name = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else connection.dialect.name
    count = _CHANGED.get(name)
    return None if count is None else int((await connection.execute(count)).scalar_one())


def same(key: Key, value: ColumnElement[Any], dialect: str) -> ColumnElement[bool]:
    """Compare exactly, whatever the column's collation, and still by way of its index."""
    if key.untyped:
        as_text: ColumnElement[bool] = cast(key.column, types.Text) == cast(value, types.Text)
        return as_text
    rough: ColumnElement[bool] = key.column == value
    if not key.textual:
        return rough
    if dialect == "sqlite":
        return and_(rough, collate(key.column, "BINARY") == value)
    if dialect == "postgresql":
        return and_(rough, collate(cast(key.column, types.Text), "C") == value)
    return and_(rough, to_the_letter(key, value))


def ordered(key: Key, dialect: str) -> ColumnElement[Any]:
    """Give what rows are walked in the order of: MySQL sorts an ENUM by its numbers and compares it as text."""
    if key.untyped:
        return cast(key.column, types.Text)
    if dialect in {"mysql", "mariadb"} and isinstance(key.column.type, types.Enum):
        return cast(key.column, types.LargeBinary)
    return key.column


def comparable(key: Key, value: object, dialect: str) -> Any:  # noqa: ANN401  a value or an expression
    """Give a value as `ordered` compares it: with any other comparison rows would be left out or met twice."""
    if key.untyped:
        return key.decode(value)
    if key.own is not None:
        return cast(bindparam(None, value, type_=types.Text()), key.own)
    if ordered(key, dialect) is not key.column:
        return cast(bindparam(None, value, type_=types.Text()), types.LargeBinary)
    return value


def to_the_letter(key: Key, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Compare bytes on MySQL; converted first, as in another character set the same text has other ones."""
    found: ColumnElement[bool] = cast(using(key.column, "utf8mb4"), types.LargeBinary) == cast(value, types.LargeBinary)
    return found


def using(value: ColumnElement[Any], charset: str) -> ColumnElement[Any]:
    """Give MySQL's CONVERT(… USING …)."""
    return func.convert(value.op("USING")(literal_column(charset)))


def among(key: Key, values: Sequence[Any], name: str) -> ColumnElement[bool]:
    """Find candidates by the index; they are compared exactly afterwards."""
    column = cast(key.column, types.Text) if key.untyped else key.column
    return column.in_(bindparam(name, values, type_=key.column.type, expanding=True))


def _milliseconds(limit: timedelta) -> int:
    return max(1, round(limit.total_seconds() * 1000))


def _whole_seconds(limit: timedelta) -> int:
    return max(1, math.floor(limit.total_seconds()))


def _seconds(pause: timedelta, lock: timedelta) -> dict[str, int]:
    return {"pause": _whole_seconds(pause), "lock": _whole_seconds(lock)}
