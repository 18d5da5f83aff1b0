"""Every recipe of docs/recipes.md, run as it stands there on the server it names."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers import Server
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.app.checking import check
from stocksync.core.report import Outcome
from stocksync.sqlengine import open_engine, reading, writing

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
URL = "TARGET_DATABASE_URL"


@dataclass(frozen=True)
class Recipe:
    """One section of the page."""

    title: str
    server: str
    schema: str
    settings: dict[str, Any]
    query: str
    result: list[tuple[str, ...]]


def recipes() -> list[Recipe]:
    return [_recipe(section) for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]]


def _recipe(section: str) -> Recipe:
    blocks = dict(re.findall(r"(?ms)^```(sql|toml|sql result)\n(.*?)^```$", section))
    query, *rows = blocks["sql result"].split("\n-- ")
    result = [tuple(value.strip() for value in row.split("|")) for row in rows]
    (server,) = re.findall(r"(?m)^Server: (\w+)$", section)
    settings = tomllib.loads(blocks["toml"])["accounts"]
    return Recipe(section.partition("\n")[0], server.lower(), blocks["sql"], settings, query, result)


RECIPES = recipes()


def test_the_page_has_the_recipes_that_were_asked_for() -> None:
    titles = " ".join(recipe.title for recipe in RECIPES)
    wanted_ones = "WooCommerce Magento PrestaShop stock_quant Soft view partitioned enum Supabase"
    for wanted in wanted_ones.split():
        assert wanted in titles


async def _rows(engine: AsyncEngine, query: str) -> list[tuple[str, ...]]:
    async with reading(engine) as connection:
        found = await connection.exec_driver_sql(query)
        return [tuple("NULL" if value is None else _shown(value) for value in row) for row in found]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


async def _make(engine: AsyncEngine, schema: str) -> None:
    async with writing(engine) as connection:
        for statement in schema.split(";\n")[:-1]:
            await connection.exec_driver_sql(statement)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
async def test_a_recipe_works_as_it_stands_on_the_page(
    recipe: Recipe, request: pytest.FixtureRequest, open_shop: Any
) -> None:
    server: Server = request.getfixturevalue(f"{recipe.server}_server")
    server.start()
    url = server.new_database()
    engine = open_engine(url, "test")
    await _make(engine, recipe.schema)
    option = "?pgbouncer=true" if recipe.server == "pgbouncer" else ""
    settings = recipe.settings | {"target": {"url": None, "create_table": None, **recipe.settings["target"]}}
    shop = await open_shop(3, environ={URL: url + option}, **settings)
    try:
        assert [finding.what async for finding in check(shop.config) if not finding.well] == []
        assert (await shop.cycle()).outcome is Outcome.DONE
        before = await _rows(engine, recipe.query)
        shop.catalogue.stock_take(2, 1, 5)
        report = await shop.cycle()
        after = await _rows(engine, recipe.query)
        assert after == recipe.result
        assert len(before) == len(after)
        assert (report.outcome, report.counts.applied) == (Outcome.DONE, 1)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
        assert (await shop.audit()).cells == {}, "a row that the shop does not have is skipped, and is no drift"
        assert (await shop.cycle()).counts.applied == 0
    finally:
        await shop.close()
        await engine.dispose()
        server.drop_database(url)
