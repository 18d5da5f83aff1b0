"""Tells several observers what happens, and keeps what goes wrong in one of them from everybody else."""

from datetime import datetime

import structlog

from stocksync.core.drift import AuditReport
from stocksync.core.report import CycleReport
from stocksync.ports import Observer

log = structlog.get_logger(__name__)


class Observers:
    """An Observer made of others: a fault in looking on must never stop a poll."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._complained: set[tuple[str, str]] = set()

    def attempted(self, account: str, at: datetime) -> None:
        """Note that a cycle started."""
        self._tell("attempted", account, at)

    def reported(self, report: CycleReport) -> None:
        """Note that a cycle ended."""
        self._tell("reported", report)

    def audited(self, report: AuditReport) -> None:
        """Note that an audit ended."""
        self._tell("audited", report)

    def skipped(self, account: str, reason: str) -> None:
        """Note that a trigger was not followed."""
        self._tell("skipped", account, reason)

    def leading(self, account: str, epoch: int | None) -> None:
        """Note that this process became the writer, or is none."""
        self._tell("leading", account, epoch)

    def requested(self, account: str, endpoint: str, code: str, seconds: float) -> None:
        """Note one HTTP request to Qoyod."""
        self._tell("requested", account, endpoint, code, seconds)

    def throttled(self, account: str, seconds: float) -> None:
        """Note a 429."""
        self._tell("throttled", account, seconds)

    def budget(self, account: str, available: float) -> None:
        """Note the budget left."""
        self._tell("budget", account, available)

    def authorized(self, account: str, well: bool, expires_at: datetime | None = None) -> None:  # noqa: FBT001  the port's
        """Note whether the credential works."""
        self._tell("authorized", account, well, expires_at)

    def retire(self, account: str) -> None:
        """Forget an account."""
        self._tell("retire", account)

    def _tell(self, event: str, *values: object) -> None:
        for observer in self._observers:
            try:
                getattr(observer, event)(*values)
            except Exception as error:  # noqa: BLE001  see the class
                self._complain(type(observer).__name__, event, error)

    def _complain(self, observer: str, event: str, error: Exception) -> None:
        if (observer, event) not in self._complained:
            self._complained.add((observer, event))
            log.warning("observer_failed", observer=observer, about=event, error=repr(error))
