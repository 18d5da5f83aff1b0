"""A proxy on the way to Qoyod: one of our own that forwards, asks for a password, or is away."""

import asyncio
import base64
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

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
    tunnels: bool = False
    """Whether it lets CONNECT through."""
    carried: bytes = b""
    """What went through a tunnel, both ways."""

    @property
    def url(self) -> str:
        return f"http://shop:HUNTER2@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, where, _ = head.split("\r\n")[0].split(" ")
        self.asked.append(f"{method} {where}")
        if LOGIN in head and method == "CONNECT" and self.tunnels:
            await self._tunnel(where, reader, writer)
        elif LOGIN not in head or method == "CONNECT":
            status = b"407 Proxy Authentication Required" if LOGIN not in head else b"403 Forbidden"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            async with aiohttp.ClientSession() as session, session.get(where) as answer:
                body = await answer.read()
            length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
            writer.write(b"HTTP/1.1 200 OK\r\n" + length.encode() + body)
        await writer.drain()
        writer.close()

    async def _tunnel(self, where: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = where.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self.carried += data
            writer.write(data)
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


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    making = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    named = "-keyout key.pem -out cert.pem -addext subjectAltName=DNS:localhost"
    subprocess.run([*making.split(), *named.split()], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.fixture
async def secured(server, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Give the address of a Qoyod behind TLS, whose authority is trusted."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    # aiohttp reads the machine's authorities once, when it is imported.
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    server.handle = good
    runner = web.ServerRunner(web.Server(server.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=serving).start()
    yield f"https://localhost:{runner.addresses[0][1]}/2.0"
    await runner.cleanup()


async def test_a_secured_qoyod_is_read_through_a_tunnel_that_shows_the_proxy_nothing(
    secured: str, server, source: Make, proxy: Proxy
) -> None:
    proxy.tunnels = True
    reading = await source(proxy=proxy.url, base_url=secured).read()
    assert reading.verdict is Verdict.COMPLETE
    assert proxy.asked == [f"CONNECT {secured.split('/')[2]}"]
    assert [request.headers["API-KEY"] for request in server.asked] == ["top-secret"] * len(server.asked)
    assert proxy.carried
    assert b"top-secret" not in proxy.carried
