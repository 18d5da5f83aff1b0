"""How many rows go into one transaction: as many as are quick, fewer where something stands in the way."""

_GROWTH = 8
"""Times the configured size, at most."""
_REST = 1.25
"""Times the size that a last batch may have: a few rows in a batch of their own take half as long as a full one."""
_QUICK = 0.4
_SLOW = 1.0
"""Seconds that a batch takes: others who want its rows, or the account, wait for as long."""


class BatchSize:
    """Begins with the configured size, and learns from each batch."""

    def __init__(self, configured: int) -> None:
        """Take the size that no trouble makes smaller."""
        self._least = configured
        self.rows = configured

    @property
    def has_grown(self) -> bool:
        """Whether all goes well: the last batches were quick, and nothing in them was refused or waits."""
        return self.rows > self._least

    def next_of(self, left: int) -> int:
        """Give how many of the rows that are `left` go next: a small rest goes along with the last full batch."""
        return left if left <= min(_REST * self.rows, _GROWTH * self._least) else self.rows

    def learn(self, seconds: float, *, smooth: bool) -> None:
        """Hear how long a batch of this size took, and whether all its rows went in."""
        if not smooth or seconds > _SLOW:
            self.rows = max(self._least, self.rows // 2)
        elif seconds < _QUICK:
            self.rows = min(self._least * _GROWTH, self.rows * 2)
