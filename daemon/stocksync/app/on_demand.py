"""Accounts that are made when they are asked for: a worker may do any of ten thousand, and keeps a few hundred."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stocksync.app.garbage import GoneAccounts
from stocksync.app.wiring import Builder, Plan
from stocksync.config import Config
from stocksync.errors import NotFound
from stocksync.run.account import Account

_KEPT = 200
"""Accounts that nobody uses and that stay ready, with the connections to their targets."""
_COLLECTED = 100
"""Closed accounts after which memory is tidied up: some 20 MB, and a tenth of a second."""


class AccountsOnDemand:
    """Lends accounts by name; those not used for longest are closed."""

    def __init__(self, builder: Builder, kept: int = _KEPT) -> None:
        """Take what makes accounts; there are none before `follow`."""
        self._builder, self._most = builder, kept
        self._plans: dict[str, Plan] = {}
        self._users: OrderedDict[str, int] = OrderedDict()
        self._gone = GoneAccounts(_COLLECTED)

    @property
    def names(self) -> list[str]:
        """The accounts there are."""
        return list(self._plans)

    async def follow(self, config: Config) -> None:
        """Lend the accounts of this configuration from now on; who has one keeps it until done.

        Raises:
            ConfigurationError: it cannot be followed, and nothing has changed.

        """
        # Of thousands of accounts it takes seconds, in which the loop must turn.
        self._plans = await asyncio.to_thread(Plan.all_of, config)

    @asynccontextmanager
    async def lend(self, name: str) -> AsyncIterator[Account]:
        """Give an account until the block ends.

        Raises:
            NotFound: none is configured under this name.

        """
        plan = self._plans.get(name)
        if plan is None:
            raise NotFound(f"account {name} is not in this worker's configuration; if it left, stocksync fleet apply")
        self._users[name] = self._users.get(name, 0) + 1
        self._users.move_to_end(name)
        try:
            yield self._builder.account(plan)
        finally:
            self._users[name] -= 1
            idle = [one for one, users in self._users.items() if not users]
            surplus = idle[: max(0, len(idle) - self._most)]
            for one in surplus:
                del self._users[one]
                self._builder.forget(one)
            if surplus:
                await self._builder.close_unused()
                self._gone.add(len(surplus))
                self._gone.tidy()
