"""Alerts that arrive: one thing after the other goes wrong, and the right ones are told, once, until it is well again.

The shipped rules and routes run in fast motion (`watching`): only `for` is divided there, no condition on polls.
"""

import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_server import asked
from servers import Server, free_port
from system_shop import Daemon, Shop, sql, until
from watching import Gate, Told, told, watched

SETTINGS = {
    "poll": {"interval": "2s", "deadline": "12s"},
    "guards": {"minimum_cells": 0},
    "drift": {"interval": "6s"},
}
POLLS = {"Failing"}
"""What is told, as a warning, where polls fail, before or beside the page."""


class Night:
    """A shop with two daemons, and everything that is told of it."""

    def __init__(self, shop: Shop, state: Gate, target: Gate, heard: Told) -> None:
        self.shop, self.state, self.target, self.heard = shop, state, target, heard
        self.ports = [free_port(), free_port()]
        self.prometheus = ""

    async def start(self, number: int) -> Daemon:
        """Start a daemon on its own port."""
        self.shop.more_environ["STOCKSYNC_HTTP__LISTEN"] = f"127.0.0.1:{self.ports[number]}"
        return await self.shop.run()

    async def begun(self) -> dict[str, str]:
        """Tell since when each alert is true, by Prometheus, in text that sorts."""
        async with aiohttp.ClientSession() as session:
            found = await asked(session, f"{self.prometheus}/api/v1/alerts")
        return {one["labels"]["alertname"].removeprefix("Stocksync"): one["activeAt"] for one in found["alerts"]}

    @asynccontextmanager
    async def goes_wrong(self, page: str = "", warnings: set[str] = frozenset()) -> AsyncIterator[None]:  # type: ignore[assignment]
        """Within, something is wrong and is told; afterwards all is well. No other page comes, no other warning."""
        mark = len(self.heard.news)
        yield
        await self.heard.clears()
        assert self.heard.since(mark, "pager") == ({page} if page else set()), self.heard.news[mark:]
        assert self.heard.since(mark, "chat") <= set(warnings), self.heard.news[mark:]


@asynccontextmanager
async def night(open_shop: Callable[..., Any], server: Server, folder: Path) -> AsyncIterator[Night]:
    """Open the shop, and let everybody watch it."""
    shop = await open_shop("postgresql", "postgresql", products=6, settings=SETTINGS)
    gates = {name: Gate(server.port) for name in ("state", "target")}
    for name, gate in gates.items():
        await gate.open()
        setattr(shop, name, getattr(shop, name).replace(f":{server.port}/", f":{gate.port}/"))
    async with told() as (heard, where):
        (shop.folder / "urls").write_text(f"json://{where.removeprefix('http://')}/notice\n", encoding="utf-8")
        shop.more_environ = {
            "STOCKSYNC_NOTIFY__URLS_FILE": str(shop.folder / "urls"),
            "STOCKSYNC_NOTIFY__HEARTBEAT_URL": f"{where}/ping",
        }
        it = Night(shop, gates["state"], gates["target"], heard)
        try:
            async with watched(where, folder, *(f"127.0.0.1:{port}" for port in it.ports)) as it.prometheus:
                yield it
        finally:
            await shop.close()
            for gate in gates.values():
                await gate.shut()


@pytest.mark.soak  # minutes where other tests run beside it
@pytest.mark.timeout(600)
async def test_each_thing_that_goes_wrong_is_told_once_to_the_right_people_until_it_is_well(
    open_shop: Callable[..., Any], postgresql_server: Server, tmp_path: Path
) -> None:
    async with night(open_shop, postgresql_server, tmp_path) as it:
        first = await it.start(0)
        await first.says("became_writer")
        second = await it.start(1)
        await second.says("stands_by")
        await until(it.shop.equal_if_made, "the target equals Qoyod")
        await until(lambda: it.heard.pings, "the dead man's switch is fed")
        await it.heard.clears()  # Prometheus may have seen them start
        it.heard.news.clear()

        await a_guard_opens(it)
        await the_target_is_edited(it)
        await the_credential_is_revoked(it)
        await the_target_stops(it)
        await the_api_is_cut_and_all_stand_still(it, first, second)
        await the_state_stops(it)
        await one_is_lost_and_then_the_other(it, first, second)

        for title in ("changes wait for a person", "the target was changed by somebody else",
                      "Qoyod refuses the credential", "the target does not answer"):  # fmt: skip
            assert it.heard.notices.count(f"main: {title}") == 1, it.heard.notices


async def a_guard_opens(it: Night) -> None:
    async with it.goes_wrong(warnings={"Held"}):
        for product in range(1, 5):
            it.shop.set(product, 1, 0)
        await it.heard.fires("Held")
        done = await it.shop.command("approve", "--account", "main", "--yes", "--by", "Huda")
        assert done.code == 0, done.err


async def the_target_is_edited(it: Night) -> None:
    edit = "UPDATE stock_levels SET quantity = {} WHERE product_id = 6 AND location_id = '3'"
    async with it.goes_wrong(warnings={"Drift"}):
        await sql(it.shop.target, edit.format(999))
        await it.heard.fires("Drift")
        await sql(it.shop.target, edit.format(63))


async def the_credential_is_revoked(it: Night) -> None:
    async with it.goes_wrong("Unauthorized", POLLS):
        it.shop.simulator.faults.add("all=401")
        await it.heard.fires("Unauthorized")
        it.shop.simulator.faults.clear()


async def the_target_stops(it: Night) -> None:
    async with it.goes_wrong("TargetAway", POLLS):
        await it.target.shut()
        await it.heard.fires("TargetAway")
        await it.target.open()


async def the_api_is_cut_and_all_stand_still(it: Night, *daemons: Daemon) -> None:
    mark = len(it.heard.news)
    it.shop.simulator.faults.add("all=reset")
    await it.heard.fires("Stale")
    begun = await it.begun()
    # Polls of two seconds fail as late as that: where both come at once, the page silences the warning.
    assert begun["Failing"] <= begun["Stale"], "the warning does not come after the page"
    for daemon in daemons:
        daemon.send(signal.SIGSTOP)
    await it.heard.fires("Down")
    assert "Stale" in it.heard.firing(), "it is not called resolved because nobody reports it"
    for daemon in daemons:
        daemon.send(signal.SIGCONT)
    it.shop.simulator.faults.clear()
    await it.heard.clears()
    assert it.heard.since(mark, "pager") == {"Stale", "Down"}, it.heard.news[mark:]
    assert it.heard.since(mark, "chat") <= POLLS | {"Down"}, it.heard.news[mark:]


async def the_state_stops(it: Night) -> None:
    async with it.goes_wrong("StateUnreadable", POLLS):
        await it.state.shut()
        await it.heard.fires("StateUnreadable")
        await it.state.open()


async def one_is_lost_and_then_the_other(it: Night, *daemons: Daemon) -> None:
    writer = json.loads((await daemons[0].get("/api/status"))[1])["accounts"][0]["owner"]
    lost, left = sorted(daemons, key=lambda daemon: f":{daemon.pid}" not in writer)
    async with it.goes_wrong(warnings={"Down"} | POLLS):
        await lost.end(signal.SIGKILL)
        await it.heard.fires("Down")
        await left.says("became_writer")
        again = await it.start(daemons.index(lost))
        await again.says("stands_by")
    async with it.goes_wrong("Down", {"Down"} | POLLS):
        mark = len(it.heard.news)
        for daemon in (left, again):
            await daemon.end(signal.SIGKILL)
        await until(lambda: "Down" in it.heard.since(mark, "pager"), "a page that all are down", within=120)
        for number in (0, 1):
            await it.start(number)
