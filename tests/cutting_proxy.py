"""A proxy before a database server that knows its protocol, counts its messages, and cuts a connection at one of them.

Message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html and
https://mariadb.com/kb/en/0-packet/.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from servers import MariaDB, Server

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_ANSWER_SECONDS = 0.1
"""How long the answer to a message is waited for, to be lost: after this there is none."""
_CHUNK = 65_536


class When(Enum):
    """Where a message is when its connection is cut."""

    BEFORE = "before it was forwarded"
    AFTER = "after it was forwarded, its answer lost"


@dataclass(frozen=True, slots=True)
class Message:
    """One that was seen, in the order of all connections."""

    from_client: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """Which message of a cycle, counted from 1, and how."""

    at: int
    when: When
    reset: bool = False
    """An RST in place of a FIN."""
    lasting: bool = False
    """Every other connection is cut too, and new ones are, until the proxy is told otherwise."""


@dataclass(eq=False, slots=True)
class _Link:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    deaf: bool = False
    """What the server still says is heard, and lost."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    untyped: bool = True
    """The next message of PostgreSQL's client is one of its first, which bear no type."""
    one_byte: bool = False
    """The next message of PostgreSQL is its answer to a wish for encryption."""


class CuttingProxy:
    """Forwards whole messages between clients and one server."""

    def __init__(self, server: Server) -> None:
        """Take the server to stand before; `start` opens the port."""
        self._server = server
        self._length = _mariadb if isinstance(server, MariaDB) else _postgresql
        self._cut: Cut | None = None
        self._links: set[_Link] = set()
        self._listening: asyncio.Server | None = None
        self.tape: list[Message] = []
        self.fell = False
        """Whether the cut has happened."""

    async def start(self) -> None:
        """Listen on a port of its own."""
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1")

    async def close(self) -> None:
        """End every connection."""
        assert self._listening is not None
        self._listening.close()
        self._end_all()

    def url(self, url: str) -> str:
        """Give the URL that leads through here."""
        assert self._listening is not None
        port = self._listening.sockets[0].getsockname()[1]
        return url.replace(f":{self._server.port}/", f":{port}/")

    def arm(self, cut: Cut | None) -> None:
        """Count anew from here, and cut once; with None, only count."""
        self.tape, self.fell, self._cut = [], False, cut

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fell and self._cut is not None and self._cut.lasting:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server.port)
        link = _Link(writer, to_server)
        self._links.add(link)
        ways = [self._forward(reader, to_server, link, True), self._forward(from_server, writer, link, False)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            self._end(link)

    async def _forward(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, link: _Link, up: bool) -> None:
        rest = b""
        with suppress(ConnectionError):
            while data := await source.read(_CHUNK):
                if link.deaf:
                    link.heard.set()
                    continue
                *whole, rest = self._messages(rest + data, link, up)
                passed = self._passed(whole, up)
                to.write(b"".join(whole[:passed]))
                await to.drain()
                if passed < len(whole):
                    await self._fall(whole[passed], to, link, up)
                    return

    def _messages(self, data: bytes, link: _Link, up: bool) -> Iterator[bytes]:
        """Cut into whole messages, and what is left of one that is not all there yet."""
        while (length := self._length(data, link, up)) is not None and length <= len(data):
            if up and link.untyped:
                link.untyped = link.one_byte = int.from_bytes(data[4:8]) in {_SSL_REQUEST, _GSS_REQUEST}
            elif not up:
                link.one_byte = False
            yield data[:length]
            data = data[length:]
        yield data

    def _passed(self, whole: list[bytes], up: bool) -> int:
        """Count messages up to the one that is cut at; give how many come before it."""
        for passed, data in enumerate(whole):
            self.tape.append(Message(up, data))
            if self._cut is not None and not self.fell and len(self.tape) == self._cut.at:
                self.fell = True
                return passed
        return len(whole)

    async def _fall(self, data: bytes, to: asyncio.StreamWriter, link: _Link, up: bool) -> None:
        cut = self._cut
        assert cut is not None
        if cut.when is When.AFTER:
            link.deaf = up
            to.write(data)
            await to.drain()
            if up:
                with suppress(TimeoutError):
                    await asyncio.wait_for(link.heard.wait(), _ANSWER_SECONDS)
        if cut.lasting:
            self._end_all()
        self._end(link, reset=cut.reset)

    def _end_all(self) -> None:
        for link in list(self._links):
            self._end(link)

    def _end(self, link: _Link, *, reset: bool = False) -> None:
        self._links.discard(link)
        link.server.transport.abort()
        if reset:
            link.client.transport.abort()
        else:
            link.client.close()


def _postgresql(data: bytes, link: _Link, up: bool) -> int | None:
    if not up and link.one_byte:
        return 1
    typed = not (up and link.untyped)
    return int.from_bytes(data[typed : typed + 4]) + typed if len(data) >= typed + 4 else None


def _mariadb(data: bytes, _link: _Link, _up: bool) -> int | None:
    return int.from_bytes(data[:3], "little") + 4 if len(data) >= 4 else None
