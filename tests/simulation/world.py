"""One seeded world: a business that trades, a Qoyod that fails, two daemons that die, and people who meddle.

Everything runs on a virtual clock, over the real reader, cycle, leadership, audit and guards; only the sockets and
the databases are in memory, and those are held to the contract of the real ones.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from memory_state import MemoryState, MemoryStore
from memory_target import MemoryTable, MemoryTarget
from virtual_time import LoopClock, virtually

from stocksync.core import absence
from stocksync.core.desired_state import Rules
from stocksync.core.guards import Limits
from stocksync.core.model import Cell, Change, Removal
from stocksync.core.policy import LocationMap, Policy
from stocksync.core.report import CycleReport, Outcome
from stocksync.errors import StocksyncError, TargetUnavailable
from stocksync.ports import BatchResult, Fence
from stocksync.qoyod.budget import Budget
from stocksync.qoyod.client import QoyodSource
from stocksync.qoyod.credentials import KeyCredential
from stocksync.qoyod.settings import SourceSettings
from stocksync.qoyod.transport import Response, TransportFault
from stocksync.run.account import Account, Settings
from stocksync.run.lookup import Query, look_up
from stocksync.run.service import Runner
from stocksync.simulator.api import Api
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.credentials import Credentials
from stocksync.simulator.items import Mix
from stocksync.simulator.limits import RateLimit
from stocksync.simulator.wire import Manner, Request

absence.ALIVE = -2
# Half an hour is too short a life to wait for the fifty readings of the real one.
INTERVAL = 60.0
PER_MINUTE = 60
CRASHES, CRASHES_IN_WRITING, FREEZES = 0.01, 0.08, 0.004
"""Chances: at each commit point, at those between target and acknowledgement, and at each call of a port."""
IDLE_LIMIT = 4.5
"""Seconds after which a real server rolls an idle transaction back; below the fence's margin of 5."""
FAULTS = (
    "page-1=500x3", "page-2=503x9", "all=502x4", "page-2=reset", "all=timeoutx2", "page-2=truncate", "page-1=html",
    "all=429x3:retry=5", "all=401x4", "list=repeat-page-1x3", "list=no-pagination", "list=clamp-2", "page-2=404x2",
    "list=nothingx2", "list=halvex6", "page-1=half-json", "page-1=stringx2", "location-2=vanish",
    "all=bad-stock:null", "list=no-movementsx5", "page-1=no-inventoriesx4",
)  # fmt: skip


class Killed(BaseException):
    """kill -9: nothing of the process runs any more."""


@dataclass
class Violations:
    """Promises found broken."""

    found: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> None:
        self.found.append(text)


class World:
    """The business, its Qoyod, and the databases: what survives every process."""

    def __init__(self, seed: int, clock: LoopClock) -> None:
        self.random = Random(seed)
        self.meddled = self.random.random() < 0.5
        """Whether people edit the target; only then is drift healed, as healing would hide what writing got wrong."""
        self.by_sku = self.random.random() < 0.3
        self.clock = clock
        self.broken = Violations()
        self.calm = False
        mix = Mix(services=0.1, without_movement=0.1, negative=0.1, empty=0.1, everywhere=0.6)
        self.catalogue = Catalogue(self.random.randint(4, 9), 2, seed=seed, mix=mix)
        self.api = Api(self.catalogue, credentials=Credentials("key"), limit=RateLimit(PER_MINUTE + 5), largest_page=4)
        self.store, self.table = MemoryStore(), MemoryTable()
        self.shown: dict[Cell, set[Decimal]] = {}
        self.deleted: set[int] = set()
        self.undo: tuple[int, int, Decimal] | None = None
        """The last stock take, to be taken back: a figure that returns is what a lost write hides behind."""
        self.sent: deque[float] = deque()
        self.reports: list[CycleReport] = []

    def remember_truth(self) -> None:
        """Note every figure that the API could show now."""
        for (product_id, location), figure in self.catalogue.figures().items():
            self.shown.setdefault(Cell(product_id, str(location)), set()).add(figure)

    def trade(self) -> None:
        """Let one thing happen in the business."""
        ids = [item.id for item in self.catalogue.items.values() if item.tracked]
        what, chosen = self.random.random(), self.random.choice(ids) if ids else 0
        if what < 0.4 and self.undo is not None and self.undo[0] in ids:
            product_id, location, before = self.undo
            self.catalogue.stock_take(product_id, location, before)
        elif what < 0.75 and chosen:
            location = self.random.choice(list(self.catalogue.locations))
            self.undo = (chosen, location, self.catalogue.item(chosen).stock.get(location, Decimal(0)))
            self.catalogue.stock_take(chosen, location, self.random.choice([0, 5, 73, -2, Decimal("1.5"), 9, 11]))
        elif what < 0.85 and len(ids) > 2:
            gone = self.catalogue.delete(chosen)
            self.deleted.add(chosen)
            if self.random.random() < 0.4:
                self.catalogue.create(gone.sku, stock={1: self.random.randint(1, 9)})
        elif what < 0.95:
            self.catalogue.create(stock={1: self.random.randint(0, 9)})
        self.remember_truth()

    def count_request(self) -> None:
        """Hold the requests of all processes together to the limit."""
        now = self.clock.monotonic()
        self.sent.append(now)
        while self.sent and self.sent[0] <= now - 60:
            self.sent.popleft()
        if len(self.sent) > PER_MINUTE:
            self.broken(f"{len(self.sent)} requests within a minute at {now:.1f}")


class Wire:
    """The reader's transport: the simulated API behind a network that takes its time."""

    def __init__(self, world: World, gate: Callable[[], Awaitable[None]]) -> None:
        self._world, self._gate = world, gate

    async def get(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Response:
        world = self._world
        await self._gate()
        world.count_request()
        await asyncio.sleep(world.random.uniform(0.01, 0.4))
        lowered = {name.lower(): value for name, value in headers.items()}
        request = Request("GET", f"/2.0{path}", tuple(params.items()), lowered)
        if not world.calm and world.random.random() < 0.15:
            world.trade()
        world.remember_truth()
        answer = world.api.answer(request, now=world.clock.monotonic(), wall=world.clock.now())
        await self._gate()
        if answer.manner not in {Manner.WHOLE, Manner.STREAM}:
            await asyncio.sleep(30 if answer.manner is Manner.SILENT else 0)
            raise TransportFault("reset", f"the network: {answer.manner}")
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)


class SimulatedTarget(MemoryTarget):
    """A target whose server rolls idle transactions back, and that holds every commit to the promises."""

    def __init__(self, world: World, owner: str, crash: Callable[[str], None]) -> None:
        super().__init__(world.table, by_sku=world.by_sku, crash_points=crash)
        self._world, self._owner = world, owner

    async def write(self, changes: Sequence[Change], fence: Fence, transaction: Any = None) -> BatchResult:
        clock, began = self._world.clock, self._world.clock.monotonic()

        async def fence_then_idle() -> None:
            await fence()
            if clock.monotonic() - began > IDLE_LIMIT:
                raise TargetUnavailable("the server ended the idle transaction")

        self._judge(changes)
        written = await super().write(changes, fence_then_idle, transaction)
        lease = self._world.store.of("main")
        if lease.owner != self._owner or lease.expires_at <= clock.now():
            self._world.broken(f"{self._owner} wrote without the lease, {lease.owner} holds it")
        return written

    def _judge(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change.after, Removal):
                if change.product_id not in self._world.deleted:
                    self._world.broken(f"{change} though the product exists")
            elif change.after not in self._world.shown.get(change.cell, set()):
                self._world.broken(f"{change} was never shown")


class Gated:
    """Lets every call of a port wait while its process is frozen, before and after the call."""

    def __init__(self, inner: Any, gate: Callable[[], Awaitable[None]]) -> None:
        self._inner, self._gate = inner, gate

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not asyncio.iscoroutinefunction(attribute):
            return attribute

        async def gated(*args: Any, **kwargs: Any) -> Any:
            await self._gate()
            result = await attribute(*args, **kwargs)
            await self._gate()
            return result

        return gated


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

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        clock = SkewedClock(world.clock, timedelta(seconds=world.random.choice([0, 0, -90, 3600, -86_400])))
        self.dead, self.frozen_until = False, 0.0
        random = Random(world.random.random())
        budget = Budget(PER_MINUTE, world.clock)
        settings = SourceSettings("main", per_page=4, concurrency=2, attempts=3)
        wire, credential = Wire(world, self.gate), KeyCredential("api_key", lambda: "key")
        source = QoyodSource(settings, wire, budget, credential, self, clock, random)
        state = MemoryState(world.clock, world.store, crash_points=self.crash)
        self.account = Account(
            name="main", source=source, target=Gated(SimulatedTarget(world, name, self.crash), self.gate),
            state=Gated(state, self.gate), shared=False, rules=Rules(Policy(), LocationMap()),
            limits=Limits(minimum_cells=10_000), settings=_settings(heal=world.meddled),
            clock=clock, observer=self,
        )  # fmt: skip
        self._register = state
        self.runner = Runner(self.account, state, name)
        self._tasks = [asyncio.create_task(self.runner.leadership.keep()), asyncio.create_task(self._poll())]

    async def _poll(self) -> None:
        polls = 0
        while True:
            await asyncio.sleep(INTERVAL)
            self.runner.trigger()
            await self._ask_for_one()
            polls += 1
            if polls % 3 == 0:
                self.runner.trigger_audit()

    async def _ask_for_one(self) -> None:
        """Let a person look a product up while the cycle runs."""
        lease, ids = self.runner.leadership.lease, sorted(self.world.catalogue.items)
        if lease is None or self.world.random.random() < 0.7:
            return
        await asyncio.sleep(self.world.random.uniform(0, 3))
        with suppress(StocksyncError):
            await look_up(self.account, self._register, Query(product_id=self.world.random.choice(ids)), lease)

    async def gate(self) -> None:
        """Wait while frozen; be no more once dead."""
        clock, random = self.world.clock, self.world.random
        if not self.world.calm and random.random() < FREEZES:
            self.frozen_until = clock.monotonic() + random.uniform(3, 40)
        left = self.frozen_until - clock.monotonic()
        if left > 0:
            await asyncio.sleep(left)
        if self.dead:
            raise Killed

    def crash(self, point: str) -> None:
        """Die at a commit point, now and then; most often where a promise is hardest to keep."""
        chance = CRASHES_IN_WRITING if point in {"after write", "before acknowledge"} else CRASHES
        if self.dead or (not self.world.calm and self.world.random.random() < chance):
            self.dead = True
            raise Killed

    async def bury(self) -> None:
        """End the tasks of a dead process; nothing they try has an effect."""
        self.dead = True
        running = [*self._tasks, *self.runner.stop()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def reported(self, report: CycleReport) -> None:
        """Hold every report to the promises."""
        if not self.dead:
            self.world.reports.append(report)
            if "add up" in report.error or "unexpected" in report.error:
                self.world.broken(report.error)

    def _ignore(self, *_args: object, **_kwargs: object) -> None:
        """What else an Observer hears."""

    attempted = audited = skipped = leading = requested = throttled = budget = authorized = retire = _ignore


def _settings(*, heal: bool) -> Settings:
    return Settings(
        interval=timedelta(seconds=INTERVAL), jitter=timedelta(0), deadline=timedelta(seconds=150),
        audit_interval=timedelta(hours=1), cross_check=1, batch_size=3, heal=heal, owns_table=True,
    )  # fmt: skip


async def live_through(world: World) -> None:
    """Half an hour of trouble, then calm; then the target must equal the source."""
    daemons = [Daemon(world, "a0"), Daemon(world, "b0")]
    generation = 0
    for _ in range(12):
        await asyncio.sleep(world.random.uniform(30, 200))
        _trouble(world)
        for place, daemon in enumerate(daemons):
            if daemon.dead:
                await daemon.bury()
                generation += 1
                daemons[place] = Daemon(world, f"{'ab'[place]}{generation}")
    await _calm(world, daemons, generation)
    compare(world)
    for daemon in daemons:
        await daemon.bury()


def _trouble(world: World) -> None:
    random = world.random
    what = random.random()
    world.api.forget()
    if what < 0.5:
        world.api.faults.add(random.choice(FAULTS))
    elif what < 0.7 and world.meddled:
        meddle(world)
    world.trade()


def meddle(world: World) -> None:
    """Let a person edit or delete a row of the target."""
    rows, random = world.table.rows, world.random
    if not rows:
        return
    place = random.randrange(len(rows))
    if random.random() < 0.3:
        del rows[place]
    else:
        rows[place] = replace(rows[place], quantity=Decimal(random.randint(500, 600)))


async def _calm(world: World, daemons: list[Daemon], generation: int) -> None:
    world.api.forget()
    world.calm = True
    for place, daemon in enumerate(daemons):
        if daemon.dead:
            await daemon.bury()
            daemons[place] = Daemon(world, f"{'ab'[place]}{generation + place + 1}")
    await _complete_cycles(world, 7)


async def _complete_cycles(world: World, wanted: int) -> None:
    before = len(world.reports)
    for _ in range(60):
        good = [report for report in world.reports[before:] if report.complete]
        if len(good) >= wanted and good[-1].outcome is Outcome.DONE:
            # Time enough for the audit that the last trigger may have started.
            await asyncio.sleep(INTERVAL * 3)
            return
        await asyncio.sleep(INTERVAL / 2)
    outcomes = [(r.outcome.value, r.verdict, r.error or r.reasons) for r in world.reports[-4:]]
    world.broken(f"no {wanted} complete cycles within half an hour of calm: {outcomes}")


def compare(world: World) -> None:
    """Hold the target to the truth, cell by cell."""
    rows = {(_key(world, row.product_id, row.sku), row.place): (row.quantity, row.active) for row in world.table.rows}
    for (product_id, location), figure in world.catalogue.figures().items():
        found = rows.get((_key(world, product_id, world.catalogue.item(product_id).sku), str(location)))
        if found is None or found[0] != figure or found[1] is False:
            world.broken(f"product {product_id} at {location} is {found} and should be {figure}")
    shown = {_key(world, item.id, item.sku) for item in world.catalogue.items.values()}
    for row in world.table.rows:
        if _key(world, row.product_id, row.sku) not in shown and row.active is not False:
            world.broken(f"deleted product {row.product_id} is still for sale at {row.place}")


def _key(world: World, product_id: int, sku: str) -> str:
    return sku if world.by_sku else str(product_id)


def run_seed(seed: int) -> list[str]:
    """Live through one seeded world; gives the promises that were broken."""

    async def life() -> list[str]:
        world = World(seed, LoopClock())
        world.remember_truth()
        await live_through(world)
        return world.broken.found

    found: list[str] = virtually(life)
    return found
