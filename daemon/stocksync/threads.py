"""Pure functions over a whole catalogue, off the event loop."""

import asyncio
from collections.abc import Callable
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
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
