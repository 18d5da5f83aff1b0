"""How often look-ups may ask Qoyod: for a third of the account's budget, so that the rest is always the polls'."""

from dataclasses import dataclass

from stocksync.core.budget import SECOND, BudgetRow, Pace, reserve
from stocksync.errors import AskedTooOften

_SHARE = 3
_AT_ONCE = 18
"""An eighteenth of a minute's budget may be asked at once after an idle time: ten of 180."""


@dataclass(slots=True)
class Allowance:
    """What look-ups may spend; who asks too much is told so at once and spends nothing."""

    pace: Pace
    _row: BudgetRow | None = None

    @classmethod
    def of(cls, requests_per_minute: int) -> "Allowance":
        """Derive it from the account's limit."""
        return cls(Pace(max(1, requests_per_minute // _AT_ONCE), _SHARE * 60 * SECOND // requests_per_minute))

    def take(self, now: float, longest: float) -> float:
        """Take the next request; give the seconds until it may go. `now` is any clock that only grows.

        Raises:
            AskedTooOften: those would be more than `longest`.

        """
        row, reserved = reserve(self._row, int(now * SECOND), self.pace, 1)
        wait = (reserved.first - reserved.now) / SECOND
        if wait > longest:
            raise AskedTooOften(wait - longest)
        self._row = row
        return max(0.0, wait)
