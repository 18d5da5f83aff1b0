"""What goes over a whole catalogue leaves the loop to others, and is never left alone half-way."""

import asyncio
import threading

import pytest

from stocksync.threads import off_loop

SECONDS = 30


async def test_the_loop_turns_while_many_rows_are_gone_over():
    turned = threading.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    assert await off_loop(1_000_000, turned.wait, SECONDS), "the function waits for the loop, and gets its turn"


async def test_few_rows_are_gone_over_in_place():
    assert await off_loop(1, threading.get_ident) == threading.get_ident()


async def test_a_cancellation_waits_for_the_end():
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def work():
        begun.set()
        assert go_on.wait(SECONDS)
        ended.append(True)

    task = asyncio.create_task(off_loop(1_000_000, work))
    await asyncio.to_thread(begun.wait, SECONDS)
    task.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
