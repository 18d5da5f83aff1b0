"""Turns: at most a few accounts of a process compare and write at once, so that memory and loop serve each in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 4
PATIENCE_SECONDS = 30.0
_BETWEEN_SECONDS = 0.5
"""Between two who lost patience: where hundreds wait it is mostly for each other, and all at once would be too many."""


class Turns:
    """A courtesy, not a lock: who has waited long enough goes, as a target that hangs must not hold up the others."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE_SECONDS) -> None:
        """Take how many may go at once, and the seconds after which one goes anyway."""
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience
        self._impatient = asyncio.Lock()
        self._last_went = float("-inf")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the block ends."""
        if not (await self._got_within(self._patience) or await self._got_at_last()):
            yield
            return
        try:
            yield
        finally:
            self._places.release()

    async def _got_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            return False
        return True

    async def _got_at_last(self) -> bool:
        """Wait for a place until it is time to go without one, behind those who lost patience before."""
        clock = asyncio.get_running_loop().time
        async with self._impatient:
            if await self._got_within(max(0.0, self._last_went + _BETWEEN_SECONDS - clock())):
                return True
            self._last_went = clock()
            return False
