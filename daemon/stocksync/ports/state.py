"""What is remembered."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Protocol

from stocksync.core.catalogue import Catalogue
from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import (
    Cell,
    Change,
    Figure,
    RowLocator,
    SettledProduct,
    SnapshotCell,
    SnapshotProduct,
    SourceFigures,
)
from stocksync.core.report import CycleReport
from stocksync.core.status import Quarantined
from stocksync.ports.target import BatchResult

FiguresRead = Mapping[Cell, tuple[SourceFigures, datetime]]
"""Raw figures, each with the time of the request that showed it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for one account until `expires_at` by the state database's clock."""

    account: str
    owner: str
    epoch: int
    """Grows with every change of owner; carried by every commit."""
    ttl: timedelta = field(default=timedelta(0), compare=False)
    """How long it lasts from each renewal."""


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """The process that writes for an account, as others know it."""

    owner: str
    """How it signs leases: its host, and what tells it from others there."""
    address: str
    """Where look-ups reach it; "" where it listens nowhere."""


@dataclass(slots=True)
class Snapshot:
    """What the state remembers of an account when a cycle starts."""

    cells: Mapping[Cell, SnapshotCell] = field(default_factory=dict)
    products: Mapping[int, SnapshotProduct] = field(default_factory=dict)
    quarantine: Mapping[tuple[int, str | None], Quarantined] = field(default_factory=dict)
    locations: Mapping[int, str] = field(default_factory=dict)
    """Qoyod's locations, id to name."""
    recent_totals: Sequence[int] = ()
    """`total` of the last complete readings (at most 10), oldest first."""
    plans: Sequence[HeldPlan] = ()
    """What waits for a person, and what was decided and is not done."""
    layout: str | None = None
    """The target's layout that figures were last sent under; None before the first."""
    target: str | None = None
    """Fingerprint of the target that the acknowledgements belong to; None where none was ever told."""
    last_complete: datetime | None = None
    """When the last complete cycle ended."""
    checked_up_to: int = 0
    """The product id up to which all have had their turn in the cross-check."""
    met_anew: bool = False
    """Whether another target's acknowledgements were forgotten, as the configuration names this one now."""
    corrected: Mapping[Cell, Figure | None] = field(default_factory=dict)
    """Cells whose row was found to hold another figure than was acknowledged, which stands in `cells` already."""


@dataclass(slots=True)
class SnapshotUpdate:
    """What a reading changes in the snapshot; only what differs is in here."""

    cells: dict[Cell, tuple[SourceFigures, datetime]] = field(default_factory=dict)
    """New raw figures, each with the time of the request that showed it."""
    replacing: Collection[Cell] = ()
    """Those of them that replace what is remembered whatever its date, which our clock holds to be in the future."""
    products: dict[int, SnapshotProduct] = field(default_factory=dict)
    corrected: dict[Cell, Figure | None] = field(default_factory=dict)
    """What the target was found to hold in place of what it had acknowledged; None: no row, or no number."""
    adopted: dict[Cell, tuple[Figure, str]] = field(default_factory=dict)
    """First contact: the target already held this figure, under this SKU."""
    unknown: dict[Cell, datetime | None] = field(default_factory=dict)
    """Since when a cell is unknown; None: it is known again."""
    quarantined: list[Quarantined] = field(default_factory=list)
    locations: Mapping[int, str] | None = None
    """The names of all locations, where they differ from those known."""
    checked_up_to: int | None = None
    """As in the snapshot, where it has moved on."""
    given_up: list[Cell] = field(default_factory=list)
    """Cells whose open intent is closed unwritten; what the target holds of them is not known any more."""
    released: list[tuple[int, str | None]] = field(default_factory=list)
    """Quarantine entries that are well again: (product id, place)."""
    layout: str | None = None
    """The target's layout, where it is another one now: what the target made of figures is forgotten with the old."""
    unsettled: list[int] = field(default_factory=list)
    """Products that need another look; those named in the other fields do in any case."""
    settled: dict[int, SettledProduct] = field(default_factory=dict)
    """Products that need none while their rows stay as they are; this is recorded last."""
    rules: bytes = b""
    """The rules digest of now, where it is another than what is known: what was settled under that no longer is."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to record."""
        told = self.layout, self.locations, self.checked_up_to
        return not (self.touched or self.settled or self.rules) and told == (None, None, None)

    @property
    def touched(self) -> set[int]:
        """The products that recording this unsettles."""
        cells = chain(self.cells, self.corrected, self.adopted, self.unknown, self.given_up)
        entries = (entry.product_id for entry in self.quarantined)
        released = (product_id for product_id, _ in self.released)
        return {*self.unsettled, *self.products, *entries, *released, *(cell.product_id for cell in cells)}


@dataclass(frozen=True, slots=True)
class GuardHistory:
    """What the guards weigh a look-up with: it sees one product, and the state knows the rest."""

    managed: int
    """Cells that hold a quantity of ours."""
    looked_up: Sequence[Change]
    """What look-ups wrote since the last complete cycle, in every process."""
    weighed: bool
    """Whether a complete cycle has weighed this target at all."""


class State(Protocol):
    """What is remembered. Every commit that takes a lease checks its epoch in its own transaction.

    Every call may raise StateUnavailable; those with a lease LeaseLost.
    """

    async def claim(
        self, groups: Sequence[Sequence[str]], owner: str, ttl: timedelta, address: str = ...
    ) -> list[Lease]:
        """Take or keep the leases of sync groups; of each group all, or none while another owner's has not run out.

        `address` is where look-ups reach the owner; "" where nothing listens.
        """

    async def renew(self, held: Sequence[Lease], ttl: timedelta) -> list[Lease]:
        """Extend all leases of one owner at once; give those that are still ours. Waits for no commit of ours."""

    async def confirm(self, lease: Lease, margin: timedelta) -> None:
        """Raise LeaseLost unless the lease is ours for at least `margin` more."""

    async def release(self, lease: Lease) -> None:
        """End a lease early, for a fast take-over; without effect where it is no longer ours."""

    async def snapshot(self, account: str, product_ids: Sequence[int] | None = None) -> Snapshot:
        """Load what is remembered, of all products or of some."""

    async def catalogue(self, account: str) -> Catalogue:
        """Give every known product, with its digest where it is settled, and what the last reading left unread.

        What touches a product's cells, its entry or its quarantine unsettles it in the same transaction.
        """

    async def look_alikes(self, account: str, skus: Collection[str]) -> list[int]:
        """Name the products whose SKU is one of these, or may be taken for one."""

    async def guard_history(self, account: str) -> GuardHistory:
        """Give what the guards weigh a look-up with."""

    async def meet(self, lease: Lease, target: str) -> int:
        """Make a target the one that acknowledgements belong to; give how many of another's were forgotten.

        With them go its open intents, its refused rows and its held plans. The first target that is ever told is
        believed to be the one that has acknowledged.
        """

    async def begin(self, lease: Lease, report: CycleReport) -> None:
        """Record that a cycle is attempted."""

    async def observe(self, lease: Lease, cycle_id: str, seen: SnapshotUpdate) -> None:
        """Record what a reading showed; a figure read earlier never replaces a later one."""

    async def intend(
        self, lease: Lease, cycle_id: str, changes: Sequence[Change], seen: SnapshotUpdate | None = None
    ) -> None:
        """Commit the intents of a batch, before the target is written, and with them what a reading showed.

        What was `seen` of more products than one transaction should hold is committed before, in parts.
        """

    async def acknowledge(self, lease: Lease, cycle_id: str, written: BatchResult) -> None:
        """Commit acknowledgements and ledger rows, and close the intents of what was not applied."""

    def transaction(self, lease: Lease) -> "AbstractAsyncContextManager[Transaction]":
        """Open the one transaction for a target that is the same database."""

    async def hold(
        self, lease: Lease, plan: HeldPlan | None, lapsed: Sequence[HeldPlan] = (), cause: str = "poll"
    ) -> None:
        """Make `plan` the one of this cause that waits for a person, or have none.

        `lapsed` are decided plans, cut to the cells whose facts have changed. What was decided after the plan was made
        is not asked again.
        """

    async def end(self, lease: Lease, report: CycleReport, seen: SnapshotUpdate | None = None) -> None:
        """Record how a cycle ended, with what is not recorded yet; deletes what its retention has outlived."""

    async def record_audit(self, lease: Lease | None, report: AuditReport) -> None:
        """Store the last audit of an account; without a lease one that a person asked for and that healed nothing."""

    async def cells_after(self, account: str, after: Cell | None, size: int) -> list[tuple[RowLocator, SnapshotCell]]:
        """Give the next `size` cells in key order, for the audit."""

    async def close(self) -> None:
        """Give the connections back."""


class Transaction(Protocol):
    """An open transaction of the state that the target may join."""

    connection: Any
    """Opaque to `run`; the target's adapter knows what it is."""

    async def acknowledge(self, cycle_id: str, written: BatchResult) -> None:
        """As State.acknowledge, inside this transaction."""


class TokenStore(Protocol):
    """Where a rotating refresh token survives a restart."""

    async def load(self, account: str) -> str | None:
        """Give the stored token."""

    async def save(self, account: str, token: str) -> None:
        """Store a token; committed when this returns."""
