"""What the databases do differently: guarding a write transaction, comparing exactly, updating many rows at once."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, cast, collate, func, literal_column, text, types
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.targets.keys import Key
from stocksync.targets.settings import Timeouts

_POSTGRESQL = text(
    "SELECT set_config('idle_in_transaction_session_timeout', :pause, true),"
    " set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true)"
)
_MARIADB = text(
    "SET SESSION idle_transaction_timeout = :pause, innodb_lock_wait_timeout = :lock, max_statement_time = :statement"
)
_CHANGED = {
    "postgresql": text(
        "SELECT COALESCE(SUM(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_xact_user_tables"
    ),
    "sqlite": text("SELECT total_changes()"),
}
_START = text("START TRANSACTION")
_MYSQL = text("SET SESSION wait_timeout = :pause, innodb_lock_wait_timeout = :lock")


async def guard(connection: AsyncConnection, patience: Timeouts) -> None:
    """Have the server roll this transaction back when we fall silent in it: a paused process may never wake.

    SQLite has no such limit and needs none: its writer holds the only write lock.
    """
    dialect = connection.dialect
    if dialect.name == "postgresql":
        limits = {"pause": patience.pause, "lock": patience.lock, "statement": patience.statement}
        await connection.execute(_POSTGRESQL, {name: str(_milliseconds(limit)) for name, limit in limits.items()})
    elif getattr(dialect, "is_mariadb", False):
        statement = patience.statement.total_seconds()
        await connection.execute(_MARIADB, {**_seconds(patience), "statement": statement})
        # Without autocommit a transaction begins with the first table touched: until then nothing would be timed.
        await connection.execute(_START)
    elif dialect.name in {"mysql", "mariadb"}:
        await connection.execute(_MYSQL, _seconds(patience))


async def rows_changed(connection: AsyncConnection) -> int | None:
    """Count the rows that this transaction has changed so far; None where the database does not tell."""
    count = _CHANGED.get(connection.dialect.name)
    return None if count is None else int((await connection.execute(count)).scalar_one())


def same(key: Key, value: BindParameter[Any], dialect: str) -> ColumnElement[bool]:
    """Compare exactly, whatever the column's collation, and still by way of its index."""
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
    if dialect in {"mysql", "mariadb"} and isinstance(key.column.type, types.Enum):
        return cast(key.column, types.LargeBinary)
    return key.column


def comparable(key: Key, value: object, dialect: str) -> Any:  # noqa: ANN401  a value or an expression
    """Give a value as `ordered` compares it: with any other comparison rows would be left out or met twice."""
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
    return key.column.in_(bindparam(name, values, type_=key.column.type, expanding=True))


def _milliseconds(limit: timedelta) -> int:
    return max(1, round(limit.total_seconds() * 1000))


def _seconds(patience: Timeouts) -> dict[str, int]:
    limits = {"pause": patience.pause, "lock": patience.lock}
    return {name: max(1, math.floor(limit.total_seconds())) for name, limit in limits.items()}
