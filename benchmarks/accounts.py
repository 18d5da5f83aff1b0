"""Many accounts in one process: leases, lag, load, memory and the longest block of the event loop.

    python benchmarks/accounts.py --accounts 200 --interval 60s
    python benchmarks/accounts.py --accounts 500 --interval 300s --intervals 1
    python benchmarks/accounts.py --accounts 100 --interval 60s --lookups 0.5 --slow 0.2

PostgreSQL for state and targets (one database, a table for each account), a simulator in a process of its own, 1,000
products in 2 locations for each account, about 1 % of the cells changed between two polls. Cold: the first cycles of
all accounts. Warm: the same state under a new process, for so many intervals, from its first cycles on, which compare
every row. Steady: the same process after that. With `--lookups` a process of its own has one product after another read
now, of all accounts in turn, and asks the API itself for the same each time; `--slow` makes every answer of the API so
many seconds late, as a real one's is.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import re
import resource
import statistics
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, MutableMapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from math import inf
from multiprocessing.synchronize import Event
from pathlib import Path
from queue import Empty
from typing import Any

import structlog
from bars import Verdict
from loop_watch import LoopWatch
from sqlalchemy import event
from sqlalchemy.engine import Engine

from stocksync import app
from stocksync.config import Config, build
from stocksync.simulator.items import Mix
from stocksync.simulator.server import run_simulator
from stocksync.state.migrate import migrate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import PostgreSQL

KEY = "bench"
Asked = dict[str, list[float]]
"""Who was asked, and how many seconds each answer took."""
MIB = 1024 * 1024
FEWEST = 4
"""Intervals after which it can be said whether memory grows."""


def simulate(options: argparse.Namespace, trade: float, url: "multiprocessing.Queue[str]") -> None:
    """Be one Qoyod for all accounts, in a process of its own."""
    asyncio.run(
        run_simulator(
            host="127.0.0.1", port=0, products=options.products, locations=options.locations, rate_limit=None,
            trade_per_second=trade, faults=[f"all=slow:{options.slow}"] * bool(options.slow), api_key=KEY, seed=1,
            mix=Mix.full(),
            ready=lambda simulator: url.put(simulator.url),
        )
    )  # fmt: skip


def configuration(options: argparse.Namespace, url: str, state: str, target: str) -> Config:
    """Configure all accounts: tenants and tables of their own, so that each is its own sync group."""
    accounts = [
        {
            "name": f"shop-{number:03}",
            "tenant": f"tenant-{number:03}",
            "base_url": url,
            "auth": {"secret_env": "KEY"},
            "poll": {"interval": options.interval, "jitter": "0s"},
            "target": {"url_env": "TARGET", "table": f"stock_{number:03}", "create_table": True},
        }
        for number in range(options.accounts)
    ]
    data = {"state": {"url": state}, "http": {"listen": "127.0.0.1:0"}, "accounts": accounts}
    return build(data, {"KEY": KEY, "TARGET": target})


@dataclass
class Heard:
    """What the process said and did."""

    events: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    complete: dict[str, float] = field(default_factory=dict)
    """Account to when its last complete cycle ended."""
    worst_lag: float = 0.0
    accounts: int = 0
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    """Every account was complete."""

    def log(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Be structlog's last processor."""
        self.events[line["event"]] += 1
        if line["event"] == "cycle":
            self.outcomes[line["outcome"]] += 1
            if line.get("error"):
                self.errors[str(line["error"])[:100]] += 1
            if line["verdict"] == "complete" and line["outcome"] in {"done", "held"}:
                now = time.monotonic()
                if line["account"] in self.complete:
                    self.worst_lag = max(self.worst_lag, now - self.complete[line["account"]])
                self.complete[line["account"]] = now
                if len(self.complete) == self.accounts:
                    self.filled.set()
        raise structlog.DropEvent

    def executed(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        """Be SQLAlchemy's listener: tell statements of polls from all others."""
        polling = "cycle_id" in structlog.contextvars.get_contextvars()
        task = asyncio.current_task()
        polling = polling or (task is not None and task.get_name().startswith("budget"))
        self.statements["poll" if polling else "idle"] += 1
        kind = " ".join(re.sub(r"\(.*", "", statement, flags=re.DOTALL).split())[:60] or statement[:60]
        self.kinds[f"{'poll' if polling else 'idle'}: {kind}"] += 1

    def forget(self) -> None:
        """Count anew; what is complete stays."""
        for counter in (self.events, self.outcomes, self.errors, self.statements, self.kinds):
            counter.clear()
        self.worst_lag = 0.0

    def lag(self) -> float:
        """Give the longest lag there was or is."""
        return max([self.worst_lag, *(time.monotonic() - at for at in self.complete.values())])


class Scraper(threading.Thread):
    """Prometheus: asks for /metrics every fifteen seconds, from outside the loop."""

    def __init__(self, url: str, took: list[float]) -> None:
        super().__init__(daemon=True)
        self.url, self.took, self.ended = url, took, threading.Event()

    def run(self) -> None:
        """Scrape until told to end."""
        while not self.ended.wait(15):
            began = time.perf_counter()
            with suppress(OSError), urllib.request.urlopen(self.url, timeout=30) as answer:
                answer.read()
                self.took.append(time.perf_counter() - began)


def order(page: str, api: str, options: argparse.Namespace, ended: Event, told: "multiprocessing.Queue[Asked]") -> None:
    """Be an order desk, in a process of its own: have products read now, and ask the API itself as well."""
    took: Asked = {"the API": [], "a look-up": [], "refused": []}
    with urllib.request.urlopen(urllib.request.Request(f"{api}/products", headers={"API-KEY": KEY})) as answer:
        ids = [row["id"] for row in json.load(answer)["products"]]
    for number in count():
        if ended.wait(options.lookups):
            break
        account, product = f"shop-{number % options.accounts:03}", ids[number % len(ids)]
        refresh = f"{page}/api/refresh?account={account}&id={product}"
        for name, asked in (
            ("the API", urllib.request.Request(f"{api}/products/{product}", headers={"API-KEY": KEY})),
            ("a look-up", urllib.request.Request(refresh, method="POST")),
        ):
            began, answered = time.perf_counter(), False
            with suppress(OSError), urllib.request.urlopen(asked, timeout=60) as answer:
                answered = bool(answer.read())
            took[name if answered else "refused"].append(time.perf_counter() - began)
    told.put(took)


def resident() -> float:
    """Give this process's memory now, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / MIB


def peak() -> float:
    """Give the most memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def sample(every: float, sampled: list[float]) -> None:
    """Note the memory each so many seconds, until cancelled."""
    while True:
        await asyncio.sleep(every)
        sampled.append(resident())


@dataclass
class Span:
    """One span of the daemon's time, and what was measured in it from outside."""

    name: str
    seconds: float = 0.0
    processor: float = 0.0
    memory: list[float] = field(default_factory=list)
    """In MiB, after each interval."""
    scrapes: list[float] = field(default_factory=list)
    asked: Asked = field(default_factory=dict)


async def phase(config: Config, options: argparse.Namespace, heard: Heard, spans: dict[str, float]) -> list[Verdict]:
    """Run the daemon for one span after the other, in seconds, and print what was seen in each.

    The span "cold" ends when every account was complete.
    """
    watch, found = LoopWatch(), list[Verdict]()
    with watch.watching():
        async with app.service(config) as service:
            page, api = "http://{}:{}".format(*service.address), config.accounts[0].base_url
            for name, seconds in spans.items():
                ended = heard.filled.wait() if name == "cold" else asyncio.Event().wait()
                span = await watched(name, options, (page, api), ended, seconds)
                tell(span, options, heard, watch)
                judged = verdicts(span, options, heard, watch)
                print(*judged, sep="\n", flush=True)
                found += judged
                heard.forget()
                watch.forget()
    return found


async def watched(
    name: str, options: argparse.Namespace, urls: tuple[str, str], ended: Awaitable[object], longest: float
) -> Span:
    """Wait, and meanwhile scrape, sample the memory and have products read now."""
    span, began, processor = Span(name), time.monotonic(), time.process_time()
    scraper = Scraper(urls[0] + "/metrics", span.scrapes)
    scraper.start()
    served = multiprocessing.Event()
    told: multiprocessing.Queue[Asked] = multiprocessing.Queue()
    if options.lookups:
        multiprocessing.Process(target=order, args=(*urls, options, served, told), daemon=True).start()
    sampling = asyncio.create_task(sample(seconds_of(options.interval), span.memory))
    with suppress(TimeoutError):
        await asyncio.wait_for(ended, longest)
    sampling.cancel()
    scraper.ended.set()
    served.set()
    if options.lookups:
        with suppress(Empty):  # the order desk may have died: then none is answered
            span.asked = await asyncio.to_thread(told.get, timeout=150)
    span.seconds, span.processor = time.monotonic() - began, time.process_time() - processor
    return span


def tell(span: Span, options: argparse.Namespace, heard: Heard, watch: LoopWatch) -> None:
    """Print one span."""
    cycles = max(1, sum(heard.outcomes.values()))
    print(f"\n{span.name}: {options.accounts} accounts, {span.seconds:.0f} s")
    print(f"complete: {len(heard.complete)} of {options.accounts} accounts; cycles: {dict(heard.outcomes)}")
    for error, number in heard.errors.most_common(5):
        print(f"  {number} x {error}")
    lost = {word: number for word, number in heard.events.items() if word not in {"cycle", "became_writer"}}
    print(f"leases lost: {heard.events['lease_lost']}; other lines: {lost}")
    print(f"longest lag: {heard.lag() if heard.complete else float('nan'):.0f} s, interval {options.interval}")
    print(f"CPU: {span.processor / span.seconds:.1%} of one core; memory {resident():.0f} MiB, peak {peak():.0f} MiB")
    print("memory after each interval:", ", ".join(f"{mib:.0f}" for mib in span.memory), "MiB")
    for kind, number in heard.kinds.most_common(options.kinds):
        print(f"  {number / cycles:6.2f} a poll, {number / span.seconds:7.2f} a second: {kind}")
    if span.scrapes:
        print(f"a scrape: {statistics.median(span.scrapes):.2f} s, at most {max(span.scrapes):.2f} s")
    for name, all_ in span.asked.items():
        if len(all_) > 1:
            print(f"{name}: {statistics.median(all_):.3f} s, p99 {p99(all_):.3f} s, of {len(all_)}")
    print("\n".join(watch.lines()))


def verdicts(span: Span, options: argparse.Namespace, heard: Heard, watch: LoopWatch) -> list[Verdict]:
    """Hold a span against what is promised of 500 accounts."""
    accounts, cycles = options.accounts, max(1, sum(heard.outcomes.values()))
    lag = heard.lag() / seconds_of(options.interval) if heard.complete else inf
    found = [
        Verdict("accounts without a complete cycle", accounts - len(heard.complete), 0),
        Verdict("leases lost", heard.events["lease_lost"], 0),
        Verdict(
            "cycles that failed", sum(heard.outcomes.values()) - heard.outcomes["done"] - heard.outcomes["held"], 0
        ),
        Verdict("longest lag, in intervals", lag, 1.2),
        Verdict("peak MiB", peak(), 350),
        Verdict("longest block in ms", 1000 * watch.longest, 50),
    ]
    if span.name == "steady":
        idle = heard.statements["idle"] / span.seconds / accounts
        found += [
            Verdict("per cent of one core", 100 * span.processor / span.seconds, 30),
            Verdict("statements a poll", heard.statements["poll"] / cycles, 25),
            Verdict("statements a second and account, beside polls", idle, 0.1),
        ]
    if len(span.memory) > FEWEST:
        first, last = (statistics.median(part) for part in (span.memory[1:FEWEST], span.memory[-FEWEST:]))
        found.append(Verdict("memory at the end, in that of the second interval", last / first, 1.05))
    if options.lookups:
        answered = [p99(took) if (took := span.asked.get(name)) else inf for name in ("a look-up", "the API")]
        found += [
            Verdict("look-ups refused, or not answered within a minute", len(span.asked.get("refused", ())), 0),
            Verdict("a look-up's 99th percentile, in the API's own", answered[0] / min(answered[1], 60), 1.5),
        ]
    return found


def p99(seconds: list[float]) -> float:
    """Give the 99th percentile."""
    return statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else seconds[0]


def seconds_of(interval: str) -> float:
    """Read an interval that is given in seconds."""
    return float(interval.removesuffix("s"))


def measure(spans: dict[str, float], config: Config, options: argparse.Namespace) -> None:
    """Run the daemon; called in a process of its own, whose memory is its own."""
    heard = Heard(accounts=options.accounts)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, heard.log],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    )
    event.listen(Engine, "before_cursor_execute", heard.executed)
    gc.freeze()  # as the command does with what it has imported
    found = asyncio.run(phase(config, options, heard, spans))
    sys.exit(not all(verdict.holds for verdict in found))


def main() -> int:
    """Start what is needed, measure, and stop it; give how many of the two processes held to their bars not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--locations", type=int, default=2)
    parser.add_argument("--interval", default="60s")
    parser.add_argument("--cold", type=float, default=3.0, help="intervals that the first cycles get at most")
    parser.add_argument("--intervals", type=float, default=2.0, help="intervals that the warm phase takes")
    parser.add_argument("--steady", type=float, default=0.0, help="intervals that are measured after that")
    parser.add_argument("--lookups", type=float, default=0.0, help="seconds between two look-ups; 0: none")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds that each answer of the API is late")
    parser.add_argument("--kinds", type=int, default=0, help="show so many kinds of statements")
    options = parser.parse_args()
    with ExitStack() as stack:
        server = PostgreSQL()
        stack.callback(server.close)
        server.start()
        state, target = server.new_database(), server.new_database()
        queue: multiprocessing.Queue[str] = multiprocessing.Queue()
        trade = options.products * options.locations / 100 / seconds_of(options.interval)
        simulator = multiprocessing.Process(target=simulate, args=(options, trade, queue), daemon=True)
        simulator.start()
        stack.callback(simulator.terminate)
        config = configuration(options, queue.get(timeout=60), state, target)
        asyncio.run(migrate(state))
        interval, failed = seconds_of(options.interval), 0
        for spans in (
            {"cold": options.cold * interval},
            {"warm": options.intervals * interval} | ({"steady": options.steady * interval} if options.steady else {}),
        ):
            process = multiprocessing.Process(target=measure, args=(spans, config, options))
            process.start()
            process.join()
            failed += bool(process.exitcode)
    return failed


if __name__ == "__main__":
    sys.exit(main())
