"""What a target is told to be: plain values, checked where they meet the database."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum


class MatchBy(StrEnum):
    """What a product's rows are found by."""

    PRODUCT_ID = "product_id"
    SKU = "sku"


class Missing(StrEnum):
    """What becomes of a figure for which the table has no row."""

    INSERT = "insert"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Columns:
    """Our field to the user's column; None: there is no such column, nothing is written to it."""

    quantity: str = "quantity"
    product_id: str | None = None
    sku: str | None = None
    location: str | None = None
    updated_at: str | None = None
    active: str | None = None


OWN_COLUMNS = Columns(
    quantity="quantity",
    product_id="product_id",
    sku="sku",
    location="location_id",
    updated_at="updated_at",
    active="active",
)
"""The columns of the table that `create_table` makes."""


@dataclass(frozen=True, slots=True)
class Statements:
    """The user's own SQL, with `:product_id :sku :location :quantity` bound."""

    write: str
    read: str | None = None
    """Gives the quantity in its first column; a second column, if any, says whether the row is active."""
    deactivate: str | None = None
    delete: str | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the database waits in a write transaction before it rolls back, and we for the database."""

    pause: timedelta = timedelta(seconds=3)
    """For our next word: less than the margin the fence leaves on the lease, or a paused writer could wake too late."""
    lock: timedelta = timedelta(seconds=10)
    """For another transaction, where nothing else waits with the row."""
    statement: timedelta = timedelta(seconds=60)
    total: timedelta = timedelta(seconds=90)
    """Ours with the database: for a whole write transaction, or a step of reading. A dead route answers nothing."""
    brief: timedelta = timedelta(seconds=1)
    """For another transaction, while all rows of a batch wait with the one it holds."""


def rehearsed(patience: Timeouts) -> Timeouts:
    """Give the time limits of a rehearsal, which gives way to who does real work."""
    return replace(patience, lock=min(patience.lock, timedelta(seconds=2)))


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One account's target."""

    account: str
    table: str = "stock_levels"
    """May name its schema too: `shop.stock_levels`."""
    columns: Columns = OWN_COLUMNS
    match_by: MatchBy = MatchBy.PRODUCT_ID
    create_table: bool = False
    missing: Missing = Missing.INSERT
    live: str = ""
    """The condition, in the database's own SQL, that live rows meet; "" where all are."""
    statements: Statements | None = None
    """In place of table and columns."""
    after_batch: str = ""
    """The user's own statement in each batch's transaction, with `:account :cycle_id :applied` bound; "" for none."""
    patience: Timeouts = field(default_factory=Timeouts)

    @property
    def where(self) -> str:
        """The configuration's path, for messages."""
        return f"accounts.{self.account}.target"
