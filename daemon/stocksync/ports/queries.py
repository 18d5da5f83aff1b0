"""The state as people ask it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stocksync.core.guards import Guard
from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import Change, Figure, RowLocator, SnapshotCell
from stocksync.core.near_sku import KnownSku
from stocksync.core.status import AccountStatus
from stocksync.ports.state import LeaseHolder, Snapshot


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One applied change."""

    at: datetime
    cycle_id: str
    epoch: int
    change: Change
    read_back: Figure | None = None
    """What the target made of `change.after`, where that is another figure."""
    location: str = ""
    """The place's name; filled where the row is shown."""
    decision: str = ""
    """In `history` alone: what a person decided on `change`, which this row does not apply: approved, rejected."""
    decided_by: str = ""
    plan_id: str = ""
    """Of the held plan that was decided on."""
    id: int = 0
    """Grows with each change of an account: where a reader of the feed goes on."""


@dataclass(frozen=True, slots=True)
class Level:
    """What stood in one row of the target at an instant, as the ledger tells it."""

    account: str
    product_id: int
    sku: str
    place: str
    quantity: Figure
    since: datetime | None
    """When it was written; None: before the ledger begins."""


class StateQueries(Protocol):
    """The state as people ask it: reading, and a person's decision on a held plan."""

    async def status(self, accounts: Iterable[str], known: Mapping[str, AccountStatus] = ...) -> list[AccountStatus]:
        """Give the accounts' status, in the order asked.

        What was counted for `known`, an earlier answer, is counted anew only where a cycle has begun or ended since.
        """

    async def writer(self, account: str) -> LeaseHolder | None:
        """Tell who holds the account's lease now; None where nobody does."""

    async def products_with(self, account: str, sku: str) -> list[int]:
        """Find the ids of products that bear, or in the ledger bore, this SKU."""

    async def near_skus(self, account: str, typed: str) -> list[KnownSku]:
        """Give living products that a person may mean by a word that is nobody's SKU, more than a few perhaps."""

    async def history(self, account: str, product_id: int, limit: int) -> list[LedgerRow]:
        """Give the applied changes of a product, newest first."""

    async def snapshot(self, account: str, product_ids: Sequence[int] | None = None) -> Snapshot:
        """As State.snapshot."""

    async def changes_after(self, account: str, after: int, limit: int) -> list[LedgerRow]:
        """Give the applied changes of an account behind the row with this id, in commit order; 0: from the oldest on.

        Raises:
            CursorLost: that row is not in the ledger any more, so others behind it may be missing too.

        """

    async def levels_at(self, account: str, at: datetime | None) -> list[Level]:
        """Give what stood in the target at an instant (None: what stands there now), in key order.

        Raises:
            BeyondLedger: no cycle has run, or the ledger does not reach back so far; the message says how far it does.

        """

    async def altered(self, account: str, limit: int) -> list[tuple[RowLocator, SnapshotCell]]:
        """Give cells, in key order, of which the target made another figure than was written."""

    async def retry(self, account: str, product_ids: Sequence[int] | None = None) -> int:
        """Let the next poll try again what waits in quarantine, of all products or of some; give how many rows."""

    async def held(self, account: str | None = None) -> list[HeldPlan]:
        """List the held plans, with those that were decided and are not done."""

    async def offer(self, plan: HeldPlan) -> HeldPlan | None:
        """Store a plan that is shown to a person, so that its id means something; give it as it is stored.

        A cycle that stored its own meanwhile has given the episode its id. None: all of it was decided meanwhile.
        """

    async def decide(
        self,
        plan_id: str,
        approved: bool,  # noqa: FBT001
        by: str,
        fingerprint: str | None = None,
        guard: Guard | None = None,
    ) -> HeldPlan:
        """Record a person's decision on a plan, by its id or the beginning of it; with `guard` on what that one holds.

        Raises:
            NotFound: no plan of this id is held (any more), or several begin so.
            PlanChanged: `fingerprint` is given, and the figures are others now.

        """

    async def decisions(self, account: str, product_id: int) -> list[HeldPlan]:
        """List the decisions on plans that touched a product, newest first, each cut to its changes."""
