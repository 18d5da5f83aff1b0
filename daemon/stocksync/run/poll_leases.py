"""Leases of a worker: each is claimed when a poll or an audit starts, and given back when that ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import structlog

from stocksync.errors import StateError, StateInUse
from stocksync.ports import Lease, State
from stocksync.run.account import Account
from stocksync.run.leases import LEASE, RENEW_SECONDS, STANDBY_SECONDS

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 20.0
"""How long a piece of work waits for the one before: longer than a dead worker's lease lasts."""


class PollLeases:
    """All leases that a worker has at a time; one statement renews them, however many they are."""

    def __init__(self, state: State, owner: str) -> None:
        """Take the name of this process; each piece of work claims under one of its own."""
        # Under one name a second claim would keep the epoch of the first, and giving it back would end both.
        self._names = (f"{owner}:{number}" for number in count(1))
        self._state = state
        self._held: dict[str, list[Lease]] = {}
        self._compared: dict[str, int] = {}
        """The epoch under which this process last compared an account to the end."""

    async def keep(self) -> None:
        """Renew for ever; ends only by cancellation. Who has lost a lease learns it from the next commit."""
        away = False
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = [lease for leases in self._held.values() for lease in leases]
            try:
                await self._state.renew(held, LEASE)
                away = False
            except StateError as error:
                if not away:
                    log.warning("state_unavailable", error=str(error))
                away = True

    @asynccontextmanager
    async def lead(self, account: Account, patience: float = PATIENCE_SECONDS) -> AsyncIterator[Lease]:
        """Hold the lease of an account, and of all its sync group, until the block ends.

        Raises:
            StateInUse: another still has it after `patience` seconds.
            StateUnavailable: the state could not be asked until then.

        """
        name = next(self._names)
        self._held[name] = await self._claim(account, name, patience)
        try:
            yield next(lease for lease in self._held[name] if lease.account == account.name)
        finally:
            for lease in self._held.pop(name):
                try:
                    await self._state.release(lease)
                except StateError as error:
                    log.warning("lease_not_released", account=lease.account, error=str(error))

    def must_compare(self, lease: Lease) -> bool:
        """Whether the snapshot is to be compared with the live rows, as this process has not done so yet.

        An epoch that has not grown since tells of a state that was put back from a backup.
        """
        return lease.epoch <= self._compared.get(lease.account, lease.epoch)

    def compared(self, lease: Lease) -> None:
        """Note that a cycle under this lease has worked to its end."""
        self._compared[lease.account] = lease.epoch

    async def _claim(self, account: Account, name: str, patience: float) -> list[Lease]:
        now = asyncio.get_running_loop().time
        until, away = now() + patience, None
        while True:
            try:
                if claimed := await self._state.claim([account.group], name, LEASE):
                    return claimed
            except StateError as error:
                away = error
            if now() > until:
                raise away or StateInUse(
                    f"account {account.name}: another process is the writer, or died less than {LEASE.seconds} s ago"
                )
            await asyncio.sleep(STANDBY_SECONDS)
