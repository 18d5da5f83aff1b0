"""When accounts are polled and audited: APScheduler fires, and only fires."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger


class _Interval(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """An interval counted from the present firing: a clock that leaps ahead by a year owes one poll, not thousands."""

    def __init__(self, first: datetime, interval: timedelta, jitter: timedelta) -> None:
        self._first, self._interval = first, interval
        self._jitter = int(jitter.total_seconds())

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Give the instant to fire at; APScheduler's own interval would list each one that a leap has missed."""
        due = self._first if previous_fire_time is None else now + self._interval
        fire_time: datetime = self._apply_jitter(due, self._jitter, now)
        return fire_time


@dataclass(slots=True)
class Trigger:
    """What is called each interval; instants are seconds of the loop's monotonic clock."""

    name: str
    interval: timedelta
    jitter: timedelta
    act: Callable[[], None]
    fired_at: float

    def fire(self) -> None:
        """Act, and count the interval from now on."""
        self.act()
        self.fired_at = asyncio.get_running_loop().time()

    def overdue(self, now: float) -> float:
        """Give the seconds by which it should have fired before `now`; below 0 it is not due yet."""
        return now - self.fired_at - (self.interval + self.jitter).total_seconds()

    def remaining(self, now: float) -> timedelta:
        """Give how long it is until it is due."""
        return max(timedelta(0), self.interval - timedelta(seconds=now - self.fired_at))


def place_of(name: str) -> float:
    """Give a share of the interval, 0 to 1, evenly spread over names and the same in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) / 2**64


class Scheduler:
    """Interval triggers in UTC, in memory; a late or missed firing is made up for once."""

    def __init__(self) -> None:
        """Make it; nothing fires before `start`."""
        self.triggers: list[Trigger] = []
        self._jobs: dict[str, Job] = {}
        self._scheduler = _new()

    def every(
        self, interval: timedelta, jitter: timedelta, act: Callable[[], None], name: str, *, place: float = 0.0
    ) -> None:
        """Call `act` each interval, first when all of one but `place`, a share of it, has passed.

        It must return at once and not raise.
        """
        last = asyncio.get_running_loop().time() - interval.total_seconds() * place
        trigger = Trigger(name, interval, jitter, act, fired_at=last)
        self.triggers.append(trigger)
        self._add(trigger)

    def forget(self, name: str) -> None:
        """Fire the triggers of this name no more."""
        self.triggers = [trigger for trigger in self.triggers if trigger.name != name]
        self._jobs.pop(name).remove()

    def start(self) -> None:
        """Begin to fire."""
        self._scheduler.start()

    def rebuild(self) -> None:
        """Begin anew with the same triggers, each when it is due by the monotonic clock.

        APScheduler goes by the wall clock, which may be set back, and can be dead with `running` still true.
        """
        self.stop()
        self._scheduler = _new()
        for trigger in self.triggers:
            self._add(trigger)
        self.start()

    def stop(self) -> None:
        """Fire no more; what was fired is its owner's business."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _add(self, trigger: Trigger) -> None:
        async def fire() -> None:
            trigger.fire()

        first = datetime.now(UTC) + trigger.remaining(asyncio.get_running_loop().time())
        when = _Interval(first, trigger.interval, trigger.jitter)
        self._jobs[trigger.name] = self._scheduler.add_job(fire, when, name=trigger.name)


def _new() -> AsyncIOScheduler:
    return AsyncIOScheduler(
        timezone=UTC,
        job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
    )
