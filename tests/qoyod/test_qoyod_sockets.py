"""Faults over real sockets: each is named, retried within bounds, and hangs nothing."""

import asyncio
import json
import socket
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from qoyod_catalogue import pagination, row
from qoyod_told import Told

from stocksync.core.model import Verdict
from stocksync.errors import SourceRefused, SourceUnavailable
from stocksync.qoyod.client import QoyodSource

Make = Callable[..., QoyodSource]
PAGE = {"products": [row(1, "1.5"), row(2)], "pagination": pagination(2, 1, 100, 2)}


async def good(request: web.Request) -> web.StreamResponse:
    return web.json_response(PAGE)


async def stalled_head(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def stalled_body(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"products"')
    await asyncio.sleep(60)
    return response


async def drip(request: web.Request) -> web.StreamResponse:
    """Never silent for long, never done: only a limit on the whole request ends this."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(600):
        await response.write(b" ")
        await asyncio.sleep(0.05)
    return response


async def reset(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    plug = request.transport.get_extra_info("socket")
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    request.transport.abort()
    return web.Response()


async def truncated(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100000"})
    await response.prepare(request)
    await response.write(json.dumps(PAGE).encode())
    assert request.transport is not None
    request.transport.close()
    return response


async def half_json(request: web.Request) -> web.StreamResponse:
    return web.Response(body=json.dumps(PAGE).encode()[:-20])


async def html(request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>Just a moment…</html>", content_type="text/html")


async def bad_gateway(request: web.Request) -> web.StreamResponse:
    return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")


async def bare_string(request: web.Request) -> web.StreamResponse:
    return web.json_response("We are down for maintenance")


async def oversize(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 100_000)


PACKED = zlib.compress(b" " * 20_000_000)


async def bomb(request: web.Request) -> web.StreamResponse:
    return web.Response(body=PACKED, headers={"Content-Encoding": "deflate"})


async def deep(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"products": ' + b"[" * 200_000, content_type="application/json")


async def no_compression(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"this is no gzip", headers={"Content-Encoding": "gzip"})


FAULTS = [
    (stalled_head, "timeout", "in time"), (stalled_body, "timeout", "in time"), (drip, "timeout", "in time"),
    (reset, "reset", "closed"), (truncated, "truncated", "broke off"), (half_json, "200", "understood"),
    (html, "200", "a web page came instead of data"), (bad_gateway, "502", "502"), (bare_string, "200", "understood"),
    (oversize, "too_large", "larger"), (bomb, "too_large", "larger"), (deep, "200", "understood"),
    (no_compression, "truncated", "broke off"),
]  # fmt: skip


@pytest.mark.parametrize("expected", FAULTS, ids=[each[0].__name__ for each in FAULTS])
async def test_a_fault_is_named_tried_again_and_given_up(server: Any, source: Make, told: Told, expected: Any) -> None:
    fault, code, said = expected
    server.handle = fault
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=said):
        await source(max_body=1_000_000, attempts=2).product(1)
    assert time.monotonic() - began < 20
    assert told.requests == [("product", code)] * 2
    assert len(server.asked) == 2


@pytest.mark.parametrize("fault", [each[0] for each in FAULTS], ids=[each[0].__name__ for each in FAULTS])
async def test_a_fault_that_passes_leaves_a_complete_reading(server: Any, source: Make, fault: Any) -> None:
    async def once(request: web.Request) -> web.StreamResponse:
        return await (fault if len(server.asked) == 1 else good)(request)

    server.handle = once
    reading = await source(max_body=1_000_000).read()
    assert (reading.verdict, sorted(reading.products)) == (Verdict.COMPLETE, [1, 2])


async def test_what_is_sent_is_what_qoyod_documents(server: Any, source: Make) -> None:
    server.handle = good
    await source().read()
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/2.0/products")
    assert dict(asked.query) == {"page": "1", "per_page": "100", "q[s]": "id asc"}
    assert asked.headers["API-KEY"] == "top-secret"
    assert asked.headers["Accept"] == "application/json"


async def test_a_sku_with_every_odd_character_arrives_as_it_is(server: Any, source: Make) -> None:
    sku = "a&b=c d+e%2Fü مفتاح#?/"
    server.handle = good
    assert await source().find(sku) is None
    assert server.asked[0].query["q[sku_eq]"] == sku


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_with_the_credential(server: Any, source: Make, status: int) -> None:
    async def away(request: web.Request) -> web.StreamResponse:
        headers = {"Location": f"{server.base_url}/elsewhere/2.0?token=x"}
        return web.Response(status=status, headers=headers)

    server.handle = away
    with pytest.raises(SourceRefused, match=r"/elsewhere/2\.0") as error:
        await source().read()
    assert [asked.path for asked in server.asked] == ["/2.0/products"]
    assert "token" not in str(error.value)
    assert "top-secret" not in str(error.value)


async def test_a_422_is_refused_with_its_body_and_without_the_secret(server: Any, source: Make) -> None:
    async def bad(request: web.Request) -> web.StreamResponse:
        return web.json_response({"errors": ["per_page\nis too\x00 large", request.headers["API-KEY"]]}, status=422)

    server.handle = bad
    with pytest.raises(SourceRefused, match=r"422.*too") as error:
        await source().read()
    assert "top-secret" not in str(error.value)
    assert len(server.asked) == 1


async def test_a_host_that_is_not_there_says_what_to_check(source: Make, told: Told, unused_tcp_port: int) -> None:
    for address in (f"http://127.0.0.1:{unused_tcp_port}/2.0", "http://no-such-host.invalid/2.0"):
        with pytest.raises(SourceUnavailable, match="check base_url"):
            await source(base_url=address, attempts=1).read()
    assert {code for _, code in told.requests} == {"connect"}


async def test_a_kept_connection_that_died_is_not_silently_asked_twice(server: Any, source: Make, told: Told) -> None:
    """aiohttp repeats a GET by itself on a dead kept connection; the budget would never hear of it."""

    async def every_other(request: web.Request) -> web.StreamResponse:
        return await (good if len(server.asked) % 2 else reset)(request)

    server.handle = every_other
    reader = source()
    for _ in range(3):
        assert (await reader.read()).verdict is Verdict.COMPLETE
    assert len(server.asked) == len(told.requests)


@pytest.mark.parametrize("after", ["1", "date", None])
async def test_a_429_is_waited_out(server: Any, source: Make, told: Told, after: str | None) -> None:
    async def busy(request: web.Request) -> web.StreamResponse:
        if len(server.asked) > 1:
            return await good(request)
        headers = {"1": {"Retry-After": "1"}, "date": {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, None: {}}[after]
        return web.Response(status=429, headers=headers)

    server.handle = busy
    if after is None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await source().read()
        assert told.waits == [60.0]
        return
    began = time.monotonic()
    assert (await source().read()).verdict is Verdict.COMPLETE
    assert time.monotonic() - began >= 1
    assert told.waits == [1.0]


async def test_a_cancelled_read_leaves_nothing_running(server: Any, source: Make) -> None:
    arrived = asyncio.Event()

    async def arriving(request: web.Request) -> web.StreamResponse:
        arrived.set()
        return await stalled_head(request)

    server.handle = arriving
    task = asyncio.create_task(source(request_timeout=60, read_timeout=60).read())
    await arrived.wait()
    before = asyncio.all_tasks() - {task}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not {each for each in asyncio.all_tasks() - before if "read" in repr(each)}
