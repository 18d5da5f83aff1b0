"""Turns: at most a few accounts of a process compare and write at once, so that memory and loop serve each in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 4
PATIENCE_SECONDS = 30.0
_BETWEEN_SECONDS = 1.0
"""Between two who lost patience: where hundreds wait nothing hangs, and all at once they would hold up each other."""


class Turns:
    """A courtesy, not a lock: who has waited long enough goes, as a target that hangs must not hold up the others."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE_SECONDS) -> None:
        """Take how many may go at once, and the seconds after which one goes anyway."""
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience
        self._next_impatient = float("-inf")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the block ends."""
        if not (await self._place_within(self._patience) or await self._place_within(self._wait_of_the_impatient())):
            yield
            return
        try:
            yield
        finally:
            self._places.release()

    async def _place_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            return False
        return True

    def _wait_of_the_impatient(self) -> float:
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_impatient)
        self._next_impatient = at + _BETWEEN_SECONDS
        return at - now
