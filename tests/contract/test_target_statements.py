"""Targets that no mapping fits: the user's own SQL."""

from collections.abc import AsyncIterator
from decimal import Decimal as D
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.core.model import Cell, Change, Removal, RowLocator, TargetRow
from stocksync.errors import ConfigurationError, LeaseLost, RowsRefused, TargetUnavailable
from stocksync.ports import Target
from stocksync.sqlengine import open_engine, writing
from stocksync.targets import Statements, TargetSettings, open_target

WRITE = (
    "UPDATE offers SET stock = :quantity WHERE warehouse = CAST(:location AS {integer}) AND item_id ="
    " (SELECT id FROM items WHERE code = :sku)"
)
READ = (
    "SELECT stock, visible FROM offers JOIN items ON items.id = item_id"
    " WHERE code = :sku AND warehouse = CAST(:location AS {integer})"
)
OFFERS = (
    "CREATE TABLE offers (item_id INTEGER, warehouse INTEGER, stock NUMERIC(12, 4) CHECK (stock < 1000),"
    " visible INTEGER)"
)
HIDE = "UPDATE offers SET visible = 0 WHERE item_id IN (SELECT id FROM items WHERE code = :sku)"


async def agree() -> None:
    return


async def refuse() -> None:
    raise LeaseLost("another writer took over")


@pytest.fixture
async def engine(target_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(target_url, "test")
    async with writing(made) as connection:
        for statement in (
            "CREATE TABLE items (id INTEGER PRIMARY KEY, code VARCHAR(20))",
            OFFERS,
            "INSERT INTO items VALUES (1, 'A'), (2, 'B')",
            "INSERT INTO offers VALUES (1, 3, 5, 1), (1, 7, 6, 1), (2, 3, 7, 1)",
        ):
            await connection.execute(text(statement))
    yield made
    await made.dispose()


def target(engine: AsyncEngine, **statements: str) -> Target:
    integer = "SIGNED" if engine.dialect.name in {"mysql", "mariadb"} else "INTEGER"
    ready = {name: sql.replace("{integer}", integer) for name, sql in statements.items()}
    return open_target(TargetSettings("main", statements=Statements(**ready)), engine, owned=False)


def change(sku: str, after: Any, place: str = "3") -> Change:
    return Change(ord(sku[0]), place, sku, D(1), after, ())


async def rows(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    async with writing(engine) as connection:
        found = await connection.execute(text("SELECT item_id, warehouse, stock, visible FROM offers ORDER BY 1, 2"))
        return [(item, warehouse, D(str(stock)), visible) for item, warehouse, stock, visible in found]


async def test_figures_are_written_and_read_by_the_statements(engine: AsyncEngine) -> None:
    made = target(engine, write=WRITE, read=READ, deactivate=HIDE)
    shape = await made.inspect()
    assert (shape.by_sku, shape.summed, shape.can_scan, shape.can_deactivate) == (True, False, False, True)
    changes = [change("A", D("36.2084")), change("A", D(-2), "7")]
    assert (await made.write(changes, agree)).applied == changes
    assert await rows(engine) == [(1, 3, D("36.2084"), 1), (1, 7, D(-2), 1), (2, 3, D(7), 1)]
    found = await made.read([RowLocator(65, "A", "3"), RowLocator(66, "B", "3"), RowLocator(67, "C", "3")])
    assert found == {Cell(65, "3"): TargetRow(D("36.2084"), True, 1), Cell(66, "3"): TargetRow(D(7), True, 1)}


async def test_a_write_that_finds_no_row_is_skipped_also_when_repeated(engine: AsyncEngine) -> None:
    made = target(engine, write=WRITE)
    for _ in range(2):
        written = await made.write([change("A", D(9)), change("C", D(9))], agree)
        assert (written.applied, written.skipped) == ([change("A", D(9))], [change("C", D(9))])


async def test_removal_goes_by_its_own_statement_or_not_at_all(engine: AsyncEngine) -> None:
    gone = [change("B", Removal.DEACTIVATED), change("C", Removal.DEACTIVATED), change("A", Removal.DELETED)]
    written = await target(engine, write=WRITE, deactivate=HIDE).write(gone, agree)
    assert written.applied == gone[:2]
    assert written.ambiguous == [(gone[2], "no `delete` statement is configured")]
    assert [found[3] for found in await rows(engine)] == [1, 1, 0]
    await target(engine, write=WRITE, delete="DELETE FROM offers WHERE item_id = 1").write([gone[2]], agree)
    assert [found[0] for found in await rows(engine)] == [2]


async def test_without_a_read_statement_nothing_is_known(engine: AsyncEngine) -> None:
    made = target(engine, write=WRITE)
    assert await made.read([RowLocator(65, "A", "3")]) == {}
    assert not (await made.inspect()).can_scan
    with pytest.raises(ConfigurationError):
        [page async for page in made.scan(10)]


async def test_a_lost_lease_or_a_bad_row_takes_the_batch_back(engine: AsyncEngine) -> None:
    made, before = target(engine, write=WRITE), await rows(engine)
    with pytest.raises(LeaseLost):
        await made.write([change("A", D(9))], refuse)
    with pytest.raises(RowsRefused):
        await made.write([change("A", D(9)), change("B", D(5000))], agree)
    assert await rows(engine) == before


async def test_a_statement_of_the_product_id_alone_sums_over_places(engine: AsyncEngine) -> None:
    made = target(engine, write="UPDATE offers SET stock = :quantity WHERE item_id = :product_id AND warehouse = 7;")
    shape = await made.inspect()
    assert (shape.by_sku, shape.summed) == (False, True)
    assert (await made.write([Change(1, "", "A", None, D(4), ())], agree)).applied
    assert (await rows(engine))[1] == (1, 7, D(4), 1)


async def test_a_broken_statement_is_the_target_s_fault_and_no_crash(engine: AsyncEngine) -> None:
    with pytest.raises((TargetUnavailable, ConfigurationError), match=r"accounts\.main\.target"):
        await target(engine, write="UPDTE offers SET stock = :quantity").write([change("A", D(9))], agree)


def test_every_wrong_name_is_told_at_once(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url, "test")
    with pytest.raises(ConfigurationError) as wrong:
        target(engine, write="UPDATE t SET a = :quantty WHERE b = :id", read="SELECT a FROM t WHERE a = :quantity")
    assert len(wrong.value.problems) == 3
    assert ":quantty is not bound, did you mean :quantity?" in str(wrong.value)
    with pytest.raises(ConfigurationError, match=r"statements\.write"):
        target(engine, write="")
