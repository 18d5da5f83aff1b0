"""The request budget of one tenant: paced, bounded in every sliding minute, most urgent first."""

import asyncio
import heapq
from itertools import count

from stocksync.ports import Clock, Priority

# A second more than the minute of the promise, for requests that overtake each other on their way.
_WINDOW = 61.0
_LOWEST = 1 / 16
_CREEP_PER_SECOND = 0.1 / 60
_SHORTEST_WAIT = 0.001

_Waiter = tuple[int, int, asyncio.Future[None]]


class Budget:
    """At most `requests_per_minute` in any 60 s, however often the process restarts.

    A bucket of `burst` requests that starts *empty*, so that what a predecessor sent in the last minute and
    what this one sends fit into one minute together: burst + 60 s of refilling stay within the limit.
    Several accounts of one tenant share one budget. People go first, but where others wait too, every second request
    is theirs: a flood of look-ups never keeps a poll from its pages.
    """

    def __init__(self, requests_per_minute: int, clock: Clock) -> None:
        if requests_per_minute < 1:
            raise ValueError("a budget needs at least one request a minute")
        self._clock = clock
        self._burst = max(1, requests_per_minute // 20)
        self._rate = (requests_per_minute - self._burst + 1) / _WINDOW
        self._share = 1.0
        self._level = 0.0
        self._filled_at = clock.monotonic()
        self._paused_until = self._filled_at
        self._slowed_at = self._filled_at
        self._people: list[_Waiter] = []
        self._others: list[_Waiter] = []
        self._person_went = False
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, priority: Priority) -> None:
        """Wait for the right to send one request now."""
        waiter = asyncio.get_running_loop().create_future()
        queue = self._people if priority is Priority.PERSON else self._others
        heapq.heappush(queue, (priority, next(self._numbers), waiter))
        self._serve()
        await waiter

    def available(self) -> float:
        """Give how many requests could be sent at once now."""
        self._fill()
        return self._level

    def start_empty(self) -> None:
        """Forget what was saved up: another process may have spent it in the last minute."""
        self._fill()
        self._level = 0.0

    def penalize(self, seconds: float, sent_at: float) -> bool:
        """Pause everybody for `seconds` and halve the pace, as a request sent at `sent_at` met a 429.

        Several requests that meet the same 429 halve it once. Gives True for the first of them.
        """
        self._fill()
        now = self._clock.monotonic()
        self._paused_until = max(self._paused_until, now + seconds)
        self._level = 0.0
        first = sent_at >= self._slowed_at
        if first:
            self._share = max(_LOWEST, self._share / 2)
            self._slowed_at = now
        return first

    def _fill(self) -> None:
        now = self._clock.monotonic()
        elapsed = now - max(self._filled_at, self._paused_until)
        self._filled_at = now
        if elapsed <= 0:
            return
        self._level = min(self._burst, self._level + elapsed * self._rate * self._share)
        self._share = min(1.0, self._share + elapsed * _CREEP_PER_SECOND)

    def _serve(self) -> None:
        """Let the most urgent go, and come back when the next one may."""
        self._fill()
        while (queue := self._next_queue()) and self._level >= 1:
            self._level -= 1
            self._person_went = queue is self._people
            heapq.heappop(queue)[2].set_result(None)
        if queue and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait(), self._ring)

    def _next_queue(self) -> list[_Waiter]:
        """Give whose turn it is, without those who went away; empty where nobody waits."""
        for queue in (self._people, self._others):
            while queue and queue[0][2].done():
                heapq.heappop(queue)
        both = self._people and self._others
        return self._others if (both and self._person_went) or not self._people else self._people

    def _ring(self) -> None:
        self._timer = None
        self._serve()

    def _wait(self) -> float:
        pause = max(0.0, self._paused_until - self._clock.monotonic())
        return max(_SHORTEST_WAIT, pause + (1 - self._level) / (self._rate * self._share))
