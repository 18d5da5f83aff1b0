"""What people are shown of a fleet: its schedules, its workers, and what is about to be done to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Verb(StrEnum):
    """What is done to a schedule."""

    CREATE = "create"
    CHANGE = "change"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class ScheduleStep:
    """One thing to do to a schedule, and why."""

    verb: Verb
    id: str
    account: str
    kind: str
    """poll or audit."""
    why: str


@dataclass(frozen=True, slots=True)
class ScheduleStatus:
    """How one schedule stands."""

    account: str
    kind: str
    state: str
    """waits, late, paused or missing."""
    every: timedelta
    last: datetime | None = None
    """When it last started something."""
    next: datetime | None = None
    late_by: timedelta | None = None
    note: str = ""
    """Why it is paused, where somebody said so."""


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A worker that asks for work."""

    identity: str
    last_asked: datetime


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """How a fleet stands."""

    at: datetime
    workers: Sequence[LivingWorker]
    schedules: Sequence[ScheduleStatus]
    strays: Sequence[str] = ()
    """Schedules of the fleet whose account is not configured."""

    @property
    def well(self) -> bool:
        """Whether somebody works and every schedule runs; one that a person has paused is no fault."""
        return bool(self.workers) and all(one.state in {"waits", "paused"} for one in self.schedules)
