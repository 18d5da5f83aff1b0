"""From an empty target to an equal one, and then nothing but changes."""

from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.simulator.catalogue import Catalogue


async def test_a_second_cycle_without_trade_applies_nothing_and_sends_the_target_no_write_statement(shop: Shop) -> None:
    with shop.counting() as first:
        report = await shop.cycle()
    assert report.outcome is Outcome.DONE
    assert report.counts.applied == 16
    assert first.writes, "the counter would not see a write"
    with shop.counting() as second:
        report = await shop.cycle()
    assert (report.verdict, report.counts.applied, report.counts.unchanged) == (Verdict.COMPLETE, 0, 16)
    assert second.writes == []
    assert await shop.rows() == shop.truth()


async def test_only_the_cells_that_changed_are_written(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("CREATE TABLE touched (product_id INTEGER, location_id TEXT)")
    await shop.sql(
        "CREATE TRIGGER watch AFTER UPDATE ON stock_levels BEGIN"
        " INSERT INTO touched VALUES (new.product_id, new.location_id); END"
    )
    shop.catalogue.sale(3, 1, 2)
    shop.catalogue.transfer(5, 1, 3, 4)
    report = await shop.cycle()
    assert report.counts.applied == 3
    assert sorted(await shop.sql("SELECT * FROM touched")) == [(3, "1"), (5, "1"), (5, "3")]
    assert await shop.rows() == shop.truth()


async def test_an_empty_catalogue_is_logged_and_the_write_step_is_skipped(open_shop: Any) -> None:
    shop = await open_shop(Catalogue(0, 1))
    with shop.counting() as counted:
        report = await shop.cycle()
    assert (report.outcome, report.verdict) == (Outcome.EMPTY, Verdict.EMPTY)
    assert counted.every == []


async def test_we_found_nothing_on_a_full_account_leaves_every_figure_and_says_so(large_shop: Shop) -> None:
    before = await large_shop.rows()
    for fault in ("list=nothing", "list=nothing:bare"):
        large_shop.simulator.faults.clear()
        large_shop.simulator.faults.add(fault)
        with large_shop.counting() as counted:
            report = await large_shop.cycles(3)
        assert report.outcome is Outcome.EMPTY
        assert counted.writes == []
    assert await large_shop.rows() == before
    assert set((await large_shop.actives()).values()) == {True}
    status = await large_shop.status()
    assert status.cycles[0].outcome is Outcome.EMPTY
    assert status.last_complete is not None
    assert status.last_attempt is not None
    assert status.last_complete < status.last_attempt


SHAPES = [
    ("stock as a decimal string", "all=stock-as:string"),
    ("stock as a number", "all=stock-as:number"),
    ("stock as an integer", "all=stock-as:integer"),
    ("tracking as a bit", "all=track-as:bit"),
    ("tracking as a boolean", "all=track-as:bool"),
    ("tracking as text", "all=track-as:text"),
    ("pagination as integers", "list=number-pagination"),
    ("a field that nobody knows", 'all=set:novelty={"deep": [1]}'),
    ("empty names", 'all=set:name_en=""'),
]


@pytest.mark.parametrize("fault", [fault for _, fault in SHAPES], ids=[name for name, _ in SHAPES])
async def test_every_shape_of_a_good_answer_is_understood(shop: Shop, fault: str) -> None:
    shop.simulator.faults.add(fault)
    shop.catalogue.stock_take(2, 1, "36.2084")
    shop.catalogue.stock_take(4, 3, "-3")
    shop.catalogue.create("SERVICE", tracked=False)
    shop.catalogue.create("NO-MOVEMENT")
    report = await shop.cycle()
    assert (report.verdict, report.outcome) == (Verdict.COMPLETE, Outcome.DONE)
    assert await shop.rows() == shop.truth()
    assert (await shop.rows())[2, "1"] == "36.2084"
    assert report.products["untracked"] == 1
    assert report.products["without_figures"] == 1


BAD_ROWS = [
    ("null is no figure", "bad-stock:null"),
    ("an empty string is no figure", 'bad-stock:""'),
    ("a boolean is no figure", "bad-stock:true"),
    ("false is no zero", "bad-stock:false"),
    ("a number that is none is no figure", 'bad-stock:"NaN"'),
    ("infinity is no figure", 'bad-stock:"Infinity"'),
    ("an absurd size is no figure", 'bad-stock:"1e400"'),
    ("a word is no figure", 'bad-stock:"many"'),
    ("a list is no figure", "bad-stock:[1]"),
    ("tracking is yes or no", "set:track_quantity=7"),
    ("tracking that is null is unknown", "set:track_quantity=null"),
    ("a product without the inventories key is no product without stock", "no-inventories"),
    ("inventories that are null are unknown", "set:inventories=null"),
    ("a string is no product", "not-object"),
]
"""What is wrong, and the fault that makes it: product 1 meets the first one, product 2 the second, and so on."""


def spoil(shop: Shop) -> None:
    shop.simulator.faults.add(*(f"product-{product}={fault}" for product, (_, fault) in enumerate(BAD_ROWS, 1)))


async def test_every_row_that_cannot_be_read_is_set_aside_and_its_last_good_figure_stays(open_shop: Any) -> None:
    shop = await open_shop(len(BAD_ROWS) + 8)
    await shop.cycle()
    good = await shop.rows()
    spoil(shop)
    for product in range(1, len(BAD_ROWS) + 1):
        shop.catalogue.stock_take(product, 1, 999)
    sound = len(BAD_ROWS) + 1
    shop.catalogue.stock_take(sound, 1, 77)
    report = await shop.cycles(3)
    rows = await shop.rows()
    for product, (why, _) in enumerate(BAD_ROWS, 1):
        assert (rows[product, "1"], rows[product, "3"]) == (good[product, "1"], good[product, "3"]), why
    assert rows == {**good, (sound, "1"): "77"}
    assert set((await shop.actives()).values()) == {True}
    assert report.products["bad"] == len(BAD_ROWS)
    assert report.counts.quarantined >= len(BAD_ROWS) - 1


async def test_a_row_that_cannot_be_read_is_shown_with_its_reason_and_released_when_it_can(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.stock_take(3, 1, 999)
    shop.simulator.faults.add("product-3=bad-stock:null")
    await shop.cycles(2)
    entry, *others = (await shop.status()).quarantine
    assert others == []
    assert (entry.product_id, entry.side, entry.attempts) == (3, "source", 2)
    assert "stock" in entry.reason
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()
    assert (await shop.status()).quarantined == 0


async def test_a_row_that_was_never_readable_is_written_nowhere(open_shop: Any) -> None:
    shop = await open_shop(len(BAD_ROWS) + 8)
    spoil(shop)
    await shop.cycle()
    assert await shop.rows() == {key: figure for key, figure in shop.truth().items() if key[0] > len(BAD_ROWS)}


async def test_a_sku_is_kept_as_text_with_its_leading_zeros(shop: Shop) -> None:
    shop.catalogue.rename(1, "000123")
    shop.catalogue.rename(2, " padded ")
    await shop.cycle()
    skus = dict(await shop.sql("SELECT product_id, sku FROM stock_levels WHERE location_id = '1'"))
    assert (skus[1], skus[2]) == ("000123", " padded ")


async def test_a_product_whose_sku_is_null_is_still_kept_by_its_id(shop: Shop) -> None:
    shop.simulator.faults.add("product-2=set:sku=null")
    await shop.cycle()
    assert (await shop.rows())[2, "1"] == "21"
    assert await shop.rows() == shop.truth()


async def test_how_far_qoyods_clock_is_from_ours_is_kept_with_the_cycle(shop: Shop) -> None:
    await shop.cycle()
    (report,) = (await shop.status()).cycles
    assert report.clock_skew_seconds is not None
    assert abs(report.clock_skew_seconds) < 60
