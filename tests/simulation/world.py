"""One seeded world: a business that trades, a Qoyod that fails, two daemons that die, and people who meddle.

Everything runs on a virtual clock, over the real reader, cycle, leadership, audit and guards; only the sockets and
the databases are in memory, and those are held to the contract of the real ones.
"""

import asyncio
import uuid
from decimal import Decimal
from random import Random
from statistics import median
from typing import NamedTuple
from unittest.mock import patch

import structlog
from databases import Databases, InMemory, InSqlite, in_sqlite
from oracle import PROCESS, Began, Oracle
from process import INTERVAL, PER_MINUTE, Daemon, Person, digest_of
from virtual_time import LoopClock, virtually
from weather import draw

from stocksync.core import absence
from stocksync.core.model import Cell, Removal
from stocksync.core.report import CycleReport, Outcome
from stocksync.memory import MemoryRow, MemoryStore, MemoryTable
from stocksync.run import portions
from stocksync.simulator.api import Api
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.credentials import Credentials
from stocksync.simulator.items import Mix
from stocksync.simulator.limits import RateLimit

absence.UNLISTED_AFTER = 4
# Half an hour is too short a life to wait for the fifty readings of the real one.


class Lived(NamedTuple):
    """What became of a world."""

    broken: list[str]
    reached: set[str]
    digest: str
    """Of every call of every port: the same seed gives the same."""


class World:
    """The business, its Qoyod, and the databases: what survives every process."""

    def __init__(self, seed: int, clock: LoopClock, databases: Databases | None = None) -> None:
        self.random = Random(seed)
        self.weather = draw(self.random)
        self.clock = clock
        self.oracle = Oracle(self.weather, PER_MINUTE)
        self.calm = False
        mix = Mix(services=0.1, without_movement=0.1, negative=0.1, empty=0.1, everywhere=0.6)
        self.catalogue = Catalogue(self.random.randint(4, 9), 2, seed=seed, mix=mix)
        self.api = Api(self.catalogue, credentials=Credentials("key"), limit=RateLimit(PER_MINUTE + 5), largest_page=4)
        self.store, self.table = MemoryStore(), MemoryTable()
        self.databases = databases or InMemory(clock, self.store, self.table, by_sku=self.weather.by_sku)
        self.undo: tuple[int, int, Decimal] | None = None
        """The last stock take, to be taken back: a figure that returns is what a lost write hides behind."""
        self.reports: list[CycleReport] = []
        self.lines: list[str] = []

    def trace(self, line: str) -> None:
        """Note a call of a port."""
        self.lines.append(line)

    @property
    def managed(self) -> int:
        """How many cells hold a quantity of ours."""
        rows = self.databases.cells().values()
        return sum(row.acked is not None and not isinstance(row.acked, Removal) for row in rows)

    @property
    def standing(self) -> int:
        """How many of them have a row: a full cycle sees at once which rows a person has deleted."""
        by_sku = self.weather.by_sku
        there = {(row.sku if by_sku else row.product_id, row.place) for row in self.databases.rows()}
        cells = ((cell, row) for cell, row in self.databases.cells().items() if isinstance(row.acked, Decimal))
        return sum((row.sku if by_sku else cell.product_id, cell.place) in there for cell, row in cells)

    def note_attempt(self, name: str) -> None:
        """Remember what stood when this process's cycle began."""
        totals = self.databases.totals()
        usual = median(totals) if totals else 0
        self.oracle.began[name] = Began(self.clock.monotonic(), self.managed, self.standing, usual, self.oracle.struck)

    def note_report(self, name: str, report: CycleReport) -> None:
        """Have the oracle judge a cycle that ended."""
        began = self.oracle.began[name]
        self.reports.append(report)
        self.oracle.reached |= {f"outcome {report.outcome}", f"verdict {report.verdict}"}
        self.oracle.reached |= {f"held by {guard}" for guard in report.guards}
        self.oracle.reached |= {f"applied {kind}" for kind in report.changes}
        ledger = self.databases.ledger()
        self.oracle.see_report(report, began, ledger, self.managed, self.clock.monotonic())
        rows = {Cell(row.product_id, row.place): row.quantity for row in self.databases.rows()}
        held = [cell for plan in self.databases.plans() for cell in plan.cells]
        self.oracle.see_done(name, report, began, held, rows)

    def see_store(self, point: str, *, complete: bool = False) -> None:
        """Have the oracle look at what is approved, after a commit."""
        plans, ledger = self.databases.plans(), self.databases.ledger
        if self.oracle.decided.see_store(point, plans, ledger, complete=complete) and point == "after end":
            self.oracle.reached.add("an approval outlived a cycle")

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
            self.oracle.deleted.add(chosen)
            if self.random.random() < 0.4:
                self.catalogue.create(gone.sku, stock={1: self.random.randint(1, 9)})
        elif what < 0.95:
            self.catalogue.create(stock={1: self.random.randint(0, 9)})

    def wipe(self) -> None:
        """Let half of the catalogue be counted as nothing, or be deleted."""
        ids = [item.id for item in self.catalogue.items.values() if item.tracked]
        deleted = self.random.random() < 0.4
        for product_id in self.random.sample(ids, len(ids) // 2):
            if deleted:
                self.catalogue.delete(product_id)
                self.oracle.deleted.add(product_id)
            else:
                for location in sorted(self.catalogue.item(product_id).stock):
                    self.catalogue.stock_take(product_id, location, 0)
        self.oracle.reached.add("half the catalogue deleted" if deleted else "half the catalogue zeroed")

    def meddle(self) -> None:
        """Let a person edit or delete a row of the target."""
        rows, random = self.databases.rows(), self.random
        if not rows:
            return
        row = rows[random.randrange(len(rows))]
        self.oracle.meddled[Cell(row.product_id, row.place)] = self.clock.monotonic()
        self.databases.edit(row, None if random.random() < 0.3 else Decimal(random.randint(500, 600)))

    def hear(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Count a log line as a state that was reached."""
        self.oracle.reached.add(f"said {event['event']}")
        if event["event"] == "cross_check_differs":
            listed, by_id = event["listed"], event["by_id"]
            differing = {location: Decimal(text) for location, text in listed.items() if by_id.get(location) != text}
            self.oracle.distrusted[PROCESS.get(), event["product_id"]] = (self.clock.monotonic(), differing)
        raise structlog.DropEvent


async def live_through(world: World) -> None:
    """Half an hour of trouble, then calm; then the target must equal the source."""
    daemons, person, generation = [_started(world, "a0"), _started(world, "b0")], Person(world), 0
    for _ in range(12):
        await asyncio.sleep(world.random.uniform(30, 200))
        _trouble(world)
        await person.act()
        for which, daemon in enumerate(daemons):
            if daemon.dead:
                await daemon.bury()
                generation += 1
                daemons[which] = _started(world, f"{'ab'[which]}{generation}")
    world.api.forget()
    world.calm = True
    for which, daemon in enumerate(daemons):
        if daemon.dead:
            await daemon.bury()
            daemons[which] = _started(world, f"{'ab'[which]}{generation + which + 1}")
    await _complete_cycles(world, person, 7)
    compare(world)
    for daemon in daemons:
        await daemon.bury()


def _started(world: World, name: str) -> Daemon:
    daemon = Daemon(world, name)
    daemon.start()
    return daemon


def _trouble(world: World) -> None:
    random = world.random
    what = random.random()
    world.api.forget()
    if what < 0.5:
        fault = random.choice(world.weather.faults)
        world.oracle.reached.add(f"fault {fault}")
        world.api.faults.add(fault)
    elif what < 0.7 and world.weather.meddled:
        world.meddle()
    world.trade()
    if random.random() < world.weather.wipes:
        world.wipe()


async def _complete_cycles(world: World, person: Person, wanted: int) -> None:
    before = len(world.reports)
    for _ in range(60):
        good = [report for report in world.reports[before:] if report.complete]
        if len(good) >= wanted and good[-1].outcome is Outcome.DONE:
            # Time enough for the audit that the last trigger may have started.
            await asyncio.sleep(INTERVAL * 3)
            return
        await asyncio.sleep(INTERVAL / 2)
        await person.decide(approved=True)
    outcomes = [(r.outcome.value, r.verdict, r.error or r.reasons) for r in world.reports[-4:]]
    world.oracle.note(f"no {wanted} complete cycles within half an hour of calm: {outcomes}")


def compare(world: World) -> None:
    """Hold the target to the truth, cell by cell."""
    rows = {(_key(world, row.product_id, row.sku), row.place): row for row in world.databases.rows()}
    for (product_id, location), figure in world.catalogue.figures().items():
        row: MemoryRow | None = rows.get((_key(world, product_id, world.catalogue.item(product_id).sku), str(location)))
        if row is None or row.quantity != figure or row.active is False:
            world.oracle.note(f"product {product_id} at {location} is {row} and should be {figure}")
    shown = {_key(world, item.id, item.sku) for item in world.catalogue.items.values()}
    for one in world.databases.rows():
        if _key(world, one.product_id, one.sku) not in shown and one.active is not False:
            world.oracle.note(f"deleted product {one.product_id} is still for sale at {one.place}")


def _key(world: World, product_id: int, sku: str) -> str:
    return sku if world.weather.by_sku else str(product_id)


def live(seed: int) -> Lived:
    """Live through one seeded world, in memory."""
    return _live(seed, None)


def live_in_sqlite(seed: int) -> Lived:
    """Live through the world of this seed with state and target in SQLite, by our own SQL."""
    weather = draw(Random(seed))
    with in_sqlite(shared=weather.shared, by_sku=weather.by_sku) as databases:
        return _live(seed, databases)


def _live(seed: int, databases: InSqlite | None) -> Lived:
    ids = Random(seed)

    async def life() -> Lived:
        world = World(seed, LoopClock(), databases)
        # The oracle learns from log lines which products were distrusted: a filter would make it deaf.
        structlog.configure(processors=[world.hear], wrapper_class=structlog.make_filtering_bound_logger(0))
        await live_through(world)
        if databases is not None:
            await databases.close()
        return Lived(world.oracle.broken, world.oracle.reached, digest_of(world.lines))

    # The ids of cycles must not differ from run to run, or no two traces would be equal.
    known_ids = patch("stocksync.run.cycle.uuid4", lambda: uuid.UUID(int=ids.getrandbits(128)))
    # In half of the worlds a few changes are many, and are written portion by portion.
    divided = seed % 4 in {1, 2}
    with known_ids, patch.multiple(portions, _KEPT=2 if divided else 100_000, _CELLS=4 if divided else 50_000):
        lived: Lived = virtually(life)
    return lived
