"""What the state is told of other batches while one is written."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

Task = asyncio.Task[None]


class StateTasks:
    """The intents of the batch that follows, and the acknowledgement of the one before: one of each at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._intending: Task | None = None
        self._acknowledging: Task | None = None

    @property
    def acknowledges(self) -> bool:
        """Whether an acknowledgement was begun and nobody has heard of its end."""
        return self._acknowledging is not None

    def intend(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the state take intents."""
        self._intending = asyncio.create_task(work)

    def acknowledge(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the state acknowledge a batch."""
        self._acknowledging = asyncio.create_task(work)

    async def intended(self) -> None:
        """Wait for the intents; raise what went wrong with them."""
        try:
            if self._intending is not None:
                await self._intending
        finally:
            self._intending = None  # its error would hold this frame, which holds it, and with it all rows

    async def acknowledged(self) -> None:
        """Wait for the acknowledgement; raise what went wrong with it."""
        try:
            if self._acknowledging is not None:
                await self._acknowledging
        finally:
            self._acknowledging = None  # as above

    async def done(self) -> None:
        """Wait for both; intents that follow what could not be acknowledged are given up."""
        try:
            await self.acknowledged()
        except BaseException:
            self.cancel()
            with suppress(asyncio.CancelledError, Exception):  # what went wrong first is what is told
                await self.intended()
            raise
        await self.intended()

    def cancel(self) -> None:
        """Give up what is under way."""
        for task in (self._acknowledging, self._intending):
            if task is not None:
                task.cancel()
