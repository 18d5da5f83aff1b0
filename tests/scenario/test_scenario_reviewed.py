"""What a review found, each as it happened."""

from typing import Any

import pytest
from scenario_shop import Died, die_before_write, small_catalogue

from stocksync.core.report import Outcome
from stocksync.errors import TargetUnavailable

GOODS = "CREATE TABLE goods (code TEXT, branch TEXT, stock NUMERIC, live INTEGER DEFAULT 1)"
CHECKED = (
    "CREATE TABLE stock_levels (product_id INTEGER CHECK (product_id > 60), sku TEXT, location_id TEXT, "
    "quantity NUMERIC, updated_at TEXT, active INTEGER, PRIMARY KEY (product_id, location_id))"
)


async def _sku_shop(open_shop: Any, **policy: Any) -> Any:
    columns = {"sku": "code", "location": "branch", "quantity": "stock", "active": "live"}
    target = {"table": "goods", "create_table": False, "match_by": "sku", "columns": columns}
    places = {"map": {1: "1"}, "unmapped": "ignore"}
    return await open_shop(3, prepare=(GOODS,), target=target, policy=policy, locations=places)


@pytest.mark.parametrize("rule", ["deactivate", "zero", "delete"])
async def test_a_product_recreated_under_its_sku_keeps_its_row(open_shop: Any, rule: str) -> None:
    shop = await _sku_shop(open_shop, on_deleted=rule)
    await shop.cycle()
    shop.catalogue.delete(2)
    shop.catalogue.create("P-02", "again", stock={1: 33})
    await shop.cycles(4)
    row = "SELECT stock, live FROM goods WHERE code = 'P-02'"
    assert await shop.sql(row) == [(33, 1)]
    assert not (await shop.audit(heal=True)).cells
    assert await shop.sql(row) == [(33, 1)]


async def test_a_corrected_sku_is_tried_at_once(open_shop: Any) -> None:
    shop = await _sku_shop(open_shop, on_deleted="keep")
    shop.catalogue.rename(3, "")
    assert (await shop.cycles(2)).counts.quarantined == 1
    shop.catalogue.rename(3, "P-03")
    report = await shop.cycle()
    assert (report.counts.quarantined, report.counts.applied) == (0, 1)


async def test_a_clock_that_was_a_day_ahead_does_not_freeze_the_figures(open_shop: Any, later: Any) -> None:
    shop = await open_shop(3)
    later(days=1)
    await shop.cycle()
    later(days=-1)
    shop.catalogue.stock_take(1, 1, 5)
    await shop.cycle()
    assert (await shop.rows())[1, "1"] == "5"
    assert not (await shop.audit(heal=True)).cells


async def test_an_interrupted_first_cycle_is_finished_by_the_next(open_shop: Any, monkeypatch: Any) -> None:
    shop = await open_shop(20, target={"batch_size": 20})
    write, calls = shop.account.target.write, []

    async def once(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            raise TargetUnavailable("the target is away")
        return await write(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(shop.account.target, "write", once)
        assert (await shop.cycle()).outcome is Outcome.FAILED
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_a_new_location_is_no_flood(open_shop: Any) -> None:
    shop = await open_shop(small_catalogue(25, (1,)))
    await shop.cycle()
    for product in range(1, 26):
        shop.catalogue.stock_take(product, max(shop.catalogue.locations), 5)
    assert (await shop.cycle()).outcome is Outcome.DONE


async def test_a_table_that_was_emptied_is_healed(open_shop: Any) -> None:
    shop = await open_shop(15)
    await shop.cycle()
    await shop.sql("DELETE FROM stock_levels")
    report = await shop.audit(heal=True)
    assert report.healed == report.cells["missing_in_target"] == len(shop.truth())
    assert await shop.rows() == shop.truth()


async def test_bad_rows_that_come_first_do_not_stop_the_good_ones(open_shop: Any) -> None:
    catalogue = small_catalogue(70, (1,))
    shop = await open_shop(catalogue, prepare=(CHECKED,), target={"create_table": False}, poll={"per_page": 100})
    report = await shop.cycle()
    assert report.outcome is Outcome.DONE
    assert (report.counts.applied, report.counts.quarantined) == (10, 60)


@pytest.mark.usefixtures("one_portion")
async def test_nothing_is_tried_before_its_intent_is_recorded(open_shop: Any, monkeypatch: Any) -> None:
    catalogue = small_catalogue(70, (1,))
    target = {"create_table": False, "batch_size": 55}
    shop = await open_shop(catalogue, prepare=(CHECKED,), target=target, poll={"per_page": 100})
    intend, write = shop.runtime.state.intend, shop.account.target.write
    intended: set[Any] = set()
    early: list[Any] = []

    async def noted(lease: Any, cycle_id: str, changes: Any, read: Any) -> None:
        await intend(lease, cycle_id, changes, read)
        intended.update(changes)

    async def watched(changes: Any, *rest: Any, **more: Any) -> Any:
        early.extend(change for change in changes if change not in intended)
        return await write(changes, *rest, **more)

    monkeypatch.setattr(shop.runtime.state, "intend", noted)
    monkeypatch.setattr(shop.account.target, "write", watched)
    assert (await shop.cycle()).counts.applied == 10
    assert len(intended) == 70
    assert not early


@pytest.mark.usefixtures("one_portion")
async def test_a_target_that_refuses_everything_fails_the_cycle(open_shop: Any) -> None:
    catalogue = small_catalogue(60, (1,))
    shop = await open_shop(catalogue, prepare=(CHECKED,), target={"create_table": False}, poll={"per_page": 100})
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert report.target_answered is False
    assert "refuses every row" in report.error


async def test_the_zero_of_a_deleted_product_is_expected_and_what_a_person_makes_of_it_is_drift(open_shop: Any) -> None:
    shop = await open_shop(8, policy={"on_deleted": "zero"})
    await shop.cycle()
    shop.catalogue.delete(4)
    await shop.cycles(3)
    assert not (await shop.audit()).cells
    await shop.sql("UPDATE stock_levels SET quantity = 41 WHERE product_id = 4 AND location_id = '1'")
    assert (await shop.audit()).cells == {"edited_in_target": 1}


async def test_the_figure_of_a_place_that_is_no_longer_fed_is_reported(open_shop: Any) -> None:
    shop = await open_shop(3, locations={"map": {1: "MAIN"}, "unmapped": "ignore"})
    await shop.cycle()
    await shop.restart(locations={"map": {1: "OUTLET"}})
    await shop.cycle()
    assert (await shop.audit()).cells == {"unmapped": 3}


async def test_a_location_is_not_added_to_a_place_that_happens_to_bear_its_number(open_shop: Any) -> None:
    shop = await open_shop(2, locations={"map": {1: "3"}})
    report = await shop.cycle()
    assert {key[1] for key in await shop.rows()} == {"3"}
    assert (await shop.rows())[1, "3"] == shop.truth()[1, "1"]
    assert report.cells["unmapped"] == 2


async def test_a_removal_that_was_begun_is_not_carried_out_on_a_product_that_came_back(open_shop: Any) -> None:
    shop = await open_shop(4, policy={"on_untracked": "deactivate"})
    await shop.cycle()
    shop.catalogue.untrack(2)
    die_before_write(shop)
    with pytest.raises(Died):
        await shop.cycle()
    await shop.close()
    await shop.enter()
    await shop.expire_lease()
    shop.catalogue.track(2)
    await shop.cycle()
    assert all((await shop.actives()).values())
