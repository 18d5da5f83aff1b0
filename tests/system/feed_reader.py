"""Somebody downstream, who follows the change feed and remembers nothing but a cursor."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
from sqlalchemy import select
from system_shop import Daemon, Shop, fetch

from stocksync.core.model import show
from stocksync.state.database import Database, open_state
from stocksync.state.schema import ledger

Applied = tuple[int, int, str, str]
"""Id, product, place, and what it became."""
_LIMIT = 3
"""Rows in one answer: so few that the cursor matters."""


class Reader:
    """Reads on behind its cursor, wherever somebody answers."""

    def __init__(self, cursor: int = 0) -> None:
        self.cursor = cursor
        self.seen: list[Applied] = []

    async def read(self, state: Database) -> None:
        """Read all there is, as `stocksync changes` does."""
        while rows := await state.changes_after("main", self.cursor, _LIMIT):
            for row in rows:
                self.seen.append((row.id, row.change.product_id, row.change.place, show(row.change.after) or ""))
            self.cursor = rows[-1].id

    async def follow(self, daemons: Sequence[Daemon]) -> None:
        """Follow over HTTP until cancelled, from one daemon to the next where one answers no more."""
        turn = 0
        while True:
            path = f"/api/changes?account=main&after={self.cursor}&limit={_LIMIT}&wait=1"
            try:
                status, text = await daemons[turn % len(daemons)].get(path)
            except (aiohttp.ClientError, OSError):
                status, text = 0, ""
            if status != 200:
                turn += 1
                continue
            told = json.loads(text)
            for row in told["changes"]:
                change = row["change"]
                self.seen.append((row["id"], change["product_id"], change["place"], change["after"]))
            self.cursor = told["next"]

    async def has_all(self, shop: Shop) -> bool:
        """Whether the newest change has come."""
        return bool(self.seen) and self.seen[-1] == (await applied(shop))[-1]


async def applied(shop: Shop) -> list[Applied]:
    """Give what the ledger holds, in order."""
    columns = ledger.c.id, ledger.c.product_id, ledger.c.place, ledger.c.after
    return [tuple(row) for row in await fetch(shop.state, select(*columns).order_by(ledger.c.id))]


@asynccontextmanager
async def opened(shop: Shop) -> AsyncIterator[Database]:
    """Open the state as a command does that only reads."""
    state = await open_state(shop.state, timedelta(days=90))
    try:
        yield state
    finally:
        await state.close()
