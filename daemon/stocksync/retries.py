"""Repeating what gave way to somebody else."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

from stocksync.errors import TargetConflict

T = TypeVar("T")


async def retried(
    work: Callable[[], Awaitable[T]],
    on: Callable[[Exception], bool],
    *,
    attempts: int,
    wait_initial: float,
    wait_max: float = 5.0,
    wait_jitter: float,
) -> T:
    """Run `work`, and again where it fails with what `on` says may pass; waits are in seconds.

    What goes well at once, as nearly everything does, is no business of stamina's: its attempts name themselves in a
    circle, with all the rows that were to be written, until the collector comes by (tenacity 9.1, `AsyncRetrying`).
    """
    try:
        return await work()
    except Exception as error:
        if not on(error):
            raise
        failed: Exception | None = error
    tries = stamina.retry_context(
        on=on, attempts=attempts, timeout=None, wait_initial=wait_initial, wait_max=wait_max, wait_jitter=wait_jitter
    )
    async for attempt in tries:
        with attempt:
            if failed is None:
                return await work()
            try:
                raise failed  # this is the first attempt
            finally:
                failed = None  # or it would hold this frame, which holds it
    raise AssertionError  # pragma: no cover  the last attempt returns or raises


async def until_no_conflict(write: Callable[[], Awaitable[T]]) -> T:
    """Write a batch, three times at most where another transaction has gone before."""
    return await retried(
        write, lambda error: isinstance(error, TargetConflict), attempts=3, wait_initial=0.02, wait_jitter=0.1
    )
