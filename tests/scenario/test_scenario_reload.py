"""An account is replaced while the service runs."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from scenario_shop import Shop
from sqlalchemy import func, select

from stocksync.errors import LeaseLost
from stocksync.run import service
from stocksync.run.service import Service
from stocksync.state.schema import cells


@asynccontextmanager
async def serving(shop: Shop) -> AsyncIterator[Service]:
    running = Service([shop.account], shop.runtime.state, shop.runtime.owner)
    running.start()
    try:
        async with asyncio.timeout(30):
            await led(running)
        yield running
    finally:
        await running.drain()


async def led(running: Service) -> int:
    """Wait until the account is led; gives its epoch."""
    while (lease := running.runners["main"].lease) is None:  # noqa: ASYNC110  nobody is told of it
        await asyncio.sleep(0.01)
    return lease.epoch


async def test_an_account_that_is_the_same_object_notices_nothing(shop: Shop) -> None:
    async with serving(shop) as running:
        before, epoch = running.runners["main"], await led(running)
        await running.work_for([shop.account])
        assert running.runners["main"] is before
        assert await led(running) == epoch
        assert (await before.cycle_now()).worked


async def test_one_that_is_replaced_keeps_its_lease_and_compares_anew(shop: Shop) -> None:
    async with serving(shop) as running:
        before, epoch = running.runners["main"], await led(running)
        await running.work_for([replace(shop.account)])
        assert running.runners["main"] is not before
        assert await led(running) == epoch
        with pytest.raises(LeaseLost):
            await before.cycle_now()
        assert (await running.runners["main"].cycle_now()).worked


async def test_a_batch_under_way_is_finished_before_the_account_is_replaced(shop: Shop) -> None:
    await shop.cycle()
    async with serving(shop) as running:
        (await running.runners["main"].cycle_now()).counts.check()
        target = sqlite3.connect(shop.folder / "shop.db", isolation_level=None)
        target.execute("BEGIN IMMEDIATE")
        product = next(iter(shop.catalogue.figures()))
        shop.catalogue.stock_take(*product, 77)
        running.runners["main"].trigger()
        async with asyncio.timeout(30):
            while not await open_intents(shop):  # noqa: ASYNC110  nobody is told of it
                await asyncio.sleep(0.02)
        replacing = asyncio.create_task(running.work_for([replace(shop.account)]))
        await asyncio.wait([replacing], timeout=0.1)
        assert not replacing.done()
        target.rollback()
        await replacing
        query = "SELECT quantity FROM stock_levels WHERE product_id = ? AND location_id = ?"
        assert target.execute(query, (product[0], str(product[1]))).fetchone()[0] == 77
        assert await open_intents(shop) == 0
        target.close()


async def open_intents(shop: Shop) -> int:
    async with shop.runtime.state.engine.connect() as connection:
        found = await connection.execute(select(func.count()).where(cells.c.intent.is_not(None)))
        return int(found.scalar_one())


async def test_work_that_does_not_end_can_write_nothing_more_for_the_account_that_took_its_place(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "DRAIN_SECONDS", 0.1)
    ended = asyncio.Event()

    async def stubborn() -> None:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue

    async with serving(shop) as running:
        epoch = await led(running)
        running.runners["main"]._start("audit", stubborn)
        await asyncio.sleep(0)
        await running.work_for([replace(shop.account)])
        async with asyncio.timeout(30):
            assert await led(running) > epoch, "the fence refuses what runs under the old one"
        ended.set()
