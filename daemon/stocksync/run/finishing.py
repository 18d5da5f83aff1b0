"""What was begun is brought to its end, though the cycle is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from stocksync.errors import InvariantBroken, StocksyncError

log = structlog.get_logger(__name__)
T = TypeVar("T")

_LAST_CHANCE = 30.0
"""Seconds that the batch under way gets when we are to stop; its intents stay open if it needs more."""
_LETTING_GO = 5.0
"""Seconds for it to let go of its connections then."""


async def finish(work: Coroutine[Any, Any, None] | asyncio.Task[None]) -> None:
    """Await work that must not be cut in the middle: a cancellation waits for it, a second one does not."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await last_chance(task)
        raise
    finally:
        del task, work  # its error would hold this frame, which holds it, and with it all rows


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, T]) -> AsyncIterator["asyncio.Task[T]"]:
    """Let work that writes nothing go on beside the block, which awaits it; where the block fails it is given up."""
    task = asyncio.create_task(work)
    try:
        yield task
    except BaseException:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it was looked at: what failed first is what is told
        raise
    finally:
        del task  # as above


@asynccontextmanager
async def finishing(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let work that must not be cut in the middle go on beside the block, and bring it to its end.

    Where the block fails, or is cancelled, that is what is told: of the work there is a line in the log.
    """
    task = asyncio.ensure_future(work)
    try:
        yield
    except BaseException as error:
        await end_after(error, task)
        raise
    else:
        await finish(task)
    finally:
        del task  # as above


async def end_after(error: BaseException, task: "asyncio.Task[None]") -> None:
    """Bring work to its end after an error, which is what is told; a cancellation gives it a while."""
    if isinstance(error, asyncio.CancelledError):
        await last_chance(task)
        return
    try:
        await finish(task)
    except Exception as also:  # noqa: BLE001  whatever it is
        log.warning("also_failed", error=str(also), **_mistake(also))
    finally:
        del error, task  # as above


async def last_chance(task: "asyncio.Future[None]") -> None:
    """Wait a while for the end of what is under way, then give it up."""
    try:
        await asyncio.wait([task], timeout=_LAST_CHANCE)
        if not task.done():
            log.warning("batch_given_up", seconds=_LAST_CHANCE)
            task.cancel()
            await asyncio.wait([task], timeout=_LETTING_GO)
    finally:
        if not task.done():
            task.cancel()
        elif not task.cancelled() and isinstance(error := task.exception(), Exception):
            log.warning("batch_failed_while_stopping", error=str(error), **_mistake(error))


def _mistake(error: Exception) -> dict[str, Any]:
    """Give what a log line needs to say where our own code is mistaken; nothing for what may happen to it."""
    expected = isinstance(error, StocksyncError) and not isinstance(error, InvariantBroken)
    return {} if expected else {"exc_info": error}
