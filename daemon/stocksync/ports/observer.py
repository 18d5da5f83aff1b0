"""Who is told what happens."""

from datetime import datetime
from typing import Protocol

from stocksync.core.drift import AuditReport
from stocksync.core.report import CycleReport


class Observer(Protocol):
    """Who is told what happens: metrics and the log. Must not raise and must not block."""

    def attempted(self, account: str, at: datetime) -> None:
        """Note that a cycle started."""

    def reported(self, report: CycleReport) -> None:
        """Note that a cycle ended; once per cycle."""

    def audited(self, report: AuditReport) -> None:
        """Note that an audit ended."""

    def skipped(self, account: str, reason: str) -> None:
        """Note that a trigger was not followed: running, standby, draining."""

    def leading(self, account: str, epoch: int | None) -> None:
        """Note that this process became the writer (epoch) or is none (None)."""

    def requested(self, account: str, endpoint: str, code: str, seconds: float) -> None:
        """Note one HTTP request to Qoyod; code is the status, or what went wrong: timeout, reset."""

    def throttled(self, account: str, seconds: float) -> None:
        """Note a 429 and how long it asks to wait."""

    def budget(self, account: str, available: float) -> None:
        """Note how many requests could be sent at once now."""

    def authorized(self, account: str, well: bool, expires_at: datetime | None = None) -> None:  # noqa: FBT001
        """Note whether the credential works; called on each change and each renewal."""

    def retire(self, account: str) -> None:
        """Forget an account: its series go with it."""
