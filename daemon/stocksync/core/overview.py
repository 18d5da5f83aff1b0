"""What the page shows beside an account's status: what changed lately, the last day, the budget, products found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stocksync.core.budget import FULL, SECOND, BudgetRow, Pace, brought_to_now
from stocksync.core.model import Figure
from stocksync.core.report import WELL

SPAN = timedelta(hours=24)
STEP = timedelta(minutes=15)
"""One column of the chart."""


@dataclass(frozen=True, slots=True)
class RecentChange:
    """One applied change, as people read it."""

    at: datetime
    account: str
    product_id: int
    sku: str
    name: str
    place: str
    location: str
    """The place's name."""
    before: Figure | None
    after: Figure
    cause: str
    id: int


@dataclass(frozen=True, slots=True)
class FoundProduct:
    """A product that a search has found."""

    account: str
    product_id: int
    sku: str
    name: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A quarter of an hour: polls that ended, those that failed, and changes that were written."""

    polls: int = 0
    failed: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The last day in columns, the oldest first."""

    columns: Sequence[Column]

    @property
    def polls(self) -> int:
        """How many polls ended."""
        return sum(one.polls for one in self.columns)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(one.failed for one in self.columns)

    @property
    def changes(self) -> int:
        """How many figures were written."""
        return sum(one.changes for one in self.columns)


@dataclass(frozen=True, slots=True)
class BudgetNow:
    """What a tenant's request budget allows."""

    per_minute: int
    slowed: bool
    """A 429 has slowed the pace; it recovers by itself."""
    ready: int
    """Requests that could go at once."""
    closed_for: timedelta | None
    """For how long nothing may be asked, as a 429 said."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Of one account, from the state alone."""

    changes: Sequence[RecentChange] = ()
    day: Day = field(default_factory=lambda: Day(()))
    budget: BudgetNow | None = None


def day_of(now: datetime, polls: Sequence[tuple[datetime, str]], written: Mapping[int, int]) -> Day:
    """Sort polls (start and outcome) and changes (by number of the quarter of an hour since 1970) into columns."""
    count, last = SPAN // STEP, quarter_of(now)
    ended = [[0, 0] for _ in range(count)]
    for at, outcome in polls:
        number = quarter_of(at) - last + count - 1
        if 0 <= number < count:
            ended[number][0] += 1
            ended[number][1] += outcome not in WELL
    first = last - count + 1
    return Day([Column(all_of, bad, written.get(first + number, 0)) for number, (all_of, bad) in enumerate(ended)])


def quarter_of(at: datetime) -> int:
    """Number the quarters of an hour since 1970."""
    return int(at.timestamp() // STEP.total_seconds())


def budget_now(row: BudgetRow | None, now: datetime, requests_per_minute: int) -> BudgetNow:
    """Tell what a budget allows, by its row in the state."""
    pace = Pace.of(requests_per_minute)
    micros = int(now.timestamp() * SECOND)
    known = brought_to_now(row, micros)
    share = known.share
    closed = timedelta(microseconds=known.forbidden_until - micros) if known.forbidden_until > micros else None
    saved = (micros - known.next_at) * share // FULL // pace.interval + 1
    ready = 0 if closed else max(0, min(pace.burst, saved))
    return BudgetNow(requests_per_minute * share // FULL, slowed=share < FULL, ready=ready, closed_for=closed)
