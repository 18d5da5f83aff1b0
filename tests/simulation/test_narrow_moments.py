"""Moments too narrow for chance: each is arranged, over the same world."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from decimal import Decimal

import pytest
from leasing import claim
from process import Daemon
from virtual_time import LoopClock, virtually
from world import World

from stocksync.core.model import TargetRow
from stocksync.errors import LeaseLost
from stocksync.memory import MemoryTarget
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle
from stocksync.run.writer import Writer


def _calm_world() -> World:
    world = World(1, LoopClock())
    world.calm = True
    return world


async def _settled(world: World) -> Daemon:
    daemon = Daemon(world, "a0")
    lease = await claim(daemon.state, "main", "a0", timedelta(hours=1))
    assert lease is not None
    await Cycle(daemon.account, lease).run()
    return daemon


def test_no_batch_begins_under_a_lease_that_could_end_before_the_server_ends_the_batch():
    async def life() -> None:
        world = _calm_world()
        daemon = await _settled(world)
        change = world.store.of("main").ledger[0].change
        await claim(daemon.state, "main", "a0", timedelta(seconds=4))
        lease = await claim(daemon.state, "main", "a0", timedelta(seconds=4))
        assert lease is not None
        writes = world.table.writes
        with pytest.raises(LeaseLost):
            await Writer(daemon.account, lease, "cycle").push([change])
        assert world.table.writes == writes

    virtually(life)


def test_a_cycle_writes_only_while_it_holds_the_accounts_lock():
    async def life() -> None:
        world = _calm_world()
        daemon = await _settled(world)
        lease = await claim(daemon.state, "main", "a0", timedelta(hours=1))
        assert lease is not None
        row = next(row for row in world.table.rows if row.quantity)
        world.catalogue.stock_take(row.product_id, int(row.place), 77)
        writes = world.table.writes
        async with daemon.account.writing:
            cycle = asyncio.create_task(Cycle(daemon.account, lease).run())
            await asyncio.sleep(60)
            assert (world.table.writes, cycle.done()) == (writes, False)
        await cycle
        assert world.table.writes == writes + 1

    virtually(life)


def test_healing_leaves_alone_what_a_cycle_has_changed_since_it_was_compared():
    async def life() -> None:
        world = _calm_world()
        daemon = await _settled(world)
        lease = await claim(daemon.state, "main", "a0", timedelta(hours=1))
        assert lease is not None
        edited = next(row for row in world.table.rows if row.quantity not in {Decimal(0), None})
        at = world.table.rows.index(edited)
        world.table.rows[at] = type(edited)(edited.product_id, edited.sku, edited.place, Decimal(500))

        class SellsMeanwhile(MemoryTarget):
            """While the audit looks for strangers, between comparing and healing, the product sells and is polled."""

            async def scan(self, size: int) -> AsyncGenerator[list[tuple[str, str, TargetRow]], None]:
                world.catalogue.stock_take(edited.product_id, int(edited.place), 77)
                await Cycle(daemon.account, lease).run()
                async for page in super().scan(size):
                    yield page

        daemon.account.target = SellsMeanwhile(world.table, by_sku=world.weather.by_sku)
        await audit(daemon.account, daemon.state, lease, heal=True)
        row = next(row for row in world.table.rows if (row.product_id, row.place) == (edited.product_id, edited.place))
        assert row.quantity == Decimal(77)

    virtually(life)
