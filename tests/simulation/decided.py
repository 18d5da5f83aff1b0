"""What a person decided, as the simulation heard it: which ledger rows that covers, and when a decision may end."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from stocksync.core.guards import ONE_BY_ONE
from stocksync.core.held_plan import Decision, HeldPlan
from stocksync.core.model import Cell, Figure
from stocksync.ports import LedgerRow

Figured = tuple[Cell, Figure]
_LATE = 200.0
"""Seconds for which a cycle may still carry out what was rejected after it had begun: its deadline and a margin."""


@dataclass
class Decided:
    """Every approval that is not used up, and the ledger rows that approvals covered."""

    note: Callable[[str], None]
    standing: dict[Figured, bool] = field(default_factory=dict)
    """The figures that a person released; True: only together with the others that were shown."""
    covered: dict[int, bool] = field(default_factory=dict)
    """Ledger rows, by their number, that an approval covers."""
    _revoked: dict[Figured, float] = field(default_factory=dict)
    _kept: dict[Figured, str] = field(default_factory=dict)
    """What the state says is approved, to the plan's cause."""
    _judged: int = 0
    _stored: int = 0

    def said(self, plan: HeldPlan, now: float, *, approved: bool) -> None:
        """Hear a person's decision."""
        for held in plan.changes:
            figured = held.change.cell, held.change.after
            if approved:
                self.standing[figured] = not ONE_BY_ONE.issuperset(held.guards)
            elif self.standing.pop(figured, None) is not None:
                self._revoked[figured] = now

    def cover(self, rows: Sequence[LedgerRow], now: float) -> None:
        """Take one approval for each row that bears its figure; no row may claim one that nobody gave."""
        for number in range(self._judged, len(rows)):
            change = rows[number].change
            figured = change.cell, change.after
            if figured in self.standing:
                self.covered[number] = self.standing.pop(figured)
            elif now - self._revoked.get(figured, float("-inf")) < _LATE:
                self.covered[number] = True
            elif change.cause.startswith("approved"):
                self.note(f"{change} was {change.cause}, and nobody approved it")
        self._judged = len(rows)

    def see_store(
        self, point: str, plans: Iterable[HeldPlan], ledger: Callable[[], Sequence[LedgerRow]], *, complete: bool
    ) -> bool:
        """Judge which approvals are gone since the last commit; give whether any outlived this one.

        They are used up by the acknowledgement of their very figure; else only a complete reading, which shows that
        the facts are others, or a person may end them.
        """
        approved = [plan for plan in plans if plan.decision is Decision.APPROVED]
        kept = {(held.change.cell, held.change.after): plan.cause for plan in approved for held in plan.changes}
        gone = {figured: cause for figured, cause in self._kept.items() if figured not in kept}
        rows = ledger() if gone or point == "decided" else ()
        written = {(row.change.cell, row.change.after) for row in rows[self._stored :]}
        for figured, cause in gone.items():
            if point == "after hold" and (complete or cause == "heal"):
                self.standing.pop(figured, None)
            elif figured not in written and point not in {"decided", "after meet"}:
                self.note(f"{point} ended the approval of {figured}, which was not acknowledged")
        self._kept, self._stored = kept, max(self._stored, len(rows))
        return bool(kept)
