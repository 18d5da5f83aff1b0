"""A row that the target refuses to show harms no other row: look-ups are halved as writes are; every real server."""

from decimal import Decimal as D
from functools import partial
from typing import Any

import pytest
from scenario_shop import plain, small_catalogue
from servers import Server

from stocksync.core.model import Cell
from stocksync.core.report import Outcome
from stocksync.run import catalogue_slices

ROWS = (
    "CREATE TABLE held (product_id BIGINT NOT NULL, location_id VARCHAR(60) NOT NULL, quantity NUMERIC(20, 6),"
    " PRIMARY KEY (product_id, location_id))"
)
COLUMNS = {"product_id": "product_id", "location": "location_id", "quantity": "quantity"}


@pytest.fixture
def refusing(open_shop: Any) -> Any:
    """Open a shop whose table has no column that says whether a row is active."""
    return partial(open_shop, policy={"on_deleted": "keep"})


def _filled(products: int = 15) -> tuple[str, str]:
    rows = ", ".join(f"({number}, '{place}', 5)" for number in range(1, products + 1) for place in (1, 3))
    return ROWS, f"INSERT INTO held VALUES {rows}"


def _view_of_texts(products: int) -> tuple[str, ...]:
    """Make a view over a table that keeps figures as text; an INSTEAD OF trigger writes them."""
    body = (
        "UPDATE held SET raw = NEW.quantity::text WHERE product_id = NEW.product_id AND location_id = NEW.location_id"
    )
    return (
        ROWS.replace("quantity NUMERIC(20, 6)", "raw TEXT"),
        _filled(products)[1],
        "CREATE VIEW stock_levels AS SELECT product_id, location_id, CAST(raw AS numeric) AS quantity FROM held",
        f"CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NEW; END$$",
        "CREATE TRIGGER put INSTEAD OF UPDATE ON stock_levels FOR EACH ROW EXECUTE FUNCTION put()",
    )


@pytest.mark.parametrize("missing", ["insert", "skip"])
async def test_a_view_that_fails_for_one_product_harms_that_product_alone(
    refusing: Any, postgresql_url: str, missing: str
) -> None:
    prepare = (*_view_of_texts(15), "UPDATE held SET raw = 'n/a' WHERE product_id = 7")
    target = {"url": postgresql_url, "create_table": False, "columns": COLUMNS, "missing": missing}
    shop = await refusing(15, prepare=prepare, target=target)
    for _ in range(2):
        report = await shop.cycle()
        assert report.outcome is Outcome.DONE, report.error
        assert (report.counts.quarantined, report.counts.ignored) == (2, 0)
        entries = (await shop.status()).quarantine
        assert {entry.product_id for entry in entries} == {7}
        assert all("invalid input syntax for type numeric" in entry.reason for entry in entries)
    others = {key: figure for key, figure in shop.truth().items() if key[0] != 7}
    found = await shop.sql("SELECT product_id, location_id, raw FROM held WHERE raw <> 'n/a'")
    assert {(int(row[0]), row[1]): plain(row[2]) for row in found} == others
    audited = await shop.audit()
    assert (audited.error, audited.cells) == ("", {"quarantined": 2})


@pytest.mark.usefixtures("one_portion")
@pytest.mark.parametrize("mapped", [True, False], ids=["columns", "statements"])
async def test_many_unreadable_rows_that_stand_together_do_not_hold_up_the_others(
    refusing: Any, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, mapped: bool
) -> None:
    monkeypatch.setattr(catalogue_slices, "_PRODUCTS", 24)
    where = "WHERE product_id = :product_id AND location_id = :location"
    own = {
        "write": f"UPDATE held SET raw = :quantity {where}",
        "read": f"SELECT quantity FROM stock_levels {where}",
    }
    columns = {"create_table": False, "columns": COLUMNS}
    target = {"url": postgresql_url, **(columns if mapped else {"statements": own, "create_table": None})}
    bad = "UPDATE held SET raw = 'n/a' WHERE product_id BETWEEN 25 AND 48"
    shop = await refusing(72, prepare=(*_view_of_texts(72), bad), target=target)
    for applied in (96, 0, 1):
        report = await shop.cycle()
        told = report.outcome, report.counts.applied, report.counts.quarantined
        assert told == (Outcome.DONE, applied, 48), report.error
        if not applied:  # only the unreadable ones were asked for, and another is to be written now
            shop.catalogue.stock_take(1, 1, D(3))


async def test_an_own_read_that_fails_for_one_product_harms_that_product_alone(
    refusing: Any, postgresql_url: str
) -> None:
    where = "WHERE product_id = :product_id AND location_id = :location"
    own = {
        "write": f"UPDATE held SET quantity = :quantity {where}",
        "read": f"SELECT quantity / (product_id - 7) * (product_id - 7) FROM held {where}",
    }
    target = {"url": postgresql_url, "statements": own, "create_table": None}
    shop = await refusing(15, prepare=_filled(), target=target)
    report = await shop.cycle()
    assert report.outcome is Outcome.DONE, report.error
    assert (report.counts.applied, report.counts.quarantined) == (28, 2)
    assert {entry.product_id for entry in (await shop.status()).quarantine} == {7}


async def test_a_place_that_its_column_cannot_hold_is_set_aside_and_the_other_is_written(
    refusing: Any, postgresql_url: str
) -> None:
    place = "00000000-0000-4000-8000-000000000001"
    table = ROWS.replace("held", "stock_levels").replace("VARCHAR(60)", "UUID")
    target = {"url": postgresql_url, "create_table": False, "columns": COLUMNS}
    shop = await refusing(8, prepare=(table,), target=target, locations={"map": {"1": place, "3": "OUTLET"}})
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 8, 8), report.error
    assert all("'OUTLET' is no UUID" in entry.reason for entry in (await shop.status()).quarantine)


async def test_an_id_beyond_its_column_is_set_aside_alone(refusing: Any, database_url: str) -> None:
    table = ROWS.replace("held", "stock_levels").replace("BIGINT", "SMALLINT")
    catalogue = small_catalogue(3, (1,))
    catalogue._next_id = 70_000
    catalogue.create("P-70000", "A late one", stock={1: 4})
    target = {"url": database_url, "create_table": False, "columns": COLUMNS}
    shop = await refusing(catalogue, prepare=(table,), target=target)
    report = await shop.cycle()
    refused = 0 if database_url.startswith("sqlite") else 1
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 4 - refused, refused)


async def test_a_sku_that_the_database_s_encoding_lacks_is_set_aside_alone(
    refusing: Any, postgresql_server: Server
) -> None:
    name = "latin"
    postgresql_server.sql(f"DROP DATABASE IF EXISTS {name}")
    postgresql_server.sql(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    catalogue = small_catalogue(30, (1,))
    catalogue.rename(7, "قهوة")
    rows = ", ".join(f"('P-{number:02}', '1', 5)" for number in range(1, 31))
    table = "CREATE TABLE stock_levels (sku TEXT, location_id TEXT, quantity INT, PRIMARY KEY (sku, location_id))"
    columns = {"sku": "sku", "location": "location_id", "quantity": "quantity"}
    url = postgresql_server.url(name)
    target = {"url": url, "create_table": False, "columns": columns, "match_by": "sku", "missing": "skip"}
    shop = await refusing(
        catalogue, prepare=(table, f"INSERT INTO stock_levels VALUES {rows}"), target=target, poll={"per_page": 30}
    )
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 29, 1), report.error
    (entry,) = (await shop.status()).quarantine
    assert "LATIN1" in entry.reason
    assert Cell(7, "1") == (entry.product_id, entry.place)
    shop.catalogue.stock_take(7, 1, D(3))
    shop.catalogue.stock_take(8, 1, D(3))
    assert (await shop.cycle()).counts.applied == 1
    await shop.close()
    postgresql_server.drop_database(url)


@pytest.mark.usefixtures("one_portion")
async def test_a_target_that_shows_no_row_fails_the_cycle_and_sets_none_aside(
    refusing: Any, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue_slices, "_PRODUCTS", 500)  # as ever: of a few rows none can tell for all
    view = "CREATE VIEW stock_levels AS SELECT * FROM held WHERE 10 / (product_id - product_id) IS NOT NULL"
    target = {"url": postgresql_url, "create_table": False, "columns": COLUMNS}
    shop = await refusing(15, prepare=(*_filled(), view), target=target)
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "refuses to show any row" in report.error
    assert (await shop.status()).quarantined == 0
