"""The request budget: never more than its limit in any sliding minute."""

import asyncio
from bisect import bisect_right
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import LoopClock, virtually

from stocksync.ports import Priority
from stocksync.qoyod.budget import Budget


def worst_minute(times: list[float]) -> int:
    ordered = sorted(times)
    return max((bisect_right(ordered, start + 60) - index for index, start in enumerate(ordered)), default=0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), limit=st.sampled_from([1, 2, 3, 10, 60, 180, 300]))
def test_no_sliding_minute_exceeds_the_limit_whatever_is_asked(seed: int, limit: int) -> None:
    """Bursts of demand, idle minutes, 429s, cancelled waiters, restarts, fail-overs."""
    random = Random(seed)
    sent: list[float] = []

    async def one(budget: Budget, clock: LoopClock) -> None:
        await budget.acquire(random.choice(list(Priority)))
        sent.append(clock.monotonic())

    async def work() -> None:
        clock = LoopClock()
        budget = Budget(limit, clock)
        for _ in range(12):
            tasks = [asyncio.create_task(one(budget, clock)) for _ in range(random.randint(0, limit))]
            await asyncio.sleep(random.choice([0, 1, 20, 59, 61, 300]) * random.random())
            deed = random.random()
            if deed < 0.3:
                budget.penalize(random.choice([1, 30, 60]), clock.monotonic())
            elif deed < 0.6:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                budget = Budget(limit, clock)
            elif deed < 0.7:
                budget.start_empty()
            if deed > 0.8:
                await asyncio.gather(*tasks)
            else:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    virtually(work)
    assert worst_minute(sent) <= limit


@pytest.mark.parametrize("limit", [1, 60, 180, 300, 100_000])
def test_nearly_all_of_the_limit_is_used_where_there_is_demand(limit: int) -> None:
    sent: list[float] = []

    async def work() -> None:
        clock = LoopClock()
        budget = Budget(limit, clock)
        for _ in range(3 * min(limit, 600)):
            await budget.acquire(Priority.POLL)
            sent.append(clock.monotonic())

    virtually(work)
    assert worst_minute(sent) <= limit
    rate = len(sent) / max(sent) * 60
    assert rate > (limit * 0.9 if limit < 1000 else 30_000)


def test_a_person_goes_first_and_equals_go_in_order() -> None:
    went: list[str] = []

    async def one(budget: Budget, priority: Priority, name: str) -> None:
        await budget.acquire(priority)
        went.append(name)

    async def work() -> None:
        budget = Budget(60, LoopClock())
        async with asyncio.TaskGroup() as group:
            for name, priority in [("p1", 2), ("p2", 2), ("check", 1), ("person", 0), ("p3", 2)]:
                group.create_task(one(budget, Priority(priority), name))
                await asyncio.sleep(0)

    virtually(work)
    assert went == ["person", "check", "p1", "p2", "p3"]


def test_a_waiter_that_gives_up_costs_nobody_a_place() -> None:
    async def work() -> float:
        clock = LoopClock()
        budget = Budget(60, clock)
        waiters = [asyncio.create_task(budget.acquire(Priority.POLL)) for _ in range(50)]
        await asyncio.sleep(0)
        for waiter in waiters:
            waiter.cancel()
        await budget.acquire(Priority.POLL)
        return clock.monotonic()

    assert virtually(work) < 2


def test_a_429_pauses_everybody_halves_the_pace_once_and_creeps_back() -> None:
    async def work() -> None:
        clock = LoopClock()
        budget = Budget(180, clock)

        async def pace(requests: int) -> float:
            began = clock.monotonic()
            for _ in range(requests):
                await budget.acquire(Priority.PERSON)
            return requests / (clock.monotonic() - began)

        await asyncio.sleep(30)
        assert budget.available() == 9
        full = await pace(200)
        sent_at = clock.monotonic()
        assert budget.penalize(40, sent_at)
        assert not budget.penalize(10, sent_at - 1), "another request that met the same 429"
        assert budget.available() == 0
        began = clock.monotonic()
        await budget.acquire(Priority.PERSON)
        assert clock.monotonic() - began >= 40
        assert await pace(20) < full * 0.6
        await pace(1000)
        assert await pace(100) > full * 0.9

    virtually(work)


def test_an_endless_storm_of_429s_never_stops_the_budget() -> None:
    async def work() -> None:
        clock = LoopClock()
        budget = Budget(180, clock)
        for _ in range(100):
            await budget.acquire(Priority.POLL)
            budget.penalize(1, clock.monotonic())
        began = clock.monotonic()
        await budget.acquire(Priority.POLL)
        assert clock.monotonic() - began < 10

    virtually(work)


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Budget(0, LoopClock.__new__(LoopClock))


def test_a_flood_of_look_ups_leaves_the_poll_every_second_request_and_people_still_go_first() -> None:
    went: list[Priority] = []

    async def one(budget: Budget, priority: Priority) -> None:
        await budget.acquire(priority)
        went.append(priority)

    async def work() -> None:
        budget = Budget(60, LoopClock())
        waiting = [asyncio.create_task(one(budget, Priority.PERSON)) for _ in range(200)]
        waiting += [asyncio.create_task(one(budget, Priority.POLL)) for _ in range(20)]
        waiting += [asyncio.create_task(one(budget, Priority.CHECK)) for _ in range(5)]
        await asyncio.gather(*waiting)

    virtually(work)
    assert went[:50:2] == [Priority.PERSON] * 25
    assert went[1:50:2] == [Priority.CHECK] * 5 + [Priority.POLL] * 20
    assert set(went[50:]) == {Priority.PERSON}, "what nobody else wants is theirs"


def test_a_look_up_whose_client_has_gone_spends_nothing() -> None:
    async def work() -> float:
        clock = LoopClock()
        budget = Budget(60, clock)
        gone = [asyncio.create_task(budget.acquire(Priority.PERSON)) for _ in range(100)]
        poll = asyncio.create_task(budget.acquire(Priority.POLL))
        await asyncio.sleep(0.5)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        await poll
        return clock.monotonic()

    assert virtually(work) < 2
