"""What the state and the target hold of single products, looked at while Qoyod is asked for them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from stocksync.core.model import Cell, RowLocator, TargetRow
from stocksync.ports import Snapshot
from stocksync.run.account import Account
from stocksync.run.target_row import read_live

Live = tuple[Mapping[Cell, TargetRow], str]
"""The target's rows that are there, and why it could not be asked."""


@dataclass(frozen=True, slots=True)
class LocalFigures:
    """The snapshot of products and the target's rows of them, each to be awaited: the target may hang for long."""

    account: Account
    snapshot: "asyncio.Task[Snapshot]"
    live: "asyncio.Task[Live]"

    async def rows(self, wanted: list[RowLocator]) -> Live:
        """Give the target's rows; read now where any of them is not among those that are read already."""
        if wanted and set(wanted) <= set(_locators(await self.snapshot)):
            return await self.live
        return await read_live(self.account, wanted)


@asynccontextmanager
async def local_figures(account: Account, snapshot: Coroutine[Any, Any, Snapshot]) -> AsyncIterator[LocalFigures]:
    """Load both beside the block; what it has not waited for is given up."""
    loading = asyncio.create_task(snapshot)

    async def live() -> Live:
        return await read_live(account, _locators(await asyncio.shield(loading)))

    reading = asyncio.create_task(live())
    try:
        yield LocalFigures(account, loading, reading)
    finally:
        for task in (reading, loading):
            task.cancel()
        await asyncio.wait([reading, loading])
        for task in (reading, loading):
            if not task.cancelled():
                task.exception()  # it was looked at: what the block has met is what is told


def _locators(snapshot: Snapshot) -> list[RowLocator]:
    """Name the rows of all cells; each is looked for under the SKU that its product is known by."""
    known = [(snapshot.products.get(cell.product_id), cell) for cell in snapshot.cells]
    return [RowLocator(cell.product_id, entry.sku, cell.place) for entry, cell in known if entry is not None]
