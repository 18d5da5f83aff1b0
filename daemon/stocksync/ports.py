"""What the daemon needs of the world: the only thing that `run` knows of its adapters."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Protocol

from stocksync.core.drift import AuditReport
from stocksync.core.guards import HeldPlan
from stocksync.core.report import CycleReport
from stocksync.core.stock import BadRow, Cell, Change, Figure, Known, Live, Parts, Product, Reading, Ref, Remembered

Progress = Callable[[int, int], None]
"""Called with (done, total) while something long runs."""

Fence = Callable[[], Awaitable[None]]
"""Raises LeaseLost unless this process may still commit; called inside the transaction it protects."""


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Give the wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Give seconds that only ever grow."""


class Priority(IntEnum):
    """Who goes first when the request budget is short; lower goes first."""

    PERSON = 0
    CHECK = 1
    POLL = 2


class Source(Protocol):
    """Qoyod, for one account. All calls share the account's budget.

    Every call may raise Unauthorized, SourceRefused or SourceUnavailable.
    """

    async def read(self, progress: Progress | None = None) -> Reading:
        """Read every page; faults of single pages end in the verdict, not in an exception."""

    async def product(self, product_id: int, priority: Priority = Priority.CHECK) -> Product | BadRow | None:
        """Look one product up; None only where Qoyod said `Product not found`."""

    async def find(self, sku: str, priority: Priority = Priority.PERSON) -> Product | BadRow | None:
        """Look one product up by its exact SKU; None where no row bears it."""

    async def again(self, product: Product) -> Product | None:
        """Read the list page of a product once more; None where it no longer stands there."""

    async def locations(self) -> Mapping[int, str]:
        """List the account's locations, id to name: the cheapest probe of a credential."""

    async def first_page(self) -> Reading:
        """Read page 1 alone, to see that the list can be read; its verdict is `empty` or proves nothing."""

    def start_empty(self) -> None:
        """Forget saved-up budget: another process may have spent it in the last minute."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What start-up found out about a target."""

    scale: int | None
    """Decimal places the quantity column keeps; 0 for integers, None for unlimited."""
    summed: bool
    """True where the target has no location column."""
    by_sku: bool
    """True where rows are found by SKU."""
    creates: bool
    """False where unknown rows are skipped."""
    can_deactivate: bool
    can_scan: bool
    """False where the target can only be asked for given cells."""
    notes: tuple[str, ...] = ()
    """For `check`: rights, missing index, and the like."""


@dataclass(slots=True)
class Written:
    """What became of a batch that was committed."""

    applied: list[Change] = field(default_factory=list)
    skipped: list[Change] = field(default_factory=list)
    """`missing = "skip"` and the target has no such row."""
    ambiguous: list[tuple[Change, str]] = field(default_factory=list)
    """Not written, with the reason: several rows match, or the SKU to match by is empty."""


class Target(Protocol):
    """The integrated system's database, for one account.

    Every call may raise TargetUnavailable; a wrong table or column is a ConfigurationError.
    """

    async def inspect(self) -> Shape:
        """Reflect the table and check the mapping; a table that is still to be made is described. Writes nothing."""

    async def make(self) -> None:
        """Make the table where it is not there and `create_table` says so: called before something is written."""

    async def read(self, refs: Sequence[Ref]) -> dict[Cell, Live]:
        """Look cells up; one that is not there is absent from the answer."""

    def scan(self, size: int) -> "AsyncPages":
        """Walk the whole table in key order, `size` rows at a time; only where `can_scan`."""

    async def write(self, changes: Sequence[Change], fence: Fence, transaction: Any = None) -> Written:  # noqa: ANN401
        """Write a batch in one transaction, calling `fence` inside it.

        With `transaction` (the state's, where both are one database) it joins that one and does not commit.

        Raises:
            RowsRefused: the batch was rolled back because of its data; nothing of it was written.
            LeaseLost: from the fence; nothing was written.

        """

    async def close(self) -> None:
        """Give the connections back."""


class AsyncPages(Protocol):
    """Pages of target rows, as (key, figure): the key is (match value, place)."""

    def __aiter__(self) -> "AsyncPages":
        """Iterate."""

    def __anext__(self) -> Awaitable[list[tuple[str, str, Live]]]:
        """Give the next page of (product id or SKU as text, place, live row)."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for one account until `expires_at` by the state database's clock."""

    account: str
    owner: str
    epoch: int
    """Grows with every change of owner; carried by every commit."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that could not be read (source) or written (target)."""

    product_id: int
    """0 where even the id could not be read."""
    place: str | None
    """None for a whole product (source)."""
    side: str
    """source or target."""
    reason: str
    figure: Figure | None
    """What could not be written."""
    attempts: int
    first_at: datetime
    last_at: datetime
    retry_at: datetime


@dataclass(slots=True)
class Snapshot:
    """What the state remembers of an account when a cycle starts."""

    cells: Mapping[Cell, Remembered] = field(default_factory=dict)
    products: Mapping[int, Known] = field(default_factory=dict)
    quarantine: Mapping[tuple[int, str | None], Quarantined] = field(default_factory=dict)
    recent_totals: Sequence[int] = ()
    """`total` of the last complete readings (at most 10), oldest first."""
    plan: HeldPlan | None = None
    """The held plan that stands, with what a person said to it."""


@dataclass(slots=True)
class Observed:
    """What a reading changes in the snapshot; only what differs is in here."""

    cells: dict[Cell, tuple[Parts, datetime]] = field(default_factory=dict)
    """New raw figures, each with the time of the request that showed it."""
    products: dict[int, Known] = field(default_factory=dict)
    adopted: dict[Cell, tuple[Figure, str]] = field(default_factory=dict)
    """First contact: the target already held this figure, under this SKU."""
    unknown: dict[Cell, datetime | None] = field(default_factory=dict)
    """Since when a cell is unknown; None: it is known again."""
    quarantined: list[Quarantined] = field(default_factory=list)
    released: list[tuple[int, str | None]] = field(default_factory=list)
    """Quarantine entries that are well again: (product id, place)."""


class State(Protocol):
    """What is remembered. Every commit that takes a lease checks its epoch in its own transaction.

    Every call may raise StateUnavailable; those with a lease LeaseLost.
    """

    async def claim(self, account: str, owner: str, ttl: timedelta) -> Lease | None:
        """Take or keep the account's lease; None while another owner's has not run out."""

    async def renew(self, lease: Lease, ttl: timedelta) -> None:
        """Extend a lease that is still ours."""

    async def confirm(self, lease: Lease, margin: timedelta) -> None:
        """Raise LeaseLost unless the lease is ours for at least `margin` more."""

    async def release(self, lease: Lease) -> None:
        """End a lease early, for a fast take-over; without effect where it is no longer ours."""

    async def snapshot(self, account: str, product_ids: Sequence[int] | None = None) -> Snapshot:
        """Load what is remembered, of all products or of some."""

    async def begin(self, lease: Lease, report: CycleReport) -> None:
        """Record that a cycle was attempted."""

    async def observe(self, lease: Lease, cycle_id: str, seen: Observed) -> None:
        """Record what a reading showed; a figure read earlier never replaces a later one."""

    async def intend(self, lease: Lease, cycle_id: str, changes: Sequence[Change]) -> None:
        """Commit the intents of a batch, before the target is written."""

    async def acknowledge(self, lease: Lease, cycle_id: str, written: Written) -> None:
        """Commit acknowledgements and ledger rows, and close the intents of what was not applied."""

    def transaction(self, lease: Lease) -> "AbstractAsyncContextManager[Transaction]":
        """Open the one transaction for a target that is the same database."""

    async def hold(self, lease: Lease, plan: HeldPlan | None) -> None:
        """Make `plan` the account's held plan, or have none; a person's word to another plan lapses."""

    async def end(self, lease: Lease, report: CycleReport) -> None:
        """Record how a cycle ended; deletes what its retention has outlived."""

    async def record_audit(self, lease: Lease, report: AuditReport) -> None:
        """Store the last audit of an account."""

    async def cells_after(self, account: str, after: Cell | None, size: int) -> list[tuple[Ref, Remembered]]:
        """Give the next `size` cells in key order, for the audit."""

    async def close(self) -> None:
        """Give the connections back."""


class Transaction(Protocol):
    """An open transaction of the state that the target may join."""

    connection: Any
    """Opaque to `run`; the target's adapter knows what it is."""

    async def acknowledge(self, cycle_id: str, written: Written) -> None:
        """As State.acknowledge, inside this transaction."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One applied change."""

    at: datetime
    cycle_id: str
    epoch: int
    change: Change


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """What people are shown of one account; all of it comes from the state."""

    account: str
    owner: str
    """Who holds the lease; "" where nobody does."""
    epoch: int
    leased_until: datetime | None
    last_attempt: datetime | None
    last_complete: datetime | None
    last_push: datetime | None
    oldest_unpushed: datetime | None
    consecutive_failures: int
    cycles: Sequence[CycleReport]
    """The last ten, newest first."""
    held: HeldPlan | None
    quarantine: Sequence[Quarantined]
    """The oldest hundred."""
    quarantined: int
    unknown: int
    """Cells whose figure Qoyod no longer shows."""
    oldest_unknown: datetime | None
    cells: int
    products: int
    audit: AuditReport | None


class Register(Protocol):
    """The state as people ask it: reading, and a person's word to a held plan."""

    async def status(self, accounts: Iterable[str]) -> list[AccountStatus]:
        """Give the accounts' status, in the order asked."""

    async def products_with(self, account: str, sku: str) -> list[int]:
        """Find the ids of products that bear, or in the ledger bore, this SKU."""

    async def history(self, account: str, product_id: int, limit: int) -> list[LedgerRow]:
        """Give the applied changes of a product, newest first."""

    async def snapshot(self, account: str, product_ids: Sequence[int] | None = None) -> Snapshot:
        """As State.snapshot."""

    async def held(self, account: str | None = None) -> list[HeldPlan]:
        """List the held plans."""

    async def decide(self, plan_id: str, approved: bool, by: str) -> HeldPlan:  # noqa: FBT001
        """Record a person's word.

        Raises:
            NotFound: no plan of this id is held (any more).

        """


class Vault(Protocol):
    """Where a rotating refresh token survives a restart."""

    async def load(self, account: str) -> str | None:
        """Give the stored token."""

    async def save(self, account: str, token: str) -> None:
        """Store a token; committed when this returns."""


class Observer(Protocol):
    """Who is told what happens: metrics and the log. Must not raise and must not block."""

    def attempted(self, account: str, at: datetime) -> None:
        """Note that a cycle started."""

    def reported(self, report: CycleReport) -> None:
        """Note that a cycle ended; once per cycle."""

    def audited(self, report: AuditReport) -> None:
        """Note that an audit ended."""

    def skipped(self, account: str, reason: str) -> None:
        """Note that a trigger was not followed: running, standby, draining."""

    def leading(self, account: str, epoch: int | None) -> None:
        """Note that this process became the writer (epoch) or is none (None)."""

    def requested(self, account: str, endpoint: str, code: str, seconds: float) -> None:
        """Note one HTTP request to Qoyod; code is the status, or what went wrong: timeout, reset."""

    def throttled(self, account: str, seconds: float) -> None:
        """Note a 429 and how long it asks to wait."""

    def budget(self, account: str, available: float) -> None:
        """Note how many requests could be sent at once now."""

    def authorized(self, account: str, well: bool, expires_at: datetime | None = None) -> None:  # noqa: FBT001
        """Note whether the credential works; called on each change and each renewal."""

    def retire(self, account: str) -> None:
        """Forget an account: its series go with it."""
