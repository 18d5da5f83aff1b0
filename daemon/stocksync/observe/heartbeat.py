"""Shows that the event loop turns, and keeps the metrics equal to what the state knows."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import structlog

from stocksync.core.status import AccountStatus
from stocksync.errors import StateError, StateUnavailable
from stocksync.observe.metrics import Metrics

log = structlog.get_logger(__name__)

Now = Callable[[], datetime]

_STATE_SECONDS = 5.0
_KEEP_SECONDS = 1.0
_COUNTED_EACH_TIME = 50
"""Accounts of which everything is counted anew, in turn, whether a cycle has changed them or not."""


def utc_now() -> datetime:
    """Give the wall clock."""
    return datetime.now(UTC)


class Heartbeat:
    """A task that asks to be woken every second and notes how late it was."""

    def __init__(self, metrics: Metrics, now: Now = utc_now, period: float = 1.0) -> None:
        self._metrics, self._now, self._period = metrics, now, period
        self._last = time.monotonic()

    def age(self) -> float:
        """Seconds since the loop last turned."""
        return time.monotonic() - self._last

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._metrics.looped(self._now(), max(0.0, self.age() - self._period))
            self._last = time.monotonic()
            await asyncio.sleep(self._period)


class Statuses(Protocol):
    """Whoever can tell how accounts stand."""

    async def status(self, accounts: Iterable[str], known: Mapping[str, AccountStatus]) -> list[AccountStatus]:
        """Give the accounts' status, in the order asked; raises StateError where it cannot be read.

        What is `known` of an account is counted anew only where a cycle has begun or ended since.
        """


class StateView:
    """The accounts' status, read from the state at most once a second, whoever asks."""

    def __init__(self, register: Statuses, accounts: Sequence[str], metrics: Metrics, now: Now = utc_now) -> None:
        self._register, self._metrics, self._now = register, metrics, now
        self.watch(accounts)
        self._lock = asyncio.Lock()
        self._answer: list[AccountStatus] | StateError = []
        self._away = False
        self._turns = count()

    def watch(self, accounts: Sequence[str]) -> None:
        """Ask for these accounts from the next time on, which comes at once."""
        self._accounts = accounts
        self._read_at = -math.inf

    async def get(self) -> list[AccountStatus]:
        """Give the status of all accounts.

        Raises:
            StateError: the state cannot be read, or not within five seconds.

        """
        async with self._lock:
            if time.monotonic() - self._read_at > _KEEP_SECONDS:
                self._answer = await self._load()
                self._read_at = time.monotonic()
            # An error is kept as long as an answer, or everybody who waits here would wait for a time-out in turn.
            if isinstance(self._answer, StateError):
                raise self._answer
            return self._answer

    async def run(self, period: float = 10.0) -> None:
        """Refresh the metrics until cancelled; a state that is away is said once and tried again."""
        while True:
            try:
                await self.get()
            except StateError as error:
                self._say_away(str(error))
            except Exception:  # a looker-on must outlive every surprise
                log.exception("state_view_failed")
            else:
                self._say_back()
            await asyncio.sleep(period)

    async def _load(self) -> list[AccountStatus] | StateError:
        asked_at = self._now()
        try:
            async with asyncio.timeout(_STATE_SECONDS):
                statuses = await self._register.status(self._accounts, self._known())
        except TimeoutError:
            return StateUnavailable(f"the state database did not answer within {_STATE_SECONDS:g} s")
        except StateError as error:
            return error
        for status in statuses:
            self._metrics.remember(status, asked_at)
            await asyncio.sleep(0)  # hundreds of accounts have tens of thousands of series
        return statuses

    def _known(self) -> dict[str, AccountStatus]:
        """Give the last answer, but for those whose turn it is."""
        if isinstance(self._answer, StateError):
            return {}
        turns = max(1, -(-len(self._accounts) // _COUNTED_EACH_TIME))
        turn = next(self._turns) % turns
        return {one.account: one for number, one in enumerate(self._answer) if number % turns != turn}

    def _say_away(self, error: str) -> None:
        if not self._away:
            log.warning("state_unreadable", error=error)
        self._away = True

    def _say_back(self) -> None:
        if self._away:
            log.info("state_readable_again")
        self._away = False


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let work that has no end go on until the block ends."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
