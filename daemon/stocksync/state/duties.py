"""What one process does for all its like: held for a while, and taken over once its holder is no longer heard of.

No fence stands behind it, as behind a lease: who was paused may do once more what its successor has begun to do.
"""

from datetime import timedelta

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.state.leases import in_force
from stocksync.state.lock_limits import lock
from stocksync.state.schema import duties

SENDS = "sends"
"""Sends what people and dead man's switches are told of a fleet."""
_ONE = select(duties).where(duties.c.duty == bindparam("of"))


async def take(connection: AsyncConnection, duty: str, owner: str, ttl: timedelta) -> bool:
    """Take a duty, or keep it, for `ttl` of the database's clock; False where another process has it.

    Two that find nobody's row would both insert it, so it is there from the first migration on.
    """
    row, now = await lock(connection, _ONE, {"of": duty})
    if row is not None and row.owner != owner and in_force(row.expires_at, now, ttl):
        return False
    values = {"owner": owner, "expires_at": now + ttl}
    if row is None:
        await connection.execute(insert(duties).values(duty=duty, **values))
    else:
        await connection.execute(update(duties).where(duties.c.duty == duty).values(**values))
    return True
