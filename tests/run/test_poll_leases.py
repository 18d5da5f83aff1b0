"""Leases for one poll each: claimed, renewed together, given back; a holder that died is waited for."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from virtual_time import LoopClock, virtually

from stocksync.errors import LeaseLost, StateInUse, StateUnavailable
from stocksync.memory import MemoryState, MemoryStore
from stocksync.ports import Lease
from stocksync.run.poll_leases import PATIENCE_SECONDS, PollLeases

MARGIN = timedelta(seconds=1)


class State(MemoryState):
    """A state that may be away, and counts its renewals."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(LoopClock(), store)
        self.away = False
        self.renewed: list[int] = []

    async def claim(
        self, groups: Sequence[Sequence[str]], owner: str, ttl: timedelta, address: str = ""
    ) -> list[Lease]:
        if self.away:
            raise StateUnavailable("the database is away")
        return await super().claim(groups, owner, ttl, address)

    async def renew(self, held: Sequence[Lease], ttl: timedelta) -> list[Lease]:
        self.renewed.append(len(held))
        return await super().renew(held, ttl)


class Bench:
    """One store, and workers over it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.state = State(self.store)

    def worker(self, owner: str) -> PollLeases:
        return PollLeases(self.state, owner)


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        virtually(test)

    return run


def account(name: str, *siblings: str) -> Any:
    return SimpleNamespace(name=name, group=(name, *siblings))


@in_virtual_time
async def test_a_lease_lasts_for_one_poll_and_each_has_an_epoch_of_its_own() -> None:
    bench = Bench()
    one, two = bench.worker("one"), bench.worker("two")
    async with one.lead(account("a")) as first:
        await bench.state.confirm(first, MARGIN)
    with pytest.raises(LeaseLost):
        await bench.state.confirm(first, MARGIN)
    async with two.lead(account("a")) as second:
        assert second.epoch > first.epoch


@in_virtual_time
async def test_two_polls_of_a_group_exclude_each_other_even_in_one_worker() -> None:
    bench = Bench()
    worker, order = bench.worker("one"), []

    async def poll(name: str, other: str) -> None:
        async with worker.lead(account(name, other)) as lease:
            order.append(f"begin {name}")
            await asyncio.sleep(5)
            await bench.state.confirm(lease, MARGIN)
            order.append(f"end {name}")

    await asyncio.gather(poll("a", "b"), poll("b", "a"))
    assert order in (["begin a", "end a", "begin b", "end b"], ["begin b", "end b", "begin a", "end a"])


@in_virtual_time
async def test_all_leases_are_renewed_by_one_statement_however_long_a_poll_takes() -> None:
    bench = Bench()
    worker = bench.worker("one")
    keeper = asyncio.create_task(worker.keep())
    async with worker.lead(account("a")) as first, worker.lead(account("b")) as second:
        await asyncio.sleep(60)
        await bench.state.confirm(first, MARGIN)
        await bench.state.confirm(second, MARGIN)
    keeper.cancel()
    assert set(bench.state.renewed) == {2}
    assert len(bench.state.renewed) <= 20


@in_virtual_time
async def test_a_worker_that_died_is_waited_for_and_refused_when_it_comes_back() -> None:
    bench = Bench()
    dead, living = bench.worker("dead"), bench.worker("living")
    # Nobody renews the first one's: its process sleeps.
    async with dead.lead(account("a")) as old, living.lead(account("a")) as new:
        assert asyncio.get_running_loop().time() >= 12
        assert new.epoch == old.epoch + 1
        with pytest.raises(LeaseLost):
            await bench.state.confirm(old, MARGIN)
        await bench.state.confirm(new, MARGIN)


@in_virtual_time
async def test_who_waits_in_vain_is_told_why() -> None:
    bench = Bench()
    daemon, worker = bench.worker("daemon"), bench.worker("worker")
    keeper = asyncio.create_task(daemon.keep())
    async with daemon.lead(account("a")):
        with pytest.raises(StateInUse, match="another process is the writer"):
            async with worker.lead(account("a")):
                pass
        assert asyncio.get_running_loop().time() == pytest.approx(PATIENCE_SECONDS, abs=2)
    keeper.cancel()
    bench.state.away = True
    with pytest.raises(StateUnavailable):
        async with worker.lead(account("a")):
            pass


@in_virtual_time
async def test_rows_are_compared_once_in_each_process_and_after_a_backup_was_put_back() -> None:
    bench = Bench()
    worker = bench.worker("one")
    async with worker.lead(account("a")) as first:
        assert worker.must_compare(first)
    async with worker.lead(account("a")) as second:
        assert worker.must_compare(second), "the one before did not work to its end"
        worker.compared(second)
    async with worker.lead(account("a")) as third:
        assert not worker.must_compare(third)
    assert bench.worker("two").must_compare(third)
    assert worker.must_compare(first), "an epoch that was seen before: the state is an older one"
