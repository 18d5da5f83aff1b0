"""Whoever follows the files of a configuration takes up what was mended, also where no file of it changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stocksync.app import config_watch
from stocksync.app.config_watch import ConfigWatch
from stocksync.config import Config, load

INLINE = """
[[accounts]]
name = "{0}"
[accounts.auth]
secret_file = "{1}/{0}.key"
[accounts.target]
url = "sqlite:///{0}.db"
"""
OWN = '[auth]\nsecret_file = "{1}/{0}.key"\n[target]\nurl = "sqlite:///{0}.db"\n'


@asynccontextmanager
async def watching(config: Config) -> AsyncIterator[tuple[list[list[str]], list[str]]]:
    """Follow a configuration; gives the names of the accounts that were taken up, and what was told."""
    followed: list[list[str]] = []
    told: list[str] = []

    async def follow(after: Config) -> None:
        followed.append([one.name for one in after.accounts])

    running = asyncio.create_task(ConfigWatch(config, follow, told.append).run())
    try:
        yield followed, told
    finally:
        running.cancel()


async def until(holds: Callable[[], Awaitable[bool] | bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  nobody is told of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("own_file", [False, True])
async def test_an_account_whose_secret_comes_late_is_taken_up_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, own_file: bool
) -> None:
    monkeypatch.setattr(config_watch, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(config_watch, "_AGAIN_SECONDS", 0.1)
    file, accounts = tmp_path / "config.toml", tmp_path / "accounts.d"
    accounts.mkdir()
    first = f'accounts_dir = "accounts.d"\n{INLINE.format("jeddah", tmp_path)}'
    file.write_text(first)
    (tmp_path / "jeddah.key").write_text("key")
    async with watching(load(file, {})) as (followed, told):
        if own_file:
            (accounts / "riyadh.toml").write_text(OWN.format("riyadh", tmp_path))
        else:
            file.write_text(first + INLINE.format("riyadh", tmp_path))
        await until(lambda: bool(told))
        assert "accounts.riyadh.auth.secret_file: No such file" in told[0]
        (tmp_path / "riyadh.key").write_text("key")
        await until(lambda: ["jeddah", "riyadh"] in followed)
        await until(lambda: told[-1] == "")
    assert [each for each in told if each] == told[:-1]
