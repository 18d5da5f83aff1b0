"""What is said again and again: once, then at its 2nd, 4th, 8th … time, and once that it is over."""

from dataclasses import dataclass

_FORGOTTEN = 3600.0
"""Seconds of silence after which the next time is the first again."""
_MOST = 1000
"""Kinds that are remembered: those that were met longest ago go first."""


@dataclass(slots=True)
class _Met:
    account: str
    event: str
    count: int
    at: float
    in_this_cycle: bool = True


class Repetition:
    """Counts what repeats, by account, event and what it says of the cause."""

    def __init__(self) -> None:
        """Begin with nothing met."""
        self._met: dict[tuple[str, str, str], _Met] = {}

    def meet(self, account: str, event: str, why: str, now: float) -> int:
        """Count it once more; gives how often it was met, 0 where that is not to be said."""
        key = (account, event, why)
        known = self._met.pop(key, None)
        if known is None or not 0 <= now - known.at < _FORGOTTEN:
            known = _Met(account, event, 0, now)
        known.count, known.at, known.in_this_cycle = known.count + 1, now, True
        self._met[key] = known
        if len(self._met) > _MOST:
            del self._met[next(iter(self._met))]
        return known.count if known.count & (known.count - 1) == 0 else 0

    def worked(self, account: str) -> dict[str, int]:
        """Note that a cycle of the account worked; gives what was met more than once and not since the last one."""
        over: dict[str, int] = {}
        for key, known in list(self._met.items()):
            if known.account != account:
                continue
            if known.in_this_cycle:
                known.in_this_cycle = False
                continue
            del self._met[key]
            if known.count > 1:
                over[known.event] = over.get(known.event, 0) + known.count
        return over
