"""A process begins: it holds every live row against what was acknowledged, and puts right those that differ."""

from typing import Any

import pytest

from stocksync.errors import TargetUnavailable
from stocksync.run import cycle
from stocksync.run.focus import in_focus
from stocksync.simulator.catalogue import Catalogue
from stocksync.state.database import Database
from stocksync.targets.mapped import MappedTarget

ONE_PLACE = {"map": {"1": "MAIN"}, "unmapped": "ignore"}


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The products whose cells were loaded, call by call; None: those of all."""
    asked: list[Any] = []
    snapshot = Database.snapshot

    async def noted(self: Database, account: str, product_ids: Any = None) -> Any:
        asked.append(product_ids)
        return await snapshot(self, account, product_ids)

    monkeypatch.setattr(Database, "snapshot", noted)
    return asked


@pytest.mark.parametrize("match_by", ["product_id", "sku"])
async def test_only_products_whose_rows_differ_are_looked_at(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch, match_by: str
) -> None:
    looked_at: list[int] = []

    async def noted(*given: Any, **named: Any) -> Any:
        focus = await in_focus(*given, **named)
        looked_at.extend(focus.reading.products)
        return focus

    shop = await open_shop(12, poll={"cross_check": 0}, target={"match_by": match_by})
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 7 WHERE product_id = 5 AND location_id = '3'")
    await shop.restart()
    monkeypatch.setattr(cycle, "in_focus", noted)
    report = await shop.cycle(confirm=True)
    assert (report.counts.applied, report.counts.unchanged) == (1, 23)
    assert await shop.rows() == shop.truth()
    assert 5 in looked_at
    assert len(looked_at) <= 2, "beside it the product whose turn of the day it is, at most"
    await shop.cycle()
    assert (await shop.runtime.state.catalogue("main")).known[5] is not None, "settled again by its row"


@pytest.mark.parametrize("server", ["", "postgresql_url", "mariadb_url"])
async def test_the_poll_after_the_one_that_made_the_table_trusts_what_that_settled(
    open_shop: Any, loaded: list[Any], request: pytest.FixtureRequest, server: str
) -> None:
    target = {"url": request.getfixturevalue(server)} if server else {}
    shop = await open_shop(12, poll={"cross_check": 0}, target=target)
    await shop.cycle()
    loaded.clear()
    assert (await shop.cycle()).counts.unchanged == 24
    assert None not in loaded


async def test_what_was_read_is_remembered_where_the_table_cannot_be_made(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(3, policy={"negative": "hold"})
    shop.catalogue.stock_take(3, 1, -4)
    shop.simulator.faults.add("product-2=bad-stock:null")

    async def refused(_: MappedTarget) -> None:
        raise TargetUnavailable("permission denied for schema public")

    monkeypatch.setattr(MappedTarget, "make", refused)
    report = await shop.cycle()
    status = await shop.status()
    assert "permission denied" in report.error
    assert [one.product_id for one in status.quarantine] == [2]
    assert len((await shop.runtime.state.snapshot("main")).products) == 2
    assert status.held is not None
    assert status.held.plan_id == report.plan_id, "a plan that is named can be decided on"


@pytest.mark.parametrize("locations", [{}, ONE_PLACE], ids=["mapped", "the rest ignored"])
async def test_a_correction_is_cross_checked_on_the_page_where_its_product_stands_now(
    open_shop: Any, locations: dict[str, Any]
) -> None:
    shop = await open_shop(12, poll={"per_page": 3, "cross_check": 0}, locations=locations)
    await shop.cycle()
    for number in (1, 2, 3, 4):
        shop.catalogue.delete(number)
    await shop.cycles(4)  # the others' pages have moved, and what is remembered of them names the old ones
    await shop.sql("UPDATE stock_levels SET quantity = 999 WHERE product_id IN (8, 12)")
    await shop.restart(poll={"cross_check": 3})
    report = await shop.cycle(confirm=True)
    assert report.cross_checks == {"same": 3}
    found = await shop.sql("SELECT quantity FROM stock_levels WHERE product_id IN (8, 12) ORDER BY 1")
    assert found == ([(81,), (121,)] if locations else [(81,), (83,), (121,), (123,)])


async def test_a_correction_of_what_is_sold_meanwhile_is_written_as_it_is_sold(open_shop: Any) -> None:
    shop = await open_shop(12, poll={"per_page": 3, "cross_check": 0})
    await shop.cycle()
    for number in (1, 2, 3, 4):
        shop.catalogue.delete(number)
    await shop.cycles(4)
    await shop.sql("UPDATE stock_levels SET quantity = 999 WHERE product_id = 12")
    await shop.restart(poll={"cross_check": 3})
    source, read = shop.account.source, shop.account.source.read

    async def then_one_is_sold(*args: Any, **named: Any) -> Any:
        reading = await read(*args, **named)
        shop.catalogue.stock_take(12, 1, 5)
        return reading

    source.read = then_one_is_sold  # type: ignore[method-assign]
    report = await shop.cycle(confirm=True)
    assert report.cross_checks == {"moved": 1, "same": 2}
    found = await shop.sql("SELECT quantity FROM stock_levels WHERE product_id = 12 ORDER BY location_id")
    assert found == [(5,), (123,)]


async def test_counts_add_up_to_what_was_read_where_corrections_were_cross_checked(open_shop: Any) -> None:
    shop = await open_shop(12, poll={"per_page": 3, "cross_check": 3}, locations=ONE_PLACE)
    await shop.cycles(5)
    await shop.sql("UPDATE stock_levels SET quantity = 999 WHERE product_id IN (8, 10, 12)")
    await shop.restart()
    report = await shop.cycle(confirm=True)
    assert (report.counts.read, report.counts.ignored, report.cross_checks) == (24, 12, {"same": 3})


async def test_a_product_all_of_whose_figures_feed_no_place_is_not_without_figures(open_shop: Any) -> None:
    catalogue = Catalogue(0, 3)
    for sku, stock in (("A", {1: 5}), ("a", {3: 7}), ("B", {1: 6})):
        catalogue.create(sku, sku, stock=stock)
    shop = await open_shop(catalogue, target={"match_by": "sku"}, locations=ONE_PLACE, poll={"cross_check": 0})
    await shop.cycles(2)
    await shop.sql("UPDATE stock_levels SET quantity = 9 WHERE sku = 'A'")
    await shop.restart()
    assert (await shop.cycle(confirm=True)).products["without_figures"] == 0
