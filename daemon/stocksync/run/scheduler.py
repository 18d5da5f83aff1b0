"""When accounts are polled and audited: APScheduler fires, and only fires."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler


class Scheduler:
    """Interval triggers in UTC, in memory; a late or missed firing is made up for once."""

    def __init__(self) -> None:
        """Make it; nothing fires before `start`."""
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )

    def every(self, interval: timedelta, jitter: timedelta, trigger: Callable[[], None], name: str) -> None:
        """Call `trigger` each interval, first after one interval; it must return at once and not raise."""

        async def fire() -> None:
            trigger()

        self._scheduler.add_job(
            fire, "interval", seconds=interval.total_seconds(), jitter=int(jitter.total_seconds()) or None,
            name=name, start_date=datetime.now(UTC) + interval,
        )  # fmt: skip

    def start(self) -> None:
        """Begin to fire."""
        self._scheduler.start()

    def stop(self) -> None:
        """Fire no more; what was fired is its owner's business."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
