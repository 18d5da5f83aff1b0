"""A column that only goes along with a figure never keeps the figure from its row; every real server."""

from decimal import Decimal as D
from functools import partial
from typing import Any

import pytest
from scenario_shop import Shop, plain
from servers import Server

from stocksync.core.report import Outcome
from stocksync.state.migrate import migrate

COLUMNS = {"product_id": "product_id", "sku": "sku", "quantity": "quantity"}


@pytest.fixture
def summed(open_shop: Any) -> Any:
    """Open a shop with one figure per product and no column that says whether a row is active."""
    return partial(open_shop, policy={"on_deleted": "keep"}, locations={"map": {"1": "x"}})


def _table(sku: str, more: str = "", rows: int = 8) -> tuple[str, ...]:
    filled = ", ".join(f"({number}, 'P-{number:02}', 5)" for number in range(1, rows + 1))
    return (
        f"CREATE TABLE stock (product_id BIGINT PRIMARY KEY, sku {sku}, quantity NUMERIC(12, 4){more})",
        f"INSERT INTO stock (product_id, sku, quantity) VALUES {filled}",
    )


def _target(url: str, **columns: str) -> dict[str, Any]:
    return {"url": url, "table": "stock", "create_table": False, "columns": COLUMNS | columns}


async def _figures(shop: Shop) -> dict[int, str]:
    return {int(row[0]): plain(row[1]) for row in await shop.sql("SELECT product_id, quantity FROM stock")}


async def _skus(shop: Shop) -> dict[int, str]:
    return {int(row[0]): row[1] for row in await shop.sql("SELECT product_id, sku FROM stock")}


def _truth(shop: Shop) -> dict[int, str]:
    return {product: figure for (product, place), figure in shop.truth().items() if place == "1"}


@pytest.mark.parametrize("shared", [False, True], ids=["separate", "shared"])
async def test_two_products_that_swap_their_skus_and_sell_out_are_both_at_zero(
    summed: Any, database_url: str, *, shared: bool, logs: Any
) -> None:
    if shared:
        await migrate(database_url)
    state = database_url if shared else ""
    shop = await summed(prepare=_table("VARCHAR(40) UNIQUE"), target=_target(database_url), state=state)
    await shop.cycle()
    shop.catalogue.rename(3, "P-07~")
    shop.catalogue.rename(7, "P-03")
    shop.catalogue.rename(3, "P-07")
    for product in (3, 7):
        shop.catalogue.stock_take(product, 1, D(0))
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 2, 0), report.error
    assert await _figures(shop) == _truth(shop)
    status = await shop.status()
    assert {(one.product_id, one.side) for one in status.quarantine} == {(3, "column"), (7, "column")}
    assert all("column 'sku'" in one.reason for one in status.quarantine)
    assert status.refused == 0
    (named,) = [line for line in logs if line["event"] == "columns_refused"]
    assert named["cells"] == 2
    assert (await shop.cycle()).counts.applied == 0
    skus = await _skus(shop)
    assert (skus[3], skus[7]) == ("P-07", "P-03"), "they exchange them in the next cycle"
    assert (await _figures(shop), (await shop.status()).quarantined) == (_truth(shop), 0)


@pytest.mark.parametrize("cure", ["another sku", "another row"])
async def test_a_column_that_was_refused_heals_by_itself_once_nothing_is_in_its_way(
    summed: Any, database_url: str, later: Any, cure: str
) -> None:
    """A NOT NULL column takes no exchange; and what the target says no to is tried again, though no figure changes."""
    table, rows = _table("VARCHAR(40) NOT NULL UNIQUE")
    shop = await summed(prepare=(table, rows), target=_target(database_url))
    await shop.cycle()
    await shop.sql("UPDATE stock SET sku = 'P-99' WHERE product_id = 7")
    await shop.sql("UPDATE stock SET sku = 'P-07' WHERE product_id = 8")
    shop.catalogue.stock_take(7, 1, D(0))
    await shop.cycles(2)
    (entry,) = (await shop.status()).quarantine
    assert (entry.product_id, entry.side, entry.attempts) == (7, "column", 2)
    await shop.sql("UPDATE stock SET quantity = 55 WHERE product_id = 7")
    if cure == "another sku":
        shop.catalogue.rename(7, "P-77")
    else:
        await shop.sql("UPDATE stock SET sku = 'P-08' WHERE product_id = 8")
    later(minutes=3)
    with shop.counting() as counted:
        assert (await shop.cycle()).counts.applied == 0
    assert not [one for one in counted.writes if "quantity" in one and "stocksync_" not in one]
    assert (await _skus(shop))[7] == ("P-77" if cure == "another sku" else "P-07")
    assert (await shop.status()).quarantined == 0
    assert (await _figures(shop))[7] == "55", "what somebody edited meanwhile is the audit's matter"


@pytest.mark.parametrize("instead", ["REPLACE", "IGNORE", "ROLLBACK", "FAIL"])
async def test_a_sku_in_use_deletes_no_other_row_whatever_the_table_says(
    summed: Any, sqlite_url: str, instead: str
) -> None:
    """SQLite's tables can ask for something else than a refusal; the figure goes in, the column is set aside."""
    prepare = _table(f"VARCHAR(40) UNIQUE ON CONFLICT {instead}", rows=6)
    strange = "INSERT INTO stock (product_id, sku, quantity) VALUES (900, 'P-07', 4), (901, 'P-33', 4)"
    shop = await summed(prepare=(*prepare, strange), target=_target(sqlite_url))
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied) == (Outcome.DONE, 8), report.error
    shop.catalogue.rename(3, "P-33")
    shop.catalogue.stock_take(3, 1, D(77))
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied) == (Outcome.DONE, 1), report.error
    assert await _figures(shop) == _truth(shop) | {900: "4", 901: "4"}
    assert (await _skus(shop)) | {3: None, 7: None} == {
        number: None if number in {3, 7} else f"P-{number:02}" for number in range(1, 9)
    } | {900: "P-07", 901: "P-33"}
    entries = {one.product_id: one.reason for one in (await shop.status()).quarantine}
    assert set(entries) == {3, 7}
    assert all("written without column 'sku': UNIQUE constraint failed" in why for why in entries.values())


@pytest.mark.parametrize("refusal", ["length", "check", "enum", "number", "trigger", "right", "generated"])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
async def test_a_sku_that_its_column_refuses_is_set_aside_and_the_figure_goes_in(
    summed: Any, request: pytest.FixtureRequest, kind: str, refusal: str
) -> None:
    url: str = request.getfixturevalue(f"{kind}_url")
    server: Server = request.getfixturevalue(f"{kind}_server")
    prepare = _refusing(kind, refusal)
    shop = await summed(prepare=prepare, target=_target(url))
    if refusal == "right":
        target = {"url": _clerk(server, url, kind)}
        await shop.restart(target=target)
    shop.catalogue.rename(3, "P-03-and-much-longer")
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied, report.counts.quarantined) == (Outcome.DONE, 8, 0), report.error
    assert await _figures(shop) == _truth(shop)
    entries = {one.product_id: one.reason for one in (await shop.status()).quarantine}
    if refusal in {"generated", "right"}:
        assert entries == {}
        (note,) = (await shop.account.capabilities()).notes
        assert "column 'sku' is not written" in note
        return
    assert 3 in entries
    assert "column 'sku'" in entries[3]
    if refusal != "number":
        assert set(entries) == {3}
        assert (await _skus(shop))[4] == "P-04"


def _refusing(kind: str, refusal: str) -> tuple[str, ...]:  # noqa: PLR0911  a table of cases
    names = ", ".join(f"'P-{number:02}'" for number in range(1, 9))
    if refusal == "length":
        return _table("VARCHAR(10)")
    if refusal == "check":
        return _table("VARCHAR(40)", ", CHECK (sku NOT LIKE '%longer')")
    if refusal == "enum":
        if kind == "mariadb":
            return _table(f"ENUM({names})")
        return (f"CREATE TYPE names AS ENUM ({names})", *_table("names"))
    if refusal == "number":
        table, rows = _table("VARCHAR(40)")
        return (table.replace("VARCHAR(40)", "BIGINT"), rows.replace("'P-", "'"))
    if refusal == "generated":
        table, rows = _table("VARCHAR(40) GENERATED ALWAYS AS ('x') STORED")
        return (table, "INSERT INTO stock (product_id, quantity) VALUES (1, 5), (2, 5)")
    return (*_table("VARCHAR(40)"), *_SHOUTS[kind]) if refusal == "trigger" else _table("VARCHAR(40)")


_SHOUTS = {
    "postgresql": (
        ("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.sku LIKE '%longer' THEN RAISE 'not that one'; END IF; RETURN NEW; END$$"),
        "CREATE TRIGGER no BEFORE UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION no()",
    ),
    "mariadb": (
        ("CREATE TRIGGER no BEFORE UPDATE ON stock FOR EACH ROW IF NEW.sku LIKE '%longer'"
        " THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not that one'; END IF"),
    ),
}  # fmt: skip


def _clerk(server: Server, url: str, kind: str) -> str:
    """Give the URL of a user who may change quantities and nothing else."""
    name = url.rsplit("/", 1)[1]
    user = f"clerk_{name}"
    if kind == "postgresql":
        server.sql(f"CREATE USER {user}; GRANT SELECT, INSERT, UPDATE (quantity) ON stock TO {user}", name)
        return url.replace("stocksync@", f"{user}@")
    server.sql(f"CREATE USER {user}@'%'; GRANT SELECT, INSERT, UPDATE (quantity) ON {name}.stock TO {user}@'%'")
    return url.replace("root@", f"{user}@")


async def test_a_stamp_that_is_refused_costs_the_stamp(summed: Any, postgresql_url: str) -> None:
    prepare = _table("VARCHAR(40)", ", at TIMESTAMPTZ CHECK (product_id <> 3 OR at < '2001-01-01')")
    shop = await summed(prepare=prepare, target=_target(postgresql_url, updated_at="at"))
    assert (await shop.cycle()).counts.applied == 8
    assert await _figures(shop) == _truth(shop)
    (entry,) = (await shop.status()).quarantine
    assert "written without column 'at'" in entry.reason
    assert await shop.sql("SELECT count(*) FROM stock WHERE at IS NULL") == [(1,)]


async def test_a_row_whose_figure_is_refused_is_set_aside_as_before(summed: Any, postgresql_url: str) -> None:
    prepare = _table("VARCHAR(10)", ", CHECK (product_id <> 3 OR quantity = 5)")
    shop = await summed(prepare=prepare, target=_target(postgresql_url))
    report = await shop.cycle()
    assert (report.counts.applied, report.counts.quarantined) == (7, 1)
    (entry,) = (await shop.status()).quarantine
    assert (entry.product_id, entry.side) == (3, "target")
