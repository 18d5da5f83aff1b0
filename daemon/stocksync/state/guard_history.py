"""What the guards weigh a look-up with."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import Removal
from stocksync.ports import GuardHistory
from stocksync.state.ledger import change_in
from stocksync.state.schema import accounts, cells, ledger

_LOOKUPS = "lookup-%"
"""Cycle ids of what look-ups wrote."""


async def guard_history(connection: AsyncConnection, account: str) -> GuardHistory:
    """Count what is managed, and gather what look-ups wrote since the last complete cycle."""
    since = (await connection.execute(select(accounts.c.weighed_at).where(accounts.c.account == account))).scalar()
    holds = (cells.c.account == account, cells.c.acked.is_not(None), cells.c.acked.not_in(list(Removal)))
    managed = (await connection.execute(select(func.count()).select_from(cells).where(*holds))).scalar_one()
    query = select(ledger).where(ledger.c.account == account, ledger.c.cycle_id.like(_LOOKUPS)).order_by(ledger.c.id)
    if since is not None:
        query = query.where(ledger.c.at > since)
    looked_up = [change_in(row) for row in (await connection.execute(query)).all()]
    return GuardHistory(managed, looked_up, weighed=since is not None)
