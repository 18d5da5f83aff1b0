"""The whole table, page by page: each row once, whatever order the database has for it."""

from decimal import Decimal as D
from typing import Any

import pytest
from servers import Server
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.sqlengine import open_engine, writing
from stocksync.targets import Columns, MatchBy, TargetSettings, open_target

MIXED = ["b", "A", "c", "B2", "a10", "a9", "Z"]


async def filled(url: str, kind: str, skus: list[str], *before: str, unique: bool = True) -> AsyncEngine:
    engine = open_engine(url, "test")
    async with writing(engine) as connection:
        for statement in before:
            await connection.exec_driver_sql(statement)
        key = ", PRIMARY KEY (sku)" if unique else ""
        await connection.exec_driver_sql(f"CREATE TABLE stock (sku {kind} NOT NULL, quantity INTEGER{key})")
        for sku in skus:
            await connection.exec_driver_sql(f"INSERT INTO stock VALUES ('{sku}', 1)")
    return engine


async def walked(engine: AsyncEngine, size: int) -> list[tuple[str, Any]]:
    settings = TargetSettings("main", "stock", Columns("quantity", sku="sku"), match_by=MatchBy.SKU)
    made = open_target(settings, engine, owned=False)
    found = [(match, row.rows) async for page in made.scan(size) for match, _, row in page]
    await engine.dispose()
    return found


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_citext_is_walked_in_its_own_order(
    postgresql_server: Server, target_postgresql_url: str, size: int
) -> None:
    engine = await filled(target_postgresql_url, "citext", MIXED, "CREATE EXTENSION IF NOT EXISTS citext")
    assert sorted(await walked(engine, size)) == sorted((sku, 1) for sku in MIXED)


async def test_what_citext_takes_for_one_is_not_left_out(postgresql_server: Server, target_postgresql_url: str) -> None:
    twins = ["a", "A", "a", "b"]
    extension = "CREATE EXTENSION IF NOT EXISTS citext"
    engine = await filled(target_postgresql_url, "citext", twins, extension, unique=False)
    assert sorted(await walked(engine, 1)) == [("A", 1), ("a", 2), ("b", 1)]


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_an_enum_is_walked_in_one_order(mariadb_server: Server, target_mariadb_url: str, size: int) -> None:
    members = ", ".join(f"'{sku}'" for sku in ("Z", "M", "A", "Q"))
    engine = await filled(target_mariadb_url, f"ENUM({members})", ["M", "A", "Z", "Q"])
    assert sorted(await walked(engine, size)) == [("A", 1), ("M", 1), ("Q", 1), ("Z", 1)]


@pytest.mark.parametrize("size", [1, 3])
async def test_text_is_walked_under_each_databases_own_collation(target_url: str, size: int) -> None:
    engine = await filled(target_url, "VARCHAR(20)", MIXED)
    assert sorted(await walked(engine, size)) == sorted((sku, 1) for sku in MIXED)


async def test_whole_numbers_are_walked_as_numbers(target_url: str) -> None:
    engine = open_engine(target_url, "test")
    async with writing(engine) as connection:
        await connection.exec_driver_sql("CREATE TABLE stock (id INTEGER PRIMARY KEY, quantity INTEGER)")
        await connection.exec_driver_sql("INSERT INTO stock VALUES (2, 1), (10, 1), (100, 1), (9, 1)")
    made = open_target(TargetSettings("main", "stock", Columns("quantity", "id")), engine, owned=False)
    found = [(match, row.quantity) async for page in made.scan(2) for match, _, row in page]
    await engine.dispose()
    assert found == [(text, D(1)) for text in ("2", "9", "10", "100")]
