"""Targets that no mapping fits: the user's own SQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
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
    async with shop(target_url) as made:
        yield made


@pytest.fixture
async def mariadb_engine(mariadb_url: str) -> AsyncIterator[AsyncEngine]:
    async with shop(mariadb_url) as made:
        yield made


@asynccontextmanager
async def shop(url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(url, "test")
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
    capabilities = await made.inspect()
    assert (capabilities.by_sku, capabilities.summed, capabilities.can_scan, capabilities.can_deactivate) == (
        True,
        False,
        False,
        True,
    )
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
    assert not await made.is_empty(), "which nobody can tell"
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
    capabilities = await made.inspect()
    assert (capabilities.by_sku, capabilities.summed) == (False, True)
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


OTHER_WRITES = {
    "returning": "UPDATE offers SET stock = :quantity WHERE item_id = :product_id AND warehouse = 3 RETURNING stock",
    "with": (
        "WITH chosen AS (SELECT id FROM items WHERE id = :product_id)"
        " UPDATE offers SET stock = :quantity WHERE warehouse = 3 AND item_id IN (SELECT id FROM chosen)"
    ),
    "merge": (
        "MERGE INTO offers o USING (SELECT :product_id AS id, :quantity AS figure) s"
        " ON o.item_id = s.id AND o.warehouse = 3 WHEN MATCHED THEN UPDATE SET stock = s.figure"
    ),
    "function": "SELECT put(:product_id, :quantity)",
    "silent function": "SELECT say_nothing(:product_id, :quantity)",
    "do": "DO say_nothing(:product_id, :quantity)",
    "call": "CALL put_it(:product_id, :quantity)",
    "on conflict": (
        "INSERT INTO offers (item_id, warehouse, stock, visible)"
        " SELECT item_id, 3, :quantity, 1 FROM offers WHERE item_id = :product_id"
        " ON CONFLICT (item_id, warehouse) DO UPDATE SET stock = excluded.stock"
    ),
    "on duplicate key": (
        "INSERT INTO offers (item_id, warehouse, stock, visible)"
        " SELECT item_id, 3, :quantity, 1 FROM offers WHERE item_id = :product_id"
        " ON DUPLICATE KEY UPDATE stock = VALUES(stock)"
    ),
    "counting": (
        "WITH done AS (UPDATE offers SET stock = :quantity WHERE item_id = :product_id AND warehouse = 3 RETURNING 1)"
        " SELECT count(*) FROM done"
    ),
}
SUPPORTED = {
    "sqlite": ("returning", "with", "on conflict"),
    "postgresql": ("returning", "with", "merge", "function", "silent function", "call", "counting", "on conflict"),
    "mariadb": ("function", "silent function", "do", "call", "on duplicate key"),
}
PUTS = "UPDATE offers SET stock = figure WHERE item_id = id AND warehouse = 3;"
PUT = {
    "sqlite": (),
    "postgresql": (
        (
            "CREATE FUNCTION put(id bigint, figure numeric) RETURNS boolean LANGUAGE plpgsql AS"
            " $$BEGIN {PUTS} RETURN FOUND; END$$"
        ),
        "CREATE FUNCTION say_nothing(id bigint, figure numeric) RETURNS void LANGUAGE plpgsql AS $$BEGIN {PUTS} END$$",
        "CREATE PROCEDURE put_it(id bigint, figure numeric) LANGUAGE plpgsql AS $$BEGIN {PUTS} END$$",
    ),
    "mariadb": (
        (
            "CREATE FUNCTION put(id BIGINT, figure NUMERIC(12, 4)) RETURNS INTEGER MODIFIES SQL DATA"
            " BEGIN {PUTS} RETURN ROW_COUNT() > 0; END"
        ),
        (
            "CREATE FUNCTION say_nothing(id BIGINT, figure NUMERIC(12, 4)) RETURNS INTEGER MODIFIES SQL DATA"
            " BEGIN {PUTS} RETURN NULL; END"
        ),
        "CREATE PROCEDURE put_it(id BIGINT, figure NUMERIC(12, 4)) BEGIN {PUTS} SELECT 'done'; END",
    ),
}
READ_ID = "SELECT stock FROM offers WHERE item_id = :product_id AND warehouse = 3"


@pytest.mark.parametrize("read", [READ_ID, ""])
async def test_a_write_of_any_form_is_judged_by_the_rows_that_are_there(engine: AsyncEngine, read: str) -> None:
    backend = engine.dialect.name.replace("mysql", "mariadb")
    async with writing(engine) as connection:
        await connection.exec_driver_sql("CREATE UNIQUE INDEX one ON offers (item_id, warehouse)")
        for statement in PUT[backend]:
            await connection.exec_driver_sql(statement.replace("{PUTS}", PUTS))
    changes = [Change(number, "3", f"P-{number}", D(1), D(number % 3), ()) for number in range(1, 31)]
    for form in SUPPORTED[backend]:
        await refill(engine, 20)
        made = target(engine, write=OTHER_WRITES[form], **({"read": read} if read else {}))
        written = await made.write(changes, agree)
        assert (written.applied, written.skipped) == (changes[:20], changes[20:]), form
        assert written.altered == {}
        await refill(engine, 30)
        assert (await made.write(changes[20:], agree)).applied == changes[20:], form


COMMITS = {
    "a COMMIT": "CREATE PROCEDURE put_it(id BIGINT, figure NUMERIC(12, 4)) BEGIN {PUTS} COMMIT; END",
    "a COMMIT and more": "CREATE PROCEDURE put_it(id BIGINT, figure NUMERIC(12, 4)) BEGIN COMMIT; {PUTS} END",
    "a transaction of its own": (
        "CREATE PROCEDURE put_it(id BIGINT, figure NUMERIC(12, 4)) BEGIN START TRANSACTION; {PUTS} COMMIT; END"
    ),
    "a table that it makes": (
        "CREATE PROCEDURE put_it(id BIGINT, figure NUMERIC(12, 4)) BEGIN {PUTS}"
        " CREATE TABLE IF NOT EXISTS made (a INT); DROP TABLE made; END"
    ),
}


@pytest.mark.parametrize("what", COMMITS)
async def test_a_procedure_that_commits_is_refused_by_name(mariadb_engine: AsyncEngine, what: str) -> None:
    async with writing(mariadb_engine) as connection:
        await connection.exec_driver_sql(COMMITS[what].replace("{PUTS}", PUTS))
    await refill(mariadb_engine, 3)
    call = "CALL put_it(:product_id, :quantity)"
    made, unread = target(mariadb_engine, write=call, read=READ_ID), target(mariadb_engine, write=call)
    changes = [Change(number, "3", f"P-{number}", D(1), D(7), ()) for number in (1, 2, 3)]
    # With a rival, a change is tried within a savepoint, which is gone as well.
    changes[0] = replace(changes[0], rivals=(RowLocator(9, "Q", "3"),))
    said = r"^accounts\.main\.target\.statements\.write: the statement commits by itself"
    for one, batch in ((made, changes), (made, changes[1:]), (made, changes[2:]), (unread, changes)):
        with pytest.raises(ConfigurationError, match=said):
            await one.write(batch, agree)
    with pytest.raises(ConfigurationError, match=said):
        await made.rehearse(changes)
    written = target(mariadb_engine, write="UPDATE offers SET stock = :quantity WHERE item_id = :product_id")
    assert (await written.write(changes, agree)).applied == changes, "the connection is as good as before"


async def refill(engine: AsyncEngine, count: int) -> None:
    async with writing(engine) as connection:
        await connection.execute(text("DELETE FROM offers"))
        await connection.execute(text("DELETE FROM items"))
        for number in range(1, count + 1):
            await connection.execute(text(f"INSERT INTO items VALUES ({number}, 'P-{number}')"))
            await connection.execute(text(f"INSERT INTO offers VALUES ({number}, 3, 99, 1)"))


async def test_what_a_statement_s_row_keeps_is_read_back(engine: AsyncEngine) -> None:
    floored = "UPDATE offers SET stock = FLOOR(:quantity) WHERE item_id = :product_id AND warehouse = 3"
    if engine.dialect.name == "sqlite":
        floored = floored.replace("FLOOR(:quantity)", "CAST(:quantity AS INTEGER)")
    changes = [Change(1, "3", "A", D(5), D("36.7"), ()), Change(2, "3", "B", D(5), D(4), ())]
    written = await target(engine, write=floored, read=READ_ID).write(changes, agree)
    assert (written.applied, written.altered) == (changes, {Cell(1, "3"): D(36)})


META_WRITE = "UPDATE meta SET stock = :quantity WHERE sku = :sku"
META_READ = "SELECT stock FROM meta WHERE sku = :sku"


async def meta(engine: AsyncEngine, *rows: str) -> None:
    kind = "VARCHAR(20)" if engine.dialect.name in {"mysql", "mariadb"} else "TEXT COLLATE NOCASE"
    if engine.dialect.name == "postgresql":
        kind = "TEXT"
    async with writing(engine) as connection:
        await connection.execute(text(f"CREATE TABLE meta (sku {kind}, stock NUMERIC(12, 4))"))
        for row in rows:
            await connection.execute(text(f"INSERT INTO meta VALUES {row}"))


def look_alikes() -> list[Change]:
    upper, lower = RowLocator(1, "A-1", ""), RowLocator(2, "a-1", "")
    return [
        Change(1, "", "A-1", D(1), D("7.5"), (), rivals=(lower,)),
        Change(2, "", "a-1", D(1), D(77), (), rivals=(upper,)),
        Change(3, "", "B-1", D(1), D(9), ()),
    ]


@pytest.mark.parametrize("stands", ["1", "7.5", "77"])
async def test_two_skus_that_the_target_takes_for_one_row_are_both_set_aside_by_name(
    engine: AsyncEngine, stands: str
) -> None:
    await meta(engine, f"('A-1', {stands})", "('B-1', 1)")
    changes = look_alikes()
    written = await target(engine, write=META_WRITE, read=META_READ).write(changes, agree)
    if engine.dialect.name == "postgresql":
        assert (written.applied, written.skipped) == ([changes[0], changes[2]], [changes[1]])
        return
    assert written.applied == changes[2:]
    assert sorted(one for one, _ in written.ambiguous) == changes[:2]
    assert all("'A-1'" in why and "'a-1'" in why and "one row" in why for _, why in written.ambiguous)
    async with writing(engine) as connection:
        assert D(str((await connection.execute(text("SELECT stock FROM meta WHERE sku = 'A-1'"))).scalar())) == D(
            stands
        )


async def test_without_a_read_the_database_is_asked_whether_two_skus_are_one_to_it(engine: AsyncEngine) -> None:
    await meta(engine, "('A-1', 1)", "('a-1', 1)", "('B-1', 1)")
    changes = look_alikes()
    written = await target(engine, write=META_WRITE).write(changes, agree)
    if engine.dialect.name in {"mysql", "mariadb"}:
        assert [one for one, _ in written.ambiguous] == changes[:2]
    else:
        assert written.applied == changes


async def test_look_alikes_with_rows_of_their_own_are_both_written(engine: AsyncEngine) -> None:
    exact = (
        "CAST(sku AS BINARY) = CAST(:sku AS BINARY)" if engine.dialect.name in {"mysql", "mariadb"} else "sku = :sku"
    )
    await meta(engine, "('A-1', 1)", "('a-1', 1)", "('B-1', 1)")
    if engine.dialect.name == "sqlite":
        exact = "sku = :sku COLLATE BINARY"
    where = f"FROM meta WHERE {exact}"
    made = target(engine, write=f"UPDATE meta SET stock = :quantity WHERE {exact}", read=f"SELECT stock {where}")
    assert (await made.write(look_alikes(), agree)).applied == look_alikes()
