"""Where the target is not what we wrote, why, and what puts it right; and how each number came about."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from scenario_shop import Died, Shop, die_before_write

from stocksync.app import commands
from stocksync.core.report import Outcome
from stocksync.errors import NotFound
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle
from stocksync.run.explain import explain
from stocksync.run.leases import lead


async def test_an_audit_of_an_untouched_target_finds_nothing(shop: Shop) -> None:
    await shop.cycle()
    report = await shop.audit()
    assert (report.compared, report.cells, report.error) == (16, {}, "")


async def test_each_difference_has_one_cause(open_shop: Any) -> None:
    guard = (
        "CREATE TABLE stock_levels (product_id BIGINT NOT NULL, location_id TEXT NOT NULL, quantity NUMERIC"
        " CHECK (quantity < 900), active BOOLEAN DEFAULT 1, PRIMARY KEY (product_id, location_id))"
    )
    columns = {"product_id": "product_id", "location": "location_id", "quantity": "quantity", "active": "active"}
    shop = await open_shop(
        prepare=(guard,), target={"columns": columns, "create_table": False}, policy={"negative": "hold"}
    )
    await shop.cycle()
    shop.catalogue.stock_take(3, 1, 950)
    shop.catalogue.stock_take(4, 1, -7)
    await shop.cycle()
    shop.catalogue.stock_take(5, 1, 1)
    die_before_write(shop)
    with pytest.raises(Died):
        await shop.cycle()
    await shop.close()
    await shop.enter()
    await shop.expire_lease()
    await shop.sql("UPDATE stock_levels SET quantity = 15 WHERE product_id = 1 AND location_id = '1'")
    await shop.sql("DELETE FROM stock_levels WHERE product_id = 2 AND location_id = '1'")
    await shop.sql("INSERT INTO stock_levels VALUES (77, '1', 3, 1)")
    report = await shop.audit()
    causes = {difference.key: difference.cause.value for difference in report.examples}
    assert causes == {
        "P-01 @ 1": "edited_in_target",
        "P-02 @ 1": "missing_in_target",
        "P-03 @ 1": "quarantined",
        "P-04 @ 1": "held",
        "P-05 @ 1": "unpushed",
        "77 @ 1": "unmapped",
    }
    assert report.units["edited_in_target"] == Decimal(4)
    assert report.units["missing_in_target"] == Decimal(21)
    assert (await shop.status()).audit == report


async def test_an_audit_only_reports_unless_it_is_told_to_heal(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 15 WHERE product_id = 1 AND location_id = '1'")
    with shop.counting() as counted:
        report = await shop.audit()
        await shop.cycle()
    assert report.cells == {"edited_in_target": 1}
    assert counted.writes == []
    assert (await shop.rows())[1, "1"] == "15"


async def test_healing_puts_back_what_was_edited_emptied_or_deleted(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 15 WHERE product_id = 1 AND location_id = '1'")
    await shop.sql("UPDATE stock_levels SET quantity = NULL WHERE product_id = 2 AND location_id = '1'")
    await shop.sql("DELETE FROM stock_levels WHERE product_id = 3 AND location_id = '1'")
    report = await shop.audit(heal=True)
    assert report.healed == 3
    assert await shop.rows() == shop.truth()
    assert (await shop.ledger(1))[0].change.cause == "heal"
    assert (await shop.audit()).cells == {}
    with shop.counting() as counted:
        await shop.cycle()
    assert counted.writes == []


async def test_a_row_that_a_cycle_adds_during_the_audit_is_no_stranger(open_shop: Any) -> None:
    for match in ("product_id", "sku"):
        shop = await open_shop(target={"match_by": match})
        await shop.cycle()
        scan = shop.account.target.scan

        async def trades_meanwhile(
            size: int, shop: Shop = shop, scan: Callable[[int], AsyncIterator[Any]] = scan
        ) -> AsyncIterator[Any]:
            shop.catalogue.create("NEW", "Arrived meanwhile", stock={1: 4})
            async with lead(shop.account, shop.runtime.owner) as lease:
                await Cycle(shop.account, lease).run()
            async for page in scan(size):
                yield page

        shop.account.target.scan = trades_meanwhile  # type: ignore[method-assign]
        report = await audit(shop.account, shop.runtime.state, None)
        assert ("NEW" in {row[0] for row in await shop.sql("SELECT sku FROM stock_levels")}, report.cells) == (True, {})


async def test_an_audit_by_hand_is_remembered_and_names_locations(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 15 WHERE product_id = 1 AND location_id = '3'")
    report = await audit(shop.account, shop.runtime.state, None)
    assert [(one.key, one.location) for one in report.examples] == [("P-01 @ 3", "Riyadh Outlet")]
    assert (await shop.status()).audit == report


async def test_a_time_out_of_the_target_is_not_called_the_deadline(shop: Shop) -> None:
    await shop.cycle()

    async def times_out(_refs: object) -> Any:
        raise TimeoutError("the proxy gave up")

    shop.account.target.read = times_out  # type: ignore[method-assign,assignment]
    report = await shop.audit()
    assert report.error == "timed out: the proxy gave up"


async def test_what_a_guard_holds_does_not_hide_that_somebody_edited_it(large_shop: Shop) -> None:
    for product in range(1, 10):
        large_shop.catalogue.stock_take(product, 1, 0)
    assert (await large_shop.cycle()).outcome is Outcome.HELD
    await large_shop.sql("UPDATE stock_levels SET quantity = 500 WHERE product_id = 1 AND location_id = '1'")
    report = await large_shop.audit(heal=True)
    assert (report.cells, report.healed) == ({"edited_in_target": 1, "held": 8}, 0)
    assert (report.drifted, report.waiting) == (1, 8)
    assert (await large_shop.rows())[1, "1"] == "500"


async def test_healing_goes_through_the_guards(large_shop: Shop, logs: list[dict[str, Any]]) -> None:
    await large_shop.sql("UPDATE stock_levels SET quantity = 500")
    report = await large_shop.audit(heal=True)
    assert (report.cells, report.healed) == ({"edited_in_target": 30}, 0)
    assert set((await large_shop.rows()).values()) == {"500"}
    assert [line["effect"] for line in logs if line["event"] == "plan_held"] == ["30 figures would be put back"]


async def test_healing_to_zero_goes_through_the_guards_too(large_shop: Shop) -> None:
    for product in range(1, 5):
        large_shop.catalogue.stock_take(product, 1, 0)
    await large_shop.cycle()
    for product in (5, 6, 7):
        large_shop.catalogue.stock_take(product, 1, 0)
    await large_shop.cycle()
    await large_shop.sql("UPDATE stock_levels SET quantity = 500 WHERE product_id < 8 AND location_id = '1'")
    report = await large_shop.audit(heal=True)
    assert report.healed == 0
    assert (await large_shop.rows())[1, "1"] == "500"


async def test_healing_puts_back_no_figure_that_was_never_qoyods(open_shop: Any) -> None:
    """A row is believed at first contact; where its product goes before Qoyod's figure is written, it is nobody's."""
    shop = await open_shop(policy={"on_deleted": "keep"})
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 535 WHERE product_id = 3 AND location_id = '1'")
    shop.catalogue.delete(3)
    await shop.cycle(full=True)
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 517 WHERE product_id = 3")
    report = await shop.audit(heal=True)
    assert (report.cells, report.healed) == ({"edited_in_target": 2}, 1)
    assert await shop.sql("SELECT location_id, quantity FROM stock_levels WHERE product_id = 3 ORDER BY 1") == [
        ("1", 517),
        ("3", 33),
    ]


async def test_healing_makes_no_row_where_others_make_them(open_shop: Any) -> None:
    shop = await open_shop()
    await shop.cycle()
    await shop.restart(target={"missing": "skip"})
    await shop.sql("DELETE FROM stock_levels WHERE product_id = 3")
    report = await shop.audit(heal=True)
    assert report.cells == {"missing_in_target": 2}
    assert report.healed == 0
    assert (3, "1") not in await shop.rows()


async def test_an_audit_of_a_target_that_is_broken_says_so_and_ends(shop: Shop) -> None:
    await shop.cycle()
    await shop.sql("ALTER TABLE stock_levels RENAME COLUMN quantity TO amount")
    report = await shop.audit(heal=True)
    assert "quantity" in report.error
    await shop.sql("ALTER TABLE stock_levels RENAME COLUMN amount TO quantity")
    assert (await shop.audit()).error == ""


async def test_explain_shows_every_step_from_the_raw_figure_to_the_live_target(open_shop: Any) -> None:
    shop = await open_shop(2, locations={"map": {1: "MAIN", 3: "MAIN"}}, policy={"buffer": "2.5", "negative": "zero"})
    shop.catalogue.stock_take(1, 1, "20.25")
    await shop.cycle()
    await shop.sql("UPDATE stock_levels SET quantity = 1 WHERE product_id = 1")
    (found,) = await explain(shop.account, shop.runtime.state, "P-01")
    (cell,) = found.cells
    assert cell.parts == ((1, Decimal("20.25")), (3, Decimal(13)))
    assert [(step.name, step.value) for step in cell.steps] == [
        ("raw", "20.25"), ("raw", "13"), ("location map", "33.25"), ("negative", "33.25"), ("buffer", "30.75"),
        ("rounding", "30.75"),
    ]  # fmt: skip
    assert (cell.desired, cell.acked, cell.intent) == (Decimal("30.75"), Decimal("30.75"), None)
    assert cell.live is not None
    assert cell.live.quantity == Decimal(1)
    assert (found.page, cell.read_at is not None) == (1, True)
    with pytest.raises(NotFound):
        await explain(shop.account, shop.runtime.state, "NO-SUCH")


async def test_history_tells_the_applied_changes_of_a_sku_newest_first_and_under_its_old_name_too(shop: Shop) -> None:
    await shop.cycle()
    shop.catalogue.sale(1, 1, 1)
    await shop.cycle()
    shop.catalogue.rename(1, "NEW-01")
    shop.catalogue.sale(1, 1, 1)
    await shop.cycle()
    for sku in ("P-01", "NEW-01"):
        rows = await commands.history(shop.config, None, sku, 10)
        told = [str(row.change) for row in rows if row.change.place == "1"]
        assert told == ["NEW-01 @ 1: 10 → 9", "P-01 @ 1: 11 → 10", "P-01 @ 1: nothing → 11"]
    assert len({row.cycle_id for row in rows if row.change.place == "1"}) == 3


async def test_the_ledger_says_nothing_that_did_not_happen(shop: Shop) -> None:
    """Replayed from the start, the ledger gives what stands in the target."""
    await shop.cycle()
    shop.simulator.start_trade(0)
    for _ in range(6):
        for _ in range(10):
            shop.simulator.trader.step()
        shop.simulator.faults.add("page-2=500x1")
        await shop.cycle()
    replayed: dict[tuple[int, str], Any] = {}
    for product in sorted(shop.catalogue.items):
        for row in reversed(await shop.ledger(product)):
            change = row.change
            assert replayed.get((product, change.place)) == change.before
            replayed[product, change.place] = change.after
    rows = await shop.sql("SELECT product_id, location_id, quantity FROM stock_levels")
    assert {(row[0], row[1]): Decimal(str(row[2])) for row in rows} == replayed
    assert await shop.rows() == shop.truth()


async def test_a_table_that_somebody_emptied_is_an_alert_of_its_own_with_the_command_to_type(
    large_shop: Shop, logs: Any
) -> None:
    await large_shop.sql("DELETE FROM stock_levels WHERE product_id = 1")
    assert (await large_shop.audit()).lost == 0
    await large_shop.sql("DELETE FROM stock_levels")
    report = await large_shop.audit()
    assert (report.lost, report.cells) == (30, {"missing_in_target": 30})
    (told,) = [line for line in logs if line["event"] == "target_lost_rows"]
    assert told["todo"] == "stocksync drift --heal --account main"
    report = await large_shop.audit(heal=True)
    assert (report.healed, report.lost) == (30, 0)
    assert await large_shop.rows() == large_shop.truth()
