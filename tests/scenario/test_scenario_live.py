"""Rows that the shop has deleted softly are not there for us; every real server."""

from decimal import Decimal as D
from typing import Any

import pytest
from scenario_shop import Shop, plain

from stocksync.core.report import Outcome
from stocksync.errors import ConfigurationError

DDL = (
    "CREATE TABLE stock (id INTEGER {auto}, sku VARCHAR(40), location_id VARCHAR(20), quantity NUMERIC(12, 4),"
    " deleted_at TIMESTAMP NULL{key})"
)
AUTO = {
    "sqlite": "PRIMARY KEY",
    "postgresql": "GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "mariadb": "AUTO_INCREMENT PRIMARY KEY",
}
COLUMNS = {"sku": "sku", "location": "location_id", "quantity": "quantity"}
LIVE = "deleted_at IS NULL"


@pytest.fixture
async def shop(open_shop: Any, database_url: str) -> Shop:
    """A shop of 15 products at two places; products 1 to 10 have a live row each, and 3 to 12 a tombstone."""
    return await _open(open_shop, database_url, live=LIVE)


async def _open(open_shop: Any, url: str, **more: Any) -> Shop:
    kind = url.partition(":")[0]
    key = ", INDEX (sku, location_id)" if kind == "mariadb" else ""
    index = () if key else ("CREATE UNIQUE INDEX live_stock ON stock (sku, location_id) WHERE deleted_at IS NULL",)
    live = ", ".join(f"('P-{number:02}', '{place}', 1, NULL)" for number in range(1, 11) for place in (1, 3))
    dead = ", ".join(f"('P-{number:02}', '1', 9, '2020-01-01')" for number in range(3, 13))
    made: Shop = await open_shop(
        15,
        prepare=(
            DDL.format(auto=AUTO[kind], key=key),
            *index,
            f"INSERT INTO stock (sku, location_id, quantity, deleted_at) VALUES {dead}, {live}",
        ),
        target={"url": url, "table": "stock", "match_by": "sku", "create_table": False, "columns": COLUMNS, **more},
        policy={"on_deleted": "keep"},
    )
    return made


async def _rows(shop: Shop, condition: str) -> list[tuple[str, str, str]]:
    found = await shop.sql(f"SELECT sku, location_id, quantity FROM stock WHERE {condition} ORDER BY sku, location_id")
    return [(sku, place, plain(figure)) for sku, place, figure in found]


def _truth(shop: Shop) -> list[tuple[str, str, str]]:
    return sorted((f"P-{product:02}", place, figure) for (product, place), figure in shop.truth().items())


async def test_a_figure_never_goes_into_a_row_that_was_deleted(shop: Shop) -> None:
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 30, 0), report.error
    assert report.changes == {"update": 20, "insert": 10}
    assert await _rows(shop, LIVE) == _truth(shop)
    assert {figure for *_, figure in await _rows(shop, "deleted_at IS NOT NULL")} == {"9"}
    shop.catalogue.stock_take(3, 1, D(77))
    shop.catalogue.stock_take(12, 1, D(78))
    assert (await shop.cycle()).counts.applied == 2
    assert await _rows(shop, LIVE) == _truth(shop)
    assert {figure for *_, figure in await _rows(shop, "deleted_at IS NOT NULL")} == {"9"}
    assert (await shop.audit()).cells == {}


async def test_a_row_that_was_deleted_meanwhile_is_missing_and_no_longer_written(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("UPDATE stock SET deleted_at = '2026-01-01' WHERE sku = 'P-05' AND location_id = '1'")
    assert (await shop.audit()).cells == {"missing_in_target": 1}
    before = await _rows(shop, "deleted_at IS NOT NULL")
    shop.catalogue.stock_take(5, 1, D(4))
    assert (await shop.cycle()).counts.applied == 1
    assert await _rows(shop, "deleted_at IS NOT NULL") == before
    assert ("P-05", "1", "4") in await _rows(shop, LIVE)


async def test_many_figures_at_once_leave_tombstones_alone(shop: Shop) -> None:
    """MariaDB writes those in another way."""
    await shop.restart(guards={"changed": "100%"})
    await shop.cycle()
    for product in range(1, 16):
        for place in (1, 3):
            shop.catalogue.stock_take(product, place, D(product + 500))
    assert (await shop.cycle()).counts.applied == 30
    assert await _rows(shop, LIVE) == _truth(shop)
    assert {figure for *_, figure in await _rows(shop, "deleted_at IS NOT NULL")} == {"9"}


async def test_where_rows_are_others_to_make_a_tombstone_is_no_row(open_shop: Any, database_url: str) -> None:
    shop = await _open(open_shop, database_url, live=LIVE, missing="skip")
    report = await shop.cycle()
    assert (report.counts.applied, report.counts.ignored) == (20, 10)
    assert {figure for *_, figure in await _rows(shop, "deleted_at IS NOT NULL")} == {"9"}


@pytest.mark.parametrize(
    "live",
    [f"{LIVE};", f"  {LIVE} -- not those in the bin", f"({LIVE}) /* ours */", "location_id <> 'a:b' AND " + LIVE],
)
async def test_a_condition_may_be_written_in_many_ways(open_shop: Any, sqlite_url: str, live: str) -> None:
    shop = await _open(open_shop, sqlite_url, live=live)
    assert (await shop.cycle()).counts.applied == 30
    assert await _rows(shop, LIVE) == _truth(shop)


async def test_a_condition_that_the_table_does_not_know_is_named(open_shop: Any, database_url: str) -> None:
    shop = await _open(open_shop, database_url, live="deletd_at IS NULL")
    with pytest.raises(ConfigurationError, match=r"accounts\.main\.target\.live: .*deletd_at"):
        await shop.account.capabilities()
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "target.live" in report.error
    assert await _rows(shop, "quantity NOT IN (1, 9)") == []


async def test_a_new_row_that_would_not_be_live_is_taken_back_and_not_made_again_and_again(
    open_shop: Any, database_url: str
) -> None:
    shop = await _open(open_shop, database_url, live=f"{LIVE} AND id < 31")
    for _ in range(2):
        report = await shop.cycle()
        assert report.outcome is Outcome.DONE
    assert (await shop.sql("SELECT count(*) FROM stock"))[0][0] == 30
    reasons = {entry.reason for entry in (await shop.status()).quarantine}
    assert len(reasons) == 1
    assert "does not meet target.live" in reasons.pop()


async def test_check_proposes_a_condition_where_deleted_rows_seem_to_stay(open_shop: Any, database_url: str) -> None:
    shop = await _open(open_shop, database_url)
    notes = " ".join((await shop.account.capabilities()).notes)
    assert 'live = "deleted_at IS NULL"' in notes
    await shop.restart(target={"live": LIVE})
    assert not [note for note in (await shop.account.capabilities()).notes if "live =" in note]
