"""Shops for real processes; whatever a test leaves running is ended with it, and nothing printed shows a secret."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from fleet_shop import FleetShop
from servers import Server
from system_shop import SECRET, Shop, catalogue_of, with_password
from temporal_server import Temporal

from stocksync.simulator.server import Simulator
from stocksync.state.migrate import migrate

Open = Callable[..., Coroutine[Any, Any, Shop]]
NewDatabase = Callable[[str], str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that wait for leases between those that compute: two workers then keep two cores busy."""
    here = [index for index, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    waiting = [items[index] for index in here if "two_daemons" in items[index].path.name]
    computing = [items[index] for index in here if items[index] not in waiting]
    pairs = zip_longest(waiting, computing)
    for index, item in zip(here, (item for pair in pairs for item in pair if item is not None), strict=True):
        items[index] = item


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Make databases: SQLite files, or empty ones on the session's servers."""
    made: list[tuple[Server, str]] = []

    def make(backend: str) -> str:
        if backend == "sqlite":
            return f"sqlite:///{tmp_path / f'{len(list(tmp_path.iterdir()))}-{len(made)}.db'}"
        server: Server = request.getfixturevalue(f"{backend}_server")
        server.start()
        url = server.new_database()
        made.append((server, url))
        return with_password(url)

    yield make
    for server, url in made:
        server.start()
        server.drop_database(url)


@pytest.fixture
async def open_shop(tmp_path: Path, new_database: NewDatabase) -> AsyncIterator[Open]:
    """Open shops; `state` and `target` name a kind of database, `target="shared"` puts both into one."""
    async with AsyncExitStack() as stack:
        opened: list[Shop] = []

        async def open_(
            state: str = "sqlite",
            target: str = "sqlite",
            *,
            products: int = 4,
            start: bool = True,
            migrated: bool = True,
            **fields: Any,
        ) -> Shop:
            folder = tmp_path / f"shop{len(opened)}"
            folder.mkdir()
            simulator = Simulator(catalogue_of(products), api_key=SECRET, rate_limit=None)
            await simulator.start()
            stack.push_async_callback(simulator.stop)
            if not start:
                await simulator.stop()
            state_url = f"sqlite:///{folder / 'state.db'}" if state == "sqlite" else new_database(state)
            separate = f"sqlite:///{folder / 'target.db'}" if target == "sqlite" else ""
            target_url = state_url if target == "shared" else separate or new_database(target)
            shop = Shop(folder, simulator, state_url, target_url, **fields)
            opened.append(shop)
            stack.push_async_callback(shop.close)
            shop.write_config()
            if migrated:
                await migrate(state_url)
            shop.note_shown()
            return shop

        yield open_


@pytest.fixture
async def fleet_shop(tmp_path: Path, new_database: NewDatabase, temporal_server: Temporal) -> AsyncIterator[FleetShop]:
    """Give a fleet of no account yet, with a task queue of its own."""
    simulator = Simulator(catalogue_of(4), api_key=SECRET, rate_limit=None)
    await simulator.start()
    shop = FleetShop(
        tmp_path, simulator, new_database("postgresql"), temporal_server, queue=tmp_path.name,
        new_database=lambda: new_database("postgresql"),
    )  # fmt: skip
    await migrate(shop.database)
    try:
        yield shop
    finally:
        await shop.close()
        await simulator.stop()
