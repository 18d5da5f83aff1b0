"""Where the target differs from the snapshot, and why."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from stocksync.core.model import Figure, Removal, TargetRow, show


class Cause(StrEnum):
    """Why a cell differs; each difference has exactly one."""

    EDITED_IN_TARGET = "edited_in_target"
    MISSING_IN_TARGET = "missing_in_target"
    UNPUSHED = "unpushed"
    HELD = "held"
    QUARANTINED = "quarantined"
    UNMAPPED = "unmapped"
    """A target row that belongs to no cell of ours."""
    RENAMED = "renamed"
    """A target row under a SKU that the product no longer bears."""
    ALTERED_BY_TARGET = "altered_by_target"
    """A trigger or the column's type made another figure of what was written; writing it again would not help."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell, or one target row without a cell, that differs."""

    cause: Cause
    key: str
    """SKU or id, and place."""
    expected: str
    found: str
    units: Decimal
    """Size of the difference; 0 where one side is no number."""
    location: str = ""
    """The place's name."""


@dataclass(slots=True)
class AuditReport:
    """One audit; the first hundred differences are kept as examples."""

    account: str
    started_at: datetime
    ended_at: datetime | None = None
    compared: int = 0
    cells: dict[str, int] = field(default_factory=dict)
    """Cause to number of cells."""
    units: dict[str, Decimal] = field(default_factory=dict)
    examples: list[Difference] = field(default_factory=list)
    healed: int = 0
    lost: int = 0
    """Rows missing in the target, where they are more than the guard for deletions would let us remove; else 0."""
    held: int = 0
    """Cells that would be put back, and that a guard holds until a person approves."""
    plan_id: str = ""
    """Of the plan that holds them."""
    error: str = ""

    @property
    def drifted(self) -> int:
        """Cells that differ though we did not write: what people call drift."""
        return self._count(*_FOREIGN)

    @property
    def waiting(self) -> int:
        """Cells whose new figure we know and have not written: held, set aside, or on its way."""
        return self._count(Cause.HELD, Cause.QUARANTINED, Cause.UNPUSHED)

    @property
    def strange(self) -> int:
        """Rows that stand where no cell of ours is fed."""
        return self._count(Cause.UNMAPPED, Cause.RENAMED)

    @property
    def unmended(self) -> int:
        """Drift that was not put back, and that putting back can end."""
        return self._count(Cause.EDITED_IN_TARGET, Cause.MISSING_IN_TARGET, Cause.RENAMED) - self.healed

    def _count(self, *causes: Cause) -> int:
        return sum(self.cells.get(cause.value, 0) for cause in causes)


@dataclass(frozen=True, slots=True)
class AuditedCell:
    """What is known of a cell when it is compared with the target."""

    expected: Figure | None
    """What the target should hold; None where nothing is known of the cell yet."""
    acked: Figure | None
    open_intent: bool
    held: bool = False
    quarantined: bool = False
    sent: Figure | None = None
    """What was written where the target made `acked` of it."""
    tried: bool = False
    """Whether a cycle that left nothing undone has come by: where there is still no row, writing makes none."""

    @property
    def rowless(self) -> bool:
        """Whether the target never had a row, or we deleted it, and it makes none: `missing = "skip"`, own SQL."""
        waits = self.open_intent or self.held or self.quarantined
        return self.tried and not waits and self.acked in {None, Removal.DELETED}


def cause_of(standing: AuditedCell, live: TargetRow | None) -> Cause | None:
    """Name the one cause of a difference; None where the target holds what it should."""
    if standing.expected is None or _agrees(standing, standing.expected, live):
        return None
    # What waits explains that the target holds the figure before, and no other one: that is somebody else's.
    waits = standing.acked is None or live is None or live.holds(standing.acked)
    if standing.held and waits:
        return Cause.HELD
    if (standing.quarantined and waits) or (live is not None and live.unreadable):
        return Cause.QUARANTINED
    asked = standing.acked if standing.sent is None else standing.sent
    on_its_way = waits and asked != standing.expected and not (live is None and standing.tried)
    # A figure that the target refuses is not on its way: what explains nothing here is somebody else's figure.
    if on_its_way or (standing.open_intent and not standing.quarantined):
        return Cause.UNPUSHED
    if live is None:
        return Cause.MISSING_IN_TARGET
    altered = standing.sent is not None and standing.acked is not None and live.holds(standing.acked)
    return Cause.ALTERED_BY_TARGET if altered else Cause.EDITED_IN_TARGET


def units_between(expected: Figure | None, live: TargetRow | None) -> Decimal:
    """Size of a difference; 0 where one side is no number, the whole figure where the row is missing."""
    if not isinstance(expected, Decimal):
        return Decimal(0)
    found = Decimal(0) if live is None else live.quantity
    return Decimal(0) if found is None else abs(expected - found)


def live_text(live: TargetRow | None) -> str:
    """Say for people what stands in the target."""
    if live is None:
        return "no row"
    if live.unreadable:
        return f"cannot be read: {live.unreadable}"
    if live.rows != 1:
        return f"{live.rows} rows"
    return ("inactive " if live.active is False else "") + (show(live.quantity) or "no number")


_FOREIGN = (Cause.EDITED_IN_TARGET, Cause.MISSING_IN_TARGET, Cause.ALTERED_BY_TARGET)


def _agrees(standing: AuditedCell, expected: Figure, live: TargetRow | None) -> bool:
    if live is None:
        return expected is Removal.DELETED or standing.rowless
    return live.holds(expected)
