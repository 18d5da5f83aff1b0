"""One account of a process: the tasks of its cycles and audits."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import structlog

from stocksync.core.events import TriggerSkipped
from stocksync.core.report import CycleReport
from stocksync.errors import LeaseLost
from stocksync.ports import Lease, StateQueries
from stocksync.run.account import Account
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle
from stocksync.run.lookup_push import LookupPushes

log = structlog.get_logger(__name__)


class Runner:
    """One account's cycles and audits: at most one of each at a time, none delays another account's."""

    def __init__(self, account: Account, register: StateQueries, leases: Mapping[str, Lease]) -> None:
        """Take the account and the leases that this process holds; nothing runs before its own is among them."""
        self.account = account
        self._leases = leases
        self._register = register
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._began: dict[str, float] = {}
        """When each task was started, by the loop's clock."""
        self._draining = False
        self.pushes = LookupPushes(account, register, lambda: self.lease)
        """What look-ups found and is not written yet."""
        self._elected_at: float | None = None
        self._compared = False
        """Whether a cycle has compared the snapshot with the live rows since this process became the writer."""

    @property
    def lease(self) -> Lease | None:
        """The right to write for the account, while this process has it."""
        return self._leases.get(self.account.name)

    def trigger(self) -> None:
        """Start a cycle, unless one runs, another process is the writer, or the service stops."""
        lease = self.lease
        if lease is None:
            self.account.publish(TriggerSkipped(self.account.name, "standby"))
            return

        async def cycle() -> CycleReport:
            report = await Cycle(self.account, lease, confirm=not self._compared).run()
            self._compared = self._compared or report.worked
            return report

        self._start("cycle", cycle)

    def trigger_audit(self) -> None:
        """Start an audit, under the same conditions."""
        lease = self.lease
        if lease is not None:
            heal = self.account.settings.heal
            self._start("audit", lambda: audit(self.account, self._register, lease, heal=heal))

    async def cycle_now(self) -> CycleReport:
        """Run a cycle to its end, after the one under way.

        Raises:
            LeaseLost: another process is the writer, or this one stops.

        """
        while (running := self._tasks.get("cycle")) is not None and not running.done():
            await asyncio.wait([running])
        before = self._tasks.get("cycle")
        self.trigger()
        task = self._tasks.get("cycle")
        if self._draining:
            raise LeaseLost(f"account {self.account.name}: this process stops, and starts nothing more")
        if self.lease is None or task is None or task is before:
            raise LeaseLost(f"account {self.account.name}: another process is the writer")
        report: CycleReport = await task
        return report

    def stop(self) -> list[asyncio.Task[Any]]:
        """Start nothing more and cancel what runs; a batch that was begun is finished first."""
        self._draining = True
        tasks = [*self._tasks.values(), *([self.pushes.task] if self.pushes.task else [])]
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        return running

    def outlived(self, now: float) -> Iterator[tuple[str, float]]:
        """Give what is still running after poll.deadline: its task's name, and for how many seconds."""
        deadline = self.account.settings.deadline.total_seconds()
        for what, task in self._tasks.items():
            if not task.done() and now - self._began[what] > deadline:
                yield task.get_name(), now - self._began[what] - deadline

    def cancel(self, name: str) -> None:
        """Cancel the task of this name."""
        for task in self._tasks.values():
            if task.get_name() == name:
                task.cancel()

    @property
    def was_elected(self) -> bool:
        """Whether this process was ever elected for the account, as long as it has known it."""
        return self._elected_at is not None

    def elected(self) -> None:
        """Note that the lease is new, before `begin` is called."""
        # A state that was restored meanwhile has lost our lease, so that whoever is elected looks at the rows anew.
        self._compared = False
        self._elected_at = asyncio.get_running_loop().time()

    def begin(self) -> None:
        """Start the first cycle under a new lease; where one of an earlier lease still runs, once that has ended."""
        if self._elected_at is None or self._began.get("cycle", float("-inf")) >= self._elected_at:
            return  # the scheduler was faster
        running = self._tasks.get("cycle")
        if running is not None and not running.done():
            running.add_done_callback(lambda _: self.trigger())
        else:
            self.trigger()

    def _start(self, what: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        name = self.account.name
        running = self._tasks.get(what)
        if self._draining:
            self.account.publish(TriggerSkipped(name, "draining"))
        elif running is not None and not running.done():
            self.account.publish(TriggerSkipped(name, "running"))
            log.info("trigger_skipped", account=name, what=what, reason="the one before is still running")
        else:
            self._tasks[what] = asyncio.create_task(work(), name=f"{what} {name}")
            self._began[what] = asyncio.get_running_loop().time()
            self._tasks[what].add_done_callback(_tell_crash)


def _tell_crash(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task_crashed", task=task.get_name(), exc_info=error)
