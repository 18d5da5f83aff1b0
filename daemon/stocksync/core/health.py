"""Whether an account is well, and why not, in sentences for people."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from stocksync.core.answers import Health
from stocksync.core.desired_state import CLOCK_SKEW
from stocksync.core.held_plan import headline
from stocksync.core.policy import LocationMap
from stocksync.core.status import AccountStatus

Fault = tuple[str, str]
"""The word for an account that is not well, and the sentence that says why."""
FAULTS = ("credential refused", "never complete", "stale", "figures refused", "figures unknown")
NEW_KEY = "make a key in Qoyod (Settings, API), and put it where the account's auth section says"
_FINE, _TENTH = 10.0, 0.1
"""Seconds below which tenths, and milliseconds, tell more."""
_DAY, _LONG = 86_400, 10
"""Seconds; days from which on hours tell nothing."""
SET_CLOCK = "set it (timedatectl set-ntp true)"


def limit_of(interval: timedelta, deadline: timedelta) -> timedelta:
    """Give the lag above which an account is stale: one poll may fail and the next may take all its time."""
    return 2 * interval + deadline


@dataclass(frozen=True, slots=True)
class Watched:
    """What an account is judged by: its configuration, as far as health and metrics depend on it."""

    name: str
    interval: timedelta
    deadline: timedelta
    audit_interval: timedelta | None = None
    quarantined: float = 0.05
    """Share of the cells that may be refused."""
    minimum_cells: int = 20
    places: LocationMap = field(default_factory=LocationMap)
    requests_per_minute: int = 180
    tenant: str = ""
    """Whose request budget it spends."""
    title: str = ""
    """What people call it, where that is not its name."""

    def named(self, status: AccountStatus) -> AccountStatus:
        """Put the names that people know beside ids."""
        places = self.places.names(status.locations)
        entries = [replace(entry, location=places.get(entry.place or "", "")) for entry in status.quarantine]
        return replace(status, title=self.title, places=places, quarantine=entries)

    @property
    def limit(self) -> timedelta:
        """The lag above which the account is stale."""
        return limit_of(self.interval, self.deadline)

    def health(self, status: AccountStatus, now: datetime) -> Health:
        """Judge the account by its status; the first reason that makes it unwell gives the word.

        Times stand in the zone of `now`.
        """
        faults = self.faults(status, now)
        lag = None if status.last_complete is None else now - status.last_complete
        word = faults[0][0] if faults else "fresh"
        reasons = (*(reason for _, reason in faults), *_remarks(status))
        return Health(status.account, well=not faults, lag=lag, limit=self.limit, reasons=reasons, word=word)

    def faults(self, status: AccountStatus, now: datetime) -> list[Fault]:
        """Name what makes the account not well, the cause before what follows from it."""
        faults: list[Fault] = []
        if status.unauthorized_since is not None:
            since = f"{status.unauthorized_since.astimezone(now.tzinfo):%Y-%m-%d %H:%M %Z}"
            faults.append(("credential refused", f"Qoyod refuses the credential since {since}: {NEW_KEY}"))
        lag = None if status.last_complete is None else now - status.last_complete
        faults += self._staleness(status, lag, now)
        cells = max(status.cells, status.refused)
        if too_many_refused(status.refused, cells, self.quarantined, self.minimum_cells):
            faults.append(("figures refused", refused_in_words(status.refused, cells, status.refusal)))
        return [*faults, *losses(status)]

    def _staleness(self, status: AccountStatus, lag: timedelta | None, now: datetime) -> list[Fault]:
        if lag is None:
            return [("never complete", "no poll has been complete yet")]
        if lag < -CLOCK_SKEW:
            return [("stale", f"the last complete poll lies {in_words(lag)} in the future: check the clocks")]
        if lag <= self.limit:
            return []
        faults = [("stale", f"the last complete poll ended {in_words(lag)} ago, more than {in_words(self.limit)}")]
        if status.last_attempt is not None and now - status.last_attempt > self.limit:
            faults.append(("stale", f"no poll has even started for {in_words(now - status.last_attempt)}"))
        return faults


def worst_first(judged: Iterable[tuple[AccountStatus, Health]]) -> list[tuple[AccountStatus, Health]]:
    """Put accounts in the order in which a person looks at them: by what is wrong, then what waits for somebody."""

    def rank(pair: tuple[AccountStatus, Health]) -> tuple[int, bool]:
        status, health = pair
        return (len(FAULTS) if health.well else FAULTS.index(health.word), not status.waiting)

    return sorted(judged, key=rank)


def in_one_line(healths: Sequence[Health]) -> str:
    """Say how all accounts stand: how many are well, what ails the first that is not, and the longest lag."""
    ill = [health for health in healths if not health.well]
    many = _count(len(healths), "account")
    head = f"{len(ill)} of {many} not well; {ill[0].account}: {ill[0].word}" if ill else f"{many} fresh"
    oldest = max((health for health in healths if health.lag is not None), key=_lag, default=None)
    if oldest is None:
        return f"{head}; no poll has been complete yet"
    of = f" ({oldest.account})" if len(healths) > 1 else ""
    return f"{head}; lag {in_words(_lag(oldest))} of at most {in_words(oldest.limit)}{of}"


def _lag(health: Health) -> timedelta:
    return health.lag or timedelta(0)


def too_many_refused(refused: int, cells: int, share: float, minimum: int) -> bool:
    """Whether so many cells are set aside that the account is not well; all of them are too many in any shop."""
    return refused > 0 and (refused >= cells or (refused >= minimum and refused > share * cells))


def refused_in_words(refused: int, cells: int, reason: str) -> str:
    """Say how much is set aside and why."""
    return f"{refused:,} of {_count(cells, 'cell')} refused" + (f": {reason}" if reason else "")


def reason_of(refusal: str) -> str:
    """Give the reason alone of what `refused_in_words` has said, and what else a report says after it."""
    said = re.fullmatch(r"[\d,]+ of [\d,]+ cells? refused(?:: (.*))?", refusal, re.DOTALL)
    return (said[1] or "") if said else refusal


def in_words(span: timedelta) -> str:
    """Give a length of time as people say it, in its two largest units: `3 h 12 min`, `2.5 s`, `30 ms`, `30 days`."""
    exact = abs(span.total_seconds())
    if (days := round(exact / _DAY)) >= _LONG:
        return f"{days} days"
    if 0 < exact < _FINE:
        tenths = f"{exact:.1f}".removesuffix(".0")
        return f"{tenths} s" if exact >= _TENTH else f"{exact * 1000:.0f} ms"
    seconds = int(exact)
    parts = []
    for size, unit in ((_DAY, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        amount, seconds = divmod(seconds, size)
        parts.append((amount, unit))
    first = next((index for index, (amount, _) in enumerate(parts) if amount), len(parts) - 1)
    shown = [f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount]
    return " ".join(shown) or "0 s"


def losses(status: AccountStatus) -> list[Fault]:
    """Tell where Qoyod no longer shows most of what was managed: the target's figures grow old unseen."""
    told = status.cells - status.untracked
    if status.cells and told <= 0:
        return [("figures unknown", f"Qoyod no longer tracks any of {_count(status.cells, 'cell')}")]
    if 2 * status.unknown > told:
        return [("figures unknown", f"Qoyod no longer shows {status.unknown:,} of {_count(told, 'cell')}")]
    return []


def _remarks(status: AccountStatus) -> list[str]:
    """Give what a person should know of an account, well or not."""
    remarks = []
    if status.consecutive_failures:
        polls = "poll" if status.consecutive_failures == 1 else f"{status.consecutive_failures:,} polls"
        remarks.append(f"the last {polls} failed")
    for plan in status.waiting:
        waits = f"{_count(len(plan.changes), 'change')} {'waits' if len(plan.changes) == 1 else 'wait'} for a person"
        remarks.append(f"{waits}: {headline(plan)}; stocksync plan")
    if status.quarantined:
        remarks.append(f"{_count(status.quarantined, 'row')} set aside in quarantine")
    if wrong := wrong_clock(clock_skew(status)):
        remarks.append(f"{wrong}: {SET_CLOCK}")
    return remarks


def wrong_clock(skew: timedelta | None) -> str:
    """Say that the clocks differ, where figures are ordered and aged wrongly by it; `skew` is Qoyod's before ours."""
    if skew is None or abs(skew) <= CLOCK_SKEW:
        return ""
    return f"this machine's clock is {in_words(skew)} {'behind' if skew > timedelta(0) else 'ahead of'} Qoyod's"


def clock_skew(status: AccountStatus) -> timedelta | None:
    """Tell how far Qoyod's clock stood before ours in the last cycle that heard from it."""
    seconds = (cycle.clock_skew_seconds for cycle in status.cycles)
    return next((timedelta(seconds=each) for each in seconds if each is not None), None)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
