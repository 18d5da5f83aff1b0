"""Sees to it, by the monotonic clock, that polls are made and that they end, whatever the scheduler believes."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import structlog

from stocksync.run.scheduler import Scheduler

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
GRACE_SECONDS = 5.0
"""How late a trigger may be before it is made here."""
HELPLESS_SECONDS = 30.0
"""How late it may be before the process calls itself unwell: by then making it here has failed too."""
UNWIND_SECONDS = 180.0
"""What work may take to end after its deadline: the batch under way, and the last word to a slow state."""


class AccountTasks(Protocol):
    """An account's cycles and audits, as they run."""

    def outlived(self, now: float) -> Iterable[tuple[str, float]]:
        """Give what is still running after its deadline: its name, and for how many seconds."""

    def cancel(self, name: str) -> None:
        """End it by force."""


class Watchdog:
    """Makes the triggers that the scheduler owes, and ends what its deadline could not end."""

    def __init__(
        self, scheduler: Scheduler, tasks: Collection[AccountTasks], progressing: Callable[[], None] = lambda: None
    ) -> None:
        """Take whom to watch, and what to call at each look, once a second, that finds nobody standing still."""
        self._scheduler = scheduler
        self._tasks = tasks
        self._progressing = progressing
        self._late: set[str] = set()
        self._cancelled: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now, triggers = asyncio.get_running_loop().time(), self._scheduler.triggers
            late = {trigger.name: trigger for trigger in triggers if trigger.overdue(now) > GRACE_SECONDS}
            # Seen twice: after a pause of the whole process everything is late, and the scheduler's turn comes first.
            again = late.keys() & self._late
            self._late = set(late) - again
            for name in sorted(again):
                log.warning("trigger_overdue", what=name, seconds=round(late[name].overdue(now), 1))
                try:
                    late[name].fire()
                except Exception:  # what cannot be made is complained of; the others are still watched
                    log.exception("trigger_failed", what=name)
            if again:
                self._scheduler.rebuild()
                log.warning("scheduler_rebuilt", hint="it had stopped firing; has the clock been set back?")
            hung = {name: tasks for tasks in self._tasks for name, over in tasks.outlived(now) if over > UNWIND_SECONDS}
            for name in hung.keys() - self._cancelled:
                log.error("deadline_outlived", what=name, done="cancelled it once more")
                hung[name].cancel(name)
            self._cancelled = set(hung)
            if not self.complaints():
                self._progressing()

    def complaints(self) -> list[str]:
        """Name what stands still although everything was tried; empty where nothing does."""
        now = asyncio.get_running_loop().time()
        late = ((trigger.name, trigger.overdue(now)) for trigger in self._scheduler.triggers)
        owed = [f"the {name} is {seconds:.0f} s overdue" for name, seconds in late if seconds > HELPLESS_SECONDS]
        hung = [
            f"the {name} should have ended {seconds:.0f} s ago"
            for tasks in self._tasks
            for name, seconds in tasks.outlived(now)
            if seconds > UNWIND_SECONDS + HELPLESS_SECONDS
        ]
        return [*owed, *hung]
