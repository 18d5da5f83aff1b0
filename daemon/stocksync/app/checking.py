"""`check`: a rehearsal of what a cycle will do, every part tried for real, one result after the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.engine import URL

from stocksync.app.check_machine import http_result, secret_results
from stocksync.app.check_source import clock_result, location_result, pace_result, products_result
from stocksync.app.check_target import target_results
from stocksync.app.database_words import Opening, driver_missing
from stocksync.app.wiring import Tries, accounts_of, open_runtime
from stocksync.config import AccountConfig, Config
from stocksync.config.section import DatabaseSection
from stocksync.core.answers import CheckResult, CheckState
from stocksync.core.model import Product
from stocksync.errors import DriverMissing, SchemaBehind, SchemaNewer, StocksyncError, Unauthorized
from stocksync.observe.event_log import EventLog
from stocksync.run.account import Account
from stocksync.sqlengine import parse
from stocksync.state.database import Database, open_state

_KEEP = timedelta(days=1)
_TRY_SECONDS = 10.0
_TRIES = 2
_WAIT_SECONDS = 5.0
"""How long a 429 may ask to wait before a person is told so instead."""

_CREDENTIAL = "make a key in Qoyod (Settings, API), then export it or write it where auth says"
Attempt = Callable[[], Awaitable[Sequence[CheckResult]]]
Worded = Callable[[StocksyncError], tuple[str, str]]


async def check(config: Config, account: str | None = None, seconds: float = 60.0) -> AsyncIterator[CheckResult]:
    """Try configuration, state, address, and each account's credential, locations, list and target; write nothing.

    `seconds` is for all of it: what is not tried by then has failed.
    """
    tries = _Attempts(asyncio.get_running_loop().time() + seconds, seconds)
    chosen = accounts_of(config, account)
    count = f"{len(config.accounts)} account{'' if len(config.accounts) == 1 else 's'}"
    yield CheckResult("configuration", CheckState.WELL, f"{_origin(config)}; {count}, no problem")
    for result in secret_results(config):
        yield result
    async with AsyncExitStack() as stack:
        opened: list[Database] = []
        async for result in tries.run("state", lambda: _state(config, opened, stack), _state_words(config)):
            yield result
        async for result in tries.run("http", lambda: _http(config), _plain):
            yield result
        for one in chosen:
            async for result in _Account(config, one, tries, opened[0] if opened else None).results():
                yield result


def _origin(config: Config) -> str:
    return "from the environment alone" if config.file is None else str(config.file.absolute())


async def _state(config: Config, opened: list[Database], stack: AsyncExitStack) -> list[CheckResult]:
    state = await open_state(config.state.dsn(), config.state.keep_ledger)
    stack.push_async_callback(state.close)
    opened.append(state)
    return [CheckResult("state", CheckState.WELL, f"{_opening(config.state).describe()}; schema at head")]


async def _http(config: Config) -> list[CheckResult]:
    return [await http_result(config)]


def _opening(section: DatabaseSection) -> Opening:
    url: URL = parse(section.dsn(), section.key)
    return Opening(url, section.key)


def _state_words(config: Config) -> Worded:
    def words(error: StocksyncError) -> tuple[str, str]:
        if isinstance(error, SchemaNewer):
            return str(error), ""
        if isinstance(error, SchemaBehind):
            return str(error).partition("; type: ")[0], "stocksync migrate"
        return _database_words(config.state, error)

    return words


def _database_words(section: DatabaseSection, error: StocksyncError) -> tuple[str, str]:
    opening = _opening(section)
    return driver_missing(opening.url) if isinstance(error, DriverMissing) else opening.words(error)


def _plain(error: StocksyncError) -> tuple[str, str]:
    return str(error), _CREDENTIAL if isinstance(error, Unauthorized) else ""


class _Listening(EventLog):
    """Hears of a 429: the daemon waits it out for ever, a person is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.seconds = 0.0

    def throttled(self, account: str, seconds: float) -> None:
        """Note how long Qoyod asks to wait."""
        super().throttled(account, seconds)
        self.seconds = seconds
        if seconds > _WAIT_SECONDS:
            self.asked.set()


@dataclass(slots=True)
class _Attempts:
    """Runs each part within its own time and what is left of all of it."""

    deadline: float
    seconds: float

    async def run(
        self, part: str, attempt: Attempt, words: Worded, *, limit: float = _TRY_SECONDS * 1.5,
        heard: _Listening | None = None,
    ) -> AsyncIterator[CheckResult]:  # fmt: skip
        left = self.deadline - asyncio.get_running_loop().time()
        if left <= 0:
            what = f"not tried: the {self.seconds:g} s of --timeout are over"
            yield CheckResult(part, CheckState.FAILED, what, "check again with a longer --timeout")
            return
        try:
            for result in await _within(min(left, limit), attempt, heard):
                yield result
        except TimeoutError:
            what = f"no answer within {min(left, limit):.0f} s"
            if heard is not None and heard.seconds:
                what = f"Qoyod asks to wait {heard.seconds:.0f} s (429): other integrations use its requests up"
            yield CheckResult(part, CheckState.FAILED, what, "try later" if heard and heard.seconds else "")
        except StocksyncError as error:
            for line in str(error).splitlines():
                what, todo = words(error)
                several = "\n" in str(error)
                yield CheckResult(part, CheckState.FAILED, line if several else what, todo)


async def _within(seconds: float, attempt: Attempt, heard: _Listening | None) -> Sequence[CheckResult]:
    """Wait for an attempt, or until Qoyod asks for more patience than a person has."""
    async with asyncio.timeout(seconds):
        trying = asyncio.ensure_future(attempt())
        asked = asyncio.ensure_future(heard.asked.wait() if heard is not None else asyncio.Event().wait())
        try:
            await asyncio.wait([trying, asked], return_when=asyncio.FIRST_COMPLETED)
            if not trying.done():
                raise TimeoutError
            return trying.result()
        finally:
            for task in (trying, asked):
                task.cancel()
            await asyncio.gather(trying, asked, return_exceptions=True)


@dataclass(slots=True)
class _Account:
    """The parts of one account."""

    config: Config
    one: AccountConfig
    tries: _Attempts
    state: Database | None
    products: list[Product] = field(default_factory=list)
    locations: dict[int, str] = field(default_factory=dict)
    total: int | None = None
    reached: bool = False

    async def results(self) -> AsyncIterator[CheckResult]:
        """Try everything; what fails keeps nothing else from being tried."""
        heard = _Listening()
        only = self.config.model_copy(update={"accounts": (self.one,)})
        async with AsyncExitStack() as stack:
            state = self.state or await _nowhere(stack)
            try:
                runtime = await stack.enter_async_context(
                    open_runtime(only, heard, state, tries=Tries(_TRY_SECONDS, _TRIES))
                )
            except StocksyncError as error:
                async for result in self._without_target(error, state, heard, stack):
                    yield result
                return
            account = runtime.accounts[self.one.name]
            async for result in self._source(account, heard):
                yield result
            async for result in self._target(account):
                yield result

    async def _without_target(
        self, error: StocksyncError, state: Database, heard: _Listening, stack: AsyncExitStack
    ) -> AsyncIterator[CheckResult]:
        """Try Qoyod all the same where the target's driver is missing."""
        target = self.one.target.model_copy(update={"url": "sqlite://", "url_env": "", "url_file": ""})
        one = self.one.model_copy(update={"target": target})
        only = self.config.model_copy(update={"accounts": (one,)})
        runtime = await stack.enter_async_context(
            open_runtime(only, heard, state, tries=Tries(_TRY_SECONDS, _TRIES))
        )
        async for result in self._source(runtime.accounts[one.name], heard):
            yield result
        what, todo = _database_words(self.one.target, error)
        yield CheckResult(f"{one.name}: target", CheckState.FAILED, what, todo)

    async def _source(self, account: Account, heard: _Listening) -> AsyncIterator[CheckResult]:
        name, patience = self.one.name, _TRIES * _TRY_SECONDS + _WAIT_SECONDS
        credential, products = (lambda: self._credential(account)), (lambda: self._first_page(account))
        async for result in self.tries.run(f"{name}: credential", credential, _plain, limit=patience, heard=heard):
            yield result
        if not self.reached:
            return
        async for result in self.tries.run(f"{name}: products", products, _plain, limit=patience, heard=heard):
            yield result
        for found in (pace_result(self.one, self.total), clock_result(name, account.source.skew())):
            if found is not None:
                yield found

    async def _credential(self, account: Account) -> list[CheckResult]:
        self.locations = dict(await account.source.locations())
        self.reached = True
        accepted = CheckResult(f"{self.one.name}: credential", CheckState.WELL, "accepted")
        return [accepted, location_result(self.one.name, account.rules.places, self.locations)]

    async def _first_page(self, account: Account) -> list[CheckResult]:
        page = await account.source.first_page()
        self.products, self.total = list(page.products), page.total
        return [products_result(self.one.name, page, filtered=account.settings.filtered)]

    async def _target(self, account: Account) -> AsyncIterator[CheckResult]:
        def words(error: StocksyncError) -> tuple[str, str]:
            return _database_words(self.one.target, error)

        part = f"{self.one.name}: target"
        async for result in self.tries.run(
            part, lambda: target_results(account, self.products, self.locations), words
        ):
            yield result


async def _nowhere(stack: AsyncExitStack) -> Database:
    """Give a state that remembers nothing, where the real one cannot be opened."""
    state = await open_state("sqlite://", _KEEP)
    stack.push_async_callback(state.close)
    return state


