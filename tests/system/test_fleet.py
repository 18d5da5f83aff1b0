"""The fleet with the real Temporal and real workers: schedules, polls, death, sleep, drain."""

import asyncio
import json
import signal

import pytest
from fleet_shop import FleetShop
from system_shop import Daemon, until

# One server for all: it is started once in each process that runs tests.
pytestmark = pytest.mark.xdist_group("fleet")

SET_ASIDE = (
    "INSERT INTO stocksync_quarantine (account, product_id, whole, place, side, reason, attempts, first_at, last_at,"
    " retry_at) VALUES ('a', 2, false, '3', 'target', 'value too long', 1, 0, 0, 9000000000000000)"
)
POLLED = "SELECT count(*) FROM stocksync_cycles WHERE account = '{}' AND complete"


async def polls(shop: FleetShop, name: str) -> int:
    """Count the complete polls of an account."""
    return int((await shop.sql(POLLED.format(name)))[0][0])


async def steps(shop: FleetShop, *more: str) -> list[tuple[str, str, str]]:
    """Run `fleet apply`, and give what it did."""
    ended = await shop.command("fleet", "apply", "--json", *more)
    assert ended.code == 0, ended.err
    return [(one["verb"], one["kind"], one["account"]) for one in ended.json]


async def states(shop: FleetShop) -> tuple[int, dict[str, str]]:
    """Give what `fleet status` ends with, and the state of each schedule."""
    ended = await shop.command("fleet", "status", "--json")
    return ended.code, {f"{one['kind']} {one['account']}": one["state"] for one in ended.json["schedules"]}


async def test_schedules_follow_the_configuration_and_polls_write_the_target(fleet_shop: FleetShop) -> None:
    shop = fleet_shop
    shop.configure(["a", "b"])
    made = [("create", kind, name) for name in "ab" for kind in ("audit", "poll")]
    assert await steps(shop, "--dry-run") == made
    # Somebody else's schedule, and two who apply at once.
    other = f"stocksync/other-{shop.queue}/poll/a"
    shop.temporal.cli(
        "schedule", "create", "--schedule-id", other, "--interval=1h", f"--task-queue={shop.queue}", "--type=Strange"
    )
    before = await shop.command("check")
    assert "4 differ from the configuration" in before.out
    await asyncio.gather(steps(shop), steps(shop))
    assert await steps(shop) == []
    code, stand = await states(shop)
    assert (code, len(stand)) == (1, 4), "nobody works yet"

    worker, front = await shop.start(), await shop.start("serve")
    await until(lambda: shop.equal("a", "b"), "both targets equal Qoyod")
    shop.simulator.catalogue.stock_take(2, 3, 99)
    await until(lambda: shop.equal("a", "b"), "a change reaches both targets")
    assert (await states(shop))[0] == 0
    await until(lambda: ready(front), "serve calls both accounts fresh")
    series = [line for line in (await front.get("/metrics"))[1].splitlines() if 'account="a"' in line]
    assert 5 < len(series) <= 15
    assert (await front.json("/api/stock?sku=P-02&account=a"))["sku"] == "P-02"
    assert await serves(front, "a", "b")
    await shop.sql(SET_ASIDE)
    _, card = await front.get("/?account=a")
    assert "value too long" in card, "the card of one account has its rows"
    await shop.sql("DELETE FROM stocksync_quarantine")

    # An account comes and another goes; the worker reads the files by itself.
    shop.add("c", poll={"interval": "1s"})
    (shop.folder / "accounts.d" / "b.toml").unlink()
    shop.add("a", poll={"interval": "1s"})
    (shop.folder / "accounts.d" / "d.toml").write_text("name =", encoding="utf-8")
    changed = [("create", "audit", "c"), ("create", "poll", "c"), ("change", "poll", "a")]
    assert await steps(shop) == [*changed, ("pause", "audit", "b"), ("pause", "poll", "b")]
    await until(lambda: shop.equal("c"), "the new account is polled")
    (shop.folder / "accounts.d" / "d.toml").unlink()
    shop.temporal.cli(
        "schedule", "toggle", "--pause", "--reason=stock take", "--schedule-id", f"stocksync/{shop.queue}/poll/c"
    )
    assert await steps(shop) == [("delete", "audit", "b"), ("delete", "poll", "b")]
    assert (await states(shop))[1] == {"poll a": "waits", "audit a": "waits", "poll c": "paused", "audit c": "waits"}
    assert other in shop.temporal.cli("schedule", "list")
    await until(lambda: serves(front, "a", "c"), "serve follows the files too")
    assert worker.said("account_file_refused")
    assert await front.end(signal.SIGTERM) == 0
    assert await worker.end(signal.SIGTERM) == 0


async def ready(front: Daemon) -> bool:
    return (await front.get("/readyz"))[0] == 200


async def serves(front: Daemon, *names: str) -> bool:
    return [one["account"] for one in (await front.json("/api/status"))["accounts"]] == list(names)


@pytest.mark.timeout(240)
async def test_what_a_dead_or_sleeping_worker_leaves_goes_on_elsewhere(fleet_shop: FleetShop) -> None:
    shop = fleet_shop
    shop.configure(["a"])
    shop.add("a", poll={"interval": "2s"})
    await steps(shop)
    first = await shop.start()
    await until(lambda: shop.equal("a"), "the target equals Qoyod")

    # kill -9 in the middle of a poll
    shop.simulator.faults.add("list=slow:4")
    shop.simulator.catalogue.stock_take(1, 1, 55)
    await until(lambda: at_work(shop), "a poll reads")
    first.send(signal.SIGKILL)
    second = await shop.start()
    await second.says("temporal_connected")
    await shop.expire_leases()
    await until(lambda: shop.equal("a"), "another worker has finished it")

    # a worker that sleeps in the middle of a poll, and wakes up when another has done it
    await until(lambda: at_work(shop), "a poll reads")
    second.send(signal.SIGSTOP)
    third = await shop.start()
    await third.says("temporal_connected")
    before = await polls(shop, "a")
    await shop.expire_leases()
    # The sleeper's open questions take jobs as well: each is given to another once its heartbeat is missed.
    await until(lambda: more_than(shop, before), "the third has polled", within=150)
    shop.simulator.faults.clear()
    second.send(signal.SIGCONT)
    refused = await second.says("attempt_refused")
    assert refused["account"] == "a"
    assert "writes nothing more" in refused["effect"]

    # a drain lets what runs end
    shop.simulator.faults.add("list=slow:1")
    await until(lambda: at_work(shop), "a poll reads")
    codes = await asyncio.gather(second.end(signal.SIGTERM), third.end(signal.SIGTERM))
    assert list(codes) == [0, 0]
    assert third.said("draining")
    rows = await shop.sql("SELECT owner FROM stocksync_accounts")
    assert [row[0] for row in rows] == [""], "the lease was given back"
    ended = await shop.sql("SELECT outcome, report FROM stocksync_cycles WHERE ended_at IS NOT NULL")
    assert [row for row in ended if row[0] not in {"done", "stopped"}] == []


async def at_work(shop: FleetShop) -> bool:
    """Whether a poll has begun and not ended, under a lease that is held."""
    query = (
        "SELECT count(*) FROM stocksync_cycles c JOIN stocksync_accounts a ON a.account = c.account"
        " WHERE c.ended_at IS NULL AND a.owner <> ''"
        " AND c.started_at = (SELECT max(started_at) FROM stocksync_cycles m WHERE m.account = c.account)"
    )
    return bool((await shop.sql(query))[0][0])


async def more_than(shop: FleetShop, before: int) -> bool:
    return await polls(shop, "a") > before


async def test_a_failed_poll_waits_for_its_next_time_and_says_why(fleet_shop: FleetShop) -> None:
    shop = fleet_shop
    shop.configure(["a"])
    shop.add("a", poll={"interval": "1h"})
    await steps(shop)
    shop.simulator.faults.add("all=401")
    worker = await shop.start()
    await worker.says("temporal_connected")
    name = f"stocksync/{shop.queue}/poll/a"
    shop.temporal.cli("schedule", "trigger", "--schedule-id", name)
    await worker.says("cycle", outcome="unauthorized")
    failed = await until(lambda: closed(shop, name), "the workflow ends")
    assert failed == [1]
    shown = shop.temporal.cli("workflow", "show", "--workflow-id", failed_id(shop, name))
    assert "Qoyod refuses" in shown or "401" in shown
    assert len(worker.said("cycle")) == 1


def closed(shop: FleetShop, name: str) -> list[int]:
    """Give the attempts of each workflow of a schedule that has failed."""
    query = f"ExecutionStatus = 'Failed' AND TemporalScheduledById = '{name}'"
    found = json.loads(shop.temporal.cli("workflow", "list", "--query", query, "--output=json"))
    return [1 for _ in found]


def failed_id(shop: FleetShop, name: str) -> str:
    query = f"TemporalScheduledById = '{name}'"
    found = json.loads(shop.temporal.cli("workflow", "list", "--query", query, "--output=json"))
    return str(found[0]["execution"]["workflowId"])
