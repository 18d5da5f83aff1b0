"""The state as people ask it: the port StateQueries, and what the status page and the feed show of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from stocksync.core.budget import BudgetRow
from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldPlan
from stocksync.core.model import RowLocator, SnapshotCell
from stocksync.core.near_sku import KnownSku
from stocksync.core.overview import Day, FoundProduct, RecentChange
from stocksync.ports import AccountStatus, LeaseHolder, LedgerRow, Level
from stocksync.state import approvals, cells, feed, leases, ledger, overview, snapshot_update, status, summaries
from stocksync.state.near_skus import near_skus
from stocksync.state.session import Session

NOTHING_KNOWN: Mapping[str, AccountStatus] = {}


class Queries:
    """Reading, and what a person decides; every call may raise StateUnavailable."""

    def __init__(self, session: Session, brief: Session) -> None:
        """Take open sessions; `brief` is for leases, which must not wait for other work."""
        self._session = session
        self._brief = brief

    async def status(
        self, accounts: Iterable[str], known: Mapping[str, AccountStatus] = NOTHING_KNOWN
    ) -> list[AccountStatus]:
        """Give the accounts' status, in the order asked; what is `known` of one is counted anew only where it must."""
        asked = list(accounts)
        return await self._session.read(lambda connection: status.statuses(connection, asked, known))

    async def summaries(self, accounts: Iterable[str]) -> list[AccountStatus]:
        """Give the accounts' status, in the order asked, without what takes a look at their cells: for thousands."""
        asked = list(accounts)
        return await self._session.read(lambda connection: summaries.summaries(connection, asked))

    async def writer(self, account: str) -> LeaseHolder | None:
        """Tell who holds the account's lease now; None where nobody does."""
        return await self._brief.read(lambda connection: leases.holder(connection, account))

    async def products_with(self, account: str, sku: str) -> list[int]:
        """Find the ids of products that bear, or in the ledger bore, this SKU."""
        return await self._session.read(lambda connection: ledger.products_with(connection, account, sku))

    async def near_skus(self, account: str, typed: str) -> list[KnownSku]:
        """Give products that a person may mean by a word that is nobody's SKU."""
        return await self._session.read(lambda connection: near_skus(connection, account, typed))

    async def history(self, account: str, product_id: int, limit: int) -> list[LedgerRow]:
        """Give the applied changes of a product, newest first."""
        return await self._session.read(lambda connection: ledger.history(connection, account, product_id, limit))

    async def changes_after(self, account: str, after: int, limit: int) -> list[LedgerRow]:
        """Give the applied changes of an account behind the row with this id, in commit order."""
        return await self._session.read(lambda connection: feed.changes_after(connection, account, after, limit))

    async def newest_changes(self, accounts: Sequence[str], limit: int) -> list[RecentChange]:
        """Give the changes that were applied last, the newest first."""
        return await self._session.read(lambda connection: overview.newest_changes(connection, accounts, limit))

    async def last_day(self, account: str, now: datetime) -> Day:
        """Give an account's polls and changes of the last day."""
        return await self._session.read(lambda connection: overview.last_day(connection, account, now))

    async def budget_row(self, budget: str) -> BudgetRow | None:
        """Give a tenant's request budget; None where it was never used."""
        return await self._session.read(lambda connection: overview.budget_row(connection, budget))

    async def search(self, accounts: Sequence[str], text: str, limit: int) -> list[FoundProduct]:
        """Find products by SKU, id or a part of SKU or name."""
        return await self._session.read(lambda connection: overview.search(connection, accounts, text, limit))

    async def locations(self, account: str) -> Mapping[int, str]:
        """Give Qoyod's locations of an account, id to name."""
        return await self._session.read(lambda connection: feed.locations(connection, account))

    async def levels_at(self, account: str, at: datetime | None) -> list[Level]:
        """Give what stood in the target at an instant; None: what stands there now."""
        return await self._session.read(lambda connection: feed.levels_at(connection, account, at))

    async def altered(self, account: str, limit: int) -> list[tuple[RowLocator, SnapshotCell]]:
        """Give cells, in key order, of which the target made another figure than was written."""
        return await self._session.read(lambda connection: cells.altered(connection, account, limit))

    async def retry(self, account: str, product_ids: Sequence[int] | None = None) -> int:
        """Let the next poll try again what waits in quarantine, of all products or of some; give how many rows."""
        return await self._session.write(lambda connection: snapshot_update.retry(connection, account, product_ids))

    async def held(self, account: str | None = None) -> list[HeldPlan]:
        """List the held plans, with those that were decided and are not done."""
        return await self._session.read(lambda connection: approvals.plans(connection, account))

    async def offer(self, plan: HeldPlan) -> HeldPlan | None:
        """Store a plan that is shown to a person, so that its id means something; give it as it is stored."""
        return await self._session.write(
            lambda connection: approvals.hold(connection, plan.account, plan.cause, plan, lapsed=())
        )

    async def decide(
        self,
        plan_id: str,
        approved: bool,  # noqa: FBT001  the port's shape
        by: str,
        fingerprint: str | None = None,
        guard: Guard | None = None,
    ) -> HeldPlan:
        """Record a person's decision; NotFound where no plan of this id is held."""
        decision = Decision.APPROVED if approved else Decision.REJECTED
        return await self._session.write(
            lambda connection: approvals.decide(connection, plan_id, decision, by, fingerprint=fingerprint, guard=guard)
        )

    async def decisions(self, account: str, product_id: int) -> list[HeldPlan]:
        """List the decisions on plans that touched a product, newest first."""
        return await self._session.read(lambda connection: approvals.decisions_on(connection, account, product_id))
