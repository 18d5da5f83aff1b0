"""The views that other programs read: their columns are promised, on every database."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from structlog.testing import capture_logs

from stocksync.sqlengine import open_engine, reading, writing
from stocksync.state import schema
from stocksync.state.migrate import migrate
from stocksync.state.views import NAMES

PAGE = Path(__file__).parents[2] / "docs" / "sql-views.md"
AT = datetime(2026, 11, 20, 9, 30, 0, 500_000, UTC)
CELL = {"account": "main", "parts": "{}", "source_at": AT, "source_cycle": "c1", "place": "3", "former_sku": ""}
FILLED = (
    insert(schema.accounts).values(account="main", owner="", epoch=1, expires_at=AT, failures=0, last_complete=AT),
    insert(schema.products).values(
        account="main", product_id=11, sku="A", name="Dates", tracked=True, page=1, missing=0
    ),
    insert(schema.cells).values(**CELL, product_id=11, sku="A", acked="-7.25", acked_at=AT),
    insert(schema.cells).values(**CELL, product_id=12, sku="B", acked="deactivated"),
    insert(schema.ledger).values(
        account="main", at=AT, cycle_id="c1", epoch=1, product_id=11, place="3", sku="A", sku_key="k", parts="{}",
        before="1", after="36.2", read_back="36", cause="poll",
    ),
    insert(schema.cycles).values(
        account="main", cycle_id="c1", started_at=AT, ended_at=AT + timedelta(seconds=2.5), verdict="complete",
        outcome="done", complete=True, total=2, report="{}",
    ),
)  # fmt: skip


@pytest.fixture
async def engine(database_url):
    with capture_logs() as told:
        await migrate(database_url)
    assert told == []
    opened = open_engine(database_url, "test")
    async with writing(opened) as connection:
        for statement in FILLED:
            await connection.execute(statement)
    yield opened
    await opened.dispose()


def promised(view):
    """Give the columns of a view as the page lists them, in order."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## `{view}`")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


async def rows(engine, view):
    async with reading(engine) as connection:
        return (await connection.execute(text(f"SELECT * FROM {view} ORDER BY account"))).mappings().all()


@pytest.mark.parametrize("view", NAMES)
async def test_the_columns_are_those_that_are_promised(engine, view):
    for row in await rows(engine, view):
        assert list(row) == promised(view)
    assert await rows(engine, view)


async def test_figures_are_numbers_and_times_are_times(engine):
    cells = {row["product_id"]: row for row in await rows(engine, "stocksync_view_cells")}
    assert Decimal(str(cells[11]["quantity"])) == Decimal("-7.25")
    assert (cells[12]["quantity"], cells[12]["written"], cells[12]["product_name"]) == (None, "deactivated", None)
    assert at(cells[11]["written_at"]) == at(cells[11]["confirmed_at"]) == AT
    (change,) = await rows(engine, "stocksync_view_changes")
    assert (int(change["quantity_before"]), int(change["quantity_after"]), change["written"]) == (1, 36, "36.2")
    (cycle,) = await rows(engine, "stocksync_view_cycles")
    assert (float(cycle["seconds"]), cycle["outcome"], cycle["products"]) == (2.5, "done", 2)


def at(value):
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    return read if read.tzinfo else read.replace(tzinfo=UTC)
