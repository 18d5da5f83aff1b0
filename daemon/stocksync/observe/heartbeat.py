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

_STATE_SECONDS, _ACCOUNT_SECONDS = 5.0, 0.001
_KEEP_SECONDS = 1.0
_KEEP_TIMES, _KEEP_LONGEST = 20.0, 15.0
"""What took long to read is kept for so many times as long: of thousands of accounts, until `run` reads it again."""
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
    """The accounts' status, read from the state at most once a second, and more seldom where it takes long."""

    def __init__(self, register: Statuses, accounts: Sequence[str], metrics: Metrics, now: Now = utc_now) -> None:
        self._register, self._metrics, self._now = register, metrics, now
        self.watch(accounts)
        self._lock = asyncio.Lock()
        self._answer: list[AccountStatus] | StateError = []
        self._away = False
        self._turns = count()
        self.began = -math.inf
        """When the last answer began to be read, by the monotonic clock."""

    def watch(self, accounts: Sequence[str]) -> None:
        """Ask for these accounts from the next time on, which comes at once."""
        self._accounts = accounts
        self._read_at, self._keep = -math.inf, _KEEP_SECONDS

    async def get(self) -> list[AccountStatus]:
        """Give the status of all accounts.

        Raises:
            StateError: the state cannot be read, or not within five seconds and a millisecond for each account.

        """
        while not self._kept():
            async with self._lock:
                if not self._kept():
                    await self._refresh()
        # An error is kept as long as an answer, or everybody who waits here would wait for a time-out in turn.
        if isinstance(self._answer, StateError):
            raise self._answer
        return self._answer

    def _kept(self) -> bool:
        return time.monotonic() - self._read_at <= self._keep

    async def _refresh(self) -> None:
        began, asked = time.monotonic(), self._accounts
        asked_at, limit = self._now(), _STATE_SECONDS + len(asked) * _ACCOUNT_SECONDS
        answer: list[AccountStatus] | StateError
        try:
            async with asyncio.timeout(limit):
                answer = await self._register.status(asked, self._known())
        except TimeoutError:
            answer = StateUnavailable(f"the state database did not answer within {limit:.0f} s")
        except StateError as error:
            answer = error
        else:
            for status in answer:
                self._metrics.remember(status, asked_at)
                await asyncio.sleep(0)  # hundreds of accounts have tens of thousands of series
        if asked is not self._accounts:
            return  # another configuration came meanwhile: whoever asks next reads anew
        self._answer, self._read_at, self.began = answer, time.monotonic(), began
        took = 0.0 if isinstance(answer, StateError) else self._read_at - began
        self._keep = min(max(_KEEP_SECONDS, _KEEP_TIMES * took), _KEEP_LONGEST)

    async def run(self, period: float = 10.0) -> None:
        """Refresh the metrics until cancelled; a state that is away is said once and tried again."""
        while True:
            try:
                async with self._lock:
                    await self._refresh()
                await self.get()
            except StateError as error:
                if not self._away:
                    log.warning("state_unreadable", error=str(error))
                self._away = True
            except Exception:  # a looker-on must outlive every surprise
                log.exception("state_view_failed")
            else:
                if self._away:
                    log.info("state_readable_again")
                self._away = False
            await asyncio.sleep(period)

    def _known(self) -> dict[str, AccountStatus]:
        """Give the last answer, but for those whose turn it is."""
        if isinstance(self._answer, StateError):
            return {}
        turns = max(1, -(-len(self._accounts) // _COUNTED_EACH_TIME))
        turn = next(self._turns) % turns
        return {one.account: one for number, one in enumerate(self._answer) if number % turns != turn}


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let work go on beside the block, and end it with the block at the latest."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
