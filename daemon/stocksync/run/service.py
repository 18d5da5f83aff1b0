"""The long-running service: it owns the tasks that triggers start, and drains them at the end."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from stocksync.core.events import TriggerSkipped
from stocksync.core.report import CycleReport
from stocksync.errors import LeaseLost, StocksyncError
from stocksync.ports import Lease, StateQueries
from stocksync.run.account import Account
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle
from stocksync.run.leases import LAST_WORD_SECONDS, Leadership
from stocksync.run.lookup_push import LookupPushes
from stocksync.run.scheduler import Scheduler, place_of
from stocksync.run.turns import Turns
from stocksync.run.watchdog import Watchdog

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 30.0
_FIRST_LOOK_SECONDS = 15.0
_LOOKS_AT_ONCE = 8
_STAGGER_SECONDS = 0.3
"""Between the first cycles of accounts that are elected together. Of a thousand products one keeps two cores busy for
so long, with both databases."""


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
        self._elected_at = float("-inf")
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
            report = await Cycle(self.account, lease, full=not self._compared).run()
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

    def elected(self) -> None:
        """Note that the lease is new, before `begin` is called."""
        # A state that was restored meanwhile has lost our lease, so that whoever is elected looks at the rows anew.
        self._compared = False
        self._elected_at = asyncio.get_running_loop().time()

    def begin(self) -> None:
        """Start the first cycle under a new lease, or when the one has ended that an earlier lease began."""
        if self._began.get("cycle", float("-inf")) >= self._elected_at:  # the scheduler was faster
            return
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


class Service:
    """All accounts of this process."""

    def __init__(
        self,
        accounts: Sequence[Account],
        register: StateQueries,
        owner: str,
        progressing: Callable[[], None] = lambda: None,
        address: str = "",
    ) -> None:
        """Take the accounts; `owner` names this process in leases, `address` is where look-ups reach it.

        `progressing` is called each second in which no account stands still.
        """
        first = accounts[0]
        self._register = register
        groups = [account.group for account in accounts]
        self._leadership = Leadership(
            first.state, first.publish, owner, groups, address=address,
            elected=lambda lease: self._line_up(self.runners[lease.account]),
        )  # fmt: skip
        self.runners = {account.name: self._runner(account) for account in accounts}
        self._in_line: dict[str, None] = {}
        """Accounts that are to begin under a new lease, in order."""
        self._next_in_line: asyncio.TimerHandle | None = None
        self._scheduler = Scheduler()
        self._watchdog = Watchdog(self._scheduler, self.runners.values(), progressing)
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to claim leases and to fire triggers."""
        for runner in self.runners.values():
            self._schedule(runner)
        self._keepers.append(asyncio.create_task(self._leadership.keep(), name="leases"))
        self._scheduler.start()
        self._keepers.append(asyncio.create_task(self._watchdog.run(), name="watchdog"))

    async def work_for(self, accounts: Sequence[Account]) -> None:
        """Work for these accounts from now on; one that is the same object as before notices nothing.

        Another's running batch is finished first, for half a minute at most.
        """
        wanted = {account.name: account for account in accounts}
        leaving = {name: one for name, one in self.runners.items() if wanted.get(name) is not one.account}
        for name in leaving:
            self._scheduler.forget(f"poll {name}")
            self._scheduler.forget(f"audit {name}")
        running = {task: name for name, runner in leaving.items() for task in runner.stop()}
        late = (await asyncio.wait(running, timeout=DRAIN_SECONDS))[1] if running else set()
        for task in late:
            task.cancel()
            log.error("task_did_not_end", account=running[task], task=task.get_name())
        if self._stopping.is_set():
            return
        for name in leaving:
            del self.runners[name]
        arriving = [self._runner(account) for name, account in wanted.items() if name not in self.runners]
        for runner in arriving:
            self.runners[runner.account.name] = runner
            self._schedule(runner)
        await self._leadership.regroup([account.group for account in accounts], afresh={running[task] for task in late})
        # Whoever is elected later begins by itself.
        for runner in arriving:
            if runner.lease and not self._stopping.is_set():
                self._line_up(runner)

    async def first_look(self) -> None:
        """Look at every target once, for 15 s at most in all; what is amiss is for the cycles to tell."""
        turns = Turns(at_once=_LOOKS_AT_ONCE)

        async def look(account: Account) -> None:
            async with turns.turn():
                with suppress(StocksyncError):
                    await account.capabilities()

        looks = [asyncio.create_task(look(runner.account)) for runner in self.runners.values()]
        _, late = await asyncio.wait(looks, timeout=_FIRST_LOOK_SECONDS)
        for task in late:
            task.cancel()

    def complaints(self) -> list[str]:
        """Name the polls that are not made or do not end although everything was tried."""
        return self._watchdog.complaints()

    def stop(self) -> None:
        """Ask the service to drain; returns at once."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`, or until a side task dies; then drain.

        Raises:
            Exception: what killed a side task: a service without it must not look alive.

        """
        self.start()
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([stopped, *self._keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            await self.drain()
        for keeper in self._keepers:
            if keeper.done() and not keeper.cancelled():
                keeper.result()

    async def drain(self) -> None:
        """Let running batches finish, for half a minute at most, then give the leases back."""
        self._stopping.set()
        self._scheduler.stop()
        self._in_line.clear()
        running = [task for runner in self.runners.values() for task in runner.stop()]
        if running:
            log.info("draining", tasks=len(running), at_most_seconds=DRAIN_SECONDS)
            _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=LAST_WORD_SECONDS)
        await self._leadership.release()

    def _line_up(self, runner: Runner) -> None:
        """Let an account begin in its turn: hundreds at once would all be late, and give up."""
        runner.elected()
        self._in_line[runner.account.name] = None
        if self._next_in_line is None:
            self._begin_next()

    def _begin_next(self) -> None:
        self._next_in_line = None
        while self._in_line and self._next_in_line is None:
            name = next(iter(self._in_line))
            del self._in_line[name]
            runner = self.runners.get(name)
            if runner is not None and runner.lease is not None:
                runner.begin()
                self._next_in_line = asyncio.get_running_loop().call_later(_STAGGER_SECONDS, self._begin_next)

    def _runner(self, account: Account) -> Runner:
        return Runner(account, self._register, self._leadership.leases)

    def _schedule(self, runner: Runner) -> None:
        name, settings = runner.account.name, runner.account.settings
        # Many accounts are not to be polled all at once, and each keeps its place among them.
        place, poll, check = place_of(name), runner.trigger, runner.trigger_audit
        self._scheduler.every(settings.interval, settings.jitter, poll, f"poll {name}", place=place)
        self._scheduler.every(settings.audit_interval, settings.jitter, check, f"audit {name}", place=place)


def _tell_crash(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task_crashed", task=task.get_name(), exc_info=error)
