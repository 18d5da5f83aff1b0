"""`init` looks at databases that nobody has described."""

import pytest
from target_sql import run

from stocksync.core.proposal import ColumnSketch, Holds
from stocksync.errors import TargetUnavailable
from stocksync.sqlengine import close_engine, open_engine
from stocksync.targets.discovery import survey, values_of

TABLES = (
    """CREATE TABLE stock (id INTEGER PRIMARY KEY, sku VARCHAR(40) NOT NULL, qty DECIMAL(12,3) NOT NULL DEFAULT 0,
        wh VARCHAR(10), seen TIMESTAMP NULL)""",
    "CREATE TABLE empty_one (name VARCHAR(10))",
    "INSERT INTO stock (id, sku, qty, wh) VALUES (1, 'A', 1, 'MAIN'), (2, 'B', 2, 'MAIN'), (3, 'C', 3, 'OLD')",
    "CREATE VIEW in_stock AS SELECT sku, qty FROM stock WHERE qty > 0",
)


async def test_tables_views_columns_and_values_are_described(database_url):
    engine = open_engine(database_url, "target")
    try:
        await run(engine, *TABLES)
        found = {table.name: table for table in await survey(engine, "target")}
        values = await values_of(engine, "target", "stock", "wh")
    finally:
        await close_engine(engine)
    assert set(found) == {"stock", "empty_one", "in_stock"}
    assert (found["stock"].filled, found["empty_one"].filled) == (True, False)
    columns = {column.name: column for column in found["stock"].columns}
    assert columns["sku"] == ColumnSketch("sku", Holds.TEXT, required=True)
    assert columns["qty"] == ColumnSketch("qty", Holds.NUMBER)
    assert (columns["id"].holds, columns["seen"].holds) == (Holds.WHOLE, Holds.MOMENT)
    assert [column.name for column in found["in_stock"].columns] == ["sku", "qty"]
    assert values == ["MAIN", "OLD"]


async def test_tables_of_other_schemas_bear_their_names(postgresql_url):
    engine = open_engine(postgresql_url, "target")
    try:
        await run(engine, "CREATE SCHEMA shop", "CREATE TABLE shop.levels (sku text, qty integer)")
        assert [table.name for table in await survey(engine, "target")] == ["shop.levels"]
        assert await values_of(engine, "target", "shop.levels", "sku") == []
    finally:
        await close_engine(engine)


async def test_a_database_that_is_away_is_said_to_be():
    engine = open_engine("postgresql://shop@127.0.0.1:1/shop", "target")
    try:
        with pytest.raises(TargetUnavailable, match=r"127\.0\.0\.1"):
            await survey(engine, "target")
    finally:
        await close_engine(engine)
