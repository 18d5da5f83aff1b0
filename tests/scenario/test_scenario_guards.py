"""What a broken account could do to a shop, and what it does: nothing, until a person has said so."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import Shop, small_catalogue

from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, headline
from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.errors import TargetUnavailable


async def _unharmed(shop: Shop, before: dict[Any, str]) -> None:
    assert await shop.rows() == before
    assert set((await shop.actives()).values()) == {True}


async def _guards(shop: Shop) -> set[Guard]:
    held = (await shop.status()).held
    return {guard for one in held.changes for guard in one.guards} if held else set()


async def test_a_mass_zero_is_held_and_shown_row_by_row(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("all=mass-zero")
    for _ in range(3):
        report = await large_shop.cycle()
        assert report.outcome is Outcome.HELD
        assert (report.counts.held, report.counts.applied) == (30, 0)
    await _unharmed(large_shop, before)
    held = (await large_shop.status()).held
    assert held is not None
    assert held.decision is Decision.WAITING
    assert [str(one.change) for one in held.changes[:2]] == ["P-01 @ 1: 11 → 0", "P-01 @ 3: 13 → 0"]
    assert list(held.reasons) == ["zeroed", "changed"]
    assert headline(held) == "30 figures would go to 0 (2,460 units)"
    large_shop.simulator.faults.clear()
    assert (await large_shop.cycle()).outcome is Outcome.DONE
    assert (await large_shop.status()).held is None
    await _unharmed(large_shop, before)


async def test_a_list_of_zeroes_that_the_look_ups_contradict_is_not_believed(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("list=mass-zero")
    report = await large_shop.cycles(2)
    assert report.outcome is Outcome.HELD
    assert report.cross_checks == {"different": 1}
    await _unharmed(large_shop, before)
    assert Guard.CROSS_CHECK in await _guards(large_shop)


async def test_what_was_begun_on_the_word_of_a_list_that_the_look_up_contradicts_is_not_repeated(
    open_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = await open_shop(12, poll={"cross_check": 12})
    await shop.cycle()
    before = await shop.rows()
    shop.catalogue.stock_take(3, 1, 38)
    with monkeypatch.context() as patched:
        patched.setattr(shop.account.target, "write", _away)
        assert (await shop.cycle()).outcome is Outcome.FAILED
    product = shop.account.source.product

    async def otherwise(product_id: int, *how: Any) -> Any:
        found = await product(product_id, *how)
        return replace(found, stock={**found.stock, 1: Decimal(31)}) if product_id == 3 else found

    with monkeypatch.context() as patched:
        patched.setattr(shop.account.source, "product", otherwise)
        report = await shop.cycle()
    assert report.cross_checks["different"] == 1
    assert await shop.rows() == before, "the list says 38, and the product itself 31"
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert await shop.rows() == shop.truth()


async def _away(*_: Any, **_how: Any) -> Any:
    raise TargetUnavailable("it is away")


async def test_too_many_zeroes_wait_and_every_other_change_flows(large_shop: Shop) -> None:
    for product in range(1, 6):
        large_shop.catalogue.stock_take(product, 1, 0)
    large_shop.catalogue.stock_take(9, 1, 1)
    report = await large_shop.cycle()
    rows = await large_shop.rows()
    assert [rows[product, "1"] for product in range(1, 6)] == ["11", "21", "31", "41", "51"]
    assert rows[9, "1"] == "1"
    assert report.guards == {"zeroed": 5}
    assert await _guards(large_shop) == {Guard.ZEROED}


async def test_a_few_zeroes_are_ordinary_trade(large_shop: Shop) -> None:
    for product in range(1, 5):
        large_shop.catalogue.stock_take(product, 1, 0)
    assert (await large_shop.cycle()).outcome is Outcome.DONE
    assert await large_shop.rows() == large_shop.truth()


async def test_a_halved_catalogue_deactivates_nothing(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("all=halve")
    reports = [await large_shop.cycle() for _ in range(4)]
    await _unharmed(large_shop, before)
    assert reports[-1].outcome is Outcome.HELD
    assert [report.products["gone"] for report in reports] == [0, 7, 0, 0]
    assert await _guards(large_shop) <= {Guard.TOTAL_FALL, Guard.DELETED}
    assert len((await large_shop.status()).held.changes) == 14
    large_shop.simulator.faults.clear()
    await large_shop.cycles(2)
    assert (await large_shop.status()).held is None
    await _unharmed(large_shop, before)


async def test_a_catalogue_that_stays_halved_deactivates_nothing_by_lasting(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("all=halve")
    await large_shop.cycles(13)
    await _unharmed(large_shop, before)
    assert await _guards(large_shop), "what is unusual does not become usual by lasting"


async def test_a_deletion_of_half_the_catalogue_is_carried_out_when_a_person_approves(large_shop: Shop) -> None:
    for product in range(8, 16):
        large_shop.catalogue.delete(product)
    await large_shop.cycles(2)
    assert set((await large_shop.actives()).values()) == {True}
    await large_shop.approve()
    report = await large_shop.cycle()
    assert report.counts.applied == 16
    inactive = {key[0] for key, active in (await large_shop.actives()).items() if not active}
    assert inactive == set(range(8, 16))
    assert (await large_shop.status()).held is None


@pytest.mark.parametrize("body", ["URL not found", "Product not found", ""])
async def test_a_404_on_everything_is_an_error_and_destroys_nothing(large_shop: Shop, body: str) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add(f"all=404:{body}")
    report = await large_shop.cycles(4)
    assert report.outcome is Outcome.FAILED
    assert "check base_url" in report.error
    await _unharmed(large_shop, before)
    status = await large_shop.status()
    assert status.consecutive_failures == 4
    assert status.last_complete is not None


async def test_a_location_that_vanishes_everywhere_is_unknown_everywhere(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("location-3=vanish")
    report = await large_shop.cycles(4)
    await _unharmed(large_shop, before)
    assert report.verdict is Verdict.COMPLETE
    status = await large_shop.status()
    assert status.unknown == 15
    assert status.oldest_unknown is not None
    assert report.cells["unknown"] == 15


async def test_more_changes_than_usual_wait_but_never_in_the_first_cycle(large_shop: Shop) -> None:
    for (product, place), figure in large_shop.catalogue.figures().items():
        large_shop.catalogue.stock_take(product, place, figure + 1)
    before = await large_shop.rows()
    report = await large_shop.cycle()
    assert report.guards == {"changed": 30}
    await _unharmed(large_shop, before)
    await large_shop.approve()
    await large_shop.cycle()
    assert await large_shop.rows() == large_shop.truth()


async def test_an_approval_of_other_figures_than_those_that_stand_now_lapses(large_shop: Shop) -> None:
    for product in range(1, 7):
        large_shop.catalogue.stock_take(product, 1, 0)
    before = await large_shop.rows()
    await large_shop.cycle()
    await large_shop.approve()
    for product in range(1, 7):
        large_shop.catalogue.stock_take(product, 1, -1)
    report = await large_shop.cycle()
    assert report.guards == {"zeroed": 6}
    held = (await large_shop.status()).held
    assert held is not None
    assert held.decision is Decision.WAITING
    await _unharmed(large_shop, before)
    for product in range(1, 7):
        large_shop.catalogue.stock_take(product, 1, 0)
    await large_shop.cycle()
    held = (await large_shop.status()).held
    assert held is not None
    assert held.decision is Decision.WAITING, "an approval does not come back to life"
    await _unharmed(large_shop, before)


async def test_an_approved_plan_is_not_carried_out_when_the_facts_have_changed(large_shop: Shop) -> None:
    for product in range(1, 7):
        large_shop.catalogue.stock_take(product, 1, 0)
    before = await large_shop.rows()
    await large_shop.cycle()
    first = (await large_shop.status()).held
    await large_shop.approve()
    large_shop.catalogue.stock_take(7, 1, 0)
    report = await large_shop.cycle()
    second = (await large_shop.status()).held
    assert report.outcome is Outcome.HELD
    assert (second.plan_id, second.created_at) == (first.plan_id, first.created_at), "the same guard holds"
    assert second.decision is Decision.WAITING, "the approval was of other figures"
    await _unharmed(large_shop, before)
    large_shop.catalogue.stock_take(7, 1, 71)
    await large_shop.cycle()
    assert (await large_shop.status()).held.decision is Decision.WAITING, "an approval does not come back to life"
    await _unharmed(large_shop, before)


async def test_a_rejected_plan_stays_unapplied_until_the_facts_change(large_shop: Shop) -> None:
    for product in range(1, 7):
        large_shop.catalogue.stock_take(product, 1, 0)
    before = await large_shop.rows()
    await large_shop.cycle()
    await large_shop.approve(yes=False)
    await large_shop.cycles(2)
    held = (await large_shop.status()).held
    assert held.decision is Decision.REJECTED
    assert held.decided_by == "a person"
    await _unharmed(large_shop, before)
    large_shop.catalogue.receipt(1, 1, 3)
    await large_shop.cycle()
    assert (await large_shop.rows())[1, "1"] == "3"
    assert (await large_shop.status()).held == held.only(sorted(held.cells)[1:])


async def test_a_held_plan_keeps_its_age_while_it_stays_the_same(large_shop: Shop, later: Any) -> None:
    large_shop.simulator.faults.add("all=mass-zero")
    await large_shop.cycle()
    first = (await large_shop.status()).held
    later(hours=1)
    await large_shop.cycles(2)
    assert (await large_shop.status()).held == first


async def test_a_small_catalogue_is_not_held_hostage(shop: Shop) -> None:
    await shop.cycle()
    for product, place in shop.catalogue.figures():
        shop.catalogue.stock_take(product, place, 0)
    assert (await shop.cycle()).outcome is Outcome.DONE
    assert set((await shop.rows()).values()) == {"0"}


async def test_guards_are_as_strict_as_configured(open_shop: Any) -> None:
    shop = await open_shop(small_catalogue(8), guards={"minimum_cells": 0, "zeroed": "10%"})
    await shop.cycle()
    shop.catalogue.stock_take(1, 1, 0)
    assert (await shop.cycle()).guards == {}, "1 of 16 is less than a tenth"
    shop.catalogue.stock_take(2, 1, 0)
    shop.catalogue.stock_take(3, 1, 0)
    assert (await shop.cycle()).guards == {"zeroed": 2}


async def test_a_list_that_lies_is_held_and_nothing_of_it_is_written(large_shop: Shop) -> None:
    before = await large_shop.rows()
    large_shop.simulator.faults.add("list=lie-stock")
    report = await large_shop.cycles(2)
    assert report.outcome is Outcome.HELD
    assert report.counts.applied == 0
    assert Guard.CROSS_CHECK in await _guards(large_shop)
    await _unharmed(large_shop, before)
    large_shop.simulator.faults.clear()
    assert (await large_shop.cycle()).outcome is Outcome.DONE
    await _unharmed(large_shop, before)


async def test_a_lying_list_is_not_believed_in_the_first_cycle_of_a_small_shop_either(shop: Shop) -> None:
    shop.simulator.faults.add("list=lie-stock")
    report = await shop.cycle()
    assert report.outcome is Outcome.HELD
    made = "SELECT name FROM sqlite_master WHERE name = 'stock_levels'"
    assert await shop.sql(made) == []


async def test_stock_that_moved_between_list_and_look_up_is_no_lie(open_shop: Any) -> None:
    shop = await open_shop(poll={"cross_check": 2})
    await shop.cycle()
    shop.catalogue.stock_take(2, 1, 5)
    product, once = shop.account.source.product, []

    async def after_a_sale(product_id: int, *rest: Any) -> Any:
        if not once:
            once.append(shop.catalogue.sale(2, 1, 1))
        return await product(product_id, *rest)

    shop.account.source.product = after_a_sale  # type: ignore[method-assign]
    report = await shop.cycle()
    assert report.cross_checks == {"moved": 1, "same": 1}
    assert report.outcome is Outcome.DONE
    assert (await shop.rows())[2, "1"] == "4"
