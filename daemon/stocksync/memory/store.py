"""What the state in memory stores: it survives the process that wrote it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stocksync.core.budget import BudgetRow
from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import Cell, Change, Figure, SettledProduct, SnapshotCell, SnapshotProduct, SourceFigures
from stocksync.core.report import CycleReport
from stocksync.ports import BatchResult, LedgerRow, Quarantined

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def survive(_point: str) -> None:
    """Do not crash: what `crash_points` is where nobody asks for crashes."""


@dataclass(slots=True)
class MemoryCell:
    """One row of the snapshot."""

    parts: SourceFigures = ()
    source_at: datetime = LONG_AGO
    acked: Figure | None = None
    intent: Figure | None = None
    intended_at: datetime | None = None
    sku: str = ""
    former_sku: str = ""
    unknown_since: datetime | None = None
    sent: Figure | None = None

    def remembered(self) -> SnapshotCell:
        """Give it as a snapshot shows it."""
        figures = self.acked, self.intent
        return SnapshotCell(self.parts, self.source_at, *figures, self.sku, self.unknown_since, self.sent)


@dataclass(slots=True)
class MemoryAccount:
    """All that is stored of one account."""

    owner: str = ""
    epoch: int = 0
    expires_at: datetime = LONG_AGO
    address: str = ""
    last_complete: datetime | None = None
    last_push: datetime | None = None
    failures: int = 0
    cells: dict[Cell, MemoryCell] = field(default_factory=dict)
    products: dict[int, SnapshotProduct] = field(default_factory=dict)
    settled: dict[int, SettledProduct] = field(default_factory=dict)
    rules: bytes = b""
    quarantine: dict[tuple[int, str | None], Quarantined] = field(default_factory=dict)
    ledger: list[LedgerRow] = field(default_factory=list)
    cycles: dict[str, CycleReport] = field(default_factory=dict)
    plans: list[HeldPlan] = field(default_factory=list)
    decisions: list[HeldPlan] = field(default_factory=list)
    audit: AuditReport | None = None
    token: str | None = None
    layout: str | None = None
    target: str | None = None
    weighed: bool = False
    looked_up: list[Change] = field(default_factory=list)
    locations: dict[int, str] = field(default_factory=dict)
    checked_up_to: int = 0
    unauthorized_since: datetime | None = None
    target_contact: datetime | None = None


@dataclass(slots=True)
class MemoryStore:
    """What survives the process: hand it to the next one's MemoryState."""

    accounts: dict[str, MemoryAccount] = field(default_factory=dict)
    budgets: dict[str, BudgetRow] = field(default_factory=dict)

    def of(self, account: str) -> MemoryAccount:
        """Give what is stored of an account; of a new one nothing."""
        return self.accounts.setdefault(account, MemoryAccount())


@dataclass(slots=True)
class MemoryConnection:
    """What a target joins: what it defers happens at the commit, or not at all."""

    deferred: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class MemoryTransaction:
    """An open transaction that the target may join."""

    connection: MemoryConnection
    acknowledged: list[tuple[str, BatchResult]] = field(default_factory=list)

    async def acknowledge(self, cycle_id: str, written: BatchResult) -> None:
        """Note what is to be acknowledged with the commit."""
        self.acknowledged.append((cycle_id, written))
