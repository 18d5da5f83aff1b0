"""`stocksync serve` in two copies: people and the dead man's switch are told once, and a copy that dies is replaced."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from system_shop import COMMAND, Daemon, Shop, fetch, until
from watching import told

from stocksync.state.schema import accounts, duties


async def serve(shop: Shop) -> Daemon:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", cwd=shop.folder, env=shop.environ, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    daemon = Daemon(process)
    shop.daemons.append(daemon)
    return daemon


async def holder(shop: Shop) -> str:
    ((owner,),) = await fetch(shop.state, select(duties.c.owner))
    return str(owner)


async def test_of_two_copies_one_tells_and_the_other_takes_over(open_shop: Callable[..., Any]) -> None:
    shop: Shop = await open_shop("postgresql", "sqlite", settings={"poll": {"interval": "1h", "deadline": "1m"}})
    assert (await shop.command("once")).code == 0
    async with told() as (heard, where):
        urls = shop.folder / "urls"
        urls.write_text(f"json://{where.removeprefix('http://')}/notice\n", encoding="utf-8")
        urls.chmod(0o600)
        shop.more_environ = {
            "STOCKSYNC_NOTIFY__URLS_FILE": str(urls), "STOCKSYNC_NOTIFY__HEARTBEAT_URL": f"{where}/ping",
        }  # fmt: skip
        copies = [await serve(shop) for _ in range(2)]
        await until(lambda: heard.pings, "the dead man's switch is fed")
        began = time.monotonic()
        for copy in copies:
            await until(lambda copy=copy: reads(copy), "each serves the account")
        sends = await holder(shop)
        (other,) = [copy for copy in copies if f":{copy.pid}:" not in sends]
        (first,) = [copy for copy in copies if copy is not other]

        await fetch(shop.state, update(accounts).values(last_complete=datetime.now(UTC) - timedelta(hours=5)))
        await until(lambda: heard.notices, "somebody is told")
        assert heard.pings <= 1 + (time.monotonic() - began) / 60, "of two copies one feeds the switch, each minute"
        await first.end(signal.SIGKILL)
        await fetch(shop.state, update(duties).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))
        await until(lambda: takes_over(shop, other), "the other copy sends from now on")
        assert (await shop.command("once")).code == 0
        await until(lambda: heard.notices[1:], "and that it is over")
        assert heard.notices == ["main: stock is getting old", "main: back to normal"]
        assert await other.end(signal.SIGTERM) == 0


async def takes_over(shop: Shop, copy: Daemon) -> bool:
    return f":{copy.pid}:" in await holder(shop)


async def reads(copy: Daemon) -> bool:
    status, text = await copy.get("/api/status")
    return status == 200 and [one["account"] for one in json.loads(text)["accounts"]] == ["main"]
