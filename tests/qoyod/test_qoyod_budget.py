"""The request budget: never more than its limit in any sliding minute."""

import asyncio
from bisect import bisect_right
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from virtual_time import LoopClock, virtually

from stocksync.core.budget import SECOND, Pace, Reservation
from stocksync.errors import StateError, StateUnavailable
from stocksync.ports import Priority
from stocksync.qoyod.budget import PATIENCE_SECONDS, Budget, UnsharedBudgets


def worst_minute(times: list[float]) -> int:
    ordered = sorted(times)
    return max((bisect_right(ordered, start + 60) - index for index, start in enumerate(ordered)), default=0)


class Away(UnsharedBudgets):
    """What is shared, behind a database that takes its time, and now and then does nothing, or loses its answer."""

    def __init__(self, clock: LoopClock, random: Random) -> None:
        super().__init__(clock)
        self._random = random
        self.down = 0.0
        self.slow = [0, 0.001, 0.3, 0.9, 5]

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        await self._suffer()
        reserved = await super().reserve(budget, pace, count)
        await self._suffer()
        return reserved

    async def forbid(self, budget: str, seconds: float) -> None:
        await self._suffer()
        await super().forbid(budget, seconds)

    async def _suffer(self) -> None:
        await asyncio.sleep(self._random.choice(self.slow) * self._random.random())
        if self._random.random() < self.down:
            raise StateUnavailable("the database went away")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), limit=st.sampled_from([1, 2, 3, 10, 60, 180, 300]))
def test_no_sliding_minute_exceeds_the_limit_whatever_several_processes_ask(seed: int, limit: int) -> None:
    """Bursts of demand, idle minutes, 429s, cancelled waiters, processes that die, a state that is slow or away."""
    random = Random(seed)
    sent: list[float] = []

    async def one(budget: Budget, clock: LoopClock) -> None:
        with suppress(StateUnavailable):
            await budget.acquire(random.choice(list(Priority)))
            sent.append(clock.monotonic())

    async def process(shared: Away, clock: LoopClock) -> None:
        budget = Budget(limit, clock, shared)
        for _ in range(8):
            tasks = [asyncio.create_task(one(budget, clock)) for _ in range(random.randint(0, min(limit, 60)))]
            await asyncio.sleep(random.choice([0, 1, 20, 59, 61, 300]) * random.random())
            deed = random.random()
            shared.down = random.choice([0, 0, 0.3, 1])
            if deed < 0.3:
                await budget.throttled(random.choice([1, 30, 60]))
            elif deed < 0.6:
                budget = Budget(limit, clock, shared)
            if deed < 0.8:
                for task in tasks:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def work() -> None:
        clock = LoopClock()
        shared = Away(clock, random)
        await asyncio.gather(*(process(shared, clock) for _ in range(3)))

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
        for _ in range(Pace.of(60).burst):
            await budget.acquire(Priority.POLL)
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

        assert budget.available() == 9
        full = await pace(200)
        assert budget.available() < 2, "what is spent is not to be had"
        await asyncio.sleep(1)
        assert 2 <= budget.available() <= 4, "a second saves three, no more"
        await asyncio.sleep(60)
        assert budget.available() == 9, "an idle minute saves no more than the burst"
        await budget.throttled(40)
        await budget.throttled(10)  # another request that met the same 429
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
            await budget.throttled(1)
        began = clock.monotonic()
        await budget.acquire(Priority.POLL)
        assert clock.monotonic() - began < 10

    virtually(work)


def test_the_first_request_of_an_idle_budget_waits_for_nothing() -> None:
    async def work() -> float:
        clock = LoopClock()
        await asyncio.sleep(1000)
        for _ in range(3):
            await Budget(60, clock).acquire(Priority.POLL)
        return clock.monotonic()

    assert virtually(work) == 1000


def test_a_process_with_demand_reserves_in_blocks_and_one_request_is_reserved_alone() -> None:
    asked: list[int] = []

    class Counted(UnsharedBudgets):
        async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
            asked.append(count)
            return await super().reserve(budget, pace, count)

    async def work() -> None:
        budget = Budget(300, LoopClock(), Counted(LoopClock()))
        for _ in range(50):
            await budget.acquire(Priority.POLL)
        await asyncio.sleep(60)
        await budget.acquire(Priority.PERSON)

    virtually(work)
    assert asked == [1, 2, 4, 8, 9, 9, 9, 9, 1]


def test_while_the_state_is_away_nothing_goes_and_who_waits_is_told_after_ten_seconds() -> None:
    async def work() -> None:
        clock, random = LoopClock(), Random(1)
        shared = Away(clock, random)
        budget = Budget(60, clock, shared)
        shared.down, shared.slow = 1, [0.1]
        with pytest.raises(StateUnavailable, match="no request to Qoyod without its budget: the database went away"):
            await budget.acquire(Priority.POLL)
        assert PATIENCE_SECONDS <= clock.monotonic() < 2 * PATIENCE_SECONDS
        shared.down = 0
        await budget.acquire(Priority.POLL)

    virtually(work)


def test_a_state_that_takes_seconds_for_an_answer_is_as_good_as_away() -> None:
    class Slow(UnsharedBudgets):
        async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
            reserved = await super().reserve(budget, pace, count)
            await asyncio.sleep(3)
            return reserved

    async def work() -> None:
        clock = LoopClock()
        budget = Budget(20, clock, Slow(clock))
        with pytest.raises(StateUnavailable, match=r"took 3.0 s to answer"):
            await budget.acquire(Priority.POLL)

    virtually(work)


def test_a_slot_that_a_frozen_process_did_not_use_in_time_is_lost() -> None:
    async def work() -> float:
        clock = LoopClock()
        shared = UnsharedBudgets(clock)
        budget = Budget(180, clock, shared)
        for _ in range(30):
            await budget.acquire(Priority.POLL)
        await asyncio.sleep(30)
        before = (await shared.reserve("", Pace.of(180), 0)).first
        await budget.acquire(Priority.POLL)
        return (await shared.reserve("", Pace.of(180), 0)).first - before

    assert virtually(work) == Pace.of(180).interval


def test_a_flood_of_look_ups_leaves_the_poll_every_second_request_and_people_still_go_first() -> None:
    went: list[Priority] = []

    async def one(budget: Budget, priority: Priority) -> None:
        await budget.acquire(priority)
        went.append(priority)

    async def work() -> None:
        budget = Budget(60, LoopClock())
        for _ in range(Pace.of(60).burst):
            await budget.acquire(Priority.POLL)
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

    assert virtually(work) == pytest.approx(2 * Pace.of(60).interval / SECOND, abs=0.01)


class Counted(UnsharedBudgets):
    """What is shared, which notes how many requests were reserved at once, and may fail."""

    def __init__(self, clock: LoopClock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []
        self.fails: Exception | None = None

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        self.asked.append(count)
        if self.fails is not None:
            raise self.fails
        return await super().reserve(budget, pace, count)

    async def forbid(self, budget: str, seconds: float) -> None:
        if self.fails is not None:
            raise self.fails
        await super().forbid(budget, seconds)


def test_where_people_and_others_wait_the_turns_begin_with_a_person() -> None:
    went: list[Priority] = []

    async def one(budget: Budget, priority: Priority) -> None:
        await budget.acquire(priority)
        went.append(priority)

    async def work() -> None:
        budget = Budget(60, LoopClock())
        await budget.throttled(10)
        asked = [Priority.POLL, Priority.POLL, Priority.PERSON, Priority.PERSON]
        await asyncio.gather(*(one(budget, priority) for priority in asked))
        assert went == [Priority.PERSON, Priority.POLL] * 2

    virtually(work)


def test_a_poll_leaves_a_request_for_the_person_that_comes_amid_it() -> None:
    """At 180 requests a minute the others come 0.37 s apart: who takes an order would wait for one of them."""

    async def work() -> None:
        clock = LoopClock()
        await asyncio.sleep(1000)
        budget = Budget(180, clock)
        poll = [asyncio.create_task(budget.acquire(Priority.POLL)) for _ in range(40)]
        for second in (0.1, 1, 2, 3.3, 5):
            await asyncio.sleep(1000 + second - clock.monotonic())
            await budget.acquire(Priority.PERSON)
            assert clock.monotonic() == pytest.approx(1000 + second)
        await asyncio.gather(*poll)
        assert clock.monotonic() - 1000 == pytest.approx((45 - 9 + 1) * Pace.of(180).interval / SECOND)

    virtually(work)


def test_a_person_does_not_wait_until_a_poll_may_go() -> None:
    async def work() -> None:
        clock, interval = LoopClock(), Pace.of(180).interval / SECOND
        budget = Budget(180, clock)
        await budget.throttled(10)  # nothing is saved up: the slots to come are one interval and more away
        poll = asyncio.create_task(budget.acquire(Priority.POLL))
        await asyncio.sleep(10)
        await budget.acquire(Priority.PERSON)
        assert clock.monotonic() < 10 + interval
        await poll

    virtually(work)


def test_what_is_left_is_told_to_the_request() -> None:
    async def work() -> None:
        clock = LoopClock()
        budget = Budget(180, clock)
        await asyncio.sleep(60)
        assert budget.available() == 9
        for left in range(8, -1, -1):
            await budget.acquire(Priority.PERSON)
            assert budget.available() == left
        for saved in (1, 2, 3):
            await asyncio.sleep(Pace.of(180).interval / SECOND + 0.001)
            assert budget.available() == saved

    virtually(work)


def test_a_429_binds_every_process_that_shares_the_budget_and_blocks_begin_small_again() -> None:
    async def work() -> None:
        clock = LoopClock()
        shared = Counted(clock)
        first, second = (Budget(300, clock, shared, "acme") for _ in range(2))
        for _ in range(30):
            await first.acquire(Priority.POLL)
        assert shared.asked[-1] > 2
        await first.throttled(30)
        shared.asked.clear()
        began = clock.monotonic()
        await second.acquire(Priority.PERSON)
        assert clock.monotonic() - began >= 30
        await first.acquire(Priority.POLL)
        assert shared.asked == [1, 1]

    virtually(work)


def test_a_429_that_the_state_cannot_be_told_of_binds_this_process_and_is_told_of() -> None:
    async def work() -> None:
        clock = LoopClock()
        shared = Counted(clock)
        budget = Budget(60, clock, shared, "acme")
        shared.fails = StateUnavailable("the database went away")
        await budget.throttled(30)
        shared.fails = None
        await budget.acquire(Priority.POLL)
        assert clock.monotonic() >= 30

    with capture_logs() as logs:
        virtually(work)
    told = {"log_level": "warning", "tenant": "acme", "error": "the database went away"}
    assert logs == [{"event": "throttling_not_shared", **told}]


def test_as_many_are_reserved_as_wait_up_to_a_block() -> None:
    async def work() -> None:
        clock = LoopClock()
        shared = Counted(clock)
        budget = Budget(300, clock, shared)
        await asyncio.gather(*(budget.acquire(Priority.POLL) for _ in range(50)))
        assert shared.asked[0] == 9

    virtually(work)


def test_an_error_that_no_waiting_mends_is_told_to_who_waits_at_once() -> None:
    async def work() -> None:
        clock = LoopClock()
        shared = Counted(clock)
        shared.fails = RuntimeError("no such column")
        with pytest.raises(StateError, match=r"^no request to Qoyod without its budget: no such column$") as caught:
            await Budget(60, clock, shared).acquire(Priority.POLL)
        assert not isinstance(caught.value, StateUnavailable)
        assert clock.monotonic() == 0

    virtually(work)


def test_a_state_that_goes_away_later_is_asked_twice_a_second_for_ten_seconds() -> None:
    async def work() -> None:
        clock = LoopClock()
        shared = Counted(clock)
        budget = Budget(60, clock, shared)
        await asyncio.sleep(1000)
        shared.fails = StateUnavailable("the database went away")
        with pytest.raises(StateUnavailable):
            await budget.acquire(Priority.POLL)
        assert clock.monotonic() == 1000 + PATIENCE_SECONDS
        assert len(shared.asked) == 21

    virtually(work)
