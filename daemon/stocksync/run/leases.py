"""Who may write: one process per account, by a lease in the state."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from stocksync.errors import LeaseLost, StateError, StateInUse
from stocksync.ports import Lease
from stocksync.run.account import Account

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=12)
RENEW_SECONDS = 3.0
STANDBY_SECONDS = 1.0
LAST_WORD_SECONDS = 5.0
"""How long a renewal that was cancelled may take to leave its connection in order before the lease is given back."""
# Death to take-over is at most LEASE plus STANDBY_SECONDS, 13 s: the promise is 15, and machines are busy.


class Leadership:
    """Holds the account's lease as long as it can; stands by and tries again where it cannot."""

    def __init__(self, account: Account, owner: str, elected: Callable[[], None]) -> None:
        """Take the name to lease under and what to call at each election."""
        self._account = account
        self._owner = owner
        self._elected = elected
        self._said = ""
        self.lease: Lease | None = None

    async def keep(self) -> None:
        """Claim and renew for ever; ends only by cancellation."""
        while True:
            try:
                await (self._claim() if self.lease is None else self._renew(self.lease))
            except LeaseLost as error:
                self._lost(str(error))
            except StateError as error:
                self._say("state_unavailable", error=str(error))
            await asyncio.sleep(RENEW_SECONDS if self.lease else STANDBY_SECONDS)

    async def release(self) -> None:
        """Give the lease up, so that another process need not wait for its end."""
        lease, self.lease = self.lease, None
        if lease is None:
            return
        try:
            await self._account.state.release(lease)
        except StateError as error:
            log.warning("lease_not_released", account=lease.account, error=str(error))
        self._account.observer.leading(lease.account, None)

    async def _claim(self) -> None:
        lease = await self._account.state.claim(self._account.name, self._owner, LEASE)
        if lease is None:
            self._account.observer.leading(self._account.name, None)
            return
        self.lease = lease
        self._said = ""
        self._account.observer.leading(lease.account, lease.epoch)
        self._elected()

    async def _renew(self, lease: Lease) -> None:
        await self._account.state.renew(lease, LEASE)
        self._said = ""

    def _lost(self, error: str) -> None:
        self.lease = None
        self._say("lease_lost", error=error)
        self._account.observer.leading(self._account.name, None)

    def _say(self, event: str, error: str) -> None:
        # One line per change of state, not one per attempt.
        if self._said != event:
            self._said = event
            log.warning(event, account=self._account.name, error=error)


@asynccontextmanager
async def lead(account: Account, owner: str) -> AsyncIterator[Lease]:
    """Hold the account's lease for one piece of work.

    Raises:
        StateInUse: another process is the writer.

    """
    leadership = Leadership(account, owner, elected=_nothing)
    leadership.lease = lease = await account.state.claim(account.name, owner, LEASE)
    if lease is None:
        raise StateInUse(
            f"account {account.name}: another process is the writer, or died less than {LEASE.seconds} s ago;"
            " stop it or wait, or look with: stocksync plan"
        )
    keeper = asyncio.create_task(leadership.keep())
    try:
        yield lease
    finally:
        keeper.cancel()
        await asyncio.wait([keeper], timeout=LAST_WORD_SECONDS)
        await leadership.release()


def _nothing() -> None:
    """One piece of work starts itself."""
