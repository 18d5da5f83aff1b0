"""How the state asks for some products among many."""

from datetime import timedelta

from sqlalchemy import event

from stocksync.sqlengine import writing
from stocksync.state import cells, digests
from stocksync.state.database import open_state

SOME = list(range(1, 3001, 30))


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
