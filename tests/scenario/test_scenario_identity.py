"""Whom the acknowledgements belong to: changed maps, changed targets, restored states."""

import asyncio
import shutil
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import Died, Shop, die_before_write
from sqlalchemy import update

from stocksync.app import service
from stocksync.cli.format import account as shown
from stocksync.cli.format import cycle
from stocksync.config import build
from stocksync.core.report import Outcome
from stocksync.run.cycle import preview
from stocksync.state.schema import accounts

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


ANOTHER: dict[str, Callable[[Shop], dict[str, Any]]] = {
    "a database": lambda shop: {"url": f"sqlite:///{shop.folder / 'other.db'}"},
    "a table": lambda _: {"table": "second"},
    "a column": lambda _: {"columns": {**OWN, "quantity": "free_stock"}},
}
OWN = {"product_id": "product_id", "sku": "sku", "location": "location_id", "quantity": "quantity", "active": "active"}


@pytest.mark.parametrize("what", ANOTHER)
async def test_another_target_is_met_as_at_first_contact_and_one_line_says_so(
    open_shop: Any, what: str, capsys: Any
) -> None:
    shop = await open_shop(15)
    await shop.cycle()
    if what == "a column":
        await shop.sql("ALTER TABLE stock_levels ADD COLUMN free_stock NUMERIC")
    await shop.restart(target=ANOTHER[what](shop))
    assert len((await preview(shop.account)).apply) == 30
    assert "the next cycle compares it" in (await shop.audit(heal=True)).error
    report = await shop.cycle()
    assert (report.outcome, report.counts.applied) == (Outcome.DONE, 30)
    figure, table = (
        ("free_stock" if what == "a column" else "quantity"),
        ("second" if what == "a table" else "stock_levels"),
    )
    rows = await shop.sql(f"SELECT product_id, location_id, {figure} FROM {table}")
    assert {(row[0], row[1]): str(row[2]) for row in rows} == shop.truth()
    with shop.counting() as counted:
        assert (await shop.cycle()).counts.unchanged == 30
    assert counted.writes == []
    said = capsys.readouterr().out
    assert said.count("target_changed") == 1
    assert "acknowledgements_forgotten=30" in said


async def _copy(shop: Shop) -> None:
    ((made,),) = await shop.sql("SELECT sql FROM sqlite_master WHERE name = 'stock_levels'")
    await shop.sql(made.replace("stock_levels", "second"))
    await shop.sql("INSERT INTO second SELECT * FROM stock_levels")


async def test_what_another_target_holds_is_the_before_and_its_zeroes_wait(open_shop: Any) -> None:
    shop = await open_shop(15)
    for product in range(1, 9):
        shop.catalogue.stock_take(product, 1, 0)
    await shop.cycle()
    await _copy(shop)
    await shop.sql("UPDATE second SET quantity = 500 WHERE product_id < 9")
    await shop.restart(target={"table": "second"})
    report = await shop.cycle()
    assert (report.guards, report.counts.unchanged) == ({"zeroed": 8}, 14)
    assert [row[0] for row in await shop.sql("SELECT quantity FROM second WHERE product_id = 1")] == [500, 13]


async def test_a_look_up_writes_to_another_target_no_zero_that_no_cycle_has_weighed(open_shop: Any) -> None:
    shop = await open_shop(15)
    await shop.cycle()
    await _copy(shop)
    await shop.restart(target={"table": "second"})
    shop.catalogue.stock_take(2, 1, 0)
    shop.catalogue.stock_take(2, 3, 5)
    answer = await shop.look_up(product_id=2)
    assert answer.pushed == 1
    assert "wait for the next cycle" in answer.note
    look = "SELECT quantity FROM second WHERE product_id = 2 ORDER BY location_id"
    assert await shop.sql(look) == [(21,), (5,)]
    await shop.cycle()
    assert await shop.sql(look) == [(0,), (5,)]


async def test_the_first_target_that_a_state_is_told_of_is_the_one_it_knows(open_shop: Any) -> None:
    shop = await open_shop()
    await shop.cycle()
    async with shop.runtime.state.engine.begin() as connection:
        await connection.execute(update(accounts).values(target=None))
    await shop.restart()
    with shop.counting() as counted:
        assert (await shop.cycle()).counts.unchanged == 16
    assert counted.writes == []


async def _restored(open_shop: Any, **sections: Any) -> Shop:
    """Sell, back the state up, sell on, restore: the target is ahead of what the state knows."""
    shop: Shop = await open_shop(15, **sections)
    shop.catalogue.stock_take(2, 1, 5)
    await shop.cycle()
    await shop.close()
    shutil.copy(shop.folder / "state.db", shop.folder / "backup.db")
    await shop.enter()
    shop.catalogue.stock_take(2, 1, 73)
    shop.catalogue.stock_take(3, 1, 74)
    await shop.cycle()
    await shop.close()
    for tail in ("-wal", "-shm"):
        (shop.folder / f"state.db{tail}").unlink(missing_ok=True)
    shutil.copy(shop.folder / "backup.db", shop.folder / "state.db")
    shop.catalogue.stock_take(2, 1, 5)
    await shop.enter()
    return shop


FULL, CONFIRMING = {"full": True}, {"confirm": True}
THOROUGH = pytest.mark.parametrize("thorough", [FULL, CONFIRMING], ids=["all", "its rows"])


@THOROUGH
async def test_after_a_restored_state_a_cycle_that_looks_at_the_rows_believes_them(
    open_shop: Any, capsys: Any, thorough: dict[str, bool]
) -> None:
    shop = await _restored(open_shop)
    seen = await preview(shop.account, full=True)
    assert [str(change) for change in seen.apply] == ["P-02 @ 1: 73 → 5"]
    capsys.readouterr()
    report = await shop.cycle(**thorough)
    assert (report.counts.applied, report.counts.unchanged) == (1, 29), "what the target holds already is not written"
    assert await shop.rows() == shop.truth()
    said = capsys.readouterr().out
    assert "target_differs" in said
    assert "cells=2 " in said
    assert " of=30" in said
    with shop.counting() as counted:
        assert (await shop.cycle(**thorough)).counts.unchanged == 30
    assert counted.writes == []
    assert "target_differs" not in capsys.readouterr().out


async def test_after_a_restored_state_the_first_cycle_of_a_daemon_believes_the_rows(open_shop: Any) -> None:
    shop = await _restored(open_shop)
    await shop.close()
    config = build({**shop.data, "http": {"listen": "127.0.0.1:0"}}, shop.environ)
    async with service(config) as daemon:
        while not daemon.loop.runners["main"].lease:
            await _turn()
        await daemon.cycle_now("main")
        assert await shop.rows() == shop.truth()
        await shop.sql("UPDATE stock_levels SET quantity = 9 WHERE product_id = 4 AND location_id = '1'")
        report = await daemon.cycle_now("main")
        assert (report.counts.applied, (await shop.rows())[4, "1"]) == (0, "9"), "later edits are the audit's business"
    await shop.enter()


@THOROUGH
async def test_a_product_that_was_deleted_meanwhile_is_removed_though_the_state_is_older(
    open_shop: Any, thorough: dict[str, bool]
) -> None:
    shop = await _restored(open_shop)
    shop.catalogue.delete(3)
    await shop.cycle(**thorough)
    await shop.cycles(2)
    assert (await shop.actives())[3, "1"] is False


@THOROUGH
async def test_a_table_that_many_edited_waits_for_a_person_until_one_has_spoken(
    open_shop: Any, thorough: dict[str, bool]
) -> None:
    shop = await open_shop(15)
    for product in range(1, 9):
        shop.catalogue.stock_take(product, 1, 0)
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 7 WHERE quantity = 0")
    report = await shop.cycle(**thorough)
    assert report.guards == {"zeroed": 8}
    report = await shop.cycle()
    assert report.guards == {"zeroed": 8}, "what was found is remembered"
    await shop.approve()
    await shop.cycle()
    assert await shop.rows() == shop.truth()


@THOROUGH
async def test_rows_that_are_gone_are_made_again_once_they_are_looked_at(
    open_shop: Any, thorough: dict[str, bool]
) -> None:
    shop = await open_shop(3)
    await shop.cycle()
    await shop.sql("DELETE FROM stock_levels WHERE product_id = 2")
    assert (await shop.cycle()).counts.applied == 0
    assert (await shop.cycle(**thorough)).counts.applied == 2
    assert await shop.rows() == shop.truth()


@pytest.mark.parametrize("known", [True, False], ids=["restarted", "never polled"])
async def test_look_ups_of_many_processes_carry_no_mass_zero_past_the_guards(open_shop: Any, known: bool) -> None:
    shop = await open_shop(15)
    await shop.cycle()
    before = await shop.rows()
    if not known:
        await shop.close()
        (shop.folder / "state.db").unlink()
        await shop.enter()
    shop.simulator.faults.add("all=mass-zero")
    for product in range(1, 16):
        await shop.look_up(product_id=product)
        await shop.restart()
    zeroed = [key for key, figure in (await shop.rows()).items() if figure == "0" and before[key] != "0"]
    assert len(zeroed) == (4 if known else 0)
    assert (await shop.cycle()).guards, "the cycle holds the rest"
    assert len([key for key, figure in (await shop.rows()).items() if figure == "0"]) == len(zeroed)


async def test_a_complete_cycle_makes_room_for_look_ups_again(open_shop: Any) -> None:
    shop = await open_shop(15)
    await shop.cycle()
    for product in range(1, 5):
        shop.catalogue.stock_take(product, 1, 0)
        assert (await shop.look_up(product_id=product)).pushed == 1
    shop.catalogue.stock_take(5, 1, 0)
    assert (await shop.look_up(product_id=5)).pushed == 0
    await shop.cycle()
    shop.catalogue.stock_take(6, 1, 0)
    assert (await shop.look_up(product_id=6)).pushed == 1


async def _turn() -> None:
    await asyncio.sleep(0.01)
