"""What a reader told those who listen."""

from datetime import datetime

from stocksync.core.events import BudgetSpent, CredentialJudged, Event, RequestEnded, RequestThrottled


class Told:
    """Listens, and remembers what it was told."""

    def __init__(self) -> None:
        self.authorizations: list[bool] = []
        self.expiries: list[datetime | None] = []
        self.requests: list[tuple[str, str]] = []
        self.waits: list[float] = []

    def hear(self, event: Event) -> None:
        match event:
            case RequestEnded(_, endpoint, code):
                self.requests.append((endpoint, code))
            case RequestThrottled(_, seconds):
                self.waits.append(seconds)
            case BudgetSpent(_, available):
                assert available >= 0
            case CredentialJudged(_, accepted, expires_at):
                self.authorizations.append(accepted)
                self.expiries.append(expires_at)
            case _:
                raise AssertionError(event)
