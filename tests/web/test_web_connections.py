import asyncio
import time
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from stocksync.web import connections, server

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
MOST = 8


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(server, "most_connections", lambda: MOST)
    monkeypatch.setattr(connections, "_LOOK_SECONDS", 0.02)


@pytest.fixture
def logs():
    with capture_logs() as lines:
        yield lines


class Client:
    """One connection; what it sends is never more than what it is told to."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def status(self):
        line = await self.reader.readline()
        return int(line.split()[1]) if line else None

    async def closed(self, within=5.0):
        async with asyncio.timeout(within):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass


@pytest.fixture
async def connect(site):
    """Open connections that send something; those that are left open are closed at the end."""
    opened = []

    async def to(sends=b""):
        host, port = site.url.removeprefix("http://").split(":")
        client = Client(*await asyncio.open_connection(host, int(port)))
        opened.append(client)
        client.writer.write(sends)
        await client.writer.drain()
        return client

    yield to
    for client in opened:
        client.writer.close()
        with suppress(ConnectionError):
            await client.writer.wait_closed()


async def test_more_connections_than_there_is_room_for_are_closed_and_health_still_answers(site, connect, logs):
    clients = [await connect(GET[:-2] if number % 2 else b"") for number in range(5 * MOST)]
    assert (await site.get("/healthz")).status == 200
    assert (await site.get("/metrics")).status == 200
    for client in clients[: 4 * MOST]:
        await client.closed()
    said = [line for line in logs if line["event"] == "http_connections_at_limit"]
    assert len(said) == 1
    assert said[0]["most"] == MOST


async def test_a_connection_in_use_outlives_any_number_of_idle_ones(site, connect):
    used = await connect(GET)
    for _ in range(3 * MOST):
        await connect()
        used.writer.write(GET)
        assert await used.status() == 200
        await used.reader.readuntil(b"}\n")


@pytest.mark.parametrize("sent", [b"", GET[:20], GET + GET[:20], b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Le"])
async def test_what_never_ends_its_request_is_closed(site, connect, monkeypatch, sent):
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.1)
    client = await connect(sent)
    await client.closed(within=3)


async def test_a_request_that_comes_drop_by_drop_is_closed(site, connect, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.3)
    client = await connect()
    began = time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - began < 5 and not client.reader.at_eof():
            client.writer.write(b"X")
            await client.writer.drain()
            await asyncio.sleep(0.02)
    assert time.monotonic() - began < 4


async def test_questions_take_half_the_room_and_health_the_rest(site, connect):
    never = asyncio.Event()
    site.counter.look_up = lambda *_: never.wait()
    ask = b"GET /api/stock?sku=A HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    asking = [await connect(ask) for _ in range(MOST // 2)]
    refused = await connect(ask)
    assert await refused.status() == 503
    for _ in range(3):
        assert await (await connect(GET)).status() == 200
    for client in asking:
        assert not client.reader.at_eof(), "who waits for an answer is not sent away"


async def test_a_question_that_nobody_can_answer_ends_with_a_sentence(site, monkeypatch):
    monkeypatch.setattr(server, "_ANSWER_SECONDS", 0.05)
    site.counter.look_up = lambda *_: asyncio.Event().wait()
    answer = await site.get("/api/stock?sku=A")
    assert answer.status == 503
    assert "no answer within 0.05 s" in await answer.text()


async def test_the_question_of_a_client_that_has_gone_is_dropped(site, connect):
    asked, dropped = asyncio.Event(), asyncio.Event()

    async def lookup(*_):
        asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            dropped.set()
            raise

    site.counter.look_up = lookup
    client = await connect(b"GET /api/stock?sku=A HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await asked.wait()
    client.writer.close()
    async with asyncio.timeout(5):
        await dropped.wait()


async def test_garbage_is_refused_without_a_line_in_the_log(site, connect, caplog):
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"X" * 20_000,
        GET[:-2] + b"Y: " + b"y" * 20_000,
    ):
        client = await connect(sent)
        assert await client.status() in {400, None}
        await client.closed()
    assert caplog.records == []
