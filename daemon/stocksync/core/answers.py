"""What commands and pages are answered with: plain values that the edges print or serialise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import Change, Figure, SourceFigures, TargetRow
from stocksync.core.report import CycleReport


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `check`."""

    part: str
    """configuration, state, metrics port, main: credential, main: locations, main: one page, main: target."""
    well: bool
    what: str
    todo: str = ""
    """What a person does about it, where it is not well."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What one cycle would do now; nothing was written to the target."""

    report: CycleReport
    apply: Sequence[Change]
    held: HeldPlan | None
    names: Mapping[int, str]
    """Product id to display name."""
    decided: Sequence[HeldPlan] = ()
    """What people decided on and is not written (approved), or stays as it is (rejected)."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether an account is fresh."""

    account: str
    well: bool
    lag: timedelta | None
    """None before the first complete cycle."""
    limit: timedelta
    reasons: tuple[str, ...] = ()
    """The weightiest first."""
    word: str = ""
    """fresh, stale, never complete, credential refused, figures refused, figures unknown."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a daemon waits for before it can begin, or go on."""

    what: str
    """the state database, or the process that holds the state."""
    since: datetime
    because: str
    """The database's own words."""
    next_try: datetime | None = None
    """None while the first try is under way."""


@dataclass(frozen=True, slots=True)
class LocationStock:
    """One figure of one product, from all three sides."""

    place: str
    """The target's location value, or "" where it keeps one figure."""
    locations: Mapping[int, str]
    """The Qoyod locations behind it, id to name."""
    source: Decimal | None
    """Qoyod's raw figure, summed over the locations; None where Qoyod shows none."""
    desired: Figure | None
    snapshot: Figure | None
    """What the target last acknowledged."""
    target: Decimal | None
    """What stands in the target now; None where there is no row or the target is away."""
    sent: Figure | None = None
    """What was written where the target made another figure (`snapshot`) of it."""


@dataclass(frozen=True, slots=True)
class StockAnswer:
    """A look-up of one product."""

    account: str
    product_id: int
    sku: str
    name: str
    tracked: bool
    fresh: bool
    """True: read from Qoyod just now. False: Qoyod was away and the snapshot answers."""
    at: datetime
    """When the source figures were read."""
    places: Sequence[LocationStock]
    pushed: int = 0
    """Cells that were written because of this look-up."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way of a figure."""

    name: str
    """raw, location map, negative, buffer, rounding, …"""
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class CellExplanation:
    """How one number came about."""

    place: str
    parts: SourceFigures
    read_at: datetime | None
    steps: Sequence[Step]
    desired: Figure | None
    intent: Figure | None
    acked: Figure | None
    live: TargetRow | None
    live_error: str = ""
    remark: str = ""
    """Held, quarantined or unknown, with the reason."""
    sent: Figure | None = None
    """What was written where the target made another figure (`acked`) of it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All cells of one product."""

    account: str
    product_id: int
    sku: str
    name: str
    tracked: bool
    page: int
    cells: Sequence[CellExplanation] = field(default_factory=tuple)
    remark: str = ""
