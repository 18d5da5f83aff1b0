"""Polls go on whatever the clock and the scheduler do; all of it in virtual time."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import apscheduler.schedulers.base
import pytest
from scenario_shop import Shop
from structlog.testing import capture_logs
from virtual_time import EPOCH, virtually

from stocksync.run import scheduler as scheduling
from stocksync.run.runner import Runner
from stocksync.run.scheduler import Scheduler
from stocksync.run.watchdog import GRACE_SECONDS, HELPLESS_SECONDS, LOOK_SECONDS, UNWIND_SECONDS, Watchdog

INTERVAL = timedelta(minutes=15)
SLACK = GRACE_SECONDS + 3 * LOOK_SECONDS


class Wall(datetime):
    """The wall clock as APScheduler sees it: the loop's time, and what somebody has set it by."""

    set_by = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return EPOCH.astimezone(tz) + timedelta(seconds=asyncio.get_running_loop().time()) + cls.set_by


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Wall)
    monkeypatch.setattr(scheduling, "datetime", Wall)
    monkeypatch.setattr(Wall, "set_by", timedelta(0))

    def set_by(span: timedelta) -> None:
        monkeypatch.setattr(Wall, "set_by", Wall.set_by + span)

    return set_by


class Watched:
    """A scheduler and its watchdog, and when it fired."""

    def __init__(self, interval: timedelta = INTERVAL) -> None:
        self.fired: list[float] = []
        self.scheduler = Scheduler()
        self.scheduler.every(interval, timedelta(0), self.fire, "poll main")
        self.hung: dict[str, float] = {}
        self.cancelled: list[str] = []
        self.fed = 0
        self.watchdog = Watchdog(self.scheduler, [self], self.feed)
        self.scheduler.start()
        self.watching = asyncio.create_task(self.watchdog.run())

    def fire(self) -> None:
        self.fired.append(asyncio.get_running_loop().time())

    def feed(self) -> None:
        self.fed += 1

    def outlived(self, now: float) -> Iterator[tuple[str, float]]:
        return ((name, now - since) for name, since in self.hung.items())

    def cancel(self, name: str) -> None:
        self.cancelled.append(name)

    async def stop(self) -> None:
        self.scheduler.stop()
        self.watching.cancel()
        await asyncio.wait([self.watching])


def gaps(fired: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip([0.0, *fired], fired, strict=False)]


def watched(work: Callable[[Watched], Any], interval: timedelta = INTERVAL) -> tuple[Watched, list[Any]]:
    """Let `work` happen to a watched scheduler."""
    made: list[Watched] = []

    async def inside() -> None:
        made.append(Watched(interval))
        await work(made[0])
        await made[0].stop()

    with capture_logs() as lines:
        virtually(inside)
    return made[0], lines


@pytest.mark.parametrize("back", [timedelta(seconds=40), timedelta(hours=1), timedelta(days=400)])
def test_a_clock_set_back_delays_no_poll(wall: Callable[[timedelta], None], back: timedelta) -> None:
    async def work(_: Watched) -> None:
        await asyncio.sleep(1000)
        wall(-back)
        await asyncio.sleep(7000)

    polled, lines = watched(work)
    assert len(polled.fired) == 8
    assert max(gaps(polled.fired)) <= INTERVAL.total_seconds() + SLACK
    assert [line["event"] for line in lines] == ["trigger_overdue", "scheduler_rebuilt"]


def test_a_clock_set_back_again_and_again_delays_no_poll(wall: Callable[[timedelta], None]) -> None:
    async def work(_: Watched) -> None:
        for _hour in range(10):
            wall(-timedelta(hours=1))
            await asyncio.sleep(1700)

    polled, _ = watched(work)
    assert max(gaps(polled.fired)) <= INTERVAL.total_seconds() + SLACK
    assert min(gaps(polled.fired)) >= INTERVAL.total_seconds() - 1


def test_a_clock_that_leaps_ahead_by_a_year_owes_one_poll(wall: Callable[[timedelta], None]) -> None:
    async def work(polled: Watched) -> None:
        await asyncio.sleep(30)
        wall(timedelta(days=366))
        polled.scheduler._scheduler.wakeup()
        await asyncio.sleep(3)
        assert len(polled.fired) <= 30 + 1 + 3

    started = datetime.now(UTC)
    watched(work, timedelta(seconds=1))
    assert datetime.now(UTC) - started < timedelta(seconds=5), "it listed a year of seconds"


def test_a_scheduler_that_died_while_it_says_that_it_runs_is_rebuilt(wall: Callable[[timedelta], None]) -> None:
    async def work(polled: Watched) -> None:
        dead = polled.scheduler._scheduler

        def broken(*_: Any) -> Any:
            raise RuntimeError("the job store broke")

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        dead._process_jobs = broken
        await asyncio.sleep(4000)
        assert dead is not polled.scheduler._scheduler
        assert not dead.running

    polled, lines = watched(work)
    assert len(polled.fired) == 4
    assert max(gaps(polled.fired)) <= INTERVAL.total_seconds() + SLACK
    assert [line["event"] for line in lines].count("scheduler_rebuilt") == 1


def test_after_a_pause_of_the_whole_process_the_scheduler_goes_first(wall: Callable[[timedelta], None]) -> None:
    async def work(polled: Watched) -> None:
        await asyncio.sleep(100)
        asyncio.get_running_loop()._jumping.instant += 3600  # type: ignore[attr-defined]
        await asyncio.sleep(100)
        assert len(polled.fired) == 1

    _, lines = watched(work)
    assert lines == []


def test_what_is_owed_although_everything_was_tried_is_complained_of(wall: Callable[[timedelta], None]) -> None:
    async def work(polled: Watched) -> None:
        def broken() -> None:
            raise RuntimeError("no poll can be made")

        (trigger,) = polled.scheduler.triggers
        trigger.act = broken
        await asyncio.sleep(INTERVAL.total_seconds() + GRACE_SECONDS + 3)
        assert polled.watchdog.complaints() == []
        await asyncio.sleep(HELPLESS_SECONDS)
        (complaint,) = polled.watchdog.complaints()
        assert complaint.startswith("the poll main is 3")
        assert not polled.watching.done()
        trigger.act = polled.fire
        await asyncio.sleep(SLACK)
        assert polled.watchdog.complaints() == []

    watched(work)


def test_work_that_outlives_its_deadline_is_cancelled_once_more_then_complained_of(
    wall: Callable[[timedelta], None],
) -> None:
    async def work(polled: Watched) -> None:
        polled.hung["cycle main"] = asyncio.get_running_loop().time()
        await asyncio.sleep(UNWIND_SECONDS - 2)
        assert polled.cancelled == []
        await asyncio.sleep(5)
        assert polled.cancelled == ["cycle main"]
        assert polled.watchdog.complaints() == []
        await asyncio.sleep(HELPLESS_SECONDS)
        assert polled.cancelled == ["cycle main"], "once"
        assert polled.watchdog.complaints() == ["the cycle main should have ended 213 s ago"]
        fed = polled.fed
        assert fed > UNWIND_SECONDS, "once a second until then"
        await asyncio.sleep(60)
        assert polled.fed == fed, "systemd is to restart us"
        polled.hung.clear()
        assert polled.watchdog.complaints() == []
        await asyncio.sleep(2)
        assert polled.fed > fed

    watched(work)


async def test_a_cycle_that_swallows_its_cancellation_is_known_to_have_outlived_its_deadline(shop: Shop) -> None:
    runner = Runner(shop.account, shop.runtime.state, {})
    ended, cancelled = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                cancelled.set()

    runner._start("cycle", stubborn)
    now, deadline = asyncio.get_running_loop().time(), shop.account.settings.deadline.total_seconds()
    assert list(runner.outlived(now + deadline - 1)) == []
    ((name, late),) = runner.outlived(now + deadline + 100)
    assert (name, round(late)) == ("cycle main", 100)
    await asyncio.sleep(0)
    runner.cancel(name)
    await cancelled.wait()
    assert list(runner.outlived(now + deadline + 100))
    ended.set()
    await asyncio.wait(runner.stop())
