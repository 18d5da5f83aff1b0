"""The budget on the simulator's own request log, in real time: only the soak has the minutes."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from qoyod_told import Told

from stocksync.ports import Priority
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.client import QoyodSource, open_session
from stocksync.qoyod.credentials import KeyCredential
from stocksync.qoyod.settings import SourceSettings
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import Simulator

LIMIT = 120


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


async def _demand(simulator: Simulator, seconds: float) -> None:
    """Be one process that asks for all it gets, in three kinds, for a while."""
    clock = RealClock()
    settings = SourceSettings("main", base_url=simulator.url, per_page=10)
    async with open_session() as session:
        credential = KeyCredential("api_key", lambda: simulator.credentials.api_key)
        source = QoyodSource(settings, session, Budget(LIMIT, clock), credential, Told().hear, clock)

        async def ask(priority: Priority) -> None:
            while True:
                await source.product(1, priority)

        tasks = [asyncio.create_task(ask(priority)) for priority in Priority for _ in range(3)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.soak
async def test_the_worst_sliding_minute_of_a_run_with_idling_429s_and_restarts_is_within_the_limit() -> None:
    async with Simulator(Catalogue(20, 1), rate_limit=None) as simulator:
        await _demand(simulator, 45)
        await _demand(simulator, 30)
        await asyncio.sleep(40)
        await _demand(simulator, 20)
        simulator.faults.add("all=429x3:retry=4")
        await _demand(simulator, 60)
        assert LIMIT / 2 < simulator.requests.worst_minute() <= LIMIT
