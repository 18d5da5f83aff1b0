"""A running simulator and a client that speaks to it over real sockets."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout
from visitor import Visitor

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(Catalogue(230, 3, seed=1), rate_limit=None, seed=1) as simulator:
        yield simulator


@pytest.fixture
async def visitor(sim: Simulator) -> AsyncIterator[Visitor]:
    async with ClientSession(timeout=ClientTimeout(total=10)) as session:
        yield Visitor(session, sim)
