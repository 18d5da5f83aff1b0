"""What the pages show beside the status, read from the state no more often than people can see."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar, cast

from stocksync.core.budget import BudgetRow
from stocksync.core.health import Watched
from stocksync.core.overview import Day, FoundProduct, Overview, RecentChange, budget_now
from stocksync.core.status import AccountStatus

T = TypeVar("T")

_SOON, _SELDOM = 2.0, 60.0
_NEWEST = 12
_MOST_FOUND = 50


class Register(Protocol):
    """As much of the state as the pages read.

    Every call may raise StateError.
    """

    async def in_full(self, account: str) -> AccountStatus | None:
        """Give an account's status with its rows, where `statuses` only sums it up; None where that has all."""

    async def locations(self, account: str) -> Mapping[int, str]:
        """Give Qoyod's locations of an account, id to name."""

    async def newest_changes(self, accounts: Sequence[str], limit: int) -> list[RecentChange]:
        """Give the changes that were applied last, the newest first."""

    async def last_day(self, account: str, now: datetime) -> Day:
        """Give an account's polls and changes of the last day."""

    async def budget_row(self, budget: str) -> BudgetRow | None:
        """Give a tenant's request budget."""

    async def search(self, accounts: Sequence[str], text: str, limit: int) -> list[FoundProduct]:
        """Find products by SKU, id or a part of SKU or name."""


@dataclass(slots=True)
class Gathering:
    """Keeps each answer for a moment: many who look cost the state as much as one."""

    register: Register
    now: Callable[[], datetime]
    _kept: dict[tuple[str, ...], tuple[float, object]] = field(default_factory=dict)

    async def account(self, status: AccountStatus, watched: Watched) -> Overview:
        """Give what one account's card shows."""
        name, tenant, now = status.account, watched.tenant or status.account, self.now()
        return Overview(
            await self.changes({name: status}),
            await self._keep(("day", name), _SELDOM, lambda: self.register.last_day(name, now)),
            budget_now(
                await self._keep(("budget", tenant), _SOON, lambda: self.register.budget_row(tenant)),
                now,
                watched.requests_per_minute,
            ),
        )

    async def in_full(self, status: AccountStatus, watched: Watched) -> AccountStatus:
        """Give an account's status with all that its card shows."""
        name = status.account
        found = await self._keep(("status", name), _SOON, lambda: self.register.in_full(name))
        return status if found is None else watched.named(found)

    async def changes(self, statuses: Mapping[str, AccountStatus]) -> list[RecentChange]:
        """Give the newest changes of some accounts, with their locations' names."""
        names = sorted(statuses)
        rows = await self._keep(("changes", *names), _SOON, lambda: self.register.newest_changes(names, _NEWEST))
        known = [row for row in rows if row.account in statuses]
        return [replace(row, location=statuses[row.account].places.get(row.place, "")) for row in known]

    async def search(self, accounts: Sequence[str], text: str) -> list[FoundProduct]:
        """Find products."""
        return await self.register.search(accounts, text, _MOST_FOUND)

    async def _keep(self, key: tuple[str, ...], seconds: float, read: Callable[[], Awaitable[T]]) -> T:
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < seconds:
            return cast("T", kept[1])  # kept under this key alone
        answer = await read()
        self._kept[key] = time.monotonic(), answer
        return answer
