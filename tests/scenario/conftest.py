"""Shops with a simulated Qoyod; requests are not paced, and waits are short, so that scenarios are quick."""

import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import structlog
from scenario_shop import Calendar, Shop, small_catalogue
from structlog.testing import capture_logs

from stocksync.app import wiring
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.settings import SourceSettings
from stocksync.run import catalogue_slices, portions
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import Simulator
from stocksync.state import cells, database

Open = Callable[..., Coroutine[Any, Any, Shop]]


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Commands that a test before ran in this process have set up logs of their own."""
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace of the budget and the waits between tries have tests of their own."""
    monkeypatch.setattr(wiring, "Budget", lambda _rpm, *rest: Budget(60_000, *rest))
    monkeypatch.setattr(
        wiring,
        "SourceSettings",
        partial(SourceSettings, attempts=3, backoff=0.01, request_timeout=1.0, read_timeout=0.5),
    )
    monkeypatch.setattr(wiring, "SystemClock", Calendar)
    monkeypatch.setattr(Calendar, "passed", timedelta(0))


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop of a dozen products is compared, recorded and written in several parts, as a large one is."""
    monkeypatch.setattr(catalogue_slices, "_PRODUCTS", 4)
    monkeypatch.setattr(portions, "_KEPT", 8)
    monkeypatch.setattr(portions, "_CELLS", 10)
    monkeypatch.setattr(database, "_AT_ONCE", 10)
    monkeypatch.setattr(cells, "_PAGE", 7)


@pytest.fixture
def one_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ever: of the few rows of such a portion none can tell for all."""
    monkeypatch.setattr(portions, "_KEPT", 100_000)
    monkeypatch.setattr(portions, "_CELLS", 50_000)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let time pass on the wall."""

    def pass_(**span: float) -> None:
        monkeypatch.setattr(Calendar, "passed", Calendar.passed + timedelta(**span))

    return pass_


@pytest.fixture
def swift_path() -> Iterator[Path]:
    """A directory in memory where there is one: what a disk takes to be certain is not what is looked at here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="stocksync-", dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
async def open_shop(swift_path: Path, migrated_sqlite: Path) -> AsyncIterator[Open]:
    """Open shops; `catalogue` is a number of products or a catalogue, `prepare` is SQL for the target beforehand."""
    opened: list[Shop] = []

    async def open_(
        catalogue: Catalogue | int = 8,
        *,
        prepare: tuple[str, ...] = (),
        environ: dict[str, str] | None = None,
        simulator: dict[str, Any] | None = None,
        **sections: Any,
    ) -> Shop:
        chosen = small_catalogue(catalogue) if isinstance(catalogue, int) else catalogue
        folder = swift_path / f"shop{len(opened)}"
        folder.mkdir()
        shutil.copy(migrated_sqlite, folder / "state.db")
        shop = Shop(Simulator(chosen, rate_limit=None, **(simulator or {})), folder)
        opened.append(shop)
        await shop.simulator.start()
        shop.environ |= environ or {}
        if prepare:
            shop.data = {"accounts": [{"target": {**shop.base()["target"], **sections.get("target", {})}}]}
            for statement in prepare:
                await shop.sql(statement)
        return await shop.open(**sections)

    yield open_
    for shop in opened:
        await shop.close()
        await shop.simulator.stop()


@pytest.fixture
async def shop(open_shop: Open) -> Shop:
    """A shop of 8 products in 2 locations: 16 cells, below the floor of the guards."""
    return await open_shop()


@pytest.fixture
async def large_shop(open_shop: Open) -> Shop:
    """A shop of 30 cells, which the guards watch over, after its first cycle."""
    shop = await open_shop(15)
    await shop.cycle()
    return shop


@pytest.fixture
def logs() -> Any:
    """The log lines of the test."""
    with capture_logs() as lines:
        yield lines
