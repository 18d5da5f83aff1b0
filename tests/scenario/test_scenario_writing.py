"""Rows that the target refuses, rows it does not know, SKUs that match none or many, and the user's own SQL."""

from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.run.explain import explain

LIMITED = (
    "CREATE TABLE stock_levels (product_id BIGINT NOT NULL, sku TEXT, location_id VARCHAR(60) NOT NULL,"
    " quantity NUMERIC(20,6) CHECK (quantity < 900), active BOOLEAN DEFAULT true,"
    " PRIMARY KEY (product_id, location_id))"
)
COLUMNS = {
    "product_id": "product_id", "sku": "sku", "location": "location_id", "quantity": "quantity", "active": "active",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
async def test_rows_that_the_target_refuses_are_set_aside_and_all_others_go_through(
    open_shop: Any, request: pytest.FixtureRequest, later: Any, kind: str
) -> None:
    target = {"columns": COLUMNS, "create_table": False}
    if kind != "sqlite":
        target["url"] = request.getfixturevalue(f"{kind}_url")
    shop = await open_shop(prepare=(LIMITED,), target=target)
    shop.catalogue.stock_take(3, 1, 950)
    shop.catalogue.stock_take(6, 3, 990)
    report = await shop.cycle()
    refused = {(3, "1"), (6, "3")}
    assert report.outcome is Outcome.DONE
    assert (report.counts.applied, report.counts.quarantined) == (14, 2)
    assert await shop.rows() == {key: figure for key, figure in shop.truth().items() if key not in refused}
    entries = (await shop.status()).quarantine
    assert {(entry.product_id, entry.place) for entry in entries} == refused
    assert all(entry.side == "target" and "quantity" in entry.reason.lower() for entry in entries)

    with shop.counting() as counted:
        report = await shop.cycle()
    assert counted.writes == [], "before its time a refused row is not tried again"
    assert report.counts.quarantined == 2
    later(minutes=2)
    await shop.cycle()
    assert [entry.attempts for entry in (await shop.status()).quarantine] == [2, 2]

    shop.catalogue.stock_take(3, 1, 100)
    await shop.cycle()
    assert (await shop.rows())[3, "1"] == "100", "a change is tried at once"
    assert (await shop.status()).quarantined == 1
    shop.catalogue.stock_take(6, 3, 5)
    await shop.cycle()
    assert await shop.rows() == shop.truth()
    assert (await shop.status()).quarantined == 0


async def test_a_refused_row_goes_through_by_itself_once_the_target_would_take_it(open_shop: Any, later: Any) -> None:
    guard = (
        "CREATE TRIGGER no_fives BEFORE INSERT ON stock_levels WHEN new.product_id = 5"
        " BEGIN SELECT RAISE(ABORT, 'product 5 is not welcome'); END"
    )
    table = LIMITED.replace(" CHECK (quantity < 900)", "")
    shop = await open_shop(prepare=(table, guard), target={"columns": COLUMNS, "create_table": False})
    report = await shop.cycle()
    assert report.counts.quarantined == 2
    assert "not welcome" in (await shop.status()).quarantine[0].reason
    await shop.sql("DROP TRIGGER no_fives")
    later(minutes=2)
    await shop.cycle()
    assert await shop.rows() == shop.truth()
    assert (await shop.status()).quarantined == 0


async def test_an_edited_row_whose_new_figure_is_refused_keeps_the_old_one(open_shop: Any) -> None:
    shop = await open_shop(prepare=(LIMITED,), target={"columns": COLUMNS, "create_table": False})
    await shop.cycle()
    shop.catalogue.stock_take(3, 1, 950)
    shop.catalogue.stock_take(3, 3, 7)
    await shop.cycle()
    rows = await shop.rows()
    assert (rows[3, "1"], rows[3, "3"]) == ("31", "7")


async def test_with_missing_skip_rows_that_others_have_not_made_are_counted_and_not_created(open_shop: Any) -> None:
    known = "INSERT INTO stock_levels (product_id, location_id, quantity) VALUES (1, '1', 0), (2, '3', 23)"
    shop = await open_shop(
        prepare=(LIMITED, known), target={"columns": COLUMNS, "create_table": False, "missing": "skip"}
    )
    for _ in range(2):
        report = await shop.cycle()
        assert await shop.rows() == {(1, "1"): "11", (2, "3"): "23"}
        assert report.counts.ignored == 14
        assert (await shop.status()).oldest_unpushed is None
        assert (await shop.audit()).cells == {}, "no row was ever there: nothing is on its way, and nothing drifted"
    looked_up = {place.place: place.remark for place in (await shop.look_up(sku="P-01")).places}
    (explained,) = await explain(shop.account, shop.runtime.state, "P-01")
    for told in (looked_up, {cell.place: cell.remark for cell in explained.cells}):
        assert told == {"1": "", "3": 'the target has no row of it, and target.missing = "skip" makes none'}
    await shop.sql("INSERT INTO stock_levels (product_id, location_id, quantity) VALUES (5, '1', 0)")
    await shop.cycle()
    assert await shop.rows() == {(1, "1"): "11", (2, "3"): "23", (5, "1"): "51"}
    await shop.sql("DELETE FROM stock_levels WHERE product_id = 5")
    shop.catalogue.stock_take(5, 1, 8)
    await shop.cycles(2)
    assert (5, "1") not in await shop.rows(), "a row that others took away is not made again"
    assert (await shop.audit()).cells == {"missing_in_target": 1}


GOODS_ROWS = "('P-01', '1', 0), ('P-01', '3', 0), ('P-02', '1', 0), ('P-02', '3', 0), ('THEIRS', '1', 5)"
GOODS = (
    "CREATE TABLE goods (code TEXT, branch TEXT, stock NUMERIC, hidden BOOLEAN DEFAULT 0, PRIMARY KEY (code, branch))",
    f"INSERT INTO goods (code, branch, stock) VALUES {GOODS_ROWS}",
)
STATEMENTS = {
    "write": "UPDATE goods SET stock = :quantity, hidden = 0 WHERE code = :sku AND branch = :location",
    "read": "SELECT stock, NOT hidden FROM goods WHERE code = :sku AND branch = :location",
    "deactivate": "UPDATE goods SET hidden = 1 WHERE code = :sku AND branch = :location",
}


def _own_sql(shop: Shop, statements: dict[str, str] | None = None) -> dict[str, Any]:
    return {"url": shop.base()["target"]["url"], "statements": statements or STATEMENTS}


async def _with_statements(open_shop: Any, statements: dict[str, str], **sections: Any) -> Shop:
    shop: Shop = await open_shop(2, prepare=GOODS)
    await shop.close()
    base = shop.data["accounts"][0]
    shop.data["accounts"][0] = {**base, "target": _own_sql(shop, statements), **sections}
    await shop.enter()
    return shop


async def test_own_statements_write_read_and_deactivate(open_shop: Any) -> None:
    shop = await _with_statements(open_shop, STATEMENTS)
    await shop.cycle()
    wanted = [("P-01", "1", 11), ("P-01", "3", 13), ("P-02", "1", 21), ("P-02", "3", 23), ("THEIRS", "1", 5)]
    look = "SELECT code, branch, stock FROM goods ORDER BY code, branch"
    assert await shop.sql(look) == wanted
    with shop.counting() as counted:
        report = await shop.cycle()
    assert (report.counts.applied, counted.writes) == (0, [])
    shop.catalogue.create("P-99", stock={1: 4})
    shop.catalogue.delete(2)
    report = await shop.cycle()
    assert report.counts.ignored == 1, "a statement that met no row"
    await shop.cycle()
    assert await shop.sql(look) == wanted
    assert await shop.sql("SELECT DISTINCT code FROM goods WHERE hidden") == [("P-02",)]


async def test_own_statements_without_a_location_get_the_sum_over_the_mapped_locations(open_shop: Any) -> None:
    statements = {
        "write": "UPDATE goods SET stock = :quantity WHERE code = :sku AND branch = '1'",
        "read": "SELECT stock FROM goods WHERE code = :sku AND branch = '1'",
    }
    shop = await _with_statements(
        open_shop, statements, policy={"on_deleted": "keep"}, locations={"map": {1: "sum", 3: "sum"}}
    )
    await shop.cycle()
    look = "SELECT stock FROM goods WHERE branch = '1' ORDER BY code"
    assert await shop.sql(look) == [(24,), (44,), (5,)]
    await shop.restart(locations={"map": {1: "main", 3: "outlet"}})
    await shop.cycle()
    assert await shop.sql(look) == [(24,), (44,), (5,)], "two names for places that the statement does not know"


BY_SKU = {"table": "goods", "create_table": False, "match_by": "sku"}
SKU_COLUMNS = {"sku": "code", "location": "branch", "quantity": "stock"}
SKU_TABLE = "CREATE TABLE goods (code TEXT, branch TEXT, stock NUMERIC, note TEXT)"


async def _by_sku(open_shop: Any, *rows: str, missing: str = "insert", products: int = 3) -> Shop:
    values = ", ".join(f"('{row}', '1', 0, 'theirs')" for row in rows)
    prepare = (SKU_TABLE, *([f"INSERT INTO goods VALUES {values}"] if rows else []))
    target = {**BY_SKU, "columns": SKU_COLUMNS, "missing": missing}
    policy = {"on_deleted": "keep"}
    shop: Shop = await open_shop(
        products, prepare=prepare, target=target, policy=policy, locations={"map": {1: "1"}, "unmapped": "ignore"}
    )
    return shop


async def test_a_sku_is_matched_exactly(open_shop: Any) -> None:
    shop = await _by_sku(open_shop, "p-01", "P-01 ", "P-01", "P-02")
    await shop.cycle()
    found = dict(await shop.sql("SELECT code, stock FROM goods"))
    assert found == {"p-01": 0, "P-01 ": 0, "P-01": 11, "P-02": 21, "P-03": 31}


async def test_a_sku_that_is_empty_or_matches_several_rows_is_set_aside_with_the_reason(open_shop: Any) -> None:
    shop = await _by_sku(open_shop, "P-01", "P-01", "P-02")
    shop.catalogue.rename(3, "")
    report = await shop.cycle()
    assert await shop.sql("SELECT code, stock FROM goods ORDER BY code") == [("P-01", 0), ("P-01", 0), ("P-02", 21)]
    reasons = {entry.product_id: entry.reason for entry in (await shop.status()).quarantine}
    assert reasons.keys() == {1, 3}
    assert "2 rows" in reasons[1] or "several" in reasons[1]
    assert "SKU" in reasons[3] or "sku" in reasons[3]
    assert report.counts.quarantined == 2


async def test_a_renamed_sku_moves_to_its_new_row_and_the_old_one_is_reported_as_drift(open_shop: Any) -> None:
    shop = await _by_sku(open_shop)
    await shop.cycle()
    shop.catalogue.rename(2, "NEW-02")
    await shop.cycle()
    found = dict(await shop.sql("SELECT code, stock FROM goods"))
    assert found == {"P-01": 11, "P-02": 21, "NEW-02": 21, "P-03": 31}
    shop.catalogue.stock_take(2, 1, 5)
    await shop.cycle()
    found = dict(await shop.sql("SELECT code, stock FROM goods"))
    assert (found["P-02"], found["NEW-02"]) == (21, 5)
    await shop.sql("INSERT INTO goods (code, branch, stock) VALUES ('P-01', 'attic', 4)")
    report = await shop.audit()
    assert report.cells == {"renamed": 1, "unmapped": 1}, "P-01 bears its SKU still: only the place is nobody's"
    assert sorted(difference.key for difference in report.examples) == ["P-01 @ attic", "P-02 @ 1"]
    assert {row.change.cause for row in await shop.ledger(2)} == {"poll", "renamed"}


async def test_figures_that_the_target_holds_already_are_the_before(open_shop: Any) -> None:
    rows = (
        "INSERT INTO stock_levels (product_id, location_id, quantity) VALUES (1, '1', 11), (1, '3', 700), (99, '1', 4)"
    )
    shop = await open_shop(2, prepare=(LIMITED, rows), target={"columns": COLUMNS, "create_table": False})
    report = await shop.cycle()
    assert (report.counts.unchanged, report.counts.applied) == (1, 3)
    assert await shop.rows() == {**shop.truth(), (99, "1"): "4"}
    assert {str(row.change) for row in await shop.ledger(1)} == {"P-01 @ 3: 700 → 13"}
    audited = await shop.audit()
    assert audited.cells == {"unmapped": 1}


async def test_first_contact_with_a_full_table_goes_through_the_guards(open_shop: Any) -> None:
    values = ", ".join(f"({product}, '{place}', 500)" for product in range(1, 16) for place in (1, 3))
    rows = f"INSERT INTO stock_levels (product_id, location_id, quantity) VALUES {values}"
    shop = await open_shop(15, prepare=(LIMITED, rows), target={"columns": COLUMNS, "create_table": False})
    for product in range(1, 9):
        shop.catalogue.stock_take(product, 1, 0)
    report = await shop.cycle()
    found = await shop.rows()
    assert {found[product, "1"] for product in range(1, 9)} == {"500"}, "zeroes of a first contact wait for a person"
    assert found[9, "1"] == "91"
    assert report.guards == {"zeroed": 8}


async def test_a_sku_of_two_products_stays_nobodys_whatever_was_read(open_shop: Any) -> None:
    shop = await _by_sku(open_shop)
    await shop.restart(poll={"per_page": 1, "cross_check": 0})
    await shop.cycle()
    shop.catalogue.rename(3, "P-01")
    look = "SELECT stock FROM goods WHERE code = 'P-01'"
    await shop.cycle()
    assert await shop.sql(look) == [(11,)]
    shop.simulator.faults.add("page-1=500")
    report = await shop.cycle()
    assert report.verdict is Verdict.PARTIAL
    assert await shop.sql(look) == [(11,)], "product 1 was not read now, and bears the SKU still"
    shop.simulator.faults.clear()
    for product_id in (3, 1):
        assert (await shop.look_up(product_id=product_id)).pushed == 0
    assert await shop.sql(look) == [(11,)]
    await shop.sql("UPDATE goods SET stock = 9 WHERE code = 'P-01'")
    await shop.audit(heal=True)
    assert await shop.sql(look) == [(9,)], "healing takes no side either"
    assert [(entry.product_id, entry.reason) for entry in (await shop.status()).quarantine] == [
        (3, "products 1, 3 bear the SKU 'P-01'")
    ]


async def test_what_waited_for_a_sku_of_its_own_is_written_by_the_poll_that_shows_it(open_shop: Any) -> None:
    shop = await _by_sku(open_shop)
    shop.catalogue.rename(3, "P-01")
    await shop.cycles(3)
    assert {entry.product_id for entry in (await shop.status()).quarantine} == {1, 3}
    shop.catalogue.rename(1, "NEW")
    await shop.cycle()
    assert dict(await shop.sql("SELECT code, stock FROM goods")) == {"P-01": 31, "NEW": 11, "P-02": 21}
    assert (await shop.status()).quarantined == 0


async def test_what_was_judged_under_a_clock_that_was_ahead_does_not_wait_for_it(open_shop: Any, later: Any) -> None:
    shop = await _by_sku(open_shop)
    shop.catalogue.rename(3, "P-01")
    later(days=1)
    await shop.cycle()
    later(days=-1)
    shop.catalogue.rename(1, "NEW")
    await shop.cycle()
    assert dict(await shop.sql("SELECT code, stock FROM goods")) == {"P-01": 31, "NEW": 11, "P-02": 21}
