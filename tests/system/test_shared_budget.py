"""Several processes spend one tenant's request budget: the simulator's own log says what reached Qoyod."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

from system_shop import Shop, until

LIMIT = 180
BURST = 9
STARTS_WITHIN = 100.0


async def test_daemons_and_commands_spend_one_budget_through_kill_9_and_429s(open_shop: Callable[..., Any]) -> None:
    paced = {"poll": {"requests_per_minute": LIMIT, "per_page": 1, "concurrency": 4}}
    shop: Shop = await open_shop("postgresql", "postgresql", products=8, settings=paced)
    log = shop.simulator.requests
    daemon, standby = await shop.run(), await shop.run()
    planning = asyncio.create_task(shop.typed("plan"))
    await until(lambda: len(log) >= 30, "all of them ask", within=STARTS_WITHIN)
    shop.simulator.faults.add("all=429x2:retry=2")
    daemon.send(signal.SIGKILL)
    await until(lambda: len(log) >= 45, "the others go on")
    planned = await planning
    assert planned.code == 0, planned.err
    # What was saved up, an even pace, and one that is on its way at either end of the time that is looked at.
    for seconds in (2, 5, 10, 60):
        assert log.worst_minute(seconds) <= BURST + 2 + seconds * LIMIT / 60, f"in {seconds} s"
    await standby.clean_up()


async def test_the_first_request_of_an_idle_budget_does_not_wait(open_shop: Callable[..., Any]) -> None:
    shop: Shop = await open_shop("sqlite", "sqlite", settings={"poll": {"requests_per_minute": 2}})
    ended = await asyncio.wait_for(shop.typed("stock", "P-01", "--json"), 30)
    assert ended.code == 0, ended.err
    assert len(shop.simulator.requests) == 1
