"""Refresh tokens that rotate: stored before they are used."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.state.schema import credentials
from stocksync.state.session import replacing, upsert
from stocksync.state.types import database_now


async def load(connection: AsyncConnection, account: str) -> str | None:
    """Give the stored token."""
    query = select(credentials.c.token).where(credentials.c.account == account)
    token: str | None = (await connection.execute(query)).scalar()
    return token


async def save(connection: AsyncConnection, account: str, token: str) -> None:
    """Store a token in place of the last one."""
    at = (await connection.execute(select(database_now()))).scalar_one()
    row = {"account": account, "token": token, "saved_at": at}
    await connection.execute(upsert(credentials, connection.dialect.name, replacing(credentials)), row)
