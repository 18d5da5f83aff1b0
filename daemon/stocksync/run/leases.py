"""Who may write: one process per sync group, by leases in the state."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from stocksync.core.events import LeaseChanged
from stocksync.errors import StateError, StateInUse
from stocksync.ports import Lease, Publish, State
from stocksync.run.account import Account

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=12)
RENEW_SECONDS = 3.0
STANDBY_SECONDS = 1.0
LAST_WORD_SECONDS = 5.0
"""How long a renewal that was cancelled may take to leave its connection in order before the lease is given back."""
# Death to take-over is at most LEASE plus STANDBY_SECONDS, 13 s: the promise is 15, and machines are busy.


class Leadership:
    """Holds the leases of whole sync groups as long as it can; stands by and tries again where it cannot."""

    def __init__(
        self, state: State, publish: Publish, owner: str, groups: Iterable[Sequence[str]],
        *, elected: Callable[[Lease], None] = lambda _lease: None, address: str = "",
    ) -> None:  # fmt: skip
        """Take the name to lease under and what to call at each election.

        `address` is where look-ups reach this process, for those who stand by.
        """
        self._state = state
        self._publish = publish
        self._owner = owner
        self._groups = _ordered(groups)
        self._elected = elected
        self._address = address
        self.leases: dict[str, Lease] = {}

    async def keep(self) -> None:
        """Claim and renew for ever, neither waiting for the other; ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ever(self.claim, STANDBY_SECONDS))
            group.create_task(self._ever(self._renew, RENEW_SECONDS))

    async def claim(self) -> None:
        """Take the leases of the groups that are free.

        Raises:
            StateError: it could not be asked.

        """
        missing = [group for group in self._groups if not all(account in self.leases for account in group)]
        if not missing:
            return
        claimed = await self._state.claim(missing, self._owner, LEASE, self._address)
        # Accounts may have been taken out of the configuration meanwhile.
        wanted = self._wanted(claimed)
        for lease in claimed:
            if lease not in wanted:
                await self._give_back(lease)
        new = [lease for lease in self._wanted(claimed) if self.leases.get(lease.account) != lease]
        self.leases.update((lease.account, lease) for lease in new)
        for account in {
            account for group in missing for account in group if group in self._groups
        } - self.leases.keys():
            self._publish(LeaseChanged(account, None))
        for lease in new:
            self._publish(LeaseChanged(lease.account, lease.epoch))
            self._elected(lease)

    async def regroup(self, groups: Iterable[Sequence[str]], afresh: Collection[str] = ()) -> None:
        """Lead for these groups from now on; what is held is kept, save for accounts in no group and those in `afresh`.

        Those are claimed again, under a new epoch: whatever still runs under the old one can write nothing more.
        """
        self._groups = _ordered(groups)
        known = {account for group in self._groups for account in group}
        for account in [account for account in self.leases if account not in known or account in afresh]:
            await self._give_back(self.leases.pop(account))

    async def release(self) -> None:
        """Give the leases up, so that another process need not wait for their end."""
        for account in list(self.leases):
            await self._give_back(self.leases.pop(account), ending=True)

    async def _ever(self, step: Callable[[], Awaitable[None]], seconds: float) -> None:
        away = False
        while True:
            try:
                await step()
                away = False
            except StateError as error:
                if not away:  # one line per change of state, not one per attempt
                    log.warning("state_unavailable", error=str(error))
                away = True
            await asyncio.sleep(seconds)

    async def _renew(self) -> None:
        held = list(self.leases.values())
        kept = await self._state.renew(held, LEASE) if held else []
        for lease in held:
            if lease not in kept and self.leases.get(lease.account) == lease:
                why = f"account {lease.account}: another writer took over, or the lease has run out"
                log.warning("lease_lost", account=lease.account, error=why)
                # No group may be in two processes: what one account of it has lost, the others give back.
                group = next((group for group in self._groups if lease.account in group), (lease.account,))
                del self.leases[lease.account]
                self._publish(LeaseChanged(lease.account, None))
                for other in [self.leases.pop(account) for account in group if account in self.leases]:
                    await self._give_back(other)

    def _wanted(self, leases: Iterable[Lease]) -> list[Lease]:
        return [lease for lease in leases if any(lease.account in group for group in self._groups)]

    async def _give_back(self, lease: Lease, *, ending: bool = False) -> None:
        try:
            await self._state.release(lease)
        except StateError as error:
            log.warning("lease_not_released", account=lease.account, error=str(error))
        self._publish(LeaseChanged(lease.account, None, ending))


def _ordered(groups: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    return sorted({tuple(sorted(group)) for group in groups})


@asynccontextmanager
async def lead(account: Account, owner: str) -> AsyncIterator[Lease]:
    """Hold the account's lease for one piece of work.

    Raises:
        StateInUse: another process is the writer.

    """
    leadership = Leadership(account.state, account.publish, owner, [account.group])
    await leadership.claim()
    lease = leadership.leases.get(account.name)
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
