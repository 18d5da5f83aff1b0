"""How often a trouble that lasts is said again."""

from datetime import datetime, timedelta

_FIRST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=30)


class Reminder:
    """A trouble is said when it begins, then after 5, 10, 20 … seconds more, and at last each half hour."""

    def __init__(self) -> None:
        """Begin in peace."""
        self._said: tuple[str, datetime, timedelta] | None = None

    def is_due(self, what: str, now: datetime) -> bool:
        """Whether to say it now; another trouble than the last one begins anew."""
        gap = _FIRST
        if self._said is not None and self._said[0] == what:
            _, at, waited = self._said
            if timedelta(0) <= now - at < waited:
                return False
            gap = min(2 * waited, _LONGEST)
        self._said = what, now, gap
        return True
