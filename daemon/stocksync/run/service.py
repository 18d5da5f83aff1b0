"""The long-running service: all accounts of a process, lined up when they are elected and drained at its end."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from stocksync.errors import StocksyncError
from stocksync.ports import StateQueries
from stocksync.run.account import Account
from stocksync.run.leases import LAST_WORD_SECONDS, Leadership
from stocksync.run.runner import Runner
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
            if runner.lease and not runner.was_elected and not self._stopping.is_set():
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
                self._next_in_line = asyncio.get_running_loop().call_later(_STAGGER_SECONDS, self._begin_next)
                runner.begin()

    def _runner(self, account: Account) -> Runner:
        return Runner(account, self._register, self._leadership.leases)

    def _schedule(self, runner: Runner) -> None:
        name, settings = runner.account.name, runner.account.settings
        # Many accounts are not to be polled all at once, and each keeps its place among them.
        place, poll, check = place_of(name), runner.trigger, runner.trigger_audit
        self._scheduler.every(settings.interval, settings.jitter, poll, f"poll {name}", place=place)
        self._scheduler.every(settings.audit_interval, settings.jitter, check, f"audit {name}", place=place)
