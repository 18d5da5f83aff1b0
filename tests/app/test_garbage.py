"""Values that hold each other in circles go, and what lives as long as the process is not looked through for them."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from stocksync.app import garbage
from stocksync.observe import heartbeat


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Led:
    """How many accounts a process leads; it tells when it was asked."""

    def __init__(self, number: int) -> None:
        self.number, self._asked = number, asyncio.Event()

    def __call__(self) -> int:
        self._asked.set()
        return self.number

    async def looked(self, number: int) -> int:
        """Lead so many from now on; give what is set aside once that was looked at."""
        self.number = number
        for _ in range(2):  # the first may have been asked before
            self._asked.clear()
            await asyncio.wait_for(self._asked.wait(), 5)
        return gc.get_freeze_count()


async def test_what_is_there_is_looked_through_no_more_once_accounts_were_polled_and_what_is_new_still_is() -> None:
    kept = [[number] for number in range(1000)]
    dead = weakref.ref(Circle())
    led = Led(0)
    async with heartbeat.running(garbage.keep_what_stays(led, 0.001)):
        frozen = await led.looked(0)
        assert await led.looked(0) == frozen, "a process that stands by has nothing to keep"
        assert await led.looked(5) > frozen + len(kept)
    assert dead() is None, "what was there in vain is not kept"
    new = weakref.ref(Circle())
    gc.collect()
    assert new() is None


async def test_it_is_done_again_where_the_process_takes_over_more_accounts_and_else_not() -> None:
    led = Led(5)
    async with heartbeat.running(garbage.keep_what_stays(led, 0.001)):
        before = await led.looked(5)
        more = [[number] for number in range(1000)]
        assert await led.looked(5) <= before
        assert await led.looked(6) >= before + len(more)


@pytest.mark.parametrize("kept", [True, False])
def test_what_closed_accounts_were_made_of_goes_once_a_hundred_have_gone(kept: bool) -> None:
    gone = garbage.GoneAccounts(kept=kept)
    left = Circle()
    dead = weakref.ref(left)
    if kept:
        gc.freeze()
    del left
    gone.add(99)
    gone.tidy()
    assert dead() is not None, "a reload of one account holds up nothing"
    frozen = gc.get_freeze_count()
    gone.add(1)
    assert dead() is not None, "it may still be at work"
    gone.tidy()
    assert dead() is None
    assert bool(gc.get_freeze_count()) == bool(frozen) == kept, "what stays is set aside again"


def test_a_piece_of_what_is_new_is_small_and_the_rest_is_looked_through_seldom() -> None:
    """Of 70,000 values that takes 10 to 20 ms (the benchmark of many accounts)."""
    garbage.look_seldom()
    each, young, old = gc.get_threshold()
    assert each * (young + 2) <= 70_000
    assert each * young * old >= 100_000_000
