"""What happens, as values: told once, by whom it happens to, to everybody who listens."""

from dataclasses import dataclass
from datetime import datetime

from stocksync.core.drift import AuditReport
from stocksync.core.report import CycleReport


@dataclass(frozen=True, slots=True)
class CycleStarted:
    """A cycle was begun, whatever becomes of it."""

    account: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CycleEnded:
    """A cycle ended; once per cycle, whatever its outcome."""

    report: CycleReport


@dataclass(frozen=True, slots=True)
class AuditEnded:
    """An audit ended, or could not go on."""

    report: AuditReport


@dataclass(frozen=True, slots=True)
class TriggerSkipped:
    """A trigger was not followed, for one of few reasons: running, standby, draining."""

    account: str
    reason: str


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """This process became the account's writer, under this epoch, or is none: None."""

    account: str
    epoch: int | None
    ending: bool = False
    """Whether the process gives the lease back as it ends: then it stands by for nobody."""


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """One HTTP request to Qoyod was answered, or was not."""

    account: str
    endpoint: str
    code: str
    """The status, or what went wrong: timeout, reset, …"""
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestThrottled:
    """Qoyod answered 429, and asks to wait."""

    account: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """A request was let go; so many more could be sent at once now."""

    account: str
    available: float


@dataclass(frozen=True, slots=True)
class CredentialJudged:
    """Qoyod accepted or refused the credential; told on each change and each renewal."""

    account: str
    accepted: bool
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountRetired:
    """The account has left the configuration: its series and what is remembered of it go with it."""

    account: str


Event = (
    CycleStarted
    | CycleEnded
    | AuditEnded
    | TriggerSkipped
    | LeaseChanged
    | RequestEnded
    | RequestThrottled
    | BudgetSpent
    | CredentialJudged
    | AccountRetired
)
