"""What people were told: noted once, whoever sees the change, on every database."""

import asyncio
from datetime import timedelta

from leasing import claim

from stocksync.state.database import open_state


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
