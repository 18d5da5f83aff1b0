"""A daemon's life: it ends as it was told, outlives whatever is away, and never waits where it need not."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from typing import Any

from servers import Server
from system_shop import SECRET, Daemon, Shop, catalogue_of, holding, sql, until

from stocksync.simulator.server import Simulator

SOON = 12.0
TABLE = """CREATE TABLE stock_levels (product_id BIGINT, sku TEXT, location_id TEXT, quantity NUMERIC(20, 6),
updated_at TIMESTAMP, active BOOLEAN DEFAULT 1, PRIMARY KEY (product_id, location_id))"""


async def ready(daemon: Daemon) -> int:
    return (await daemon.get("/readyz"))[0]


async def in_the_middle_of_a_batch(shop: Shop) -> Daemon:
    """Start a daemon whose first batch of four waits for the target, which the test has locked."""
    daemon = await shop.run()
    await until(shop.intents, "the first batch is begun")
    return daemon


async def open_blocked(open_shop: Callable[..., Any]) -> Shop:
    shop: Shop = await open_shop(products=8, settings={"target": {"batch_size": 4}, "poll": {"interval": "30s"}})
    await sql(shop.target, TABLE)
    return shop


async def test_sigterm_lets_the_running_batch_finish_and_starts_nothing_more(open_shop: Callable[..., Any]) -> None:
    shop = await open_blocked(open_shop)
    async with holding(shop.target):
        daemon = await in_the_middle_of_a_batch(shop)
        daemon.send(signal.SIGTERM)
        await daemon.says("draining")
    assert await daemon.end() == 0
    first_batch = dict(sorted(shop.truth().items())[:4])
    assert await shop.rows() == first_batch
    assert await shop.acknowledged() | first_batch == await shop.acknowledged()
    assert await shop.intents() == {}
    assert daemon.said("cycle")[0]["outcome"] == "stopped"
    assert [line["event"] for line in daemon.lines][-1] == "stopped"
    assert (await shop.command("once")).code == 0, "the lease was given back"
    assert await shop.equal()


async def test_a_second_signal_ends_at_once_and_what_was_open_is_written_later(open_shop: Callable[..., Any]) -> None:
    shop = await open_blocked(open_shop)
    async with holding(shop.target):
        daemon = await in_the_middle_of_a_batch(shop)
        daemon.send(signal.SIGTERM)
        assert "second signal" in (await daemon.says("stopping"))["hint"]
        at = time.monotonic()
        assert await daemon.end(signal.SIGINT) == 128 + signal.SIGINT
        assert time.monotonic() - at < 15, "not the 30 s that a batch under way gets"
    assert await shop.rows() == {}
    assert len(await shop.intents()) == 4
    await shop.expire_lease()
    assert (await shop.command("once")).code == 0
    assert await shop.equal()


async def test_a_command_that_would_write_beside_a_daemon_says_so_in_one_line(open_shop: Callable[..., Any]) -> None:
    local, server = await open_shop(), await open_shop("postgresql", "shared")
    for shop, words in (local, "is in use by process {pid}; stop it"), (server, "another process is the writer"):
        daemon = await shop.run()
        await until(shop.equal_if_made, "the first cycle")
        for ended in await asyncio.gather(shop.command("once"), shop.command("drift", "--heal")):
            assert (ended.code, ended.out) == (1, "")
            assert words.format(pid=daemon.pid) in ended.err
            assert len(ended.err.splitlines()) == 1
        assert await daemon.end(signal.SIGTERM) == 0


async def test_qoyod_away_at_the_start_and_in_the_middle_is_said_once_and_survived(
    open_shop: Callable[..., Any],
) -> None:
    shop = await open_shop(start=False)
    daemon = await shop.run()
    await daemon.says("account_failing")
    assert await ready(daemon) == 503
    assert await daemon.metric("last_complete_cycle_timestamp_seconds", account="main") is None
    assert await daemon.metric("last_attempt_timestamp_seconds", account="main")
    await shop.simulator.start()
    await daemon.says("account_recovered")
    assert await shop.equal()
    await until(lambda: is_ready(daemon), "it is ready")
    completed = await daemon.metric("last_complete_cycle_timestamp_seconds", account="main")
    assert completed
    assert abs(completed - time.time()) < 60
    mark = len(daemon.lines)
    shop.set(1, 1, 5)
    shop.simulator.faults.add("all=500")
    failed = await daemon.says("account_failing", since=mark)
    assert failed["error"]
    shop.simulator.faults.clear()
    await daemon.says("account_recovered", since=mark)
    assert await shop.equal()
    assert len(daemon.said("account_recovered")) == 2
    assert len(daemon.said("account_failing", consecutive=1)) == 2, "once for each time"
    code, body = await daemon.get("/api/stock?sku=p-01")
    assert (code, "did you mean P-01?" in body) == (404, True), body
    await _a_revoked_key_is_the_first_word(shop, daemon)
    assert await daemon.end(signal.SIGTERM) == 0


async def _a_revoked_key_is_the_first_word(shop: Any, daemon: Daemon) -> None:
    """Long before the figures are stale: on readiness, page and status, with what to do; and gone with its cause."""
    mark = len(daemon.lines)
    shop.simulator.faults.add("auth=revoke")
    await daemon.says("unauthorized", since=mark)
    code, body = await daemon.post("/api/refresh?sku=NO-SUCH")
    assert (code, "Qoyod refuses the credential" in body) == (503, True), "that it does not exist is not known"
    await until(lambda: _is_refused(daemon), "the credential is refused on /readyz")
    _, page = await daemon.get("/")
    assert "<title>1 credential refused" in page
    assert "1 of 1 account is not well: credential refused" in page
    assert "make a key in Qoyod" in page
    told = await shop.command("status")
    assert (told.code, told.out.splitlines()[0].startswith("✗ main  credential refused, ")) == (1, True), told.out
    assert await daemon.metric("authorized", account="main") == 0
    shop.simulator.faults.clear()
    await daemon.says("authorized_again", since=mark)
    await until(lambda: is_ready(daemon), "it is ready again")


async def _is_refused(daemon: Daemon) -> bool:
    code, body = await daemon.get("/readyz")
    return code == 503 and json.loads(body)["accounts"][0]["word"] == "credential refused"


async def is_ready(daemon: Daemon) -> bool:
    return await ready(daemon) == 200


async def is_away(daemon: Daemon) -> bool:
    status, body = await daemon.get("/readyz")
    return status == 503 and "by itself once it is back" in body


async def test_the_target_away_at_the_start_and_in_the_middle_is_said_once_and_survived(
    open_shop: Callable[..., Any], postgresql_server: Server
) -> None:
    shop = await open_shop("sqlite", "postgresql")
    postgresql_server.stop()
    daemon = await shop.run()
    failed = await daemon.says("account_failing")
    assert "accounts.main.target" in failed["error"]
    assert await ready(daemon) == 503
    postgresql_server.start()
    await daemon.says("account_recovered")
    assert await shop.equal()
    mark = len(daemon.lines)
    postgresql_server.stop()
    shop.set(1, 1, 5)
    await daemon.says("account_failing", since=mark)
    await daemon.says("cycle", since=mark, outcome="failed")
    postgresql_server.start()
    await daemon.says("account_recovered", since=mark)
    assert await shop.equal()
    assert await shop.intents() == {}
    assert (await daemon.metric("leader", account="main")) == 1
    assert "Traceback" not in daemon.raw
    assert await daemon.end(signal.SIGTERM) == 0


async def test_the_state_away_at_the_start_and_in_the_middle_is_said_once_and_survived(
    open_shop: Callable[..., Any], postgresql_server: Server
) -> None:
    shop = await open_shop("postgresql", "sqlite")
    postgresql_server.stop()
    daemon = await shop.run()
    await daemon.says("state_unavailable")
    await asyncio.sleep(2.5)  # it tries every 2 s, and says nothing more
    assert len(daemon.said("state_unavailable")) == 1
    assert daemon.process.returncode is None
    postgresql_server.start()
    await daemon.says("became_writer")
    await until(shop.equal_if_made, "the target equals Qoyod")
    await until(lambda: is_ready(daemon), "it is ready")
    mark = len(daemon.lines)
    postgresql_server.stop()
    shop.set(1, 1, 5)
    await daemon.says("state_unavailable", since=mark)
    await until(lambda: is_away(daemon), "it is not ready, and says what for")
    assert await daemon.metric("last_complete_cycle_timestamp_seconds", account="main"), "the lag is still to be seen"
    postgresql_server.start()
    await until(shop.equal, "it works again")
    await until(lambda: is_ready(daemon), "it is ready again")
    assert len(daemon.said("state_unavailable", since=mark)) == 1
    assert "Traceback" not in daemon.raw
    assert await daemon.end(signal.SIGTERM) == 0


async def test_a_hanging_account_ends_at_its_deadline_is_counted_and_delays_nobody(
    open_shop: Callable[..., Any],
) -> None:
    slow = {"name": "slow", "poll": {"interval": "1s", "deadline": "4s"}, "target": {"table": "slow_levels"}}
    async with Simulator(catalogue_of(2), api_key=SECRET, rate_limit=None, faults=["list=timeout"]) as hanging:
        shop = await open_shop(also=[{**slow, "base_url": hanging.url}])
        daemon = await shop.run()
        ended = await daemon.says("cycle", account="slow")
        assert (ended["outcome"], ended["error"]) == ("deadline", "not done within poll.deadline of 4 s")
        assert ended["seconds"] < SOON
        done = [
            line
            for line in daemon.said("cycle", account="main")
            if daemon.lines.index(line) < daemon.lines.index(ended)
        ]
        assert len(done) >= 3, "the other account was polled every second meanwhile"
        assert await daemon.metric("cycles_total", account="slow", outcome="deadline") == 1
        skipped = {
            account: await daemon.metric("scheduler_skips_total", account=account, reason="running") or 0
            for account in ("slow", "main")
        }
        # A slow machine may skip a poll of the other account too: its cycle then took longer than its second.
        assert skipped["slow"] >= 2
        assert skipped["main"] < skipped["slow"]
        status, body = await daemon.get("/readyz")
        assert status == 503
        assert "no poll has been complete yet" in body
        hanging.faults.clear()
        await daemon.says("account_recovered", account="slow")
        await until(lambda: is_ready(daemon), "all accounts are fresh")
    assert await shop.equal()


async def test_an_account_without_changes_notices_that_its_target_is_away(
    open_shop: Callable[..., Any], postgresql_server: Server
) -> None:
    shop = await open_shop("sqlite", "postgresql")
    daemon = await shop.run()
    await until(shop.equal_if_made, "the first cycle")
    await daemon.says("cycle", outcome="done", unchanged=8)
    mark = len(daemon.lines)
    postgresql_server.stop()
    failed = await daemon.says("account_failing", since=mark)
    assert "accounts.main.target" in failed["error"]
    postgresql_server.start()
    await daemon.says("account_recovered", since=mark)
    assert "Traceback" not in daemon.raw
    assert await daemon.end(signal.SIGTERM) == 0
