"""How many messages people are sent within an hour, and how many were kept from them."""

from collections import deque
from datetime import datetime, timedelta

_HOUR = timedelta(hours=1)


class MessageLimit:
    """So many within any hour; what goes beyond is counted, and told in one when there is room again."""

    def __init__(self, per_hour: int) -> None:
        """Begin with nothing sent."""
        self._per_hour = per_hour
        self._sent: deque[datetime] = deque()
        self.kept_back = 0
        """Messages since the last one that was allowed to tell of them."""

    def admits(self, now: datetime) -> bool:
        """Whether a message may be sent now: then it counts as sent, else as kept back."""
        if self.kept_back or not self._room(now):  # what is kept back is told first, or order would be lost
            self.kept_back += 1
            return False
        self._sent.append(now)
        return True

    def overdue(self, now: datetime) -> int:
        """Give how many were kept back, where one message may tell of them now: it counts as sent."""
        if not self.kept_back or not self._room(now):
            return 0
        self._sent.append(now)
        count, self.kept_back = self.kept_back, 0
        return count

    def _room(self, now: datetime) -> bool:
        # A clock that was set back must not silence us until it has caught up.
        while self._sent and not timedelta(0) <= now - self._sent[0] < _HOUR:
            self._sent.popleft()
        return len(self._sent) < self._per_hour
