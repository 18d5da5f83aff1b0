"""The state in memory as people ask it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from stocksync.core.guards import Guard
from stocksync.core.held_plan import Decision, HeldPlan, plan_for
from stocksync.core.look_alike import folded
from stocksync.core.model import Cell, RowLocator, SnapshotCell
from stocksync.core.near_sku import KnownSku, pieces
from stocksync.errors import PlanChanged
from stocksync.memory import changes as effects
from stocksync.memory.status import status_of
from stocksync.memory.store import MemoryAccount, MemoryStore
from stocksync.ports import AccountStatus, Clock, LeaseHolder, LedgerRow


class MemoryQueries:
    """Implements StateQueries, except its `snapshot`."""

    def __init__(self, clock: Clock, store: MemoryStore, crash_points: Callable[[str], None]) -> None:
        self.clock = clock
        self.store = store
        self.crash_points = crash_points

    async def status(
        self, accounts: Iterable[str], known: Mapping[str, AccountStatus] | None = None
    ) -> list[AccountStatus]:
        found = []
        for account in accounts:
            before, now = (known or {}).get(account), status_of(account, self.store.of(account), self.clock.now())
            # Where no cycle has begun or ended nothing is counted anew.
            ended = before is not None and list(before.cycles) == list(now.cycles) != []
            same = ended and now.last_attempt == now.cycles[0].started_at
            found.append(replace(now, cells=before.cells) if before is not None and same else now)
        return found

    async def products_with(self, account: str, sku: str) -> list[int]:
        mine = self.store.of(account)
        if not sku:
            return []
        bears = {key for key, known in mine.products.items() if known.sku == sku}
        held = {cell.product_id for cell, row in mine.cells.items() if sku in {row.sku, row.former_sku}}
        return sorted(bears | held | {row.change.product_id for row in mine.ledger if row.change.sku == sku})

    async def near_skus(self, account: str, typed: str) -> list[KnownSku]:
        living = {key: one for key, one in self.store.of(account).products.items() if one.gone_at is None}
        known = [KnownSku(key, one.sku, one.name) for key, one in living.items()]
        word = typed.strip().lower()
        certain = [
            one for one in known
            if folded(one.sku) == folded(typed) or word in {one.name.lower(), str(one.product_id)}
        ]  # fmt: skip
        first, middle, last = pieces(typed)
        return certain or [
            one for one in known if first and (
                folded(one.sku).startswith(first) or middle in folded(one.sku) or folded(one.sku).endswith(last)
            )
        ]  # fmt: skip

    async def history(self, account: str, product_id: int, limit: int) -> list[LedgerRow]:
        rows = [row for row in self.store.of(account).ledger if row.change.product_id == product_id]
        return rows[::-1][:limit]

    async def altered(self, account: str, limit: int) -> list[tuple[RowLocator, SnapshotCell]]:
        mine = self.store.of(account)
        found = sorted(cell for cell, row in mine.cells.items() if row.sent is not None)[:limit]
        return [(locator_of(mine, cell), mine.cells[cell].remembered()) for cell in found]

    async def retry(self, account: str, product_ids: Sequence[int] | None = None) -> int:
        mine = self.store.of(account)
        due = [key for key in mine.quarantine if product_ids is None or key[0] in product_ids]
        mine.quarantine |= {key: replace(mine.quarantine[key], retry_at=mine.quarantine[key].last_at) for key in due}
        return len(due)

    async def held(self, account: str | None = None) -> list[HeldPlan]:
        return [
            plan for name, mine in sorted(self.store.accounts.items()) for plan in mine.plans if account in {None, name}
        ]

    async def offer(self, plan: HeldPlan) -> HeldPlan | None:
        return effects.hold(self.store.of(plan.account), plan, (), plan.cause)

    async def decide(
        self,
        plan_id: str,
        approved: bool,  # noqa: FBT001
        by: str,
        fingerprint: str | None = None,
        guard: Guard | None = None,
    ) -> HeldPlan:
        found = plan_for(await self.held(), plan_id, None, guard)
        if fingerprint not in {None, found.fingerprint}:
            raise PlanChanged(f"the figures of plan {found.plan_id} have changed")
        self.crash_points("before decide")
        mine = self.store.of(found.account)
        decision = Decision.APPROVED if approved else Decision.REJECTED
        decided = replace(found, decision=decision, decided_by=by, decided_at=self.clock.now())
        left = [plan.only(plan.cells - found.cells) if plan.plan_id == found.plan_id else plan for plan in mine.plans]
        mine.plans = [*(plan for plan in left if plan.changes), decided]
        mine.decisions.append(decided)
        self.crash_points("after decide")
        return decided

    async def decisions(self, account: str, product_id: int) -> list[HeldPlan]:
        cut = [
            replace(plan, changes=tuple(one for one in plan.changes if one.change.product_id == product_id))
            for plan in self.store.of(account).decisions[::-1]
        ]
        return [plan for plan in cut if plan.changes]

    async def writer(self, account: str) -> LeaseHolder | None:
        mine = self.store.of(account)
        return LeaseHolder(mine.owner, mine.address) if mine.owner and mine.expires_at > self.clock.now() else None


def locator_of(mine: MemoryAccount, cell: Cell) -> RowLocator:
    """Give where the target finds a cell's row."""
    known = mine.products.get(cell.product_id)
    return RowLocator(cell.product_id, mine.cells[cell].sku if known is None else known.sku, cell.place)
