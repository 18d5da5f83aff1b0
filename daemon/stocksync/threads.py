"""Work in threads: what goes over a whole catalogue, off the event loop; and what must not be left alone in one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_MANY = 2_000
"""Rows that such a function is through with before the loop is missed: some 10 ms."""


async def off_loop(rows: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a pure function, in a thread where it goes over many `rows`; nobody else changes its arguments meanwhile.

    The interpreter hands itself to the loop every 5 ms (`sys.getswitchinterval`): heartbeats, renewals and other
    accounts go on. A cancellation waits for the function's end, or it would still work on what others go on to use.
    """
    if rows < _MANY:
        return work(*args, **kwargs)
    return await to_its_end(asyncio.to_thread(work, *args, **kwargs))


async def to_its_end(work: Awaitable[T]) -> T:
    """Await work that a thread goes on with even where nobody waits any more: a cancellation waits for its end."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it was looked at: nobody else will
        raise
    finally:
        del task  # its error would hold this frame, which holds it, and with it all rows
