"""What the state tells of one account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from stocksync.core.drift import AuditReport
from stocksync.core.held_plan import Decision, HeldPlan
from stocksync.core.model import Figure
from stocksync.core.report import CycleReport


class Side(StrEnum):
    """Whose word set a row aside."""

    SOURCE = "source"
    """Qoyod's row could not be read."""
    TARGET = "target"
    """The target refuses the figure."""
    WAITING = "waiting"
    """Another transaction holds the target's row."""
    COLUMN = "column"
    """The figure stands there; the target refuses a column that goes along with it."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that could not be read or written."""

    product_id: int
    """0 where even the id could not be read."""
    place: str | None
    """None for a whole product (source)."""
    side: str
    """One of `Side`."""
    reason: str
    figure: Figure | None
    """What could not be written."""
    attempts: int
    first_at: datetime
    last_at: datetime
    retry_at: datetime
    sku: str = ""
    """By which people know the product; filled where the entry is shown, as are the two below."""
    name: str = ""
    location: str = ""
    """The place's name."""


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
    """Since when a figure is on its way; what the target refuses is in quarantine and is none of these."""
    consecutive_failures: int
    cycles: Sequence[CycleReport]
    """The last ten, newest first."""
    held: HeldPlan | None
    """What waits for a person; where nothing does, what was decided and is not done."""
    quarantine: Sequence[Quarantined]
    """The oldest hundred."""
    quarantined: int
    unknown: int
    """Cells whose figure Qoyod no longer shows."""
    oldest_unknown: datetime | None
    cells: int
    products: int
    audit: AuditReport | None
    altered: int = 0
    """Cells of which the target made another figure than was written."""
    orphaned: Mapping[str, Decimal] = field(default_factory=dict)
    """Location value that nothing feeds any more to the units that stand there, by the last cycle that compared."""
    managed: int = 0
    """Cells in which the target holds a figure of ours."""
    refused: int = 0
    """Cells set aside: those whose figure the target refuses, and those of products that cannot be read."""
    refusal: str = ""
    """Why, for most of them."""
    untracked: int = 0
    """Cells of products whose quantity Qoyod no longer tracks."""
    catalogue: Mapping[str, int] = field(default_factory=dict)
    """Products by state: tracked, untracked, missing, gone, bad."""
    unauthorized_since: datetime | None = None
    """Since when Qoyod refuses the credential; None where it does not."""
    target_contact: datetime | None = None
    """When the target last answered a cycle."""
    locations: Mapping[int, str] = field(default_factory=dict)
    """Qoyod's locations, id to name."""
    places: Mapping[str, str] = field(default_factory=dict)
    """The target's location value to the name that people know; filled where the status is shown."""
    title: str = ""
    """What people call the account, "" where it has no other name; filled where the status is shown."""
    held_too: Sequence[HeldPlan] = ()
    """Further plans, such as healing that waits as well."""
    oldest_quarantined: datetime | None = None
    """Since when the oldest row in quarantine is set aside."""

    @property
    def plans(self) -> list[HeldPlan]:
        """All held plans, those that wait first."""
        return [*([self.held] if self.held else ()), *self.held_too]

    @property
    def waiting(self) -> list[HeldPlan]:
        """The plans that wait for a person."""
        return [plan for plan in self.plans if plan.decision is Decision.WAITING]

    @property
    def target_answers(self) -> bool | None:
        """Whether the target answered the last cycle that came as far as asking it; None where none of these did."""
        return next((answer for cycle in self.cycles if (answer := cycle.target_answered) is not None), None)
