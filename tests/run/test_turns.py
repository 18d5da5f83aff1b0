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


class Workshop:
    """Those who take turns, and how many of them were at work at once."""

    def __init__(self, at_once: int) -> None:
        self.turns, self.at_work, self.most = Turns(at_once=at_once, patience=30), 0, 0

    async def one(self, seconds: float) -> float:
        """Work for so long in a turn; gives when it was over."""
        async with self.turns.turn():
            self.at_work += 1
            self.most = max(self.most, self.at_work)
            await asyncio.sleep(seconds)
            self.at_work -= 1
        return asyncio.get_running_loop().time()

    async def hang(self, number: int) -> list[asyncio.Task[float]]:
        """Let so many take turns that they do not end for long."""
        hung = [asyncio.create_task(self.one(1000)) for _ in range(number)]
        await asyncio.sleep(0)
        return hung


def test_few_compare_at_once_and_one_that_hangs_does_not_hold_up_the_others_for_long() -> None:
    async def work() -> None:
        shop = Workshop(at_once=2)
        await asyncio.gather(*(shop.one(1) for _ in range(10)))
        assert shop.most == 2
        began = asyncio.get_running_loop().time()
        hung = await shop.hang(2)
        assert await shop.one(1) - began == 31
        await asyncio.gather(*hung)

    virtually(work)


def test_where_hundreds_wait_those_who_lose_patience_go_one_by_one_and_use_nothing_up_for_those_who_come_later() -> (
    None
):
    async def work() -> None:
        shop = Workshop(at_once=4)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(shop.one(2) for _ in range(300)))
        assert shop.most <= 4 + 4, "all who had waited for 30 s would go at once"
        assert asyncio.get_running_loop().time() - began <= 300 * 2 / 4 + 2
        began = asyncio.get_running_loop().time()
        hung = await shop.hang(4)
        given_up = asyncio.create_task(shop.one(1))
        await asyncio.sleep(0)
        late = asyncio.create_task(shop.one(1))
        await asyncio.sleep(10)
        given_up.cancel()
        assert await late - began == 31
        await asyncio.gather(*hung)

    virtually(work)
