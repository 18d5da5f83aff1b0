"""What people were told: noted once, whoever sees the change, on every database."""

import asyncio
from datetime import timedelta

from leasing import claim

from stocksync.state.database import open_state
from stocksync.state.duties import SENDS


async def test_of_two_processes_one_tells(state_url: str) -> None:
    one, two = [await open_state(state_url, timedelta(days=90)) for _ in range(2)]
    try:
        assert not await one.tell("main", "", "new"), "the state does not know the account yet"
        await claim(one, "main", "one", timedelta(minutes=5))
        assert await two.told(["main", "other"]) == {"main": ""}
        won = await asyncio.gather(one.tell("main", "", '{"stale": ""}'), two.tell("main", "", '{"held": "7f3a"}'))
        assert sorted(won) == [False, True]
        (text,) = (await two.told(["main"])).values()
        assert await two.tell("main", text, "")
        assert not await one.tell("main", text, "again")
        assert await one.told(["main"]) == {"main": ""}
    finally:
        await asyncio.gather(one.close(), two.close())


async def test_of_any_number_one_has_the_duty_until_it_is_no_longer_heard_of(state_url: str) -> None:
    minute = timedelta(minutes=1)
    all_ = [await open_state(state_url, timedelta(days=90)) for _ in range(3)]
    try:
        names = "one", "two", "three"
        won = await asyncio.gather(
            *(each.take_duty(SENDS, name, minute) for each, name in zip(all_, names, strict=True))
        )
        assert sorted(won) == [False, False, True]
        holder = names[won.index(True)]
        again = [await each.take_duty(SENDS, name, minute) for each, name in zip(all_, names, strict=True)]
        assert again == won, "whoever has it keeps it"
        # Its holder is dead, or the clock that dated it ran ahead and has been set right.
        assert await all_[0].take_duty(SENDS, holder, timedelta(0))
        assert await all_[1].take_duty(SENDS, "next", timedelta(days=1))
        assert not await all_[0].take_duty(SENDS, holder, timedelta(days=1))
        assert await all_[0].take_duty(SENDS, holder, minute)
        assert await all_[2].take_duty("another", "next", minute), "duties do not know of each other"
    finally:
        await asyncio.gather(*(each.close() for each in all_))
