"""SKUs that a case-insensitive collation takes for one row, as WooCommerce's postmeta does."""

from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import plain

from stocksync.run import catalogue_slices, portions
from stocksync.simulator.catalogue import Catalogue

TABLES = (
    "CREATE TABLE wp_posts (id BIGINT PRIMARY KEY, sku VARCHAR(40))",
    "CREATE TABLE wp_postmeta (post_id BIGINT, meta_key VARCHAR(40), meta_value LONGTEXT)",
    "INSERT INTO wp_posts VALUES (1, 'A-1'), (2, 'B-1')",
    "INSERT INTO wp_postmeta VALUES (1, '_stock', '5'), (2, '_stock', '5')",
)
OURS = "meta_key = '_stock' AND post_id = (SELECT id FROM wp_posts WHERE sku = :sku)"
STATEMENTS = {
    "write": f"UPDATE wp_postmeta SET meta_value = :quantity WHERE {OURS}",
    "read": f"SELECT meta_value FROM wp_postmeta WHERE {OURS}",
}


@pytest.mark.parametrize("stands", ["5", "7.5", "77"])
async def test_products_that_the_target_takes_for_one_are_set_aside_by_name_and_the_rest_flows(
    open_shop: Any, mariadb_url: str, later: Any, stands: str
) -> None:
    catalogue = Catalogue(0, 1)
    for sku, figure in (("A-1", "7.5"), ("a-1", "77"), ("B-1", "9")):
        catalogue.create(sku, sku, stock={1: Decimal(figure)})
    target = {"url": mariadb_url, "statements": STATEMENTS, "create_table": None}
    shop = await open_shop(
        catalogue,
        prepare=(*TABLES, f"UPDATE wp_postmeta SET meta_value = '{stands}' WHERE post_id = 1"),
        target=target,
        locations={"map": {"1": "x"}},
        policy={"on_deleted": "keep"},
    )
    report = await shop.cycle()
    assert (report.counts.applied, report.counts.quarantined) == (1, 2)
    entries = (await shop.status()).quarantine
    assert [one.product_id for one in entries] == [1, 2]
    assert all("'A-1'" in one.reason and "'a-1'" in one.reason for one in entries)
    for passed in (0, 30):
        later(hours=passed)
        assert (await shop.cycle()).counts.applied == 0
        assert (await shop.look_up("a-1")).pushed == 0
    found = await shop.sql("SELECT post_id, meta_value FROM wp_postmeta ORDER BY post_id")
    assert [plain(row[1]) for row in found] == [stands, "9"]
    catalogue.rename(2, "C-1")
    await shop.cycle()
    later(hours=7)
    await shop.cycle()
    found = await shop.sql("SELECT meta_value FROM wp_postmeta WHERE post_id = 1")
    assert plain(found[0][0]) == "7.5"


@pytest.mark.parametrize("products", [4, 500], ids=["slices", "one"])
async def test_of_three_that_look_alike_the_same_are_set_aside_however_the_list_is_cut(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch, products: int
) -> None:
    for cut, size in ((catalogue_slices, "_PRODUCTS"), (portions, "_KEPT"), (portions, "_CELLS")):
        monkeypatch.setattr(cut, size, products)
    alike = {7: "Ab", 12: "aB", 17: "AB"}
    catalogue = Catalogue(0, 1)
    for number in range(1, 25):
        catalogue.create(alike.get(number, f"P-{number}"), "x", stock={1: 5 if number == 7 else number})
    own = {
        "write": "INSERT INTO stock_levels (sku, location_id, quantity) VALUES (:sku, :location, :quantity)"
        " ON CONFLICT (sku, location_id) DO UPDATE SET quantity = excluded.quantity",
        "read": "SELECT quantity FROM stock_levels WHERE sku = :sku AND location_id = :location",
    }
    table = (
        "CREATE TABLE stock_levels (sku TEXT COLLATE NOCASE, location_id TEXT, quantity NUMERIC,"
        " PRIMARY KEY (sku, location_id))"
    )
    shop = await open_shop(
        catalogue,
        prepare=(table, "INSERT INTO stock_levels VALUES ('ab', '1', 5)"),
        target={"statements": own, "create_table": None},
        policy={"on_deleted": "keep"},
    )
    await shop.cycle()
    assert [one.product_id for one in (await shop.status()).quarantine] == [7, 12, 17]
