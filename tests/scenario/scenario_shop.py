"""A shop to watch: a simulated Qoyod, the real composition root, real databases, and what stands in the target."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import event, text, update

from stocksync.app.wiring import Runtime, SystemClock, open_runtime
from stocksync.config import Config, build
from stocksync.core.drift import AuditReport
from stocksync.core.model import show
from stocksync.core.report import CycleReport
from stocksync.observe.event_log import EventLog
from stocksync.ports import AccountStatus, Lease, LedgerRow
from stocksync.run.account import Account
from stocksync.run.audit import audit
from stocksync.run.cycle import Cycle
from stocksync.run.leases import lead
from stocksync.run.lookup import Query, look_up
from stocksync.simulator.catalogue import Catalogue
from stocksync.simulator.server import API_KEY, Simulator
from stocksync.sqlengine import open_engine
from stocksync.state.schema import accounts

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE")


class Calendar(SystemClock):
    """The machine's clock, with a wall that a test may move on."""

    passed = timedelta(0)

    def now(self) -> datetime:
        return super().now() + Calendar.passed


def small_catalogue(products: int = 8, locations: Iterable[int] = (1, 3)) -> Catalogue:
    """Make products 1, 2, 3 … with SKUs P-01, P-02 … and ten times their id at each location, plus the location."""
    catalogue = Catalogue(0, 3)
    for number in range(1, products + 1):
        catalogue.create(f"P-{number:02}", f"Product {number}", stock={one: number * 10 + one for one in locations})
    return catalogue


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = deepcopy(dict(base))
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return {key: value for key, value in result.items() if value is not None}


@dataclass
class Shop:
    """One simulator, one runtime, one target; `open` builds it from a configuration."""

    simulator: Simulator
    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: {"QOYOD_API_KEY": API_KEY})
    data: dict[str, Any] = field(default_factory=dict)
    runtime: Runtime = field(init=False)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def catalogue(self) -> Catalogue:
        return self.simulator.catalogue

    @property
    def account(self) -> Account:
        return next(iter(self.runtime.accounts.values()))

    @property
    def config(self) -> Config:
        return self.runtime.config

    def base(self) -> dict[str, Any]:
        return {
            "name": "main",
            "base_url": self.simulator.url,
            "auth": {"secret_env": "QOYOD_API_KEY"},
            "poll": {"per_page": 5, "cross_check": 1},
            "target": {"url": f"sqlite:///{self.folder / 'shop.db'}", "create_table": True},
        }

    async def open(self, *, also: Iterable[Mapping[str, Any]] = (), state: str = "", **sections: Any) -> "Shop":
        """Open the runtime; sections override those of the first account, `also` are further accounts."""
        first = merged(self.base(), sections)
        url = state.format(folder=self.folder) or f"sqlite:///{self.folder / 'state.db'}"
        others = [merged({**self.base(), "name": f"other{number}"}, one) for number, one in enumerate(also, 1)]
        self.data = {"state": {"url": url}, "accounts": [first, *others]}
        await self.enter()
        return self

    async def enter(self) -> None:
        config = build(self.data, self.environ)
        self.runtime = await self._stack.enter_async_context(open_runtime(config, EventLog().hear))

    async def close(self) -> None:
        await self._stack.aclose()

    async def restart(self, **sections: Any) -> None:
        """End the process, as far as a test can, and start the next one; sections change the configuration."""
        await self.close()
        self.data["accounts"][0] = merged(self.data["accounts"][0], sections)
        await self.enter()

    async def cycle(self, name: str | None = None, *, full: bool = False, confirm: bool = False) -> CycleReport:
        account = self.runtime.accounts[name] if name else self.account
        async with lead(account, self.runtime.owner) as lease:
            report = await Cycle(account, lease, full=full, confirm=confirm).run()
        report.counts.check()
        return report

    async def cycles(self, count: int) -> CycleReport:
        reports = [await self.cycle() for _ in range(count)]
        return reports[-1]

    async def look_up(
        self, sku: str | None = None, product_id: int | None = None, *, lead_it: bool = True, fresh: bool = True
    ) -> Any:
        query = Query(sku, product_id)
        if not lead_it:
            return await look_up(self.account, self.runtime.state, query, None, fresh=fresh)
        async with lead(self.account, self.runtime.owner) as lease:
            return await look_up(self.account, self.runtime.state, query, lease, fresh=fresh)

    async def audit(self, *, heal: bool = False) -> AuditReport:
        async with lead(self.account, self.runtime.owner) as lease:
            return await audit(self.account, self.runtime.state, lease, heal=heal)

    async def status(self, name: str = "main") -> AccountStatus:
        return (await self.runtime.state.status([name]))[0]

    async def ledger(self, product_id: int, name: str = "main") -> list[LedgerRow]:
        return await self.runtime.state.history(name, product_id, 100)

    async def approve(self, *, yes: bool = True) -> None:
        held = (await self.status()).held
        assert held is not None
        await self.runtime.state.decide(held.plan_id, yes, "a person")

    async def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Speak to the target as somebody else does: over an own connection."""
        engine = open_engine(
            self.data["accounts"][0]["target"]["url"] if self.data else self.base()["target"]["url"], ""
        )
        try:
            async with engine.begin() as connection:
                result = await connection.execute(text(statement), values)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            await engine.dispose()

    async def rows(self) -> dict[tuple[int, str], str]:
        """Give our own table: (product id, location) to the figure as text."""
        found = await self.sql("SELECT product_id, location_id, quantity FROM stock_levels")
        return {(int(row[0]), str(row[1])): plain(row[2]) for row in found}

    async def actives(self) -> dict[tuple[int, str], bool]:
        found = await self.sql("SELECT product_id, location_id, active FROM stock_levels")
        return {(int(row[0]), str(row[1])): bool(row[2]) for row in found}

    def truth(self) -> dict[tuple[int, str], str]:
        """Give what the target should hold under the default policy."""
        return {(item, str(place)): show(figure) for (item, place), figure in self.catalogue.figures().items()}

    async def expire_lease(self) -> None:
        """Let the dead writer's lease run out, without waiting for it."""
        async with self.runtime.state.engine.begin() as connection:
            await connection.execute(update(accounts).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC)))

    @contextmanager
    def counting(self) -> Any:
        """Count the statements that the driver of the target is given, as (all, writes)."""
        with sent_over(self.account.target._engine) as statements:
            yield Statements(statements)

    def asked(self, path: str = "") -> list[str]:
        """Give the paths that Qoyod was asked for, those that contain `path`."""
        return [entry.path for entry in self.simulator.requests if path in entry.path]


@contextmanager
def sent_over(engine: Any) -> Iterator[list[str]]:
    """Give the statements that the driver of a database is given."""
    statements: list[str] = []

    def heard(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", heard)
    try:
        yield statements
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", heard)


@dataclass
class Statements:
    every: list[str]

    @property
    def writes(self) -> list[str]:
        return [one for one in self.every if one.lstrip().upper().startswith(WRITES)]


class Died(BaseException):
    """The process dies here."""


def die_after_commit(shop: Shop) -> None:
    """Let the next batch be committed to the target, and nothing more be remembered: as a kill between the two."""
    target, state = shop.account.target, shop.runtime.state
    write = target.write

    async def write_and_die(*args: Any, **kwargs: Any) -> Any:
        await write(*args, **kwargs)
        state._session.write = dead  # type: ignore[method-assign]
        raise Died

    async def dead(*_args: Any, **_kwargs: Any) -> Any:
        raise Died

    target.write = write_and_die  # type: ignore[method-assign]


def die_before_write(shop: Shop) -> None:
    """Let the next batch's intents be committed, and the process die before the target hears of it."""
    target, state = shop.account.target, shop.runtime.state

    async def dead(*_args: Any, **_kwargs: Any) -> Any:
        state._session.write = dead  # type: ignore[method-assign]
        raise Died

    target.write = dead  # type: ignore[method-assign]


def plain(value: Any) -> str:
    return "NULL" if value is None else show(Decimal(str(value)))


__all__ = ["API_KEY", "Calendar", "Died", "Lease", "Shop", "Statements", "die_after_commit", "die_before_write"]
