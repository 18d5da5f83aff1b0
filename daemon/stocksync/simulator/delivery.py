"""Carries an answer over the socket in the manner a fault asks for."""

import asyncio
import contextlib
import socket
import struct

from aiohttp import web

from stocksync.simulator.wire import Answer, Manner


async def deliver(request: web.Request, answer: Answer, closing: asyncio.Event) -> web.StreamResponse:
    """Send an answer; what must hang hangs until the client leaves or the simulator closes."""
    if answer.manner is Manner.SLOW:
        await _wait(closing, answer.pause)
    if answer.manner in {Manner.WHOLE, Manner.SLOW}:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    if answer.manner is Manner.SILENT:
        await closing.wait()
    if answer.manner in {Manner.SILENT, Manner.RESET}:
        if request.transport is not None:
            # Without lingering the kernel sends RST instead of an orderly FIN.
            connection: socket.socket | None = request.transport.get_extra_info("socket")
            if connection is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
        return web.Response()
    return await _piecewise(request, answer, closing)


async def _piecewise(request: web.Request, answer: Answer, closing: asyncio.Event) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    if answer.manner is not Manner.STREAM:
        response.content_length = len(answer.body)
    with contextlib.suppress(ConnectionError):  # the client may give up at any byte
        await response.prepare(request)
        if answer.manner is Manner.DRIP:
            for byte in answer.body:
                await response.write(bytes([byte]))
                if await _wait(closing, answer.pause):
                    break
        elif answer.manner is Manner.STREAM:
            view = memoryview(answer.body)
            for start in range(0, len(view), 1 << 16):
                await response.write(view[start : start + (1 << 16)])
        else:
            await response.write(answer.body[: len(answer.body) // 2])
            if answer.manner is Manner.STALL:
                await closing.wait()
    if answer.manner is not Manner.STREAM and request.transport is not None:
        request.transport.close()
    return response


async def _wait(closing: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return False
    return True
