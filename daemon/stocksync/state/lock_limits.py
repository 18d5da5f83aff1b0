"""How long a transaction of the state may wait for a row, and others for one that it has locked."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, func, select, text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.state.types import database_now

LOCK_SECONDS = 8
"""Less than a lease lasts, and than the ten seconds by which a reservation may come late (core/budget.py, SET_BACK)."""
_IDLE_SECONDS = 10
_WAITS = 2
"""PostgreSQL's lock_timeout begins anew at each lock, and a row that others wait for too takes two."""
_POSTGRESQL_LIMITS = text(
    "SELECT set_config('lock_timeout', :lock, true),"
    " set_config('statement_timeout', :lock, true), set_config('idle_in_transaction_session_timeout', :idle, true)"
)
_MARIADB_LIMITS = text("SET SESSION innodb_lock_wait_timeout = :lock, idle_transaction_timeout = :idle")


async def limit_waiting(connection: AsyncConnection) -> None:
    """Bound how long this transaction waits for a row, and how long others wait for one that it has locked."""
    # A writer frozen in the middle of a commit would keep the row, and so the account, locked for ever. What it had
    # waiting for the row gives up before its commit is rolled back, or would be next to get it and to sleep on it.
    if connection.dialect.name == "postgresql":
        await connection.execute(_POSTGRESQL_LIMITS, {"lock": f"{LOCK_SECONDS}s", "idle": f"{_IDLE_SECONDS}s"})
    elif getattr(connection.dialect, "is_mariadb", False):
        await connection.execute(_MARIADB_LIMITS, {"lock": LOCK_SECONDS, "idle": _IDLE_SECONDS})


async def lock(
    connection: AsyncConnection, query: Select[Any], given: dict[str, object]
) -> tuple[Row[Any] | None, datetime]:
    """Lock the row that `query` finds, within those limits; give it, and the time after it was got.

    What is done under the lock may take as long as it needs.
    """
    if connection.dialect.name == "postgresql":
        limits = {
            "given_wait": f"{1000 * LOCK_SECONDS // _WAITS}ms",
            "given_idle": f"{_IDLE_SECONDS}s",
            "given_after": f"{LOCK_SECONDS}s",
        }
        row = (await connection.execute(_limited(query), {**given, **limits})).first()
        if row is not None:
            return row, row.now
        await limit_waiting(connection)  # for who inserts it: its condition has set nothing
        return None, await now(connection)
    await limit_waiting(connection)
    row = (await connection.execute(query.with_for_update(), given)).first()
    # A statement that waited for the lock would tell the time at which it began to wait.
    return row, await now(connection)


@lru_cache(maxsize=8)
def _limited(query: Select[Any]) -> Select[Any]:
    """Put limits, lock and time into one message: the condition sets them before the lock, the rest comes after it."""
    limits = {"lock_timeout": "given_wait", "idle_in_transaction_session_timeout": "given_idle"}
    found = query.where(*(_set(name, value) != "" for name, value in limits.items())).with_for_update().subquery()
    return select(*found.c, database_now().label("now"), _set("lock_timeout", "given_after"))


def _set(name: str, value: str) -> Any:  # noqa: ANN401  an expression of SQL
    return func.set_config(name, bindparam(value), True)  # noqa: FBT003  SQL's own order


async def now(connection: AsyncConnection) -> datetime:
    """Ask the database for the time."""
    return (await connection.execute(select(database_now()))).scalar_one()
