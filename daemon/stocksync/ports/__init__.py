"""What the daemon needs of the world: the only thing that `run` knows of its adapters."""

from stocksync.core.status import AccountStatus, Quarantined
from stocksync.ports.budget import SharedBudgets
from stocksync.ports.clock import Clock
from stocksync.ports.events import Publish
from stocksync.ports.queries import LedgerRow, Level, StateQueries
from stocksync.ports.source import Priority, Progress, Source
from stocksync.ports.state import (
    FiguresRead,
    GuardHistory,
    Lease,
    LeaseHolder,
    Snapshot,
    SnapshotUpdate,
    State,
    TokenStore,
    Transaction,
)
from stocksync.ports.target import MADE_UP, AsyncPages, BatchResult, Capabilities, Fence, Target, Trial

__all__ = [
    "MADE_UP",
    "AccountStatus",
    "AsyncPages",
    "BatchResult",
    "Capabilities",
    "Clock",
    "Fence",
    "FiguresRead",
    "GuardHistory",
    "Lease",
    "LeaseHolder",
    "LedgerRow",
    "Level",
    "Priority",
    "Progress",
    "Publish",
    "Quarantined",
    "SharedBudgets",
    "Snapshot",
    "SnapshotUpdate",
    "Source",
    "State",
    "StateQueries",
    "Target",
    "TokenStore",
    "Transaction",
    "Trial",
]
