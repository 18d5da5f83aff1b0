"""Who watches a shop: Prometheus, Alertmanager with the shipped files in fast motion, and those who are told."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from prometheus_server import RULES, alertmanager, alertmanager_program, prometheus
from system_shop import until

ROUTES = RULES.parents[1] / "alertmanager/alertmanager.yml"
SPEED = 60
"""Every `for` and `keep_firing_for`, each group's interval and Alertmanager's waits are so many times shorter."""
UNSCALED = {"StocksyncNoWriter": "90s", "StocksyncDown": "6s"}
"""A take-over takes 15 seconds and a start several at any speed; a busy machine may miss two scrapes of a second."""
LATE = {"StocksyncStateUnreadable": ("> 60", "> 15"), "StocksyncLoopStuck": ("> 60", "> 15")}
"""Ages that no poll interval decides: what a loaded machine may take, and not more."""
TOO_SHORT = {"PollSlow", "LoopSlow", "AuditOld", "WriterFlapping"}
"""Polls and audits of seconds are late on a busy machine, and writers change more often here than in an hour."""
PATIENCE = 300.0
"""Seconds that anything may take on a slow machine; whether it came in time is judged by Prometheus' own clock."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def faster(text: str) -> str:
    """Give a duration of the shipped files as it is here."""
    number, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()  # type: ignore[union-attr]
    return f"{int(int(number) * UNITS[unit] * 1000 / SPEED)}ms"


def waits(alert: str) -> float:
    """Give the seconds for which an alert must be true here before it fires."""
    rules = (rule for group in scaled_rules()["groups"] for rule in group["rules"])
    text = next(rule.get("for", "0ms") for rule in rules if rule.get("alert") == f"Stocksync{alert}")
    return int(text[:-2]) / 1000 if text.endswith("ms") else float(text[:-1])


def scaled_rules() -> dict[str, Any]:
    """Give the shipped rules in fast motion."""
    content: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in content["groups"]:
        if "interval" in group:
            group["interval"] = faster(group["interval"])
        for rule in group["rules"]:
            for key in {"for", "keep_firing_for"} & rule.keys():
                rule[key] = UNSCALED.get(rule["alert"], faster(rule[key]))
            if (change := LATE.get(rule.get("alert", ""))) is not None:
                assert change[0] in rule["expr"]
                rule["expr"] = rule["expr"].replace(*change)
    return content


def scaled_routes(receiver: str) -> dict[str, Any]:
    """Give the shipped routes in fast motion, day and night, each receiver at its own path of `receiver`."""
    content: dict[str, Any] = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))
    for route in (content["route"], *content["route"]["routes"]):
        route.pop("active_time_intervals", None)
        for key in {"group_wait", "group_interval"} & route.keys():
            route[key] = "1s"
    for one in content["receivers"]:
        one["webhook_configs"][0]["url"] = f"{receiver}/{one['name']}"
    return content


@dataclass
class Told:
    """What came, in order: by whom it was received, whether it fires or is resolved, which alert."""

    news: list[tuple[str, str, str]] = field(default_factory=list)
    fired: dict[str, datetime] = field(default_factory=dict)
    """When Prometheus let each alert fire last."""
    notices: list[str] = field(default_factory=list)
    """Titles of the daemons' own messages."""
    pings: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Take a message of Alertmanager, of apprise, or of the dead man's switch."""
        receiver = request.path.strip("/")
        if receiver == "ping":
            self.pings += 1
            return web.Response()
        content = await request.json()
        if receiver == "notice":
            self.notices.append(content["title"])
            return web.Response()
        for alert in content["alerts"]:
            name = alert["labels"]["alertname"].removeprefix("Stocksync")
            news = (receiver, alert["status"], name)
            if (
                receiver != "dead-man"
                and name not in TOO_SHORT
                and self.open().get((receiver, name)) != alert["status"]
            ):
                self.news.append(news)
                self.fired[name] = datetime.fromisoformat(alert["startsAt"])
        return web.Response()

    def open(self) -> dict[tuple[str, str], str]:
        """Give the last status that each receiver was told of each alert."""
        return {(who, name): status for who, status, name in self.news}

    def firing(self) -> set[str]:
        """Give the alerts that were told and not called resolved."""
        return {name for (_, name), status in self.open().items() if status == "firing"}

    def since(self, mark: int, receiver: str) -> set[str]:
        """Give the alerts that somebody was told since the news number `mark`."""
        return {name for who, status, name in self.news[mark:] if (who, status) == (receiver, "firing")}

    async def fires(self, name: str) -> None:
        """Wait for an alert."""
        await self._until(lambda: name in self.firing(), name)

    async def clears(self) -> None:
        """Wait until nothing fires."""
        await self._until(lambda: not self.firing(), "all is well")

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            await until(condition, what, within=PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}; told: {self.news}") from error


class Gate:
    """A way to a server that can be shut: connections end, and new ones are refused."""

    def __init__(self, port: int) -> None:
        """Take the server's port."""
        self._behind, self.port = port, 0
        self._listening: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Let everybody through, on the same port each time."""
        self._listening = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Let nobody through."""
        assert self._listening is not None
        self._listening.close()
        for writer in self._links:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        self._links |= {writer, there_writer}
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            self._links -= {writer, there_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def told() -> AsyncIterator[tuple[Told, str]]:
    """Listen to all that is told; gives where."""
    one = Told()
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", one.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield one, f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def watched(receiver: str, folder: Path, *targets: str) -> AsyncIterator[str]:
    """Watch daemons, and ask each whether it is ready, as a load balancer does; gives Prometheus' address."""
    programs = {"prometheus": _found("prometheus"), "alertmanager": alertmanager_program() or _missing("alertmanager")}
    rules = folder / "rules.yml"
    rules.write_text(yaml.safe_dump(scaled_rules(), width=1000), encoding="utf-8")
    async with (
        alertmanager(programs["alertmanager"], scaled_routes(receiver), folder) as manager,
        prometheus(programs["prometheus"], *targets[:1], folder, *targets[1:], rules=rules, alertmanager=manager) as it,
    ):
        asking = asyncio.create_task(_ask(targets))
        try:
            yield it
        finally:
            asking.cancel()
            await asyncio.wait([asking])


async def _ask(targets: tuple[str, ...]) -> None:
    timeout = aiohttp.ClientTimeout(total=2)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            for target in targets:
                with suppress(OSError, TimeoutError, aiohttp.ClientError):
                    async with session.get(f"http://{target}/readyz") as answer:
                        await answer.read()
            await asyncio.sleep(0.5)


def _found(program: str) -> str:
    return shutil.which(program) or _missing(program)


def _missing(program: str) -> str:
    if os.environ.get("STOCKSYNC_REQUIRE") == "all":
        pytest.fail(f"{program} is not installed")
    pytest.skip(f"{program} is not installed")
