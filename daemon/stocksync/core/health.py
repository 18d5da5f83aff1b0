"""Whether an account is fresh, and why not, in sentences for people."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stocksync.core.answers import Health
from stocksync.core.status import AccountStatus

_SKEW = timedelta(minutes=2)
"""How far two machines' clocks may stand apart before a time in the future is a fault."""


def limit_of(interval: timedelta, deadline: timedelta) -> timedelta:
    """Give the lag above which an account is stale: one poll may fail and the next may take all its time."""
    return 2 * interval + deadline


def health_of(
    account: str,
    *,
    now: datetime,
    interval: timedelta,
    deadline: timedelta,
    last_attempt: datetime | None,
    last_complete: datetime | None,
    consecutive_failures: int = 0,
    quarantined: int = 0,
    held: int = 0,
) -> Health:
    """Judge one account; `held` and `quarantined` (cells, rows) are reasons to look, not reasons to be stale."""
    limit = limit_of(interval, deadline)
    lag = None if last_complete is None else now - last_complete
    stale = _staleness(lag, limit)
    reasons = [*stale]
    if stale and last_attempt is not None and now - last_attempt > limit:
        reasons.append(f"no poll has even started for {in_words(now - last_attempt)}")
    if consecutive_failures:
        reasons.append(f"the last {_count(consecutive_failures, 'poll')} failed")
    if held:
        verb = "waits" if held == 1 else "wait"
        reasons.append(f"{_count(held, 'change')} {verb} for a person: stocksync plan")
    if quarantined:
        reasons.append(f"{_count(quarantined, 'row')} set aside in quarantine")
    return Health(account=account, well=not stale, lag=lag, limit=limit, reasons=tuple(reasons))


@dataclass(frozen=True, slots=True)
class Watched:
    """What observers must know of an account's configuration."""

    name: str
    interval: timedelta
    deadline: timedelta
    audit_interval: timedelta | None = None

    @property
    def limit(self) -> timedelta:
        """The lag above which the account is stale."""
        return limit_of(self.interval, self.deadline)

    def health(self, status: AccountStatus, now: datetime) -> Health:
        """Judge the account by its status."""
        return health_of(
            status.account,
            now=now,
            interval=self.interval,
            deadline=self.deadline,
            last_attempt=status.last_attempt,
            last_complete=status.last_complete,
            consecutive_failures=status.consecutive_failures,
            quarantined=status.quarantined,
            held=sum(len(plan.changes) for plan in status.waiting),
        )


def in_words(span: timedelta) -> str:
    """Give a length of time as people say it, in its two largest units: `3 h 12 min`."""
    seconds = int(abs(span.total_seconds()))
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        amount, seconds = divmod(seconds, size)
        parts.append((amount, unit))
    first = next((index for index, (amount, _) in enumerate(parts) if amount), len(parts) - 1)
    shown = [f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount]
    return " ".join(shown) or "0 s"


def _staleness(lag: timedelta | None, limit: timedelta) -> list[str]:
    if lag is None:
        return ["no poll has been complete yet"]
    if lag < -_SKEW:
        return [f"the last complete poll lies {in_words(lag)} in the future: check the clocks"]
    if lag > limit:
        return [f"the last complete poll ended {in_words(lag)} ago, more than {in_words(limit)}"]
    return []


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
