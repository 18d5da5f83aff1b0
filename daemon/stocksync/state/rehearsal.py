"""Whether the state takes what a cycle writes, tried in a transaction that is rolled back."""

from sqlalchemy import Executable, delete, false, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.sqlengine import rehearsing
from stocksync.state.schema import cells, ledger
from stocksync.state.session import translated


async def rehearse(engine: AsyncEngine) -> None:
    """Write nothing by each kind of statement: a server judges rights, and whether it takes writes, all the same.

    Raises:
        StateUnavailable: it refuses one of them.

    """
    if engine.dialect.name == "sqlite":  # its file was looked at when it was opened
        return
    writes: list[Executable] = [
        update(cells).where(false()).values(acked=cells.c.acked),
        delete(cells).where(false()),
        *(insert(table).from_select(list(table.c), select(*table.c).where(false())) for table in (cells, ledger)),
    ]
    with translated():
        async with rehearsing(engine) as connection:
            for statement in writes:
                await connection.execute(statement)
