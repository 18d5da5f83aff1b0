"""Memory that is free goes back to the system."""

import asyncio
import ctypes

_SECONDS = 60.0


async def give_back_memory(seconds: float = _SECONDS) -> None:
    """Hand back what is free, once in so many seconds until cancelled; not at all where the C library cannot.

    By itself glibc keeps what is freed below something that is in use. With 500 accounts, whose pages and rows come and
    go between what stays, that was a fifth of the process. https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(trim, 0)
