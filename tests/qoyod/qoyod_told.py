"""The Observer port: what a reader told it."""

from datetime import datetime


class Told:
    """The Observer port: remembers what it was told."""

    def __init__(self) -> None:
        self.authorizations: list[bool] = []
        self.expiries: list[datetime | None] = []
        self.requests: list[tuple[str, str]] = []
        self.waits: list[float] = []

    def requested(self, _account: str, endpoint: str, code: str, _seconds: float) -> None:
        self.requests.append((endpoint, code))

    def throttled(self, _account: str, seconds: float) -> None:
        self.waits.append(seconds)

    def budget(self, _account: str, available: float) -> None:
        assert available >= 0

    def authorized(self, _account: str, well: bool, expires_at: datetime | None = None) -> None:
        self.authorizations.append(well)
        self.expiries.append(expires_at)

    def attempted(self, account: str, at: datetime) -> None: ...
    def reported(self, report: object) -> None: ...
    def audited(self, report: object) -> None: ...
    def skipped(self, account: str, reason: str) -> None: ...
    def leading(self, account: str, epoch: int | None) -> None: ...
    def retire(self, account: str) -> None: ...
