"""What `stocksync serve` takes for its page, status, metrics and readiness: `python benchmarks/serve.py [ACCOUNTS]`.

Real PostgreSQL and a real `serve`. One account is polled for real; the state's rows about it are copied to as many
others as asked. Prints one line for each path: the slowest and the median of five answers, and their size.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "system")]

from fleet_shop import FleetShop  # noqa: E402
from servers import PostgreSQL, free_port  # noqa: E402
from system_shop import SECRET, catalogue_of, until  # noqa: E402
from temporal_server import Temporal  # noqa: E402

from stocksync.simulator.server import Simulator  # noqa: E402
from stocksync.state.migrate import migrate  # noqa: E402
from stocksync.state.schema import accounts, cycles, ledger  # noqa: E402

PRODUCTS, ROUNDS, CYCLES_EACH, ROWS_EACH = 20, 5, 3, 10
PATHS = (
    "/",
    "/?sort=lag&page=50",
    "/?find=m0123",
    "/?account=m01234",
    "/api/status",
    "/api/status?page=3",
    "/metrics",
    "/readyz",
)
SEED = "m00000"


def copies(count: int) -> list[str]:
    """Give the statements that copy what the state knows of one account to others."""
    made = []
    for table, limit, own in ((accounts, 1, set()), (cycles, CYCLES_EACH, {"cycle_id"}), (ledger, ROWS_EACH, {"id"})):
        copied = [column.name for column in table.columns if column.name not in {"account", *own}]
        names = ", ".join(["account", *copied, *sorted(own - {"id"})])
        values = ["'m' || lpad(number::text, 5, '0')", *copied, *(f"{name} || '-' || number" for name in own - {"id"})]
        seed = f"(SELECT * FROM {table.name} WHERE account = '{SEED}' LIMIT {limit}) AS seed"
        others = f"generate_series(1, {count - 1}) AS number"
        made.append(f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} FROM {seed}, {others}")
    return [*made, "ANALYZE"]


async def measure(count: int) -> None:
    """Start everything, and ask for each path."""
    postgresql = PostgreSQL()
    postgresql.start()
    simulator = Simulator(catalogue_of(PRODUCTS), api_key=SECRET, rate_limit=None)
    await simulator.start()
    shop = FleetShop(Path(tempfile.mkdtemp()), simulator, postgresql.new_database(), Temporal(), "bench")
    try:
        await migrate(shop.database)
        shop.configure([SEED])
        for _ in range(CYCLES_EACH):
            ended = await shop.command("once")
            assert ended.code == 0, ended.err
        for number in range(1, count):
            shop.add(f"m{number:05}")
        for statement in copies(count):
            await shop.sql(statement)
        port = free_port()
        front = await shop.start("serve", "--listen", f"127.0.0.1:{port}")
        began = time.monotonic()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await until(lambda: _answers(client), "serve answers", within=300)
            print(f"ready after {time.monotonic() - began:.1f} s")
            for path in PATHS:
                await _ask(client, path)
        memory = psutil.Process(front.pid).memory_info().rss / 1e6
        print(f"memory of serve {memory:.0f} MB")
    finally:
        await shop.close()
        await simulator.stop()
        postgresql.close()


async def _answers(client: aiohttp.ClientSession) -> bool:
    try:
        async with client.get("/api/status?page=1") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        await asyncio.sleep(0.5)
        return False


async def _ask(client: aiohttp.ClientSession, path: str) -> None:
    seconds, size = [], 0
    for _ in range(ROUNDS):
        await asyncio.sleep(1.2)  # what is kept for a second is no longer
        began = time.monotonic()
        async with client.get(path, headers={"Accept": "*/*"}) as answer:
            size = len(await answer.read())
        seconds.append(time.monotonic() - began)
    took = f"{statistics.median(seconds):.2f} s | {max(seconds):.2f} s"
    print(f"| {path} | {took} | {size / 1e6:.2f} MB | {answer.status} |")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
