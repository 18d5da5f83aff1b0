"""Turns: at most a few accounts of a process compare and write at once, so that memory and loop serve each in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 4
PATIENCE_SECONDS = 30.0


class Turns:
    """A courtesy, not a lock: who has waited long enough goes, as a target that hangs must not hold up the others."""

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE_SECONDS) -> None:
        """Take how many may go at once, and the seconds after which one goes anyway."""
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the block ends."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._places.release()
