"""The values that travel: products as read, cells, figures, changes.

Quantities are exact decimals in the product's own unit, instants are aware UTC datetimes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Removal(StrEnum):
    """What a target row can hold instead of a quantity."""

    DEACTIVATED = "deactivated"
    DELETED = "deleted"


Figure = Decimal | Removal
"""The figure a target row holds or should hold: a quantity, or that it was removed."""

SourceFigures = tuple[tuple[int, Decimal], ...]
"""A cell's raw figures: (Qoyod location id, quantity) in ascending id order, never empty."""


class Cell(NamedTuple):
    """The unit of everything within one account."""

    product_id: int
    place: str
    """The target's location value; "" where the target keeps one figure per product."""


class RowLocator(NamedTuple):
    """A cell with the SKU it has now: enough to find its row in any target."""

    product_id: int
    sku: str
    place: str

    @property
    def cell(self) -> Cell:
        """The cell that this row belongs to."""
        return Cell(self.product_id, self.place)


@dataclass(frozen=True, slots=True)
class Product:
    """One product as Qoyod showed it."""

    id: int
    sku: str
    """Exactly as sent; "" where Qoyod has none."""
    name: str
    tracked: bool
    stock: Mapping[int, Decimal]
    """Location id to quantity; empty means unknown, never zero."""
    page: int
    """The list page it stood on; 0 for a look-up of one product."""
    read_at: datetime
    """When the request that showed it was sent: it shows nothing older than that."""
    received_at: datetime | None = field(default=None, compare=False)
    """When its answer was there: it shows nothing newer than that. None: as `read_at`."""
    digest: bytes = field(default=b"", compare=False, repr=False)
    """Of the bytes in which the list showed it; empty where it was not read from the list."""
    recognised: bool = field(default=False, compare=False, repr=False)
    """Its row was recognised, and this is what is remembered of it: without the locations that feed no place."""

    @property
    def as_of(self) -> datetime:
        """The time that its figures are remembered with: only what was asked for after that replaces them.

        Of two requests that were under way at once nobody knows which one was answered from newer books.
        """
        return self.received_at or self.read_at


@dataclass(frozen=True, slots=True)
class BadRow:
    """A product row that could not be read; its last good figure stays."""

    product_id: int | None
    page: int
    path: str
    reason: str
    read_at: datetime


class Verdict(StrEnum):
    """How much a reading proves."""

    COMPLETE = "complete"
    INCONSISTENT = "inconsistent"
    PARTIAL = "partial"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one cycle read. Absence is believed only where the verdict is complete."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Why the verdict is not `complete`, for people."""
    products: Mapping[int, Product]
    bad_rows: tuple[BadRow, ...]
    locations: Mapping[int, str]
    """Location id to display name, as seen on the products."""
    total: int | None
    """The catalogue's size as Qoyod gave it, where the pages agreed."""
    pages: int
    started_at: datetime
    ended_at: datetime
    unread: tuple[tuple[int, int], ...] = ()
    """Pages, as (first, last), that there was no time for: the next reading begins with them."""
    recognised: frozenset[int] = frozenset()
    """Products that stand in the list in the very bytes with which they are settled; they are in no other field."""
    recognised_on: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """By page, those of them that stand there."""
    doubted: frozenset[int] = frozenset()
    """Products of which the list is not believed, as they look otherwise by id; they are in no other field."""


class SnapshotCell(NamedTuple):
    """What the snapshot knows of one cell."""

    parts: SourceFigures
    source_at: datetime
    """When the request that showed `parts` was sent."""
    acked: Figure | None
    """What the target held when it was last read back; None before the first acknowledgement."""
    intent: Figure | None
    """What was about to be written and is not acknowledged yet."""
    sku: str
    """The SKU under which the target acknowledged; "" before that."""
    unknown_since: datetime | None
    sent: Figure | None = None
    """What was written where the target made `acked` of it; None where it kept what was written."""

    @property
    def asked(self) -> Figure | None:
        """What the target was last asked to hold: a desired figure is compared with this, or it would never match."""
        return self.acked if self.sent is None else self.sent


LONGEST_ID = 18
"""Digits of a product id that every database keeps."""


def whole_number(text: str) -> int | None:
    """Read a whole number no longer than a product id; None where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID else None


class Presence(StrEnum):
    """How Qoyod shows a product that is not known to be deleted."""

    LISTED = "listed"
    """In the list, or lately: `SnapshotProduct.missing` tells since when it lacks there."""
    UNLISTED = "unlisted"
    """It answers by id though the list lacks it: archived, or outside a filter."""
    UNANSWERED = "unanswered"
    """The list lacks it, and the question for it by id failed."""


class SnapshotProduct(NamedTuple):
    """What the snapshot knows of one product."""

    sku: str
    name: str
    tracked: bool
    page: int
    missing: int
    """Consecutive complete readings that lacked it, since it was last asked for by id."""
    gone_at: datetime | None
    """When Qoyod confirmed by id that it is deleted."""
    presence: Presence = Presence.LISTED

    @property
    def is_missing(self) -> bool:
        """Whether it may be gone: no list shows it, and nothing says that it is alive or deleted."""
        return self.missing > 0 and self.gone_at is None and self.presence is not Presence.UNLISTED


class SettledCounts(NamedTuple):
    """What is counted of a settled product."""

    unchanged: int
    """Its cells that were compared and differ in nothing."""
    unmanaged: int
    """Its cells that the rules leave alone."""
    unmapped: int
    """Its locations that feed no place."""
    managed: int
    """Its cells in which the target holds a quantity of ours."""
    tracked: bool


class SettledProduct(NamedTuple):
    """A product all of whose cells hold, acknowledged, what its row asks for."""

    digest: bytes
    """Of the row's bytes; that of no row at all where the product is gone."""
    counts: SettledCounts


class TargetRow(NamedTuple):
    """What stands in the target now."""

    quantity: Decimal | None
    """None where the column is NULL or holds no number."""
    active: bool | None
    """None where no active column is mapped."""
    rows: int
    """How many target rows match the cell; anything but 1 is ambiguous."""
    unreadable: str = ""
    """Why nothing of this is known: the target's words where it refuses to show the row."""

    def holds(self, figure: Figure) -> bool:
        """Whether this row already is what `figure` asks for."""
        if isinstance(figure, Removal):
            return figure is Removal.DEACTIVATED and self.active is False
        return self.rows == 1 and self.quantity == figure

    @property
    def figure(self) -> Figure | None:
        """What stands here, as a figure; None where it is no number."""
        return Removal.DEACTIVATED if self.active is False else self.quantity


class Kind(StrEnum):
    """What a change does to the target, for metrics, ledger and people."""

    INSERT = "insert"
    UPDATE = "update"
    ZERO = "zero"
    DEACTIVATE = "deactivate"
    DELETE = "delete"

    @property
    def destructive(self) -> bool:
        """Whether it takes stock out of sale."""
        return self in {Kind.ZERO, Kind.DEACTIVATE, Kind.DELETE}


class _InCell:
    __slots__ = ("_cell",)
    _cell: Cell


@dataclass(frozen=True, slots=True, order=True)
class Change(_InCell):
    """One cell to write; ordered by key, so that batches lock rows in one order."""

    product_id: int
    place: str
    sku: str
    before: Figure | None
    """What the target holds as far as is known; None where it has no row."""
    after: Figure
    parts: SourceFigures
    cause: str = "poll"
    """Which rule asked for it: poll, deleted, untracked, heal, renamed, repeat."""
    rivals: tuple[RowLocator, ...] = field(default=(), compare=False, repr=False)
    """Other products' rows that the target might take for this one."""

    @classmethod
    def of(  # noqa: PLR0917  the fields' own order
        cls, cell: Cell, sku: str, before: Figure | None, after: Figure, parts: SourceFigures,
        cause: str, rivals: tuple[RowLocator, ...] = (),
    ) -> "Change":  # fmt: skip
        """Give the change of a cell that is at hand, and let it keep that one."""
        change = cls(cell.product_id, cell.place, sku, before, after, parts, cause, rivals)
        object.__setattr__(change, "_cell", cell)
        return change

    @property
    def cell(self) -> Cell:
        """The cell it writes."""
        try:
            return self._cell
        except AttributeError:  # made once: a cycle asks for it some thirty times
            cell = Cell(self.product_id, self.place)
            object.__setattr__(self, "_cell", cell)
            return cell

    @property
    def ref(self) -> RowLocator:
        """Where the target finds the row."""
        return RowLocator(self.product_id, self.sku, self.place)

    @property
    def kind(self) -> Kind:
        """What it does to the target."""
        if isinstance(self.after, Removal):
            return Kind.DELETE if self.after is Removal.DELETED else Kind.DEACTIVATE
        if self.before is None:
            return Kind.INSERT
        if self.after <= 0 and isinstance(self.before, Decimal) and self.before > 0:
            return Kind.ZERO
        return Kind.UPDATE

    def __str__(self) -> str:
        """As people read it: `BW-001 @ MAIN: 120 → 118`."""
        place = f" @ {self.place}" if self.place else ""
        before = "nothing" if self.before is None else show(self.before)
        return f"{self.sku or self.product_id}{place}: {before} → {show(self.after)}"


@lru_cache(maxsize=4096)  # one figure stands in many cells, and is shown several times on its way
def show(figure: Figure | None) -> str:
    """Give a figure as plain text: no exponent, no trailing zeros; "" for None."""
    if figure is None:
        return ""
    if isinstance(figure, Removal):
        return figure.value
    text = format(figure, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


@lru_cache(maxsize=4096)  # as above
def figure_of(text: str | None) -> Figure | None:
    """Read back what `show` gave.

    Raises:
        decimal.InvalidOperation: the text is neither a number nor a removal.

    """
    if not text:
        return None
    return Removal(text) if text in _REMOVALS else Decimal(text)


_REMOVALS = frozenset(removal.value for removal in Removal)
