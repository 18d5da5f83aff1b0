"""Who holds what we wait for: only while we wait can the server say so, to another session.

A session of our own that is frozen is ended at that look, so that the wait is not in vain.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.errors import RowsLocked
from stocksync.frozen_sessions import end_frozen_sessions
from stocksync.sqlengine import reading
from stocksync.targets.faults import translated

_BLOCKERS = {
    "postgresql": text(
        "SELECT blocking.pid, usename, application_name, host(client_addr), state,"
        " EXTRACT(EPOCH FROM clock_timestamp() - COALESCE(state_change, xact_start))::bigint"
        " FROM unnest(pg_blocking_pids(:ours)) AS blocking(pid)"
        " LEFT JOIN pg_stat_activity activity ON activity.pid = blocking.pid ORDER BY xact_start LIMIT 1"
    ),
    # Of innodb_trx and processlist a user without the PROCESS right sees nothing, or is refused.
    "mysql": text(
        "SELECT p.id, p.user, p.db, p.host, IF(p.command = 'Sleep', 'idle in transaction', p.command), p.time"
        " FROM information_schema.innodb_trx ours"
        " JOIN information_schema.innodb_lock_waits w ON w.requesting_trx_id = ours.trx_id"
        " JOIN information_schema.innodb_trx theirs ON theirs.trx_id = w.blocking_trx_id"
        " JOIN information_schema.processlist p ON p.id = theirs.trx_mysql_thread_id"
        " WHERE ours.trx_mysql_thread_id = :ours ORDER BY theirs.trx_started LIMIT 1"
    ),
}
_LOOK_EVERY = 0.3
"""Seconds; who waits for less is not worth a question."""
_LOOK_SECONDS = 2.0
"""For an answer."""


@asynccontextmanager
async def naming_blockers(engine: AsyncEngine, where: str, ours: int | None) -> AsyncIterator[None]:
    """Name, for a lock that is waited for in vain, the session that holds it, where rights allow to see it.

    `ours` is the session that waits; None: nothing is watched.
    """
    if ours is None:
        yield
        return
    seen: list[str] = []
    over = asyncio.Event()
    watch = asyncio.create_task(_watch(engine, ours, seen, over))
    try:
        with translated(where):
            yield
    except RowsLocked as locked:
        if seen:
            raise RowsLocked(f"waits for {seen[-1]}") from locked
        raise
    finally:
        over.set()
        watch.cancel()
        # A driver may take the cancellation for an error of its own: the watch ends by itself then.
        await asyncio.wait([watch], timeout=_LOOK_SECONDS)


async def _watch(engine: AsyncEngine, ours: int, seen: list[str], over: asyncio.Event) -> None:
    blockers = _BLOCKERS[engine.dialect.name.replace("mariadb", "mysql")]
    # What goes wrong here only costs the name; a pooler with one session lets us ask when it is too late.
    with suppress(SQLAlchemyError, OSError, TimeoutError):
        while not over.is_set():
            await asyncio.sleep(_LOOK_EVERY)
            async with asyncio.timeout(_LOOK_SECONDS), reading(engine) as connection:
                found = (await connection.execute(blockers, {"ours": ours})).first()
                if found is not None:
                    await end_frozen_sessions(connection)
            if found is not None:
                session, user, program, address, state, seconds = found
                whose = " ".join(f"{part}" for part in (user and f"of {user}", program and f"({program})") if part)
                source = f" at {address}" if address else ""
                doing = f", {state} for {seconds} s" if state and seconds is not None else ""
                seen.append(f"session {session} {whose}".rstrip() + source + doing + ", which holds the row")
