"""What a cycle says about itself, and the check that its counts add up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from stocksync.core.guards import Guard
from stocksync.core.model import Verdict
from stocksync.errors import InvariantBroken


class Outcome(StrEnum):
    """How a cycle ended."""

    DONE = "done"
    HELD = "held"
    """Done, but a guard holds part of the plan."""
    EMPTY = "empty"
    """Qoyod answered "We found nothing": the write step was skipped."""
    FAILED = "failed"
    UNAUTHORIZED = "unauthorized"
    DEADLINE = "deadline"
    STOPPED = "stopped"
    """The service drained, or another writer took over."""


WELL = frozenset({Outcome.DONE, Outcome.HELD, Outcome.EMPTY})
"""How a cycle ends that did not fail."""


@dataclass(slots=True)
class Counts:
    """Cells of one cycle; every cell that was considered is in exactly one of the others."""

    read: int = 0
    unchanged: int = 0
    applied: int = 0
    held: int = 0
    quarantined: int = 0
    ignored: int = 0
    """Untracked, unmapped, unknown, older than the snapshot, or skipped by `missing = "skip"`."""
    unpushed: int = 0
    """Planned, but the target went away first."""

    def check(self) -> None:
        """Raise where a cell was lost or counted twice.

        Raises:
            InvariantBroken: the counts do not add up.

        """
        parts = (self.unchanged, self.applied, self.held, self.quarantined, self.ignored, self.unpushed)
        if self.read != sum(parts) or min(parts) < 0:
            msg = f"the counts of a cycle do not add up: {self}; please report this"
            raise InvariantBroken(msg)


@dataclass(slots=True)
class CycleReport:
    """One cycle, as logged, measured, stored in `cycles` and printed by `once`."""

    account: str
    cycle_id: str
    started_at: datetime
    epoch: int = 0
    ended_at: datetime | None = None
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    outcome: Outcome = Outcome.FAILED
    error: str = ""
    """One line for people; empty where the outcome is not a failure."""
    pages: int = 0
    unread: tuple[tuple[int, int], ...] = ()
    """Pages, as (first, last), with which the next reading begins, as there was no time for them."""
    total: int | None = None
    counts: Counts = field(default_factory=Counts)
    products: dict[str, int] = field(default_factory=dict)
    """State (tracked, untracked, missing, gone, bad) to count."""
    cells: dict[str, int] = field(default_factory=dict)
    """State (managed, unknown, held, quarantined, unmapped) to count."""
    ignored: dict[str, int] = field(default_factory=dict)
    """Why cells were ignored (unknown, unmanaged, unmapped, not in the target) to count."""
    orphaned: dict[str, Decimal] = field(default_factory=dict)
    """Location value that nothing feeds any more to the units that stand there, after the cycle."""
    changes: dict[str, int] = field(default_factory=dict)
    """Applied changes by kind."""
    discrepancies: dict[str, int] = field(default_factory=dict)
    cross_checks: dict[str, int] = field(default_factory=dict)
    """Result (same, moved, different, inconclusive) to count."""
    guards: Mapping[str, int] = field(default_factory=dict)
    """Guard that holds something to the number of cells it holds; several may hold the same cell."""
    open_guards: Mapping[str, int] = field(default_factory=dict)
    """Of those what a person is asked about: not what was rejected."""
    phases: dict[str, float] = field(default_factory=dict)
    """Phase to seconds."""
    target_contact: datetime | None = None
    """When the target last answered this cycle."""
    target_failed: bool = False
    """Whether it was the target that ended the cycle."""
    plan_id: str = ""
    """Of the plan that waits for a person, if one does."""
    effect: str = ""
    """What that plan would do, in one line."""
    refusal: str = ""
    """How many cells are set aside, and why most of them; empty where none is."""
    unwell: bool = False
    """So many are set aside that the account is not well."""
    clock_skew_seconds: float | None = None
    """How far Qoyod's clock stood before this machine's, by the `Date` of its last answer."""

    @property
    def seconds(self) -> float | None:
        """How long it took, to the millisecond; None while it runs."""
        return None if self.ended_at is None else round((self.ended_at - self.started_at).total_seconds(), 3)

    @property
    def worked(self) -> bool:
        """Whether everything was done that could be, save what a guard holds."""
        return self.outcome in _WORKED

    @property
    def complete(self) -> bool:
        """Whether the account may call itself fresh after this cycle."""
        return self.outcome in _WORKED and self.verdict is Verdict.COMPLETE

    @property
    def target_answered(self) -> bool | None:
        """Whether the target answered; None where the cycle did not come as far as asking it."""
        if self.target_contact is not None or self.outcome in _WORKED:
            return True
        hung = self.outcome is Outcome.DEADLINE and "write" in self.phases
        return False if self.target_failed or hung else None

    @property
    def usual_total(self) -> int | None:
        """The catalogue's size, where later readings may be measured by it.

        A fall that a guard holds is no measure: else it would release itself after a few cycles.
        """
        return self.total if self.complete and Guard.TOTAL_FALL not in self.guards else None

    def unauthorized_since(self, before: datetime | None) -> datetime | None:
        """Tell since when the credential is refused; only an answer from Qoyod proves that it works again."""
        if self.outcome is Outcome.UNAUTHORIZED:
            return before or self.ended_at or self.started_at
        return None if self.verdict is not None else before

    def failures_after(self, before: int) -> int:
        """Count the failures in a row; an empty or stopped cycle proves neither, so it changes nothing."""
        if self.outcome in _WORKED:
            return 0
        return before + 1 if self.outcome in _FAILED else before


def orphaned_by(cycles: Iterable[CycleReport]) -> Mapping[str, Decimal]:
    """Give what the newest cycle that compared at all found orphaned; newest first."""
    return next((report.orphaned for report in cycles if report.counts.read), {})


_WORKED = frozenset({Outcome.DONE, Outcome.HELD})
_FAILED = frozenset({Outcome.FAILED, Outcome.UNAUTHORIZED, Outcome.DEADLINE})
