"""Who is connected to the HTTP server: never so many that the process runs out of file descriptors, nor for ever."""

import asyncio
import logging
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger(__name__)

Factory = Callable[[], asyncio.Protocol]

IDLE_SECONDS = 20.0
"""What a connection may wait for the rest of a request, for the next one, or for its client to take the answer."""
_LOOK_SECONDS = 1.0
_MOST = 256
_SHARE = 4
"""One file descriptor in so many is for HTTP: the others are for Qoyod and the databases."""
_AGAIN_SECONDS = 0.5
_BACKLOG = 128


def most_connections() -> int:
    """Give how many connections this process can have at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else max(2, min(_MOST, soft // _SHARE))


async def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host, as asyncio does; who accepts is our business.

    Raises:
        OSError: an address cannot be listened on.

    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    try:
        sockets = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    finally:
        server.close()
    for each in sockets:
        each.settimeout(0)
        each.listen(_BACKLOG)
    return sockets


@dataclass(slots=True)
class Connections:
    """The open connections, the longest idle first; `begin` and `end` tell of each request."""

    most: int
    _since: dict[asyncio.BaseTransport, float] = field(default_factory=dict)
    _busy: set[asyncio.BaseTransport | None] = field(default_factory=set)
    _full: bool = False

    @property
    def crowded(self) -> bool:
        """Whether half of all connections are being answered: the others are kept for health and metrics."""
        return len(self._busy) > self.most // 2

    def begin(self, transport: asyncio.BaseTransport | None) -> None:
        """Note that a request is being answered."""
        if transport is not None:
            self._busy.add(transport)

    def end(self, transport: asyncio.BaseTransport | None) -> None:
        """Note that a request was answered."""
        self._busy.discard(transport)
        if transport in self._since:
            del self._since[transport]  # to the end of the order
            self._since[transport] = asyncio.get_running_loop().time()

    async def accept(self, listening: socket.socket, factory: Factory) -> None:
        """Accept until cancelled; where there is no room, the connection that has been idle longest makes it."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:  # out of descriptors, by somebody else's doing
                self._say_full(error.strerror or str(error))
                if not self._make_room():
                    await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if len(self._since) >= self.most:
                self._forget_closed()
            if len(self._since) >= self.most and not self._make_room():
                accepted.close()
                continue
            try:
                transport, _ = await loop.connect_accepted_socket(factory, accepted)
            except OSError:
                accepted.close()
                continue
            self._since[transport] = loop.time()

    async def end_idle(self) -> None:
        """Close what waits for its client too long, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._forget_closed()
            before = asyncio.get_running_loop().time() - IDLE_SECONDS
            for transport in [each for each, since in self._since.items() if since < before]:
                if transport not in self._busy:
                    self._abort(transport)
            if self._full and len(self._since) <= self.most // 2:
                self._full = False

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; False where all are busy."""
        self._forget_closed()
        idle = next((each for each in self._since if each not in self._busy), None)
        if idle is None:
            return False
        self._say_full(f"{self.most} connections are open")
        self._abort(idle)
        return True

    def _forget_closed(self) -> None:
        for transport in [each for each in self._since if each.is_closing()]:
            self._forget(transport)

    def _abort(self, transport: asyncio.BaseTransport) -> None:
        self._forget(transport)
        transport.abort() if isinstance(transport, asyncio.WriteTransport) else transport.close()

    def _forget(self, transport: asyncio.BaseTransport) -> None:
        del self._since[transport]
        self._busy.discard(transport)

    def _say_full(self, reason: str) -> None:
        if not self._full:
            self._full = True
            log.warning(
                "http_connections_at_limit", reason=reason, done="those idle longest are closed", most=self.most
            )


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out requests that are no HTTP: whoever sends them is answered 400, and could fill a disk otherwise."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


logging.getLogger("aiohttp.server").addFilter(_is_ours)
