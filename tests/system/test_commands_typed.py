"""The commands as a user types them, one after the other, on a shop that lives."""

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest
from servers import free_port
from sqlalchemy.exc import DBAPIError
from system_shop import SECRET, Ended, Shop, sql, until

GUARDED = {"guards": {"minimum_cells": 0, "zeroed": "15%"}}


def parsed(ended: Ended, code: int = 0) -> Any:
    """Give what a machine reads; nothing else stands on standard output."""
    assert ended.code == code, ended.out + ended.err
    return json.loads(ended.out)


async def test_on_postgresql_nothing_works_before_migrate_and_everything_after(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop("postgresql", "shared", migrated=False)
    daemon = await shop.run()
    once, check = await asyncio.gather(shop.command("once"), shop.command("check"))
    assert await daemon.end() == 2
    (told,) = daemon.said("failed")
    assert told["exit_code"] == 2
    assert told["error"].endswith("type: stocksync migrate")
    assert (once.code, once.out) == (2, "")
    assert once.err.splitlines() == [f"error: {told['error']}"]
    assert check.code == 1
    assert "stocksync migrate" in check.out
    migrated = await shop.command("migrate")
    assert (migrated.code, migrated.out) == (0, "the state database is at head now\n")
    again, checked = await asyncio.gather(shop.typed("migrate"), shop.typed("check", "--json"))
    assert (again.code, again.out) == (0, "the state database is at head already\n")
    assert all(finding["well"] for finding in parsed(checked))
    daemon = await shop.run()
    await until(shop.equal_if_made, "the target equals Qoyod")
    assert await daemon.end(signal.SIGTERM) == 0


async def test_a_first_day_from_check_to_drift(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop(products=5)
    assert (await shop.command("status")).code == 1
    assert all(finding["well"] for finding in parsed(await shop.command("check", "--json")))
    dry = parsed(await shop.command("once", "--dry-run", "--json"))
    assert len(dry[0]["apply"]) == 10
    with pytest.raises(DBAPIError):  # a dry run writes nothing, and makes nothing
        await shop.rows()
    report = parsed(await shop.command("once", "--json"))[0]
    assert (report["outcome"], report["verdict"], report["counts"]["applied"]) == ("done", "complete", 10)
    assert await shop.equal()
    shop.set(2, 3, 70)
    plan = parsed(await shop.command("plan", "--json"))
    assert [(change["sku"], change["after"]) for change in plan[0]["apply"]] == [("P-02", "70")]
    assert parsed(await shop.command("status", "--json"))[0]["health"]["well"] is True
    assert parsed(await shop.command("stock", "P-02", "--json"))[0]["pushed"] == 1
    assert await shop.equal()
    assert parsed(await shop.command("explain", "P-02", "--json"))["explanations"]
    assert parsed(await shop.command("history", "P-02", "--json"))[0]["change"]["after"] == "70"
    await sql(shop.target, "UPDATE stock_levels SET quantity = 1 WHERE product_id = 1")
    assert parsed(await shop.command("drift", "--json"), 1)[0]["cells"] == {"edited_in_target": 2}
    assert parsed(await shop.command("drift", "--heal", "--json"))[0]["healed"] == 2
    assert await shop.equal()


async def test_what_cannot_be_done_ends_with_its_own_exit_code_and_shows_no_secret(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop()
    wrong = {"QOYOD_API_KEY": f"wrong-{SECRET}"}
    refused, refused_check, unset, usage, account = await asyncio.gather(
        shop.command("once", **wrong),
        shop.command("check", **wrong),
        shop.command("check", QOYOD_API_KEY=""),
        shop.command("stock"),
        shop.command("once", "--account", "nobody"),
    )
    assert refused.code == 1
    assert refused_check.code == 1
    assert "credential" in refused_check.out
    assert "QOYOD_API_KEY" in unset.out
    assert (usage.code, account.code) == (2, 2)
    assert "main" in account.err
    config = shop.folder / "config.toml"
    config.write_text(config.read_text().replace("interval", "intervall"))
    mistyped = await shop.command("once")
    assert (mistyped.code, mistyped.out) == (2, "")
    assert 'did you mean "interval"?' in mistyped.err


async def test_what_a_guard_holds_waits_for_approve_or_reject(open_shop: Callable[..., Any]) -> None:
    shop: Shop = await open_shop(products=10, settings=GUARDED)
    assert (await shop.command("once")).code == 0
    before = await shop.rows()
    zero(shop, 1)
    held = await shop.command("once")
    assert held.code == 3
    assert "stocksync approve" in held.out
    assert await shop.rows() == before
    plan = parsed(await shop.command("plan", "--json"), 3)[0]["held"]
    assert len(plan["changes"]) == 6
    assert parsed(await shop.command("status", "--json"))[0]["status"]["held"]["plan_id"] == plan["plan_id"]
    assert parsed(await shop.command("approve", plan["plan_id"], "--json"))["decision"] == "approved"
    assert (await shop.command("once")).code == 0
    assert await shop.equal()
    zero(shop, 3)
    assert (await shop.command("once")).code == 3
    second = parsed(await shop.command("plan", "--json"), 3)[0]["held"]["plan_id"]
    assert (await shop.command("approve", plan["plan_id"])).code == 4, "that plan is done"
    assert (await shop.command("reject", second)).code == 0
    assert (await shop.command("once")).code == 0, "nobody is asked again"
    assert (await shop.rows())[1, "3"] == before[1, "3"], "what was rejected is not written"


def zero(shop: Shop, place: int) -> None:
    for product in range(1, 7):
        shop.set(product, place, 0)


async def test_stock_beside_a_running_daemon_asks_the_daemon_which_pushes_at_once(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop(settings={"poll": {"interval": "1h"}}, http=f"127.0.0.1:{free_port()}")
    daemon = await shop.run()
    await until(shop.equal_if_made, "the first cycle")
    await daemon.says("cycle")
    shop.set(2, 1, 99)
    answer, unknown = await asyncio.gather(shop.command("stock", "P-02", "--json"), shop.command("stock", "NO-SUCH"))
    told = parsed(answer)[0]
    assert (told["fresh"], told["pushed"], told["note"]) == (True, 1, "")
    assert [place["target"] for place in told["places"]] == ["99", "23"]
    assert await shop.equal()
    assert (unknown.code, unknown.out) == (4, "")
    assert len(daemon.said("cycle")) == 1, "no poll had a part in it"
    assert await daemon.end(signal.SIGTERM) == 0


async def test_the_demo_ends_by_itself_with_a_target_that_equals_qoyod(open_shop: Callable[..., Any]) -> None:
    shop = await open_shop()
    ended = await shop.command("demo", "--seconds", "6", "--products", "300")
    assert ended.code == 0, ended.out + ended.err
    assert "the target equals Qoyod in all" in ended.out
