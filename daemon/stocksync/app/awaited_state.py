"""The state database of a daemon that starts: awaited while it is away or held by another, used once it is there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from stocksync.config import Config
from stocksync.core.answers import Waiting
from stocksync.core.budget import BudgetRow
from stocksync.core.overview import Day, FoundProduct, RecentChange
from stocksync.core.reminder import Reminder
from stocksync.core.status import AccountStatus
from stocksync.errors import ConfigurationError, SchemaBehind, StateError, StateInUse, StateUnavailable
from stocksync.ports import LedgerRow
from stocksync.state.database import Database, open_state

log = structlog.get_logger(__name__)

_AGAIN = timedelta(seconds=2)

_HOLDER = "the process that holds the state"

Open = Callable[[], Awaitable[Database]]


class AwaitedState:
    """What the page and the metrics read from before, and after, the state is there."""

    def __init__(self, config: Config, now: Callable[[], datetime], *, writes: bool = True) -> None:
        """Take the configuration; nothing is opened yet. Who does not write, locks no file."""
        self._config, self._now, self._writes = config, now, writes
        self._waiting: Waiting | None = Waiting("the state database", now(), "it has not answered yet")
        self._reminder = Reminder()
        self.database: Database | None = None

    def waiting(self) -> Waiting | None:
        """Say what is waited for; None where nothing is."""
        return self._waiting

    @property
    def stands_by(self) -> bool:
        """Whether another process holds the state, as it should."""
        return self._waiting is not None and self._waiting.what == _HOLDER

    async def status(self, accounts: Iterable[str], known: Mapping[str, AccountStatus]) -> list[AccountStatus]:
        """Give the accounts' status; what is `known` of one is counted anew only where it must.

        Raises:
            StateUnavailable: the state was not opened yet; the message is the database's own.

        """
        return await self.opened().status(accounts, known)

    async def in_full(self, account: str) -> AccountStatus | None:  # noqa: ARG002  of one account as of all
        """Give an account's status with its rows, where `status` only sums it up; None where that has all."""
        return None

    async def changes_after(self, account: str, after: int, limit: int) -> list[LedgerRow]:
        """Give an account's applied changes behind a cursor.

        Raises:
            CursorLost: the ledger does not keep that row any more.
            StateUnavailable: as for `status`.

        """
        return await self.opened().changes_after(account, after, limit)

    async def locations(self, account: str) -> Mapping[int, str]:
        """Give Qoyod's locations of an account, id to name.

        Raises:
            StateUnavailable: as for `status`.

        """
        return await self.opened().locations(account)

    async def told(self, accounts: Iterable[str]) -> Mapping[str, str]:
        """Give what people were told of each account.

        Raises:
            StateUnavailable: as for `status`.

        """
        return await self.opened().told(accounts)

    async def tell(self, account: str, before: str, after: str) -> bool:
        """Note what people are told of an account, unless another process did first.

        Raises:
            StateUnavailable: as for `status`.

        """
        return await self.opened().tell(account, before, after)

    async def take_duty(self, duty: str, owner: str, ttl: timedelta) -> bool:
        """Take, or keep, what one process does for all its like; False where another has it.

        Raises:
            StateUnavailable: as for `status`.

        """
        return await self.opened().take_duty(duty, owner, ttl)

    async def newest_changes(self, accounts: Sequence[str], limit: int) -> list[RecentChange]:
        """Give the changes that were applied last."""
        return await self.opened().newest_changes(accounts, limit)

    async def last_day(self, account: str, now: datetime) -> Day:
        """Give an account's polls and changes of the last day."""
        return await self.opened().last_day(account, now)

    async def budget_row(self, budget: str) -> BudgetRow | None:
        """Give a tenant's request budget."""
        return await self.opened().budget_row(budget)

    async def search(self, accounts: Sequence[str], text: str, limit: int) -> list[FoundProduct]:
        """Find products by SKU, id or a part of SKU or name."""
        return await self.opened().search(accounts, text, limit)

    async def open(self, stopping: asyncio.Event) -> Database | None:
        """Open and lock the state, however long it takes; None where `stopping` came first.

        Raises:
            ConfigurationError, SchemaBehind: no waiting mends it.

        """
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                attempt = asyncio.create_task(self._attempt())
                await asyncio.wait([attempt, stop], return_when=asyncio.FIRST_COMPLETED)
                if not attempt.done():
                    attempt.cancel()
                    await asyncio.wait([attempt])
                if not attempt.cancelled() and attempt.result():
                    if self._waiting is not None and self._waiting.next_try is not None:
                        waited = (self._now() - self._waiting.since).total_seconds()
                        log.info("state_opened", waited_seconds=round(waited, 1))
                    self._waiting = None
                    return self.database
                await asyncio.wait([stop], timeout=_AGAIN.total_seconds())
        except BaseException:
            await self.close()
            raise
        finally:
            stop.cancel()
        await self.close()
        return None

    async def open_now(self) -> Database:
        """Open and lock the state at once.

        Raises:
            ConfigurationError, SchemaBehind, StateUnavailable, StateInUse: it cannot be had now.

        """
        database = self.database = await open_state(self._config.state.dsn(), self._config.state.keep_ledger)
        try:
            database.lock()
        except BaseException:
            await self.close()
            raise
        self._waiting = None
        return database

    def forget(self) -> None:
        """Look no more at a state that its user closes."""
        self.database = None

    async def close(self) -> None:
        """Give the connections and the lock back."""
        if self.database is not None:
            await self.database.close()

    def opened(self) -> Database:
        """Give the database.

        Raises:
            StateUnavailable: it is not open.

        """
        if self.database is None:
            raise StateUnavailable(self._waiting.because if self._waiting else "it is closed")
        return self.database

    async def _attempt(self) -> bool:
        try:
            if self.database is None:
                self.database = await open_state(self._config.state.dsn(), self._config.state.keep_ledger)
            if self._writes:
                self.database.lock()
        except SchemaBehind:
            raise
        except StateError as error:
            held = isinstance(error, StateInUse)
            if not held and not isinstance(error, StateUnavailable) and self._config.state.dsn().startswith("sqlite"):
                raise ConfigurationError(f"state.url: {error}") from error
            now, what = self._now(), _HOLDER if held else "the state database"
            same = self._waiting is not None and self._waiting.what == what
            since = self._waiting.since if self._waiting is not None and same else now
            self._waiting = Waiting(what, since, str(error), now + _AGAIN)
            event = "standing_by" if held else "state_unavailable"
            if self._reminder.is_due(event, now):
                again = _AGAIN.total_seconds()
                log.warning(event, error=str(error), since=since, again_every_seconds=again)
            return False
        return True
