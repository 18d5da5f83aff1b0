"""What one reading led to: everything between the reading and the writing."""

from dataclasses import dataclass, field

from stocksync.core.cycle_plan import Plan
from stocksync.core.desired_state import DesiredState
from stocksync.core.diff import ChangeSet
from stocksync.core.model import Cell, Reading, Verdict
from stocksync.ports import Snapshot
from stocksync.run.focus import Focus
from stocksync.run.verification import Absent, CrossCheckResult


@dataclass(slots=True)
class CyclePlan:
    """Everything that one reading led to, or what it says of one portion of the catalogue."""

    focus: Focus
    """What the cycle thought about; `reading` may be a corrected one."""
    reading: Reading
    absent: Absent = field(default_factory=Absent)
    checked: CrossCheckResult = field(default_factory=CrossCheckResult)
    desires: DesiredState = field(default_factory=DesiredState)
    found: ChangeSet = field(default_factory=ChangeSet)
    plan: Plan = field(default_factory=Plan)
    bad_cells: set[Cell] = field(default_factory=set)
    """Cells of rows that could not be read: their last good figure stays."""
    layout: str | None = None
    """The target's layout, where it is another than the snapshot's."""

    @property
    def snapshot(self) -> Snapshot:
        """What was remembered of the products in focus."""
        return self.focus.snapshot

    @property
    def size(self) -> int:
        """How many rows those functions go over that go over all of it."""
        return self.focus.rows

    @property
    def complete(self) -> bool:
        """Whether the reading shows everything: only then may a held plan be replaced or withdrawn."""
        return self.reading.verdict is Verdict.COMPLETE
