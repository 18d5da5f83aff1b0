"""Qoyod's request limit: so many in any sliding minute, for the whole account."""

import math
from collections import deque

MINUTE = 60.0


class RateLimit:
    """Counts requests of one account; those it refuses do not count."""

    def __init__(self, per_minute: int | None = 300) -> None:
        """None switches the limit off."""
        self.per_minute = per_minute
        self._taken: deque[float] = deque()

    def take(self, now: float) -> int | None:
        """Count a request at `now` (monotonic seconds); over the limit, say how many seconds to wait."""
        if self.per_minute is None:
            return None
        while self._taken and self._taken[0] <= now - MINUTE:
            self._taken.popleft()
        if len(self._taken) < self.per_minute:
            self._taken.append(now)
            return None
        return max(1, math.ceil(self._taken[0] + MINUTE - now)) if self._taken else int(MINUTE)

    def forget(self) -> None:
        """Begin with an empty minute."""
        self._taken.clear()
