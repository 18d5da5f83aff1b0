"""The processes of a world: daemons that freeze and die, people who decide, and the wires between them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any

from oracle import PROCESS
from virtual_time import LoopClock

from stocksync.core.allowance import Allowance
from stocksync.core.budget import Pace, Reservation
from stocksync.core.desired_state import Rules
from stocksync.core.events import CycleEnded, CycleStarted, Event, LeaseChanged, TriggerSkipped
from stocksync.core.guards import Limits
from stocksync.core.model import Change, Reading, Verdict
from stocksync.core.policy import LocationMap, Policy
from stocksync.errors import LeaseLost, StateInUse, StateUnavailable, StocksyncError, TargetUnavailable
from stocksync.ports import BatchResult, Fence, Lease, Progress
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.client import QoyodSource
from stocksync.qoyod.credentials import KeyCredential
from stocksync.qoyod.settings import SourceSettings
from stocksync.qoyod.transport import Response, TransportFault
from stocksync.run.account import Account, Settings
from stocksync.run.cycle import Cycle
from stocksync.run.leases import Leadership, lead
from stocksync.run.lookup import Query, look_up
from stocksync.run.lookup_share import LookupShare
from stocksync.run.runner import Runner
from stocksync.simulator.faults import Phase
from stocksync.simulator.wire import Manner, Request

if TYPE_CHECKING:
    from world import World

INTERVAL = 60.0
PER_MINUTE = 60
IDLE_LIMIT = 4.5
"""Seconds after which a real server rolls an idle transaction back; below the fence's margin of 5."""
_COMMITS = {
    "claim", "renew", "release", "begin", "observe", "intend", "acknowledge", "hold", "end", "record_audit", "write",
    "reserve", "forbid",
}  # fmt: skip


class Killed(BaseException):
    """kill -9: nothing of the process runs any more."""


class Wire:
    """The reader's transport: the simulated API behind a network that takes its time."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon, self._world = daemon, daemon.world

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        world = self._world
        await self._daemon.gate()
        world.oracle.see_request(world.clock.monotonic())
        await asyncio.sleep(world.random.uniform(0.01, 0.4))
        lowered = {name.lower(): value for name, value in headers.items()}
        request = Request("GET", f"/2.0{path}", tuple(params.items()), lowered)
        if not world.calm and world.random.random() < 0.15:
            world.trade()
        world.oracle.struck += any(world.api.faults.live(phase) for phase in Phase)
        answer = world.api.answer(request, now=world.clock.monotonic(), wall=world.clock.now())
        if answer.status == 200:
            world.oracle.see_answer(self._daemon.name, world.clock.monotonic(), answer.body)
        await self._daemon.gate()
        if answer.manner not in {Manner.WHOLE, Manner.STREAM}:
            await asyncio.sleep(30 if answer.manner is Manner.SILENT else 0)
            raise TransportFault("reset", f"the network: {answer.manner}")
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)


class NotedSource(QoyodSource):
    """The reader, whose last verdict the oracle asks for."""

    verdict: Verdict | None = None

    async def read(self, progress: Progress | None = None, **limits: Any) -> Reading:
        self.verdict = None
        reading = await super().read(progress, **limits)
        self.verdict = reading.verdict
        return reading


class SimulatedTarget:
    """A target whose server rolls idle transactions back, and whose commits the oracle sees."""

    def __init__(self, inner: Any, world: "World", owner: str) -> None:
        self._inner, self._world, self._owner = inner, world, owner
        self._joined: list[Change] = []
        """Written in a transaction of the state's, which may still be refused."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, changes: Sequence[Change], fence: Fence, transaction: Any = None, **how: Any) -> BatchResult:
        world, clock = self._world, self._world.clock
        began = clock.monotonic()

        async def fence_then_idle() -> None:
            try:
                await fence()
            except LeaseLost:
                world.oracle.reached.add("fence refused after BEGIN")
                raise
            if not world.calm and world.random.random() < world.weather.slow_commit:
                await asyncio.sleep(world.random.uniform(0, 1.2 * IDLE_LIMIT))
            if clock.monotonic() - began > IDLE_LIMIT:
                world.oracle.reached.add("idle transaction rolled back")
                raise TargetUnavailable("the server ended the idle transaction")

        written: BatchResult = await self._inner.write(changes, fence_then_idle, transaction, **how)
        if transaction is not None:
            self._joined += written.applied
        else:
            world.oracle.see_commit(self._owner, written.applied, clock.monotonic())
            owner, expires_at = world.databases.lease()
            if owner != self._owner or expires_at <= clock.now():
                world.oracle.note(f"{self._owner} wrote without the lease, {owner or 'nobody'} holds it")
        return written

    def settle(self, *, committed: bool) -> None:
        """Show the oracle what was written in a transaction of the state's, once that is committed."""
        joined, self._joined = self._joined, []
        if committed:
            self._world.oracle.see_commit(self._owner, joined, self._world.clock.monotonic())


class Gated:
    """A port behind a process that freezes and a database that fails; notes every call for the replay's digest."""

    def __init__(self, inner: Any, daemon: "Daemon", fault: type[StocksyncError]) -> None:
        self._inner, self._daemon, self._fault = inner, daemon, fault

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name == "transaction":
            return self._transaction
        if not asyncio.iscoroutinefunction(attribute):
            return attribute

        async def gated(*args: Any, **kwargs: Any) -> Any:
            await self._before(name, args)
            result = await attribute(*args, **kwargs)
            await self._after(name)
            return result

        return gated

    @asynccontextmanager
    async def _transaction(self, lease: Lease) -> AsyncIterator[Any]:
        await self._before("transaction", (lease,))
        committed = False
        try:
            async with self._inner.transaction(lease) as transaction:
                yield transaction
            committed = True
        finally:
            self._daemon.target.settle(committed=committed)
        await self._after("acknowledge")

    async def _before(self, name: str, args: Sequence[Any]) -> None:
        world = self._daemon.world
        await self._daemon.gate()
        await asyncio.sleep(world.random.uniform(0, 0.1))
        values = [argument for argument in args if not callable(argument)]
        world.trace(f"{self._daemon.name} {name} {values!r}")
        if not world.calm and world.random.random() < world.weather.outage:
            world.oracle.reached.add(f"{self._fault.__name__} before it did anything")
            raise self._fault(f"the database went away before {name}")

    async def _after(self, name: str) -> None:
        world = self._daemon.world
        if name in _COMMITS and not world.calm and world.random.random() < world.weather.lost_answer:
            world.oracle.reached.add(f"{name} committed and its answer was lost")
            raise self._fault(f"the answer to {name} was lost")
        await self._daemon.gate()


class Unanswered:
    """The shared budgets as a process sees them that may be killed while it waits: a dead one gets no answer."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        try:
            reserved: Reservation = await self._inner.reserve(budget, pace, count)
        except Killed:
            raise asyncio.CancelledError from None
        return reserved

    async def forbid(self, budget: str, seconds: float) -> None:
        await self._inner.forbid(budget, seconds)


class SkewedClock:
    """A machine's clock: its wall time may be wrong, its seconds are not."""

    def __init__(self, clock: LoopClock, skew: timedelta) -> None:
        self._clock, self._skew = clock, skew

    def now(self) -> datetime:
        return self._clock.now() + self._skew

    def monotonic(self) -> float:
        return self._clock.monotonic()


class Daemon:
    """One process: it may be frozen, and it may be killed."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        skew = timedelta(seconds=world.random.choice([0, 0, -90, 3600, -86_400]))
        clock = SkewedClock(world.clock, skew)
        self.dead, self.frozen_until = False, 0.0
        random = Random(world.random.random())
        settings = SourceSettings("main", per_page=4, concurrency=2, attempts=3)
        self.state, target = world.databases.open(self.crash)
        self.target = SimulatedTarget(target, world, name)
        gated = Gated(self.state, self, StateUnavailable)
        budget = Budget(PER_MINUTE, world.clock, Unanswered(gated), "main")
        credential = KeyCredential("api_key", lambda: "key")
        self.source = source = NotedSource(settings, Wire(self), budget, credential, self.hear, clock, random)
        self.account = Account(
            name="main", source=source,
            target=Gated(self.target, self, TargetUnavailable),
            state=gated, shared=world.weather.shared,
            rules=Rules(Policy(), LocationMap()), limits=Limits(minimum_cells=world.weather.minimum_cells),
            settings=_settings(heal=world.weather.meddled, cross_check=world.weather.cross_check),
            clock=clock, publish=self.hear, lookups=LookupShare(Allowance.of(PER_MINUTE), clock),
        )  # fmt: skip
        self.leadership = Leadership(
            self.account.state, self.hear, name, [["main"]], elected=lambda _lease: self._elected()
        )
        self.runner = Runner(self.account, self.state, self.leadership.leases)
        self._tasks: list[asyncio.Task[None]] = []

    def _elected(self) -> None:
        self.runner.elected()
        self.runner.begin()

    def start(self) -> None:
        """Keep the lease and poll, as the service does."""
        with self._speaking():
            self._tasks = [asyncio.create_task(self.leadership.keep()), asyncio.create_task(self._poll())]

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Let log lines, also those of tasks that begin here, be this process's."""
        before = PROCESS.set(self.name)
        try:
            yield
        finally:
            PROCESS.reset(before)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            self.runner.trigger()
            await asyncio.sleep(self.world.random.uniform(0, 4))
            self.runner.trigger_audit()
            await self._ask_for_one()

    async def _ask_for_one(self) -> None:
        """Let a person look a product up while the cycle runs."""
        lease, ids = self.runner.lease, sorted(self.world.catalogue.items)
        if lease is None or not ids or self.world.random.random() < 0.5:
            return
        await asyncio.sleep(self.world.random.uniform(0, 3))
        with suppress(StocksyncError):
            await look_up(self.account, self.state, Query(product_id=self.world.random.choice(ids)), lease)
            self.world.oracle.reached.add("looked up beside a cycle")

    async def once(self) -> None:
        """Run one cycle as the command does: refused while another process is the writer."""
        try:
            with self._speaking():
                async with lead(self.account, self.name) as lease:
                    await Cycle(self.account, lease).run()
                self.world.oracle.reached.add("once ran a cycle")
        except StateInUse:
            self.world.oracle.reached.add("once was refused")
        except (StocksyncError, Killed):
            self.world.oracle.reached.add("once failed")

    async def gate(self) -> None:
        """Wait while frozen; be no more once dead."""
        clock, random = self.world.clock, self.world.random
        if not self.world.calm and random.random() < self.world.weather.freeze:
            self.frozen_until = clock.monotonic() + random.uniform(3, 40)
            self.world.oracle.reached.add("frozen")
        left = self.frozen_until - clock.monotonic()
        if left > 0:
            await asyncio.sleep(left)
        if self.dead:
            raise Killed

    def crash(self, point: str) -> None:
        """Die at a commit point, now and then; most often where a promise is hardest to keep."""
        weather = self.world.weather
        if point.startswith("after ") and not self.dead:
            self.world.see_store(point, complete=self.source.verdict is Verdict.COMPLETE)
        chance = weather.crash_in_writing if point in {"after write", "before acknowledge"} else weather.crash
        if self.dead or (not self.world.calm and self.world.random.random() < chance):
            self.dead = True
            self.world.oracle.reached.add(f"killed {point}")
            raise Killed

    async def bury(self) -> None:
        """End the tasks of a dead process; nothing they try has an effect."""
        self.dead = True
        running = [*self._tasks, *self.runner.stop()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.world.databases.leave(self.state)

    def hear(self, event: Event) -> None:
        """Have the oracle judge each cycle; note what stands when one begins, take-overs and skipped triggers."""
        match event:
            case CycleStarted():
                self.world.note_attempt(self.name)
            case CycleEnded(report) if not self.dead:
                self.world.note_report(self.name, report)
            case LeaseChanged(_, int(epoch)) if epoch > 1:
                self.world.oracle.reached.add("took over")
                # What matters most is a batch that was begun.
                if any(row.intent is not None for row in self.world.databases.cells().values()):
                    self.world.oracle.reached.add("took over in mid-batch")
            case TriggerSkipped(_, reason):
                self.world.oracle.reached.add(f"trigger skipped: {reason}")
            case _:
                pass


class Person:
    """Whoever answers for the account: approves, rejects, types `once`, and not always in time."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._typed = 0

    async def act(self) -> None:
        """Do one thing, or nothing."""
        world, what = self._world, self._world.random.random()
        if what < 0.35:
            await self.decide(approved=True)
        elif what < 0.45:
            await self.decide(approved=False)
        elif what < 0.6:
            self._typed += 1
            await Daemon(world, f"once{self._typed}").once()

    async def decide(self, *, approved: bool) -> None:
        """Say yes or no to the plan that is held, as it is shown now."""
        world = self._world
        state, _ = world.databases.open(lambda _point: None)
        # What was written before cannot use up what is approved now, though no report has told of it yet.
        world.oracle.decided.cover(world.databases.ledger(), world.clock.monotonic())
        for plan in await state.held("main"):
            decided = await state.decide(plan.plan_id, approved, "huda")
            world.oracle.decided.said(decided, world.clock.monotonic(), approved=approved)
            world.see_store("decided")
            world.oracle.reached.add("a person approved" if approved else "a person rejected")
        await world.databases.leave(state)


def digest_of(lines: Sequence[str]) -> str:
    """Give a fingerprint of everything that was asked of every port."""
    digest = blake2b(digest_size=16)
    for line in lines:
        digest.update(line.encode())
    return digest.hexdigest()


def _settings(*, heal: bool, cross_check: int) -> Settings:
    return Settings(
        interval=timedelta(seconds=INTERVAL), jitter=timedelta(0), deadline=timedelta(seconds=150),
        audit_interval=timedelta(hours=1), cross_check=cross_check, batch_size=3, heal=heal, owns_table=True,
    )  # fmt: skip
