"""A large catalogue is weighed as a whole and written portion by portion; here a portion has five products."""

from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.model import Cell
from stocksync.core.report import Outcome
from stocksync.errors import StateUnavailable, TargetUnavailable
from stocksync.run import portions
from stocksync.run.portions import Portions

CHECKED = (
    "CREATE TABLE stock_levels (product_id INTEGER CHECK (product_id {}), sku TEXT, location_id TEXT,"
    " quantity NUMERIC, updated_at TEXT, active INTEGER, PRIMARY KEY (product_id, location_id))"
)
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


async def test_portions_come_to_the_same_as_one_piece(
    open_shop: Any, planned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    divided = await _seen(await open_shop(17))
    assert planned[:4] == [0, 1, 2, 3]
    monkeypatch.setattr(portions, "_KEPT", 1000)
    monkeypatch.setattr(portions, "_CELLS", 1000)
    planned.clear()
    assert await _seen(await open_shop(17)) == divided
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
    written: list[int] = []

    async def look() -> None:
        written.append(len(await shop.rows()))

    _before_portion(monkeypatch, 3, look)
    assert (await shop.cycle()).counts.applied == 34
    assert 10 <= written[0] < 34


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
    assert (await shop.cycle()).counts.applied == 34
    assert await shop.rows() == shop.truth()
    assert await shop.sql("SELECT count(*) FROM stock_levels") == [(34,)]


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
