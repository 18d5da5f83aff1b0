"""When accounts of one process get their turn: spread over the interval, and a few at once."""

import asyncio
from itertools import pairwise

from virtual_time import virtually

from stocksync.run.scheduler import place_of
from stocksync.run.turns import Turns


def test_accounts_are_spread_over_the_whole_interval_and_each_keeps_its_place() -> None:
    places = sorted(place_of(f"poll account-{number}") for number in range(200))
    assert all(0 <= place < 1 for place in places)
    assert max(later - place for place, later in pairwise(places)) < 0.05
    assert place_of("poll main") == place_of("poll main")


def test_few_compare_at_once_and_one_that_hangs_does_not_hold_up_the_others_for_long() -> None:
    async def work() -> None:
        turns, at_work, most = Turns(at_once=2, patience=30), 0, 0

        async def one(seconds: float) -> float:
            nonlocal at_work, most
            async with turns.turn():
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(seconds)
                at_work -= 1
            return asyncio.get_running_loop().time()

        await asyncio.gather(*(one(1) for _ in range(10)))
        assert most == 2
        began = asyncio.get_running_loop().time()
        hung = [asyncio.create_task(one(1000)) for _ in range(2)]
        await asyncio.sleep(0)
        assert await one(1) - began == 31
        await asyncio.gather(*hung)

    virtually(work)


def test_where_hundreds_wait_those_who_lose_patience_go_one_by_one_and_use_nothing_up_for_those_who_come_later() -> (
    None
):
    async def work() -> None:
        turns, at_work, most = Turns(at_once=4, patience=30), 0, 0

        async def one(seconds: float) -> float:
            nonlocal at_work, most
            async with turns.turn():
                at_work += 1
                most = max(most, at_work)
                await asyncio.sleep(seconds)
                at_work -= 1
            return asyncio.get_running_loop().time()

        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(one(2) for _ in range(300)))
        assert most <= 4 + 4, "all who had waited for 30 s would go at once"
        assert asyncio.get_running_loop().time() - began <= 300 * 2 / 4 + 2
        began = asyncio.get_running_loop().time()
        hung = [asyncio.create_task(one(1000)) for _ in range(4)]
        await asyncio.sleep(0)
        given_up = asyncio.create_task(one(1))
        await asyncio.sleep(0)
        late = asyncio.create_task(one(1))
        await asyncio.sleep(10)
        given_up.cancel()
        assert await late - began == 31
        await asyncio.gather(*hung)

    virtually(work)
