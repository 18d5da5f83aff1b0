"""`check`, the parts of one account."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.engine import URL

from stocksync.app.check_limits import TRIES, TRY_SECONDS, ThrottleListener, TimeLimits
from stocksync.app.check_source import clock_result, location_result, pace_result, products_result
from stocksync.app.check_target import target_results
from stocksync.app.database_words import Opening, driver_missing
from stocksync.app.wiring import Runtime, Tries, open_runtime, without_target
from stocksync.config import AccountConfig, Config
from stocksync.config.section import DatabaseSection
from stocksync.core.answers import CheckResult, CheckState
from stocksync.core.health import NEW_KEY
from stocksync.core.model import Product
from stocksync.dsn import parse
from stocksync.errors import ConfigurationError, DriverMissing, StocksyncError, Unauthorized
from stocksync.observe.bus import Bus
from stocksync.observe.event_log import EventLog
from stocksync.run.account import Account
from stocksync.state.database import Database, open_state

_KEEP = timedelta(days=1)


@dataclass(slots=True)
class AccountCheck:
    """Tries everything that one account needs; what fails keeps nothing else from being tried."""

    config: Config
    one: AccountConfig
    limits: TimeLimits
    state: Database | None
    """None where it cannot be opened: then nothing is remembered, and the rest is tried all the same."""
    products: list[Product] = field(default_factory=list)
    locations: dict[int, str] = field(default_factory=dict)
    total: int | None = None
    reached: bool = False

    async def results(self) -> AsyncIterator[CheckResult]:
        """Give the results as they come."""
        heard = ThrottleListener()
        async with AsyncExitStack() as stack:
            try:
                runtime = await self._open(self.one, heard, stack)
            except ConfigurationError as error:
                async for result in self._without_target(error, heard, stack):
                    yield result
                return
            account = runtime.accounts[self.one.name]
            async for result in self._source(account, heard):
                yield result
            async for result in self._target(account, runtime):
                yield result

    async def _open(self, one: AccountConfig, heard: ThrottleListener, stack: AsyncExitStack) -> Runtime:
        state = self.state
        if state is None:
            state = await open_state("sqlite://", _KEEP)
            stack.push_async_callback(state.close)
        only = self.config.model_copy(update={"accounts": (one,)})
        publish, tries = Bus(EventLog().hear, heard.hear).publish, Tries(TRY_SECONDS, TRIES)
        return await stack.enter_async_context(open_runtime(only, publish, state, tries=tries))

    async def _without_target(
        self, error: StocksyncError, heard: ThrottleListener, stack: AsyncExitStack
    ) -> AsyncIterator[CheckResult]:
        """Try Qoyod where the target cannot even be opened: its driver is missing, its statements bind a wrong name."""
        one = without_target(self.one)
        async for result in self._source((await self._open(one, heard, stack)).accounts[one.name], heard):
            yield result
        what, todo = database_words(self.one.target, error)
        for line in what.splitlines():
            yield CheckResult(f"{one.name}: target", CheckState.FAILED, line, todo)

    async def _source(self, account: Account, heard: ThrottleListener) -> AsyncIterator[CheckResult]:
        name = self.one.name

        async def credential() -> list[CheckResult]:
            self.locations = dict(await account.source.locations())
            self.reached = True
            accepted = CheckResult(f"{name}: credential", CheckState.WELL, "accepted")
            return [accepted, location_result(name, account.rules.places, self.locations)]

        async def first_page() -> list[CheckResult]:
            page = await account.source.first_page()
            self.products, self.total = list(page.products.values()), page.total
            return [products_result(name, page, filtered=bool(account.settings.filter))]

        async for result in self.limits.run(f"{name}: credential", credential, plain, heard):
            yield result
        if self.reached:
            async for result in self.limits.run(f"{name}: products", first_page, plain, heard):
                yield result
        for found in (pace_result(self.one, self.total), clock_result(name, account.source.skew())):
            if found is not None:
                yield found

    async def _target(self, account: Account, runtime: Runtime) -> AsyncIterator[CheckResult]:
        def words(error: StocksyncError) -> tuple[str, str]:
            return database_words(self.one.target, error)

        async def rehearse() -> list[CheckResult]:
            target = opening(self.one.target)
            there = target.path is None or target.path.exists() or not target.path.parent.is_dir()
            if not (there or self.one.target.create_table):
                # To open it would make it.
                what, todo = f"there is no file {target.path}", f"correct {target.key}"
                return [CheckResult(f"{self.one.name}: target", CheckState.FAILED, what, todo)]
            return await target_results(account, runtime.state, self.products, self.locations)

        async for result in self.limits.run(f"{self.one.name}: target", rehearse, words):
            yield result


def opening(section: DatabaseSection) -> Opening:
    """Describe the database that a section names."""
    url: URL = parse(section.dsn(), section.key)
    return Opening(url, section.key)


def database_words(section: DatabaseSection, error: StocksyncError) -> tuple[str, str]:
    """Say what is wrong with a database, and what to do about it."""
    try:
        opened = opening(section)
    except ConfigurationError as unusable:
        return str(unusable), ""
    return driver_missing(opened.url) if isinstance(error, DriverMissing) else opened.words(error)


def plain(error: StocksyncError) -> tuple[str, str]:
    """Say what is wrong in the error's own words."""
    return str(error), NEW_KEY if isinstance(error, Unauthorized) else ""
