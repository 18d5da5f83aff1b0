"""The log of requests: who asked what, when, and what was answered; never a secret."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from stocksync.simulator.limits import MINUTE
from stocksync.simulator.wire import PREFIX

_SECRET = frozenset({"api-key", "authorization", "cookie", "proxy-authorization"})
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Logged:
    """One request, as it was answered."""

    number: int
    """From 1, never used twice."""
    monotonic: float
    """Seconds, when the request arrived."""
    wall: datetime
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    page: int | None
    """Of a list request."""
    status: int
    """The status decided on; a fault may have kept it from arriving."""
    manner: str
    headers: Mapping[str, str]
    """Names in lower case, credentials masked."""


def masked(headers: Mapping[str, str]) -> dict[str, str]:
    """Keep of a credential that it was there, and of which scheme."""
    shown = dict(headers)
    for name in _SECRET & shown.keys():
        scheme, space, _ = shown[name].partition(" ")
        shown[name] = f"{scheme} ***" if space and len(scheme) <= _SHOWN else "***"
    return shown


class Journal:
    """The last requests, oldest first."""

    def __init__(self, keep: int = 50_000) -> None:
        self._entries: deque[Logged] = deque(maxlen=keep)
        self._count = 0

    def next_number(self) -> int:
        """Give the number of the next request."""
        self._count += 1
        return self._count

    def add(self, entry: Logged) -> None:
        """Remember a request."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forget the requests; the numbers go on."""
        self._entries.clear()

    def since(self, number: int) -> list[Logged]:
        """Give the requests after the one of this number."""
        return [entry for entry in self._entries if entry.number > number]

    def worst_minute(self, seconds: float = MINUTE) -> int:
        """Count the API requests in the busiest sliding minute; the token endpoint is outside the limit."""
        window: deque[float] = deque()
        worst = 0
        for entry in self._entries:
            if entry.path.startswith(PREFIX):
                window.append(entry.monotonic)
                while window[0] <= entry.monotonic - seconds:
                    window.popleft()
                worst = max(worst, len(window))
        return worst

    def __iter__(self) -> Iterator[Logged]:
        """Go through the requests, oldest first."""
        return iter(list(self._entries))

    def __len__(self) -> int:
        """Count the remembered requests."""
        return len(self._entries)

    def __getitem__(self, index: int) -> Logged:
        """Give one request; -1 is the newest."""
        return self._entries[index]
