"""What the daemon needs of the world: the only thing that `run` knows of its adapters."""

from stocksync.core.status import AccountStatus, Quarantined
from stocksync.ports.budget import SharedBudgets
from stocksync.ports.clock import Clock
from stocksync.ports.observer import Observer
from stocksync.ports.source import Priority, Progress, Source
from stocksync.ports.state import (
    GuardHistory,
    Lease,
    LedgerRow,
    Snapshot,
    SnapshotUpdate,
    State,
    StateQueries,
    Transaction,
    Vault,
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
    "GuardHistory",
    "Lease",
    "LedgerRow",
    "Observer",
    "Priority",
    "Progress",
    "Quarantined",
    "SharedBudgets",
    "Snapshot",
    "SnapshotUpdate",
    "Source",
    "State",
    "StateQueries",
    "Target",
    "Transaction",
    "Trial",
    "Vault",
]
