"""A large catalogue is weighed as a whole and written portion by portion; here a portion has five products."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.model import Cell, Product, Reading, Verdict
from stocksync.core.policy import LocationMap, Unmapped
from stocksync.core.report import Outcome
from stocksync.errors import StateUnavailable, TargetUnavailable
from stocksync.run import portions
from stocksync.run.portions import Portions
from stocksync.state.migrate import migrate

CHECKED = (
    "CREATE TABLE stock_levels (product_id INTEGER CHECK (product_id {}), sku TEXT, location_id TEXT,"
    " quantity NUMERIC, updated_at TEXT, active INTEGER, PRIMARY KEY (product_id, location_id))"
)
TABLES = "SELECT name FROM sqlite_master WHERE name = 'stock_levels'"
SOME = "UPDATE stock_levels SET quantity = 7 WHERE product_id"


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The portions that were planned, by number; a hook may do something before one of them."""
    asked: list[int] = []
    plan = Portions.plan

    async def noted(self: Portions, index: int) -> Any:
        planned = await plan(self, index)
        if planned is not None:
            asked.append(index)
        return planned

    monkeypatch.setattr(Portions, "plan", noted)
    return asked


def _before_portion(monkeypatch: pytest.MonkeyPatch, number: int, work: Any) -> None:
    plan = Portions.plan

    async def meddled(self: Portions, index: int) -> Any:
        if index == number:
            await work()
        return await plan(self, index)

    monkeypatch.setattr(Portions, "plan", meddled)


def _fail_second_write(shop: Shop, patch: pytest.MonkeyPatch) -> None:
    write, calls = shop.account.target.write, []

    async def failing(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise TargetUnavailable("it went away")
        return await write(*args, **kwargs)

    patch.setattr(shop.account.target, "write", failing)


def _fail_first_record(shop: Shop, patch: pytest.MonkeyPatch) -> None:
    observe, calls = shop.account.state.observe, []

    async def failing(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 1:
            raise StateUnavailable("it went away")
        await observe(*args)

    patch.setattr(shop.account.state, "observe", failing)


async def _that_takes(taken: str, open_shop: Any, patch: pytest.MonkeyPatch, *more: str, products: int = 70) -> Shop:
    """Open a shop whose table takes only these product ids; 60 cells, of 30 products, are a portion."""
    patch.setattr(portions, "_CELLS", 60)
    prepare = (CHECKED.format(taken), *more)
    shop: Shop = await open_shop(products, prepare=prepare, target={"create_table": False}, poll={"per_page": 100})
    return shop


async def _seen(shop: Shop) -> dict[str, Any]:
    """Give what a poll leaves behind, but for its times and its name."""
    report = await shop.cycle()
    told = (report.counts, report.products, report.cells, report.ignored, report.changes, report.cross_checks)
    again = await shop.cycle()
    return {"told": told, "rows": await shop.rows(), "again": again.counts, "recognised": again.pages}


@pytest.mark.parametrize("match_by", ["product_id", "sku"])
async def test_portions_come_to_the_same_as_one_piece(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch, match_by: str
) -> None:
    how = {"target": {"match_by": match_by}}
    divided = await _seen(await open_shop(17, **how))
    assert planned[:4] == [0, 1, 2, 3]
    monkeypatch.setattr(portions, "_KEPT", 1000)
    monkeypatch.setattr(portions, "_CELLS", 1000)
    planned.clear()
    assert await _seen(await open_shop(17, **how)) == divided
    assert planned == [0, 0]


async def test_what_stands_in_the_target_is_met_portion_by_portion(open_shop: Any, planned: list[int]) -> None:
    shop = await open_shop(17)
    await shop.cycle()
    await shop.sql(f"{SOME} IN (2, 8, 16)")
    assert (await shop.cycle(full=True)).counts.applied == 6
    assert max(planned) == 3
    assert await shop.rows() == shop.truth()
    assert (await shop.cycle(full=True)).counts.applied == 0


async def test_a_target_that_goes_away_leaves_the_other_portions_to_the_next_poll(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(17)
    _fail_second_write(shop, monkeypatch)
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert (report.counts.read, report.counts.applied, report.counts.unpushed) == (34, 10, 24)
    assert len(await shop.rows()) == 10
    assert (await shop.cycle()).counts.applied == 24
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize("call", [1, 2, 4])
async def test_a_state_that_fails_after_a_portion_was_written_has_it_written_again(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    shop = await open_shop(17)
    with monkeypatch.context() as patched:
        acknowledge, calls = shop.account.state.acknowledge, []

        async def failing(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            if len(calls) == call:
                raise StateUnavailable("it went away")
            return await acknowledge(*args, **kwargs)

        patched.setattr(shop.account.state, "acknowledge", failing)
        report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert "it went away" in report.error
    assert report.counts.applied + report.counts.unpushed == 34
    assert report.counts.unpushed
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()
    assert (await shop.cycle(full=True)).counts.applied == 0


@pytest.mark.parametrize("taken", ["> 30", "BETWEEN 31 AND 60"])
async def test_a_portion_of_which_every_row_is_refused_is_tried_again_once_others_went_in(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    shop = await _that_takes(taken, open_shop, monkeypatch)
    report = await shop.cycle()
    assert planned == [0, 1, 2, 0]
    rows = await shop.rows()
    assert report.outcome is Outcome.DONE
    assert (report.counts.applied, report.counts.quarantined, report.counts.unpushed) == (len(rows), 140 - len(rows), 0)
    assert rows == {cell: figure for cell, figure in shop.truth().items() if cell in rows}
    assert len((await shop.status()).quarantine) == 140 - len(rows)


async def test_what_the_target_made_of_others_outlives_a_portion_that_comes_once_more(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = (
        "CREATE TRIGGER rounds AFTER INSERT ON stock_levels BEGIN UPDATE stock_levels SET quantity = 1"
        " WHERE product_id = new.product_id AND location_id = new.location_id; END"
    )
    shop = await _that_takes("> 30", open_shop, monkeypatch, rounds)
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert planned == [0, 1, 2, 0]
    altered = [locator.product_id for locator, _ in await shop.runtime.state.altered("main", 100)]
    assert altered, "and the next full cycle would take them for edited"
    assert min(altered) > 30
    assert (await shop.cycle(full=True)).counts.applied == 0


async def test_a_target_that_refuses_every_portion_fails_the_poll_and_nothing_is_set_aside(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await _that_takes("> 300", open_shop, monkeypatch)
    report = await shop.cycle()
    assert planned == [0, 1, 2]
    assert report.outcome is Outcome.FAILED
    assert "refuses every row" in report.error
    assert (report.counts.applied, report.counts.unpushed, report.counts.quarantined) == (0, 140, 0)
    assert not (await shop.status()).quarantine


async def test_rows_that_are_refused_after_others_went_in_are_set_aside_however_many(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await _that_takes("<= 30", open_shop, monkeypatch, products=60)
    report = await shop.cycle()
    assert planned == [0, 1]
    assert report.outcome is Outcome.DONE
    assert (report.counts.applied, report.counts.quarantined) == (60, 60)


async def test_rows_that_change_after_they_were_weighed_are_not_written_over_unweighed(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(20, guards={"minimum_cells": 0})
    for product in range(11, 21):
        shop.catalogue.stock_take(product, 1, 0)
        shop.catalogue.stock_take(product, 3, 0)
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 0")
    async with shop.account.state.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM stocksync_cells")  # all of it is met for the first time

    async def fill() -> None:
        await shop.sql("UPDATE stock_levels SET quantity = 50 WHERE product_id > 10")

    before = Portions.plan
    _before_portion(monkeypatch, 2, fill)
    report = await shop.cycle(full=True)
    assert report.outcome is Outcome.FAILED
    assert "more is to be changed than when it was weighed" in report.error
    rows = await shop.rows()
    assert {rows[product, "1"] for product in range(11, 21)} == {"50"}
    monkeypatch.setattr(Portions, "plan", before)
    assert (await shop.cycle(full=True)).guards == {"zeroed": 20}
    assert {(await shop.rows())[product, "1"] for product in range(11, 21)} == {"50"}


async def test_what_was_found_in_rows_is_remembered_of_portions_that_are_not_reached(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(17)
    await shop.cycle()
    await shop.sql(f"{SOME} < 11")  # as if the target came from a backup
    with monkeypatch.context() as patched:
        _fail_second_write(shop, patched)
        assert (await shop.cycle(full=True)).outcome is Outcome.FAILED
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_a_few_changes_of_a_large_catalogue_are_one_portion(open_shop: Any, planned: list[int]) -> None:
    shop = await open_shop(17)
    await shop.cycle()
    planned.clear()
    await shop.sql(f"{SOME} IN (2, 16)")
    assert (await shop.cycle(full=True)).counts.applied == 4
    assert planned == [0]


@pytest.mark.parametrize(("product", "portions"), [(2, {0}), (16, {0, 1, 2, 3})])
async def test_a_figure_that_a_person_is_asked_about_makes_what_is_left_one_portion(
    open_shop: Any, planned: list[int], product: int, portions: set[int]
) -> None:
    shop = await open_shop(17, policy={"negative": "hold"})
    shop.catalogue.stock_take(product, 1, -5)
    report = await shop.cycle()
    assert report.outcome is Outcome.HELD
    assert set(planned) == portions
    assert (report.counts.applied, report.counts.held) == (33, 1)
    held = (await shop.status()).held
    assert held is not None
    assert held.cells == {Cell(product, "1")}


async def test_what_was_never_written_is_written_before_the_rest_of_it_is_compared(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(17)
    seen: list[int] = []
    compared = Portions._compared

    async def noted(self: Portions, part: Any, *, first: bool) -> Any:
        seen.append(len(await shop.rows()) if await shop.sql(TABLES) else 0)
        return await compared(self, part, first=first)

    monkeypatch.setattr(Portions, "_compared", noted)
    assert (await shop.cycle()).counts.applied == 34
    assert seen[0] == 0
    assert len(seen) == 4
    assert 10 <= seen[3] < 34


async def test_nothing_is_written_ahead_of_a_list_that_the_look_ups_contradict(
    open_shop: Any, planned: list[int]
) -> None:
    shop = await open_shop(17, poll={"cross_check": 2})
    shop.simulator.faults.add("list=mass-zero")
    report = await shop.cycle()
    assert report.outcome is Outcome.HELD
    assert planned == [0]
    assert report.cross_checks == {"different": 2}
    assert (report.counts.held, report.counts.applied) == (30, 0), "of the two products nothing is believed"


def test_a_product_without_figures_of_ours_is_none_to_be_met() -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    stock = [({}, True), ({9: Decimal(1)}, True), ({1: Decimal(1)}, False), ({9: Decimal(1), 1: Decimal(2)}, True)]
    products = {key: Product(key, "s", "", tracked, one, 1, at) for key, (one, tracked) in enumerate(stock, 1)}
    reading = Reading(Verdict.COMPLETE, (), products, (), {}, 4, 1, at, at)
    assert portions._to_be_met(reading, LocationMap({1: "A"}, Unmapped.IGNORE)) == [Cell(4, "A")]
    summed = LocationMap({1: "A"}, Unmapped.IGNORE, summed=True)
    assert portions._to_be_met(reading, summed) == [Cell(4, "")]


async def test_rows_that_stand_in_a_target_that_was_never_written_are_weighed_as_a_whole(
    open_shop: Any, planned: list[int]
) -> None:
    shop = await open_shop(
        17, guards={"minimum_cells": 0}, target={"create_table": False}, prepare=(CHECKED.format("> 0"),)
    )
    for product in range(11, 18):
        shop.catalogue.stock_take(product, 1, 0)
        await shop.sql(
            "INSERT INTO stock_levels (product_id, sku, location_id, quantity, active)"
            f" VALUES ({product}, 'x', '1', 50, 1)"
        )
    report = await shop.cycle()
    assert set(planned) == {0, 1, 2}
    assert report.outcome is Outcome.HELD
    assert report.guards == {"zeroed": 7}
    assert (report.counts.read, report.counts.applied, report.counts.held) == (34, 27, 7)
    assert {(await shop.rows())[product, "1"] for product in range(11, 18)} == {"50"}
    assert (await shop.cycle()).guards == {"zeroed": 7}


async def test_rows_that_others_insert_while_an_empty_target_is_filled_are_met_when_they_are_written(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(17, target={"create_table": False}, prepare=(CHECKED.format("> 0"),))

    async def insert() -> None:
        await shop.sql("INSERT INTO stock_levels (product_id, sku, location_id, quantity) VALUES (16, 'x', '1', 99)")

    _before_portion(monkeypatch, 1, insert)
    asked: list[int] = []
    read = shop.account.target.read

    async def noted(refs: Any) -> Any:
        asked.append(len(refs))
        return await read(refs)

    monkeypatch.setattr(shop.account.target, "read", noted)
    assert (await shop.cycle()).counts.applied == 34
    assert not any(asked), "it held no row, and one of the last portion was met as that was written"
    assert await shop.rows() == shop.truth()
    assert await shop.sql("SELECT count(*) FROM stock_levels") == [(34,)]


async def test_once_a_row_was_met_where_there_was_none_each_portion_is_looked_up(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(
        17, guards={"minimum_cells": 0}, target={"create_table": False}, prepare=(CHECKED.format("> 0"),)
    )
    for product in range(6, 18):
        shop.catalogue.stock_take(product, 1, 0)
    insert = "INSERT INTO stock_levels (product_id, sku, location_id, quantity, active) VALUES ({}, 'x', '1', 50, 1)"

    write, calls = shop.account.target.write, []

    async def restored(*args: Any, **how: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            for product in (1, *range(6, 18)):  # as if somebody put back what was there before
                await shop.sql(insert.format(product))
        return await write(*args, **how)

    monkeypatch.setattr(shop.account.target, "write", restored)
    report = await shop.cycle()
    assert report.guards == {"zeroed": 12}, "also of the portion that was planned already"
    assert {(await shop.rows())[product, "1"] for product in range(6, 18)} == {"50"}


async def test_a_portion_that_was_put_off_comes_again_after_the_rest_was_weighed(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = "INSERT INTO stock_levels (product_id, sku, location_id, quantity) VALUES (80, 'x', '1', 50)"
    shop = await _that_takes("> 30", open_shop, monkeypatch, insert, products=90)
    report = await shop.cycle()
    assert planned[0] == 0
    assert planned[-1] == 0
    assert (report.counts.read, report.counts.applied, report.counts.quarantined) == (180, 120, 60)
    assert await shop.rows() == {cell: figure for cell, figure in shop.truth().items() if cell[0] > 30}


async def test_a_target_that_goes_away_while_the_rest_is_weighed_leaves_no_figure_out(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = "INSERT INTO stock_levels (product_id, sku, location_id, quantity) VALUES (12, 'x', '1', 50)"
    shop = await open_shop(17, target={"create_table": False}, prepare=(CHECKED.format("> 0"), insert))
    _fail_second_write(shop, monkeypatch)
    report = await shop.cycle()
    assert report.outcome is Outcome.FAILED
    assert (report.counts.read, report.counts.applied, report.counts.unpushed) == (34, 10, 24)


async def test_by_sku_all_products_are_seen_together_however_many_are_gone(open_shop: Any) -> None:
    """A product that is gone leaves its row to the one that bears its SKU now, and does not empty it."""
    shop = await open_shop(
        40, target={"match_by": "sku"}, poll={"cross_check": 0, "per_page": 50}, policy={"on_deleted": "zero"},
        guards={"total_fall": "100%"},
    )  # fmt: skip
    for service in range(4, 41):
        shop.catalogue.untrack(service)
    await shop.cycle()
    for service in range(4, 41):
        shop.catalogue.delete(service)
    await shop.cycles(6)
    sku = shop.catalogue.delete(1).sku
    heir = shop.catalogue.create(sku, "the heir", stock={1: 50})
    row = "SELECT product_id, quantity FROM stock_levels WHERE sku = :sku AND location_id = '1'"
    seen = []
    for _ in range(5):
        await shop.cycle(full=True)
        seen += await shop.sql(row, sku=sku)
    assert set(seen) == {(1, 11), (heir.id, 50)}, "until the one is proven gone, and after that"
    assert seen[-1] == (heir.id, 50)


@pytest.mark.parametrize("shared", [False, True], ids=["separate", "shared"])
async def test_where_state_and_target_are_one_a_portion_is_recorded_before_the_next_is_written(
    open_shop: Any, postgresql_server: Any, monkeypatch: pytest.MonkeyPatch, *, shared: bool
) -> None:
    state = postgresql_server.new_database()
    await migrate(state)
    shop = await open_shop(17, state=state, target={"url": state if shared else postgresql_server.new_database()})
    assert shop.account.shared is shared
    under_way, together = Counter[str](), []
    write, observe = shop.account.target.write, shop.account.state.observe

    async def noted_write(*args: Any, **how: Any) -> Any:
        under_way["write"] += 1
        together.append(under_way["observe"])
        try:
            return await write(*args, **how)
        finally:
            under_way["write"] -= 1

    async def noted_observe(*args: Any) -> None:
        under_way["observe"] += 1
        try:
            await observe(*args)
            await asyncio.sleep(0.02)
        finally:
            under_way["observe"] -= 1
        together.append(under_way["write"])

    monkeypatch.setattr(shop.account.target, "write", noted_write)
    monkeypatch.setattr(shop.account.state, "observe", noted_observe)
    assert (await shop.cycle()).counts.applied == 34
    assert any(together) is not shared
    assert await shop.rows() == shop.truth()


async def test_what_is_recorded_once_is_recorded_before_anything_of_the_second_portion(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(17)
    await shop.cycle()
    await shop.sql("DELETE FROM stock_levels WHERE product_id > 5")
    async with shop.account.state.engine.begin() as connection:
        for table in ("cells", "products"):
            await connection.exec_driver_sql(f"DELETE FROM stocksync_{table}")
        await connection.exec_driver_sql("UPDATE stocksync_accounts SET rules = NULL")
    recorded: list[bool] = []
    for name in ("observe", "intend"):
        method = getattr(shop.account.state, name)

        async def noted(*args: Any, method: Any = method) -> Any:
            recorded.append(bool(args[-1].rules))
            return await method(*args)

        monkeypatch.setattr(shop.account.state, name, noted)
    assert (await shop.cycle(full=True)).counts.applied == 24
    assert recorded[0], "the rules digest goes first"
    assert recorded.count(True) == 1


async def test_what_could_not_be_recorded_of_a_portion_has_another_chance(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await _that_takes("<> 7", open_shop, monkeypatch)
    _fail_first_record(shop, monkeypatch)
    assert (await shop.cycle()).outcome is Outcome.FAILED
    assert {one.product_id for one in (await shop.status()).quarantine} == {7}


async def test_a_record_that_fails_beside_a_portion_that_is_refused_as_a_whole_fails_the_poll(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await _that_takes("BETWEEN 11 AND 30 OR product_id > 60", open_shop, monkeypatch, products=90)
    _fail_first_record(shop, monkeypatch)
    report = await shop.cycle()
    assert (report.outcome, "it went away" in report.error) == (Outcome.FAILED, True)
    assert {one.product_id for one in (await shop.status()).quarantine} >= set(range(1, 11))


async def test_a_portion_that_was_put_off_is_no_matter_of_a_guard_that_holds_the_rest(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ", ".join(f"({product}, 'x', '1', 50)" for product in range(61, 91))
    insert = f"INSERT INTO stock_levels (product_id, sku, location_id, quantity) VALUES {rows}"
    shop = await _that_takes("> 30", open_shop, monkeypatch, insert, products=90)
    for product in range(61, 91):
        shop.catalogue.stock_take(product, 1, 0)
    report = await shop.cycle()
    assert report.outcome is Outcome.HELD
    assert report.guards == {"zeroed": 30}
    assert report.counts.quarantined == 60


async def test_a_cycle_that_is_cancelled_at_a_portion_s_boundary_is_cancelled_whatever_the_state_says(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(17)
    write, calls = shop.account.target.write, []

    async def stopping(*args: Any, **how: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            cycle.cancel()
            await asyncio.sleep(0)
        return await write(*args, **how)

    async def away(*_: Any) -> None:
        raise StateUnavailable("it went away")

    monkeypatch.setattr(shop.account.target, "write", stopping)
    monkeypatch.setattr(shop.account.state, "observe", away)
    cycle = asyncio.create_task(shop.cycle())
    await asyncio.wait([cycle])
    assert cycle.cancelled()
    monkeypatch.undo()
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def test_what_a_guard_holds_is_kept_and_shown_as_a_whole(open_shop: Any, planned: list[int]) -> None:
    shop = await open_shop(17)
    await shop.cycle()
    shop.simulator.faults.add("all=mass-zero")
    planned.clear()
    report = await shop.cycle(full=True)
    assert report.outcome is Outcome.HELD
    assert planned == [0]
    held = (await shop.status()).held
    assert held is not None
    assert len(held.cells) == 34


async def test_a_row_that_cannot_be_read_is_told_once(open_shop: Any, planned: list[int]) -> None:
    shop = await open_shop(17)
    shop.simulator.faults.add("product-7=bad-stock:null")
    report = await shop.cycle()
    assert max(planned) >= 3
    assert report.products["bad"] == 1
    quarantined = (await shop.status()).quarantine
    assert [one.attempts for one in quarantined] == [1]
    shop.simulator.faults.clear()
    assert (await shop.cycle(full=True)).products["bad"] == 0
    assert not (await shop.status()).quarantine
    assert await shop.rows() == shop.truth()
    assert Cell(7, "1").product_id in {product for product, _ in await shop.rows()}
