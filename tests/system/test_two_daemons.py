"""Two daemons on one state: one writes, the other takes over, and who wakes up late writes nothing."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from feed_reader import Reader, applied
from servers import LOCK_WAITS_SECONDS, lock_waits
from system_shop import Daemon, Shop, holding, sql, until, watch, witnessed

TAKE_OVER_SECONDS = 15.0
STALE, NEWEST = 777, 888
FIRST = (1, "1")

Print = Callable[[str], None]
Freeze = Callable[[Shop, Daemon], Awaitable[None]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Print:
    """Show a measured figure to whoever runs the tests."""

    def say_(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}", file=sys.stderr)  # noqa: T201  pytest-xdist lets it through

    return say_


async def two_daemons(shop: Shop) -> tuple[Daemon, Daemon]:
    """Start the writer and the one that stands by, on a target that is equal and watched."""
    leader = await shop.run()
    await leader.says("became_writer")
    standby = await shop.run()
    await standby.says("stands_by")
    await until(shop.equal, "the target equals Qoyod")
    await watch(shop.target)
    return leader, standby


async def taken_over(standby: Daemon, since: float) -> tuple[int, float]:
    """Wait for the take-over; gives the new epoch and the seconds it took."""
    epoch = (await standby.says("became_writer", within=2 * TAKE_OVER_SECONDS))["epoch"]
    return epoch, time.monotonic() - since


async def together(*stories: Coroutine[Any, Any, None]) -> None:
    """Run stories side by side, as each waits for a lease to run out."""
    async with asyncio.TaskGroup() as group:
        for story in stories:
            group.create_task(story)


async def killed(shop: Shop, what: str, say: Print) -> None:
    """Kill the writer, and see the other take over and write."""
    leader, standby = await two_daemons(shop)
    reader = Reader()
    following = asyncio.create_task(reader.follow([leader, standby]))
    assert await leader.metric("leader", account="main") == 1
    assert await standby.metric("leader", account="main") == 0
    leader.send(signal.SIGKILL)
    at = time.monotonic()
    shop.set(1, 1, NEWEST)
    epoch, seconds = await taken_over(standby, at)
    say(f"take-over after kill -9 ({what}): {seconds:.1f} s")
    assert seconds <= TAKE_OVER_SECONDS
    await until(shop.equal, f"{what}: the new writer wrote the newest figure")
    assert await standby.metric("leader", account="main") == 1
    assert await standby.metric("lease_epoch", account="main") == epoch
    assert {row.epoch for row in await shop.entries() if row.after == str(NEWEST)} == {epoch}
    await until(lambda: reader.has_all(shop), "who follows the feed has it too, from the other daemon")
    following.cancel()
    assert reader.seen == await applied(shop), what


async def asked_to_end(shop: Shop, say: Print) -> None:
    """Restart as an upgrade does, the new one up before the old is stopped: nothing is lost, nothing written twice."""
    leader, standby = await two_daemons(shop)
    trading, reader = asyncio.create_task(trade(shop)), Reader()
    following = asyncio.create_task(reader.follow([leader, standby]))
    await until(lambda: len(shop.shown[FIRST]) > 3, "trade has begun")
    at = time.monotonic()
    assert await leader.end(signal.SIGTERM) == 0
    _, seconds = await taken_over(standby, at)
    say(f"take-over after SIGTERM: {seconds:.1f} s")
    assert seconds < TAKE_OVER_SECONDS / 2, "the lease is given back"
    trading.cancel()
    shop.set(1, 1, NEWEST)
    await until(shop.equal, "the new one wrote what was traded meanwhile")
    await until(lambda: reader.has_all(shop), "who follows the feed has it too, from the other daemon")
    following.cancel()
    assert reader.seen == await applied(shop)
    told: dict[Any, list[str]] = {}
    for entry in await shop.entries():
        told.setdefault((entry.product_id, entry.place), []).append(entry.after)
    for cell, stood in (await witnessed(shop.target)).items():
        assert stood == told[cell][-len(stood) :], f"{cell} was written and not told, or told and not written"
        assert all(one != other for one, other in pairwise(stood)), f"{cell} was written twice"
        assert set(stood) <= shop.shown[cell]


async def trade(shop: Shop) -> None:
    """Sell for as long as the story lasts."""
    for figure in range(1000, 0, -1):
        shop.set(1, 1, figure)
        await asyncio.sleep(0.3)


async def test_when_the_writer_dies_the_other_takes_over_within_15_seconds_and_at_once_when_it_was_asked_to_end(
    open_shop: Callable[..., Any], say: Print
) -> None:
    shops = [await open_shop("postgresql", target) for target in ("shared", "postgresql", "shared")]
    await together(
        killed(shops[0], "target in the same database", say),
        killed(shops[1], "target in another database", say),
        asked_to_end(shops[2], say),
    )


async def test_a_daemon_whose_sqlite_state_is_in_use_stands_by_says_so_once_and_takes_over(
    open_shop: Callable[..., Any], say: Print
) -> None:
    shop = await open_shop("sqlite", "sqlite")
    leader = await shop.run()
    await leader.says("became_writer")
    standby = await shop.run()
    line = await standby.says("standing_by")
    assert f"in use by process {leader.pid}" in line["error"]
    await until(shop.equal, "the target equals Qoyod")
    leader.send(signal.SIGKILL)
    at = time.monotonic()
    shop.set(1, 1, NEWEST)
    _, seconds = await taken_over(standby, at)
    say(f"take-over after kill -9 (SQLite): {seconds:.1f} s")
    assert seconds <= TAKE_OVER_SECONDS
    assert len(standby.said("standing_by")) == 1
    await until(shop.equal, "the new writer wrote the newest figure")


async def while_reading(shop: Shop, leader: Daemon) -> None:
    """Freeze it when the old figure is on its way to it."""
    shop.simulator.faults.add("page-1=slowx1:1")
    shop.set(1, 1, STALE)
    await until(lambda: next(iter(shop.simulator.faults)).hits, "a page is under way")
    leader.send(signal.SIGSTOP)
    shop.simulator.clear()


def while_blocked_in(table: str, lock: str, where: str, *, with_the_old_figure: bool = True) -> Freeze:
    """Freeze it when its statement waits for a lock, and let the lock go then.

    `with_the_old_figure`: it has read that before. A commit to the state may be that of a cycle that has written it.
    """

    async def freeze(shop: Shop, leader: Daemon) -> None:
        url: str = getattr(shop, where)

        async def is_blocked() -> bool:
            await asyncio.sleep(LOCK_WAITS_SECONDS)
            return bool((await sql(url, lock_waits(url, table)))[0][0])

        async with holding(url, lock):
            if with_the_old_figure:
                shop.set(1, 1, STALE)
            await until(is_blocked, "the writer waits for the lock")
            leader.send(signal.SIGSTOP)

    return freeze


in_a_batch = while_blocked_in("stock_levels", "SELECT * FROM stock_levels WHERE product_id = 1 FOR UPDATE", "target")
in_a_commit_to_the_state = {
    state: while_blocked_in("stocksync_cycles", lock, "state", with_the_old_figure=False)
    for state, lock in (
        ("postgresql", "LOCK TABLE stocksync_cycles IN EXCLUSIVE MODE"),
        ("mariadb", "SELECT * FROM stocksync_cycles FOR UPDATE"),
    )
}


async def frozen(shop: Shop, freeze: Freeze, what: str, say: Print) -> None:
    """Freeze the writer, see the other take over and write, wake the first, and see that it writes nothing."""
    leader, standby = await two_daemons(shop)
    mark = len(leader.lines)
    await freeze(shop, leader)
    at = time.monotonic()
    shop.set(1, 1, NEWEST)
    epoch, seconds = await taken_over(standby, at)
    say(f"take-over from a writer frozen {what}: {seconds:.1f} s")
    await until(shop.equal, f"frozen {what}: the new writer wrote the newest figure")
    assert seconds <= TAKE_OVER_SECONDS
    leader.send(signal.SIGCONT)
    await leader.says("stands_by", since=mark)
    await until(lambda: leader.said("cycle", since=mark), f"frozen {what}: the cycle that was cut ends")
    shop.set(2, 1, NEWEST)
    await until(shop.equal, f"frozen {what}: the new writer goes on")
    held = (await witnessed(shop.target))[FIRST]
    assert held == [str(NEWEST)], f"frozen {what}: the stale figure was written"
    assert {row.epoch for row in await shop.entries() if int(row.after) == NEWEST} == {epoch}
    assert await leader.metric("leader", account="main") == 0
    assert await shop.acknowledged() == await shop.rows()


async def test_a_writer_frozen_while_it_reads_or_in_the_middle_of_a_batch_wakes_up_and_writes_nothing(
    open_shop: Callable[..., Any], say: Print
) -> None:
    pairs = [
        ("postgresql", "postgresql"),
        ("postgresql", "shared"),
        ("postgresql", "postgresql"),
        ("mariadb", "mariadb"),
    ]
    shops = [await open_shop(*pair) for pair in pairs]
    await together(
        frozen(shops[0], while_reading, "while reading", say),
        frozen(shops[1], in_a_batch, "in a batch (PostgreSQL, one database)", say),
        frozen(shops[2], in_a_batch, "in a batch (PostgreSQL, two databases)", say),
        frozen(shops[3], in_a_batch, "in a batch (MariaDB, two databases)", say),
    )


async def test_a_writer_frozen_in_the_middle_of_a_commit_to_the_state_does_not_keep_the_lease(
    open_shop: Callable[..., Any], say: Print
) -> None:
    shops = {state: await open_shop(state, state) for state in ("postgresql", "mariadb")}
    await together(
        *(
            frozen(shop, in_a_commit_to_the_state[state], f"in a commit to the state ({state})", say)
            for state, shop in shops.items()
        )
    )
