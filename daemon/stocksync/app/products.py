"""Products, as the daemon's HTTP side asks for them: it pushes what it finds where it is the writer, or asks who is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stocksync.app.daemon_client import ask_at, ask_many_at
from stocksync.app.forwarding import writer_at
from stocksync.app.suggestions import nobody_knows
from stocksync.app.wiring import Runtime
from stocksync.core.answers import StockAnswer, StockAnswers
from stocksync.errors import NotFound, Unanswered
from stocksync.run.account import Account
from stocksync.run.explain import explain_product
from stocksync.run.lookup import Query, look_up, look_up_many
from stocksync.run.service import Service
from stocksync.state.database import Database
from stocksync.web.product_view import Story

_ROWS = 100
"""Of the ledger, on a product's page."""


@dataclass(frozen=True, slots=True)
class Products:
    """Look-ups in the accounts of a running daemon."""

    runtime: Runtime
    loop: Service

    async def look_up(self, account: str | None, sku: str | None, product_id: int | None, fresh: bool) -> StockAnswer:  # noqa: FBT001
        """Look one product up, in one account or in the first that knows it.

        Raises:
            NotFound: no account knows it; the message names what was probably meant.
            Unanswered, AskedTooOften: as `run.lookup` says.

        """
        query, chosen = Query(sku, product_id), self.runtime.chosen(account)
        silence: Unanswered | None = None
        for one in chosen:
            runner = self.loop.runners[one.name]
            try:
                if fresh and runner.lease is None and (writer := await writer_at(self.runtime, one.name)):
                    told = await ask_at(writer, self.runtime.config, one.name, query)
                    if told is not None:
                        return told
                asked, state = self.runtime.accounts[one.name], self.runtime.state
                return await look_up(asked, state, query, runner.lease, fresh=fresh, pushes=runner.pushes)
            except Unanswered as error:  # another account may know it
                silence = silence or error
            except NotFound:
                continue
        if silence is not None:
            raise silence
        raise await nobody_knows(self.runtime.state, [one.name for one in chosen], query, fresh=fresh)

    async def story(self, account: str, product_id: int) -> Story:
        """Tell how a product's figures came about, and what was written of it."""
        return await story_of(self.runtime.accounts[account], self.runtime.state, product_id)

    async def refresh(self, account: str, skus: Sequence[str]) -> StockAnswers:
        """Have Qoyod asked for several products of one account, and push what changed.

        Raises:
            AskedTooOften: look-ups have spent their share of the budget.

        """
        runner = self.loop.runners[account]
        if runner.lease is None and (writer := await writer_at(self.runtime, account)):
            told = await ask_many_at(writer, self.runtime.config, account, skus)
            if told is not None:
                return told
        one = self.runtime.accounts[account]
        return await look_up_many(one, self.runtime.state, skus, runner.lease, pushes=runner.pushes)


async def story_of(account: Account, state: Database, product_id: int) -> Story:
    """Tell how a product's figures came about, and what was written of it, newest first."""
    names = account.rules.places.names(await state.locations(account.name))
    rows = await state.history(account.name, product_id, _ROWS)
    history = [replace(row, location=names.get(row.change.place, "")) for row in rows]
    return Story(await explain_product(account, state, product_id), history)
