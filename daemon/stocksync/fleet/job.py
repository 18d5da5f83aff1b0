"""What a schedule asks a worker to do: all that the workflow knows of stocksync."""

from dataclasses import dataclass

POLL, AUDIT = "poll", "audit"
WORKFLOW = "stocksync"


@dataclass(frozen=True)
class Job:
    """One poll or audit of one account. A field that is added later needs a default: old schedules lack it."""

    account: str
    kind: str = POLL
    deadline: float = 600.0
    """Seconds that the work itself may take."""
    heartbeat: float = 10.0
    """Seconds of silence after which a worker is taken for dead."""
