"""A proxy on the way to Qoyod: one of our own that forwards, asks for a password, or is away."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from qoyod_catalogue import pagination, row

from stocksync.core.model import Verdict
from stocksync.errors import SourceUnavailable
from stocksync.qoyod.client import QoyodSource
from stocksync.qoyod.transport import TransportFault, post_over

Make = Callable[..., QoyodSource]
PAGE = {"products": [row(1, "1.5"), row(2)], "pagination": pagination(2, 1, 100, 2)}
LOGIN = "Basic " + base64.b64encode(b"shop:HUNTER2").decode()


async def good(request: web.Request) -> web.StreamResponse:
    return web.json_response(PAGE)


@dataclass
class Proxy:
    """Forwards plain requests, and answers CONNECT; each needs the right login."""

    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://shop:HUNTER2@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, where, _ = head.split("\r\n")[0].split(" ")
        self.asked.append(f"{method} {where}")
        if LOGIN not in head or method == "CONNECT":
            status = b"407 Proxy Authentication Required" if LOGIN not in head else b"403 Forbidden"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            async with aiohttp.ClientSession() as session, session.get(where) as answer:
                body = await answer.read()
            length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n" + length.encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


async def test_qoyod_is_read_through_the_proxy(server, source: Make, proxy: Proxy) -> None:
    server.handle = good
    reading = await source(proxy=proxy.url).read()
    assert reading.verdict is Verdict.COMPLETE
    assert proxy.asked
    assert all("Proxy-Authorization" not in request.headers for request in server.asked)


async def test_the_environment_s_proxy_is_taken_only_when_asked_for(
    server, source: Make, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.handle = good
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "")
    await source().read()
    assert proxy.asked == []
    await source(proxy="env").read()
    assert proxy.asked
    proxy.asked.clear()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    await source(proxy="env").read()
    assert proxy.asked == []


async def test_a_proxy_that_refuses_us_is_named_without_the_password(server, source: Make, proxy: Proxy) -> None:
    server.handle = good
    with pytest.raises(SourceUnavailable, match="asks for a user and a password, or refuses ours") as caught:
        await source(proxy=proxy.url.replace("shop:", "other:")).read()
    assert "HUNTER2" not in str(caught.value)


async def test_a_proxy_that_is_away_is_named(server, source: Make, proxy: Proxy) -> None:
    with pytest.raises(SourceUnavailable, match="no connection to the proxy") as caught:
        await source(proxy="http://shop:HUNTER2@127.0.0.1:9").read()
    assert "HUNTER2" not in str(caught.value)


@pytest.mark.parametrize(("user", "told"), [("other", "refuses ours"), ("shop", "answered 403")])
async def test_a_tunnel_that_the_proxy_denies_is_named(session, proxy: Proxy, user: str, told: str) -> None:
    post = post_over(session, proxy.url.replace("shop:", f"{user}:"))
    with pytest.raises(TransportFault, match=told) as caught:
        await post("https://app.qoyod.test/oauth/token", {}, {})
    assert caught.value.code == "proxy"
    assert "HUNTER2" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert proxy.asked == ["CONNECT app.qoyod.test:443"]
