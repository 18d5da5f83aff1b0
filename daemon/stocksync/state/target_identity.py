"""Whom the acknowledgements belong to: one target, and with another one they are forgotten."""

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.status import Side
from stocksync.state.schema import accounts, cells, decided_cells, quarantine, waiting_plans

_FORGOTTEN = {
    "acked": None,
    "acked_at": None,
    "sent": None,
    "intent": None,
    "intended_at": None,
    "sku": "",
    "former_sku": "",
}


async def target_of(connection: AsyncConnection, account: str) -> str | None:
    """Give the fingerprint of the target that has acknowledged; None where none was ever told."""
    query = select(accounts.c.target).where(accounts.c.account == account)
    return (await connection.execute(query)).scalar()


async def meet(connection: AsyncConnection, account: str, target: str) -> int:
    """Make `target` the one that acknowledgements belong to; give how many of another's were forgotten."""
    before = await target_of(connection, account)
    if before == target:
        return 0
    row = update(accounts).where(accounts.c.account == account)
    if before is None:
        await connection.execute(row.values(target=target))
        return 0
    await connection.execute(row.values(target=target, weighed_at=None))
    mine, acked = cells.c.account == account, cells.c.acked.is_not(None)
    forgotten = (await connection.execute(select(func.count()).select_from(cells).where(mine, acked))).scalar_one()
    await connection.execute(update(cells).where(mine).values(**_FORGOTTEN))
    refused = (quarantine.c.account == account, quarantine.c.side != Side.SOURCE)
    await connection.execute(delete(quarantine).where(*refused))
    for plans in (waiting_plans, decided_cells):
        await connection.execute(delete(plans).where(plans.c.account == account))
    return forgotten
