"""What becomes of a figure on its way: locations, sums, buffers, negatives, decimals."""

from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.report import Outcome

ONE_FIGURE = ("CREATE TABLE goods (id BIGINT PRIMARY KEY, stock INTEGER, name TEXT DEFAULT 'theirs')",)
ONE_FIGURE_TARGET = {"table": "goods", "create_table": False, "columns": {"product_id": "id", "quantity": "stock"}}
KEEP = {"on_deleted": "keep"}


async def test_locations_are_written_under_the_names_that_the_map_gives_them(open_shop: Any) -> None:
    shop = await open_shop(3, locations={"map": {1: "MAIN", 3: "OUTLET"}})
    await shop.cycle()
    assert await shop.rows() == {
        (product, place): str(product * 10 + number)
        for product in (1, 2, 3)
        for place, number in (("MAIN", 1), ("OUTLET", 3))
    }


async def test_two_locations_on_one_place_are_summed(open_shop: Any) -> None:
    shop = await open_shop(2, locations={"map": {1: "MAIN", 3: "MAIN"}})
    await shop.cycle()
    assert await shop.rows() == {(1, "MAIN"): "24", (2, "MAIN"): "44"}


async def test_a_location_that_the_map_does_not_name_goes_by_its_id_or_is_ignored_or_held(open_shop: Any) -> None:
    expected = {
        "as_is": {(1, "MAIN"): "11", (1, "3"): "13"},
        "ignore": {(1, "MAIN"): "11"},
        "hold": {(1, "MAIN"): "11"},
    }
    for rule, rows in expected.items():
        shop = await open_shop(1, locations={"map": {1: "MAIN"}, "unmapped": rule})
        report = await shop.cycle()
        assert await shop.rows() == rows
        assert (report.counts.ignored, report.counts.held) == {"as_is": (0, 0), "ignore": (1, 0), "hold": (0, 1)}[rule]


async def test_without_a_location_column_a_product_is_the_sum_over_the_mapped_locations_alone(open_shop: Any) -> None:
    shop = await open_shop(
        2, prepare=ONE_FIGURE, target=ONE_FIGURE_TARGET, policy=KEEP, locations={"map": {3: "counts"}}
    )
    await shop.cycle()
    assert await shop.sql("SELECT id, stock, name FROM goods ORDER BY id") == [(1, 13, "theirs"), (2, 23, "theirs")]
    await shop.restart(locations={"map": {1: "counts", 3: "counts"}})
    await shop.cycle()
    assert await shop.sql("SELECT id, stock FROM goods ORDER BY id") == [(1, 24), (2, 44)]


async def test_a_location_that_leaves_a_sum_makes_the_sum_unknown_not_smaller(open_shop: Any) -> None:
    shop = await open_shop(
        2, prepare=ONE_FIGURE, target=ONE_FIGURE_TARGET, policy=KEEP, locations={"map": {1: "a", 3: "a"}}
    )
    await shop.cycle()
    shop.catalogue.leave(1, 3)
    await shop.cycles(3)
    assert await shop.sql("SELECT id, stock FROM goods ORDER BY id") == [(1, 24), (2, 44)]
    assert (await shop.status()).unknown == 1


async def test_a_buffer_is_kept_back_but_makes_no_figure_negative(open_shop: Any) -> None:
    shop = await open_shop(2, policy={"buffer": 15})
    shop.catalogue.stock_take(2, 3, -4)
    await shop.cycle()
    assert await shop.rows() == {(1, "1"): "0", (1, "3"): "0", (2, "1"): "6", (2, "3"): "-4"}


@pytest.mark.parametrize(("rule", "figure"), [("pass", "-5"), ("zero", "0"), ("hold", "11")])
async def test_a_figure_below_zero_is_passed_or_floored_or_held(open_shop: Any, rule: str, figure: str) -> None:
    shop = await open_shop(2, policy={"negative": rule})
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, -5)
    shop.catalogue.stock_take(2, 1, 8)
    report = await shop.cycle()
    rows = await shop.rows()
    assert rows[1, "1"] == figure
    assert rows[2, "1"] == "8"
    assert report.outcome is (Outcome.HELD if rule == "hold" else Outcome.DONE)
    assert report.discrepancies == ({"negative_floored": 1} if rule == "zero" else {})


async def test_a_held_negative_is_shown_and_written_when_a_person_approves(open_shop: Any) -> None:
    shop = await open_shop(2, policy={"negative": "hold"})
    shop.catalogue.stock_take(1, 1, -5)
    await shop.cycle()
    assert (1, "1") not in await shop.rows()
    held = (await shop.status()).held
    assert [str(one.change) for one in held.changes] == ["P-01 @ 1: nothing → -5"]
    await shop.approve()
    await shop.cycle()
    assert (await shop.rows())[1, "1"] == "-5"
    assert (await shop.status()).held is None


@pytest.mark.parametrize(("rule", "figures"), [("floor", [2, -3, 7]), ("nearest", [3, -2, 7]), ("reject", [11, 21, 7])])
async def test_decimals_that_an_integer_column_cannot_keep_are_rounded_or_rejected(
    open_shop: Any, rule: str, figures: list[int]
) -> None:
    shop = await open_shop(
        3, prepare=ONE_FIGURE, target=ONE_FIGURE_TARGET, policy={**KEEP, "rounding": rule}, locations={"map": {1: "a"}}
    )
    await shop.cycle()
    for product, quantity in ((1, "2.6"), (2, "-2.4"), (3, "7.0")):
        shop.catalogue.stock_take(product, 1, quantity)
    report = await shop.cycle()
    assert await shop.sql("SELECT id, stock FROM goods ORDER BY id") == [(i, f) for i, f in enumerate(figures, 1)]
    if rule == "reject":
        assert [entry.side for entry in (await shop.status()).quarantine] == ["target", "target"]
        assert report.counts.quarantined == 2
    else:
        assert report.discrepancies == {"fraction_rounded": 2}
        with shop.counting() as counted:
            await shop.cycle()
        assert counted.writes == [], "the rounded figure is not seen as a difference again and again"


async def test_untracked_products_and_products_without_movements_are_never_written(shop: Shop) -> None:
    service = shop.catalogue.create("SERVICE", tracked=False)
    new = shop.catalogue.create("NEW")
    report = await shop.cycle()
    assert {key[0] for key in await shop.rows()}.isdisjoint({service.id, new.id})
    shop.catalogue.receipt(new.id, 1, 5)
    await shop.cycle()
    assert (await shop.rows())[new.id, "1"] == "5"
    assert report.outcome is Outcome.DONE
