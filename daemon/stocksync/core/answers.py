"""What commands and pages are answered with: plain values that the edges print or serialise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from stocksync.core.held_plan import HeldPlan
from stocksync.core.model import Change, Figure, SourceFigures, TargetRow
from stocksync.core.report import CycleReport


class CheckState(StrEnum):
    """How one part of `check` stands."""

    WELL = "well"
    WARNING = "warning"
    """It works, and may hurt."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `check`."""

    part: str
    """configuration, state, http, main: credential, main: locations, main: products, main: target, main: poll."""
    state: CheckState
    what: str
    todo: str = ""
    """What a person does about it, where it is not well."""

    @property
    def well(self) -> bool:
        """Whether it works, perhaps with a warning."""
        return self.state is not CheckState.FAILED


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
    places: Mapping[str, str] = field(default_factory=dict)
    """The target's location value to the name that people know."""
    healing: HeldPlan | None = None
    """What an audit would put back, and waits for a person too."""

    @property
    def waits(self) -> bool:
        """Whether a person is asked."""
        return self.held is not None or self.healing is not None


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
    """What stands in the target now; None where there is no row, no number, or the target cannot be asked."""
    sent: Figure | None = None
    """What was written where the target made another figure (`snapshot`) of it."""
    in_target: bool | None = None
    """Whether the target has a row; None where it cannot be asked."""
    confirmed_at: datetime | None = None
    """When Qoyod last showed the figure; None where it never did."""
    changed_at: datetime | None = None
    """When the figure was first read as it is."""
    remark: str = ""
    """Held, quarantined or unknown, with the reason."""


@dataclass(frozen=True, slots=True)
class StockAnswer:
    """A look-up of one product."""

    account: str
    product_id: int
    sku: str
    name: str
    tracked: bool
    fresh: bool
    """True: read from Qoyod just now. False: the snapshot answers, and `note` says why where Qoyod was asked."""
    at: datetime | None
    """When Qoyod last showed what is answered, which is `confirmed_at`; None for a product without figures."""
    places: Sequence[LocationStock]
    pushed: int = 0
    """Cells that were written because of this look-up."""
    note: str = ""
    confirmed_at: datetime | None = None
    """When Qoyod last showed these figures, as far as is certain; None where it never showed any."""
    changed_at: datetime | None = None
    """When the newest of them was first read as it is."""


@dataclass(frozen=True, slots=True)
class StockAnswers:
    """A look-up of several products of one account, such as the lines of an order."""

    account: str
    stock: Sequence[StockAnswer]
    """In the order asked."""
    not_found: Sequence[str] = ()
    """SKUs that no product bears."""
    unanswered: Mapping[str, str] = field(default_factory=dict)
    """SKUs of which nobody knows, as Qoyod could not be asked and none is remembered; with the reason."""


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
    """As `changed_at`, which says what it is."""
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
    locations: Mapping[int, str] = field(default_factory=dict)
    """The Qoyod locations behind it, id to name."""
    confirmed_at: datetime | None = None
    """When Qoyod last showed the figure, as far as is certain; None where it never did."""
    changed_at: datetime | None = None
    """When it was first read as it is."""


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
