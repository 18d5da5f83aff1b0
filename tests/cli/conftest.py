"""The real command in its own process, against a simulated Qoyod on a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from forge import Ended, forge

from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import API_KEY, Simulator

Command = Callable[..., Awaitable[Ended]]


@pytest.fixture
async def qoyod() -> AsyncIterator[Simulator]:
    """Give a small simulated account without a rate limit."""
    async with Simulator(Catalogue(60, 2, seed=7), rate_limit=None) as simulator:
        yield simulator


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run `stocksync …` in a directory of its own."""

    async def run(*arguments: str, **environ: str) -> Ended:
        return await forge().command(arguments, tmp_path, {"QOYOD_API_KEY": API_KEY, "COLUMNS": "120", **environ})

    return run


@pytest.fixture
def configured(tmp_path: Path, qoyod: Simulator) -> Callable[..., Path]:
    """Write ./config.toml for the simulated account, with more sections where given."""

    def write(more: str = "") -> Path:
        path = tmp_path / "config.toml"
        path.write_text(
            f'[[accounts]]\nname = "main"\nbase_url = "{qoyod.url}"\n[accounts.auth]\nsecret_env = "QOYOD_API_KEY"\n'
            f'[accounts.target]\nurl = "sqlite:///target.db"\ncreate_table = true\n{more}',
            encoding="utf-8",
        )
        return path

    return write
