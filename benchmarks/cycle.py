"""Poll cycles against the floor: fetching and decoding the same pages, and doing nothing else, in the same run.

20,000 products in 5 locations (100,000 cells), PostgreSQL for state and target, a simulator without rate limit in a
process of its own. The figures to quote are the ratios: machines are noisy. Each phase is a process of its own, so that
its peak memory is its own.

    make bench                                          first fill, nothing changed, 1 % changed
    make bench ARGS="--shared"                          state and target in one database: one transaction
    make bench ARGS="--database mariadb"                or sqlite
    make bench ARGS="--products 200000 --rounds 3"      1,000,000 cells
    make bench ARGS="--match-by sku"                    rows found by SKU, as in most shops
    make bench ARGS="--profile"                         and where the time goes
    make bench ARGS="--dlt /path/to/python"             and dlt beside it: a Python with benchmarks/dlt-requirements.txt
"""

import argparse
import asyncio
import cProfile
import json
import multiprocessing
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from bars import Verdict
from floor import fetch_and_decode
from loop_watch import LoopWatch
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from stocksync.app.wiring import Runtime, open_runtime
from stocksync.config import Config, build
from stocksync.core.report import CycleReport
from stocksync.observe.event_log import EventLog
from stocksync.ports import Priority
from stocksync.run.cycle import Cycle
from stocksync.run.leases import lead
from stocksync.simulator.items import Mix
from stocksync.simulator.server import Simulator, run_simulator
from stocksync.state.migrate import migrate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import MariaDB, PostgreSQL

KEY = "bench"
CONCURRENCY = 4
_WORST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured: a catalogue, and where its figures go."""

    products: int
    locations: int
    rounds: int
    url: str
    state: str
    target: str
    profiled: bool
    told: bool
    """Whether statements are printed."""
    match_by: str = "product_id"

    @property
    def cells(self) -> int:
        """How many figures there are."""
        return self.products * self.locations

    def configuration(self) -> Config:
        """Configure one account."""
        return build(
            {
                "state": {"url": self.state},
                "accounts": [
                    {
                        "name": "bench",
                        "base_url": self.url,
                        "auth": {"secret_env": "KEY"},
                        "poll": {"requests_per_minute": 300, "cross_check": 0, "deadline": "14m", "interval": "15m"},
                        "target": {"url_env": "TARGET", "create_table": True, "match_by": self.match_by},
                    }
                ],
            },
            {"KEY": KEY, "TARGET": self.target},
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """One cycle beside its floor."""

    seconds: float
    floor: float
    ours: float
    """Seconds of the processor that this process took, whatever else ran on the machine."""
    least: float
    """The same of the floor."""
    applied: int
    to_state: int
    to_target: int
    longest_block: float
    phases: dict[str, float]

    @property
    def ratio(self) -> float:
        """How many times the floor it took."""
        return self.seconds / self.floor


@dataclass(frozen=True, slots=True)
class Phase:
    """Cycles of one process."""

    name: str
    cycles: list[Measured]
    peak: float
    """Of the process's memory, in MiB."""

    def of(self, value: Callable[[Measured], float]) -> float:
        """Give the median of one of their figures."""
        return statistics.median(map(value, self.cycles))


class NoBudget:
    """Every request at once: here the network is not what is measured."""

    async def acquire(self, priority: Priority) -> None:
        """Wait for nothing."""

    def available(self) -> float:
        """Give what is left."""
        return 1e9


def simulate(products: int, locations: int, url: "multiprocessing.Queue[str]") -> None:
    """Be the simulator, in a process of its own."""
    ready: Callable[[Simulator], None] = lambda simulator: url.put(simulator.url)  # noqa: E731
    asyncio.run(
        run_simulator(
            host="127.0.0.1", port=0, products=products, locations=locations, rate_limit=None, trade_per_second=0,
            faults=(), api_key=KEY, seed=1, mix=Mix.full(), ready=ready,
        )
    )  # fmt: skip


async def change(url: str, count: int) -> None:
    """Let `count` things happen in the business."""
    root = url.removesuffix("/2.0")
    async with aiohttp.ClientSession() as session, session.post(f"{root}/_sim/deeds", json={"count": count}) as answer:
        answer.raise_for_status()


async def timed(work: Awaitable[Any]) -> tuple[float, Any]:
    """Give the seconds something took, and what it gave."""
    started = time.perf_counter()
    result = await work
    return time.perf_counter() - started, result


@contextmanager
def statements(engine: AsyncEngine) -> Iterator[Counter[str]]:
    """Count the statements that go to a database."""
    sent: Counter[str] = Counter()

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent[statement] += 1

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    try:
        yield sent
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", count)


@contextmanager
def profiled(where: str, *, wanted: bool) -> Iterator[None]:
    """Print where the time went."""
    if not wanted:
        yield
        return
    profile = cProfile.Profile()
    with profile:
        yield
    print(f"\n--- {where}")
    pstats.Stats(profile).sort_stats("cumtime").print_stats(_WORST_SHOWN)


async def cycle(bench: Bench, runtime: Runtime, lease: Any) -> Measured:  # noqa: ANN401
    """Measure one cycle after its floor."""
    account: Any = runtime.accounts["bench"]
    pages = -(-bench.products // 100)
    began = time.process_time()
    floor, _ = await timed(fetch_and_decode(bench.url, KEY, pages, CONCURRENCY))
    least = time.process_time() - began
    shared = account.state.engine is account.target._engine  # noqa: SLF001
    engines = account.state.engine, account.target._engine  # noqa: SLF001
    with statements(engines[0]) as state, statements(engines[1]) as target, LoopWatch().watching() as watch:
        began = time.process_time()
        seconds, report = await timed(Cycle(account, lease).run())
        ours = time.process_time() - began
    if watch.longest > watch.limit:
        print(*watch.lines(), sep="\n", flush=True)
    if bench.told:
        for sent in (state, target):
            print(*(f"{count:4} x {' '.join(text.split())}" for text, count in sent.most_common()), "", sep="\n")
    check(report)
    to_target = 0 if shared else target.total()
    return Measured(
        seconds, floor, ours, least, report.counts.applied, state.total(), to_target, watch.longest, dict(report.phases)
    )


def check(report: CycleReport) -> None:
    """End here where the cycle did not do what is measured."""
    if report.outcome != "done" or report.counts.unpushed:
        sys.exit(f"the cycle ended {report.outcome}: {report.error or report.counts}")


async def measure(bench: Bench, name: str, changed: int) -> list[Measured]:
    """Run the cycles of one phase."""
    async with open_runtime(bench.configuration(), EventLog().hear) as runtime:
        source: Any = runtime.accounts["bench"].source
        source._calls._budget = NoBudget()  # noqa: SLF001
        async with lead(runtime.accounts["bench"], runtime.owner) as lease:
            found = []
            if name != FIRST:
                # As a process begins: every live row is held against what was acknowledged.
                seconds, report = await timed(Cycle(runtime.accounts["bench"], lease, confirm=True).run())
                check(report)
                print(f"{name}: the first cycle of the process {seconds:.2f} s, peak {peak():.0f} MiB", flush=True)
                forget_peak()
            for _ in range(1 if name == FIRST else bench.rounds):
                if changed:
                    await change(bench.url, changed)
                with profiled(name, wanted=bench.profiled):
                    found.append(await cycle(bench, runtime, lease))
    return found


FIRST, IDLE, CHANGED = "first fill", "nothing changed", "1 % changed"


def phase(bench: Bench, name: str, answer: "multiprocessing.Queue[Phase]") -> None:
    """Be the process of one phase."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    changed = bench.cells // 100 if name == CHANGED else 0
    cycles = asyncio.run(measure(bench, name, changed))
    answer.put(Phase(name, cycles, peak()))


def forget_peak() -> None:
    """Measure the most memory anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Give the most memory in MiB that this process had since it was last forgotten."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def in_a_process(bench: Bench, name: str) -> Phase:
    """Run a phase in a new process, so that its memory is its own."""
    fresh = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[Phase] = fresh.Queue()
    process = fresh.Process(target=phase, args=(bench, name, answer))
    process.start()
    while process.is_alive():
        process.join(0.1)
        with suppress(Exception):
            return answer.get(timeout=0.1)
    sys.exit(f"{name}: the process ended with {process.exitcode}")


def show(bench: Bench, found: Phase) -> None:
    """Print a phase."""
    seconds, ratio = found.of(lambda one: one.seconds), found.of(lambda one: one.ratio)
    print(
        f"{found.name}: {seconds:.2f} s, {ratio:.2f} x the floor of {found.of(lambda one: one.floor):.2f} s,"
        f" {found.of(lambda one: one.applied):g} applied, peak {found.peak:.0f} MiB,"
        f" longest block {1000 * max(one.longest_block for one in found.cycles):.0f} ms,"
        f" statements: {found.of(lambda one: one.to_state):g} to the state,"
        f" {found.of(lambda one: one.to_target):g} to the target"
    )
    phases = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found.cycles[-1].phases.items())
    ours, least = found.of(lambda one: one.ours), found.of(lambda one: one.least)
    phases += f"; processor: {ours:.2f} s of this process, {ours / least:.2f} x the floor's {least:.2f} s"
    rate = f"; {bench.cells / seconds:,.0f} cells/s" if found.name == FIRST else ""
    print(f"    {phases}{rate}")


@dataclass(frozen=True, slots=True)
class Load:
    """What dlt took for one load."""

    seconds: float
    peak: float


def load_by_dlt(python: str, bench: Bench, target: str, folder: str) -> Load:
    """Poll and merge by dlt, in a process of another Python."""
    script = str(Path(__file__).with_name("dlt_load.py"))
    named = target.replace("stocksync@", "stocksync:any@")  # it asks for a password, the server does not
    command = [python, script, bench.url, KEY, str(-(-bench.products // 100)), named, folder]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"dlt: {done.stderr[-2000:]}")
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def beside_dlt(first: Phase, changed: Phase, loads: list[Load]) -> None:
    """Print how a first fill and a cycle with changes stand to dlt's loads."""
    fill, seconds = first.of(lambda one: one.seconds), changed.of(lambda one: one.seconds)
    merge = statistics.median(load.seconds for load in loads[1:])
    peak = max(load.peak for load in loads[1:])
    print(f"dlt: first load {loads[0].seconds:.2f} s, merge {merge:.2f} s, peak {peak:.0f} MiB")
    print(f"dlt's merge takes {merge / seconds:.1f} times as long as a cycle with changes")
    print(Verdict("first fill, in first loads of dlt", fill / loads[0].seconds, 1))
    print(Verdict("1 % changed, in a fifteenth of dlt's merge", 15 * seconds / merge, 1))
    print(Verdict("of dlt's memory", changed.peak / peak, 1.2))


@dataclass(frozen=True, slots=True)
class Bar:
    """What is promised."""

    phase: str
    what: str
    value: Callable[[Bench, Phase], float]
    most: float

    def verdict(self, bench: Bench, found: Phase) -> Verdict:
        """Say whether it holds."""
        return Verdict(self.what, self.value(bench, found), self.most)


def bars(bench: Bench, database: str) -> list[Bar]:
    """Give what is promised of a workload of this size."""
    large = bench.cells >= 1_000_000
    ratio: Callable[[Bench, Phase], float] = lambda _, one: one.of(lambda cycle: cycle.ratio)  # noqa: E731
    peak: Callable[[Bench, Phase], float] = lambda _, one: one.peak  # noqa: E731
    block: Callable[[Bench, Phase], float] = lambda _, one: 1000 * max(c.longest_block for c in one.cycles)  # noqa: E731
    found = [
        Bar(FIRST, "microseconds a cell", lambda b, one: 1e6 * one.of(lambda c: c.seconds) / b.cells, 40),
        Bar(FIRST, "peak MiB", peak, 600),
        Bar(IDLE, "times the floor", ratio, 1.5),
        Bar(IDLE, "statements to the state", lambda _, one: one.of(lambda c: c.to_state), 8),
        Bar(IDLE, "statements to the target", lambda _, one: one.of(lambda c: c.to_target), 0),
        Bar(CHANGED, "times the floor", ratio, 2.5 if database == "postgresql" else 3),
        Bar(CHANGED, "peak MiB", peak, 350 if large else 130),
    ]
    return found + [Bar(name, "longest block in ms", block, 50) for name in (FIRST, IDLE, CHANGED)]


def databases(stack: ExitStack, options: argparse.Namespace) -> tuple[str, str, str]:
    """Start a server, or make files, for state and target, and for what is measured beside them."""
    if options.database == "sqlite":
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        state, target = f"sqlite:///{folder}/state.db", f"sqlite:///{folder}/target.db"
        return state, state if options.shared else target, ""
    server = MariaDB() if options.database == "mariadb" else PostgreSQL()
    stack.callback(server.close)
    server.start()
    state = server.new_database()
    return state, state if options.shared else server.new_database(), server.new_database()


def main() -> None:
    """Start what is needed, measure, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--locations", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", choices=("postgresql", "mariadb", "sqlite"), default="postgresql")
    parser.add_argument("--shared", action="store_true", help="state and target in one database")
    parser.add_argument("--match-by", choices=("product_id", "sku"), default="product_id", help="how rows are found")
    parser.add_argument("--statements", action="store_true", help="print each statement, and how often it was sent")
    parser.add_argument("--dlt", metavar="PYTHON", help="a Python that has dlt: measure it too, PostgreSQL only")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    with ExitStack() as stack:
        state, target, beside = databases(stack, options)
        queue: multiprocessing.Queue[str] = multiprocessing.Queue()
        simulator = multiprocessing.Process(
            target=simulate, args=(options.products, options.locations, queue), daemon=True
        )
        simulator.start()
        stack.callback(simulator.terminate)
        asyncio.run(migrate(state))
        url = queue.get(timeout=300)
        bench = Bench(
            options.products,
            options.locations,
            options.rounds,
            url,
            state,
            target,
            options.profile,
            options.statements,
            options.match_by,
        )
        print(f"{bench.cells:,} cells, {options.database}{', shared' if options.shared else ''}, by {options.match_by}")
        found = {}
        for name in (FIRST, IDLE, CHANGED):
            found[name] = in_a_process(bench, name)
            show(bench, found[name])
        if options.dlt:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            loads = []
            for _ in range(3):
                loads.append(load_by_dlt(options.dlt, bench, beside, folder))
                asyncio.run(change(url, bench.cells // 100))
            beside_dlt(found[FIRST], found[CHANGED], loads)
    for bar in bars(bench, options.database):
        print(bar.verdict(bench, found[bar.phase]))


if __name__ == "__main__":
    main()
