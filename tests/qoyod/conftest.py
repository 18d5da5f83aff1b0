"""Real sockets: an aiohttp server that does as it is told, and the machine's clocks."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from qoyod_told import Told

from stocksync.qoyod.budget import Budget
from stocksync.qoyod.client import QoyodSource, open_session
from stocksync.qoyod.credentials import KeyCredential
from stocksync.qoyod.settings import SourceSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class Server:
    """Listens on a free port; the test sets `handle`, and sees what was asked and with which headers."""

    def __init__(self) -> None:
        self.handle: Handler | None = None
        self.asked: list[web.Request] = []
        self.base_url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        assert self.handle is not None
        return await self.handle(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    runner = web.ServerRunner(web.Server(served.answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/2.0"
    yield served
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def source(server: Server, session: aiohttp.ClientSession, told: Told) -> Callable[..., QoyodSource]:
    """Make a source over real sockets that is quick to lose patience."""

    def make(**more: Any) -> QoyodSource:
        patience = {"request_timeout": 0.5, "read_timeout": 0.3, "connect_timeout": 0.3, "backoff": 0.01, "attempts": 3}
        chosen = SourceSettings(**{"account": "main", "base_url": server.base_url, **patience, **more})
        clock = SystemClock()
        credential = KeyCredential("api_key", lambda: "top-secret")
        return QoyodSource(chosen, session, Budget(100_000, clock), credential, told.hear, clock)

    return make
