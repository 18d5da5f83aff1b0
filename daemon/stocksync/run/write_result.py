"""What became of the changes of a cycle, filled by the writer batch by batch."""

from dataclasses import dataclass, field
from datetime import datetime

from stocksync.core.model import Cell, Change, Figure, SourceFigures
from stocksync.ports import SnapshotUpdate


@dataclass(slots=True)
class WriteResult:
    """What became of the changes that were to be applied."""

    applied: list[Change] = field(default_factory=list)
    skipped: list[Change] = field(default_factory=list)
    refused: list[tuple[Change, str]] = field(default_factory=list)
    """Set aside, with the target's reason."""
    waiting: list[tuple[Change, str]] = field(default_factory=list)
    """Not written, as another transaction holds their rows; the next cycle tries them at once."""
    left_out: dict[Cell, str] = field(default_factory=dict)
    """What the target refused of applied changes beside their figures."""
    altered: dict[Cell, Figure] = field(default_factory=dict)
    """What the target made of applied figures, where that is another one."""
    met: int = 0
    """Rows that were there where none was known."""
    completed: list[Cell] = field(default_factory=list)
    """Rows whose left-out columns went in after all."""
    incomplete: list[tuple[Change, str]] = field(default_factory=list)
    """Rows of which they were refused again."""
    unrecorded: SnapshotUpdate = field(default_factory=SnapshotUpdate)
    """What was read and is not recorded yet: it goes with the first intents."""
    pending: dict[Cell, tuple[SourceFigures, datetime]] = field(default_factory=dict)
    """What was read of cells that are still to be written: it goes with the intents of their own."""

    @property
    def count(self) -> int:
        """How many changes an end was found for."""
        return len(self.applied) + len(self.skipped) + len(self.refused) + len(self.waiting)
