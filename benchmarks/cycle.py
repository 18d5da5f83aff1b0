"""A poll cycle against fetching and decoding the same pages and doing nothing else, in one run.

20,000 products in 5 locations (100,000 cells), PostgreSQL for state and target, 1 % changed between cycles, a simulator
without rate limit in a process of its own. The figure to quote is the ratio: machines are noisy.

    make bench                      both databases on one server, as two databases
    make bench ARGS="--shared"      state and target in one database: one transaction
    make bench ARGS="--products 2000 --rounds 3"
"""

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from stocksync.app.wiring import Runtime, open_runtime
from stocksync.config import Config, build
from stocksync.observe.event_log import EventLog
from stocksync.ports import Priority
from stocksync.qoyod.client import open_session
from stocksync.qoyod.settings import Filter
from stocksync.qoyod.wire import decode_page
from stocksync.run.cycle import Cycle
from stocksync.run.leases import lead
from stocksync.simulator.items import Mix
from stocksync.simulator.server import Simulator, run_simulator
from stocksync.state.migrate import migrate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import PostgreSQL

KEY = "bench"


def simulate(products: int, locations: int, url: "multiprocessing.Queue[str]") -> None:
    """Be the simulator, in a process of its own."""
    ready: Callable[[Simulator], None] = lambda simulator: url.put(simulator.url)  # noqa: E731
    asyncio.run(
        run_simulator(
            host="127.0.0.1", port=0, products=products, locations=locations, rate_limit=None, trade_per_second=0,
            faults=(), api_key=KEY, seed=1, mix=Mix.full(), ready=ready,
        )
    )  # fmt: skip


async def fetch_and_decode(url: str, pages: int, concurrency: int) -> None:
    """Fetch every page as often as once, decode it typed, and do nothing else."""
    numbers = iter(range(1, pages + 1))

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            params = {"page": str(number), "per_page": "100", "q[s]": "id asc"}
            async with session.get(f"{url}/products", params=params, headers={"API-KEY": KEY}) as response:
                decode_page(await response.read(), number, datetime.now(UTC), Filter())

    async with open_session() as session:
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))


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


def configuration(url: str, state: str, target: str) -> Config:
    """Configure one account; the request budget is opened wide in `measure`."""
    return build(
        {
            "state": {"url": state},
            "accounts": [
                {
                    "name": "bench",
                    "base_url": url,
                    "auth": {"secret_env": "KEY"},
                    "poll": {"requests_per_minute": 300, "cross_check": 0},
                    "target": {"url_env": "TARGET", "create_table": True},
                }
            ],
        },
        {"KEY": KEY, "TARGET": target},
    )


class NoBudget:
    """Every request at once."""

    async def acquire(self, priority: Priority) -> None:
        """Wait for nothing."""

    def available(self) -> float:
        """Give what is left."""
        return 1e9


def unlimited(house: Runtime) -> None:
    """Take the request budget away: here the network is not what is measured."""
    source: Any = house.accounts["bench"].source
    source._calls._budget = NoBudget()  # noqa: SLF001


async def measure(options: argparse.Namespace, url: str, state: str, target: str) -> None:
    """Run rounds of both and print them."""
    await migrate(state)
    pages = -(-options.products // 100)
    async with open_runtime(configuration(url, state, target), EventLog().hear) as house:
        unlimited(house)
        account = house.accounts["bench"]
        async with lead(account, house.owner) as lease:
            first, report = await timed(Cycle(account, lease).run())
            print(f"first cycle: {first:.2f} s, {report.outcome}, {report.counts.applied} cells applied")
            ratios = []
            for number in range(1, options.rounds + 1):
                await change(url, options.products * options.locations // 100)
                alone, _ = await timed(fetch_and_decode(url, pages, 4))
                whole, report = await timed(Cycle(account, lease).run())
                ratios.append(whole / alone)
                phases = ", ".join(f"{name} {seconds:.2f}" for name, seconds in report.phases.items())
                applied = f"{report.outcome}, {report.verdict}, {report.counts.applied} applied"
                print(f"round {number}: cycle {whole:.2f} s ({phases}), alone {alone:.2f} s, {applied}")
    print(f"cells: {options.products * options.locations}, ratio: {statistics.median(ratios):.2f} (median)")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    """Start what is needed, measure, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--locations", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shared", action="store_true", help="state and target in one database")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with ExitStack() as stack:
        server = PostgreSQL()
        stack.callback(server.close)
        server.start()
        state = server.new_database()
        target = state if options.shared else server.new_database()
        queue: multiprocessing.Queue[str] = multiprocessing.Queue()
        simulator = multiprocessing.Process(
            target=simulate, args=(options.products, options.locations, queue), daemon=True
        )
        simulator.start()
        stack.callback(simulator.terminate)
        asyncio.run(measure(options, queue.get(timeout=60), state, target))


if __name__ == "__main__":
    main()
