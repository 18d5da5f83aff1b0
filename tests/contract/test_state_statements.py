"""How the state asks for some products among many."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import SettledCounts, SettledProduct
from stocksync.sqlengine import writing
from stocksync.sqlrows import update_rows
from stocksync.state import cells, digests
from stocksync.state.database import open_state

MANY, SOME = 3000, list(range(1, 3001, 30))
SETTLED = SettledProduct(
    b"0123456789abcdef", SettledCounts(unchanged=2, unmanaged=0, unmapped=0, managed=2, tracked=True)
)
INTO = text(
    "INSERT INTO stocksync_products (account, product_id, sku, name, tracked, page, missing)"
    " SELECT :account, number, 'S', '', true, 1, 0 FROM generate_series(1, :many) AS number"
)


async def test_products_are_named_as_a_table_that_no_plan_compares_one_by_one(postgresql_state_url: str) -> None:
    # Of `= ANY` PostgreSQL 15 made 20,000 rows times 1,000 ids after a first fill, until its statistics were renewed.
    sent: list[str] = []
    state = await open_state(postgresql_state_url, timedelta(days=90))
    try:
        async with writing(state.engine) as connection:
            event.listen(state.engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2]))
            await cells.load_products(connection, "main", SOME)
            await cells.load_cells(connection, "main", SOME)
            await digests.unsettle(connection, "main", SOME)
    finally:
        await state.close()
    assert len(sent) == 3, "whatever their number"
    assert all("unnest" in statement and " ANY" not in statement and " IN " not in statement for statement in sent)


async def _analysed(connection: AsyncConnection, account: str, known: str) -> None:
    """Have statistics that mislead: of products without a digest, or of other accounts alone."""
    await connection.execute(INTO, {"account": account if known == "without digests" else "other", "many": MANY})
    await connection.execute(text("ANALYZE stocksync_products"))
    if known != "without digests":
        await connection.execute(INTO, {"account": account, "many": MANY})
    await connection.execute(
        text("UPDATE stocksync_products SET digest = '\\x00' WHERE account = :account"), {"account": account}
    )


@pytest.mark.parametrize("known", ["without digests", "of others"])
async def test_what_is_settled_and_unsettled_is_looked_up_one_by_one_whatever_the_statistics_say(
    postgresql_state_url: str, known: str
) -> None:
    # A plan that begins with the account's rows holds each of them against each product that is named: with 200,000 of
    # them, analysed before their digests came, and 2,500 changed, that took a minute.
    state = await open_state(postgresql_state_url, timedelta(days=90))
    settled = digests.settling("main", dict.fromkeys(SOME, SETTLED))
    try:
        async with writing(state.engine) as connection:
            await _analysed(connection, "main", known)
        async with writing(state.engine) as connection:
            sent: list[tuple[str, Any]] = []
            event.listen(state.engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2:4]))
            await digests.unsettle(connection, "main", SOME)
            await update_rows(connection, settled)
            await cells.load_products(connection, "main", SOME)
            driver: Any = (await connection.get_raw_connection()).driver_connection
            plans = [
                [row[0] for row in await driver.fetch(f"EXPLAIN {statement}", *given)] for statement, given in sent
            ]
        for plan in map("\n".join, plans):
            assert "Join Filter" not in plan or "Tid Scan" in plan, "each of one side is held against each other"
            assert "stocksync_products_pkey" in plan
            assert "stocksync_products_alike" not in plan, "that finds all of the account"
        found = await state.catalogue("main")
    finally:
        await state.close()
    assert found.settled_with(found.known.keys()) == dict.fromkeys(SOME, SETTLED)
    assert len(found.known) == MANY
