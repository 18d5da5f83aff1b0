"""Products, as `serve` asks for them: it leads an account for as long as a look-up takes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from stocksync.app.on_demand import AccountsOnDemand
from stocksync.app.products import story_of
from stocksync.app.suggestions import nobody_knows
from stocksync.core.answers import StockAnswer, StockAnswers
from stocksync.errors import ConfigurationError, NotFound, StateInUse, Unanswered
from stocksync.ports import Lease
from stocksync.run.account import Account
from stocksync.run.lookup import Query, look_up, look_up_many
from stocksync.run.poll_leases import PollLeases
from stocksync.state.database import Database
from stocksync.web.product_view import Story

_LOOKED_THROUGH = 20
"""Accounts that a look-up which names none goes through."""
_PATIENCE_SECONDS = 2.0
"""For the lease under which a refresh pushes what it finds; a poll that runs meanwhile does so as well."""


@dataclass(frozen=True, slots=True)
class FleetProducts:
    """Look-ups in the accounts of a fleet."""

    accounts: AccountsOnDemand
    leases: PollLeases
    state: Database

    async def look_up(self, account: str | None, sku: str | None, product_id: int | None, fresh: bool) -> StockAnswer:  # noqa: FBT001
        """Look one product up, in one account or in the first of a few that knows it.

        Raises:
            NotFound: no account knows it; the message names what was probably meant.
            ConfigurationError: there are too many accounts to go through.
            Unanswered, AskedTooOften: as `run.lookup` says.

        """
        query, names = Query(sku, product_id), self.accounts.names
        if account is None and len(names) > _LOOKED_THROUGH:
            raise ConfigurationError(f"account: is needed, as there are {len(names):,}")
        chosen = [account] if account is not None else names
        silence: Unanswered | None = None
        for name in chosen:
            try:
                if not fresh:
                    async with self.accounts.lend(name) as one:
                        return await look_up(one, self.state, query, None, fresh=False)
                async with self._leading(name) as (one, lease):
                    return await look_up(one, self.state, query, lease)
            except Unanswered as error:  # another account may know it
                silence = silence or error
            except NotFound:
                continue
        raise silence or await nobody_knows(self.state, chosen, query, fresh=fresh)

    async def story(self, account: str, product_id: int) -> Story:
        """Tell how a product's figures came about, and what was written of it."""
        async with self.accounts.lend(account) as one:
            return await story_of(one, self.state, product_id)

    async def refresh(self, account: str, skus: Sequence[str]) -> StockAnswers:
        """Have Qoyod asked for several products of one account, and push what changed.

        Raises:
            AskedTooOften: look-ups have spent their share of the budget.

        """
        async with self._leading(account) as (one, lease):
            return await look_up_many(one, self.state, skus, lease)

    @asynccontextmanager
    async def _leading(self, name: str) -> AsyncIterator[tuple[Account, Lease | None]]:
        async with self.accounts.lend(name) as account, AsyncExitStack() as stack:
            try:
                lease = await stack.enter_async_context(self.leases.lead(account, _PATIENCE_SECONDS))
            except StateInUse:  # its poll is under way
                lease = None
            yield account, lease
