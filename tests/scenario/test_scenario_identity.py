"""Whom the acknowledgements belong to: changed maps, changed targets, restored states."""

from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import Died, Shop, die_before_write

from stocksync.cli.format import account as shown
from stocksync.cli.format import cycle
from stocksync.core.report import Outcome
from stocksync.run.cycle import preview

BEFORE = {"map": {1: "MAIN", 3: "OUTLET"}, "unmapped": "ignore"}
AFTER = {"map": {1: "CENTRAL", 3: "OUTLET"}, "unmapped": "ignore"}


async def _moved(open_shop: Any, products: int, **policy: Any) -> Shop:
    shop: Shop = await open_shop(products, locations=BEFORE, policy=policy)
    await shop.cycle()
    del shop.data["accounts"][0]["locations"]
    await shop.restart(locations=AFTER)
    return shop


def at(rows: dict[tuple[int, str], Any], place: str) -> list[Any]:
    return [figure for (_, where), figure in sorted(rows.items()) if where == place]


async def test_stock_at_a_place_that_nothing_feeds_any_more_is_seen_at_once_with_its_units(open_shop: Any) -> None:
    shop = await _moved(open_shop, 3)
    seen = await preview(shop.account)
    assert seen.report.orphaned == {"MAIN": Decimal(63)}
    report = await shop.cycle()
    assert report.orphaned == {"MAIN": Decimal(63)}
    assert at(await shop.rows(), "MAIN") == ["11", "21", "31"], "kept, as the default says"
    assert at(await shop.rows(), "CENTRAL") == ["11", "21", "31"]
    status = await shop.status()
    assert status.orphaned == {"MAIN": Decimal(63)}
    told = [str(part) for part in (cycle.orphaned(report.orphaned), shown.orphaned(status.orphaned))]
    assert all("MAIN (63 units)" in text for text in told)
    audited = await shop.audit()
    assert (audited.cells, audited.units) == ({"unmapped": 3}, {"unmapped": Decimal(63)})


@pytest.mark.parametrize("rule", ["zero", "deactivate"])
async def test_such_a_place_is_emptied_where_the_policy_says_so_and_once_only(open_shop: Any, rule: str) -> None:
    shop = await _moved(open_shop, 3, on_unmapped=rule)
    assert [change.cause for change in (await preview(shop.account)).apply].count("unmapped") == 3
    report = await shop.cycle()
    assert report.orphaned == {}
    assert at(await shop.rows(), "MAIN") == (["0", "0", "0"] if rule == "zero" else ["11", "21", "31"])
    assert at(await shop.actives(), "MAIN") == [rule == "zero"] * 3
    with shop.counting() as counted:
        assert (await shop.cycle()).counts.applied == 0
    assert counted.writes == []
    assert (await shop.audit()).cells == {}
    shop.catalogue.stock_take(2, 1, 5)
    await shop.restart(locations={"map": {1: "MAIN"}})
    await shop.cycle()
    assert at(await shop.rows(), "MAIN") == ["11", "5", "31"], "fed again"
    assert all(at(await shop.actives(), "MAIN"))


@pytest.mark.parametrize("rule", ["zero", "deactivate"])
async def test_a_place_that_many_cells_leave_waits_for_a_person(open_shop: Any, rule: str) -> None:
    shop = await _moved(open_shop, 15, on_unmapped=rule)
    report = await shop.cycle()
    assert (report.outcome, sum(report.guards.values())) == (Outcome.HELD, 15)
    assert report.orphaned["MAIN"] == sum(n * 10 + 1 for n in range(1, 16))
    assert "0" not in at(await shop.rows(), "MAIN")
    assert all(at(await shop.actives(), "MAIN"))
    await shop.approve()
    report = await shop.cycle()
    assert (report.outcome, report.orphaned) == (Outcome.DONE, {})


async def test_a_location_that_qoyod_no_longer_shows_is_unknown_and_never_emptied(open_shop: Any) -> None:
    shop = await open_shop(3, locations=BEFORE, policy={"on_unmapped": "zero"})
    await shop.cycle()
    shop.simulator.faults.add("location-1=vanish")
    report = await shop.cycle()
    assert (report.cells["unknown"], report.orphaned) == (3, {})
    assert at(await shop.rows(), "MAIN") == ["11", "21", "31"]


async def test_a_write_that_died_at_a_place_that_nothing_feeds_any_more_is_ended_as_it_was_begun(
    open_shop: Any,
) -> None:
    shop = await _moved(open_shop, 3, on_unmapped="zero")
    die_before_write(shop)
    with pytest.raises(Died):
        await shop.cycle()
    await shop.close()
    await shop.enter()
    await shop.expire_lease()
    shop.simulator.faults.add("product-2=bad-stock:null")
    await shop.cycle()
    assert at(await shop.rows(), "MAIN") == ["0", "0", "0"]
