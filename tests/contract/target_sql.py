"""SQL that somebody else runs on a target."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.sqlengine import writing


async def run(engine: AsyncEngine, *statements: str) -> list[Any]:
    """Run statements in one transaction; gives the rows of the last one."""
    async with writing(engine) as connection:
        for statement in statements:
            result = await connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []
