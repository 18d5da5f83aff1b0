"""The request budget of one tenant: when the next requests may go, so that no sliding minute has too many.

The generic cell rate algorithm (GCRA), over one row that all processes share: requests get slots that are at least an
interval apart; a budget that idled has a few slots saved up. A slot that nobody used in time is lost. Instants and
durations are whole microseconds, as the state stores them, so that every database calculates the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

SECOND = 1_000_000
FULL = 1_000_000
"""The whole pace; a share of it is told in millionths."""
LOWEST = FULL // 16
RECOVERY = 600
"""Microseconds in which a slowed pace regains a millionth: a tenth of the whole in a minute."""
SET_BACK = 10 * SECOND
"""A clock that is further back than this was set back; statements that waited for each other differ by less."""
_USABLE = 2 * SECOND
"""How long a slot of a budget that saved none up can be used."""
# The minute of the promise, that time, and a second for requests that overtake each other on their way.
_WINDOW = 60 * SECOND + _USABLE + SECOND
_BLOCK = 2 * SECOND


@dataclass(frozen=True, slots=True)
class Pace:
    """What a limit allows: `burst` requests at once after an idle time, and then one each `interval`.

    A slot is used at most `patience` after its time. So the slots of all requests of a minute lie within 62 s and the
    time that a burst takes, and with `interval` = 63 s / (limit - burst + 1) they are at most as many as the limit.
    """

    burst: int
    interval: int

    @classmethod
    def of(cls, requests_per_minute: int) -> "Pace":
        """Derive it from a limit.

        Raises:
            ValueError: the limit allows nothing.

        """
        if requests_per_minute < 1:
            raise ValueError("a budget needs at least one request a minute")
        burst = max(1, requests_per_minute // 20)
        return cls(burst, -(-_WINDOW // (requests_per_minute - burst + 1)))

    @property
    def saved(self) -> int:
        """How far back the slots reach that an idle budget has saved up."""
        return (self.burst - 1) * self.interval

    @property
    def lead(self) -> int:
        """How much earlier a slot is a person's than a poll's: so the last one that is saved up is kept for people."""
        return self.interval if self.burst > 1 else 0

    @property
    def patience(self) -> int:
        """How long after its time a slot can still be used."""
        return self.saved + _USABLE


class BudgetRow(NamedTuple):
    """What all processes share of one budget."""

    next_at: int
    """The time of the next slot that is free."""
    forbidden_until: int
    """When the last 429 lets requests go again."""
    share: int
    """Of the whole pace, after 429s; as of `seen_at`."""
    seen_at: int
    """The clock when this was last touched."""


class Reservation(NamedTuple):
    """Slots that belong to one process now: `size` of them from `first` on, `spacing` apart."""

    now: int
    """The clock by which they run, at some moment between the question and the answer."""
    first: int
    spacing: int
    size: int

    def slots(self) -> Iterator[int]:
        """Give the time of each slot, from now on; negative where it was saved up."""
        return (self.first - self.now + number * self.spacing for number in range(self.size))


def block_of(spacing: int) -> int:
    """Give the most slots that one process reserves at once: others wait no longer for it than two seconds."""
    return max(1, _BLOCK // spacing)


def reserve(row: BudgetRow | None, now: int, pace: Pace, count: int) -> tuple[BudgetRow, Reservation]:
    """Take the next `count` slots."""
    known = brought_to_now(row, now)
    spacing = pace.interval * FULL // known.share
    first = max(known.next_at, now - pace.saved)
    return known._replace(next_at=first + count * spacing), Reservation(now, first, spacing, count)


def forbid(row: BudgetRow | None, now: int, duration: int) -> BudgetRow:
    """Let nothing go for `duration`, as a 429 said, and halve the pace; once, however many requests met it."""
    known = brought_to_now(row, now)
    first = known.forbidden_until <= now
    until = max(known.forbidden_until, now + duration)
    share = max(LOWEST, known.share // 2) if first else known.share
    return BudgetRow(max(known.next_at, until), until, share, now)


def brought_to_now(row: BudgetRow | None, now: int) -> BudgetRow:
    """Bring a row to the present: the pace recovers, and a clock that was set back takes all instants with it."""
    if row is None:
        return BudgetRow(0, 0, FULL, now)
    back = row.seen_at - now if row.seen_at > now + SET_BACK else 0
    forbidden_until = row.forbidden_until - back
    calm = max(0, now - max(row.seen_at - back, forbidden_until))
    return BudgetRow(row.next_at - back, forbidden_until, min(FULL, row.share + calm // RECOVERY), now)
