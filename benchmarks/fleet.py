"""How many polls a second a fleet makes, and what that costs.

    python benchmarks/fleet.py ACCOUNTS INTERVAL [WORKERS] [--wait SECONDS]

Real Temporal, PostgreSQL and workers, each account with a catalogue of 200 products and a table of its own; the
simulated Qoyod runs in this process. Prints one line of docs/fleet.md's load table; what each step takes, to standard
error. An interval too short for the machine gives the largest rate that it sustains: then fewer polls are made than
are wanted, and some accounts wait for their first one without end, so that it is not waited for longer than two
intervals, or than SECONDS.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "system")]

from fleet_shop import FleetShop  # noqa: E402
from servers import PostgreSQL  # noqa: E402
from system_shop import COMMAND, SECRET, catalogue_of  # noqa: E402
from temporal_server import Temporal  # noqa: E402

from stocksync.simulator.server import Simulator  # noqa: E402
from stocksync.state.migrate import migrate  # noqa: E402

PRODUCTS, MEASURED_SECONDS = 200, 60.0
SHORTEST_WAIT = 300.0
BETWEEN = (
    "SELECT count(*), coalesce(avg(ended_at - started_at), 0) FROM stocksync_cycles WHERE complete AND ended_at > {}"
)
HEAD = """\
| accounts | interval | polls a second wanted | workers | made | a poll takes | time for a poll (of a core): workers \
| state database | Temporal | simulator | memory of a worker | `fleet apply` |
|---|---|---|---|---|---|---|---|---|---|---|---|"""
POLLED = "SELECT count(*) FROM stocksync_accounts WHERE last_complete IS NOT NULL"


def processor_seconds(*pids: int) -> float:
    """Sum what processes and their children have used so far."""
    families = (psutil.Process(pid) for pid in pids)
    members = [member for root in families for member in (root, *root.children(recursive=True))]
    return sum(sum(member.cpu_times()[:2]) for member in members if member.is_running())


async def measure(accounts: int, interval: float, workers: int, wait: float) -> str:
    """Run the fleet until each account was polled, or for `wait` seconds, then measure for a minute."""
    temporal, postgresql = Temporal(), PostgreSQL()
    temporal.start()
    postgresql.options = ["-c", "max_connections=300"]
    postgresql.start()
    simulator = Simulator(catalogue_of(PRODUCTS), api_key=SECRET, rate_limit=None)
    await simulator.start()
    shop = FleetShop(Path(tempfile.mkdtemp()), simulator, postgresql.new_database(), temporal, "bench")
    try:
        await migrate(shop.database)
        settings = {"interval": f"{interval:g}s", "jitter": "0s", "requests_per_minute": 300}
        shop.fleet = {"heartbeat_timeout": "10s"}
        shop.configure([])
        for number in range(accounts):
            shop.add(f"m{number:05}", poll=settings)
        began = time.monotonic()
        say(f"applying {2 * accounts} schedules")
        command = await asyncio.create_subprocess_exec(  # those that tests fork end after 100 s
            *COMMAND, "fleet", "apply", "--json", cwd=shop.folder, env=shop.environ, stdout=asyncio.subprocess.DEVNULL
        )
        assert await command.wait() == 0, "see above"
        applied = time.monotonic() - began
        say(f"applied in {applied:.0f} s; each account is polled for the first time")
        for _ in range(workers):
            await shop.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while (polled := await _polled(shop)) < accounts:  # noqa: ASYNC110  other processes poll them
                    await asyncio.sleep(1)
        say(f"{polled:,} polled after {time.monotonic() - began:.0f} s; measuring for {MEASURED_SECONDS:g} s")
        servers = {"state": postgresql.pid, "Temporal": temporal.pid}
        wanted = f"{accounts / interval:.1f}"
        return f"| {accounts:,} | {interval:g} s | {wanted} | {await _rate(shop, servers)} | {applied:.0f} s |"
    finally:
        await shop.close()
        await simulator.stop()
        temporal.close()
        postgresql.close()


def say(step: str) -> None:
    """Tell whoever waits how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {step}", file=sys.stderr, flush=True)


async def _polled(shop: FleetShop) -> int:
    return int((await shop.sql(POLLED))[0][0])


async def _rate(shop: FleetShop, servers: dict[str, int]) -> str:
    parts = {"workers": [worker.pid for worker in shop.workers]} | {name: [pid] for name, pid in servers.items()}
    before, own = {name: processor_seconds(*pids) for name, pids in parts.items()}, time.process_time()
    began, instant = time.monotonic(), int(time.time() * 1e6)
    await asyncio.sleep(MEASURED_SECONDS)
    seconds = time.monotonic() - began
    count, took = (await shop.sql(BETWEEN.format(instant)))[0]
    spent = {name: processor_seconds(*pids) - before[name] for name, pids in parts.items()}
    spent["simulator"] = time.process_time() - own
    each = [f"{1000 * used / max(1, count):.0f} ms ({used / seconds:.0%})" for used in spent.values()]
    memory = max(psutil.Process(worker.pid).memory_info().rss for worker in shop.workers) / 1e6
    polls = f"{count / seconds:.1f} | {float(took) / 1e6:.2f} s"
    return f"{len(shop.workers)} | {polls} | {' | '.join(each)} | {memory:.0f} MB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("accounts", type=int)
    parser.add_argument("interval", type=float, help="seconds between two polls of an account")
    parser.add_argument("workers", type=int, nargs="?", default=2)
    parser.add_argument("--wait", type=float, help="seconds that the first polls get at most")
    given = parser.parse_args()
    longest = given.wait or max(SHORTEST_WAIT, 2 * given.interval)
    print(HEAD)
    print(asyncio.run(measure(given.accounts, given.interval, given.workers, longest)))
