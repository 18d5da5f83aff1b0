"""What the daemon needs of the world: the only thing that `run` knows of its adapters."""

from stocksync.ports.clock import Clock
from stocksync.ports.observer import Observer
from stocksync.ports.source import Priority, Progress, Source
from stocksync.ports.state import (
    AccountStatus,
    Lease,
    LedgerRow,
    Quarantined,
    Snapshot,
    SnapshotUpdate,
    State,
    StateQueries,
    Transaction,
    Vault,
)
from stocksync.ports.target import AsyncPages, BatchResult, Capabilities, Fence, Target, Trial

__all__ = [
    "AccountStatus",
    "AsyncPages",
    "BatchResult",
    "Capabilities",
    "Clock",
    "Fence",
    "Lease",
    "LedgerRow",
    "Observer",
    "Priority",
    "Progress",
    "Quarantined",
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
