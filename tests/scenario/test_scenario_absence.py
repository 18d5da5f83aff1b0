"""What is missing is unknown until Qoyod itself has said, twice and by id, that it is gone."""

from typing import Any

import pytest
from scenario_shop import Shop

from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.run import catalogue_slices
from stocksync.run.explain import explain


async def test_a_deleted_product_is_deactivated_after_two_complete_readings_and_a_question_by_id(
    shop: Shop, logs: list[dict[str, Any]]
) -> None:
    await shop.cycle()
    figures = await shop.rows()
    shop.catalogue.delete(4)
    shop.simulator.requests.clear()
    report = await shop.cycle()
    assert report.products["missing"] == 1
    assert set((await shop.actives()).values()) == {True}, "one reading is not enough"
    assert "/2.0/products/4" not in shop.asked()
    report = await shop.cycle()
    assert report.products["gone"] == 1
    assert "/2.0/products/4" in shop.asked()
    assert await shop.rows() == figures, "no figure is zeroed"
    assert {key for key, active in (await shop.actives()).items() if not active} == {(4, "1"), (4, "3")}
    assert [line["product_id"] for line in logs if line["event"] == "product_gone"] == [4]
    shop.simulator.requests.clear()
    with shop.counting() as counted:
        await shop.cycles(2)
    assert counted.writes == []
    assert "/2.0/products/4" not in shop.asked(), "what is known to be gone is not asked for again"
    ledger = await shop.ledger(4)
    assert [(str(row.change), row.change.cause) for row in ledger[:2]] == [
        ("P-04 @ 3: 43 → deactivated", "deleted"),
        ("P-04 @ 1: 41 → deactivated", "deleted"),
    ]


@pytest.mark.parametrize("rule", ["delete", "zero", "keep"])
async def test_what_becomes_of_a_deleted_product_is_policy(open_shop: Any, rule: str) -> None:
    shop = await open_shop(policy={"on_deleted": rule})
    await shop.cycle()
    figures = await shop.rows()
    shop.catalogue.delete(4)
    await shop.cycle()
    assert await shop.rows() == figures
    await shop.cycles(2)
    kept = {key: figure for key, figure in figures.items() if key[0] != 4}
    removed = {"delete": {}, "zero": {(4, "1"): "0", (4, "3"): "0"}, "keep": {(4, "1"): "41", (4, "3"): "43"}}
    assert await shop.rows() == {**kept, **removed[rule]}
    assert set((await shop.actives()).values()) == {True}
    with shop.counting() as counted:
        await shop.cycle()
    assert counted.writes == []


async def test_a_product_that_no_list_shows_but_that_answers_by_id_is_never_deactivated(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("product-4=hidden")
    await shop.cycles(4)
    assert set((await shop.actives()).values()) == {True}
    assert await shop.rows() == shop.truth()
    shop.catalogue.stock_take(4, 1, 7)
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


async def test_by_sku_one_that_only_its_id_shows_takes_no_row_of_another_that_bears_its_sku(open_shop: Any) -> None:
    shop = await open_shop(target={"match_by": "sku"}, poll={"cross_check": 0})
    await shop.cycle()
    shop.catalogue.rename(4, "P-02")
    shop.simulator.faults.add("product-4=hidden")
    await shop.cycles(4)
    found = await shop.sql("SELECT quantity FROM stock_levels WHERE sku = 'P-02' ORDER BY location_id")
    assert found == [(21,), (23,)], "product 2's own, which was recognised and not looked at otherwise"
    reasons = {entry.reason for entry in (await shop.status()).quarantine}
    assert reasons == {"products 2, 4 bear the SKU 'P-02'"}


async def test_a_product_that_comes_back_after_one_reading_starts_anew(shop: Shop) -> None:
    await shop.cycle()
    for _ in range(3):
        shop.simulator.faults.add("product-4=gone")
        await shop.cycle()
        shop.simulator.faults.clear()
        await shop.cycle()
    assert set((await shop.actives()).values()) == {True}
    snapshot = await shop.runtime.state.snapshot("main")
    assert {known.missing for known in snapshot.products.values()} == {0}


async def test_an_account_that_knows_no_product_by_id_proves_nothing(shop: Shop) -> None:
    await shop.cycle()
    before = await shop.rows()
    shop.catalogue.delete(4)
    shop.simulator.faults.add(*(f"product-{n}=404:Product not found" for n in range(1, 4)))
    report = await shop.cycles(4)
    assert report.verdict is Verdict.COMPLETE
    assert report.products["gone"] == 0
    assert await shop.rows() == before
    assert set((await shop.actives()).values()) == {True}


@pytest.mark.parametrize("fault", ["product-4=500", "product-4=404:URL not found", "product-4=reset"])
async def test_a_question_by_id_that_fails_proves_nothing(shop: Shop, fault: str) -> None:
    await shop.cycle()
    shop.catalogue.delete(4)
    shop.simulator.faults.add(fault)
    report = await shop.cycles(3)
    assert report.outcome is Outcome.DONE
    assert set((await shop.actives()).values()) == {True}
    shop.simulator.faults.clear()
    await shop.cycle()
    assert {key for key, active in (await shop.actives()).items() if not active} == {(4, "1"), (4, "3")}


@pytest.mark.parametrize("fault", ["product-3=500", "product-3=404:URL not found", "product-3=bad-stock:null"])
async def test_a_product_that_cannot_be_asked_for_keeps_no_other_from_being_removed(shop: Shop, fault: str) -> None:
    await shop.cycle()
    shop.simulator.faults.add(fault, "product-3=hidden")
    shop.catalogue.delete(4)
    await shop.cycles(2)
    assert {key for key, active in (await shop.actives()).items() if not active} == {(4, "1"), (4, "3")}
    shop.catalogue.delete(5)
    await shop.cycles(3)
    assert {key[0] for key, active in (await shop.actives()).items() if not active} == {4, 5}


async def test_a_witness_that_cannot_be_read_is_not_the_only_one(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("product-1=bad-stock:null", "product-2=500")
    shop.catalogue.delete(4)
    await shop.cycles(2)
    assert {key for key, active in (await shop.actives()).items() if not active} == {(4, "1"), (4, "3")}


async def test_what_was_asked_for_in_vain_is_told(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("product-4=500")
    shop.catalogue.delete(4)
    await shop.cycles(2)
    (found,) = await explain(shop.account, shop.runtime.state, "P-04")
    assert found.remark == "missing from the list, and the question for it by id fails"


async def test_readings_that_are_not_complete_do_not_count_towards_absence(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.delete(4)
    shop.simulator.requests.clear()  # the cross-check may have asked for it
    shop.simulator.faults.add("page-2=wrong-total:3")
    for _ in range(3):
        report = await shop.cycle()
        assert report.verdict is Verdict.INCONSISTENT
    assert set((await shop.actives()).values()) == {True}
    assert "/2.0/products/4" not in shop.asked()


async def test_a_product_that_comes_back_from_the_dead_is_written_again(shop: Shop) -> None:
    await shop.cycle()
    shop.simulator.faults.add("product-4=gone")
    await shop.cycles(2)
    assert not (await shop.actives())[4, "1"]
    shop.simulator.faults.clear()
    await shop.cycle()
    assert await shop.rows() == shop.truth()
    assert set((await shop.actives()).values()) == {True}


@pytest.mark.parametrize("rule", ["keep", "deactivate", "zero"])
async def test_a_product_that_is_no_longer_tracked_follows_its_own_rule(open_shop: Any, rule: str) -> None:
    shop = await open_shop(policy={"on_untracked": rule})
    await shop.cycle()
    figures = await shop.rows()
    shop.catalogue.untrack(4)
    report = await shop.cycle()
    zeroed = {(4, "1"): "0", (4, "3"): "0"} if rule == "zero" else {}
    assert await shop.rows() == {**figures, **zeroed}
    inactive = {key for key, active in (await shop.actives()).items() if not active}
    assert inactive == ({(4, "1"), (4, "3")} if rule == "deactivate" else set())
    assert report.counts.applied == (0 if rule == "keep" else 2)
    with shop.counting() as counted:
        await shop.cycle()
    assert counted.writes == []
    shop.catalogue.track(4)
    shop.catalogue.receipt(4, 1, 6)
    await shop.cycle()
    assert (await shop.rows())[4, "1"] == "6"
    assert (await shop.actives())[4, "1"]


async def test_a_tracked_product_without_inventories_is_unknown_and_ages_in_status(shop: Shop, later: Any) -> None:
    await shop.cycle()
    before = await shop.rows()
    shop.simulator.faults.add("product-4=no-movements")
    report = await shop.cycle()
    since = (await shop.status()).oldest_unknown
    later(hours=2)
    await shop.cycle()
    status = await shop.status()
    assert (status.unknown, status.oldest_unknown) == (2, since)
    assert report.cells["unknown"] == 2
    assert report.counts.ignored == 2
    assert await shop.rows() == before
    assert set((await shop.actives()).values()) == {True}
    shop.simulator.faults.clear()
    await shop.cycle()
    status = await shop.status()
    assert (status.unknown, status.oldest_unknown) == (0, None)


async def test_a_location_that_leaves_a_product_is_unknown_and_its_figure_stays(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.leave(4, 3)
    shop.catalogue.stock_take(4, 1, 9)
    await shop.cycles(3)
    rows = await shop.rows()
    assert (rows[4, "1"], rows[4, "3"]) == ("9", "43")
    status = await shop.status()
    assert status.unknown == 1
    explained = await _explained(shop, "P-04")
    assert "unknown" in explained["3"].remark


async def test_a_row_that_slips_over_a_page_boundary_while_we_read_is_not_taken_for_deleted(open_shop: Any) -> None:
    shop = await open_shop(20, poll={"per_page": 5})
    await shop.cycle()
    for victim in (1, 2, 3):
        shop.simulator.faults.add(f"list=delete-between-pages:{victim}")
        await shop.cycle()
    await shop.cycles(2)
    inactive = {key[0] for key, active in (await shop.actives()).items() if not active}
    assert inactive == {1, 2, 3}
    rows = await shop.rows()
    assert {key: rows[key] for key in shop.truth()} == shop.truth()


async def _explained(shop: Shop, sku: str) -> Any:
    (found,) = await explain(shop.account, shop.runtime.state, sku)
    return {cell.place: cell for cell in found.cells}


@pytest.mark.parametrize("heir", ["deleted", "renamed"])
async def test_a_row_left_to_an_heir_is_taken_out_of_use_when_the_heir_goes_too(open_shop: Any, heir: str) -> None:
    """By SKU: the deleted product's other place was the heir's to feed, until it had no heir any more."""
    shop = await open_shop(target={"match_by": "sku"}, poll={"cross_check": 0})
    await shop.cycle()
    shop.catalogue.delete(4)
    item = shop.catalogue.create("P-04", "the heir", stock={1: 7})
    await shop.cycles(4)
    active = "SELECT location_id, active FROM stock_levels WHERE sku = 'P-04' ORDER BY 1"
    assert await shop.sql(active) == [("1", 1), ("3", 1)]
    if heir == "deleted":
        shop.catalogue.delete(item.id)
    else:
        shop.catalogue.rename(item.id, "P-44")
    await shop.cycles(4)
    assert await shop.sql(active) == [("1", 0), ("3", 0)]


@pytest.mark.parametrize(("renamed", "other"), [(7, 20), (20, 7)])
@pytest.mark.parametrize("products", [4, 500], ids=["slices", "one"])
async def test_by_sku_a_row_that_two_leave_is_emptied_whichever_of_them_comes_first(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch, renamed: int, other: int, products: int
) -> None:
    monkeypatch.setattr(catalogue_slices, "_PRODUCTS", products)
    shop = await open_shop(
        24, target={"match_by": "sku"}, poll={"cross_check": 0}, policy={"on_untracked": "zero"},
        guards={"minimum_cells": 1000},
    )  # fmt: skip
    await shop.cycle()
    sku = shop.catalogue.item(other).sku
    shop.catalogue.untrack(renamed)
    await shop.cycles(2)  # zeroed under its own SKU
    shop.catalogue.rename(13, sku)
    await shop.cycle()
    shop.catalogue.untrack(other)
    await shop.cycle()
    shop.catalogue.rename(renamed, sku)
    await shop.cycles(2)  # both leave the row to 13
    shop.catalogue.rename(13, "P-13")
    await shop.cycles(2)
    assert {row[0] for row in await shop.sql("SELECT quantity FROM stock_levels WHERE sku = :sku", sku=sku)} == {0}
    assert (await shop.status()).quarantine == []
