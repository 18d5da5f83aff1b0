"""How often a trouble that lasts is said again."""

from datetime import datetime, timedelta

_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=30)


class Reminder:
    """A trouble is said when it begins, then after 5, 10, 20 … seconds more, and at last each half hour."""

    def __init__(self) -> None:
        """Begin in peace."""
        self._what = ""
        self._said_at: datetime | None = None
        self._gap = _FIRST

    def is_due(self, what: str, now: datetime) -> bool:
        """Whether to say it now; another trouble than the last one begins anew."""
        if what != self._what or self._said_at is None:
            self._what, self._gap = what, _FIRST
        elif timedelta(0) <= now - self._said_at < self._gap:
            return False
        else:
            self._gap = min(2 * self._gap, _LONGEST)
        self._said_at = now
        return True
