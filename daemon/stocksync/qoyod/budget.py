"""One process's share of a tenant's request budget: reserved in small blocks, the most urgent first."""

import asyncio
import heapq
from collections import deque
from itertools import count
from typing import NamedTuple

import structlog

from stocksync.core.budget import SECOND, BudgetRow, Pace, Reservation, block_of, forbid, reserve
from stocksync.errors import StateError, StateUnavailable
from stocksync.ports import Clock, Priority, SharedBudgets

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 10.0
"""How long requests wait for a state that is away before they are told so."""
_AGAIN_SECONDS = 0.5
_SHORTEST_WAIT = 0.001

_Waiter = tuple[int, int, asyncio.Future[None]]


class _Slot(NamedTuple):
    """When a reserved request may go, by this process's monotonic clock."""

    for_people: float
    for_others: float
    until: float


class Budget:
    """At most `requests_per_minute` in any 60 s, summed over all processes that share the row.

    A slot is used while it is good, or never: a process that was paused sends nothing late. People go first, and one
    slot later than they may, a poll may: it leaves one for the person that comes next. But where others wait too, every
    second request is theirs: a flood of look-ups never keeps a poll from its pages.
    """

    def __init__(
        self, requests_per_minute: int, clock: Clock, shared: SharedBudgets | None = None, tenant: str = ""
    ) -> None:
        """Take the limit and where the tenant's row is kept; without `shared` it is this process's alone."""
        self._pace = Pace.of(requests_per_minute)
        self._clock = clock
        self._shared = shared or UnsharedBudgets(clock)
        self._tenant = tenant
        self._slots: deque[_Slot] = deque()
        self._next_free = float("-inf")
        self._closed_until = float("-inf")
        self._people: list[_Waiter] = []
        self._others: list[_Waiter] = []
        self._person_went = False
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._reserving: asyncio.Task[None] | None = None
        self._block = 1
        self._most = block_of(self._pace.interval)
        self._away_since: float | None = None

    async def acquire(self, priority: Priority) -> None:
        """Wait for the right to send one request now.

        Raises:
            StateError: what is shared cannot be reached, and nothing is reserved.

        """
        waiter = asyncio.get_running_loop().create_future()
        queue = self._people if priority is Priority.PERSON else self._others
        heapq.heappush(queue, (priority, next(self._numbers), waiter))
        self._serve()
        await waiter

    def available(self) -> float:
        """Give how many requests could be sent at once now, as far as this process knows."""
        now = self._clock.monotonic()
        if now < self._closed_until:
            return 0.0
        usable = sum(slot.for_people <= now <= slot.until for slot in self._slots)
        saved = (now - self._next_free) * SECOND // self._pace.interval + 1
        return usable + max(0.0, min(float(self._pace.burst), saved))

    async def throttled(self, seconds: float) -> None:
        """Let nobody send for `seconds`, in any process, and slow the pace: a 429 said so."""
        self._slots.clear()
        self._block = 1
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
        try:
            await self._shared.forbid(self._tenant, seconds)
        except StateError as error:
            log.warning("throttling_not_shared", tenant=self._tenant, error=str(error))

    def _serve(self) -> None:
        """Let the most urgent go, and come back when the next one may."""
        now = self._clock.monotonic()
        while self._slots and self._slots[0].until < now:  # lost, as nobody used it in time
            self._slots.popleft()
            self._block = 1
        while (queue := self._next_queue()) and self._slots and self._opens(queue) <= now:
            self._slots.popleft()
            self._person_went = queue is self._people
            heapq.heappop(queue)[2].set_result(None)
        if not queue:
            return
        if now < self._closed_until:
            self._ring_at(self._closed_until)
        elif self._slots:
            self._ring_at(self._opens(queue))
        elif self._reserving is None or self._reserving.done():
            self._reserving = asyncio.create_task(self._reserve(), name=f"budget {self._tenant}")

    def _next_queue(self) -> list[_Waiter]:
        """Give whose turn it is, without those who went away; empty where nobody waits."""
        for queue in (self._people, self._others):
            while queue and queue[0][2].done():
                heapq.heappop(queue)
        both = self._people and self._others
        return self._others if (both and self._person_went) or not self._people else self._people

    def _opens(self, queue: list[_Waiter]) -> float:
        """Give when the next slot lets one of this queue go."""
        slot = self._slots[0]
        return max(slot.for_people if queue is self._people else slot.for_others, self._closed_until)

    def _ring_at(self, moment: float) -> None:
        def ring() -> None:
            self._timer = None
            self._serve()

        loop = asyncio.get_running_loop()
        at = loop.time() + max(_SHORTEST_WAIT, moment - self._clock.monotonic())
        if self._timer is not None and self._timer.when() > at:  # a person came, and need not wait as long
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(at, ring)

    async def _reserve(self) -> None:
        waiting = sum(not waiter[2].done() for waiter in (*self._people, *self._others))
        wanted = min(self._most, max(waiting, self._block))
        began = self._clock.monotonic()
        try:
            reserved = await self._shared.reserve(self._tenant, self._pace, wanted)
        except StateUnavailable as error:
            self._state_is_away(began, error)
        except Exception as error:  # noqa: BLE001  whoever waits must hear of it, whatever it is
            self._refuse(error)
        else:
            self._take(reserved, began)
        self._reserving = None
        self._serve()

    def _take(self, reserved: Reservation, began: float) -> None:
        ended = self._clock.monotonic()
        # The shared clock showed `now` at an unknown moment of the trip: no slot is used before it could have come,
        # nor after it could have gone.
        for after in reserved.slots():
            opens, until = ended + after / SECOND, began + (after + self._pace.patience) / SECOND
            slot = _Slot(opens, opens + self._pace.lead / SECOND, until)
            if slot.until > max(slot.for_others, ended):
                self._slots.append(slot)
        if not self._slots:
            self._state_is_away(began, StateUnavailable(f"the state database took {ended - began:.1f} s to answer"))
            return
        self._away_since = None
        taken = reserved.first - reserved.now + reserved.size * reserved.spacing
        self._next_free = ended + taken / SECOND
        # Who goes on asking gets more at once; blocks that are not used up begin small again.
        self._most = block_of(reserved.spacing)
        self._block = min(self._most, 2 * reserved.size)

    def _state_is_away(self, began: float, error: StateUnavailable) -> None:
        self._away_since = began if self._away_since is None else self._away_since
        if self._clock.monotonic() - self._away_since >= PATIENCE_SECONDS:
            self._refuse(error)
            self._away_since = None
        self._closed_until = max(self._closed_until, self._clock.monotonic() + _AGAIN_SECONDS)

    def _refuse(self, error: Exception) -> None:
        kind = StateUnavailable if isinstance(error, StateUnavailable) else StateError
        for _, _, waiter in (*self._people, *self._others):
            if not waiter.done():
                waiter.set_exception(kind(f"no request to Qoyod without its budget: {error}"))


class UnsharedBudgets:
    """Budgets that are this process's alone, by its own clock."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock whose seconds only ever grow."""
        self._clock = clock
        self._rows: dict[str, BudgetRow] = {}

    async def reserve(self, budget: str, pace: Pace, count: int) -> Reservation:
        """Take the next slots."""
        self._rows[budget], reserved = reserve(self._rows.get(budget), self._now(), pace, count)
        return reserved

    async def forbid(self, budget: str, seconds: float) -> None:
        """Let nothing go for a while."""
        self._rows[budget] = forbid(self._rows.get(budget), self._now(), int(seconds * SECOND))

    def _now(self) -> int:
        return int(self._clock.monotonic() * SECOND)
