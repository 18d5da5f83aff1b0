"""A shop as its owner runs it: the installed command in real processes, a simulated Qoyod, real databases."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
from forge import Ended, forge
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from stocksync.core.model import show
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import Simulator
from stocksync.sqlengine import open_engine
from stocksync.state.schema import accounts, cells, ledger

SECRET = "the-key-nobody-may-see"
PASSWORD = "the-password-nobody-may-see"
COMMAND = (str(Path(sys.executable).with_name("stocksync")),)
PATIENCE = 40.0

Cell = tuple[int, str]


def catalogue_of(products: int, locations: tuple[int, ...] = (1, 3)) -> Catalogue:
    """Make products 1, 2, 3 … with ten times their id at each location, plus the location."""
    catalogue = Catalogue(0, 3)
    for number in range(1, products + 1):
        catalogue.create(f"P-{number:02}", f"Product {number}", stock={one: number * 10 + one for one in locations})
    return catalogue


async def until(condition: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """Wait for something that can be seen from outside; gives what the condition gave."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        await asyncio.sleep(0.05)


class Daemon:
    """A running `stocksync run`, and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.raw = ""
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self.process.pid

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.raw += line.decode()
            with suppress(ValueError):
                self.lines.append(json.loads(line))

    def said(self, event: str, since: int = 0, **fields: Any) -> list[dict[str, Any]]:
        """Give the log lines of this event, from the line number `since` on."""
        wanted = {"event": event, **fields}
        return [line for line in self.lines[since:] if all(line.get(key) == value for key, value in wanted.items())]

    async def says(self, event: str, since: int = 0, within: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """Wait for a log line."""

        def look() -> dict[str, Any] | None:
            found = self.said(event, since, **fields)
            assert found or not self._reading.done(), f"ended without saying {event}: {self.raw}"
            return found[0] if found else None

        line: dict[str, Any] = await until(look, f"{event} {fields or ''}; it said: {self.raw[-3000:]}", within)
        return line

    async def get(self, path: str, method: str = "GET", **how: Any) -> tuple[int, str]:
        """Ask its HTTP server."""
        root = (await self.says("serving"))["page"].rstrip("/")
        async with aiohttp.ClientSession() as session, session.request(method, root + path, **how) as response:
            return response.status, await response.text()

    async def post(self, path: str, **how: Any) -> tuple[int, str]:
        """Have its HTTP server do something."""
        return await self.get(path, "POST", **how)

    async def json(self, path: str) -> Any:
        """Ask its HTTP server for a document."""
        return json.loads((await self.get(path))[1])

    async def metric(self, name: str, **labels: str) -> float | None:
        """Scrape one sample; None where there is none."""
        _, body = await self.get("/metrics")
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                if sample.name == f"stocksync_{name}" and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals | None = None, within: float = PATIENCE) -> int:
        """Send a signal, if any, and wait for the exit code."""
        if number is not None:
            self.send(number)
        code = await asyncio.wait_for(self.process.wait(), within)
        await self._reading
        assert self.process.stdout is not None
        printed = await self.process.stdout.read()
        assert printed == b"", f"the daemon has no results to print, and printed {printed[-1000:]!r}"
        return code

    async def clean_up(self) -> None:
        """End it however it stands."""
        if self.process.returncode is None:
            self.send(signal.SIGKILL)
            self.send(signal.SIGCONT)
        await self.process.wait()
        await self._reading


@dataclass
class Shop:
    """One simulated account, one target, one state, one configuration file, and the processes at work on them."""

    folder: Path
    simulator: Simulator
    state: str
    target: str
    settings: dict[str, Any] = field(default_factory=dict)
    also: list[dict[str, Any]] = field(default_factory=list)
    http: str = "127.0.0.1:0"
    daemons: list[Daemon] = field(default_factory=list)
    shown: dict[Cell, set[str]] = field(default_factory=dict)
    more_environ: dict[str, str] = field(default_factory=dict)
    told: str = ""
    """All that any of its commands ever printed."""

    @property
    def catalogue(self) -> Catalogue:
        return self.simulator.catalogue

    @property
    def environ(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("STOCKSYNC_")}
        urls = {"STATE_URL": self.state, "TARGET_URL": self.target}
        return {**clean, **urls, "QOYOD_API_KEY": SECRET, "COLUMNS": "160", **self.more_environ}

    def write_config(self) -> None:
        first = merged(self.account("main", self.simulator.url), self.settings)
        others = [merged(self.account("other", self.simulator.url), one) for one in self.also]
        sections = {"state": {"url_env": "STATE_URL"}, "http": {"listen": self.http}, "accounts": [first, *others]}
        (self.folder / "config.toml").write_text(toml(sections), encoding="utf-8")

    @staticmethod
    def account(name: str, url: str) -> dict[str, Any]:
        return {
            "name": name,
            "base_url": url,
            "auth": {"secret_env": "QOYOD_API_KEY"},
            "poll": {"interval": "1s", "jitter": "0s", "cross_check": 0, "requests_per_minute": 300},
            "target": {"url_env": "TARGET_URL", "create_table": True},
        }

    async def command(self, *arguments: str, **environ: str) -> Ended:
        """Run `stocksync …` to its end, as a fork of a process that has imported it; its request budget is lifted."""
        return self._heard(await forge().command(arguments, self.folder, {**self.environ, **environ}))

    async def killed(self, *arguments: str, **bomb: Any) -> Ended:
        """As `command`, with a bomb at a commit: see crashing.py."""
        return self._heard(await forge().command(arguments, self.folder, self.environ, **bomb))

    async def typed(self, *arguments: str, **environ: str) -> Ended:
        """Run the installed `stocksync …` to its end, as a person types it."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, cwd=self.folder, env={**self.environ, **environ},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return self._heard(Ended(process.returncode or 0, out.decode(), err.decode()))

    def _heard(self, ended: Ended) -> Ended:
        self.told += ended.out + ended.err
        return ended

    async def run(self, *program: str) -> Daemon:
        """Start `stocksync run`; `program` stands in for the installed command."""
        process = await asyncio.create_subprocess_exec(
            *(program or COMMAND), "run", cwd=self.folder, env=self.environ,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        daemon = Daemon(process)
        self.daemons.append(daemon)
        return daemon

    async def close(self) -> None:
        for daemon in self.daemons:
            await daemon.clean_up()
            self.told += daemon.raw
        assert SECRET not in self.told
        assert PASSWORD not in self.told

    def set(self, product: int, location: int, figure: Decimal | int) -> None:
        """Change a figure in Qoyod."""
        self.note_shown()
        self.catalogue.stock_take(product, location, figure)
        self.note_shown()

    def note_shown(self) -> None:
        for (product, place), figure in self.catalogue.figures().items():
            self.shown.setdefault((product, str(place)), set()).add(show(figure))

    def truth(self) -> dict[Cell, str]:
        return {(product, str(place)): show(figure) for (product, place), figure in self.catalogue.figures().items()}

    async def rows(self) -> dict[Cell, str]:
        """Give what stands in the target."""
        found = await sql(self.target, "SELECT product_id, location_id, quantity FROM stock_levels")
        return {(int(row[0]), str(row[1])): plain(row[2]) for row in found}

    async def equal(self) -> bool:
        return await self.rows() == self.truth()

    async def equal_if_made(self) -> bool:
        """As `equal`, before the table is surely there."""
        try:
            return await self.equal()
        except DBAPIError:
            return False

    async def acknowledged(self) -> dict[Cell, str | None]:
        query = select(cells.c.product_id, cells.c.place, cells.c.acked)
        return {(row[0], row[1]): row[2] for row in await fetch(self.state, query)}

    async def intents(self) -> dict[Cell, str]:
        query = select(cells.c.product_id, cells.c.place, cells.c.intent).where(cells.c.intent.is_not(None))
        return {(row[0], row[1]): row[2] for row in await fetch(self.state, query)}

    async def entries(self) -> list[Any]:
        """Give the ledger, oldest first."""
        columns = ledger.c.product_id, ledger.c.place, ledger.c.before, ledger.c.after, ledger.c.epoch
        return await fetch(self.state, select(*columns).order_by(ledger.c.id))

    async def expire_lease(self) -> None:
        """Let a dead writer's lease run out, without waiting for it."""
        await fetch(self.state, update(accounts).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return result


def toml(sections: Mapping[str, Any], path: str = "") -> str:
    """Write tables, lists of tables and plain values: all that a configuration has."""
    plain_values = {key: value for key, value in sections.items() if not isinstance(value, dict | list)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain_values.items()]
    for key, value in sections.items():
        name = f"{path}.{key}".lstrip(".")
        if isinstance(value, dict):
            lines += [f"[{name}]", toml(value, name)]
        for item in value if isinstance(value, list) else ():
            lines += [f"[[{name}]]", toml(item, name)]
    return "\n".join(lines)


def plain(value: Any) -> str:
    return "NULL" if value is None else show(Decimal(str(value)))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a transaction of somebody else on a database."""
    engine = open_engine(url, "")
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


async def fetch(url: str, statement: Any) -> list[Any]:
    async with connected(url) as connection:
        result = await connection.execute(statement)
        return list(result.all()) if result.returns_rows else []


async def sql(url: str, statement: str) -> list[Any]:
    return await fetch(url, text(statement))


@asynccontextmanager
async def holding(url: str, statement: str = "") -> AsyncIterator[None]:
    """Hold the locks of a statement; on SQLite the transaction itself is the write lock."""
    async with connected(url) as connection:
        if statement:
            await connection.execute(text(statement))
        yield


_WITNESS = "CREATE TABLE witness (id {serial}, product_id BIGINT, location_id VARCHAR(50), quantity NUMERIC(20, 6))"
_SERIAL = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgresql": "BIGSERIAL PRIMARY KEY",
    "mariadb": "BIGINT AUTO_INCREMENT PRIMARY KEY",
}
_NOTE = "INSERT INTO witness (product_id, location_id, quantity) VALUES (NEW.product_id, NEW.location_id, NEW.quantity)"


async def watch(url: str) -> None:
    """Have the target's database itself note every figure that is committed to it, whoever wrote it."""
    backend = url.partition(":")[0]
    await sql(url, _WITNESS.format(serial=_SERIAL[backend]))
    if backend == "postgresql":
        body = f"BEGIN {_NOTE}; RETURN NULL; END"
        await sql(url, f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    does = {"sqlite": f"BEGIN {_NOTE}; END", "postgresql": "FOR EACH ROW EXECUTE FUNCTION note()"}
    for event in ("INSERT", "UPDATE"):
        what = does.get(backend, f"FOR EACH ROW {_NOTE}")
        await sql(url, f"CREATE TRIGGER note_{event.lower()} AFTER {event} ON stock_levels {what}")


async def witnessed(url: str) -> dict[Cell, list[str]]:
    """Give every figure a cell ever held since `watch`, in order."""
    found: dict[Cell, list[str]] = {}
    for product, place, quantity in await sql(url, "SELECT product_id, location_id, quantity FROM witness ORDER BY id"):
        found.setdefault((int(product), str(place)), []).append(plain(quantity))
    return found


def with_password(url: str) -> str:
    """Put a password into the URL of a server that asks for none."""
    return url.replace("stocksync@", f"stocksync:{PASSWORD}@") if url.startswith("postgresql") else url
