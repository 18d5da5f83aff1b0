"""What a person decided on a held plan, through the cycles that follow: kept, used once, recorded."""

from datetime import timedelta
from typing import Any

import pytest
from leasing import claim
from scenario_shop import Died, Shop, die_before_write

from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldPlan, headline
from stocksync.core.model import Verdict
from stocksync.core.report import Outcome
from stocksync.state.database import Database

TTL = timedelta(minutes=5)
APPROVED = "approved {} by a person"


async def _wiped(shop: Shop) -> HeldPlan:
    for product in range(1, 7):
        for place in (1, 3):
            shop.catalogue.stock_take(product, place, 0)
    assert (await shop.cycle()).outcome is Outcome.HELD
    held = (await shop.status()).held
    assert held is not None
    return held


async def _approved(shop: Shop) -> HeldPlan:
    held = await _wiped(shop)
    return await shop.runtime.state.decide(held.plan_id, True, "a person", held.fingerprint)


async def _still(shop: Shop, approved: HeldPlan) -> None:
    assert (await shop.status()).plans == [approved], "the approval stands, and nothing waits"


async def test_an_approval_survives_a_cycle_whose_target_is_away(large_shop: Shop) -> None:
    approved = await _approved(large_shop)
    die_before_write(large_shop)
    with pytest.raises(Died):
        await large_shop.cycle()
    await large_shop.restart()
    await _still(large_shop, approved)
    large_shop.runtime.state.lock()
    assert (await large_shop.cycle()).outcome is Outcome.DONE
    assert await large_shop.rows() == large_shop.truth()
    assert (await large_shop.status()).plans == []


@pytest.mark.parametrize("fault", ["page-2=500x3", "page-1=500x3", "list=nothing", "page-2=truncatex3"])
async def test_an_approval_survives_a_reading_that_is_not_complete(large_shop: Shop, fault: str) -> None:
    approved = await _approved(large_shop)
    before = await large_shop.rows()
    large_shop.simulator.faults.add(fault)
    report = await large_shop.cycle()
    assert report.verdict is not Verdict.COMPLETE, "the fault struck"
    await _still(large_shop, approved)
    assert await large_shop.rows() == before, "a part of a reading shows the guards less than there is"
    large_shop.simulator.faults.clear()
    assert (await large_shop.cycle()).outcome is Outcome.DONE
    assert await large_shop.rows() == large_shop.truth()


@pytest.mark.parametrize("fault", ["page-1=500x3", "page-2=500x3", "list=nothing", "all=401x9"])
async def test_a_reading_that_is_not_complete_neither_replaces_a_plan_nor_makes_it_young(
    large_shop: Shop, later: Any, fault: str
) -> None:
    held = await _wiped(large_shop)
    later(hours=1)
    large_shop.simulator.faults.add(fault)
    await large_shop.cycle()
    assert (await large_shop.status()).plans == [held]


async def test_the_ledger_says_whose_approval_it_was_and_the_decision_is_on_record(large_shop: Shop) -> None:
    approved = await _approved(large_shop)
    await large_shop.cycle()
    rows = await large_shop.ledger(1)
    assert {row.change.cause for row in rows[:2]} == {APPROVED.format(approved.plan_id)}
    (decision,) = await large_shop.runtime.state.decisions("main", 1)
    assert (decision.decision, decision.decided_by, len(decision.changes)) == (Decision.APPROVED, "a person", 2)


async def test_each_decision_is_logged_once(large_shop: Shop, logs: list[dict[str, Any]]) -> None:
    approved = await _approved(large_shop)
    large_shop.simulator.faults.add("page-1=500x6")
    await large_shop.cycles(3)
    told = [(line["event"], line["plan"], line["effect"]) for line in logs if line["event"].startswith("plan_")]
    said = "12 figures would go to 0 (444 units)"
    assert told == [("plan_held", approved.plan_id, said), ("plan_approved", approved.plan_id, said)]


async def test_a_wipe_is_called_a_wipe_whatever_else_it_is(large_shop: Shop) -> None:
    for product in range(1, 16):
        for place in (1, 3):
            large_shop.catalogue.stock_take(product, place, 0)
    await large_shop.cycle()
    status = await large_shop.status()
    assert status.held is not None
    assert {one.guards for one in status.held.changes} == {(Guard.ZEROED, Guard.CHANGED)}
    assert headline(status.held) == "30 figures would go to 0 (2,460 units)"


async def test_a_rejected_plan_asks_for_nothing_while_the_shop_trades(large_shop: Shop) -> None:
    held = await _wiped(large_shop)
    await large_shop.runtime.state.decide(held.plan_id, False, "a person")
    before = await large_shop.rows()
    for stock in (70, 69, 68):
        large_shop.catalogue.stock_take(9, 1, stock)
        report = await large_shop.cycle()
        assert (report.outcome, report.open_guards) == (Outcome.DONE, {})
    status = await large_shop.status()
    assert status.waiting == []
    assert await large_shop.rows() == before | {(9, "1"): "68"}
    assert large_shop.truth() != before


async def test_one_guards_part_of_a_plan_is_decided_alone(large_shop: Shop) -> None:
    for product in range(1, 13):
        for place in (1, 3):
            large_shop.catalogue.stock_take(product, place, 0 if product < 5 else 500)
    await large_shop.cycle()
    held = (await large_shop.status()).held
    assert held is not None
    said = await large_shop.runtime.state.decide(held.plan_id, True, "a person", guard=Guard.ZEROED)
    assert {one.change.product_id for one in said.changes} == {1, 2, 3, 4}
    await large_shop.cycle()
    rows = await large_shop.rows()
    assert {key for key, figure in rows.items() if figure == "0"} == {(n, place) for n in range(1, 5) for place in "13"}


async def test_healing_that_a_guard_holds_waits_and_is_approved_like_any_other(large_shop: Shop) -> None:
    await large_shop.sql("UPDATE stock_levels SET quantity = 500")
    found = await large_shop.audit(heal=True)
    assert (found.healed, found.held) == (0, 30)
    status = await large_shop.status()
    assert [(plan.cause, plan.plan_id) for plan in status.waiting] == [("heal", found.plan_id)]
    assert headline(status.waiting[0]) == "30 figures would be put back"
    await large_shop.cycle()
    assert (await large_shop.status()).waiting == status.waiting, "a poll has no say in it"
    await large_shop.approve()
    assert (await large_shop.audit()).healed == 30, "also where drift.heal is off"
    assert await large_shop.rows() == large_shop.truth()
    assert (await large_shop.status()).plans == []
    assert (await large_shop.ledger(1))[0].change.cause == APPROVED.format(found.plan_id)


async def test_healing_that_is_rejected_is_not_asked_again_until_another_hand_edits(large_shop: Shop) -> None:
    await large_shop.sql("UPDATE stock_levels SET quantity = 500")
    await large_shop.audit(heal=True)
    await large_shop.approve(yes=False)
    found = await large_shop.audit(heal=True)
    assert (found.healed, found.held, (await large_shop.status()).waiting) == (0, 0, [])
    await large_shop.sql("UPDATE stock_levels SET quantity = 501 WHERE product_id = 1 AND location_id = '1'")
    again = await large_shop.audit(heal=True)
    assert (again.held, again.plan_id != found.plan_id) == (1, True), "what nobody has decided on is asked"


async def test_a_killed_writer_on_sqlite_is_followed_at_once(large_shop: Shop) -> None:
    state = large_shop.runtime.state
    state.lock()
    lease = await claim(state, "main", "killed", TTL)
    await large_shop.close()
    await large_shop.enter()
    state = large_shop.runtime.state
    assert isinstance(state, Database)
    assert await claim(state, "main", "looks", TTL) is None, "without the lock it might live"
    state.lock()
    taken = await claim(state, "main", "next", TTL)
    assert taken is not None
    assert lease is not None
    assert taken.epoch == lease.epoch + 1
