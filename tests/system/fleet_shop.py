"""A fleet as its owner runs it: accounts in files, real workers, a real Temporal, one simulated Qoyod for all."""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forge import Ended, forge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from system_shop import COMMAND, SECRET, Daemon, connected, merged, plain, toml
from temporal_server import Temporal

from stocksync.core.model import show
from stocksync.simulator.server import Simulator


@dataclass
class FleetShop:
    """Accounts a00, a01 …: each a tenant of its own, with a table of its own in one database."""

    folder: Path
    simulator: Simulator
    database: str
    temporal: Temporal
    queue: str
    settings: dict[str, Any] = field(default_factory=dict)
    fleet: dict[str, Any] = field(default_factory=dict)
    workers: list[Daemon] = field(default_factory=list)
    targets: str = ""
    """The database of the targets, where it is another one than the state's."""
    new_database: Callable[[], str] = str

    def __post_init__(self) -> None:
        self.targets = self.targets or self.database

    def own_targets(self) -> None:
        """Let targets stand in a database of their own: no transaction spans both."""
        self.targets = self.new_database()

    @property
    def environ(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("STOCKSYNC_")}
        return {**clean, "DATABASE": self.database, "TARGETS": self.targets, "QOYOD_API_KEY": SECRET, "COLUMNS": "160"}

    def configure(self, names: Iterable[str]) -> None:
        """Write the configuration, and a file for each account."""
        fleet = {"address": self.temporal.address, "task_queue": self.queue, "heartbeat_timeout": "5s", **self.fleet}
        sections = {
            "accounts_dir": "accounts.d", "state": {"url_env": "DATABASE"}, "http": {"listen": "127.0.0.1:0"},
            "fleet": fleet,
        }  # fmt: skip
        (self.folder / "config.toml").write_text(toml(sections), encoding="utf-8")
        (self.folder / "accounts.d").mkdir(exist_ok=True)
        for name in names:
            self.add(name)

    def add(self, name: str, **changes: Any) -> None:
        account = {
            "tenant": name,
            "base_url": self.simulator.url,
            "auth": {"secret_env": "QOYOD_API_KEY"},
            "poll": {"interval": "2s", "jitter": "0s", "cross_check": 0, "requests_per_minute": 300},
            "target": {"url_env": "TARGETS", "table": f"stock_{name}", "create_table": True},
        }
        whole = merged(merged(account, self.settings), changes)
        (self.folder / "accounts.d" / f"{name}.toml").write_text(toml(whole), encoding="utf-8")

    async def command(self, *arguments: str) -> Ended:
        """Run `stocksync …` to its end, as a fork of a process that has imported it."""
        return await forge().command(arguments, self.folder, self.environ)

    async def start(self, *arguments: str, program: tuple[str, ...] = COMMAND) -> Daemon:
        """Start a worker, or another command that stays."""
        process = await asyncio.create_subprocess_exec(
            *program, *(arguments or ("worker",)), cwd=self.folder, env=self.environ,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        daemon = Daemon(process)
        self.workers.append(daemon)
        return daemon

    async def close(self) -> None:
        for worker in self.workers:
            await worker.clean_up()
            assert SECRET not in worker.raw

    def truth(self, simulator: Simulator | None = None) -> dict[tuple[int, str], str]:
        figures = (simulator or self.simulator).catalogue.figures()
        return {(product, str(place)): show(figure) for (product, place), figure in figures.items()}

    async def rows(self, name: str) -> dict[tuple[int, str], str]:
        """Give what stands in an account's table; nothing where it is not made yet."""
        async with connected(self.targets) as connection:
            return await self.rows_over(connection, name)

    @staticmethod
    async def rows_over(connection: AsyncConnection, name: str) -> dict[tuple[int, str], str]:
        made = await connection.execute(text(f"SELECT to_regclass('stock_{name}')"))
        if made.scalar_one() is None:
            return {}
        query = f"SELECT product_id, location_id, quantity FROM stock_{name}"
        found = await connection.execute(text(query))
        return {(int(row[0]), str(row[1])): plain(row[2]) for row in found}

    async def equal(self, *names: str) -> bool:
        truth = self.truth()
        return all([await self.rows(name) == truth for name in names])

    async def expire_leases(self) -> None:
        """Let a dead worker's lease run out, without waiting for it."""
        await self.sql("UPDATE stocksync_accounts SET expires_at = 0")

    async def sql(self, statement: str) -> list[Any]:
        async with connected(self.database) as connection:
            result = await connection.execute(text(statement))
            return list(result.all()) if result.returns_rows else []
