"""The request budgets that all processes share."""

from typing import Protocol

from stocksync.core.budget import Pace, Reservation


class SharedBudgets(Protocol):
    """One row for each budget, wherever all processes that spend it find it.

    Every call may raise StateUnavailable.
    """

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        """Take the next `count` slots of a budget."""

    async def forbid(self, budget: str, seconds: float) -> None:
        """Let no request of a budget go for so long, whichever process asks, and slow its pace."""
