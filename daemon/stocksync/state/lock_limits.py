"""How long a transaction of the state may wait for a row, and others for one that it has locked."""

from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.state.types import database_now

LOCK_SECONDS = 8
"""Less than a lease lasts, and than the ten seconds by which a reservation may come late (core/budget.py, SET_BACK)."""
_IDLE_SECONDS = 10
_POSTGRESQL_LIMITS = text(
    "SELECT set_config('lock_timeout', :lock, true),"
    # Its lock_timeout begins anew at each lock, and a row that others wait for too takes two.
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


async def now_unlimited(connection: AsyncConnection) -> datetime:
    """Ask the time after the lock was got, and let the statements that follow take as long as they need."""
    # A statement that waited for the lock would tell the time at which it began to wait.
    query = select(database_now())
    if connection.dialect.name == "postgresql":
        query = query.add_columns(func.set_config("statement_timeout", None, True))  # noqa: FBT003  SQL's own order
    return (await connection.execute(query)).scalar_one()
