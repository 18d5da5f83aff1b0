"""What a process has freed does not count as its own for ever."""

import asyncio
import ctypes
from pathlib import Path

import pytest

from stocksync.app.given_back import give_back_memory
from stocksync.observe import heartbeat

MANY, SIZE = 20_000, 4_000


def resident() -> int:
    """Give this process's pages in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library has no malloc_trim")
async def test_what_lies_between_things_in_use_is_handed_back() -> None:
    before = resident()
    held = [bytearray(SIZE) for _ in range(MANY)]
    filled = resident() - before
    kept = held[::50]
    del held
    freed = filled - (resident() - before)
    assert freed < filled / 2, "the allocator keeps it"
    async with heartbeat.running(give_back_memory(0.01)):
        for _ in range(2_000):
            if resident() - before < filled / 3:
                break
            await asyncio.sleep(0.01)
    assert resident() - before < filled / 3
    assert len(kept) == MANY // 50
