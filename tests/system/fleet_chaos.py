"""A fleet under attack: workers killed, put to sleep, added and removed, Temporal and PostgreSQL stopped."""

import asyncio
import random
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fleet_shop import FleetShop
from servers import Server
from sqlalchemy import text
from system_shop import SECRET, Daemon, catalogue_of, connected, until

from stocksync.simulator.server import Simulator

WITNESS = (
    "CREATE TABLE witness (id BIGSERIAL PRIMARY KEY, tab TEXT, product_id BIGINT, location_id TEXT, quantity NUMERIC)",
    """CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO witness (tab, product_id, location_id, quantity)
    VALUES (TG_TABLE_NAME, NEW.product_id, NEW.location_id, NEW.quantity); RETURN NULL; END$$""",
)
TRIGGER = "CREATE TRIGGER note AFTER INSERT OR UPDATE ON stock_{0} FOR EACH ROW EXECUTE FUNCTION note()"
# Figures only grow: whatever writes a smaller one than before has written an old one.
STALE = (
    "SELECT count(*) FROM (SELECT quantity < lag(quantity) OVER"
    " (PARTITION BY tab, product_id, location_id ORDER BY id) AS stale FROM witness) AS each WHERE stale"
)
LAST_SAID = (
    "SELECT DISTINCT ON (account, product_id, place) account, product_id, place, after FROM stocksync_ledger"
    " ORDER BY account, product_id, place, id DESC"
)
POLLS = "SELECT account, ended_at FROM stocksync_cycles WHERE complete ORDER BY account, ended_at"
MICROSECONDS = 1_000_000
_LASTING = ThreadPoolExecutor(1)


@dataclass(frozen=True)
class Attack:
    """What is done to a fleet, spread over `seconds`."""

    seconds: float
    interval: float
    """Seconds between two polls of an account."""
    kills: int
    sleeps: tuple[float, ...]
    """Seconds for which a worker is put to sleep, each."""
    workers: int
    stop_temporal: float = 0.0
    """Seconds for which Temporal is away; 0: it stays."""
    stop_postgresql: float = 0.0
    outages_at: tuple[float, float] = (0.4, 0.7)
    """When they go, as shares of `seconds`; no gap that touches an outage is judged."""
    watch_on: float = 0.0
    """Seconds for which polls are watched afterwards: a gap is longer than an interval."""
    move: bool = True
    """One worker is added and one removed."""


@dataclass
class Chaos:
    """One run."""

    shop: FleetShop
    names: list[str]
    attack: Attack
    postgresql: Server
    seed: int = 0
    own: list[Simulator] = field(default_factory=list)
    """Qoyods of single accounts, whose logs show that no budget is exceeded."""
    outages: list[tuple[float, float]] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)
    living: list[Daemon] = field(default_factory=list)
    began: float = 0.0

    async def run(self) -> dict[str, Any]:
        """Attack, let everything settle, and give the figures.

        Raises:
            AssertionError: something was lost, or an old figure was written.

        """
        dice = random.Random(self.seed)
        for _ in range(self.attack.workers):
            await self._start()
        await until(self._equal, "every target equals its source at first", within=180 + 2 * self.attack.interval)
        await self._watch_targets()
        self.began = time.time()
        trading = asyncio.create_task(self._trade(dice))
        for at, deed in sorted(self._plan(dice), key=lambda pair: pair[0]):
            await asyncio.sleep(max(0.0, self.began + at - time.time()))
            await deed()
        await asyncio.sleep(max(0.0, self.began + self.attack.seconds + self.attack.watch_on - time.time()))
        trading.cancel()
        try:
            await until(self._equal, "every target equals its source afterwards", within=120 + 2 * self.attack.interval)
        except AssertionError as error:
            raise AssertionError(await self._left()) from error
        return await self._figures()

    async def _left(self) -> str:
        """Say of the account that was polled longest ago what the state and Temporal know."""
        query = "SELECT account, last_complete, owner, epoch FROM stocksync_accounts ORDER BY last_complete"
        oldest = (await self.shop.sql(query))[0]
        name = f"stocksync/{self.shop.queue}/poll/{oldest[0]}"
        found = self.shop.temporal.cli("workflow", "list", f"--query=TemporalScheduledById = '{name}'", "--limit=3")
        schedule = self.shop.temporal.cli("schedule", "describe", f"--schedule-id={name}")
        running = "ExecutionStatus = 'Running'"
        shown = self.shop.temporal.cli("workflow", "list", f"--query=TemporalScheduledById = '{name}' AND {running}")
        identity = [line.split()[1] for line in shown.splitlines() if "Running" in line]
        pending = [self.shop.temporal.cli("workflow", "describe", f"--workflow-id={one}") for one in identity]
        said = "\n".join(line for worker in self.living for line in worker.raw.splitlines() if oldest[0] in line)
        return f"{oldest} at {time.time()}\n{found}\n{schedule}\n{pending}\n{said[-5000:]}"

    def _plan(self, dice: random.Random) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        attack, end = self.attack, self.attack.seconds
        plan: list[tuple[float, Callable[[], Awaitable[None]]]] = []
        plan += [(dice.uniform(0.05, 0.9) * end, lambda: self._kill(dice)) for _ in range(attack.kills)]
        plan += [
            (dice.uniform(0.05, 0.8) * end, lambda length=length: self._sleep(dice, length)) for length in attack.sleeps
        ]
        if attack.stop_temporal:
            plan.append((attack.outages_at[0] * end, self._stop_temporal))
        if attack.stop_postgresql:
            plan.append((attack.outages_at[1] * end, self._stop_postgresql))
        if attack.move:
            plan += [(0.2 * end, self._start), (0.55 * end, lambda: self._remove(dice))]
        return plan

    def _note(self, deed: str) -> None:
        self.deeds.append(f"{time.time() - self.began:.0f}: {deed}")

    async def _start(self) -> None:
        # Nobody waits until it works: on a busy machine that takes long, and what is done next has its own time.
        self.living.append(await self.shop.start())

    async def _kill(self, dice: random.Random) -> None:
        self._note("kill")
        worker = self.living.pop(dice.randrange(len(self.living)))
        worker.send(signal.SIGKILL)
        await self._start()

    async def _sleep(self, dice: random.Random, length: float) -> None:
        self._note(f"sleep {length:.0f} s")
        worker = dice.choice(self.living)
        worker.send(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(length, _wake, worker)

    async def _remove(self, dice: random.Random) -> None:
        self._note("drain")
        worker = self.living.pop(dice.randrange(len(self.living)))
        worker.send(signal.SIGCONT)
        worker.send(signal.SIGTERM)

    async def _stop_temporal(self) -> None:
        await self._outage("temporal", self.shop.temporal.stop, self.shop.temporal.start, self.attack.stop_temporal)

    async def _stop_postgresql(self) -> None:
        await self._outage("postgresql", self.postgresql.stop, self.postgresql.start, self.attack.stop_postgresql)

    async def _outage(self, what: str, stop: Callable[[], None], start: Callable[[], None], length: float) -> None:
        self._note(f"{what} away {length:.0f} s")
        began = time.time()
        await asyncio.to_thread(stop)
        await asyncio.sleep(length)
        # Not by a thread of this loop's: the kernel ends a server with the thread that has started it.
        await asyncio.get_running_loop().run_in_executor(_LASTING, start)
        self.outages.append((began, time.time()))

    async def _trade(self, dice: random.Random) -> None:
        while True:
            for simulator in (self.shop.simulator, *self.own):
                simulator.catalogue.receipt(dice.randint(1, 4), dice.choice((1, 3)), 1)
            await asyncio.sleep(0.25)

    async def _equal(self) -> bool:
        async with connected(self.shop.targets) as connection:
            for name in self.names:
                if await self.shop.rows_over(connection, name) != self._truth(name):
                    await asyncio.sleep(0.5)
                    return False
        return True

    def _truth(self, name: str) -> dict[tuple[int, str], str]:
        index = self.names.index(name)
        return self.shop.truth(self.own[index] if index < len(self.own) else self.shop.simulator)

    async def _watch_targets(self) -> None:
        async with connected(self.shop.targets) as connection:
            for statement in (*WITNESS, *map(TRIGGER.format, self.names)):
                await connection.execute(text(statement))

    async def _figures(self) -> dict[str, Any]:
        async with connected(self.shop.targets) as connection:
            stale = (await connection.execute(text(STALE))).scalar_one()
        assert stale == 0, "an old figure was written over a newer one"
        said: dict[str, dict[tuple[int, str], str]] = {}
        for account, product, place, after in await self.shop.sql(LAST_SAID):
            said.setdefault(account, {})[int(product), place] = after
        assert all(said[name] == self._truth(name) for name in self.names), "the ledger tells a lie"
        budgets = [simulator.requests.worst_minute() for simulator in self.own]
        gaps = await self._gaps()
        ended = [worker.raw[-2000:] for worker in self.living if worker.process.returncode is not None]
        assert not ended, f"workers ended by themselves: {ended}"
        assert gaps, "no gap lies outside of the outages: the attack is too short for the interval"
        tens = range(0, int(self.attack.seconds), 10)
        ends = [ended / MICROSECONDS - self.began for _, ended in await self.shop.sql(POLLS)]
        return {
            "accounts": len(self.names), "seconds": self.attack.seconds, "deeds": self.deeds,
            "polls": sum(0 < end < self.attack.seconds for end in ends),
            "by ten seconds": [sum(at <= end < at + 10 for end in ends) for at in tens],
            "worst minute": max(budgets, default=0), "refused attempts": self._said("attempt_refused"),
            "gaps judged": len(gaps), "gap median": round(statistics.median(gaps), 1),
            "gap p99": round(_percentile(gaps, 0.99), 1), "gap max": round(max(gaps), 1),
        }  # fmt: skip

    async def _gaps(self) -> list[float]:
        """Give the seconds between the ends of complete polls of each account, outside of the outages."""
        gaps: list[float] = []
        last: dict[str, float] = {}
        for account, ended in await self.shop.sql(POLLS):
            at = ended / MICROSECONDS
            before = last.get(account)
            last[account] = at
            if before is not None and before > self.began and not self._away(before, at):
                gaps.append(at - before)
        return gaps

    def _away(self, before: float, at: float) -> bool:
        return any(before < end + 60 and at > begin for begin, end in self.outages)

    def _said(self, event: str) -> int:
        return sum(len(worker.said(event)) for worker in self.shop.workers)


def _wake(worker: Daemon) -> None:
    if worker.process.returncode is None:
        worker.send(signal.SIGCONT)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def own_simulators(count: int) -> list[Simulator]:
    """Start a Qoyod for each of some accounts."""
    made = [Simulator(catalogue_of(4), api_key=SECRET, rate_limit=None) for _ in range(count)]
    for simulator in made:
        await simulator.start()
    return made
