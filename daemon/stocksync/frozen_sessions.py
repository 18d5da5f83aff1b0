"""Ends our own sessions of processes that are frozen in the middle of a statement, where PostgreSQL never would."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

CAN_FREEZE = {"postgresql"}
"""Where a statement is more than one message; no other database has to be asked."""
_SILENT = timedelta(seconds=5)
"""Between two messages of one statement a process that lives takes milliseconds."""

# A statement that is used for the first time takes two round trips. A process that is frozen between them (SIGSTOP, a
# paused container) holds its locks for good: "active" and not "idle in transaction", its session is ended by no limit
# before PostgreSQL 17's transaction_timeout. https://www.postgresql.org/docs/current/monitoring-stats.html
_END = text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
    " AND application_name = current_setting('application_name')"
    " AND state = 'active' AND wait_event = 'ClientRead' AND backend_xid IS NOT NULL"
    " AND state_change < clock_timestamp() - make_interval(secs => :silent)"
)


async def end_frozen_sessions(connection: AsyncConnection) -> int:
    """End what is frozen so in this database, and belongs to our user and program; give how many were.

    What such a session had begun is rolled back, as an idle limit would have done. Elsewhere than on PostgreSQL a
    statement is one message, so that nothing is to be done.
    """
    if connection.dialect.name not in CAN_FREEZE:
        return 0
    return int((await connection.execute(_END, {"silent": _SILENT.total_seconds()})).scalar_one())
