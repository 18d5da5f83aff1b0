"""What people were told of each account, so that no process tells it twice and no restart forgets it."""

from collections.abc import Iterable

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.state.schema import accounts


async def told(connection: AsyncConnection, names: Iterable[str]) -> dict[str, str]:
    """Give what was told, of the accounts that the state knows."""
    query = select(accounts.c.account, accounts.c.told).where(accounts.c.account.in_(list(names)))
    return {row.account: row.told or "" for row in (await connection.execute(query)).all()}


async def tell(connection: AsyncConnection, account: str, before: str, after: str) -> bool:
    """Note what is told; whether what was told before is still what this process believes."""
    mine = (accounts.c.account == account, func.coalesce(accounts.c.told, "") == before)
    return (await connection.execute(update(accounts).where(*mine).values(told=after))).rowcount == 1
